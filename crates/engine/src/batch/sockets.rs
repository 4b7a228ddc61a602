//! The WebSockets of a batch: how the sessions of its users begin and end.
//!
//! Invariant: a session that is open belongs to an iteration, and ends at the latest with it.

use crate::batch::machine::{Batch, State};
use crate::batch::requests::InFlight;
use crate::batch::socket_records::{self as records, Of};
use crate::batch::types::{Head, Output, RequestId, SocketInput, SocketOutput};
use crate::error_class::ErrorClass;
use crate::parts::Parts;
use crate::plan::{Plan, RunPart, Session as SessionPlan};
use crate::response::Exchange;
use crate::socket::{Late, Session, SessionEnd};
use crate::sorted::{SortedMap, SortedSet};
use crate::tick::{Span, Tick};
use crate::window::StepId;

/// The sessions that are open.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) open: SortedMap<RequestId, Box<Open>>,
    deadlines: SortedSet<(Tick, RequestId)>,
    /// Whose session is no longer as its steps expect, of a setup.
    faulty_setup: Option<usize>,
}

/// A session, and whom it belongs to.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) session: Session,
    pub(super) of: Of,
    deadline: Tick,
}

/// What a flow does on its WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketOp {
    /// Sends a message, or waits for one, by its place in the session.
    Message(u16),
    /// Closes it.
    Close,
}

/// How a session ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub(super) end: SessionEnd,
    /// What went wrong.
    pub(super) class: Option<ErrorClass>,
    /// The code of the close frame.
    pub(super) code: u16,
}

impl Sockets {
    /// When the next session has something to do.
    pub(super) fn next_deadline(&self) -> Option<Tick> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    fn insert(&mut self, id: RequestId, session: Session, of: Of) {
        let deadline = Tick::NEVER;
        let open = Open {
            session,
            of,
            deadline,
        };
        self.open.insert(id, Box::new(open));
        self.schedule(id);
    }

    /// To be called after a change to a session.
    pub(super) fn schedule(&mut self, id: RequestId) {
        if let Some(open) = self.open.get_mut(&id) {
            let next = open.session.next_deadline();
            let before = std::mem::replace(&mut open.deadline, next);
            self.deadlines.remove(&(before, id));
            if next < Tick::NEVER {
                self.deadlines.insert((next, id));
            }
        }
    }

    fn take(&mut self, id: RequestId) -> Option<Open> {
        let open = self.open.remove(&id)?;
        self.deadlines.remove(&(open.deadline, id));
        Some(*open)
    }
}

impl Batch {
    /// Something happened to a WebSocket.
    pub(super) fn socket_input(&mut self, now: Tick, id: RequestId, input: SocketInput<'_>) {
        match input {
            SocketInput::Opened(head) => self.socket_opened(now, id, head),
            SocketInput::Message(bytes) => self.message_came(now, id, bytes),
            SocketInput::Pong => self.pong_came(now, id),
            SocketInput::Closed(code) => self.socket_closed(now, id, code),
            SocketInput::Failed(class) if self.sockets.open.contains_key(&id) => {
                self.end_session(now, id, Ending::broken(class));
            }
            SocketInput::Failed(class) => self.failed(now, id, class),
        }
    }

    fn socket_opened(&mut self, now: Tick, id: RequestId, head: Head<'_>) {
        let Some(&InFlight {
            user, step, sent, ..
        }) = self.requests.get(id)
        else {
            return;
        };
        let Some(plan) = session_plan(&self.plan, step) else {
            return;
        };
        let of = (self.scenario_of(user), step);
        let next_ping = plan.ping.map_or(Tick::NEVER, |interval| now + interval);
        records::opened(&mut self.recorder, &self.plan, now, of, sent);
        let session = Session::new(user, sent, next_ping);
        self.sockets.insert(id, session, of);
        let iteration = self.users.get_mut(user).and_then(|u| u.iteration.as_mut());
        if let Some(held) = iteration.and_then(|iteration| iteration.extras().socket.as_mut()) {
            held.id = Some(id);
        }
        if self.state != State::Playing {
            self.end_session_for_slice(now, id);
        }
        let exchange = Exchange {
            status: head.status,
            headers: head.headers,
            body: b"",
            bytes_received: 0,
            truncated: false,
            parts: Parts::default(),
        };
        self.conclude(now, id, &exchange, Ok(Vec::new()));
    }

    /// Does what a flow does on its WebSocket. Answers whether the flow goes on at once.
    pub(super) fn play_on_socket(&mut self, place: usize, op: SocketOp) -> bool {
        let user = self.users.get_mut(place);
        let iteration = user.and_then(|user| user.iteration.as_mut());
        let held = iteration.and_then(|iteration| iteration.extras.as_ref()?.socket);
        let Some(id) = held.and_then(|held| held.id) else {
            return true;
        };
        let goes_on = match op {
            // It is about to be ended.
            _ if self.sockets.faulty_setup.is_some() => false,
            SocketOp::Message(at) => self.play_message(place, id, at),
            SocketOp::Close => self.close_session(id),
        };
        self.sockets.schedule(id);
        let user = self.users.get_mut(place);
        if let Some(iteration) = user.and_then(|user| user.iteration.as_mut())
            && !goes_on
        {
            iteration.count(false);
        }
        goes_on
    }

    /// Begins to close a session behind its last step.
    fn close_session(&mut self, id: RequestId) -> bool {
        let deadline = self.now() + CLOSE_TIMEOUT;
        let Some(Open { session, of, .. }) = self.sockets.open.get_mut(&id).map(Box::as_mut) else {
            return true;
        };
        let Some(plan) = session_plan(&self.plan, of.1) else {
            return true;
        };
        session.close(deadline);
        let close = SocketOutput::Close {
            code: plan.close_code,
            reason: plan.close_reason.clone(),
        };
        self.outputs.push_back(Output::Socket(id, close));
        false
    }

    fn pong_came(&mut self, now: Tick, id: RequestId) {
        if let Some(Open { session, of, .. }) = self.sockets.open.get_mut(&id).map(Box::as_mut)
            && let Some(sent) = session.pong()
        {
            let took = now.saturating_since(sent);
            records::pong(&mut self.recorder, &self.plan, now, *of, took);
        }
    }

    /// The other side has closed, or has answered that this one does.
    fn socket_closed(&mut self, now: Tick, id: RequestId, code: u16) {
        let Some(Open { session, .. }) = self.sockets.open.get(&id).map(Box::as_ref) else {
            return self.failed(now, id, ErrorClass::Protocol);
        };
        let (end, class) = match code {
            _ if session.is_closing() => (SessionEnd::Client, None),
            CLOSE_NORMAL | CLOSE_GOING_AWAY | CLOSE_NO_CODE => (SessionEnd::Server, None),
            CLOSE_ABNORMAL => (SessionEnd::Error, Some(ErrorClass::Reset)),
            _ => (SessionEnd::Error, Some(ErrorClass::Closed)),
        };
        self.end_session(now, id, Ending { end, class, code });
    }

    /// Ends all sessions, because the slice is over.
    pub(super) fn end_sessions_of_slice(&mut self, now: Tick) {
        let ids: Vec<RequestId> = self.sockets.open.keys().copied().collect();
        for id in ids {
            self.end_session_for_slice(now, id);
        }
    }

    fn end_session_for_slice(&mut self, now: Tick, id: RequestId) {
        let close = SocketOutput::Close {
            code: CLOSE_NORMAL,
            reason: String::new(),
        };
        self.outputs.push_back(Output::Socket(id, close));
        let ending = Ending {
            end: SessionEnd::Slice,
            class: None,
            code: CLOSE_NORMAL,
        };
        self.end_session(now, id, ending);
    }

    /// Ends a session whose user does nothing any more.
    pub(super) fn cut_off_session(&mut self, now: Tick, id: RequestId) {
        self.outputs.push_back(Output::Abort(id));
        let ending = Ending {
            end: SessionEnd::CutOff,
            class: None,
            code: CLOSE_ABNORMAL,
        };
        self.end_session(now, id, ending);
    }

    /// A session is over: what was waited for is cut off, and the flow goes on behind it.
    fn end_session(&mut self, now: Tick, id: RequestId, ending: Ending) {
        if let Some(class) = ending.class {
            self.note_error(now, id, class);
        }
        let Some(Open {
            mut session, of, ..
        }) = self.sockets.take(id)
        else {
            return;
        };
        let (awaited, receiving) = session.give_up();
        let messages = awaited.iter().map(|awaited| awaited.message);
        for message in messages.chain(receiving.map(|receiving| receiving.message)) {
            records::cut_off(&mut self.recorder, &self.plan, now, of, message);
        }
        let waits = awaited.iter().filter(|awaited| awaited.waits).count();
        let waits = waits + usize::from(receiving.is_some()) + usize::from(session.is_closing());
        let took = now.saturating_since(session.sent);
        let ended = (ending, took, session.is_faulty);
        records::ended(&mut self.recorder, &self.plan, now, of, ended);
        let user = self.users.get_mut(session.user);
        let Some(iteration) = user.and_then(|user| user.iteration.as_mut()) else {
            return;
        };
        let waits = u32::try_from(waits).unwrap_or(u32::MAX);
        iteration.awaited = iteration.awaited.saturating_sub(waits);
        if ending.end == SessionEnd::Slice && !session.is_closing() {
            self.reopen_session(now, session.user, of.1);
            return;
        }
        iteration.leave_session();
        if iteration.awaited == 0 {
            self.advance(now, session.user);
        }
    }

    /// A handshake did not end as its step expects: the flow goes on behind the session.
    pub(super) fn session_refused(&mut self, now: Tick, request: &InFlight) {
        let user = self.users.get_mut(request.user);
        let Some(iteration) = user.and_then(|user| user.iteration.as_mut()) else {
            return;
        };
        let held = iteration.extras().socket;
        match held.and_then(|held| held.id) {
            // It was opened, and a check on the answer says that it is not the right one.
            Some(id) => {
                self.outputs.push_back(Output::Abort(id));
                self.end_session(now, id, Ending::broken(ErrorClass::Check));
            }
            None => {
                iteration.leave_session();
                let of = (self.scenario_of(request.user), request.step);
                records::refused(&mut self.recorder, &self.plan, now, of);
            }
        }
    }

    /// Ends what has taken too long, and sends the pings that are due.
    pub(super) fn expire_sockets(&mut self, now: Tick) {
        while let Some(&(at, id)) = self.sockets.deadlines.first()
            && at <= now
        {
            let Some(Open { session, of, .. }) = self.sockets.open.get_mut(&id).map(Box::as_mut)
            else {
                self.sockets.deadlines.remove(&(at, id));
                continue;
            };
            let interval = session_plan(&self.plan, of.1).and_then(|plan| plan.ping);
            let late = session.next_late(now);
            if late.is_none()
                && let Some(interval) = interval
            {
                session.ping(now);
                // One that is late does not make the others late.
                session.next_ping = (session.next_ping + interval).max(now);
                self.outputs
                    .push_back(Output::Socket(id, SocketOutput::Ping));
            }
            let user = session.user;
            self.sockets.schedule(id);
            match late {
                None => {}
                Some(Late::Answer(awaited)) => {
                    self.message_late(now, id, awaited.message, awaited.waits);
                }
                Some(Late::Message(receiving)) => {
                    self.message_late(now, id, receiving.message, true);
                }
                Some(Late::Close) => {
                    self.outputs.push_back(Output::Abort(id));
                    self.end_session(now, id, Ending::broken(ErrorClass::Timeout));
                    // The session does not know any more that its user waited for this.
                    self.resume_flow(now, user);
                }
            }
        }
    }

    /// Ends a setup in whose session something went wrong: it goes no further than to there.
    pub(super) fn end_faulty_setup(&mut self, now: Tick) {
        if let Some(user) = self.sockets.faulty_setup.take() {
            self.interrupt(now, user);
        }
    }

    /// Something went wrong in a session.
    pub(super) fn note_error(&mut self, now: Tick, id: RequestId, class: ErrorClass) {
        if let Some(Open { session, of, .. }) = self.sockets.open.get_mut(&id).map(Box::as_mut) {
            session.is_faulty = true;
            if self.part == RunPart::Setup {
                self.sockets.faulty_setup = Some(session.user);
            }
            records::error(&mut self.recorder, &self.plan, now, *of, class);
        }
    }
}

impl Ending {
    const fn broken(class: ErrorClass) -> Self {
        Self {
            end: SessionEnd::Error,
            class: Some(class),
            code: CLOSE_ABNORMAL,
        }
    }
}

/// What is played on the WebSocket that a step opens.
pub(super) fn session_plan(plan: &Plan, step: StepId) -> Option<&SessionPlan> {
    plan.step(step)?.1.socket.as_deref()
}

/// How long the other side may take to answer that a session is closed.
const CLOSE_TIMEOUT: Span = Span::from_secs(10);

/// Codes of RFC 6455, the last two of which stand for close frames without a code, and for none.
const CLOSE_NORMAL: u16 = 1_000;
const CLOSE_GOING_AWAY: u16 = 1_001;
const CLOSE_NO_CODE: u16 = 1_005;
const CLOSE_ABNORMAL: u16 = 1_006;
