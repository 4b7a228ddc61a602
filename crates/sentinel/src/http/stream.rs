//! Handing on the answer of a request piece by piece, while it arrives.

use http_body_util::BodyExt as _;
use hyper::body::Body;
use sentinel_engine::batch::Head;
use sentinel_engine::error_class::ErrorClass;

/// What is told of an answer that is a stream before its end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Heard<'a> {
    /// Its header.
    Head(Head<'a>),
    /// The next piece of its body.
    Piece(&'a [u8]),
}

/// Tells the pieces of a body up to its end, and answers how many bytes they had. Nothing of it is kept.
///
/// # Errors
/// What `class` makes of the error that ends it.
pub(super) async fn hand_on<B: Body + Unpin>(
    mut body: B,
    tell: impl Fn(Heard<'_>),
    class: impl Fn(&B::Error) -> ErrorClass,
) -> Result<u64, ErrorClass>
where
    B::Data: AsRef<[u8]>,
{
    let mut received: u64 = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| class(&error))?;
        if let Some(data) = frame.data_ref() {
            let data = data.as_ref();
            received = received.saturating_add(data.len() as u64);
            tell(Heard::Piece(data));
        }
    }
    Ok(received)
}
