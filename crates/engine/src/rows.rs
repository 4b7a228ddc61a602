//! The rows of the five tables that a run's results go to, with exactly the spec's columns.
//!
//! Both shells write these, so that a result does not depend on where a run was played. Invariant: field
//! names are column names; the columns `id` (except of a run) and `created_at` are the database's own.

use serde::Serialize;

use crate::assertion::NO_DATA_VALUE;
use crate::error_class::ErrorClass;
use crate::json;
use crate::sorted::SortedMap;
use crate::summary::{Report, StepHistograms, TestRunResult};
use crate::timeline::TimelineRow;

/// A row of `load_test_runs`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunRow {
    /// The run's identifier.
    pub id: String,
    /// The scenario's name.
    pub scenario_name: String,
    /// ISO 8601 in UTC.
    pub started_at: String,
    /// ISO 8601 in UTC.
    pub ended_at: String,
    /// How long the run took, in milliseconds.
    pub duration_ms: u64,
    /// `completed`, `failed` or `cancelled`.
    pub status: &'static str,
    /// The spec's `TestRunResult`.
    pub summary_json: String,
}

/// A row of `load_test_metrics`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricsRow {
    /// The run.
    pub run_id: String,
    /// Unix time in milliseconds.
    pub timestamp: u64,
    /// The phase's name.
    pub phase: &'static str,
    /// Active users.
    pub active_users: u32,
    /// Requests that ended per second.
    pub requests_per_sec: f64,
    /// Median response time in milliseconds.
    pub latency_p50: Option<f64>,
    /// 95th percentile of the response time in milliseconds.
    pub latency_p95: Option<f64>,
    /// 99th percentile of the response time in milliseconds.
    pub latency_p99: Option<f64>,
    /// Largest response time in milliseconds.
    pub latency_max: Option<f64>,
    /// Failed requests as a fraction of those that ended.
    pub error_rate: f64,
    /// JSON: errors by class.
    pub errors_by_type: String,
    /// JSON: the spec's `DOMetrics`, null when the target told nothing.
    pub do_metrics: Option<String>,
    /// JSON: the spec's `D1Metrics`, null when the target told nothing.
    pub d1_metrics: Option<String>,
    /// JSON: the spec's `StorageMetrics`, null when the target told nothing.
    pub storage_metrics: Option<String>,
}

/// A row of `load_test_app_results`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AppResultRow {
    /// The run.
    pub run_id: String,
    /// The application.
    pub app_name: String,
    /// Requests sent.
    pub total_requests: u64,
    /// Requests that ended as their step expects.
    pub successful_requests: u64,
    /// Requests that did not.
    pub failed_requests: u64,
    /// Mean response time in milliseconds; 0 when there was none, as the column must not be null.
    pub avg_latency_ms: f64,
    /// Median response time in milliseconds.
    pub p50_latency_ms: Option<f64>,
    /// 95th percentile of the response time in milliseconds.
    pub p95_latency_ms: Option<f64>,
    /// 99th percentile of the response time in milliseconds.
    pub p99_latency_ms: Option<f64>,
    /// JSON: errors by class.
    pub errors_by_type: String,
}

/// A row of `load_test_bottlenecks`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BottleneckRow {
    /// The run.
    pub run_id: String,
    /// The component.
    pub component: String,
    /// Active users when it began.
    pub saturation_users: u32,
    /// `latency_spike` or `error_increase`.
    pub symptom: &'static str,
    /// `warning` or `critical`.
    pub severity: &'static str,
    /// JSON: the evidence.
    pub details: String,
}

/// A row of `load_test_histograms`, which is ours and not of the spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HistogramRow {
    /// The run.
    pub run_id: String,
    /// The step's place among the summary's steps, from 0.
    pub step: u32,
    /// The application.
    pub app_name: String,
    /// The step.
    pub step_name: String,
    /// `response` or `service`.
    pub kind: &'static str,
    /// JSON: the [histogram](crate::histogram::SparseHistogram), in microseconds.
    pub histogram: String,
}

/// A row of `load_test_assertions`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AssertionRow {
    /// The run.
    pub run_id: String,
    /// The metric's name.
    pub metric: &'static str,
    /// The operator's sign.
    pub operator: &'static str,
    /// What the metric is compared with.
    pub expected_value: f64,
    /// What was measured, [`NO_DATA_VALUE`] when nothing was.
    pub actual_value: f64,
    /// 1 when the assertion holds, 0 when not.
    pub passed: u8,
}

/// Everything that is written when a run ends. The rows of `load_test_metrics` have been published before.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportRows {
    /// The run; its `config_json` was written when it began.
    pub run: RunRow,
    /// One per application of the plan.
    pub app_results: Vec<AppResultRow>,
    /// One per bottleneck.
    pub bottlenecks: Vec<BottleneckRow>,
    /// One per assertion of the scenario.
    pub assertions: Vec<AssertionRow>,
}

impl Report {
    /// The rows to write at the run's end.
    #[must_use]
    pub fn rows(&self) -> ReportRows {
        let result = &self.result;
        let run = RunRow {
            id: result.id.clone(),
            scenario_name: result.scenario_name.clone(),
            started_at: result.start_time.clone(),
            ended_at: result.end_time.clone(),
            duration_ms: result.duration,
            status: result.status.name(),
            summary_json: to_json(result),
        };
        ReportRows {
            run,
            app_results: app_results(result),
            bottlenecks: bottlenecks(result),
            assertions: assertions(result),
        }
    }

    /// The histograms to write at the run's end, in the order of the steps; only those that are not empty.
    #[must_use]
    pub fn histogram_rows(&self) -> Vec<HistogramRow> {
        histograms(&self.result, &self.histograms)
    }
}

impl TimelineRow {
    /// The row as the table has it.
    #[must_use]
    pub fn to_metrics_row(&self, run_id: &str) -> MetricsRow {
        MetricsRow {
            run_id: run_id.to_owned(),
            timestamp: self.timestamp,
            phase: self.phase.name(),
            active_users: self.active_users,
            requests_per_sec: self.requests_per_sec,
            latency_p50: self.latency.p50,
            latency_p95: self.latency.p95,
            latency_p99: self.latency.p99,
            latency_max: self.latency.max,
            error_rate: self.error_rate,
            errors_by_type: to_json(&self.errors_by_type),
            do_metrics: self.do_metrics.as_ref().map(to_json),
            d1_metrics: self.d1_metrics.as_ref().map(to_json),
            storage_metrics: self.storage_metrics.as_ref().map(to_json),
        }
    }
}

fn app_results(result: &TestRunResult) -> Vec<AppResultRow> {
    let applications = result.application_results.iter();
    let row = |(name, application): (&String, &crate::summary::ApplicationResult)| AppResultRow {
        run_id: result.id.clone(),
        app_name: name.clone(),
        total_requests: application.total_requests,
        successful_requests: application.successful_requests,
        failed_requests: application.failed_requests,
        avg_latency_ms: application.avg_latency.unwrap_or(0.0),
        p50_latency_ms: application.p50_latency,
        p95_latency_ms: application.p95_latency,
        p99_latency_ms: application.p99_latency,
        errors_by_type: to_json::<SortedMap<ErrorClass, u64>>(&application.error_breakdown),
    };
    applications.map(row).collect()
}

fn bottlenecks(result: &TestRunResult) -> Vec<BottleneckRow> {
    let row = |bottleneck: &crate::summary::Bottleneck| BottleneckRow {
        run_id: result.id.clone(),
        component: bottleneck.component.clone(),
        saturation_users: bottleneck.saturation_point,
        symptom: bottleneck.symptom.name(),
        severity: bottleneck.severity.name(),
        details: to_json(&bottleneck.details),
    };
    result.bottlenecks.iter().map(row).collect()
}

fn assertions(result: &TestRunResult) -> Vec<AssertionRow> {
    let row = |judged: &crate::summary::AssertionResult| AssertionRow {
        run_id: result.id.clone(),
        metric: judged.assertion.metric.name(),
        operator: judged.assertion.operator.sign(),
        expected_value: judged.assertion.value,
        actual_value: judged.outcome.actual().unwrap_or(NO_DATA_VALUE),
        passed: u8::from(judged.outcome.passed()),
    };
    result.assertions.iter().map(row).collect()
}

fn histograms(result: &TestRunResult, histograms: &[StepHistograms]) -> Vec<HistogramRow> {
    let steps = (0_u32..).zip(result.steps.iter().zip(histograms));
    let rows = steps.flat_map(|(number, (step, histograms))| {
        let kinds = [
            ("response", &histograms.response_us),
            ("service", &histograms.service_us),
        ];
        let measured = kinds
            .into_iter()
            .filter(|(_, histogram)| !histogram.is_empty());
        measured.map(move |(kind, histogram)| HistogramRow {
            run_id: result.id.clone(),
            step: number,
            app_name: step.application.clone(),
            step_name: step.step.clone(),
            kind,
            histogram: to_json(histogram),
        })
    });
    rows.collect()
}

/// Our own types always serialize: their maps have text keys and their numbers are finite or optional.
fn to_json<T: Serialize>(value: &T) -> String {
    json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::histogram::SparseHistogram;
    use crate::phase::{Phase, PhaseSpan};
    use crate::tick::Tick;
    use crate::timeline::Second;
    use crate::window::{StepId, Window};

    /// The columns of the spec's table, without those that the database fills in.
    fn assert_columns<T: Serialize>(row: &T, columns: &[&str]) {
        let value = serde_json::to_value(row).unwrap();
        let mut found: Vec<&String> = value.as_object().unwrap().keys().collect();
        let mut expected: Vec<&&str> = columns.iter().collect();
        found.sort();
        expected.sort();
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    }

    /// A report with one of everything.
    fn report() -> Report {
        let golden = include_str!("../tests/run_machine/golden/test_run_result.json");
        let mut result: serde_json::Value = serde_json::from_str(golden).unwrap();
        result["bottlenecks"] = json!([{
            "component": "D1", "saturationPoint": 40, "symptom": "latency_spike", "severity": "critical",
            "details": {"second": 20},
        }]);
        let mut histograms = vec![StepHistograms::default(); 3];
        histograms[1].response_us.record_n(31_000, 2);
        Report {
            result: serde_json::from_value(result).unwrap(),
            histograms,
        }
    }

    #[test]
    fn rows_have_exactly_the_columns_of_the_spec() {
        let rows = report().rows();
        assert_columns(
            &rows.run,
            &[
                "id",
                "scenario_name",
                "started_at",
                "ended_at",
                "duration_ms",
                "status",
                "summary_json",
            ],
        );
        assert_columns(
            rows.app_results.first().unwrap(),
            &[
                "run_id",
                "app_name",
                "total_requests",
                "successful_requests",
                "failed_requests",
                "avg_latency_ms",
                "p50_latency_ms",
                "p95_latency_ms",
                "p99_latency_ms",
                "errors_by_type",
            ],
        );
        assert_columns(
            rows.bottlenecks.first().unwrap(),
            &[
                "run_id",
                "component",
                "saturation_users",
                "symptom",
                "severity",
                "details",
            ],
        );
        assert_columns(
            rows.assertions.first().unwrap(),
            &[
                "run_id",
                "metric",
                "operator",
                "expected_value",
                "actual_value",
                "passed",
            ],
        );
    }

    #[test]
    fn each_step_that_was_measured_has_its_histograms() {
        let report = report();
        let rows = report.histogram_rows();
        let [row] = rows.as_slice() else {
            panic!("{rows:?}");
        };
        let step = &report.result.steps[1];
        assert_eq!((row.step, row.kind), (1, "response"));
        assert_eq!(
            (&row.app_name, &row.step_name),
            (&step.application, &step.step)
        );
        let read: SparseHistogram = serde_json::from_str(&row.histogram).unwrap();
        assert_eq!(read, report.histograms[1].response_us);
    }

    #[test]
    fn rows_say_what_the_summary_says() {
        let report = report();
        let rows = report.rows();
        let read: TestRunResult = serde_json::from_str(&rows.run.summary_json).unwrap();
        assert_eq!(read, report.result);
        assert_eq!(
            (rows.run.status, rows.run.duration_ms),
            ("cancelled", 2_000)
        );
        let reads = &rows.app_results[0];
        assert_eq!(
            (
                reads.app_name.as_str(),
                reads.total_requests,
                reads.failed_requests
            ),
            ("reads", 2, 1)
        );
        assert_eq!(reads.errors_by_type, r#"{"status_503":1}"#);
        let writes = &rows.app_results[1];
        assert_eq!(
            (
                writes.total_requests,
                writes.avg_latency_ms,
                writes.p95_latency_ms
            ),
            (0, 0.0, None)
        );
        let bottleneck = &rows.bottlenecks[0];
        assert_eq!(
            (bottleneck.saturation_users, bottleneck.symptom),
            (40, "latency_spike")
        );
        assert_eq!(bottleneck.details, r#"{"second":20}"#);
        let judged: Vec<(&str, &str, f64, u8)> = rows
            .assertions
            .iter()
            .map(|row| (row.metric, row.operator, row.actual_value, row.passed))
            .collect();
        assert_eq!(
            judged,
            [
                ("p95_latency_ms", "<", 29.55665, 1),
                ("throughput_requests_per_sec", ">", NO_DATA_VALUE, 0),
                ("d1_queue_depth", "<=", 3.0, 1),
            ]
        );
    }

    #[test]
    fn a_second_without_traffic_has_nulls_and_no_zeros_for_what_was_not_measured() {
        let span = PhaseSpan {
            phase: Phase::Peak,
            from: Tick::ZERO,
            to: Tick::from_second(9),
        };
        let empty = Second::default().to_point(3, &[span]).to_row(1_000);
        let row = empty.to_metrics_row("r");
        assert_columns(
            &row,
            &[
                "run_id",
                "timestamp",
                "phase",
                "active_users",
                "requests_per_sec",
                "latency_p50",
                "latency_p95",
                "latency_p99",
                "latency_max",
                "error_rate",
                "errors_by_type",
                "do_metrics",
                "d1_metrics",
                "storage_metrics",
            ],
        );
        assert_eq!(
            (row.timestamp, row.phase, row.latency_max),
            (4_000, "peak", None)
        );
        assert_eq!((row.errors_by_type.as_str(), row.do_metrics), ("{}", None));
    }

    #[test]
    fn json_columns_hold_the_shapes_of_the_spec() {
        let mut window = Window::new(0, Phase::Peak);
        window
            .steps
            .entry(StepId(0))
            .or_default()
            .errors
            .insert(ErrorClass::Timeout, 2);
        crate::server_timing::record(
            "do;desc=SessionDO;dur=1;wake=1, kv;op=read;bytes=5",
            &mut window,
        );
        let mut second = Second::default();
        second.add(&window);
        second.set_users(0, window.phase, window.active_users);
        let row = second.to_point(0, &[]).to_row(0).to_metrics_row("r");
        assert_eq!(row.errors_by_type, r#"{"timeout":2}"#);
        let objects: serde_json::Value = serde_json::from_str(&row.do_metrics.unwrap()).unwrap();
        assert_eq!(
            objects["sessionDO"],
            json!({"wakeRate": 1.0, "avgLatency": 1.0, "errorRate": 0.0})
        );
        let storage: serde_json::Value =
            serde_json::from_str(&row.storage_metrics.unwrap()).unwrap();
        assert_eq!(
            storage,
            json!({"readsPerSecond": 1.0, "writesPerSecond": 0.0, "bytesTransferred": 5})
        );
    }
}
