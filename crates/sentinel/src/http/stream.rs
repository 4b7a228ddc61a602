//! Handing on the answer of a request piece by piece, while it arrives.

use hyper::body::Incoming;
use sentinel_engine::batch::Head;
use sentinel_engine::error_class::ErrorClass;

use super::connection::Connection;

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
/// What ended it before.
pub(super) async fn hand_on(
    connection: &mut Connection,
    mut body: Incoming,
    tell: impl Fn(Heard<'_>),
) -> Result<u64, ErrorClass> {
    let mut received: u64 = 0;
    while let Some(data) = connection.next(&mut body).await? {
        received = received.saturating_add(data.len() as u64);
        tell(Heard::Piece(&data));
    }
    Ok(received)
}
