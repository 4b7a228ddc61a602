//! `GET metrics`: what goes on and how the last runs ended, for Prometheus.
//!
//! Invariant: the labels are bounded by the configuration and by the plans that are running: environment,
//! scenario, application, step, outcome, threshold. A run's identifier is the label of one sample only.

use futures::future::join_all;
use sentinel_engine::assertion::Verdict;
use sentinel_engine::run::{LiveMeasured, LiveReport, LiveStep};
use sentinel_engine::sorted::SortedSet;
use serde_json::Value;
use worker::{Env, Response, ResponseBuilder, Result};

use crate::api::error::ApiError;
use crate::api::exposition::{CONTENT_TYPE, Family, Kind};
use crate::api::runs::{rows, text};
use crate::coordinator::{Seen, Stub};
use crate::flag;
use crate::store::{Row, finished_runs, running_runs};

/// Of how many pairs of scenario and environment the last run is told.
const LAST_RUNS_MAX: usize = 50;

/// A run that is running.
struct Running {
    id: String,
    scenario: String,
    environment: String,
    seen: Seen,
}

/// The metrics of this moment.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn metrics(env: &Env) -> std::result::Result<Response, ApiError> {
    let running = rows(env, &running_runs()).await?;
    let finished = rows(env, &finished_runs()).await?;
    let looks = running.iter().map(|row| look(env, row));
    let running = join_all(looks).await;
    let stopped = flag::stop_all(env).await.is_some();
    response(page(&running, &finished, stopped))
        .map_err(|_| ApiError::new(500, "internal", "the answer could not be made"))
}

fn response(page: String) -> Result<Response> {
    let response = ResponseBuilder::new()
        .with_header("content-type", CONTENT_TYPE)?
        .with_header("cache-control", "no-store")?
        .with_header("x-content-type-options", "nosniff")?;
    Ok(response.fixed(page.into_bytes()))
}

async fn look(env: &Env, row: &Row) -> Running {
    let id = text(row, "id");
    // A coordinator that does not answer has nothing to tell; the run is counted all the same.
    let seen = Stub::of(env, &id).look(true).await.unwrap_or(Seen::NOTHING);
    Running {
        id,
        scenario: text(row, "scenario_name"),
        environment: text(row, "environment"),
        seen,
    }
}

fn page(running: &[Running], finished: &[Row], stopped: bool) -> String {
    let mut page = String::new();
    let mut build = Family::new(
        "loadtest_build_info",
        Kind::Gauge,
        "The load tester's version.",
    );
    build.add(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    build.write(&mut page);
    let mut family = Family::new(
        "loadtest_stopped",
        Kind::Gauge,
        "Whether everything is stopped by the kill switch.",
    );
    family.add(&[], truth(stopped));
    family.write(&mut page);
    let mut family = Family::new(
        "loadtest_runs_running",
        Kind::Gauge,
        "Runs that are running.",
    );
    family.add(&[], running.len() as f64);
    family.write(&mut page);
    write_running(&mut page, running);
    write_finished(&mut page, finished);
    page
}

/// The families of running runs. Each has at most one run for a pair of scenario and environment, because an
/// environment takes one run at a time.
fn write_running(page: &mut String, running: &[Running]) {
    let mut info = Family::new("loadtest_run_info", Kind::Gauge, "The run that is running.");
    let mut users = Family::new("loadtest_users", Kind::Gauge, "Active virtual users.");
    let mut families = Live::new();
    for run in running {
        let of = [
            ("environment", run.environment.as_str()),
            ("scenario", run.scenario.as_str()),
        ];
        info.add(&[of[0], of[1], ("run", &run.id)], 1.0);
        let Some(report) = &run.seen.report else {
            continue;
        };
        users.add(&of, run.seen.users.into());
        families.add(&of, report);
    }
    info.write(page);
    users.write(page);
    families.write(page);
}

struct Live {
    seconds: Family,
    sent: Family,
    iterations: Family,
    holes: Family,
    coverage: Family,
    limited: Family,
    holds: Family,
    requests: Family,
    latency: Family,
}

impl Live {
    fn new() -> Self {
        use Kind::{Counter, Gauge, Summary};
        let family = Family::new;
        Self {
            seconds: family(
                "loadtest_run_published_seconds",
                Gauge,
                "How much of the time line is final.",
            ),
            sent: family(
                "loadtest_requests_sent_total",
                Counter,
                "Requests handed to the network.",
            ),
            iterations: family(
                "loadtest_iterations_total",
                Counter,
                "Iterations by what became of them.",
            ),
            holes: family(
                "loadtest_holes",
                Gauge,
                "Intervals that were not played or not measured.",
            ),
            coverage: family(
                "loadtest_coverage_ratio",
                Gauge,
                "The part of the run that was measured.",
            ),
            limited: family(
                "loadtest_generator_limited",
                Gauge,
                "Whether the generator is too slow for the plan.",
            ),
            holds: family(
                "loadtest_threshold_holds",
                Gauge,
                "Whether an assertion or threshold holds so far; NaN without data.",
            ),
            requests: family(
                "loadtest_requests_total",
                Counter,
                "Requests that ended, by how they ended.",
            ),
            latency: family(
                "loadtest_response_time_seconds",
                Summary,
                "From when a request was due to the end of its answer, over the whole run.",
            ),
        }
    }

    fn add(&mut self, of: &[(&str, &str); 2], report: &LiveReport) {
        let (progress, ledger) = (&report.progress, &report.ledger);
        self.seconds.add(of, progress.seconds_published.into());
        self.holes.add(of, progress.holes.into());
        self.sent.add(of, ledger.sent as f64);
        for (state, count) in [
            ("started", ledger.started),
            ("finished", ledger.finished),
            ("interrupted", ledger.interrupted),
            ("lost", ledger.lost),
            ("dropped", ledger.dropped),
        ] {
            self.iterations
                .add(&[of[0], of[1], ("state", state)], count as f64);
        }
        if let Some(measured) = &report.measured {
            self.add_measured(of, measured);
        }
    }

    fn add_measured(&mut self, of: &[(&str, &str); 2], measured: &LiveMeasured) {
        if let Some(coverage) = measured.coverage {
            self.coverage.add(of, coverage);
        }
        self.limited.add(of, truth(measured.generator_limited));
        let mut told = SortedSet::new();
        for outcome in &measured.outcomes {
            let labels = (outcome.metric.as_str(), outcome.threshold.as_str());
            // The same threshold may stand twice in a plan, a sample may not.
            if !told.insert(labels) {
                continue;
            }
            let holds = match outcome.verdict {
                Verdict::NoData => f64::NAN,
                verdict => truth(verdict.passed()),
            };
            let labels = [of[0], of[1], ("metric", labels.0), ("threshold", labels.1)];
            self.holds.add(&labels, holds);
        }
        for step in &measured.steps {
            self.add_step(of, step);
        }
    }

    fn add_step(&mut self, of: &[(&str, &str); 2], step: &LiveStep) {
        let step_labels = [
            of[0],
            of[1],
            ("application", step.application.as_str()),
            ("step", step.step.as_str()),
        ];
        self.requests.add(
            &with(&step_labels, "outcome", "success"),
            step.succeeded as f64,
        );
        for (class, count) in &step.errors {
            let class = class.to_string();
            self.requests
                .add(&with(&step_labels, "outcome", &class), *count as f64);
        }
        let latency = &step.latency;
        for (quantile, ms) in [
            ("0.5", latency.p50),
            ("0.9", latency.p90),
            ("0.95", latency.p95),
            ("0.99", latency.p99),
            ("1", latency.max),
        ] {
            let seconds = ms.map_or(f64::NAN, |ms| ms / 1_000.0);
            self.latency
                .add(&with(&step_labels, "quantile", quantile), seconds);
        }
        let count = step.measured as f64;
        let sum = step.avg_latency.unwrap_or_default() / 1_000.0 * count;
        self.latency.add_part("_sum", &step_labels, sum);
        self.latency.add_part("_count", &step_labels, count);
    }

    fn write(&self, page: &mut String) {
        for family in [
            &self.seconds,
            &self.sent,
            &self.iterations,
            &self.holes,
            &self.coverage,
            &self.limited,
            &self.holds,
            &self.requests,
            &self.latency,
        ] {
            family.write(page);
        }
    }
}

/// How the last run of each scenario on each environment ended.
fn write_finished(page: &mut String, finished: &[Row]) {
    let mut passed = Family::new(
        "loadtest_last_run_passed",
        Kind::Gauge,
        "Whether the last run that ended has passed.",
    );
    let mut ended = Family::new(
        "loadtest_last_run_started_timestamp_seconds",
        Kind::Gauge,
        "When the last run that ended had started, in Unix time.",
    );
    let mut length = Family::new(
        "loadtest_last_run_duration_seconds",
        Kind::Gauge,
        "How long the last run that ended took.",
    );
    let mut told = SortedSet::new();
    for row in finished {
        let (environment, scenario) = (text(row, "environment"), text(row, "scenario_name"));
        let key = (environment.clone(), scenario.clone());
        if told.len() >= LAST_RUNS_MAX || !told.insert(key) {
            continue;
        }
        let status = text(row, "status");
        let of = [
            ("environment", environment.as_str()),
            ("scenario", scenario.as_str()),
            ("status", status.as_str()),
        ];
        let number = |column| row.get(column).and_then(Value::as_f64);
        passed.add(&of, truth(number("passed") == Some(1.0)));
        let started = chrono::DateTime::parse_from_rfc3339(&text(row, "started_at"));
        if let Ok(started) = started {
            ended.add(&of, started.timestamp_millis() as f64 / 1_000.0);
        }
        if let Some(ms) = number("duration_ms") {
            length.add(&of, ms / 1_000.0);
        }
    }
    passed.write(page);
    ended.write(page);
    length.write(page);
}

fn with<'a>(
    labels: &[(&'a str, &'a str); 4],
    name: &'a str,
    value: &'a str,
) -> [(&'a str, &'a str); 5] {
    let [a, b, c, d] = *labels;
    [a, b, c, d, (name, value)]
}

fn truth(value: bool) -> f64 {
    f64::from(u8::from(value))
}
