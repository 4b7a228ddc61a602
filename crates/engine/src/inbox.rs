//! What a receiver keeps of one sender: which messages have come, and which wait for an earlier one.
//!
//! Both receivers use it, the run for its lines and a shard for its batches. Invariant: messages are taken in
//! the order of their sequence, each once; one that comes early waits, and at most [`EARLY_MAX`] wait.

use crate::ledger::Ledger;
use crate::metric::{self, MetricWindow};
use crate::plan::Plan;
use crate::sorted::SortedMap;
use crate::tick::{Span, Tick};
use crate::window::Window;

/// How many messages of a sender may wait for an earlier one: it sends one a second, or ten, and a stream delivers in
/// order, so that even this many mean that the earlier one will not come.
pub(crate) const EARLY_MAX: usize = 64;

/// How long a sender that was told to stop may take for its last message.
pub(crate) const STOP_PATIENCE: Span = Span::from_secs(2);

/// How far after the slice's end a window may lie at most, beyond the time that requests may take: room for
/// clocks that differ. It bounds how many seconds are kept open.
pub(crate) const FUTURE_MAX: Span = Span::from_secs(60);

/// More than any batch can count in a window; sums of such numbers cannot overflow.
const COUNT_MAX: u64 = 1 << 40;

/// More series than a batch can keep.
const SERIES_MAX: usize = 2 * metric::SERIES_MAX;

/// The messages of one sender.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    next: u32,
    early: SortedMap<u32, T>, // by sequence, all above next
}

/// What becomes of a message that comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reception {
    /// It belongs here and is new.
    New,
    /// It has come before.
    Known,
    /// It cannot be used: another version, an unknown sender, a time that cannot be.
    Refused,
    /// Its sender counts as lost, or its slice is over.
    TooLate,
}

/// How long a sender of a slice may be silent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// The slice's end.
    pub(crate) until: Tick,
    /// How long after it, or after the last message, a sender may stay silent.
    pub(crate) patience: Span,
    /// How long after it answers may still come.
    pub(crate) request_timeout: Span,
    /// When it was told to stop.
    pub(crate) stopped_at: Option<Tick>,
}

/// The times that what is told about a slice may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    from: Tick,
    latest: Tick,
}

impl<T> Inbox<T> {
    /// Nothing has come yet.
    pub(crate) const fn new() -> Self {
        Self::from(0)
    }

    /// All before this number have come.
    pub(crate) const fn from(next: u32) -> Self {
        Self {
            next,
            early: SortedMap::new(),
        }
    }

    /// What would become of the message with this number.
    pub(crate) fn reception(&self, sequence: u32) -> Reception {
        if sequence < self.next || self.early.contains_key(&sequence) {
            Reception::Known
        } else if self.early.len() < EARLY_MAX {
            Reception::New
        } else {
            Reception::Refused
        }
    }

    /// Takes a new message and answers those that can be used now, in order.
    pub(crate) fn take(&mut self, sequence: u32, message: T) -> Vec<T> {
        self.early.insert(sequence, message);
        let mut ready = Vec::new();
        while let Some(message) = self.early.remove(&self.next) {
            self.next = self.next.saturating_add(1);
            ready.push(message);
        }
        ready
    }
}

impl Patience {
    /// When a sender that was last heard of at `heard_at` counts as silent.
    pub(crate) fn ends_for(&self, heard_at: Tick) -> Tick {
        let silent = self.until.max(heard_at) + self.patience;
        // A sender that goes on telling is waiting for answers, but not for longer than a request may take.
        let latest = self.until + self.request_timeout + self.patience;
        let stopped = self.stopped_at.map(|at| at + STOP_PATIENCE);
        silent.min(latest).min(stopped.unwrap_or(Tick::NEVER))
    }
}

impl Times {
    /// The times of a slice.
    pub(crate) fn of_slice(from: Tick, until: Tick, plan: &Plan) -> Self {
        Self {
            from,
            latest: until + plan.request_timeout + FUTURE_MAX,
        }
    }

    /// Whether something can have happened at this point.
    pub(crate) fn admit(&self, at: Tick) -> bool {
        at <= self.latest
    }

    /// Whether `batches` batches of this plan that have told everything before `closed_through` can have
    /// measured this.
    pub(crate) fn admit_window(
        &self,
        window: &Window,
        closed_through: Tick,
        batches: usize,
        plan: &Plan,
    ) -> bool {
        self.admit_second(window.second, closed_through)
            && is_plausible(window)
            && are_of_plan(&window.metrics, batches, plan)
    }

    /// Whether a second can have been told by batches that have told everything before `closed_through`.
    pub(crate) fn admit_second(&self, second: u32, closed_through: Tick) -> bool {
        second >= self.from.second() && second <= closed_through.second()
    }
}

/// Whether batches can have counted this.
pub(crate) fn is_plausible_ledger(ledger: &Ledger) -> bool {
    let Ledger {
        planned,
        started,
        dropped,
        finished,
        interrupted,
        lost,
        sent,
        answered,
        failed,
        cut_off,
        messages,
    } = *ledger;
    let counts = [
        planned,
        started,
        dropped,
        finished,
        interrupted,
        lost,
        sent,
        answered,
        failed,
        cut_off,
        messages.begun,
        messages.one_way,
        messages.answered,
        messages.timed_out,
        messages.cut_off,
    ];
    counts.into_iter().all(|count| count <= COUNT_MAX)
}

/// Whether batches can have recorded these metrics.
fn are_of_plan(metrics: &MetricWindow, batches: usize, plan: &Plan) -> bool {
    let series: usize = metrics.series.values().map(SortedMap::len).sum();
    series <= SERIES_MAX.saturating_mul(batches) && plan.metering().admits(metrics)
}

fn is_plausible(window: &Window) -> bool {
    let scenarios = window.scenarios.values();
    let scenarios =
        scenarios.flat_map(|scenario| [scenario.started, scenario.dropped, scenario.out_of_data]);
    let steps = window.steps.values().flat_map(|step| {
        let counts = [
            step.sent,
            step.succeeded,
            step.bytes_received,
            step.bytes_sent,
        ];
        counts.into_iter().chain(step.errors.values().copied())
    });
    let checks = window
        .checks
        .values()
        .flat_map(|(passed, failed)| [*passed, *failed]);
    is_plausible_ledger(&window.ledger)
        && checks
            .chain(steps)
            .chain(scenarios)
            .all(|count| count <= COUNT_MAX)
}
