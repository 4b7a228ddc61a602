//! What goes into a batch and what comes out of it.

use std::borrow::Cow;

use crate::error_class::ErrorClass;
use crate::response::Exchange;
use crate::scenario::Method;
use crate::tick::{Span, Tick};
use crate::vu::VuCarry;
use crate::window::StepId;
use crate::wire::Frame;

/// The name of a request between the batch and its driver; never used twice by one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

impl RequestId {
    /// The name of the `nth` request at a place.
    pub(super) fn new(place: u32, nth: u32) -> Self {
        Self((u64::from(nth) << 32) | u64::from(place))
    }

    /// The place of the request among those that are under way: from 0, as low as one is free, and no other request's
    /// as long as this one is under way.
    #[must_use]
    pub const fn place(self) -> u32 {
        (self.0 & 0xFFFF_FFFF) as u32
    }

    /// How many requests were at its place before it.
    pub(super) const fn nth(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// What a driver tells the batch.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Time has passed.
    Wake,
    /// The header of an answer has arrived; its connection slot is free again. Optional: the end of the
    /// request frees the slot as well.
    Headers(RequestId),
    /// The header of an answer that is a stream has arrived; its connection slot is free again.
    Head(RequestId, Head<'a>),
    /// A piece of a stream has arrived.
    Chunk(RequestId, &'a [u8]),
    /// The whole answer has arrived; of a stream, its end.
    Answered(RequestId, Exchange<'a>),
    /// The request ended without an answer.
    Failed(RequestId, Failure),
    /// Something happened to a WebSocket.
    Socket(RequestId, SocketInput<'a>),
    /// Users have come in that were away when the slice began.
    Adopt(&'a [VuCarry]),
    /// Stop now: no further request is sent, those under way are given up.
    Stop,
    /// Nobody listens any more: like `Stop`, for the reason that the lease ran out.
    LeaseExpired,
}

/// The header of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Header fields as in an [`Exchange`].
    pub headers: &'a [(String, String)],
}

/// What happens to a WebSocket. A handshake that is answered with another status than 101 is told as
/// [`Input::Answered`].
#[derive(Clone, Copy, Debug)]
pub enum SocketInput<'a> {
    /// It is open.
    Opened(Head<'a>),
    /// A message has arrived, a text or bytes.
    Message(&'a [u8]),
    /// A pong has arrived.
    Pong,
    /// A close frame has arrived, with this code, or 1005 without one. The WebSocket is gone.
    Closed(u16),
    /// It could not be opened, or broke. It is gone.
    Failed(ErrorClass),
}

/// How a request ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The class under which it is counted.
    pub class: ErrorClass,
}

/// What the batch asks of its driver.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this request now.
    Send(Request),
    /// Open a WebSocket now, which has the name of its request.
    Open(Opening),
    /// Do this with an open WebSocket.
    Socket(RequestId, SocketOutput),
    /// Give this request or WebSocket up: its end is of no interest any more.
    Abort(RequestId),
    /// Deliver this to the run.
    Ship(Frame),
    /// Nothing more to do before this point, unless an answer arrives.
    WakeAt(Tick, WakeReason),
    /// The batch is over; its last frame has been shipped.
    Done,
}

/// A WebSocket to open.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// The handshake; the method and body are those that it always has.
    pub request: Request,
    /// The subprotocols to offer.
    pub protocols: Vec<String>,
}

/// What a batch asks to be done with an open WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketOutput {
    /// Send a text.
    Text(String),
    /// Send bytes.
    Binary(Vec<u8>),
    /// Send a ping.
    Ping,
    /// Send a close frame, and tell [`SocketInput::Closed`] when the other side has answered it.
    Close {
        /// The code.
        code: u16,
        /// The reason, up to 123 bytes.
        reason: String,
    },
}

/// How many bytes a message may have that arrives; a larger one ends its session, which a driver tells as
/// [`ErrorClass::MessageTooLarge`].
pub const MESSAGE_BYTES_MAX: usize = 1_048_576;

impl SocketOutput {
    /// The bytes of the message; none of a control frame.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
            Self::Ping | Self::Close { .. } => &[],
        }
    }
}

/// Why a batch wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeReason {
    /// A virtual user has something to do.
    User,
    /// A request reaches its time limit.
    Timeout,
    /// A window closes.
    Window,
    /// The target is to be asked about itself, or has not told in time.
    Poll,
    /// The slice ends.
    SliceEnd,
}

/// The header field by which a target can tell which run a request belongs to. Every driver adds it.
pub const RUN_FIELD: &str = "x-vista-run";

/// The header field by which a target can tell which batch of a run sent a request: slice and batch, as in `0.3`.
/// Drivers add it where a run has several batches.
pub const BATCH_FIELD: &str = "x-vista-batch";

/// A request to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Its name.
    pub id: RequestId,
    /// The step that it is a request of: what is wanted of the answer and the limits are the same for all of them.
    pub step: StepId,
    /// The number of the user that sends it: a driver may keep connections for each.
    pub vu: u32,
    /// The number of that user's iteration, from 0.
    pub iteration: u32,
    /// Whom it is handed to.
    pub address: Address,
    /// The method: of a redirect not always the step's.
    pub method: Method,
    /// The absolute URL; of a Durable Object the path. Redirects are not to be followed: the batch sends a request
    /// of its own for each.
    pub url: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body, if any.
    pub body: Option<Vec<u8>>,
    /// Whether the body of the answer is needed; otherwise it is only drained and counted.
    pub wants_body: bool,
    /// Header fields of the answer that are needed, in lower case.
    pub wants_headers: Vec<Cow<'static, str>>,
    /// Whether the answer is a stream: its header is told with [`Input::Head`], and its body piece by piece with
    /// [`Input::Chunk`] as it arrives, without a limit. Then nothing of the body is kept.
    pub streams: bool,
    /// How many bytes of body are read at most.
    pub body_limit_bytes: u64,
    /// The time after which the batch will give the request up.
    pub timeout: Span,
}

/// Whom a driver hands a request to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// The host of its URL.
    Host,
    /// The Worker behind the service binding of this name.
    Binding(&'static str),
    /// A Durable Object.
    Object {
        /// The name of the binding of its class.
        binding: &'static str,
        /// Its own name.
        name: String,
    },
}

impl Address {
    /// The name of the binding through which it is reached, `None` of a host.
    #[must_use]
    pub const fn binding(&self) -> Option<&'static str> {
        match self {
            Self::Host => None,
            Self::Binding(binding) | Self::Object { binding, .. } => Some(*binding),
        }
    }
}
