//! How a run's load comes back after its coordinator was lost.

use crate::bundle::Bundle;
use crate::inbox::Reception;
use crate::plan::Plan;
use crate::run::book::Hole;
use crate::run::judging::Judging;
use crate::run::machine::{Load, State};
use crate::run::slice::{Line, LineId, Slice, seconds_closed};
use crate::run::stored::{Restored, SliceStarted};
use crate::run::types::{LossReason, Output, RunConfig};
use crate::tick::Tick;

impl Load {
    /// A load that goes on at `now` from what an earlier one stored, whatever it was doing. The batches of the
    /// slice that was played count as lost; the time until the next slice is a hole. The plan's time did not
    /// stop meanwhile: if its end has passed, the load finishes.
    pub(super) fn restore(plan: Plan, config: RunConfig, restored: Restored, now: Tick) -> Self {
        let Restored {
            checkpoint,
            slice,
            stop,
            bundles,
            once: _,
        } = restored;
        let mut run = Self::new(plan, config);
        run.stop = stop;
        run.now = now;
        let known = checkpoint.is_some() || slice.is_some();
        if let Some(checkpoint) = checkpoint {
            run.now = now.max(checkpoint.at);
            run.book = checkpoint.book;
            run.judging = Judging::restored(&run.plan, checkpoint.judging);
            if checkpoint.finished {
                run.state = State::Finished;
                return run;
            }
        }
        run.lingering = run
            .book
            .lingering()
            .map(|(batch, of)| ((of.slice, batch), Line::lingering(batch, of)))
            .collect();
        if let Some(started) = slice {
            run.resume_slice(&started, bundles);
        } else {
            run.lose_lingering();
        }
        if known {
            let reason = LossReason::CoordinatorRestarted;
            run.book.open_holes(run.pause_end(), reason);
            run.advance();
        }
        run
    }

    /// Rebuilds the slice that was played, as far as its bundles tell. Its batches cannot be reached any more.
    fn resume_slice(&mut self, started: &SliceStarted, bundles: Vec<Bundle>) {
        self.now = self.now.max(started.from);
        // Pauses before this slice were stated when it started, which no checkpoint tells.
        let paused_until = started.from.min(self.pause_end());
        self.book.open_holes(paused_until, self.pause_reason());
        self.book.slices = started.slice.saturating_add(1);
        let closed = seconds_closed(&self.lingering).unwrap_or(u32::MAX);
        self.publish(started.from.second().min(closed));
        for batch in &started.batches {
            let played_from = started.from.min(self.plan_end());
            self.book.begin_batch(*batch, played_from);
            if let Some(share) = self.book.share_mut(*batch) {
                share.carry = Vec::new();
                share.kept = None;
            }
        }
        let lingering = std::mem::take(&mut self.lingering);
        self.state = State::Playing(Slice::new(started, &self.config, lingering));
        for bundle in bundles {
            if let State::Playing(slice) = &mut self.state
                && slice.reception(&bundle, &self.plan) == Reception::New
            {
                let ready = slice.take(started.from, bundle);
                self.merge(ready);
            }
        }
        let State::Playing(slice) = &mut self.state else {
            return;
        };
        // Whether the batches could be started is not known: no attempt that failed.
        slice.fruitful = true;
        let open: Vec<LineId> = slice.lines_open().collect();
        if let Some(horizon) = slice.seconds_closed() {
            self.publish(horizon);
        }
        for id in open {
            self.lose(id, LossReason::CoordinatorRestarted);
        }
        // There is nobody to be told of users that came in.
        self.outputs
            .retain(|output| !matches!(output, Output::Adopt { .. }));
    }

    /// Counts the batches as lost that lingered when no slice was played: they cannot be reached any more either.
    fn lose_lingering(&mut self) {
        self.lingering.clear();
        let lost = self.book.lingering();
        let holes: Vec<Hole> = lost
            .map(|(batch, of)| Hole {
                slice: of.slice,
                batch,
                from: of.closed_through,
                to: of.closed_through,
                reason: LossReason::CoordinatorRestarted,
                active_users: of.active_users(),
                iterations_lost: 0,
                requests_cut_off: 0,
                arrivals_planned: None,
            })
            .collect();
        for hole in holes {
            self.book.lose_lingering(hole);
        }
    }
}
