//! How a run's load comes back after its coordinator was lost.

use crate::bundle::Bundle;
use crate::inbox::Reception;
use crate::plan::Plan;
use crate::run::judging::Judging;
use crate::run::machine::{Load, State};
use crate::run::slice::Slice;
use crate::run::stored::{Restored, SliceStarted};
use crate::run::types::{LossReason, RunConfig};
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
                run.state = State::Finished(Box::new(run.report()));
                return run;
            }
        }
        if let Some(started) = slice {
            run.resume_slice(&started, bundles);
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
        self.publish(started.from.second());
        for batch in &started.batches {
            let played_from = started.from.min(self.plan_end());
            self.book.begin_batch(*batch, played_from);
            if let Some(share) = self.book.share_mut(*batch) {
                share.carry = Vec::new();
                share.kept = None;
            }
        }
        self.state = State::Playing(Slice::new(started, &self.config));
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
        let live: Vec<u32> = slice.lines_live().collect();
        if let Some(horizon) = slice.seconds_closed() {
            self.publish(horizon);
        }
        for line in live {
            self.lose(line, LossReason::CoordinatorRestarted);
        }
    }
}
