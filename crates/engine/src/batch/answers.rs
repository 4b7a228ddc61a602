//! What becomes of requests that were sent.
//!
//! Invariant: each request ends exactly once: answered, failed or cut off.

use crate::batch::machine::Batch;
use crate::batch::objects;
use crate::batch::recorder::{Ended, Timing};
use crate::batch::redirects::Trail;
use crate::batch::requests::InFlight;
use crate::batch::types::{Output, RequestId};
use crate::cloudflare;
use crate::error_class::ErrorClass;
use crate::parts::Parts;
use crate::plan::RunPart;
use crate::random::Random;
use crate::response::{Exchange, Outcome, judge};
use crate::scenario::Cookies;
use crate::server_timing;
use crate::stream::StreamEnd;
use crate::template::VariableId;
use crate::tick::Tick;
use crate::window::Window;

impl Batch {
    /// Takes in that the header of an answer has arrived, if nobody waits for its slot: then nothing follows from it, and
    /// all that has become due meanwhile can wait for the next event, which comes soon. Answers whether it did; otherwise
    /// a driver tells [`Input::Headers`](crate::batch::Input::Headers). This spares a driver the reading of its clock.
    pub fn free_slot(&mut self, id: RequestId) -> bool {
        let is_unwanted = !self.requests.any_waiting();
        if is_unwanted {
            self.requests.headers(id);
        }
        is_unwanted
    }

    pub(super) fn answered(&mut self, now: Tick, id: RequestId, exchange: &Exchange<'_>) {
        if self.poll_ended(now, id, Ok(exchange)) {
            return;
        }
        if self.streams.holds(id) {
            self.end_stream(now, id, StreamEnd::Server);
        } else if !self.redirected(now, id, exchange) {
            self.conclude(now, id, exchange, Ok(Vec::new()));
        }
    }

    /// Writes down what a complete answer says. `streamed` is what its stream said, if it was one: values to take,
    /// or what went wrong.
    pub(super) fn conclude(
        &mut self,
        now: Tick,
        id: RequestId,
        exchange: &Exchange<'_>,
        streamed: Result<Vec<(VariableId, String)>, ErrorClass>,
    ) {
        self.keep_cookies(now, id, exchange);
        let Some(request) = self.requests.end(id) else {
            return;
        };
        let Some((_, step)) = self.plan.step(request.step) else {
            return;
        };
        let Some(user) = self.users.get_mut(request.user) else {
            return;
        };
        let (plan, recorder) = (&self.plan, &mut self.recorder);
        let (of, vu) = ((user.scenario, request.step), user.vu);
        let outcome = Outcome {
            variables: &mut user.variables,
            random: || Random::for_answer(plan.seed, vu, request.step, request.planned),
            on_check: |id, passed| recorder.checked(plan, now, of, id, passed),
        };
        let verdict = judge(step, exchange, outcome);
        let verdict = verdict.and_then(|()| {
            for (variable, value) in streamed? {
                if let Some(variable) = user.variables.get_mut(usize::from(variable.0)) {
                    *variable = Some(value);
                }
            }
            Ok(())
        });
        self.write_down(now, &request, exchange, verdict.err());
        self.after(now, &request, verdict.is_ok());
    }

    /// Keeps the cookies that an answer sets, for its user.
    pub(super) fn keep_cookies(&mut self, now: Tick, id: RequestId, exchange: &Exchange<'_>) {
        if self.plan.cookies == Cookies::Off {
            return;
        }
        let Some(request) = self.requests.get(id) else {
            return;
        };
        let step = self.plan.step(request.step).map(|(_, step)| &step.site);
        let site = self.requests.trail(id).and_then(Trail::site).or(step);
        let (Some(site), Some(user)) = (site, self.users.get_mut(request.user)) else {
            return;
        };
        let unix_ms = self.epoch_ms.saturating_add(now.as_ms());
        let fields = exchange.headers.iter();
        for (_, field) in fields.filter(|(name, _)| name == "set-cookie") {
            user.cookies.store(site, field, unix_ms);
        }
    }

    /// Writes down an answer that is complete, and what is wrong with it.
    pub(super) fn write_down(
        &mut self,
        now: Tick,
        request: &InFlight,
        exchange: &Exchange<'_>,
        class: Option<ErrorClass>,
    ) {
        let Some((_, step)) = self.plan.step(request.step) else {
            return;
        };
        let Some(user) = self.users.get(request.user) else {
            return;
        };
        let timing = Timing {
            planned: request.planned,
            sent: request.sent,
            done: now,
        };
        let ended = Ended {
            scenario: user.scenario,
            step: request.step,
            status: Some(exchange.status),
            class,
            timing: Some(timing),
            parts: exchange.parts,
            bytes_received: exchange.bytes_received,
            variables: &user.variables,
        };
        self.colo = self.colo.or_else(|| cloudflare::colo(exchange));
        self.recorder.request_ended(&self.plan, now, &ended);
        let window = self.recorder.window();
        window.ledger.answered += 1;
        let named = |(name, _): &&(String, String)| name == "server-timing";
        let tell = |window: &mut Window| {
            for (_, value) in exchange.headers.iter().filter(named) {
                server_timing::record(value, window);
            }
        };
        match step.object() {
            Some(object) => {
                let took = now.saturating_since(request.sent);
                objects::answered(window, object.class, exchange, took, tell);
            }
            None => tell(window),
        }
    }

    pub(super) fn failed(&mut self, now: Tick, id: RequestId, class: ErrorClass) {
        self.close_stream(now, id, StreamEnd::Error);
        let Some(request) = self.requests.end(id) else {
            return;
        };
        // A lower bound of the true latency: leaving it out would hide the slowest answers of all.
        let timing = (class == ErrorClass::Timeout).then_some(Timing {
            planned: request.planned,
            sent: request.sent,
            done: now,
        });
        let ended = Ended {
            scenario: self.scenario_of(request.user),
            step: request.step,
            status: None,
            class: Some(class),
            timing,
            parts: Parts::default(),
            bytes_received: 0,
            variables: &[],
        };
        self.recorder.request_ended(&self.plan, now, &ended);
        self.recorder.window().ledger.failed += 1;
        self.fail_checks(now, &request);
        if let Some((_, step)) = self.plan.step(request.step)
            && let Some(object) = step.object()
        {
            objects::failed(self.recorder.window(), object.class);
        }
        self.after(now, &request, false);
    }

    /// Counts the checks of a request without an answer to hold them against. As in k6, none of them passes.
    pub(super) fn fail_checks(&mut self, now: Tick, request: &InFlight) {
        let of = (self.scenario_of(request.user), request.step);
        if let Some((_, step)) = self.plan.step(request.step) {
            for check in &step.checks {
                self.recorder.checked(&self.plan, now, of, check.id, false);
            }
        }
    }

    /// What comes after a request. A setup goes no further than to the first one that does not end as its step
    /// expects.
    pub(super) fn after(&mut self, now: Tick, request: &InFlight, ended_well: bool) {
        let opens = self.plan.step(request.step);
        if !ended_well && opens.is_some_and(|(_, step)| step.socket.is_some()) {
            self.session_refused(now, request);
        }
        if self.part == RunPart::Setup && !ended_well {
            self.interrupt(now, request.user);
        } else if request.awaited {
            self.resume_flow(now, request.user);
        }
    }

    /// Gives a request up that is under way.
    pub(super) fn cut_off(&mut self, id: RequestId) {
        self.close_stream(self.now(), id, StreamEnd::CutOff);
        let Some(request) = self.requests.end(id) else {
            return;
        };
        self.outputs.push_back(Output::Abort(id));
        let scenario = self.scenario_of(request.user);
        self.recorder
            .request_cut_off(&self.plan, self.now(), scenario, request.step);
    }

    /// One awaited request of the user has ended.
    pub(super) fn resume_flow(&mut self, now: Tick, place: usize) {
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
