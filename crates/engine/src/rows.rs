//! The rows of the five tables that a run's results go to, with exactly the spec's columns.
//!
//! Both shells write these, so that a result does not depend on where a run was played. Invariant: field
//! names are column names; the columns `id` (except of a run) and `created_at` are the database's own.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::assertion::NO_DATA_VALUE;
use crate::error_class::ErrorClass;
use crate::summary::{Report, TestRunResult};
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
        errors_by_type: to_json::<BTreeMap<ErrorClass, u64>>(&application.error_breakdown),
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

/// Our own types always serialize: their maps have text keys and their numbers are finite or optional.
fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
