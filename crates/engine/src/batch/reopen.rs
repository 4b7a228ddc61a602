//! Sessions that the end of a slice has closed, and that the next slice opens again.
//!
//! Invariant: a session is opened again at the same place in its iteration, with the messages with which it begins,
//! which may be what makes the target know its user; whatever comes behind them is played once.

use crate::batch::machine::Batch;
use crate::batch::requests::Pending;
use crate::batch::user::Iteration;
use crate::plan::Op;
use crate::tick::Tick;
use crate::vu::Resumption;
use crate::window::StepId;

impl Batch {
    /// Lets a user open its session again as soon as the next slice begins.
    pub(super) fn reopen_session(&mut self, now: Tick, place: usize, step: StepId) {
        let Some(iteration) = self
            .users
            .get_mut(place)
            .and_then(|user| user.iteration.as_mut())
        else {
            return;
        };
        let application = usize::from(iteration.application);
        if let Some(application) = self.plan.applications.get(application) {
            iteration.begin_session_again(&application.program);
        }
        iteration.count(false);
        self.requests.wait(Pending {
            user: place,
            step,
            planned: now,
            queued: now,
            background: false,
        });
    }
}

impl Iteration {
    /// Goes back to the beginning of the session, and remembers where the flow is.
    fn begin_session_again(&mut self, program: &[Op]) {
        let Some(held) = self.extras().socket.as_mut() else {
            return;
        };
        held.id = None;
        let behind = held.behind;
        let opens = |op: &Op| matches!(op, Op::Open { end, .. } if *end == behind.next_op);
        let Some(first) = program.iter().position(opens).map(|at| at + 1) else {
            return;
        };
        let messages = program.iter().skip(first);
        let messages = messages.take_while(|op| matches!(op, Op::Message(_)));
        let from = place(first + messages.count());
        // Whoever was closed before it had gone on is still to go on from there.
        if self.next_op >= from && self.extras().resumption.is_none() {
            let resumption = Resumption {
                from,
                next_op: self.next_op,
                loops: self.loops.clone(),
                thinks_until: self.thinks_until,
            };
            self.extras().resumption = Some(resumption);
        }
        self.next_op = place(first);
        self.loops.truncate(usize::from(behind.loops));
        self.thinks_until = None;
    }

    /// Goes on where the flow was when its session was closed, if the messages at its beginning are over. Answers
    /// whether the user thinks.
    pub(super) fn resume_session(&mut self, now: Tick) -> bool {
        let next_op = self.next_op;
        let extras = self.extras.as_mut();
        let resumption = extras.and_then(|extras| extras.resumption.take_if(|r| r.from == next_op));
        if let Some(resumption) = resumption {
            self.next_op = resumption.next_op;
            self.loops = resumption.loops;
            self.thinks_until = resumption.thinks_until.map(|until| until.max(now));
        }
        self.thinks_until.is_some()
    }
}

/// Programs are far shorter.
fn place(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}
