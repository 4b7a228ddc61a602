//! The ledger: proof that every planned iteration and every sent request is accounted for.
//!
//! Invariant, checked at the end of every run: planned = started + dropped;
//! started = finished + interrupted + lost; sent = answered + failed + cut off; and of messages,
//! begun = one way + answered + timed out + cut off. Nothing here is computed as a remainder of the others.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Counts of iterations and requests, either of one window or of a whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Ledger {
    /// Iterations that the plan called for.
    pub planned: u64,
    /// Iterations that a virtual user began.
    pub started: u64,
    /// Iterations that were due when no virtual user was free.
    pub dropped: u64,
    /// Iterations that ran to their end.
    pub finished: u64,
    /// Iterations that a stop ended before their end.
    pub interrupted: u64,
    /// Iterations whose fate is unknown because their batch was lost.
    pub lost: u64,
    /// Requests that were handed to the network.
    pub sent: u64,
    /// Requests that got a complete answer, whatever its status.
    pub answered: u64,
    /// Requests that ended without an answer: no connection, a reset, a time-out.
    pub failed: u64,
    /// Requests that were given up because the generator stopped or was lost.
    pub cut_off: u64,
    /// Messages of sessions over WebSockets.
    #[serde(skip_serializing_if = "MessageLedger::is_empty")]
    pub messages: MessageLedger,
}

/// Counts of messages that were sent over WebSockets, and of those that were waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct MessageLedger {
    /// Messages that were sent, and waits that began.
    pub begun: u64,
    /// Messages that were sent without an answer to wait for.
    pub one_way: u64,
    /// Messages that were answered, and those that came as they were waited for.
    pub answered: u64,
    /// Answers and messages that did not come in time.
    pub timed_out: u64,
    /// Answers and messages that did not come before their session was over, or was lost with its batch.
    pub cut_off: u64,
}

/// An equation of the ledger that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", tag = "equation")]
pub enum Imbalance {
    /// planned ≠ started + dropped.
    #[error("planned {planned} is not started {started} + dropped {dropped}")]
    Planned {
        /// Iterations planned.
        planned: u64,
        /// Iterations started.
        started: u64,
        /// Iterations dropped.
        dropped: u64,
    },
    /// started ≠ finished + interrupted + lost.
    #[error(
        "started {started} is not finished {finished} + interrupted {interrupted} + lost {lost}"
    )]
    Started {
        /// Iterations started.
        started: u64,
        /// Iterations finished.
        finished: u64,
        /// Iterations interrupted.
        interrupted: u64,
        /// Iterations lost.
        lost: u64,
    },
    /// sent ≠ answered + failed + cut off.
    #[error("sent {sent} is not answered {answered} + failed {failed} + cut off {cut_off}")]
    Sent {
        /// Requests sent.
        sent: u64,
        /// Requests answered.
        answered: u64,
        /// Requests failed.
        failed: u64,
        /// Requests cut off.
        cut_off: u64,
    },
    /// begun ≠ one way + answered + timed out + cut off.
    #[error(
        "messages begun {begun} is not one way {one_way} + answered {answered} + timed out {timed_out} + cut off \
         {cut_off}"
    )]
    #[serde(rename_all = "camelCase")]
    Messages {
        /// Messages begun.
        begun: u64,
        /// Messages without an answer to wait for.
        one_way: u64,
        /// Messages answered.
        answered: u64,
        /// Messages not in time.
        timed_out: u64,
        /// Messages cut off.
        cut_off: u64,
    },
}

impl Ledger {
    /// What it says of requests, and nothing of iterations.
    #[must_use]
    pub const fn requests(&self) -> Self {
        Self {
            planned: 0,
            started: 0,
            dropped: 0,
            finished: 0,
            interrupted: 0,
            lost: 0,
            ..*self
        }
    }

    /// The equations that do not hold; empty when the ledger balances.
    #[must_use]
    pub fn imbalances(&self) -> Vec<Imbalance> {
        let Self {
            planned,
            started,
            dropped,
            finished,
            interrupted,
            lost,
            sent,
            answered,
            failed,
            cut_off,
            messages,
        } = *self;
        let mut found = Vec::new();
        if planned != started + dropped {
            found.push(Imbalance::Planned {
                planned,
                started,
                dropped,
            });
        }
        if started != finished + interrupted + lost {
            found.push(Imbalance::Started {
                started,
                finished,
                interrupted,
                lost,
            });
        }
        if sent != answered + failed + cut_off {
            found.push(Imbalance::Sent {
                sent,
                answered,
                failed,
                cut_off,
            });
        }
        found.extend(messages.imbalance());
        found
    }

    /// Iterations that were started and have not ended in any way yet.
    #[must_use]
    pub const fn iterations_open(&self) -> u64 {
        self.started
            .saturating_sub(self.finished + self.interrupted + self.lost)
    }

    /// Requests that were sent and have not ended in any way yet.
    #[must_use]
    pub const fn requests_open(&self) -> u64 {
        self.sent
            .saturating_sub(self.answered + self.failed + self.cut_off)
    }
}

impl MessageLedger {
    /// Whether there were none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Messages that have begun and not ended in any way yet.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.begun
            .saturating_sub(self.one_way + self.answered + self.timed_out + self.cut_off)
    }

    fn imbalance(self) -> Option<Imbalance> {
        let Self {
            begun,
            one_way,
            answered,
            timed_out,
            cut_off,
        } = self;
        (begun != one_way + answered + timed_out + cut_off).then_some(Imbalance::Messages {
            begun,
            one_way,
            answered,
            timed_out,
            cut_off,
        })
    }
}

impl AddAssign for MessageLedger {
    fn add_assign(&mut self, other: Self) {
        self.begun += other.begun;
        self.one_way += other.one_way;
        self.answered += other.answered;
        self.timed_out += other.timed_out;
        self.cut_off += other.cut_off;
    }
}

impl AddAssign for Ledger {
    fn add_assign(&mut self, other: Self) {
        self.planned += other.planned;
        self.started += other.started;
        self.dropped += other.dropped;
        self.finished += other.finished;
        self.interrupted += other.interrupted;
        self.lost += other.lost;
        self.sent += other.sent;
        self.answered += other.answered;
        self.failed += other.failed;
        self.cut_off += other.cut_off;
        self.messages += other.messages;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_account_balances() {
        let ledger = Ledger {
            planned: 10,
            started: 8,
            dropped: 2,
            finished: 5,
            interrupted: 2,
            lost: 1,
            sent: 20,
            answered: 17,
            failed: 2,
            cut_off: 1,
            messages: MessageLedger {
                begun: 11,
                one_way: 5,
                answered: 3,
                timed_out: 2,
                cut_off: 1,
            },
        };
        assert_eq!(ledger.imbalances(), []);
    }

    #[test]
    fn each_equation_is_checked() {
        let ledger = Ledger {
            planned: 1,
            started: 2,
            sent: 3,
            messages: MessageLedger {
                begun: 4,
                ..MessageLedger::default()
            },
            ..Ledger::default()
        };
        assert_eq!(ledger.imbalances().len(), 4);
        assert_eq!(ledger.messages.open(), 4);
        assert_eq!(ledger.iterations_open(), 2);
        assert_eq!(ledger.requests_open(), 3);
    }
}
