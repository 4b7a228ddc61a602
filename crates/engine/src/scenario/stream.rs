//! How the answer of a request is read when it is a stream.

use serde::{Deserialize, Serialize};

use super::expect::CheckConfig;
use super::extract::ExtractMap;
use super::json::{maybe_duration_text, maybe_whole_number};

/// How a stream is read, when it has been read long enough, and what is expected of its events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StreamConfig {
    /// What its events are.
    pub format: StreamFormat,
    /// Of server-sent events: the types that count; all when absent. Others are read and left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<String>>,
    /// The stream has been read well when so many events have come; not bounded by their number when absent.
    #[serde(
        default,
        deserialize_with = "maybe_whole_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub max_events: Option<i64>,
    /// The stream has been read well so long after its request was sent; 1m when absent.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DurationText>")
    )]
    pub max_duration: Option<String>,
    /// The event with exactly this data ends the stream and is none itself. `[DONE]` for `tokens` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// With fewer events the request is an error of the class `too_few_events`; 1 when absent.
    #[serde(
        default,
        deserialize_with = "maybe_whole_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub min_events: Option<i64>,
    /// A longer silence after an event is a stall; 1s when absent.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DurationText>")
    )]
    pub stall_after: Option<String>,
    /// Of `tokens`: the JSON path that finds a text in the data of an event which is a token, such as
    /// `$.choices[0].delta.content`; every event is a token when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The variable that keeps the id of the last event. When it has a value, the request sends it as
    /// `Last-Event-ID`, so that the stream goes on where the one before it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
    /// Checks that are held against each event: `body`, JSON paths and expressions look at its data,
    /// `header:event` and `header:id` at its type and its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<CheckConfig>>,
    /// Values to take from events, by the same places; the last event that has one decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract: Option<ExtractMap>,
}

/// What the events of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StreamFormat {
    /// Server-sent events.
    Sse,
    /// The pieces of any other body, as they arrive.
    Chunks,
    /// Server-sent events that are the tokens of a language model.
    Tokens,
}
