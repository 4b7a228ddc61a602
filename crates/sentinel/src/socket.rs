//! WebSockets of virtual users.
//!
//! Invariant: a session that was told to be open is told to be over once, unless it is given up.

use futures::{SinkExt as _, StreamExt as _};
use hyper::Uri;
use hyper::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use sentinel_engine::batch::{Head, MESSAGE_BYTES_MAX, Opening, SocketInput, SocketOutput};
use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::parts::Parts;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::client::Request as Handshake;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::http::{Answer, Identity, Stream, pick};

/// How an attempt to open a session ended.
pub(crate) enum Ended {
    /// It was open: the code with which it was closed, or what broke it.
    Session(Result<u16, ErrorClass>),
    /// The server answered something else.
    Refused(Answer),
}

/// Opens a session over a connection, and plays it to its end.
///
/// # Errors
/// Why the server gave no answer.
pub(crate) async fn play(
    connection: Box<dyn Stream>,
    opening: &Opening,
    identity: &Identity,
    orders: UnboundedReceiver<SocketOutput>,
    tell: impl Fn(SocketInput<'_>),
) -> Result<Ended, ErrorClass> {
    let handshake = handshake(opening, identity).ok_or(ErrorClass::Refused)?;
    let opened = client_async_with_config(handshake, connection, Some(limits())).await;
    let (socket, answer) = match opened {
        Ok(opened) => opened,
        Err(Error::Http(answer)) => {
            let body = answer.body().as_ref();
            return Ok(Ended::Refused(Answer {
                status: answer.status().as_u16(),
                headers: pick(answer.headers(), &opening.request),
                bytes_received: body.map_or(0, |body| body.len() as u64),
                body: Vec::new(),
                truncated: false,
                parts: Parts::default(),
            }));
        }
        Err(error) => return Err(class(&error)),
    };
    let headers = pick(answer.headers(), &opening.request);
    tell(SocketInput::Opened(Head {
        status: answer.status().as_u16(),
        headers: &headers,
    }));
    Ok(Ended::Session(converse(socket, orders, tell).await))
}

/// Sends what is ordered and tells what arrives. Answers the code with which the session was closed.
async fn converse(
    mut socket: WebSocketStream<Box<dyn Stream>>,
    mut orders: UnboundedReceiver<SocketOutput>,
    tell: impl Fn(SocketInput<'_>),
) -> Result<u16, ErrorClass> {
    loop {
        tokio::select! {
            order = orders.recv() => {
                // Nobody can order anything any more only when the session is given up.
                let order = order.ok_or(ErrorClass::CutOff)?;
                let message = match order {
                    SocketOutput::Text(text) => Message::text(text),
                    SocketOutput::Binary(bytes) => Message::binary(bytes),
                    SocketOutput::Ping => Message::Ping(Bytes::new()),
                    SocketOutput::Close { code, reason } => Message::Close(Some(CloseFrame {
                        code: code.into(),
                        reason: reason.into(),
                    })),
                };
                match socket.send(message).await {
                    // What the other side said before is still to be read.
                    Ok(()) | Err(Error::ConnectionClosed) => {}
                    Err(error) => return Err(class(&error)),
                }
            }
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => tell(SocketInput::Message(text.as_bytes())),
                Some(Ok(Message::Binary(bytes))) => tell(SocketInput::Message(&bytes)),
                Some(Ok(Message::Pong(_))) => tell(SocketInput::Pong),
                Some(Ok(Message::Ping(_) | Message::Frame(_))) => {
                    // The pong is on its way with this.
                    let _ = socket.flush().await;
                }
                Some(Ok(Message::Close(frame))) => {
                    // So is the answer, if this is not one. Nothing follows that could be of interest.
                    let _ = socket.flush().await;
                    return Ok(frame.map_or(NO_CODE, |frame| frame.code.into()));
                }
                Some(Err(error)) => return Err(class(&error)),
                None => return Err(ErrorClass::Reset),
            },
        }
    }
}

fn handshake(opening: &Opening, identity: &Identity) -> Option<Handshake> {
    let request = &opening.request;
    let (scheme, rest) = request.url.split_once("://")?;
    let scheme = if scheme == "https" { "wss" } else { "ws" };
    let url = Uri::try_from(format!("{scheme}://{rest}")).ok()?;
    let mut handshake = url.into_client_request().ok()?;
    let fields = handshake.headers_mut();
    identity.complete(fields, &request.headers)?;
    if !opening.protocols.is_empty() {
        let protocols = HeaderValue::from_str(&opening.protocols.join(", ")).ok()?;
        fields.insert(SEC_WEBSOCKET_PROTOCOL, protocols);
    }
    Some(handshake)
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
}

/// What a failure of the WebSocket was.
fn class(error: &Error) -> ErrorClass {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => ErrorClass::MessageTooLarge,
        Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::HandshakeIncomplete,
        )
        | Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_) => ErrorClass::Reset,
        Error::Protocol(_) | Error::Capacity(_) | Error::Utf8(_) | Error::AttackAttempt => {
            ErrorClass::Protocol
        }
        Error::Tls(_) => ErrorClass::Tls,
        Error::Url(_) | Error::HttpFormat(_) => ErrorClass::Refused,
        Error::WriteBufferFull(_) | Error::Http(_) => ErrorClass::Other,
    }
}

/// Little, because there are many sessions at once.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// What stands for a close frame without a code (RFC 6455).
const NO_CODE: u16 = 1_005;
