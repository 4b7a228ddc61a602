//! Publishing: seconds that every share has told about become rows, are judged, and enter the totals.
//!
//! Invariant: a row is final once it is published, and a run has at most [`ROWS_MAX`] of them: how many
//! seconds a row covers follows from the plan alone, so that a run that comes back goes on with the same rows.

use crate::inbox::FUTURE_MAX;
use crate::plan::Plan;
use crate::run::book::{Book, PAUSE_MAX};
use crate::run::coverage::Coverage;
use crate::run::judging::{Final, Judging};

use crate::tick::{Span, Tick};
use crate::timeline::{OpenRow, Point, Second, TimelineRow};

/// How many rows of the time line a run publishes at most: a row for each second of an hour.
pub const ROWS_MAX: u32 = 3_600;

/// How many seconds a row may cover: each divides the next larger unit of time, so that rows begin at round
/// times of the run. Beyond the last, it is whole hours.
const SECONDS_PER_ROW: [u32; 13] = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_800];

/// How many seconds each row of `load_test_metrics` covers in a run of this plan: as few as [`ROWS_MAX`] allows,
/// even if the last requests of the run end as late as they may. The last row may cover fewer.
#[must_use]
pub fn seconds_per_row(plan: &Plan) -> u32 {
    let longest = plan.duration() + plan.graceful_stop() + plan.request_timeout + FUTURE_MAX;
    let seconds = seconds_begun(Tick::ZERO + longest).saturating_add(1);
    let fits = |per_row: &u32| seconds.div_ceil(*per_row) <= ROWS_MAX;
    let hours = seconds.div_ceil(ROWS_MAX).div_ceil(3_600);
    let found = SECONDS_PER_ROW.into_iter().find(fits);
    found.unwrap_or(hours.saturating_mul(3_600))
}

impl Book {
    /// Publishes the seconds before `horizon` that have not been, and has them judged. Those after the end of
    /// the plan are held back as long as nothing happened in them or after them.
    pub(super) fn publish(
        &mut self,
        horizon: u32,
        plan: &Plan,
        epoch_ms: u64,
        load_ends: Tick,
        judging: &mut Judging,
    ) -> Vec<TimelineRow> {
        let eventful = self.activity.map_or(0, |second| second.saturating_add(1));
        let horizon = horizon.min(planned_seconds(plan).max(eventful));
        let mut rows = Vec::new();
        if self.published >= horizon {
            return rows;
        }
        let ledger = self.ledger();
        let seconds_per_row = seconds_per_row(plan);
        while self.published < horizon {
            let number = self.published;
            let second = self.open.remove(&number).unwrap_or_default();
            let point = second.to_point(number, plan.phases());
            rows.extend(self.fill_row(&point, &second, seconds_per_row, epoch_ms));
            self.totals.add(&second);
            let end = Tick::from_second(number.saturating_add(1));
            let of = Final {
                number,
                second: &second,
                phase: point.phase,
                coverage: self.coverage_before(end, load_ends),
                ledger,
            };
            judging.add(plan, of);
            self.timeline.push(point);
            self.published += 1;
        }
        rows
    }

    /// Publishes what is left at the run's end: every second that the plan had up to then, and every later one
    /// in which something happened.
    pub(super) fn publish_rest(
        &mut self,
        plan: &Plan,
        epoch_ms: u64,
        load_ends: Tick,
        judging: &mut Judging,
    ) -> Vec<TimelineRow> {
        let eventful = self.activity.map_or(0, |second| second.saturating_add(1));
        let played = seconds_begun(self.ended_at).min(planned_seconds(plan));
        let load_ends = load_ends.min(self.ended_at);
        let mut rows = self.publish(eventful.max(played), plan, epoch_ms, load_ends, judging);
        rows.extend(self.row.take().map(|row| row.close(epoch_ms)));
        rows
    }

    /// Adds a second to the row that it belongs to; answers the row when it is full.
    fn fill_row(
        &mut self,
        point: &Point,
        second: &Second,
        seconds_per_row: u32,
        epoch_ms: u64,
    ) -> Option<TimelineRow> {
        if seconds_per_row == 1 {
            return Some(point.to_row(epoch_ms));
        }
        match &mut self.row {
            Some(row) => row.add(point, second),
            None => self.row = Some(OpenRow::new(point.clone(), second)),
        }
        let next = point.second.saturating_add(1);
        let row = self.row.take_if(|_| next.is_multiple_of(seconds_per_row))?;
        Some(row.close(epoch_ms))
    }

    /// The coverage of the run up to `at`; after `load_ends` nothing is due. A share that pauses between two
    /// slices does not count before it is known whether the pause becomes a hole.
    fn coverage_before(&self, at: Tick, load_ends: Tick) -> Coverage {
        let at = at.min(load_ends);
        let mut sum = Coverage {
            due: Span::ZERO,
            missing: self.hole_us_total,
        };
        for share in &self.shares {
            let pauses_from = share.measured_through;
            let missing_from = match &share.hole {
                Some(hole) => hole.from,
                None if share.playing || share.done => at,
                None if at > pauses_from + PAUSE_MAX => pauses_from,
                None => {
                    sum.due = sum.due + at.min(pauses_from).saturating_since(Tick::ZERO);
                    continue;
                }
            };
            sum.due = sum.due + at.saturating_since(Tick::ZERO);
            sum.missing = sum.missing + at.saturating_since(missing_from);
        }
        sum
    }

    /// The coverage of a run that is over, all of whose holes are closed.
    pub(super) fn coverage(&self, load_ends: Tick) -> Coverage {
        let played = self.ended_at.min(load_ends).saturating_since(Tick::ZERO);
        let shares = self.shares.iter();
        Coverage {
            due: shares.fold(Span::ZERO, |due, _| due + played),
            missing: self.hole_us_total,
        }
    }
}

/// How many seconds have begun before the planned end, without the grace after it.
fn planned_seconds(plan: &Plan) -> u32 {
    seconds_begun(Tick::ZERO + plan.duration())
}

/// How many seconds have begun before `at`.
fn seconds_begun(at: Tick) -> u32 {
    u32::try_from(at.as_us().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}
