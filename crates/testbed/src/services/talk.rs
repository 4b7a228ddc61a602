//! A platform's side of a WebSocket: what is heard is answered, and what happens meanwhile is told.
//!
//! Invariant: every session that is opened is counted out when it ends, and a client that reads nothing holds up
//! nobody but itself.

use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::missions::Subscriber;
use super::sidepanel::Panel;
use crate::socket::Counts;

/// Who talks.
#[derive(Debug)]
pub(crate) enum Talk {
    /// Somebody who wants to hear of missions.
    Missions(Subscriber),
    /// A side panel.
    Sidepanel(Panel),
}

/// What is done about a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// These are sent, in this order.
    Say(Vec<String>),
    /// The connection ends without a word.
    Leave,
}

impl Talk {
    async fn hear(&mut self, text: &str) -> Heard {
        match self {
            Self::Missions(subscriber) => subscriber.hear(text).await,
            Self::Sidepanel(panel) => panel.hear(text).await,
        }
    }

    /// What happens that the client has not asked for. Nothing is lost when it is not waited for to the end.
    async fn news(&mut self) -> String {
        match self {
            Self::Missions(subscriber) => subscriber.news().await,
            Self::Sidepanel(_) => std::future::pending().await,
        }
    }
}

/// Talks until either side has had enough.
pub(crate) async fn converse(upgrade: OnUpgrade, mut talk: Talk, counts: Counts) {
    let Ok(upgraded) = upgrade.await else {
        return;
    };
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX));
    let io = TokioIo::new(upgraded);
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    counts.change(|book| book.sessions += 1);
    let open = Open(counts);
    loop {
        let next = tokio::select! {
            message = socket.next() => match message {
                Some(Ok(message)) => heard(&mut socket, &mut talk, message, &open.0).await,
                Some(Err(_)) | None => None,
            },
            news = talk.news() => {
                open.0.change(|book| book.pushed += 1);
                say(&mut socket, news, &open.0).await
            }
        };
        if next.is_none() {
            return;
        }
    }
}

/// Counts a session out when it ends, however it does.
struct Open(Counts);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.change(|book| book.ended += 1);
    }
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Does what a message asks for; `None` when the session is over.
async fn heard(
    socket: &mut Socket,
    talk: &mut Talk,
    message: Message,
    counts: &Counts,
) -> Option<()> {
    let text = match message {
        Message::Text(text) => text,
        Message::Close(frame) => {
            let code = frame.map_or(1_005, |frame| frame.code.into());
            counts.change(|book| *book.closed_by_client.entry(code).or_insert(0) += 1);
            return socket.flush().await.ok(); // the answer is on its way with this
        }
        Message::Ping(_) => {
            counts.change(|book| book.pings_received += 1);
            return socket.flush().await.ok();
        }
        Message::Pong(_) | Message::Frame(_) => return Some(()),
        Message::Binary(_) => {
            counts.change(|book| book.received += 1);
            return Some(()); // nobody here speaks in bytes
        }
    };
    counts.change(|book| book.received += 1);
    match talk.hear(text.as_str()).await {
        Heard::Leave => None,
        Heard::Say(answers) => {
            for answer in answers {
                say(socket, answer, counts).await?;
            }
            Some(())
        }
    }
}

async fn say(socket: &mut Socket, text: String, counts: &Counts) -> Option<()> {
    socket.send(Message::text(text)).await.ok()?;
    counts.change(|book| book.sent += 1);
    Some(())
}

/// A larger message ends the session.
const MESSAGE_BYTES_MAX: usize = 1_048_576;
