//! Whether every session and every message is accounted for.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use testbed::Stats;

/// The counts of both sides.
#[derive(Debug)]
pub(crate) struct Account {
    wanted: u64,
    sessions: Counted,
    sent: Counted,
    received: Counted,
    ended_by_error: u64,
    begun: u64,
    answered: u64,
    timed_out: u64,
    cut_off: u64,
}

/// What the load tester says, and what the target does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    told: u64,
    truth: u64,
}

impl Account {
    /// Reads them.
    ///
    /// # Errors
    /// When a side has nothing to tell of sessions.
    pub(crate) fn of(summary: &Value, stats: &Stats, wanted: u32) -> Result<Self> {
        let told = &summary["steps"][0]["socket"];
        let path = stats.paths.get("/ws/held");
        let truth = path.and_then(|path| path.socket.as_ref());
        let truth = truth.context("the target has had no session")?;
        let count = |value: &Value| value.as_u64().context("a count is missing in the summary");
        let message = &told["messages"][0];
        Ok(Self {
            wanted: wanted.into(),
            sessions: Counted {
                told: count(&told["sessions"])?,
                truth: truth.sessions,
            },
            sent: Counted {
                told: count(&told["messagesSent"])?,
                truth: truth.received,
            },
            received: Counted {
                told: count(&told["messagesReceived"])?,
                truth: truth.sent,
            },
            ended_by_error: told["ended"]["error"].as_u64().unwrap_or(0),
            begun: count(&message["begun"])?,
            answered: count(&message["answered"])?,
            timed_out: count(&message["timedOut"])?,
            cut_off: count(&message["cutOff"])?,
        })
    }

    /// Whether no session is lost and every message is where it belongs.
    pub(crate) fn holds(&self) -> bool {
        self.sessions.told == self.sessions.truth
            && self.sessions.told >= self.wanted
            && self.ended_by_error == 0
            && self.sent.told == self.sent.truth
            && self.begun == self.sent.told
            && self.begun == self.answered + self.timed_out + self.cut_off
            // An answer that nobody waits for any more may come when the session is over.
            && self.received.truth - self.received.told.min(self.received.truth)
                <= self.timed_out + self.cut_off
    }

    /// Prints them.
    pub(crate) fn show(&self, name: &str) {
        let Self {
            wanted,
            sessions,
            sent,
            received,
            ended_by_error,
            ..
        } = self;
        println!(
            "  {name}: {wanted} sessions at once: {} opened (the target says {}), {ended_by_error} ended by an error",
            sessions.told, sessions.truth
        );
        println!(
            "    {} messages sent ({}), {} received ({}); {} = {} answered + {} timed out + {} cut off",
            sent.told,
            sent.truth,
            received.told,
            received.truth,
            self.begun,
            self.answered,
            self.timed_out,
            self.cut_off
        );
        let verdict = if self.holds() {
            "holds"
        } else {
            "DOES NOT HOLD"
        };
        println!("    nothing is lost: {verdict}");
    }

    /// For other programs.
    pub(crate) fn to_json(&self) -> Value {
        let both = |counted: &Counted| json!({"told": counted.told, "truth": counted.truth});
        json!({
            "wanted": self.wanted,
            "sessions": both(&self.sessions),
            "endedByError": self.ended_by_error,
            "messagesSent": both(&self.sent),
            "messagesReceived": both(&self.received),
            "answered": self.answered,
            "timedOut": self.timed_out,
            "cutOff": self.cut_off,
            "holds": self.holds(),
        })
    }
}
