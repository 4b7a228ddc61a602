//! One slice of a run: which batches play in it, and which of their frames have come.
//!
//! Invariant: a batch's frames are taken in the order of their sequence, each once; one that comes early
//! waits, and at most [`EARLY_FRAMES_MAX`] wait for each batch.

use std::collections::BTreeMap;

use crate::ledger::Ledger;
use crate::metric::{self, MetricWindow};
use crate::plan::Plan;
use crate::run::stored::SliceStarted;
use crate::tick::{Span, Tick};
use crate::window::Window;
use crate::wire::{Frame, WIRE_VERSION};

/// How many frames of a batch may wait for an earlier one: a batch sends one a second, and a stream delivers
/// in order, so that even this many mean that the earlier one will not come.
pub(super) const EARLY_FRAMES_MAX: usize = 64;

/// How far after the slice's end a window may lie at most, beyond the time that requests may take: room for
/// clocks that differ. It bounds how many seconds are kept open.
const FUTURE_MAX: Span = Span::from_secs(60);

/// A slice that is played.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) number: u32,
    pub(super) from: Tick,
    pub(super) until: Tick,
    /// Whether any frame has come.
    pub(super) fruitful: bool,
    seats: BTreeMap<u32, Seat>, // the batches that play in this slice
}

/// The state of a batch.
#[derive(Debug)]
enum Seat {
    Live(Live),
    Ended,
    Lost,
}

/// A batch that plays.
#[derive(Debug)]
pub(super) struct Live {
    /// Everything before this point is told.
    pub(super) closed_through: Tick,
    /// When a frame last came, at first when the slice started.
    pub(super) heard_at: Tick,
    /// Users that were active in the last window.
    pub(super) active_users: u32,
    next_sequence: u32,
    early: BTreeMap<u32, Frame>, // by sequence, all above next_sequence
}

/// What becomes of a frame that comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reception {
    /// It belongs to the slice and is new.
    New,
    /// It has come before.
    Known,
    /// It cannot be used: another version, an unknown batch, a time that cannot be.
    Refused,
    /// Its batch counts as lost, or its slice is over.
    TooLate,
}

/// More than any batch can count in a window; sums of such numbers cannot overflow.
const COUNT_MAX: u64 = 1 << 40;

/// More series than a batch can keep.
const SERIES_MAX: usize = 2 * metric::SERIES_MAX;

impl Slice {
    pub(super) fn new(started: &SliceStarted) -> Self {
        let seat = |batch: &u32| {
            let live = Live {
                closed_through: started.from,
                heard_at: started.from,
                active_users: 0,
                next_sequence: 0,
                early: BTreeMap::new(),
            };
            (*batch, Seat::Live(live))
        };
        Self {
            number: started.slice,
            from: started.from,
            until: started.until,
            fruitful: false,
            seats: started.batches.iter().map(seat).collect(),
        }
    }

    /// What would become of this frame.
    pub(super) fn reception(&self, frame: &Frame, plan: &Plan) -> Reception {
        if frame.version != WIRE_VERSION || frame.slice > self.number {
            return Reception::Refused;
        }
        if frame.slice < self.number {
            return Reception::TooLate;
        }
        let live = match self.seats.get(&frame.batch) {
            None => return Reception::Refused,
            Some(Seat::Ended) => return Reception::Known,
            Some(Seat::Lost) => return Reception::TooLate,
            Some(Seat::Live(live)) => live,
        };
        if frame.sequence < live.next_sequence || live.early.contains_key(&frame.sequence) {
            return Reception::Known;
        }
        let latest = self.until + plan.request_timeout + FUTURE_MAX;
        let told = frame.windows.iter();
        let possible = frame.closed_through <= latest
            && frame.end.as_ref().is_none_or(|end| end.at <= latest)
            && told.clone().all(|window| {
                window.second >= self.from.second()
                    && window.second <= frame.closed_through.second()
                    && is_plausible(window)
                    && are_of_plan(&window.metrics, plan)
            });
        if possible && live.early.len() < EARLY_FRAMES_MAX {
            Reception::New
        } else {
            Reception::Refused
        }
    }

    /// Takes a frame whose reception is [`Reception::New`] and answers those that can be merged now, in order.
    pub(super) fn take(&mut self, now: Tick, frame: Frame) -> Vec<Frame> {
        let batch = frame.batch;
        let Some(Seat::Live(live)) = self.seats.get_mut(&batch) else {
            return Vec::new();
        };
        live.heard_at = live.heard_at.max(now);
        live.early.insert(frame.sequence, frame);
        let mut ready = Vec::new();
        let mut ended = false;
        while let Some(frame) = live.early.remove(&live.next_sequence) {
            live.next_sequence = live.next_sequence.saturating_add(1);
            live.closed_through = live.closed_through.max(frame.closed_through);
            if let Some(window) = frame.windows.last() {
                live.active_users = window.active_users;
            }
            ended = frame.end.is_some();
            ready.push(frame);
            if ended {
                break;
            }
        }
        self.fruitful |= !ready.is_empty();
        if ended {
            self.seats.insert(batch, Seat::Ended);
        }
        ready
    }

    /// Counts a batch as lost, if it plays. Answers what was known of it.
    pub(super) fn lose(&mut self, batch: u32) -> Option<Live> {
        let seat = self.seats.get_mut(&batch)?;
        match std::mem::replace(seat, Seat::Lost) {
            Seat::Live(live) => Some(live),
            other => {
                *seat = other;
                None
            }
        }
    }

    /// The batches that play.
    pub(super) fn live(&self) -> impl Iterator<Item = (u32, &Live)> {
        self.seats.iter().filter_map(|(batch, seat)| match seat {
            Seat::Live(live) => Some((*batch, live)),
            Seat::Ended | Seat::Lost => None,
        })
    }

    /// The number of seconds that every batch that plays has told completely, `None` when none plays.
    pub(super) fn seconds_closed(&self) -> Option<u32> {
        self.live()
            .map(|(_, live)| live.closed_through.second())
            .min()
    }
}

/// Whether a batch can have recorded these metrics.
fn are_of_plan(metrics: &MetricWindow, plan: &Plan) -> bool {
    let series: usize = metrics.series.values().map(BTreeMap::len).sum();
    series <= SERIES_MAX && plan.metering().admits(metrics)
}

fn is_plausible(window: &Window) -> bool {
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
    } = window.ledger;
    let ledger = [
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
    ];
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
    ledger
        .into_iter()
        .chain(checks)
        .chain(steps)
        .chain(scenarios)
        .all(|count| count <= COUNT_MAX)
}
