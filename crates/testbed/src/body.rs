//! The bodies of answers, each of which counts what becomes of its request.
//!
//! Invariant: a body says that its answer is complete when its last byte is taken, because the server does not
//! ask again for what it knows to be the end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};

use crate::sse::{Events, Next};
use crate::visit::Visit;
use crate::wire::Orders;

/// A body.
#[derive(Debug)]
pub(crate) struct AnswerBody {
    visit: Option<Visit>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Whole(Bytes),
    /// So many bytes of nothing in particular.
    Filler(u64),
    Endless(Pin<Box<Sleep>>),
    /// So many bytes, of one more that never comes.
    Hang(u64),
    Events(Box<Events>),
    /// Events as a platform tells them, one in each piece.
    Told(mpsc::Receiver<Bytes>),
    /// Some bytes, and a reset a moment later.
    Reset {
        sent: bool,
        pause: Pin<Box<Sleep>>,
        orders: Arc<Orders>,
    },
}

impl AnswerBody {
    /// These bytes.
    pub(crate) fn whole(visit: impl Into<Option<Visit>>, bytes: impl Into<Bytes>) -> Self {
        Self::new(visit.into(), Source::Whole(bytes.into()))
    }

    /// So many bytes.
    pub(crate) fn filler(visit: Visit, bytes: u64) -> Self {
        Self::new(Some(visit), Source::Filler(bytes))
    }

    /// Bytes without an end, about 16 MB a second.
    pub(crate) fn endless(visit: Visit) -> Self {
        let pause = Box::pin(sleep(Duration::ZERO));
        Self::new(Some(visit), Source::Endless(pause))
    }

    /// So many bytes, and then nothing.
    pub(crate) fn hang(visit: Visit, bytes: u64) -> Self {
        Self::new(Some(visit), Source::Hang(bytes))
    }

    /// Server-sent events.
    pub(crate) fn events(visit: Visit, events: Events) -> Self {
        Self::new(Some(visit), Source::Events(Box::new(events)))
    }

    /// Events as a platform tells them, one in each piece.
    pub(crate) fn told(visit: Visit, events: mpsc::Receiver<Bytes>) -> Self {
        Self::new(Some(visit), Source::Told(events))
    }

    /// Some bytes, and then a reset.
    pub(crate) fn reset(visit: Visit, orders: Arc<Orders>) -> Self {
        let source = Source::Reset {
            sent: false,
            pause: Box::pin(sleep(RESET_AFTER)),
            orders,
        };
        Self::new(Some(visit), source)
    }

    fn new(visit: Option<Visit>, source: Source) -> Self {
        let mut body = Self { visit, source };
        if let Some(visit) = &mut body.visit {
            visit.answer();
        }
        body.complete_if_over();
        body
    }

    /// For answers to HEAD, whose body is never asked for.
    pub(crate) fn without_bytes(mut self) -> Self {
        if let Some(mut visit) = self.visit.take() {
            visit.complete();
        }
        self
    }

    fn complete_if_over(&mut self) {
        if self.is_end_stream()
            && let Some(mut visit) = self.visit.take()
        {
            visit.complete();
        }
    }

    /// The answer is complete, which nobody could know before.
    fn end(&mut self) -> Bytes {
        if let Some(mut visit) = self.visit.take() {
            visit.complete();
        }
        Bytes::new()
    }

    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let bytes = match &mut self.source {
            Source::Whole(bytes) => std::mem::take(bytes),
            Source::Filler(left) => filler(left),
            Source::Endless(pause) => {
                ready!(pause.as_mut().poll(context));
                pause.set(sleep(ENDLESS_EVERY));
                Bytes::from_static(&FILLER)
            }
            Source::Hang(0) => return Poll::Pending,
            Source::Hang(left) => filler(left),
            Source::Events(events) => match ready!(events.poll_next(context)) {
                Next::Event(bytes) => {
                    if let Some(visit) = &mut self.visit {
                        visit.event();
                    }
                    bytes
                }
                Next::More(bytes) => bytes,
                Next::End => self.end(),
            },
            Source::Told(events) => match ready!(events.poll_recv(context)) {
                Some(bytes) => {
                    if let Some(visit) = &mut self.visit {
                        visit.event();
                    }
                    bytes
                }
                None => self.end(),
            },
            Source::Reset { sent: false, .. } => Bytes::from_static(b"the beginning of an ans"),
            Source::Reset { pause, orders, .. } => {
                ready!(pause.as_mut().poll(context));
                orders.reset();
                if let Some(visit) = &mut self.visit {
                    visit.break_off();
                }
                return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())));
            }
        };
        if let Source::Reset { sent, .. } = &mut self.source {
            *sent = true;
        }
        Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let next = ready!(self.next(context));
        if let (Some(Ok(bytes)), Some(visit)) = (&next, &self.visit) {
            visit.send(bytes.len());
        }
        self.complete_if_over();
        Poll::Ready(next.map(|next| next.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::Filler(left) => *left == 0,
            Source::Endless(_)
            | Source::Hang(_)
            | Source::Events(_)
            | Source::Told(_)
            | Source::Reset { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Filler(left) => SizeHint::with_exact(*left),
            Source::Hang(left) => SizeHint::with_exact(left.saturating_add(1)),
            Source::Endless(_) | Source::Events(_) | Source::Told(_) | Source::Reset { .. } => {
                SizeHint::default()
            }
        }
    }
}

/// The next bytes of so many that are left.
fn filler(left: &mut u64) -> Bytes {
    let length = usize::try_from(*left).map_or(FILLER.len(), |left| left.min(FILLER.len()));
    *left -= length as u64;
    Bytes::from_static(FILLER.get(..length).unwrap_or_default())
}

static FILLER: [u8; 16_384] = [b'x'; 16_384];

/// The pause between two pieces of an endless body, so that it does not take all of the machine.
const ENDLESS_EVERY: Duration = Duration::from_millis(1);

/// Long enough for what was written before to be on its way.
const RESET_AFTER: Duration = Duration::from_millis(20);
