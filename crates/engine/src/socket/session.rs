//! One open WebSocket: what is waited for on it, and what a message that arrives means for that.

use std::collections::VecDeque;

use serde_json::Value;

use crate::extractor::{Answer, Extractor, Found};
use crate::parts::Parts;
use crate::plan::{Act, Session as Plan};
use crate::response::Exchange;
use crate::scenario::ReplyKind;
use crate::tick::Tick;

/// An open WebSocket.
#[derive(Debug)]
pub(crate) struct Session {
    /// The user's place in its batch.
    pub(crate) user: usize,
    /// When the handshake was sent.
    pub(crate) sent: Tick,
    /// When the next ping is due.
    pub(crate) next_ping: Tick,
    /// Whether anything has gone wrong.
    pub(crate) is_faulty: bool,
    awaited: VecDeque<Awaited>,
    receiving: Option<Receiving>,
    inbox: VecDeque<Vec<u8>>,
    pings: VecDeque<Tick>,
    closing: Option<Tick>, // until when the other side may take
    calls: u64,
}

/// An answer that is waited for.
#[derive(Debug)]
pub(crate) struct Awaited {
    /// The message, by its place.
    pub(crate) message: u16,
    /// When it was sent.
    pub(crate) sent: Tick,
    /// Whether the flow waits for it.
    pub(crate) waits: bool,
    deadline: Tick,
    key: Key,
}

/// By what an answer is known.
#[derive(Debug)]
pub(crate) enum Key {
    /// It has this id.
    Id(String),
    /// It is the same.
    Same(Vec<u8>),
    /// It is the next that answers no other.
    Next,
}

/// A message that is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receiving {
    /// The message, by its place.
    pub(crate) message: u16,
    /// Since when.
    pub(crate) since: Tick,
    deadline: Tick,
}

/// What a message that arrived means.
#[derive(Debug)]
pub(crate) enum Meaning {
    /// It answers one that was sent.
    Answers(Awaited),
    /// It is the one that was waited for.
    Received(Receiving),
    /// Nobody waits for it.
    Unsolicited,
}

/// What has taken too long.
#[derive(Debug)]
pub(crate) enum Late {
    /// An answer.
    Answer(Awaited),
    /// A message that was waited for.
    Message(Receiving),
    /// The other side's close frame.
    Close,
}

impl Session {
    pub(crate) fn new(user: usize, sent: Tick, next_ping: Tick) -> Self {
        Self {
            user,
            sent,
            next_ping,
            is_faulty: false,
            awaited: VecDeque::new(),
            receiving: None,
            inbox: VecDeque::new(),
            pings: VecDeque::new(),
            closing: None,
            calls: 0,
        }
    }

    /// The number of the next call.
    pub(crate) const fn next_call(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    /// Waits for an answer. Answers the oldest one that is waited for no longer, when there are too many.
    pub(crate) fn await_answer(
        &mut self,
        (message, waits): (u16, bool),
        key: Key,
        sent: Tick,
        deadline: Tick,
    ) -> Option<Awaited> {
        let oldest = if self.awaited.len() >= AWAITED_MAX {
            self.awaited.pop_front()
        } else {
            None
        };
        self.awaited.push_back(Awaited {
            message,
            sent,
            waits,
            deadline,
            key,
        });
        oldest
    }

    /// Waits for a message. Answers one that has come already, if it is the right one.
    pub(crate) fn receive(
        &mut self,
        plan: &Plan,
        message: u16,
        since: Tick,
        deadline: Tick,
    ) -> Option<(Receiving, Vec<u8>)> {
        let receiving = Receiving {
            message,
            since,
            deadline,
        };
        let found = self.inbox.iter().position(|bytes| {
            let json = json_of(bytes);
            is_wanted(plan, message, bytes, json.as_ref())
        });
        match found.and_then(|at| self.inbox.remove(at)) {
            Some(bytes) => Some((receiving, bytes)),
            None => {
                self.receiving = Some(receiving);
                None
            }
        }
    }

    /// What a message means that arrives; it is kept for later when nobody waits for it.
    pub(crate) fn hear(&mut self, plan: &Plan, bytes: &[u8], json: Option<&Value>) -> Meaning {
        let id = json.and_then(|json| id_of(plan, bytes, json));
        let answers = |awaited: &Awaited| match &awaited.key {
            Key::Id(wanted) => id.as_ref() == Some(wanted),
            Key::Same(wanted) => wanted == bytes,
            Key::Next => true,
        };
        // One that is known for sure goes before the next best.
        let sure = |awaited: &Awaited| !matches!(awaited.key, Key::Next) && answers(awaited);
        let found = self.awaited.iter().position(sure);
        let found = found.or_else(|| self.awaited.iter().position(answers));
        if let Some(awaited) = found.and_then(|at| self.awaited.remove(at)) {
            return Meaning::Answers(awaited);
        }
        if let Some(receiving) = self.receiving
            && is_wanted(plan, receiving.message, bytes, json)
        {
            self.receiving = None;
            return Meaning::Received(receiving);
        }
        if bytes.len() <= INBOX_MESSAGE_BYTES_MAX {
            self.inbox.push_back(bytes.to_vec());
        }
        if self.inbox.len() > INBOX_MAX {
            self.inbox.pop_front();
        }
        Meaning::Unsolicited
    }

    /// A ping was sent.
    pub(crate) fn ping(&mut self, at: Tick) {
        self.pings.push_back(at);
        if self.pings.len() > PINGS_MAX {
            self.pings.pop_front();
        }
    }

    /// When the ping was sent that a pong answers.
    pub(crate) fn pong(&mut self) -> Option<Tick> {
        self.pings.pop_front()
    }

    /// The session is being closed; the other side has until `deadline`.
    pub(crate) const fn close(&mut self, deadline: Tick) {
        self.closing = Some(deadline);
    }

    /// Whether it is being closed.
    pub(crate) const fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Everything that is waited for, which it is no longer.
    pub(crate) fn give_up(&mut self) -> (Vec<Awaited>, Option<Receiving>) {
        (
            std::mem::take(&mut self.awaited).into(),
            self.receiving.take(),
        )
    }

    /// When something has to be done next.
    pub(crate) fn next_deadline(&self) -> Tick {
        let answers = self.awaited.iter().map(|awaited| awaited.deadline);
        let message = self.receiving.iter().map(|receiving| receiving.deadline);
        let ping = (!self.is_closing()).then_some(self.next_ping);
        let rest = self.closing.into_iter().chain(ping);
        answers
            .chain(message)
            .chain(rest)
            .min()
            .unwrap_or(Tick::NEVER)
    }

    /// What has taken too long at `now`, one after the other.
    pub(crate) fn next_late(&mut self, now: Tick) -> Option<Late> {
        let late = |awaited: &Awaited| awaited.deadline <= now;
        if let Some(at) = self.awaited.iter().position(late) {
            return self.awaited.remove(at).map(Late::Answer);
        }
        if let Some(receiving) = self
            .receiving
            .take_if(|receiving| receiving.deadline <= now)
        {
            return Some(Late::Message(receiving));
        }
        self.closing
            .take_if(|deadline| *deadline <= now)
            .map(|_| Late::Close)
    }
}

/// By what the answer to a message is known, `None` if there is none, or if the message has no id.
pub(crate) fn key_of(plan: &Plan, reply: ReplyKind, bytes: &[u8]) -> Option<Key> {
    match reply {
        ReplyKind::None => None,
        ReplyKind::Id => {
            let json = json_of(bytes)?;
            id_of(plan, bytes, &json).map(Key::Id)
        }
        ReplyKind::Echo => Some(Key::Same(bytes.to_vec())),
        ReplyKind::Next => Some(Key::Next),
    }
}

/// A message as JSON, if it is.
pub(crate) fn json_of(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

/// A message as what places are looked for in.
pub(crate) fn exchange(bytes: &[u8]) -> Exchange<'_> {
    Exchange {
        status: 101,
        headers: &[],
        body: bytes,
        bytes_received: bytes.len() as u64,
        truncated: false,
        parts: Parts::default(),
    }
}

/// The text that a place finds in a message.
pub(crate) fn text_at(place: &Extractor, bytes: &[u8], json: Option<&Value>) -> Option<String> {
    let exchange = exchange(bytes);
    let answer = Answer {
        exchange: &exchange,
        json,
    };
    place.find(answer).and_then(Found::into_value)
}

fn id_of(plan: &Plan, bytes: &[u8], json: &Value) -> Option<String> {
    text_at(&plan.id, bytes, Some(json))
}

fn is_wanted(plan: &Plan, message: u16, bytes: &[u8], json: Option<&Value>) -> bool {
    let Some(Act::Receive(conditions)) = plan.messages.get(usize::from(message)).map(|m| &m.act)
    else {
        return false;
    };
    let exchange = exchange(bytes);
    let answer = Answer {
        exchange: &exchange,
        json,
    };
    conditions.iter().all(|(place, value)| {
        let found = place.find(answer);
        found.is_some_and(|found| crate::check::equals(&found, value))
    })
}

/// How many answers a session may wait for at once.
const AWAITED_MAX: usize = 256;

/// How many messages that nobody waits for are kept, in case that somebody will.
const INBOX_MAX: usize = 16;

const INBOX_MESSAGE_BYTES_MAX: usize = 16 * 1024;

const PINGS_MAX: usize = 16;
