//! How a run's load ends: its books are closed, everything is judged, and the report is written.

use crate::phase::phase_at;
use crate::run::machine::{Load, State};
use crate::run::stored::{CHECKPOINT_VERSION, Checkpoint, Stop, Stored};
use crate::run::types::{Output, StopReason};
use crate::summary::{Ending, Report};

impl Load {
    /// Closes the run.
    pub(super) fn finish(&mut self) {
        let load_ends = self.load_ends();
        if let Some(stop) = &self.stop {
            self.book.ended_at = self.book.ended_at.max(stop.at);
        }
        let to = self.pause_end();
        let batches = u32::try_from(self.book.shares.len()).unwrap_or(u32::MAX);
        // Before the holes are closed: an open one tells of each second how much of it is missing.
        let rows = self.book.publish(
            to.second(),
            &self.plan,
            self.config.epoch_ms,
            load_ends,
            &mut self.judging,
        );
        self.push_rows(rows);
        for batch in 0..batches {
            self.book.close_hole(batch, to);
        }
        self.book.interrupt_carried();
        self.book.audit();
        let rows = self.book.publish_rest(
            &self.plan,
            self.config.epoch_ms,
            load_ends,
            &mut self.judging,
        );
        self.push_rows(rows);
        let last = self.book.ended_at.min(load_ends);
        self.judging.add_coverage(
            last.second(),
            phase_at(self.plan.phases(), last),
            self.book.coverage(load_ends),
        );
        self.judging.finish(self.book.ended_at);
        self.checkpoint(true);
        self.state = State::Finished;
    }

    pub(super) fn checkpoint(&mut self, finished: bool) {
        let checkpoint = Checkpoint {
            version: CHECKPOINT_VERSION,
            at: self.now,
            finished,
            book: self.book.clone(),
            judging: self.judging.state(),
        };
        self.outputs
            .push_back(Output::Persist(Stored::Checkpoint(Box::new(checkpoint))));
    }

    pub(super) fn report(&self) -> Report {
        let ending = match &self.stop {
            Some(Stop {
                reason: StopReason::Cancelled,
                ..
            }) => Ending::Cancelled(None),
            Some(Stop {
                reason: StopReason::Stopped(why),
                ..
            }) => Ending::Cancelled(Some(why.clone())),
            Some(Stop {
                reason: StopReason::Failed(why),
                ..
            }) => Ending::Failed(why.clone()),
            Some(Stop {
                reason: StopReason::ThresholdCrossed,
                ..
            }) => Ending::ThresholdCrossed,
            None => Ending::PlanOver,
        };
        Report::new(&self.plan, &self.config, &self.book, &self.judging, &ending)
    }
}
