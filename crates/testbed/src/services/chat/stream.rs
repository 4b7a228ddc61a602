//! An answer token by token, as server-sent events.
//!
//! Invariant: a client that goes away ends its stream with the next token.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::conversations::Answer;
use super::metrics::Meter;
use super::routes::TOKEN;
use crate::services::fault::{Faults, How};

/// Begins to say an answer.
pub(super) fn tell(
    answer: Answer,
    meter: &Arc<Meter>,
    faults: &Arc<Faults>,
) -> mpsc::Receiver<Bytes> {
    let (sender, events) = mpsc::channel(1);
    let (streaming, faults) = (Streaming::begin(meter), Arc::clone(faults));
    tokio::spawn(async move {
        // Nobody is told when the client has gone: there is nobody to tell.
        let _ = say(&answer, &streaming.0, &faults, &sender).await;
    });
    events
}

/// The client has gone away, or the stream breaks off as it was told to.
struct Over;

async fn say(
    answer: &Answer,
    meter: &Meter,
    faults: &Faults,
    sender: &mpsc::Sender<Bytes>,
) -> Result<(), Over> {
    let send = async |event: String| sender.send(event.into()).await.map_err(|_| Over);
    for token in &answer.tokens {
        sleep(TOKEN_EVERY).await;
        match faults.strike(TOKEN).await {
            None => {}
            Some(How::Garble) => {
                send(event("token", &json!({}))).await?;
                continue;
            }
            Some(How::Mute) => std::future::pending().await,
            Some(How::Fail | How::Drop) => return Err(Over),
        }
        Meter::add(&meter.tokens, 1);
        send(event("token", &json!({ "token": token }))).await?;
    }
    for chime in &answer.chimes {
        send(event("chime", &json!({ "chime": chime }))).await?;
    }
    let done = json!({
        "conversation": answer.conversation, "turn": answer.turn, "tokens": answer.tokens.len(),
        "autonomy": { "chimes": answer.chimes.len() },
    });
    send(event("done", &done)).await?;
    send("data: [DONE]\n\n".to_owned()).await
}

fn event(kind: &str, data: &Value) -> String {
    format!("event: {kind}\ndata: {data}\n\n")
}

/// Counts a stream out when it ends, however it does.
struct Streaming(Arc<Meter>);

impl Streaming {
    fn begin(meter: &Arc<Meter>) -> Self {
        meter.streams.fetch_add(1, Ordering::Relaxed);
        meter.streaming.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(meter))
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.streaming.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long a token takes.
const TOKEN_EVERY: Duration = Duration::from_millis(2);
