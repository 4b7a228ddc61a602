//! Users that are out: they waited for an answer when their batch handed over the others, and come in later.
//!
//! Invariant: a user that is out is with the batch that lingers for it, on its way to the batch that plays its share, or
//! with the users for the next slice, and in no two of these places.

use serde::{Deserialize, Serialize};

use crate::ledger::{Ledger, MessageLedger};
use crate::run::book::{Book, Hole, LedgerFault};
use crate::run::share_book::ShareBook;
use crate::tick::Tick;
use crate::vu::{Away, VuCarry};
use crate::wire::{BatchEnd, EndReason};

/// A batch that has handed over its users but those that wait for an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Lingering {
    /// Its slice.
    pub(super) slice: u32,
    /// When that began.
    pub(super) from: Tick,
    /// When that ended.
    pub(super) until: Tick,
    /// The number of the next bundle that it tells.
    pub(super) next: u32,
    pub(super) closed_through: Tick,
    pub(super) out: Vec<Away>,
    /// What was open with its users when it handed over, and what it has told since.
    pub(super) ledger: Ledger,
}

impl Lingering {
    /// How many of its users are active.
    pub(super) fn active_users(&self) -> u32 {
        u32::try_from(self.out.len()).unwrap_or(u32::MAX)
    }
}

/// What has begun and has not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) iterations: u64,
    pub(super) requests: u64,
    pub(super) messages: u64,
}

impl Open {
    fn of(ledger: &Ledger) -> Self {
        Self {
            iterations: ledger.iterations_open(),
            requests: ledger.requests_open(),
            messages: ledger.messages.open(),
        }
    }
}

impl ShareBook {
    /// What is open, but not with batches that linger.
    pub(super) fn open_here(&self) -> Open {
        let mut open = Open::of(&self.ledger);
        for lingering in &self.lingering {
            let there = Open::of(&lingering.ledger);
            open.iterations = open.iterations.saturating_sub(there.iterations);
            open.requests = open.requests.saturating_sub(there.requests);
            open.messages = open.messages.saturating_sub(there.messages);
        }
        open
    }

    /// How many iterations are open with batches that linger.
    pub(super) fn iterations_out(&self) -> u64 {
        let ledgers = self.lingering.iter().map(|lingering| &lingering.ledger);
        ledgers.map(Ledger::iterations_open).sum()
    }

    /// The users that are out.
    pub(super) fn away(&self) -> Vec<Away> {
        let out = self.lingering.iter().flat_map(|lingering| &lingering.out);
        out.copied().collect()
    }

    /// A batch lingers from now on for these users.
    pub(super) fn begin_lingering(&mut self, mut lingering: Lingering) {
        let open = self.open_here();
        let in_iteration = lingering.out.iter().filter(|away| away.is_in_iteration);
        lingering.ledger = Ledger {
            started: in_iteration.count() as u64,
            sent: open.requests,
            messages: MessageLedger {
                begun: open.messages,
                ..MessageLedger::default()
            },
            ..Ledger::default()
        };
        self.lingering.push(lingering);
    }

    /// What is open is lost, and the hole tells of it.
    pub(super) fn lose(&mut self, hole: &mut Hole, open: Open) {
        hole.iterations_lost = open.iterations;
        hole.requests_cut_off = open.requests;
        self.ledger.lost += open.iterations;
        self.ledger.cut_off += open.requests;
        self.ledger.messages.cut_off += open.messages;
    }

    /// Takes users that are out no more. Answers those that the batch that plays the share has to be told of.
    fn take_in(&mut self, users: Vec<VuCarry>) -> Vec<VuCarry> {
        if self.playing {
            self.late.extend(users.iter().cloned());
            return users;
        }
        self.carry.extend(users);
        Vec::new()
    }
}

impl Book {
    /// Notes that a batch that lingers has told something.
    pub(super) fn note_lingering(
        &mut self,
        (slice, batch): (u32, u32),
        next: u32,
        closed_through: Tick,
        ledger: Ledger,
    ) {
        let share = self.share_mut(batch);
        let mut lingering = share.into_iter().flat_map(|share| &mut share.lingering);
        if let Some(lingering) = lingering.find(|lingering| lingering.slice == slice) {
            lingering.next = next;
            lingering.closed_through = lingering.closed_through.max(closed_through);
            lingering.ledger += ledger;
        }
    }

    /// Enters users that have come in. Answers those that the batch that plays their share has to be told of.
    pub(super) fn come_in(
        &mut self,
        (slice, batch): (u32, u32),
        users: Vec<VuCarry>,
    ) -> Vec<VuCarry> {
        let Some(share) = self.share_mut(batch) else {
            return Vec::new();
        };
        let mut lingering = share.lingering.iter_mut();
        let Some(lingering) = lingering.find(|lingering| lingering.slice == slice) else {
            return Vec::new();
        };
        let Lingering { out, ledger, .. } = lingering;
        let mut expected = users;
        expected.retain(|user| {
            let place = out.iter().position(|away| away.vu == user.vu);
            place.map(|place| out.remove(place)).is_some()
        });
        let in_iteration = expected.iter().filter(|user| user.position.is_some());
        ledger.started = ledger.started.saturating_sub(in_iteration.count() as u64);
        share.take_in(expected)
    }

    /// Enters the end of a batch that lingered. Its users that have not come in begin afresh; answers those that the
    /// batch that plays their share has to be told of.
    pub(super) fn end_lingering(
        &mut self,
        (slice, batch): (u32, u32),
        end: &BatchEnd,
    ) -> Vec<VuCarry> {
        self.ended_at = self.ended_at.max(end.at);
        let Some(share) = self.share_mut(batch) else {
            return Vec::new();
        };
        let Some(lingering) = share.take_lingering(slice) else {
            return Vec::new();
        };
        let is_stop = end.reason == EndReason::Stopped;
        share.done |= is_stop;
        let out = lingering.out.into_iter().map(Away::afresh);
        let told = share.take_in(out.collect());
        let is_quiet = !share.playing && share.lingering.is_empty();
        let (open, counted) = (share.open_here(), share.iterations_handed_over());
        if is_quiet {
            self.check_open((slice, batch), open, counted);
        }
        told
    }

    /// Enters the loss of a batch that lingered: what its users had open is lost, and they begin afresh. Answers those
    /// that the batch that plays their share has to be told of.
    pub(super) fn lose_lingering(&mut self, mut hole: Hole) -> Vec<VuCarry> {
        let Some(share) = self.share_mut(hole.batch) else {
            return Vec::new();
        };
        let Some(lingering) = share.take_lingering(hole.slice) else {
            return Vec::new();
        };
        hole.active_users = lingering.active_users();
        share.lose(&mut hole, Open::of(&lingering.ledger));
        let out = lingering.out.into_iter().map(Away::afresh);
        let told = share.take_in(out.collect());
        share.holes = share.holes.saturating_add(1);
        // The share is played by another batch: only these users are missing, not time of the share.
        self.list_hole(hole);
        told
    }

    /// Notes what is wrong at the end of a batch: nothing may be open with it but the iterations that it counts.
    pub(super) fn check_open(&mut self, (slice, batch): (u32, u32), open: Open, counted: u64) {
        let Open {
            iterations,
            requests,
            messages,
        } = open;
        if iterations != counted {
            self.fault(LedgerFault::OpenIterations {
                batch,
                slice,
                counted,
                ledger: iterations,
            });
        }
        if requests != 0 {
            self.fault(LedgerFault::OpenRequests {
                batch,
                slice,
                open: requests,
            });
        }
        if messages != 0 {
            self.fault(LedgerFault::OpenMessages {
                batch,
                slice,
                open: messages,
            });
        }
    }

    /// The batches that linger, with their shares.
    pub(super) fn lingering(&self) -> impl Iterator<Item = (u32, &Lingering)> {
        let shares = (0..).zip(&self.shares);
        shares.flat_map(|(batch, share)| share.lingering.iter().map(move |of| (batch, of)))
    }
}

impl ShareBook {
    fn take_lingering(&mut self, slice: u32) -> Option<Lingering> {
        let mut lingering = self.lingering.iter();
        let place = lingering.position(|lingering| lingering.slice == slice)?;
        Some(self.lingering.remove(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::LossReason;
    use crate::run::book::SliceTimes;
    use crate::vu::VuId;

    /// What remains of a user after a crash, which has forgotten that the batch that lingered for it was lost: the end of
    /// the batch that played the next slice, then the loss again.
    fn users_after_a_crash(missed: bool) -> Vec<VuId> {
        let user = Away {
            vu: VuId(7),
            iterations: 3,
            is_in_iteration: true,
        };
        let end = |carry, out, missed| BatchEnd {
            reason: EndReason::SliceOver,
            at: Tick::ZERO,
            carry,
            iterations_open: 0,
            out,
            missed,
            handed_over: Vec::new(),
            colo: None,
        };
        let times = || SliceTimes {
            from: Tick::ZERO,
            until: Tick::ZERO,
        };
        let mut book = Book::new(1);
        book.end_batch((0, 0), times(), 1, end(vec![], vec![user], vec![]), false);
        let second = if missed {
            end(vec![], vec![], vec![user.vu])
        } else {
            end(vec![user.afresh()], vec![], vec![])
        };
        book.end_batch((1, 0), times(), 1, second, false);
        let told = book.lose_lingering(Hole {
            slice: 0,
            batch: 0,
            from: Tick::ZERO,
            to: Tick::ZERO,
            reason: LossReason::CoordinatorRestarted,
            active_users: 0,
            iterations_lost: 0,
            requests_cut_off: 0,
            arrivals_planned: None,
        });
        assert!(told.is_empty(), "nobody plays");
        let carry = book.shares.iter().flat_map(|share| &share.carry);
        carry.map(|user| user.vu).collect()
    }

    #[test]
    fn a_loss_that_a_crash_has_forgotten_begins_no_user_twice() {
        assert_eq!(users_after_a_crash(false), [VuId(7)]);
        assert_eq!(users_after_a_crash(true), [VuId(7)]);
    }
}
