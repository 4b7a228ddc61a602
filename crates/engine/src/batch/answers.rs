//! What becomes of requests that were sent.
//!
//! Invariant: each request ends exactly once: answered, failed or cut off.

use crate::batch::machine::Batch;
use crate::batch::recorder::Timing;
use crate::batch::types::{Output, RequestId};
use crate::error_class::ErrorClass;
use crate::random::Random;
use crate::response::{Exchange, Outcome, judge};
use crate::scenario::Cookies;
use crate::server_timing;
use crate::tick::Tick;

impl Batch {
    pub(super) fn answered(&mut self, now: Tick, id: RequestId, exchange: &Exchange<'_>) {
        let Some(request) = self.requests.end(id) else {
            return;
        };
        let Some((_, step)) = self.plan.step(request.step) else {
            return;
        };
        let Some(user) = self.users.get_mut(request.user) else {
            return;
        };
        if self.plan.cookies != Cookies::Off {
            let unix_ms = self.epoch_ms.saturating_add(now.as_ms());
            for (_, field) in exchange
                .headers
                .iter()
                .filter(|(name, _)| name == "set-cookie")
            {
                user.cookies.store(&step.site, field, unix_ms);
            }
        }
        let window = self.recorder.window();
        let vu = user.vu;
        let outcome = Outcome {
            variables: &mut user.variables,
            random: || Random::for_answer(self.plan.seed, vu, request.step, request.planned),
            on_check: |id, passed| window.count_check(id, passed),
        };
        let verdict = judge(step, exchange, outcome);
        let timing = Timing {
            planned: request.planned,
            sent: request.sent,
            done: now,
        };
        self.recorder.latency(request.step, timing);
        self.recorder.step(request.step).bytes_received += exchange.bytes_received;
        match verdict {
            Ok(()) => self.recorder.step(request.step).succeeded += 1,
            Err(class) => self.recorder.error(request.step, class),
        }
        let window = self.recorder.window();
        window.ledger.answered += 1;
        let named = |(name, _): &&(String, String)| name == "server-timing";
        for (_, value) in exchange.headers.iter().filter(named) {
            server_timing::record(value, window);
        }
        if request.awaited {
            self.resume_flow(now, request.user);
        }
    }

    pub(super) fn failed(&mut self, now: Tick, id: RequestId, class: ErrorClass) {
        let Some(request) = self.requests.end(id) else {
            return;
        };
        if class == ErrorClass::Timeout {
            // A lower bound of the true latency: leaving it out would hide the slowest answers of all.
            let timing = Timing {
                planned: request.planned,
                sent: request.sent,
                done: now,
            };
            self.recorder.latency(request.step, timing);
        }
        self.recorder.error(request.step, class);
        let window = self.recorder.window();
        window.ledger.failed += 1;
        for check in self
            .plan
            .step(request.step)
            .iter()
            .flat_map(|(_, step)| &step.checks)
        {
            window.count_check(check.id, false); // as in k6: there is nothing that could pass
        }
        if request.awaited {
            self.resume_flow(now, request.user);
        }
    }

    /// Gives a request up that is under way.
    pub(super) fn cut_off(&mut self, id: RequestId) {
        let Some(request) = self.requests.end(id) else {
            return;
        };
        self.outputs.push_back(Output::Abort(id));
        self.recorder.error(request.step, ErrorClass::CutOff);
        self.recorder.window().ledger.cut_off += 1;
    }

    /// One awaited request of the user has ended.
    fn resume_flow(&mut self, now: Tick, place: usize) {
        let Some(iteration) = self
            .users
            .get_mut(place)
            .and_then(|user| user.iteration.as_mut())
        else {
            return;
        };
        iteration.awaited = iteration.awaited.saturating_sub(1);
        if iteration.awaited == 0 && iteration.thinks_until.is_none() {
            self.advance(now, place);
        }
    }
}
