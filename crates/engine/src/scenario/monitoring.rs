//! How the target is watched while it is under load.

use serde::{Deserialize, Serialize};

use super::json::{NamedMap, TextMap, maybe_duration_text};
use crate::metric::Contains;

/// An endpoint of the target that tells about it, and what is read there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MonitoringConfig {
    /// The URL: absolute, or a path on the environment's base URL.
    pub url: String,
    /// Header fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<TextMap>,
    /// How often it is asked; every 10 seconds when absent.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DurationText>")
    )]
    pub interval: Option<String>,
    /// How long an answer may take; 10 seconds when absent, and never longer than the interval.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DurationText>")
    )]
    pub timeout: Option<String>,
    /// What is read, by the name of the metric that it becomes.
    pub series: NamedMap<MonitoredSeries>,
}

/// A number that the target tells about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MonitoredSeries {
    /// Where it stands: `prometheus:name` or `prometheus:name{label="value"}`, whose samples are added up, or a
    /// place in the answer as extractions have them, such as `$.memory.rss`.
    pub from: String,
    /// What it is.
    #[serde(default)]
    pub contains: Contains,
    /// How much it may grow at most, such as `10%/hour`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_on_growth: Option<String>,
    /// What came earlier in the load does not count for the growth; all counts when absent.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DurationText>")
    )]
    pub warm_up: Option<String>,
    /// The lowest value that is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The highest value that is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}
