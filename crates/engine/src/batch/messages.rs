//! The messages on the WebSockets of a batch.
//!
//! Invariant: every message that is sent for an answer, and every one that is waited for, ends exactly once:
//! answered, timed out or cut off.

use crate::batch::machine::Batch;
use crate::batch::message::{self, Place};
use crate::batch::socket_records as records;
use crate::batch::sockets::{Open, session_plan};
use crate::batch::types::{Output, RequestId, SocketOutput};
use crate::error_class::ErrorClass;
use crate::extractor::Answer;
use crate::plan::{Act, Content};
use crate::response::{examine, misses};
use crate::scenario::ReplyKind;
use crate::socket::{Meaning, exchange, json_of, key_of, text_at};
use crate::tick::{Span, Tick};

impl Batch {
    /// Sends a message, or begins to wait for one. Answers whether the flow goes on at once.
    pub(super) fn play_message(&mut self, place: usize, id: RequestId, at: u16) -> bool {
        let now = self.now();
        let Some(Open { session, of, .. }) = self.sockets.open.get_mut(&id).map(Box::as_mut) else {
            return true;
        };
        let of = *of;
        let Some(plan) = session_plan(&self.plan, of.1) else {
            return true;
        };
        let Some(message) = plan.messages.get(usize::from(at)) else {
            return true;
        };
        let deadline = now + message.timeout.unwrap_or(self.plan.request_timeout);
        if let Act::Send { reply, waits, .. } = &message.act {
            let answer = (*reply, *waits, deadline);
            return self.send_message(place, id, at, answer);
        }
        let came = session.receive(plan, at, now, deadline);
        records::begun(&mut self.recorder, &self.plan, now, of, at);
        let Some((receiving, bytes)) = came else {
            return false;
        };
        let took = now.saturating_since(receiving.since);
        self.look_at(now, id, (at, took), &bytes);
        true
    }

    /// Sends a message, whose answer is known by this, and may take until then. Answers whether the flow goes on
    /// at once.
    fn send_message(
        &mut self,
        place: usize,
        id: RequestId,
        at: u16,
        (reply, waits, deadline): (ReplyKind, bool, Tick),
    ) -> bool {
        let now = self.now();
        let Some(output) = self.write_message(now, place, id, at) else {
            return true;
        };
        let Some(Open { session, of, .. }) = self.sockets.open.get_mut(&id).map(Box::as_mut) else {
            return true;
        };
        let of = *of;
        let Some(plan) = session_plan(&self.plan, of.1) else {
            return true;
        };
        let bytes = output.bytes();
        let key = key_of(plan, reply, bytes);
        let sent = (at, bytes.len() as u64, key.is_none());
        records::sent(&mut self.recorder, &self.plan, now, of, sent);
        self.outputs.push_back(Output::Socket(id, output));
        let Some(key) = key else {
            if reply != ReplyKind::None {
                self.note_error(now, id, ErrorClass::Extraction); // it has no id
            }
            return true;
        };
        if let Some(oldest) = session.await_answer((at, waits), key, now, deadline) {
            self.message_late(now, id, oldest.message, oldest.waits);
        }
        !waits
    }

    /// What a message says.
    fn write_message(
        &mut self,
        now: Tick,
        place: usize,
        id: RequestId,
        at: u16,
    ) -> Option<SocketOutput> {
        let Open { session, of, .. } = self.sockets.open.get_mut(&id)?.as_mut();
        let (application, step) = self.plan.step(of.1)?;
        let message = step.socket.as_deref()?.messages.get(usize::from(at))?;
        let Act::Send { content, .. } = &message.act else {
            return None;
        };
        let user = self.users.get_mut(place)?;
        let iteration = user.iteration.as_mut()?;
        iteration.sent_any = true;
        let who = Place {
            vu: user.vu.0,
            iteration: user.iterations.saturating_sub(1),
            scenario: user.scenario,
            variant: iteration.variant,
            variables: &user.variables,
            rows: iteration.extras.as_ref().map_or(&[], |extras| &extras.rows),
        };
        let unix_ms = self.epoch_ms.saturating_add(now.as_ms());
        let context = message::context(&self.plan, application, who, unix_ms);
        Some(match content {
            Content::Text(text) => SocketOutput::Text(text.render(&context, &mut iteration.random)),
            Content::Binary(bytes) => SocketOutput::Binary(bytes.clone()),
            Content::Rpc(call) => {
                let call = call.render(&context, &mut iteration.random);
                let rest = call.strip_prefix('{').unwrap_or_default();
                let number = session.next_call();
                SocketOutput::Text(format!("{{\"jsonrpc\":\"2.0\",\"id\":{number},{rest}"))
            }
        })
    }

    /// A message has arrived.
    pub(super) fn message_came(&mut self, now: Tick, id: RequestId, bytes: &[u8]) {
        let Some(Open { session, of, .. }) = self.sockets.open.get_mut(&id).map(Box::as_mut) else {
            return;
        };
        let of = *of;
        let Some(plan) = session_plan(&self.plan, of.1) else {
            return;
        };
        let user = session.user;
        let json = json_of(bytes);
        let meaning = session.hear(plan, bytes, json.as_ref());
        self.sockets.schedule(id);
        let kind = match (&meaning, &plan.kind) {
            (Meaning::Unsolicited | Meaning::Received(_), Some(kind)) => {
                text_at(kind, bytes, json.as_ref())
            }
            _ => None,
        };
        let answers = matches!(meaning, Meaning::Answers(_));
        let unsolicited = (!answers).then_some(kind.as_deref());
        let recorder = &mut self.recorder;
        records::received(
            recorder,
            &self.plan,
            now,
            of,
            bytes.len() as u64,
            unsolicited,
        );
        let exchange = exchange(bytes);
        let answer = Answer {
            exchange: &exchange,
            json: json.as_ref(),
        };
        let mut on_check = |check, passed| recorder.checked(&self.plan, now, of, check, passed);
        if misses(&plan.checks, answer, &mut on_check) {
            self.note_error(now, id, ErrorClass::Check);
        }
        let waits = match meaning {
            Meaning::Answers(awaited) => {
                let took = now.saturating_since(awaited.sent);
                self.look_at(now, id, (awaited.message, took), bytes);
                awaited.waits
            }
            Meaning::Received(receiving) => {
                let took = now.saturating_since(receiving.since);
                self.look_at(now, id, (receiving.message, took), bytes);
                true
            }
            Meaning::Unsolicited => false,
        };
        if waits {
            self.resume_flow(now, user);
        }
    }

    /// Takes note of a message that came as it was waited for, holds checks against it and takes values from it.
    fn look_at(&mut self, now: Tick, id: RequestId, (at, took): (u16, Span), bytes: &[u8]) {
        let Some(Open { session, of, .. }) = self.sockets.open.get(&id).map(Box::as_ref) else {
            return;
        };
        let of = *of;
        let Some(plan) = session_plan(&self.plan, of.1) else {
            return;
        };
        let (Some(message), Some(user)) = (
            plan.messages.get(usize::from(at)),
            self.users.get_mut(session.user),
        ) else {
            return;
        };
        let recorder = &mut self.recorder;
        match &message.act {
            Act::Send { .. } => records::answered(recorder, &self.plan, now, of, (at, took)),
            Act::Receive(_) => records::came(recorder, &self.plan, now, of, (at, took)),
        }
        let json = json_of(bytes);
        let on_check = |check, passed| recorder.checked(&self.plan, now, of, check, passed);
        let looks = (message.checks.as_slice(), message.extractions.as_slice());
        let exchange = exchange(bytes);
        let looked = examine(
            looks,
            &exchange,
            json.as_ref(),
            &mut user.variables,
            on_check,
        );
        let is_call = matches!(
            message.act,
            Act::Send {
                content: Content::Rpc(_),
                ..
            }
        );
        let refused = json.as_ref().and_then(|json| json.get("error"));
        if is_call && refused.is_some_and(|error| !error.is_null()) {
            self.note_error(now, id, ErrorClass::RpcError);
        } else if let Err(class) = looked {
            self.note_error(now, id, class);
        }
    }

    /// A message has not come in time.
    pub(super) fn message_late(&mut self, now: Tick, id: RequestId, message: u16, waits: bool) {
        let Some(Open { session, of, .. }) = self.sockets.open.get(&id).map(Box::as_ref) else {
            return;
        };
        let user = session.user;
        records::timed_out(&mut self.recorder, &self.plan, now, *of, message);
        self.note_error(now, id, ErrorClass::Timeout);
        if waits {
            self.resume_flow(now, user);
        }
    }
}
