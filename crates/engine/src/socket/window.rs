//! What was measured of the sessions of one step, in mergeable form.

use serde::{Deserialize, Serialize};

use crate::error_class::ErrorClass;
use crate::histogram::SparseHistogram;
use crate::sorted::SortedMap;

/// How many types of messages a window keeps apart; further ones share the name [`OTHER_KIND`].
pub const KINDS_MAX: usize = 32;

/// The name under which messages of types beyond [`KINDS_MAX`] are counted, and those without a type.
pub const OTHER_KIND: &str = "other";

/// Who ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// Its user, behind its last step.
    Client,
    /// The target, with a code that says that nothing is wrong.
    Server,
    /// The slice of the run was over; its user goes on behind the session.
    Slice,
    /// It broke, or the target closed it with another code.
    Error,
    /// The generator stopped.
    CutOff,
}

impl SessionEnd {
    /// The name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Slice => "slice",
            Self::Error => "error",
            Self::CutOff => "cut_off",
        }
    }
}

/// The sessions of one step in one window. Times are in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SessionWindow {
    /// Sessions that were opened.
    pub opened: u64,
    /// From the sending of the handshake until it was accepted.
    pub connecting_us: SparseHistogram,
    /// Sessions that ended after they were opened, by who ended them.
    pub ended: SortedMap<SessionEnd, u64>,
    /// From the sending of the handshake to the end.
    pub duration_us: SparseHistogram,
    /// The codes with which sessions were closed, by either side; 1006 where none came.
    pub close_codes: SortedMap<u16, u64>,
    /// What went wrong in sessions, by class.
    pub errors: SortedMap<ErrorClass, u64>,
    /// Sessions that ended, and those that could not be opened.
    pub judged: u64,
    /// Those of them in which anything went wrong.
    pub faulty: u64,
    /// Messages that were sent.
    pub sent: u64,
    /// Messages that arrived.
    pub received: u64,
    /// Bytes of messages that were sent.
    pub bytes_sent: u64,
    /// Bytes of messages that arrived.
    pub bytes_received: u64,
    /// Messages that arrived and answered none, by type.
    pub unsolicited: SortedMap<String, u64>,
    /// From a ping to its pong.
    pub ping_us: SparseHistogram,
    /// By message of the session, by its place.
    pub messages: SortedMap<u16, MessageWindow>,
}

/// One message of a session: how often it was sent, or waited for, and what became of it. `begun` is the sum of
/// `one_way`, `answered`, `timed_out` and `cut_off`, once all is over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct MessageWindow {
    /// How often it was sent, or waited for.
    pub begun: u64,
    /// How often it was sent without an answer to wait for.
    pub one_way: u64,
    /// How often it was answered, or came.
    pub answered: u64,
    /// How often that took too long.
    pub timed_out: u64,
    /// How often the session ended before that.
    pub cut_off: u64,
    /// Of one that is sent, from the sending to its answer.
    pub rtt_us: SparseHistogram,
    /// Of one that is waited for, from the beginning of the wait to its coming.
    pub wait_us: SparseHistogram,
}

impl SessionWindow {
    /// Counts a message that answers none.
    pub fn count_unsolicited(&mut self, kind: Option<&str>) {
        let kind = kind.unwrap_or(OTHER_KIND);
        let fits = self.unsolicited.len() < KINDS_MAX || self.unsolicited.contains_key(kind);
        let kind = if fits { kind } else { OTHER_KIND };
        *self.unsolicited.entry(kind.to_owned()).or_insert(0) += 1;
    }

    /// Adds the measurements of another window.
    pub fn merge(&mut self, other: &Self) {
        self.opened += other.opened;
        self.connecting_us.merge(&other.connecting_us);
        add(&mut self.ended, &other.ended);
        self.duration_us.merge(&other.duration_us);
        add(&mut self.close_codes, &other.close_codes);
        add(&mut self.errors, &other.errors);
        self.judged += other.judged;
        self.faulty += other.faulty;
        self.sent += other.sent;
        self.received += other.received;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        add(&mut self.unsolicited, &other.unsolicited);
        self.ping_us.merge(&other.ping_us);
        for (message, window) in &other.messages {
            self.messages.entry(*message).or_default().merge(window);
        }
    }
}

impl MessageWindow {
    /// Adds the measurements of another window.
    pub fn merge(&mut self, other: &Self) {
        self.begun += other.begun;
        self.one_way += other.one_way;
        self.answered += other.answered;
        self.timed_out += other.timed_out;
        self.cut_off += other.cut_off;
        self.rtt_us.merge(&other.rtt_us);
        self.wait_us.merge(&other.wait_us);
    }
}

fn add<K: Ord + Clone>(sums: &mut SortedMap<K, u64>, counts: &SortedMap<K, u64>) {
    for (key, count) in counts {
        *sums.entry(key.clone()).or_insert(0) += count;
    }
}
