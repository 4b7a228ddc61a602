//! The types of the summary, with the spec's names in camelCase.

use serde::{Deserialize, Serialize};

use crate::assertion::{Assertion, Verdict};
use crate::bottleneck::Analysis;
use crate::cloudflare::Colo;
use crate::error_class::ErrorClass;
use crate::ledger::Ledger;
use crate::metric::{Contains, MetricKind};
use crate::parts::Part;
use crate::run::{Hole, LedgerFault};
use crate::sorted::SortedMap;
use crate::summary::bottleneck::Bottleneck;
use crate::summary::late::Late;
use crate::summary::monitoring::MonitoringResult;
use crate::summary::objects::ObjectResult;
use crate::summary::once::OnceResult;
use crate::summary::regions::RegionResult;
use crate::summary::samples::Samples;
use crate::summary::sockets::SocketResult;
use crate::summary::streams::StreamResult;
use crate::threshold::Outcome;
use crate::timeline::TimelineRow;
use crate::totals::LatencyPercentiles;
use crate::window::ComponentKind;

/// The result of a run (the spec's `TestRunResult`, stored as `summary_json`). Latencies are response times,
/// from the planned start to the end of the answer, unless they say otherwise; all times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestRunResult {
    /// The run's identifier.
    pub id: String,
    /// The scenario's name.
    pub scenario_name: String,
    /// When the run started, ISO 8601 in UTC.
    pub start_time: String,
    /// When it ended, ISO 8601 in UTC.
    pub end_time: String,
    /// How long it took, in milliseconds.
    pub duration: u64,
    /// Whether the run completed, measured something, was not aborted, and everything that had to hold holds.
    pub passed: bool,
    /// The assertions, thresholds and limits that do not hold, in words.
    pub failed_assertions: Vec<String>,
    /// The four phases.
    pub phases: PhaseSummaries,
    /// Response times of the whole run.
    pub latency_percentiles: LatencyPercentiles,
    /// Where the target left its level.
    pub bottlenecks: Vec<Bottleneck>,
    /// Per application, by name.
    pub application_results: SortedMap<String, ApplicationResult>,
    /// The time line; each point covers [`Self::timeline_step_seconds`].
    pub timeline: Vec<TimelineRow>,

    /// How the run ended.
    pub status: RunStatus,
    /// Why the run failed or had to be stopped, in words.
    #[serde(default)]
    pub failure: Option<String>,
    /// What a reader of the numbers should know.
    pub warnings: Vec<String>,
    /// Each assertion with its outcome.
    pub assertions: Vec<AssertionResult>,
    /// Each threshold, and each limit of a step's latencies, with its outcome.
    pub thresholds: Vec<Outcome>,
    /// The threshold that ended the run before its time.
    #[serde(default)]
    pub aborted_by: Option<AbortedBy>,
    /// The metrics that the scenario defines, in its order.
    pub metrics: Vec<MetricResult>,
    /// What the target told about itself, if the scenario asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<MonitoringResult>,
    /// Every planned iteration and every sent request, those of setup and teardown included, accounted for.
    pub ledger: Ledger,
    /// What was played once before the load, if the plan has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<OnceResult>,
    /// What was played once after the load, if the plan has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teardown: Option<OnceResult>,
    /// What does not add up in the accounts; not empty only in a failed run.
    pub ledger_faults: Vec<LedgerFault>,
    /// Intervals in which a share of the plan was not played or not measured; the first ones, if there are
    /// very many.
    pub holes: Vec<Hole>,
    /// How many holes there are.
    pub holes_total: u32,
    /// The part of the time that all shares of the plan were to be played which lies in no hole, from 0 to 1.
    /// It is what a threshold on the metric `coverage` judges.
    pub coverage: f64,
    /// Service times, from the actual sending to the end of the answer, of the whole run.
    pub service_time: LatencyPercentiles,
    /// The parts of the service times in milliseconds, those that the driver could tell apart.
    #[serde(default, skip_serializing_if = "SortedMap::is_empty")]
    pub request_parts: SortedMap<Part, MetricValues>,
    /// How long requests waited for a connection slot of the generator.
    pub slot_wait: LatencyPercentiles,
    /// How late iterations and timed requests began for reasons of the generator.
    pub lateness: LatencyPercentiles,
    /// What came too late.
    #[serde(default)] // summaries of earlier versions have none
    pub late: Late,
    /// Present when the generator itself was too slow for the plan.
    #[serde(default)]
    pub generator_limited: Option<GeneratorLimited>,
    /// Requests that ended, per second of the load.
    #[serde(default)]
    pub requests_per_sec: Option<f64>,
    /// Failed requests as a fraction of those that ended, of the whole run.
    #[serde(default)]
    pub error_rate: Option<f64>,
    /// The errors that are Cloudflare's and not the target's, by class.
    #[serde(default, skip_serializing_if = "SortedMap::is_empty")]
    pub platform_errors: SortedMap<ErrorClass, u64>,
    /// Per scenario of the plan, in its order.
    pub scenarios: Vec<ScenarioResult>,
    /// Per step, in the order of the plan.
    pub steps: Vec<StepResult>,
    /// Per check, in the order of the plan.
    pub checks: Vec<CheckResult>,
    /// What the target told about its components, by name.
    pub components: SortedMap<String, ComponentResult>,
    /// Per class, the Durable Objects that requests were sent to, by the class's name; only of a run on the
    /// objects themselves.
    #[serde(default, skip_serializing_if = "SortedMap::is_empty")]
    pub durable_objects: SortedMap<String, ObjectResult>,
    /// Per region that the load was asked to come from, by its name.
    #[serde(default, skip_serializing_if = "SortedMap::is_empty")]
    pub regions: SortedMap<String, RegionResult>,
    /// The data centres in which batches ran, and how many batches of a slice ran in each, as far as the target's
    /// answers tell (`cf-ray`).
    #[serde(default, skip_serializing_if = "SortedMap::is_empty")]
    pub colos: SortedMap<Colo, u64>,
    /// How the bottlenecks were looked for, and what came of it.
    pub bottleneck_analysis: Analysis,
    /// How many seconds a point of the time line covers.
    pub timeline_step_seconds: u32,
    /// How many seconds a row of `load_test_metrics` covers.
    pub metrics_step_seconds: u32,
    /// The smallest step of the clock that latencies were measured with, in milliseconds.
    pub clock_resolution_ms: f64,
    /// The seed of all random choices, as text, because JSON numbers lose digits above 2⁵³.
    pub seed: String,
    /// How many batches played side by side.
    pub batches: u32,
    /// How many slices the run had.
    pub slices: u32,
    /// Frames that could not be merged, because they came after their batch was given up or made no sense.
    pub frames_ignored: u64,
    /// The response times by time, of a run on one machine: at the edge there is no room to keep them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<Samples>,
}

/// How a run ended, as in the column `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It went on to the plan's end, or to where a threshold aborted it, whatever was judged.
    Completed,
    /// It broke: nothing could be measured, or the accounts do not add up.
    Failed,
    /// It was stopped.
    Cancelled,
}

/// The phases of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PhaseSummaries {
    /// The users rise.
    pub ramp_up: PhaseSummary,
    /// The highest number of users.
    pub peak: PhaseSummary,
    /// The everyday number of users.
    pub steady_state: PhaseSummary,
    /// The users fall, and what was begun is finished.
    pub ramp_down: PhaseSummary,
}

/// One phase (the spec's `PhaseSummary`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PhaseSummary {
    /// The mean response time.
    #[serde(default)]
    pub avg_latency: Option<f64>,
    /// The 95th percentile of the response time.
    #[serde(default)]
    pub p95_latency: Option<f64>,
    /// Failed requests as a fraction of those that ended.
    #[serde(default)]
    pub error_rate: Option<f64>,
    /// Requests that ended, per second of the phase as far as it was played; `None` when it was not.
    #[serde(default)]
    pub throughput: Option<f64>,
    /// The highest number of active users.
    pub peak_users: u32,
    /// How long the phase was played, in seconds.
    pub duration_s: f64,
    /// Requests that ended.
    pub requests: u64,
}

/// One application (the spec's `ApplicationResult`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationResult {
    /// Successful requests as a fraction of those that ended.
    #[serde(default)]
    pub success_rate: Option<f64>,
    /// The mean response time.
    #[serde(default)]
    pub avg_latency: Option<f64>,
    /// The 95th percentile of the response time.
    #[serde(default)]
    pub p95_latency: Option<f64>,
    /// Errors by class.
    pub error_breakdown: SortedMap<ErrorClass, u64>,
    /// The median response time.
    #[serde(default)]
    pub p50_latency: Option<f64>,
    /// The 99th percentile of the response time.
    #[serde(default)]
    pub p99_latency: Option<f64>,
    /// Requests sent.
    pub total_requests: u64,
    /// Requests that ended as their step expects.
    pub successful_requests: u64,
    /// Requests that did not, those included that the generator cut off. Together with the successful ones
    /// these are the requests sent, except for those that were under way in a batch that was lost.
    pub failed_requests: u64,
    /// Bytes of answer bodies.
    pub bytes_received: u64,
    /// Bytes of request bodies.
    pub bytes_sent: u64,
}

/// One of the loads that a plan puts on the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScenarioResult {
    /// The scenario's name.
    pub name: String,
    /// Iterations that were begun.
    pub iterations_started: u64,
    /// Iterations that were due when no user was free.
    pub iterations_dropped: u64,
    /// Iterations among the dropped ones for which no row of data was left.
    pub iterations_out_of_data: u64,
    /// How long finished iterations took from their planned start.
    pub iteration_time: LatencyPercentiles,
}

/// One step of an application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepResult {
    /// The application.
    pub application: String,
    /// The step.
    pub step: String,
    /// Requests sent.
    pub total_requests: u64,
    /// Requests that ended as the step expects.
    pub successful_requests: u64,
    /// Requests that did not.
    pub failed_requests: u64,
    /// Errors by class.
    pub error_breakdown: SortedMap<ErrorClass, u64>,
    /// The mean response time.
    #[serde(default)]
    pub avg_latency: Option<f64>,
    /// Response times.
    pub latency: LatencyPercentiles,
    /// Service times.
    pub service_time: LatencyPercentiles,
    /// What came of its streams, if its answers are streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamResult>,
    /// What came of its sessions, if it opens WebSockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<SocketResult>,
}

/// One check of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckResult {
    /// The application.
    pub application: String,
    /// The step.
    pub step: String,
    /// The check.
    pub check: String,
    /// How often it passed.
    pub passes: u64,
    /// How often it failed.
    pub fails: u64,
}

/// What the target told about one of its components through `Server-Timing`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ComponentResult {
    /// The kind of component.
    pub kind: ComponentKind,
    /// Calls.
    pub calls: u64,
    /// Failed calls as a fraction of all.
    #[serde(default)]
    pub error_rate: Option<f64>,
    /// Calls that had to wake the object, as a fraction of all; only of Durable Objects.
    #[serde(default)]
    pub wake_rate: Option<f64>,
    /// The mean duration of a call.
    #[serde(default)]
    pub avg_latency: Option<f64>,
    /// Durations of calls.
    pub latency: LatencyPercentiles,
}

/// An assertion with its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssertionResult {
    /// The assertion.
    pub assertion: Assertion,
    /// Its outcome.
    pub outcome: Verdict,
}

/// The threshold that ended a run before its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AbortedBy {
    /// The metric with its tags, as written.
    pub metric: String,
    /// The expression, as written.
    pub threshold: String,
    /// What was measured when it failed.
    pub actual: f64,
    /// Up to which point of the run it was judged, in milliseconds since the start.
    pub at_ms: u64,
}

/// A metric that the scenario defines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricResult {
    /// The name.
    pub name: String,
    /// How its samples add up.
    #[serde(rename = "type")]
    pub kind: MetricKind,
    /// What its samples are.
    pub contains: Contains,
    /// What they add up to, `None` without samples.
    #[serde(default)]
    pub values: Option<MetricValues>,
}

/// What the samples of a metric add up to, in its unit; only what its kind has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct MetricValues {
    /// Of a Counter: the sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<f64>,
    /// Of a Gauge: the latest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Of a Rate: the samples that were not zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matches: Option<u64>,
    /// Of a Rate or Trend: the number of samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Of a Rate: the fraction of samples that were not zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Of a Trend: the average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avg: Option<f64>,
    /// Of a Gauge or Trend: the lowest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Of a Gauge or Trend: the highest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Of a Trend: the median. Percentiles lie on k6's straight line between two ranks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50: Option<f64>,
    /// Of a Trend: the 90th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90: Option<f64>,
    /// Of a Trend: the 95th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
    /// Of a Trend: the 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<f64>,
}

/// The generator was too slow for the plan, so that what was measured is partly its own slowness.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GeneratorLimited {
    /// What shows it, in words.
    pub reasons: Vec<String>,
    /// The 95th percentile of the wait for a connection slot.
    #[serde(default)]
    pub slot_wait_p95: Option<f64>,
    /// The 95th percentile of the lateness.
    #[serde(default)]
    pub lateness_p95: Option<f64>,
    /// The 95th percentile of the response time, to compare with.
    #[serde(default)]
    pub response_p95: Option<f64>,
    /// The 95th percentile of the service time, to compare with.
    #[serde(default)]
    pub service_p95: Option<f64>,
    /// Iterations that were due when no virtual user was free.
    pub dropped_iterations: u64,
}

impl RunStatus {
    /// The name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}
