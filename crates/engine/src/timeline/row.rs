//! What is published of a second.

use serde::{Deserialize, Serialize};

use crate::error_class::ErrorClass;
use crate::phase::Phase;
use crate::sorted::SortedMap;
use crate::totals::LatencyPercentiles;

/// One row of the time line (the spec's `MetricsSnapshot`). It tells about one whole second, or in a long run
/// about several; what happened in a second that the run left early counts as of a whole one,
/// so that rows add up to the run. A value that was not measured is `None`, never 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimelineRow {
    /// Unix time of the beginning of its first second, in milliseconds.
    pub timestamp: u64,
    /// The phase; when the phase changed within the row, the later one.
    pub phase: Phase,
    /// Virtual users that were active at the second's end; of several seconds, the highest number.
    pub active_users: u32,
    /// Requests that ended, well or badly, per second.
    pub requests_per_sec: f64,
    /// Response times in milliseconds.
    pub latency: LatencyPercentiles,
    /// Failed requests as a fraction of those that ended; 0 when none ended.
    pub error_rate: f64,
    /// Errors by class, with those that the generator gave up itself.
    pub errors_by_type: SortedMap<ErrorClass, u64>,
    /// What the target told about its Durable Objects, `None` when nothing.
    #[serde(default)]
    pub do_metrics: Option<DoMetrics>,
    /// What the target told about D1, `None` when nothing.
    #[serde(default)]
    pub d1_metrics: Option<D1Metrics>,
    /// What the target told about R2 and KV, `None` when nothing.
    #[serde(default)]
    pub storage_metrics: Option<StorageMetrics>,
}

/// The three Durable Objects that the spec's `DOMetrics` tells about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DoMetrics {
    /// The component `SessionDO`.
    #[serde(rename = "sessionDO")]
    pub session_do: ObjectMetrics,
    /// The component `TenantDO`.
    #[serde(rename = "tenantDO")]
    pub tenant_do: ObjectMetrics,
    /// The component `PostDO`.
    #[serde(rename = "postDO")]
    pub post_do: ObjectMetrics,
}

/// What the target told about one class of Durable Object; all `None` when it was not called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectMetrics {
    /// Calls that had to wake the object, as a fraction of all.
    #[serde(default)]
    pub wake_rate: Option<f64>,
    /// The mean duration of a call in milliseconds.
    #[serde(default)]
    pub avg_latency: Option<f64>,
    /// Calls that failed, as a fraction of all.
    #[serde(default)]
    pub error_rate: Option<f64>,
}

/// The spec's `D1Metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct D1Metrics {
    /// Queries per second.
    pub queries_per_second: f64,
    /// Batched writes per second.
    pub batched_writes_per_second: f64,
    /// Time spent in D1 per query, in milliseconds; `None` when no query was counted.
    #[serde(default)]
    pub avg_query_latency: Option<f64>,
    /// Rows read per second.
    pub rows_read_per_second: f64,
    /// Rows written per second.
    pub rows_written_per_second: f64,
}

/// The spec's `StorageMetrics`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StorageMetrics {
    /// Read operations per second.
    pub reads_per_second: f64,
    /// Write operations per second.
    pub writes_per_second: f64,
    /// Bytes moved to or from storage.
    pub bytes_transferred: u64,
}
