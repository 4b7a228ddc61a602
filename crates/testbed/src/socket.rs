//! WebSockets that do what a query says, and count what they do.
//!
//! Invariant: every session that is opened is counted out when it ends, however it does.

use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use hyper::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE,
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{HeaderMap, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::body::AnswerBody;
use crate::ledger::{Account, Ledger, SocketBook};
use crate::query::{BadQuery, Query};

/// What a session does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Manners {
    replies: Replies,
    /// How long after a message its answer is sent.
    after: Duration,
    /// How many messages are sent unasked, and how often.
    push: (u64, Duration),
    /// How often a ping is sent.
    ping: Option<Duration>,
    /// With which code the session is closed, and how long after its first message.
    close: Option<(u16, Duration)>,
    fault: Fault,
    /// How many bytes the oversized message has.
    bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replies {
    Echo,
    Rpc,
    Silent,
}

/// What goes wrong, when the first message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// A frame with a reserved opcode.
    Malformed,
    /// A large message.
    Oversized,
    /// The connection ends without a close frame.
    Dropped,
    /// Nothing is read or written any more.
    Deaf,
}

impl Manners {
    /// What a query asks for.
    pub(crate) fn of(query: &mut Query<'_>) -> Result<Self, BadQuery> {
        let ms = |ms: f64| Duration::from_secs_f64(ms.min(MS_MAX) / 1_000.0);
        let replies = [
            ("echo", Replies::Echo),
            ("rpc", Replies::Rpc),
            ("none", Replies::Silent),
        ];
        let faults = [
            ("none", Fault::None),
            ("malformed", Fault::Malformed),
            ("oversized", Fault::Oversized),
            ("dropped", Fault::Dropped),
            ("deaf", Fault::Deaf),
        ];
        let push = query.pair("push")?.unwrap_or((0.0, 0.0));
        Ok(Self {
            replies: query
                .word("replies", "echo, rpc or none", &replies)?
                .unwrap_or(Replies::Echo),
            after: ms(query.positive("after")?.unwrap_or(0.0)),
            push: (push.0 as u64, ms(push.1)),
            ping: query.positive("ping")?.map(ms),
            close: query
                .pair("close")?
                .map(|(code, after)| (code as u16, ms(after))),
            fault: query
                .word(
                    "fault",
                    "none, malformed, oversized, dropped or deaf",
                    &faults,
                )?
                .unwrap_or(Fault::None),
            bytes: query.number("bytes")?.unwrap_or(2 * 1_048_576),
        })
    }

    /// The answer to a message, if it gets one.
    fn reply(&self, message: &Message) -> Option<Message> {
        match self.replies {
            Replies::Silent => None,
            Replies::Echo => Some(message.clone()),
            Replies::Rpc => {
                let call: Value = serde_json::from_slice(&message.clone().into_data()).ok()?;
                let id = call.get("id")?;
                let answer = match call["method"].as_str() {
                    Some("fail") => json!({ "code": -32_000, "message": "as you asked" }),
                    Some(_) => Value::Null,
                    None => json!({ "code": -32_600, "message": "no method" }),
                };
                let answer = if answer.is_null() {
                    json!({ "jsonrpc": "2.0", "id": id, "result": { "method": call["method"], "params": call["params"] } })
                } else {
                    json!({ "jsonrpc": "2.0", "id": id, "error": answer })
                };
                Some(Message::text(answer.to_string()))
            }
        }
    }
}

/// Accepts a handshake, if it is one.
pub(crate) fn accept(headers: &HeaderMap) -> Option<Response<AnswerBody>> {
    let key = headers.get(SEC_WEBSOCKET_KEY)?;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()?;
    let mut answer = Response::new(AnswerBody::whole(None, ""));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let fields = answer.headers_mut();
    fields.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
    fields.insert(SEC_WEBSOCKET_ACCEPT, accept);
    let offered = headers
        .get(SEC_WEBSOCKET_PROTOCOL)
        .and_then(|value| value.to_str().ok());
    let first = offered.and_then(|offered| offered.split(',').next());
    if let Some(first) = first.and_then(|first| HeaderValue::from_str(first.trim()).ok()) {
        fields.insert(SEC_WEBSOCKET_PROTOCOL, first);
    }
    Some(answer)
}

/// Plays a session when its connection has been handed over.
pub(crate) async fn play(upgrade: OnUpgrade, manners: Manners, counts: Counts) {
    if let Ok(upgraded) = upgrade.await {
        let io = TokioIo::new(upgraded);
        let socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
        counts.change(|book| book.sessions += 1);
        let session = Session {
            socket,
            manners,
            counts,
            first_heard: None,
        };
        session.play().await;
    }
}

/// Where a session is counted.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) account: Account,
}

impl Counts {
    /// Changes what is counted.
    pub(crate) fn change(&self, change: impl FnOnce(&mut SocketBook)) {
        self.ledger.sockets(self.account, change);
    }
}

struct Session {
    socket: WebSocketStream<TokioIo<Upgraded>>,
    manners: Manners,
    counts: Counts,
    first_heard: Option<Instant>,
}

/// Nothing more is to be done.
struct Over;

impl Session {
    async fn play(mut self) {
        let begun = Instant::now();
        let (count, every) = self.manners.push;
        let mut pushed: u64 = 0;
        let mut pings: u32 = 1;
        let never = begun + Duration::from_secs(86_400);
        loop {
            let turns = u32::try_from(pushed + 1).unwrap_or(u32::MAX);
            let push_at = if pushed < count {
                begun + every.saturating_mul(turns)
            } else {
                never
            };
            let ping_at = self
                .manners
                .ping
                .map_or(never, |every| begun + every.saturating_mul(pings));
            let close_at = self.manners.close.zip(self.first_heard);
            let close_at = close_at.map_or(never, |((_, after), first)| first + after);
            let next = tokio::select! {
                message = self.socket.next() => match message {
                    Some(Ok(message)) => self.heard(message).await,
                    Some(Err(_)) | None => Err(Over),
                },
                () = sleep_until(push_at) => {
                    pushed += 1;
                    self.counts.change(|book| book.pushed += 1);
                    self.send(Message::text(json!({ "type": "tick", "n": pushed }).to_string())).await
                }
                () = sleep_until(ping_at) => {
                    pings += 1;
                    self.counts.change(|book| book.pings += 1);
                    self.socket.send(Message::Ping(Bytes::new())).await.map_err(|_| Over)
                }
                () = sleep_until(close_at) => self.close().await,
            };
            if next.is_err() {
                return;
            }
        }
    }

    async fn heard(&mut self, message: Message) -> Result<(), Over> {
        match &message {
            Message::Close(frame) => {
                let code = frame.as_ref().map_or(1_005, |frame| frame.code.into());
                self.counts
                    .change(|book| *book.closed_by_client.entry(code).or_insert(0) += 1);
                // The answer is on its way with this.
                return self.socket.flush().await.map_err(|_| Over);
            }
            Message::Pong(_) => {
                self.counts.change(|book| book.pongs += 1);
                return Ok(());
            }
            Message::Ping(_) => {
                self.counts.change(|book| book.pings_received += 1);
                return self.socket.flush().await.map_err(|_| Over);
            }
            Message::Text(_) | Message::Binary(_) | Message::Frame(_) => {}
        }
        let came = Instant::now();
        self.counts.change(|book| book.received += 1);
        if self.first_heard.is_none() {
            self.first_heard = Some(came);
            self.fail().await?;
        }
        let Some(reply) = self.manners.reply(&message) else {
            return Ok(());
        };
        sleep(self.manners.after).await;
        self.send(reply).await?;
        let us = u64::try_from(came.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.counts.change(|book| book.replied(us));
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<(), Over> {
        self.socket.send(message).await.map_err(|_| Over)?;
        self.counts.change(|book| book.sent += 1);
        Ok(())
    }

    /// Does what goes wrong.
    async fn fail(&mut self) -> Result<(), Over> {
        match self.manners.fault {
            Fault::None => Ok(()),
            Fault::Malformed => {
                // A text frame with the first of the reserved bits set, and a length of 0.
                let raw = self.socket.get_mut();
                raw.write_all(&[0xC1, 0x00]).await.map_err(|_| Over)?;
                raw.flush().await.map_err(|_| Over)
            }
            Fault::Oversized => {
                let text = "x".repeat(self.manners.bytes);
                self.send(Message::text(text)).await
            }
            Fault::Dropped => Err(Over),
            Fault::Deaf => std::future::pending().await,
        }
    }

    async fn close(&mut self) -> Result<(), Over> {
        let Some((code, _)) = self.manners.close.take() else {
            return Ok(());
        };
        let frame = CloseFrame {
            code: code.into(),
            reason: "as you asked".into(),
        };
        self.socket.close(Some(frame)).await.map_err(|_| Over)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.counts.change(|book| book.ended += 1);
    }
}

/// An hour.
const MS_MAX: f64 = 3_600_000.0;
