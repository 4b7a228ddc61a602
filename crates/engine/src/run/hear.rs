//! How a run takes in what its lines tell, and what it makes of those that tell nothing.

use crate::bundle::Bundle;
use crate::inbox::Reception;
use crate::run::book::{Book, Hole};
use crate::run::machine::{Load, State};
use crate::run::slice::{LineId, LostBatch};
use crate::run::stored::Stored;
use crate::run::types::{LossReason, Output, StopReason};
use crate::vu::VuCarry;
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
        let mut stopped = false;
        let mut came_in: Vec<(u32, Vec<VuCarry>)> = Vec::new();
        for bundle in bundles {
            let id = (bundle.slice, bundle.line);
            let next = bundle.sequence.saturating_add(1);
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
                let of = (bundle.slice, news.batch);
                self.book.frames_merged += u64::from(news.is_told());
                if news.forgot {
                    self.book.forget(bundle.slice, news.batch, slice.from);
                }
                let lingered = slice.lingers(id, news.batch);
                let stays = news.end.as_ref().is_some_and(|end| !end.out.is_empty());
                self.book.add_news(bundle.slice, &news, lingered || stays);
                if lingered {
                    let through = news.closed_through;
                    self.book.note_lingering(of, next, through, news.ledger);
                    let users = self.book.come_in(of, std::mem::take(&mut news.late));
                    came_in.push((news.batch, users));
                }
                if let Some(lost) = slice.note(id, &news) {
                    came_in.push((news.batch, lose(&mut self.book, lost)));
                }
                if let Some(end) = news.end.take() {
                    stopped |= end.reason == EndReason::Stopped;
                    if let Some(colo) = end.colo {
                        self.book.places.note(region, colo);
                    }
                    let shard = !self.config.shards.is_empty();
                    if lingered {
                        came_in.push((news.batch, self.book.end_lingering(of, &end)));
                    } else {
                        let times = slice.times_of(id);
                        self.book.end_batch(of, times, next, end, shard);
                    }
                }
            }
        }
        let number = slice.number;
        self.tell_adopted(number, came_in);
        if stopped {
            // A batch that stops without being asked has seen a sign that the run must not overlook.
            self.ask_to_stop(StopReason::Cancelled);
        }
    }

    /// Has the batches of the slice told of users that have come in.
    fn tell_adopted(&mut self, slice: u32, came_in: Vec<(u32, Vec<VuCarry>)>) {
        for (batch, users) in came_in {
            if !users.is_empty() {
                // Only batches with a line of their own linger.
                self.outputs.push_back(Output::Adopt {
                    slice,
                    line: batch,
                    users,
                });
            }
        }
    }

    /// Counts the batches of a line as lost.
    pub(super) fn lose(&mut self, id: LineId, reason: LossReason) {
        let State::Playing(slice) = &mut self.state else {
            return;
        };
        let number = slice.number;
        let lost = slice.lose(id, reason);
        let came_in = lost
            .into_iter()
            .map(|lost| (lost.batch, lose(&mut self.book, lost)));
        let came_in = came_in.collect();
        self.tell_adopted(number, came_in);
    }

    /// Counts the batches as lost that have been silent for too long.
    pub(super) fn lose_silent(&mut self) {
        let State::Playing(slice) = &self.state else {
            return;
        };
        let overdue: Vec<LineId> = self
            .deadlines(slice)
            .filter(|(_, deadline)| *deadline <= self.now)
            .map(|(id, _)| id)
            .collect();
        for (slice, line) in overdue {
            self.outputs.push_back(Output::StopLine { slice, line });
            self.lose((slice, line), LossReason::Silent);
        }
    }
}

/// Enters the loss of a batch. Answers the users that begin afresh in the batch that plays their share.
fn lose(book: &mut Book, lost: LostBatch) -> Vec<VuCarry> {
    let LostBatch {
        slice,
        batch,
        live,
        reason,
        lingered,
    } = lost;
    let hole = Hole {
        slice,
        batch,
        from: live.closed_through,
        to: live.closed_through,
        reason,
        active_users: live.active_users,
        iterations_lost: 0,
        requests_cut_off: 0,
        arrivals_planned: None,
    };
    if lingered {
        return book.lose_lingering(hole);
    }
    book.lose_batch(hole);
    Vec::new()
}
