//! How a run takes in what its lines tell, and what it makes of those that tell nothing.

use crate::bundle::Bundle;
use crate::inbox::Reception;
use crate::run::book::Hole;
use crate::run::machine::{Load, State};
use crate::run::slice::LostBatch;
use crate::run::stored::Stored;
use crate::run::types::{LossReason, Output, StopReason};
use crate::wire::EndReason;

impl Load {
    /// Takes in what a line told.
    pub(super) fn receive(&mut self, bundle: Bundle) {
        let State::Playing(slice) = &mut self.state else {
            self.count_if_lost(&bundle);
            return;
        };
        match slice.reception(&bundle, &self.plan) {
            Reception::New => {
                self.outputs
                    .push_back(Output::Persist(Stored::Bundle(bundle.clone())));
                let ready = slice.take(self.now, bundle);
                self.merge(ready);
            }
            Reception::Known => {}
            Reception::Refused => self.book.frames_ignored += 1,
            Reception::TooLate => self.count_if_lost(&bundle),
        }
    }

    /// Counts a bundle of a slice that is over, unless it only repeats what is known.
    fn count_if_lost(&mut self, bundle: &Bundle) {
        let mut news = bundle.news.iter();
        if news.any(|news| self.book.was_lost(bundle.slice, news.batch)) {
            self.book.frames_ignored += 1;
            self.book.frames_late += 1;
        }
    }

    /// Enters bundles of the current slice in the books.
    pub(super) fn merge(&mut self, bundles: Vec<Bundle>) {
        let State::Playing(slice) = &mut self.state else {
            return;
        };
        let (number, until) = (slice.number, slice.until);
        let mut stopped = false;
        for bundle in bundles {
            self.book.frames_ignored += bundle.ignored;
            self.book.frames_late += bundle.late;
            let region = self.config.region_of(bundle.line);
            self.book.places.add(region, &bundle.windows);
            for window in &bundle.windows {
                if let Some(late) = self.book.add_window(window) {
                    self.judging.add_windows(&self.plan, window.second, &late);
                }
            }
            for mut news in bundle.news {
                self.book.frames_merged += u64::from(news.is_told());
                if news.forgot {
                    self.book.forget(number, news.batch, slice.from);
                }
                self.book.add_news(&news);
                if let Some(lost) = slice.note(bundle.line, &news) {
                    self.book.lose_batch(hole(number, lost));
                }
                if let Some(end) = news.end.take() {
                    stopped |= end.reason == EndReason::Stopped;
                    if let Some(colo) = end.colo {
                        self.book.places.note(region, colo);
                    }
                    let shard = !self.config.shards.is_empty();
                    self.book.end_batch(number, news.batch, until, end, shard);
                }
            }
        }
        if stopped {
            // A batch that stops without being asked has seen a sign that the run must not overlook.
            self.ask_to_stop(StopReason::Cancelled);
        }
    }

    /// Counts the batches of a line as lost.
    pub(super) fn lose(&mut self, line: u32, reason: LossReason) {
        let State::Playing(slice) = &mut self.state else {
            return;
        };
        for lost in slice.lose(line, reason) {
            self.book.lose_batch(hole(slice.number, lost));
        }
    }

    /// Counts the batches as lost that have been silent for too long.
    pub(super) fn lose_silent(&mut self) {
        let State::Playing(slice) = &self.state else {
            return;
        };
        let number = slice.number;
        let overdue: Vec<u32> = self
            .deadlines(slice)
            .filter(|(_, deadline)| *deadline <= self.now)
            .map(|(line, _)| line)
            .collect();
        for line in overdue {
            self.outputs.push_back(Output::StopLine {
                slice: number,
                line,
            });
            self.lose(line, LossReason::Silent);
        }
    }
}

/// The hole that a lost batch leaves.
fn hole(slice: u32, lost: LostBatch) -> Hole {
    let LostBatch {
        batch,
        live,
        reason,
    } = lost;
    Hole {
        slice,
        batch,
        from: live.closed_through,
        to: live.closed_through,
        reason,
        active_users: live.active_users,
        iterations_lost: 0,
        requests_cut_off: 0,
        arrivals_planned: None,
    }
}
