//! The books of a run: what every share has done, what was measured, and what is missing.
//!
//! Invariant: the books change only by whole frames, in the order of a batch's sequence, and by the explicit
//! acts of losing a batch or ending the run.

use serde::{Deserialize, Serialize};

use crate::bundle::BatchNews;
use crate::ledger::{Imbalance, Ledger};
use crate::run::out::Lingering;
use crate::run::places::Places;
use crate::run::share_book::{Kept, ShareBook};
use crate::run::types::LossReason;
use crate::share::Share;
use crate::sorted::SortedMap;
use crate::tick::{Span, Tick};
use crate::timeline::{OpenRow, Second, Timeline, is_active};
use crate::totals::Totals;
use crate::window::{Window, is_default};
use crate::wire::{BatchEnd, EndReason};

/// How many holes are listed; of further ones only the number and the length are kept.
pub const HOLES_MAX: usize = 200;

/// How many faults of the ledger are listed: one is enough to fail a run.
pub const FAULTS_MAX: usize = 20;

/// How long a share may pause between two slices, or before the first, without a hole being stated: starting a
/// batch takes some time, and what becomes due meanwhile counts as late.
pub const PAUSE_MAX: Span = Span::from_secs(1);

/// An interval in which a share of the plan was not played or not measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hole {
    /// The slice in which it begins.
    pub slice: u32,
    /// The batch, which is the number of the share.
    pub batch: u32,
    /// The last point up to which the share is measured, in microseconds since the run's start.
    #[serde(rename = "fromUs")]
    pub from: Tick,
    /// When the share was played again, or the end of the run; in microseconds since its start.
    #[serde(rename = "toUs")]
    pub to: Tick,
    /// Why.
    pub reason: LossReason,
    /// Users that were active in the share when it was last heard of.
    pub active_users: u32,
    /// Iterations that were open, and whose fate is unknown.
    pub iterations_lost: u64,
    /// Requests that were under way, and whose fate is unknown.
    pub requests_cut_off: u64,
    /// In the summary of a plan that decides when iterations begin: how many of the share's fell into the hole.
    /// They were not played, or nobody knows whether they were; after a mere pause they were begun late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals_planned: Option<u64>,
}

/// Something in the accounts that does not add up. It fails the run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", tag = "fault")]
pub enum LedgerFault {
    /// At the run's end, an equation does not hold for the sum of all batches.
    #[error("in total, {imbalance}")]
    Total {
        /// The equation.
        imbalance: Imbalance,
    },
    /// At the run's end, an equation does not hold for one batch.
    #[error("in batch {batch}, {imbalance}")]
    Batch {
        /// The batch.
        batch: u32,
        /// The equation.
        imbalance: Imbalance,
    },
    /// A batch counts other open iterations than its ledger.
    #[error(
        "batch {batch} ended slice {slice} with {counted} open iterations, its ledger says {ledger}"
    )]
    OpenIterations {
        /// The batch.
        batch: u32,
        /// The slice.
        slice: u32,
        /// What the batch counted.
        counted: u64,
        /// What its ledger says.
        ledger: u64,
    },
    /// A batch ended although requests of it were under way.
    #[error("batch {batch} ended slice {slice} with {open} requests under way")]
    OpenRequests {
        /// The batch.
        batch: u32,
        /// The slice.
        slice: u32,
        /// How many.
        open: u64,
    },
    /// A batch ended although messages of it were waited for.
    #[error("batch {batch} ended slice {slice} with {open} messages unaccounted for")]
    OpenMessages {
        /// The batch.
        batch: u32,
        /// The slice.
        slice: u32,
        /// How many.
        open: u64,
    },
    /// Measurements came for a second that was already published.
    #[error("batch {batch} told about second {second} after it was published")]
    LateWindow {
        /// The batch.
        batch: u32,
        /// The second.
        second: u32,
    },
}

/// The books of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Book {
    pub(super) shares: Vec<ShareBook>, // one per batch
    pub(super) slices: u32,            // that were started
    pub(super) slices_fruitless: u32,  // in a row, in which no batch could be started
    /// The latest point at which a batch ended or a hole was closed.
    pub(super) ended_at: Tick,
    pub(super) published: u32, // seconds
    #[serde(default)]
    pub(super) activity: Option<u32>, // the last second in which something happened
    pub(super) open: SortedMap<u32, Second>, // not published yet
    /// The row of the time line that is not full yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) row: Option<OpenRow>,
    pub(crate) totals: Totals,
    pub(crate) timeline: Timeline,
    pub(crate) holes: Vec<Hole>, // closed, at most HOLES_MAX
    pub(crate) holes_total: u32,
    pub(crate) hole_us_total: Span,
    pub(crate) faults: Vec<LedgerFault>, // at most FAULTS_MAX
    pub(crate) frames_merged: u64,
    pub(crate) frames_ignored: u64,
    /// Of these, the ones that came after their batch was given up.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) frames_late: u64,
    #[serde(default, skip_serializing_if = "Places::is_empty")]
    pub(crate) places: Places,
}

/// When a slice begins and ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct SliceTimes {
    pub(super) from: Tick,
    pub(super) until: Tick,
}

impl Book {
    pub(super) fn new(batches: u32) -> Self {
        Self {
            shares: (0..batches).map(|_| ShareBook::default()).collect(),
            ..Self::default()
        }
    }

    /// The shares with their books.
    pub(super) fn shares_mut(&mut self) -> impl Iterator<Item = (Share, &mut ShareBook)> {
        let of = u32::try_from(self.shares.len()).unwrap_or(u32::MAX);
        let numbered = (0..of).zip(self.shares.iter_mut());
        numbered.filter_map(move |(index, book)| Some((Share::new(index, of)?, book)))
    }

    pub(super) fn share_mut(&mut self, batch: u32) -> Option<&mut ShareBook> {
        self.shares.get_mut(usize::try_from(batch).ok()?)
    }

    /// The books of all shares, in their order.
    pub(crate) fn shares(&self) -> &[ShareBook] {
        &self.shares
    }

    /// How many slices were started.
    pub(crate) const fn slices(&self) -> u32 {
        self.slices
    }

    /// The latest point at which a batch ended or a hole was closed.
    pub(crate) const fn ended_at(&self) -> Tick {
        self.ended_at
    }

    /// How many seconds are published.
    pub(crate) const fn seconds_published(&self) -> u32 {
        self.published
    }

    /// The sum of all shares' ledgers.
    pub(crate) fn ledger(&self) -> Ledger {
        let mut sum = Ledger::default();
        for share in &self.shares {
            sum += share.ledger;
        }
        sum
    }

    /// Enters measurements. Those that came for a second that is published already are answered, to be judged
    /// too.
    pub(super) fn add_window(&mut self, window: &Window) -> Option<Second> {
        if is_active(window) {
            self.activity = self.activity.max(Some(window.second));
        }
        if window.second >= self.published {
            self.open.entry(window.second).or_default().add(window);
            return None;
        }
        let mut late = Second::default();
        late.add(window);
        self.totals.add(&late);
        Some(late)
    }

    /// Enters what a batch has done, its end left out. The users of one that lingers count beside those of the batch
    /// that plays its share.
    pub(super) fn add_news(&mut self, slice: u32, news: &BatchNews, lingers: bool) {
        let batch = news.batch;
        let shares = u32::try_from(self.shares.len()).unwrap_or(u32::MAX);
        let beside = u32::from(lingers) * (1 + slice % 2);
        let seat = batch.saturating_add(shares.saturating_mul(beside));
        if let Some(share) = self.share_mut(batch) {
            share.ledger += news.ledger;
            share.count_begun(&news.begun);
        }
        for (second, phase, users) in &news.users {
            if *second >= self.published {
                let open = self.open.entry(*second).or_default();
                open.set_users(seat, *phase, *users);
            } else {
                self.fault(LedgerFault::LateWindow {
                    batch,
                    second: *second,
                });
            }
        }
    }

    /// Enters the end of a batch, whose users go on with its shard or in the books.
    pub(super) fn end_batch(
        &mut self,
        (slice, batch): (u32, u32),
        times: SliceTimes,
        next: u32,
        mut end: BatchEnd,
        shard: bool,
    ) {
        self.ended_at = self.ended_at.max(end.at);
        let Some(share) = self.share_mut(batch) else {
            return;
        };
        // Whom the batch does not miss has come in. After a crash nobody else may know: the loss of a batch that lingers
        // is not stored, and so its users would begin afresh a second time.
        for lingering in &mut share.lingering {
            lingering.out.retain(|away| end.missed.contains(&away.vu));
        }
        if !end.out.is_empty() {
            share.begin_lingering(Lingering {
                slice,
                from: times.from,
                until: times.until,
                next,
                closed_through: end.at,
                out: std::mem::take(&mut end.out),
                ledger: Ledger::default(),
            });
        }
        // Whoever came in when the batch had handed over goes on in the next slice.
        let mut late = std::mem::take(&mut share.late);
        late.retain(|user| end.missed.contains(&user.vu));
        let in_iteration = late.iter().filter(|user| user.position.is_some());
        let counted = end.iterations_open + in_iteration.count() as u64;
        let open = share.open_here();
        share.done = matches!(end.reason, EndReason::PlanDone | EndReason::Stopped);
        share.playing = false;
        share.played_through = times.until;
        share.measured_through = end.at;
        share.carry = end.carry;
        share.carry.append(&mut late);
        share.kept = shard.then_some(Kept {
            slice,
            iterations_open: end.iterations_open,
        });
        if end.reason == EndReason::LeaseExpired {
            share.hole = Some(Hole {
                slice,
                batch,
                from: end.at,
                to: end.at,
                reason: LossReason::LeaseExpired,
                active_users: 0,
                iterations_lost: 0,
                requests_cut_off: 0,
                arrivals_planned: None,
            });
        }
        self.check_open((slice, batch), open, counted);
    }

    /// Enters that the users whom a batch was to go on with were no longer there: what they had open is lost.
    pub(super) fn forget(&mut self, slice: u32, batch: u32, at: Tick) {
        let Some(share) = self.share_mut(batch) else {
            return;
        };
        let iterations_lost = share.ledger.iterations_open();
        share.ledger.lost += iterations_lost;
        share.hole = Some(Hole {
            slice,
            batch,
            from: at,
            to: at,
            reason: LossReason::ShardRestarted,
            active_users: 0,
            iterations_lost,
            requests_cut_off: 0,
            arrivals_planned: None,
        });
        self.close_hole(batch, at);
    }

    /// Enters the loss of a batch, which begins a hole at `hole.from`: what it had open is lost.
    pub(super) fn lose_batch(&mut self, mut hole: Hole) {
        let Some(share) = self.share_mut(hole.batch) else {
            return;
        };
        let open = share.open_here();
        share.lose(&mut hole, open);
        share.late = Vec::new();
        share.playing = false;
        share.carry = Vec::new();
        share.kept = None;
        share.hole = Some(hole);
    }

    /// Begins a hole in all shares that still have something to play, are in no hole yet, and will not have
    /// been played for longer than [`PAUSE_MAX`] at `to`.
    pub(super) fn open_holes(&mut self, to: Tick, reason: LossReason) {
        let slice = self.slices.saturating_sub(1);
        for (share, book) in self.shares_mut() {
            let from = book.measured_through;
            if book.done || book.hole.is_some() || to <= from + PAUSE_MAX {
                continue;
            }
            book.hole = Some(Hole {
                slice,
                batch: share.index(),
                from,
                to: from,
                reason,
                active_users: 0,
                iterations_lost: 0,
                requests_cut_off: 0,
                arrivals_planned: None,
            });
        }
    }

    /// A batch is about to play this share. Its hole ends at `at`, if it has one.
    pub(super) fn begin_batch(&mut self, batch: u32, at: Tick) {
        self.close_hole(batch, at);
        if let Some(share) = self.share_mut(batch) {
            share.playing = true;
        }
    }

    /// Ends the open hole of a share, if it has one.
    pub(super) fn close_hole(&mut self, batch: u32, to: Tick) {
        let Some(share) = self.share_mut(batch) else {
            return;
        };
        let Some(mut hole) = share.hole.take() else {
            return;
        };
        hole.to = to.max(hole.from);
        share.measured_through = hole.to;
        share.holes = share.holes.saturating_add(1);
        share.missing = share.missing + hole.to.saturating_since(hole.from);
        self.list_hole(hole);
    }

    /// Adds a hole whose end is known to those of the run.
    pub(super) fn list_hole(&mut self, hole: Hole) {
        self.ended_at = self.ended_at.max(hole.to);
        self.holes_total = self.holes_total.saturating_add(1);
        self.hole_us_total = self.hole_us_total + hole.to.saturating_since(hole.from);
        if self.holes.len() < HOLES_MAX {
            self.holes.push(hole);
        }
    }

    /// Whether this batch is known to have been lost in this slice.
    pub(super) fn was_lost(&self, slice: u32, batch: u32) -> bool {
        let open = self.shares.iter().filter_map(|share| share.hole.as_ref());
        self.holes
            .iter()
            .chain(open)
            .any(|hole| hole.slice == slice && hole.batch == batch && hole.reason.is_loss())
    }

    /// Counts the open iterations of handed over users as interrupted, because nobody will go on with them.
    pub(super) fn interrupt_carried(&mut self) {
        for share in &mut self.shares {
            share.ledger.interrupted += share.iterations_handed_over();
            share.carry = Vec::new();
            share.kept = None;
        }
    }

    /// Holds all ledgers against their equations.
    pub(super) fn audit(&mut self) {
        let mut found: Vec<LedgerFault> = Vec::new();
        for imbalance in self.ledger().imbalances() {
            found.push(LedgerFault::Total { imbalance });
        }
        for (batch, share) in (0..).zip(&self.shares) {
            for imbalance in share.ledger.imbalances() {
                found.push(LedgerFault::Batch { batch, imbalance });
            }
        }
        for fault in found {
            self.fault(fault);
        }
    }

    pub(super) fn fault(&mut self, fault: LedgerFault) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }
}
