//! Somebody who wants to hear of missions over a WebSocket.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};

use super::routes::MESSAGE;
use crate::services::fault::{Faults, How};
use crate::services::talk::Heard;

/// A client of the WebSocket.
#[derive(Debug)]
pub(crate) struct Subscriber {
    faults: Arc<Faults>,
    news: Sender<String>,
    /// What is heard when it has subscribed.
    missions: Option<Receiver<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum Wish {
    Subscribe { channel: String },
    Unsubscribe { channel: String },
    Ping {},
}

impl Subscriber {
    /// A client that has subscribed to nothing yet.
    pub(super) fn new(news: &Sender<String>, faults: Arc<Faults>) -> Self {
        Self {
            faults,
            news: news.clone(),
            missions: None,
        }
    }

    /// Answers a message.
    pub(crate) async fn hear(&mut self, text: &str) -> Heard {
        match self.faults.strike(MESSAGE).await {
            None => Heard::Say(vec![self.answer(text).to_string()]),
            Some(How::Fail) => Heard::Say(vec![error("it fails as it was told to").to_string()]),
            Some(How::Garble) => Heard::Say(vec!["{}".to_owned()]),
            Some(How::Mute) => Heard::Say(Vec::new()),
            Some(How::Drop) => Heard::Leave,
        }
    }

    /// The next thing that happens on a channel that was subscribed to.
    pub(crate) async fn news(&mut self) -> String {
        let Some(missions) = &mut self.missions else {
            return std::future::pending().await;
        };
        match missions.recv().await {
            Ok(news) => news,
            Err(RecvError::Lagged(missed)) => {
                json!({ "type": "missed", "count": missed }).to_string()
            }
            // The platform is gone, and so will this session be.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    fn answer(&mut self, text: &str) -> Value {
        match serde_json::from_str(text) {
            Ok(Wish::Ping {}) => json!({ "type": "pong" }),
            Ok(Wish::Subscribe { channel }) if channel == CHANNEL => {
                self.missions.get_or_insert_with(|| self.news.subscribe());
                json!({ "type": "subscribed", "channel": CHANNEL })
            }
            Ok(Wish::Unsubscribe { channel }) if channel == CHANNEL => {
                self.missions = None;
                json!({ "type": "unsubscribed", "channel": CHANNEL })
            }
            Ok(Wish::Subscribe { .. } | Wish::Unsubscribe { .. }) => {
                error("there is no such channel: accepted is missions")
            }
            Err(problem) => error(&problem.to_string()),
        }
    }
}

fn error(message: &str) -> Value {
    json!({ "type": "error", "message": message })
}

const CHANNEL: &str = "missions";
