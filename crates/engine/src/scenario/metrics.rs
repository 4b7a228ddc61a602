//! The scenario's own metrics: what they are, and what feeds them.

use serde::{Deserialize, Serialize};

use crate::metric::{Contains, MetricKind};

/// A metric of the scenario's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricConfig {
    /// How its samples add up.
    #[serde(rename = "type")]
    pub kind: MetricKind,
    /// What its samples are.
    #[serde(default)]
    pub contains: Contains,
    /// What feeds it, at least one.
    pub from: Vec<MetricSource>,
}

/// What feeds a metric: each request of a step that comes to an end gives a sample. Exactly one of `extract`,
/// `check` and `value` says what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricSource {
    /// The application; all that have such a step when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// The step.
    pub step: String,
    /// The variable that the step extracts and whose number is the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract: Option<String>,
    /// The check of the step whose outcome is the sample: 1 when it passes, 0 when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// What of the request is the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<MeasuredValue>,
}

/// What of a request is a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MeasuredValue {
    /// 1 for each.
    Count,
    /// 1 if it went wrong, 0 if not.
    Failed,
    /// 1 if it went as expected, 0 if not.
    Succeeded,
    /// How long it took from its planned start, in milliseconds.
    ResponseTime,
    /// How long it took from its actual sending, in milliseconds.
    ServiceTime,
    /// The status of the answer.
    Status,
    /// How many bytes of body came.
    BytesReceived,
}
