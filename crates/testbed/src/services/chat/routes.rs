//! The paths of the chat runtime.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::conversations::{Answer, Conversations};
use super::metrics::Meter;
use super::stream;
use crate::services::fault::Faults;
use crate::services::reply::{Call, Reply};

/// What can be made to go wrong.
pub(crate) const OPERATIONS: &[&str] = &[CHAT, STREAM, TOKEN, METRICS, HEALTH];

/// Each token of a stream.
pub(super) const TOKEN: &str = "chat.token";

const CHAT: &str = "chat";
const STREAM: &str = "chat.stream";
const METRICS: &str = "metrics";
const HEALTH: &str = "health";

/// The runtime's state.
#[derive(Debug)]
pub(crate) struct Chat {
    faults: Arc<Faults>,
    meter: Arc<Meter>,
    conversations: Mutex<Conversations>,
    started: Instant,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    message: String,
    #[serde(default)]
    conversation: Option<String>,
}

/// Which operation a request asks for.
///
/// # Errors
/// The refusal of what is none.
pub(crate) fn operation(call: &Call<'_>) -> Result<&'static str, Reply> {
    let (operation, method, allowed) = match call.path {
        "/v1/chat" => (CHAT, Method::POST, "POST"),
        "/v1/chat/stream" => (STREAM, Method::POST, "POST"),
        "/v1/metrics" => (METRICS, Method::GET, "GET"),
        "/v1/health" => (HEALTH, Method::GET, "GET"),
        _ => return Err(Reply::not_found()),
    };
    if *call.method == method {
        Ok(operation)
    } else {
        Err(Reply::wrong_method(allowed))
    }
}

impl Chat {
    /// A runtime to which nobody has spoken.
    pub(crate) fn new(faults: Arc<Faults>) -> Self {
        Self {
            faults,
            meter: Arc::default(),
            conversations: Mutex::default(),
            started: Instant::now(),
        }
    }

    /// Does what the operation of a request is.
    pub(crate) fn answer(&self, operation: &str, call: &Call<'_>) -> Reply {
        match operation {
            HEALTH => {
                let health = json!({ "status": "ok", "uptimeS": self.started.elapsed().as_secs() });
                Reply::json(StatusCode::OK, &health)
            }
            METRICS => {
                let (conversations, bytes) = self.conversations().totals();
                let page = self.meter.page(conversations, bytes);
                Reply::whole(StatusCode::OK, "text/plain; version=0.0.4", page)
            }
            _ => match self.say(call) {
                Ok(answer) if operation == STREAM => {
                    Reply::Events(stream::tell(answer, &self.meter, &self.faults))
                }
                Ok(answer) => self.whole(&answer),
                Err(refusal) => {
                    Meter::add(&self.meter.refusals, 1);
                    refusal
                }
            },
        }
    }

    fn say(&self, call: &Call<'_>) -> Result<Answer, Reply> {
        let Said {
            message,
            conversation,
        } = call.json()?;
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        if !(1..=MESSAGE_CHARS_MAX).contains(&message.trim().chars().count()) {
            let problem = format!("message: accepted are 1 to {MESSAGE_CHARS_MAX} characters");
            return Err(Reply::error(status, problem));
        }
        let conversation = conversation.as_deref().filter(|name| !name.is_empty());
        let answer = self.conversations().say(conversation, &message);
        let answer = answer
            .ok_or_else(|| Reply::error(StatusCode::NOT_FOUND, "there is no such conversation"))?;
        Meter::add(&self.meter.chimes, answer.chimes.len());
        Ok(answer)
    }

    fn whole(&self, answer: &Answer) -> Reply {
        Meter::add(&self.meter.answers, 1);
        Meter::add(&self.meter.tokens, answer.tokens.len());
        let told = json!({
            "conversation": answer.conversation, "turn": answer.turn, "reply": answer.tokens.join(" "),
            "usage": { "promptTokens": answer.prompt_tokens, "completionTokens": answer.tokens.len() },
            "autonomy": { "chimes": answer.chimes.len(), "said": answer.chimes },
        });
        Reply::json(StatusCode::OK, &told)
    }

    fn conversations(&self) -> MutexGuard<'_, Conversations> {
        self.conversations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

const MESSAGE_CHARS_MAX: usize = 8_000;
