//! What was measured of the streams of one step, in mergeable form.

use serde::{Deserialize, Serialize};

use crate::histogram::SparseHistogram;
use crate::sorted::SortedMap;

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StreamEnd {
    /// The target ended it.
    Server,
    /// The event came that ends it.
    Until,
    /// As many events came as were wanted.
    MaxEvents,
    /// It was read as long as was wanted.
    MaxDuration,
    /// The slice of the run was over; its user goes on in the next one.
    Slice,
    /// It broke, or was not what the step expects.
    Error,
    /// The generator stopped.
    CutOff,
}

impl StreamEnd {
    /// The name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Until => "until",
            Self::MaxEvents => "max_events",
            Self::MaxDuration => "max_duration",
            Self::Slice => "slice",
            Self::Error => "error",
            Self::CutOff => "cut_off",
        }
    }
}

/// The streams of one step in one window. Times count from the sending of the request, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct StreamWindow {
    /// How many ended, by their reason.
    pub ended: SortedMap<StreamEnd, u64>,
    /// Requests that went on where an earlier stream had ended.
    pub resumed: u64,
    /// Events.
    pub events: u64,
    /// Silences after an event that were longer than the step's limit.
    pub stalls: u64,
    /// Tokens.
    pub tokens: u64,
    /// Until the header of the answer.
    pub headers_us: SparseHistogram,
    /// Until the first event.
    pub first_event_us: SparseHistogram,
    /// From one event to the next.
    pub gap_us: SparseHistogram,
    /// Until the end.
    pub duration_us: SparseHistogram,
    /// Of each stream, the events per second after the first, in thousandths.
    pub event_rate: SparseHistogram,
    /// Until the first token.
    pub first_token_us: SparseHistogram,
    /// Of each stream, the tokens per second after the first, in thousandths.
    pub token_rate: SparseHistogram,
}

impl StreamWindow {
    /// How many streams ended.
    #[must_use]
    pub fn streams(&self) -> u64 {
        self.ended.values().sum()
    }

    /// Adds the measurements of another window.
    pub fn merge(&mut self, other: &Self) {
        for (end, count) in &other.ended {
            *self.ended.entry(*end).or_insert(0) += count;
        }
        self.resumed += other.resumed;
        self.events += other.events;
        self.stalls += other.stalls;
        self.tokens += other.tokens;
        self.headers_us.merge(&other.headers_us);
        self.first_event_us.merge(&other.first_event_us);
        self.gap_us.merge(&other.gap_us);
        self.duration_us.merge(&other.duration_us);
        self.event_rate.merge(&other.event_rate);
        self.first_token_us.merge(&other.first_token_us);
        self.token_rate.merge(&other.token_rate);
    }
}
