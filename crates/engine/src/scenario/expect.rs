//! What a step expects of an answer: its status, limits for its latency, and checks on what it says.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::json::{any_json, expected_statuses};

/// What a step expects of the answer (the spec's `ExpectConfig`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectConfig {
    /// Statuses that count as success; 200 to 299 when absent.
    #[serde(
        default,
        deserialize_with = "expected_statuses",
        skip_serializing_if = "Option::is_none"
    )]
    pub status: Option<ExpectedStatuses>,
    /// Limits for the step's latencies over the whole run, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<LatencyLimits>,
    /// What is counted as passed or failed for each answer (k6's checks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<CheckConfig>>,
}

/// Statuses that count as success, as the file gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub enum ExpectedStatuses {
    /// Exactly this one.
    One(i64),
    /// Any of these.
    AnyOf(Vec<i64>),
}

/// Limits for latencies in milliseconds; absent ones limit nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LatencyLimits {
    /// For the median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<f64>,
    /// For the 95th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
    /// For the 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<f64>,
    /// For the highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// A check on an answer. It passes when all that it asks for holds; at least one thing is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckConfig {
    /// The name in the results, unique in the step.
    pub name: String,
    /// What is looked at: `status`, `body`, a JSON path, `header:Name`, `cookie:name` or `regex:pattern`.
    pub on: String,
    /// Whether it has to be there, or must not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
    /// The value that it has to have.
    #[serde(
        default,
        deserialize_with = "any_json",
        skip_serializing_if = "Option::is_none"
    )]
    pub equals: Option<Value>,
    /// The value that it must not have.
    #[serde(
        default,
        deserialize_with = "any_json",
        skip_serializing_if = "Option::is_none"
    )]
    pub not_equals: Option<Value>,
    /// The type that it has to have, of what a JSON path finds.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub json_type: Option<JsonType>,
    /// A text that has to occur in it, or among the texts of a JSON array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// A regular expression that has to match somewhere in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// How long it has to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<LengthConfig>,
    /// Whether the request counts as an error when the check fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
}

/// How long something has to be: characters of a text, bytes of a body, members of an array or object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LengthConfig {
    /// At least this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u64>,
    /// At most this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// Exactly this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<u64>,
}

/// A type of JSON values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum JsonType {
    /// A text.
    String,
    /// A number.
    Number,
    /// A number without a fraction.
    Integer,
    /// True or false.
    Boolean,
    /// A list.
    Array,
    /// An object.
    Object,
    /// Nothing.
    Null,
}

impl Serialize for ExpectedStatuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(status) => status.serialize(serializer),
            Self::AnyOf(statuses) => statuses.serialize(serializer),
        }
    }
}
