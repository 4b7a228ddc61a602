//! One connection of a user: HTTP/1.1, one exchange after the other, or HTTP/2, as many at once as it likes.
//!
//! Invariant: what happens on an HTTP/1.1 connection happens while its exchange is polled. There is no task for
//! it: two tasks that wake each other cost more than the exchange.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use sentinel_engine::error_class::ErrorClass;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::task::spawn_local;

use super::connect::Stream;
use super::failure::class;
use super::gauge::{Gauge, Gauged};

/// The message that is sent.
pub(super) type Message = Request<Full<Bytes>>;

type Wire = TokioIo<Gauged<Box<dyn Stream>>>;

/// A connection.
pub(super) enum Connection {
    /// HTTP/1.1.
    Http1(Http1),
    /// HTTP/2.
    Http2(Http2),
}

/// A connection that carries one exchange at a time.
pub(super) struct Http1 {
    sender: http1::SendRequest<Full<Bytes>>,
    work: Work,
    gauge: Rc<Gauge>,
}

/// What moves the bytes of a connection, until it is over.
type Work = Option<Box<http1::Connection<Wire, Full<Bytes>>>>;

/// A connection that carries many exchanges at once. Clones are the same connection.
#[derive(Clone)]
pub(super) struct Http2 {
    sender: http2::SendRequest<Full<Bytes>>,
}

/// A connection of HTTP/1.1 that nobody needs soon. What speaks over it, some 30 KB, is gone, and is made again
/// when it is needed.
pub(super) struct Resting {
    wire: Wire,
    gauge: Rc<Gauge>,
}

/// Why an exchange has no answer.
pub(super) enum Failed {
    /// The connection was closed before anything of the message was sent.
    Unsent,
    /// Anything else.
    For(ErrorClass),
}

impl Connection {
    /// Begins to speak over a stream.
    ///
    /// # Errors
    /// When the other side does not.
    pub(super) async fn begin(stream: Box<dyn Stream>, is_http2: bool) -> Result<Self, ErrorClass> {
        let (stream, gauge) = Gauged::new(stream);
        let stream = TokioIo::new(stream);
        if is_http2 {
            let begun = http2::handshake(OnThisThread, stream).await;
            let (sender, work) = begun.map_err(|error| class(&error))?;
            spawn_local(async move {
                // What goes wrong with a connection is told to the requests that need it.
                let _ = work.await;
            });
            return Ok(Self::Http2(Http2 { sender }));
        }
        let connection = Http1::begin(stream, gauge).await;
        connection.map(Self::Http1).map_err(|error| class(&error))
    }

    /// Whether the next exchange can go over it; looks whether the server has closed it meanwhile.
    pub(super) fn is_open(&mut self) -> bool {
        match self {
            Self::Http1(connection) => {
                connection.look();
                connection.sender.is_ready()
            }
            Self::Http2(connection) => connection.is_open(),
        }
    }

    /// Puts away what takes memory, if nobody else uses the connection, it still stands, and nothing has come over
    /// it that nobody asked for.
    pub(super) fn rest(self) -> Option<Resting> {
        let Self::Http1(Http1 { work, gauge, .. }) = self else {
            return None;
        };
        let parts = work?.into_parts();
        let wire = parts.io;
        parts.read_buf.is_empty().then_some(Resting { wire, gauge })
    }

    /// Whether it speaks HTTP/2.
    pub(super) const fn is_http2(&self) -> bool {
        matches!(self, Self::Http2(_))
    }

    /// Sends a message and waits for the head of its answer.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn send(&mut self, message: Message) -> Result<Response<Incoming>, Failed> {
        let sent = match self {
            Self::Http1(Http1 {
                sender,
                work,
                gauge,
            }) => {
                gauge.begin();
                driven(work, sender.try_send_request(message)).await
            }
            Self::Http2(Http2 { sender }) => sender.try_send_request(message).await,
        };
        sent.map_err(|mut error| match error.take_message() {
            Some(_) => Failed::Unsent,
            None => Failed::For(class(&error.into_error())),
        })
    }

    /// The next bytes of a body, `None` after the last.
    ///
    /// # Errors
    /// When it broke off.
    pub(super) async fn next(&mut self, body: &mut Incoming) -> Result<Option<Bytes>, ErrorClass> {
        // Nothing is to be asked for where nothing is to come.
        while !body.is_end_stream() {
            let frame = match self {
                Self::Http1(Http1 { work, .. }) => driven(work, body.frame()).await,
                Self::Http2(_) => body.frame().await,
            };
            let Some(frame) = frame.transpose().map_err(|error| class(&error))? else {
                break;
            };
            // What is not data is trailers, which nobody asks for.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// What the stream tells about the exchange; of many at once it cannot tell.
    pub(super) fn gauge(&self) -> Option<&Gauge> {
        match self {
            Self::Http1(connection) => Some(&connection.gauge),
            Self::Http2(_) => None,
        }
    }
}

impl Resting {
    /// The connection, unless the server has closed it meanwhile.
    pub(super) async fn wake(mut self) -> Option<Connection> {
        let mut byte = [0];
        let read = Pin::new(self.wire.inner_mut()).poll_read(
            &mut Context::from_waker(Waker::noop()),
            &mut ReadBuf::new(&mut byte),
        );
        if read.is_ready() {
            return None;
        }
        let connection = Http1::begin(self.wire, self.gauge).await.ok()?;
        Some(Connection::Http1(connection))
    }
}

impl Http1 {
    async fn begin(wire: Wire, gauge: Rc<Gauge>) -> hyper::Result<Self> {
        let (sender, work) = http1::Builder::new().handshake(wire).await?;
        Ok(Self {
            sender,
            work: Some(Box::new(work)),
            gauge,
        })
    }

    /// Lets the connection take in what has happened to it. Nobody waits for what will happen: it would keep the
    /// task of the last exchange in memory as long as nothing does.
    fn look(&mut self) {
        advance(&mut self.work, &mut Context::from_waker(Waker::noop()));
    }
}

impl Http2 {
    /// Whether further exchanges can go over it.
    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }
}

/// Waits for something that nothing but the connection's work can bring about.
async fn driven<F: Future>(work: &mut Work, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        // It is asked again after each piece of work, and need not wake anybody.
        let mut deaf = Context::from_waker(Waker::noop());
        if let Poll::Ready(output) = future.as_mut().poll(&mut deaf) {
            return Poll::Ready(output);
        }
        advance(work, context);
        future.as_mut().poll(&mut deaf)
    })
    .await
}

/// A connection that is over is dropped, which tells those who wait for it.
fn advance(work: &mut Work, context: &mut Context<'_>) {
    if let Some(connection) = work
        && pin!(connection).poll(context).is_ready()
    {
        *work = None;
    }
}

/// Runs what HTTP/2 needs besides.
#[derive(Clone, Copy)]
struct OnThisThread;

impl<F: Future<Output = ()> + 'static> Executor<F> for OnThisThread {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}
