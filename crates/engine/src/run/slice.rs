//! One slice of a run: which lines it is heard through, which batches play on each, and what has come.
//!
//! Invariant: what a line tells is taken in order, each bundle once; a batch that has ended or is lost tells
//! nothing more.

use crate::bundle::{BatchNews, Bundle};
use crate::inbox::{Inbox, Patience, Reception, Times, is_plausible_ledger};
use crate::plan::Plan;
use crate::run::stored::SliceStarted;
use crate::run::types::{LossReason, RunConfig};
use crate::sorted::SortedMap;
use crate::tick::{Span, Tick};
use crate::wire::WIRE_VERSION;

/// How much longer than a batch a shard may be silent: it has to find out about its batches first.
const SHARD_PATIENCE: Span = Span::from_secs(3);

/// A slice that is played.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) number: u32,
    pub(super) from: Tick,
    pub(super) until: Tick,
    /// Whether anything has been told.
    pub(super) fruitful: bool,
    lines: SortedMap<u32, Line>,
}

/// A line, and the batches that are heard through it.
#[derive(Debug)]
struct Line {
    heard_at: Tick, // when a bundle last came, at first when the slice started
    inbox: Inbox<Bundle>,
    seats: SortedMap<u32, Seat>,
}

/// The state of a batch.
#[derive(Clone, Copy, Debug)]
enum Seat {
    Live(Live),
    Ended,
    Lost,
}

/// A batch that plays.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    /// Everything before this point is told.
    pub(super) closed_through: Tick,
    /// Users that were active in the last window.
    pub(super) active_users: u32,
}

/// A batch that is lost, and what was known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LostBatch {
    pub(super) batch: u32,
    pub(super) live: Live,
    pub(super) reason: LossReason,
}

impl Slice {
    pub(super) fn new(started: &SliceStarted, config: &RunConfig) -> Self {
        let mut lines: SortedMap<u32, Line> = SortedMap::new();
        for batch in &started.batches {
            let line = lines
                .entry(config.line_of(*batch))
                .or_insert_with(|| Line::new(started.from));
            let live = Live {
                closed_through: started.from,
                active_users: 0,
            };
            line.seats.insert(*batch, Seat::Live(live));
        }
        Self {
            number: started.slice,
            from: started.from,
            until: started.until,
            fruitful: false,
            lines,
        }
    }

    /// What would become of this bundle.
    pub(super) fn reception(&self, bundle: &Bundle, plan: &Plan) -> Reception {
        if bundle.version != WIRE_VERSION || bundle.slice > self.number {
            return Reception::Refused;
        }
        if bundle.slice < self.number {
            return Reception::TooLate;
        }
        let Some(line) = self.lines.get(&bundle.line) else {
            return Reception::Refused;
        };
        if line.live().next().is_none() {
            let lost = line.seats.values().any(|seat| matches!(seat, Seat::Lost));
            return if lost {
                Reception::TooLate
            } else {
                Reception::Known
            };
        }
        let reception = line.inbox.reception(bundle.sequence);
        if reception == Reception::Known || self.is_possible(line, bundle, plan) {
            reception
        } else {
            Reception::Refused
        }
    }

    /// Whether the batches of the line can have told this.
    fn is_possible(&self, line: &Line, bundle: &Bundle, plan: &Plan) -> bool {
        let times = Times::of_slice(self.from, self.until, plan);
        let news_possible = |news: &BatchNews| {
            let mut seconds = news.users.iter().map(|(second, ..)| *second);
            line.seats.contains_key(&news.batch)
                && times.admit(news.closed_through)
                && news.end.as_ref().is_none_or(|end| times.admit(end.at))
                && is_plausible_ledger(&news.ledger)
                && seconds.all(|second| times.admit_second(second, news.closed_through))
        };
        let closed = bundle.news.iter().map(|news| news.closed_through).max();
        let closed = closed.unwrap_or(self.from);
        let batches = bundle.news.len();
        bundle.news.iter().all(news_possible)
            && bundle
                .windows
                .iter()
                .all(|window| times.admit_window(window, closed, batches, plan))
    }

    /// Takes a bundle whose reception is [`Reception::New`] and answers those that can be merged now, in order.
    pub(super) fn take(&mut self, now: Tick, bundle: Bundle) -> Vec<Bundle> {
        let Some(line) = self.lines.get_mut(&bundle.line) else {
            return Vec::new();
        };
        line.heard_at = line.heard_at.max(now);
        line.inbox.take(bundle.sequence, bundle)
    }

    /// Takes note of what is told of a batch. Answers the batch if it is lost by that.
    pub(super) fn note(&mut self, line: u32, news: &BatchNews) -> Option<LostBatch> {
        self.fruitful |= news.is_told();
        let seat = self.lines.get_mut(&line)?.seats.get_mut(&news.batch)?;
        let Seat::Live(live) = seat else {
            return None;
        };
        live.closed_through = live.closed_through.max(news.closed_through);
        if let Some((_, _, users)) = news.users.last() {
            live.active_users = *users;
        }
        let live = *live;
        if news.end.is_some() {
            *seat = Seat::Ended;
            return None;
        }
        let reason = news.lost?;
        *seat = Seat::Lost;
        Some(LostBatch {
            batch: news.batch,
            live,
            reason,
        })
    }

    /// Counts the batches of a line as lost that still play. Answers what was known of them.
    pub(super) fn lose(&mut self, line: u32, reason: LossReason) -> Vec<LostBatch> {
        let Some(line) = self.lines.get_mut(&line) else {
            return Vec::new();
        };
        let lost = line
            .live()
            .map(|(batch, live)| LostBatch {
                batch,
                live,
                reason,
            })
            .collect();
        for seat in line.seats.values_mut() {
            if matches!(seat, Seat::Live(_)) {
                *seat = Seat::Lost;
            }
        }
        lost
    }

    /// The lines on which batches play, and when each counts as silent.
    pub(super) fn deadlines(
        &self,
        config: &RunConfig,
        plan: &Plan,
        stopped_at: Option<Tick>,
    ) -> impl Iterator<Item = (u32, Tick)> {
        let patience = Patience {
            until: self.until,
            patience: config.patience,
            request_timeout: plan.request_timeout,
            stopped_at,
        };
        let more = if config.shards.is_empty() {
            Span::ZERO
        } else {
            SHARD_PATIENCE
        };
        let live = self.lines.iter();
        live.filter(|(_, line)| line.live().next().is_some())
            .map(move |(number, line)| (*number, patience.ends_for(line.heard_at) + more))
    }

    /// The lines on which batches play.
    pub(super) fn lines_live(&self) -> impl Iterator<Item = u32> {
        let lines = self.lines.iter();
        lines
            .filter(|(_, line)| line.live().next().is_some())
            .map(|(number, _)| *number)
    }

    /// How many batches play.
    pub(super) fn batches_live(&self) -> usize {
        self.lines.values().map(|line| line.live().count()).sum()
    }

    /// The number of seconds that every batch that plays has told completely, `None` when none plays.
    pub(super) fn seconds_closed(&self) -> Option<u32> {
        let live = self.lines.values().flat_map(Line::live);
        live.map(|(_, live)| live.closed_through.second()).min()
    }
}

impl Line {
    fn new(from: Tick) -> Self {
        Self {
            heard_at: from,
            inbox: Inbox::new(),
            seats: SortedMap::new(),
        }
    }

    fn live(&self) -> impl Iterator<Item = (u32, Live)> {
        self.seats.iter().filter_map(|(batch, seat)| match seat {
            Seat::Live(live) => Some((*batch, *live)),
            Seat::Ended | Seat::Lost => None,
        })
    }
}
