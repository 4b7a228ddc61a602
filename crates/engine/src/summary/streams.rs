//! What a run tells about the streams of a step.

use serde::{Deserialize, Serialize};

use crate::histogram::SparseHistogram;
use crate::sorted::SortedMap;
use crate::stream::{StreamEnd, StreamWindow};
use crate::totals::LatencyPercentiles;

/// The streams of a step. Times are in milliseconds and count from the sending of the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StreamResult {
    /// Streams that ended, for whatever reason.
    pub streams: u64,
    /// These by their reason.
    pub ended: SortedMap<StreamEnd, u64>,
    /// Requests that went on where an earlier stream had ended.
    pub resumed: u64,
    /// Events.
    pub events: u64,
    /// Silences after an event that were longer than the step's limit.
    pub stalls: u64,
    /// Until the header of the answer.
    pub time_to_headers: LatencyPercentiles,
    /// Until the first event.
    pub time_to_first_event: LatencyPercentiles,
    /// From one event to the next.
    pub event_gap: LatencyPercentiles,
    /// Until the end.
    pub duration: LatencyPercentiles,
    /// Events per second of each stream, after its first.
    pub events_per_second: LatencyPercentiles,
    /// What came of its tokens, if its events are tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenResult>,
}

/// The tokens of the streams of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenResult {
    /// How many there were.
    pub tokens: u64,
    /// Until the first token, in milliseconds.
    pub time_to_first_token: LatencyPercentiles,
    /// Tokens per second of each stream, after its first.
    pub tokens_per_second: LatencyPercentiles,
}

impl StreamResult {
    pub(super) fn of(window: &StreamWindow) -> Self {
        // Rates are kept in thousandths as times are, so that they are told by the same rule.
        let told = |histogram: &SparseHistogram| LatencyPercentiles::of_sparse(histogram);
        Self {
            streams: window.streams(),
            ended: window.ended.clone(),
            resumed: window.resumed,
            events: window.events,
            stalls: window.stalls,
            time_to_headers: told(&window.headers_us),
            time_to_first_event: told(&window.first_event_us),
            event_gap: told(&window.gap_us),
            duration: told(&window.duration_us),
            events_per_second: told(&window.event_rate),
            tokens: (window.tokens > 0).then(|| TokenResult {
                tokens: window.tokens,
                time_to_first_token: told(&window.first_token_us),
                tokens_per_second: told(&window.token_rate),
            }),
        }
    }
}
