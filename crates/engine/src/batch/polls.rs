//! Asks the target about itself while the batch plays.
//!
//! Invariant: the n-th poll of a load is due at n intervals, whatever slices it is played in; one is under way at a
//! time, and each that was sent ends exactly once.

use std::num::NonZeroU64;

use crate::batch::machine::{Batch, State};
use crate::batch::types::{Address, Output, Request, RequestId};
use crate::error_class::ErrorClass;
use crate::plan::{Monitoring, Plan};
use crate::response::{Exchange, ExpectedStatus};
use crate::scenario::Method;
use crate::tick::{Span, Tick};
use crate::window::StepId;

/// How long a batch waits for a poll that is under way when all else is done.
const GRACE: Span = Span::from_secs(1);

/// The polls of a batch.
#[derive(Debug)]
pub(super) struct Polls {
    interval_us: NonZeroU64,
    next: Tick,
    sent: u32,
    under_way: Option<UnderWay>,
}

/// A poll that was sent.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    id: RequestId,
    deadline: Tick,
    /// What it is counted as when it has not ended by then.
    class: ErrorClass,
}

impl Polls {
    /// The polls of a batch whose share has been played up to this point, `None` if the plan has none. What became
    /// due since then is late.
    pub(super) fn new(plan: &Plan, played_through: Tick) -> Option<Self> {
        let interval_us = NonZeroU64::new(plan.monitoring.as_ref()?.interval.as_us())?;
        let played_us = played_through.as_us();
        let first = played_us.checked_next_multiple_of(interval_us.get());
        Some(Self {
            interval_us,
            next: Tick::from_us(first.unwrap_or(u64::MAX)),
            sent: 0,
            under_way: None,
        })
    }

    /// When something has to be done, unless a slot or an answer comes before.
    pub(super) fn next_at(&self, now: Tick) -> Option<Tick> {
        match self.under_way {
            Some(poll) => Some(poll.deadline),
            None => Some(self.next).filter(|next| *next > now),
        }
    }

    /// Notes that a poll is sent. Those that could not be sent for want of a slot are left out.
    fn send(&mut self, now: Tick, deadline: Tick) -> RequestId {
        let number = now.as_us() / self.interval_us + 1;
        self.next = Tick::from_us(number.saturating_mul(self.interval_us.get()));
        // The table of requests has no entry of this place, so that no request of a user has such a name.
        let id = RequestId::new(u32::MAX, self.sent);
        self.sent = self.sent.wrapping_add(1);
        self.under_way = Some(UnderWay {
            id,
            deadline,
            class: ErrorClass::Timeout,
        });
        id
    }

    /// Nothing else is left to do: a poll under way has [`GRACE`] to end. Answers whether there is one.
    fn finish(&mut self, now: Tick) -> bool {
        let Some(poll) = &mut self.under_way else {
            return false;
        };
        if now + GRACE < poll.deadline {
            poll.deadline = now + GRACE;
            poll.class = ErrorClass::CutOff;
        }
        true
    }

    fn end(&mut self, id: RequestId) -> bool {
        self.under_way.take_if(|poll| poll.id == id).is_some()
    }
}

impl Batch {
    /// Sends the poll that is due, as soon as a slot is free.
    pub(super) fn poll_target(&mut self, now: Tick) {
        let Some(polls) = self.polls.as_mut().filter(|polls| polls.next <= now) else {
            return;
        };
        let Some(monitoring) = &self.plan.monitoring else {
            return;
        };
        let may = self.state == State::Playing && now < Tick::ZERO + self.plan.duration;
        if may && polls.under_way.is_none() && self.requests.take_slot() {
            let id = polls.send(now, now + monitoring.timeout);
            let limit = self.plan.body_limit_bytes;
            let request = request(monitoring, id, limit);
            self.outputs.push_back(Output::Send(request));
        }
    }

    /// Gives a poll up that takes too long.
    pub(super) fn expire_polls(&mut self, now: Tick) {
        let under_way = self.polls.as_ref().and_then(|polls| polls.under_way);
        if let Some(poll) = under_way.filter(|poll| poll.deadline <= now) {
            self.outputs.push_back(Output::Abort(poll.id));
            self.poll_ended(now, poll.id, Err(poll.class));
        }
    }

    /// Whether a batch with nothing else left to do has to wait for a poll.
    pub(super) fn waits_for_poll(&mut self, now: Tick) -> bool {
        let polls = self.polls.as_mut();
        polls.is_some_and(|polls| polls.finish(now))
    }

    /// Gives a poll up because nobody waits for it any more.
    pub(super) fn cut_off_polls(&mut self, now: Tick) {
        if let Some(poll) = self.polls.as_ref().and_then(|polls| polls.under_way) {
            self.outputs.push_back(Output::Abort(poll.id));
            self.poll_ended(now, poll.id, Err(ErrorClass::CutOff));
        }
    }

    /// Takes in how a poll ended. Answers whether it was one.
    pub(super) fn poll_ended(
        &mut self,
        now: Tick,
        id: RequestId,
        ended: Result<&Exchange<'_>, ErrorClass>,
    ) -> bool {
        let is_poll = self.polls.as_mut().is_some_and(|polls| polls.end(id));
        if !is_poll {
            return false;
        }
        self.requests.return_slot();
        if let Some(monitoring) = &self.plan.monitoring {
            let recorder = &mut self.recorder;
            let class = read(monitoring, ended, |metric, amount| {
                recorder.monitored(metric, now, amount);
            });
            recorder.window().polls.count(class.err());
        }
        true
    }
}

/// Takes every number that an answer has; one that it lacks is an error.
fn read(
    monitoring: &Monitoring,
    ended: Result<&Exchange<'_>, ErrorClass>,
    mut take: impl FnMut(crate::metric::MetricId, crate::metric::Amount),
) -> Result<(), ErrorClass> {
    let exchange = ended?;
    if !ExpectedStatus::Ok.accepts(exchange.status) {
        return Err(ErrorClass::of_status(exchange));
    }
    if exchange.truncated {
        return Err(ErrorClass::BodyTooLarge);
    }
    let wants_json = monitoring.series.iter().any(|s| s.place.wants_json());
    let json = wants_json.then(|| serde_json::from_slice(exchange.body).ok());
    let json = json.flatten();
    let mut result = Ok(());
    for series in &monitoring.series {
        let number = series.place.read(exchange, json.as_ref());
        match number.and_then(|number| series.contains.amount(number)) {
            Some(amount) => take(series.metric, amount),
            None => result = Err(ErrorClass::Extraction),
        }
    }
    result
}

fn request(monitoring: &Monitoring, id: RequestId, body_limit_bytes: u64) -> Request {
    Request {
        id,
        step: StepId(u16::MAX), // no step of the plan
        vu: u32::MAX,           // no user, so that it has a connection of its own
        iteration: 0,
        address: monitoring.binding.map_or(Address::Host, Address::Binding),
        method: Method::Get,
        url: monitoring.url.clone(),
        headers: monitoring.headers.clone(),
        body: None,
        wants_body: true,
        wants_headers: monitoring.wanted_headers.clone(),
        streams: false,
        body_limit_bytes,
        timeout: monitoring.timeout,
    }
}
