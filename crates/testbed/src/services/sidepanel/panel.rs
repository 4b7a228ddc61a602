//! One connection: its calls, and the session that they are about.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::calls;
use super::rpc::{self, Refusal, Request};
use super::store::Desk;
use crate::services::fault::How;
use crate::services::talk::Heard;

/// A client.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(super) desk: Arc<Desk>,
    /// The session that was opened; one of its own is created with the first call that needs one.
    session: Option<u64>,
}

/// What a call leads to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) result: Value,
    /// What is told behind the answer: methods and parameters.
    pub(super) news: Vec<(&'static str, Value)>,
}

impl Panel {
    /// A client without a session.
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        desk.meter.opened();
        Self {
            desk,
            session: None,
        }
    }

    /// Answers a message.
    pub(crate) async fn hear(&mut self, text: &str) -> Heard {
        let began = Instant::now();
        let request = match Request::parse(text) {
            Ok(request) => request,
            Err(refusal) => {
                self.desk.meter.answered(began.elapsed(), true);
                return Heard::Say(vec![refusal]);
            }
        };
        let struck = self.desk.faults.strike(&request.method).await;
        let outcome = match struck {
            None => calls::call(self, &request),
            Some(How::Fail) => Err(Refusal::own("it fails as it was told to")),
            Some(How::Garble) => {
                let id = request.id.unwrap_or_default();
                return Heard::Say(vec![json!({ "jsonrpc": "2.0", "id": id }).to_string()]);
            }
            Some(How::Mute) => return Heard::Say(Vec::new()),
            Some(How::Drop) => return Heard::Leave,
        };
        self.desk.meter.answered(began.elapsed(), outcome.is_err());
        let (result, news) = match outcome {
            Ok(Outcome { result, news }) => (Ok(result), news),
            Err(refusal) => (Err(refusal), Vec::new()),
        };
        let answer = request.id.map(|id| rpc::answer(&id, result));
        let news = news
            .iter()
            .map(|(method, params)| rpc::notification(method, params));
        Heard::Say(answer.into_iter().chain(news).collect())
    }

    /// The session of this connection.
    pub(super) fn session(&mut self) -> u64 {
        *self.session.get_or_insert_with(|| self.desk.create())
    }

    /// From now on the calls are about this session.
    pub(super) fn attach(&mut self, session: u64) {
        self.session = Some(session);
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        self.desk.meter.closed();
    }
}
