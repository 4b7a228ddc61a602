//! A request from its arrival to its end.
//!
//! Invariant: a visit that is dropped before its end counts as aborted by the client, because nothing else
//! drops one: hyper lets go of what it serves when the connection is gone.

use std::sync::Arc;

use crate::ledger::{Account, Ledger};
use crate::socket::Counts;

/// A request that is being served.
#[derive(Debug)]
pub(crate) struct Visit {
    ledger: Arc<Ledger>,
    account: Account,
    stage: Stage,
    last_event_us: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Sending,
    Over,
}

impl Visit {
    /// Counts an arrival.
    pub(crate) fn new(
        ledger: &Arc<Ledger>,
        path: &str,
        batch: Option<(&str, &str)>,
        connection: u64,
    ) -> Self {
        Self {
            ledger: Arc::clone(ledger),
            account: ledger.arrived(path, batch, connection),
            stage: Stage::Waiting,
            last_event_us: None,
        }
    }

    /// The request's number on its path, from 1.
    pub(crate) const fn nth(&self) -> u64 {
        self.account.nth
    }

    /// Bytes of its body came.
    pub(crate) fn received(&self, bytes: usize) {
        self.ledger
            .change(self.account, |tally| tally.bytes_received += bytes as u64);
    }

    /// The head of the answer goes out.
    pub(crate) fn answer(&mut self) {
        if self.stage == Stage::Waiting {
            self.stage = Stage::Sending;
            self.ledger.answered(self.account);
        }
    }

    /// Bytes of the answer's body go out.
    pub(crate) fn send(&self, bytes: usize) {
        self.ledger
            .change(self.account, |tally| tally.bytes_sent += bytes as u64);
    }

    /// The answer is a stream, perhaps behind the end of an earlier one.
    pub(crate) fn stream(&self, resumes: bool) {
        self.ledger.streams(self.account, |stream| {
            stream.streams += 1;
            stream.resumed += u64::from(resumes);
        });
    }

    /// Where a session is counted that follows the answer.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            ledger: Arc::clone(&self.ledger),
            account: self.account,
        }
    }

    /// An event of the stream goes out.
    pub(crate) fn event(&mut self) {
        let before = self.last_event_us;
        self.last_event_us = Some(self.ledger.event(self.account, before));
    }

    /// The answer is complete.
    pub(crate) fn complete(&mut self) {
        self.answer();
        self.end(Column::Completed);
    }

    /// The testbed breaks the answer off, as it was asked to.
    pub(crate) fn break_off(&mut self) {
        self.end(Column::Broken);
    }

    fn end(&mut self, column: Column) {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        if stage == Stage::Over {
            return;
        }
        self.ledger.change(self.account, |tally| {
            match stage {
                Stage::Waiting => tally.waiting -= 1,
                Stage::Sending | Stage::Over => tally.sending -= 1,
            }
            match column {
                Column::Completed => tally.completed += 1,
                Column::Aborted => tally.aborted += 1,
                Column::Broken => tally.broken += 1,
            }
        });
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.end(Column::Aborted);
    }
}

enum Column {
    Completed,
    Aborted,
    Broken,
}
