//! One slice of a run: which lines it is heard through, which batches play on each, and what has come.
//!
//! A slice also hears the lines of the slice before it on which a batch lingers: it has handed over its users but some,
//! which come in later.
//!
//! Invariant: what a line tells is taken in order, each bundle once; a batch that has ended or is lost tells
//! nothing more. A batch lingers no longer than through the slice after its own.

use crate::bundle::{BatchNews, Bundle};
use crate::inbox::{Inbox, Patience, Reception, Times, is_plausible_ledger};
use crate::plan::Plan;
use crate::run::book::SliceTimes;
use crate::run::out::Lingering;
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
    /// Whether anything has been told.
    pub(super) fruitful: bool,
    lines: Lines,
}

/// Lines by slice and number.
pub(super) type Lines = SortedMap<LineId, Line>;

/// A slice and the number of a line.
pub(super) type LineId = (u32, u32);

/// A line, and the batches that are heard through it.
#[derive(Debug)]
pub(super) struct Line {
    from: Tick,
    until: Tick,    // of its slice
    heard_at: Tick, // when a bundle last came, at first when the slice started
    inbox: Inbox<Bundle>,
    seats: SortedMap<u32, Seat>,
}

/// The state of a batch.
#[derive(Clone, Copy, Debug)]
enum Seat {
    Live(Live),
    /// It has handed over its users but those that wait for an answer.
    Lingers(Live),
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
    pub(super) slice: u32,
    pub(super) batch: u32,
    pub(super) live: Live,
    pub(super) reason: LossReason,
    /// Whether it had handed over what it could.
    pub(super) lingered: bool,
}

impl Slice {
    /// A slice that begins, with the lines of the one before on which batches linger.
    pub(super) fn new(started: &SliceStarted, config: &RunConfig, mut lines: Lines) -> Self {
        for batch in &started.batches {
            let line = lines
                .entry((started.slice, config.line_of(*batch)))
                .or_insert_with(|| Line::new(started.from, started.until, 0));
            let live = Live {
                closed_through: started.from,
                active_users: 0,
            };
            line.seats.insert(*batch, Seat::Live(live));
        }
        Self {
            number: started.slice,
            from: started.from,
            fruitful: false,
            lines,
        }
    }

    /// What would become of this bundle.
    pub(super) fn reception(&self, bundle: &Bundle, plan: &Plan) -> Reception {
        if bundle.version != WIRE_VERSION || bundle.slice > self.number {
            return Reception::Refused;
        }
        let Some(line) = self.lines.get(&(bundle.slice, bundle.line)) else {
            return if bundle.slice < self.number {
                Reception::TooLate
            } else {
                Reception::Refused
            };
        };
        if line.open().next().is_none() {
            let lost = line.seats.values().any(|seat| matches!(seat, Seat::Lost));
            return if lost {
                Reception::TooLate
            } else {
                Reception::Known
            };
        }
        let reception = line.inbox.reception(bundle.sequence);
        if reception == Reception::Known || line.is_possible(bundle, plan) {
            reception
        } else {
            Reception::Refused
        }
    }

    /// Takes a bundle whose reception is [`Reception::New`] and answers those that can be merged now, in order.
    pub(super) fn take(&mut self, now: Tick, bundle: Bundle) -> Vec<Bundle> {
        let Some(line) = self.lines.get_mut(&(bundle.slice, bundle.line)) else {
            return Vec::new();
        };
        line.heard_at = line.heard_at.max(now);
        line.inbox.take(bundle.sequence, bundle)
    }

    /// Takes note of what is told of a batch. Answers the batch if it is lost by that.
    pub(super) fn note(&mut self, id: LineId, news: &BatchNews) -> Option<LostBatch> {
        self.fruitful |= id.0 == self.number && news.is_told();
        let seat = self.lines.get_mut(&id)?.seats.get_mut(&news.batch)?;
        let (live, lingered) = match seat {
            Seat::Live(live) => (live, false),
            Seat::Lingers(live) => (live, true),
            Seat::Ended | Seat::Lost => return None,
        };
        live.closed_through = live.closed_through.max(news.closed_through);
        if let Some((_, _, users)) = news.users.last() {
            live.active_users = *users;
        }
        let live = *live;
        if let Some(end) = &news.end {
            *seat = if end.out.is_empty() {
                Seat::Ended
            } else {
                Seat::Lingers(live)
            };
            return None;
        }
        let reason = news.lost?;
        *seat = Seat::Lost;
        Some(LostBatch {
            slice: id.0,
            batch: news.batch,
            live,
            reason,
            lingered,
        })
    }

    /// Whether a batch has handed over users and is still heard.
    pub(super) fn lingers(&self, id: LineId, batch: u32) -> bool {
        let line = self.lines.get(&id);
        let seat = line.and_then(|line| line.seats.get(&batch));
        matches!(seat, Some(Seat::Lingers(_)))
    }

    /// When the slice of a line begins and ends.
    pub(super) fn times_of(&self, id: LineId) -> SliceTimes {
        let line = self.lines.get(&id);
        let times = line.map(|line| (line.from, line.until));
        let (from, until) = times.unwrap_or((self.from, self.from));
        SliceTimes { from, until }
    }

    /// Counts the batches of a line as lost that are still heard. Answers what was known of them.
    pub(super) fn lose(&mut self, id: LineId, reason: LossReason) -> Vec<LostBatch> {
        let Some(line) = self.lines.get_mut(&id) else {
            return Vec::new();
        };
        let lost = line
            .open()
            .map(|(batch, live, lingered)| LostBatch {
                slice: id.0,
                batch,
                live,
                reason,
                lingered,
            })
            .collect();
        for seat in line.seats.values_mut() {
            if matches!(seat, Seat::Live(_) | Seat::Lingers(_)) {
                *seat = Seat::Lost;
            }
        }
        lost
    }

    /// The lines on which batches are heard, and when each counts as silent.
    pub(super) fn deadlines(
        &self,
        config: &RunConfig,
        plan: &Plan,
        stopped_at: Option<Tick>,
    ) -> impl Iterator<Item = (LineId, Tick)> {
        let (patience, request_timeout) = (config.patience, plan.request_timeout);
        let more = if config.shards.is_empty() {
            Span::ZERO
        } else {
            SHARD_PATIENCE
        };
        let open = self.lines.iter();
        open.filter(|(_, line)| line.open().next().is_some())
            .map(move |(id, line)| {
                let patience = Patience {
                    until: line.until,
                    patience,
                    request_timeout,
                    stopped_at,
                };
                (*id, patience.ends_for(line.heard_at) + more)
            })
    }

    /// The lines on which batches are heard.
    pub(super) fn lines_open(&self) -> impl Iterator<Item = LineId> {
        let lines = self.lines.iter();
        lines
            .filter(|(_, line)| line.open().next().is_some())
            .map(|(id, _)| *id)
    }

    /// How many batches play.
    pub(super) fn batches_live(&self) -> usize {
        let open = self.lines.values().flat_map(Line::open);
        open.filter(|(.., lingers)| !lingers).count()
    }

    /// Whether a batch plays, or one of the slice before still lingers.
    pub(super) fn goes_on(&self) -> bool {
        let lines = self.lines.iter();
        lines
            .flat_map(|((slice, _), line)| line.open().map(move |open| (*slice, open)))
            .any(|(slice, (.., lingers))| !lingers || slice < self.number)
    }

    /// The number of seconds that every batch that is heard has told completely, `None` when none is.
    pub(super) fn seconds_closed(&self) -> Option<u32> {
        seconds_closed(&self.lines)
    }

    /// What is left to hear when the next slice begins.
    pub(super) fn into_lingering(self) -> Lines {
        let mut lines = self.lines;
        lines.retain(|_, line| line.open().next().is_some());
        lines
    }
}

/// The number of seconds that every batch that is heard has told completely, `None` when none is.
pub(super) fn seconds_closed(lines: &Lines) -> Option<u32> {
    let open = lines.values().flat_map(Line::open);
    open.map(|(_, live, _)| live.closed_through.second()).min()
}

impl Line {
    fn new(from: Tick, until: Tick, next: u32) -> Self {
        Self {
            from,
            until,
            heard_at: from,
            inbox: Inbox::from(next),
            seats: SortedMap::new(),
        }
    }

    /// The line of a batch that lingers, as the books tell of it.
    pub(super) fn lingering(batch: u32, lingering: &Lingering) -> Self {
        let mut line = Self::new(lingering.from, lingering.until, lingering.next);
        let live = Live {
            closed_through: lingering.closed_through,
            active_users: lingering.active_users(),
        };
        line.seats.insert(batch, Seat::Lingers(live));
        line
    }

    /// Whether the batches of the line can have told this.
    fn is_possible(&self, bundle: &Bundle, plan: &Plan) -> bool {
        let times = Times::of_slice(self.from, self.until, plan);
        let news_possible = |news: &BatchNews| {
            let mut seconds = news.users.iter().map(|(second, ..)| *second);
            self.seats.contains_key(&news.batch)
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

    /// The batches that are heard, and which of them linger.
    fn open(&self) -> impl Iterator<Item = (u32, Live, bool)> {
        self.seats.iter().filter_map(|(batch, seat)| match seat {
            Seat::Live(live) => Some((*batch, *live, false)),
            Seat::Lingers(live) => Some((*batch, *live, true)),
            Seat::Ended | Seat::Lost => None,
        })
    }
}
