//! The summary of a run, for reading.

use std::fmt::Write as _; // into a String, which takes everything

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use console::style;
use sentinel_engine::assertion::Verdict;
use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::parts::Part;
use sentinel_engine::sorted::SortedMap;
use sentinel_engine::summary::{MetricValues, TestRunResult};
use sentinel_engine::timeline::TimelineRow;
use sentinel_engine::totals::LatencyPercentiles;

use crate::number::{hundredths, percent, plain, tenths};
use crate::{chart, monitoring};

/// How wide charts are, in columns.
const CHART_COLUMNS: usize = 72;

/// Everything that matters about a run.
#[must_use]
pub fn text(result: &TestRunResult) -> String {
    let out = &mut String::new();
    out.push('\n');
    outcome(result, out);
    timeline(result, out);
    phases(result, out);
    latency(result, out);
    parts(result, out);
    applications(result, out);
    checks(result, out);
    judged(result, out);
    monitoring::show(result, out);
    bottlenecks(result, out);
    ledger(result, out);
    notes(result, out);
    std::mem::take(out)
}

/// What a summary in k6's layout has no place for: how the run went over time, the two clocks, each application and
/// its errors, what was found, and that everything is accounted for.
#[must_use]
pub fn account(result: &TestRunResult) -> String {
    let out = &mut String::new();
    timeline(result, out);
    latency(result, out);
    applications(result, out);
    if !result.assertions.is_empty() {
        judged(result, out);
    }
    monitoring::show(result, out);
    bottlenecks(result, out);
    ledger(result, out);
    notes(result, out);
    out.push('\n');
    outcome(result, out);
    std::mem::take(out)
}

fn outcome(result: &TestRunResult, out: &mut String) {
    let verdict = if result.passed {
        style("passed").green()
    } else {
        style("NOT passed").red()
    };
    let _ = writeln!(
        out,
        "{} {} after {:.1} s: {}",
        style(&result.scenario_name).bold(),
        result.status.name(),
        result.duration as f64 / 1e3,
        verdict.bold()
    );
}

/// One of the numbers that a point of the time line has.
type Series = fn(&TimelineRow) -> Option<f64>;

fn timeline(result: &TestRunResult, out: &mut String) {
    heading("over time", out);
    let mut columns = 0;
    let series: [(&str, Series); 3] = [
        ("users", |row| Some(row.active_users.into())),
        ("requests/s", |row| Some(row.requests_per_sec)),
        ("p95 ms", |row| row.latency.p95),
    ];
    for (name, of) in series {
        let values: Vec<_> = result.timeline.iter().map(of).collect();
        let top = values.iter().flatten().copied().fold(0.0, f64::max);
        let lines = chart::draw(&values, CHART_COLUMNS, 2);
        columns = lines.first().map_or(0, |line| line.chars().count());
        for (index, line) in lines.iter().enumerate() {
            let label = match index {
                0 => format!("{name:>10} {top:>7.0}"),
                _ => format!("{:>18}", ""),
            };
            let _ = writeln!(out, "  {label} │{}", style(line).cyan());
        }
    }
    let seconds = result.timeline.len() * result.timeline_step_seconds as usize;
    let end = format!("{seconds} s");
    let _ = writeln!(out, "  {:18} └{}", "", "─".repeat(columns));
    let _ = writeln!(
        out,
        "  {:18}  0 s{end:>width$}",
        "",
        width = columns.saturating_sub(3)
    );
}

fn phases(result: &TestRunResult, out: &mut String) {
    heading("phases", out);
    let mut table = table(&["", "users", "requests/s", "avg ms", "p95 ms", "errors"]);
    let phases = &result.phases;
    for (name, phase) in [
        ("rampUp", &phases.ramp_up),
        ("peak", &phases.peak),
        ("steadyState", &phases.steady_state),
        ("rampDown", &phases.ramp_down),
    ] {
        // A load in k6's words has no phases but what it plays.
        if phase.duration_s == 0.0 {
            continue;
        }
        table.add_row([
            name.to_owned(),
            phase.peak_users.to_string(),
            tenths(phase.throughput),
            tenths(phase.avg_latency),
            tenths(phase.p95_latency),
            percent(phase.error_rate),
        ]);
    }
    show(table, out);
}

/// The two clocks side by side: where they differ, the generator was late or its requests queued.
fn latency(result: &TestRunResult, out: &mut String) {
    heading("latency, ms", out);
    let mut table = table(&["", "p50", "p75", "p90", "p95", "p99", "max"]);
    for (name, values) in [
        ("response time", &result.latency_percentiles),
        ("service time", &result.service_time),
    ] {
        let LatencyPercentiles {
            p50,
            p75,
            p90,
            p95,
            p99,
            max,
        } = *values;
        let numbers = [p50, p75, p90, p95, p99, max].map(tenths);
        table.add_row([name.to_owned()].into_iter().chain(numbers));
    }
    show(table, out);
}

/// What the service times are made of, where the driver could tell.
fn parts(result: &TestRunResult, out: &mut String) {
    if result.request_parts.is_empty() {
        return;
    }
    heading("parts of a request, ms", out);
    let mut table = table(&["", "avg", "min", "p50", "p90", "p95", "max"]);
    for (part, values) in &result.request_parts {
        let name = match part {
            Part::Blocked => "blocked",
            Part::LookingUp => "  DNS lookup",
            Part::Connecting => "  connecting",
            Part::TlsHandshaking => "  TLS handshake",
            Part::Exchange => "exchange",
            Part::Sending => "  sending",
            Part::Waiting => "  waiting",
            Part::Receiving => "  receiving",
        };
        let MetricValues {
            avg,
            min,
            p50,
            p90,
            p95,
            max,
            ..
        } = *values;
        let numbers = [avg, min, p50, p90, p95, max].map(hundredths);
        table.add_row([name.to_owned()].into_iter().chain(numbers));
    }
    show(table, out);
}

fn applications(result: &TestRunResult, out: &mut String) {
    heading("applications", out);
    let mut table = table(&[
        "",
        "requests",
        "succeeded",
        "failed",
        "avg ms",
        "p95 ms",
        "p99 ms",
    ]);
    for (name, application) in &result.application_results {
        table.add_row([
            name.clone(),
            application.total_requests.to_string(),
            application.successful_requests.to_string(),
            application.failed_requests.to_string(),
            tenths(application.avg_latency),
            tenths(application.p95_latency),
            tenths(application.p99_latency),
        ]);
    }
    show(table, out);
    for (name, application) in &result.application_results {
        if application.failed_requests > 0 {
            let _ = writeln!(
                out,
                "  errors of {name}: {}",
                errors(&application.error_breakdown)
            );
        }
    }
}

fn errors(breakdown: &SortedMap<ErrorClass, u64>) -> String {
    let classes = breakdown.iter();
    let classes: Vec<_> = classes.map(|(class, n)| format!("{class} {n}")).collect();
    classes.join(", ")
}

fn checks(result: &TestRunResult, out: &mut String) {
    if result.checks.is_empty() {
        return;
    }
    heading("checks", out);
    let mut table = table(&["", "passed", "failed", ""]);
    for check in &result.checks {
        table.add_row([
            format!("{} / {}", check.step, check.check),
            check.passes.to_string(),
            check.fails.to_string(),
            mark(check.fails == 0).to_owned(),
        ]);
    }
    show(table, out);
}

fn judged(result: &TestRunResult, out: &mut String) {
    heading("assertions and thresholds", out);
    let mut table = table(&["", "expected", "actual", ""]);
    for row in &result.assertions {
        let assertion = row.assertion;
        table.add_row([
            assertion.metric.name().to_owned(),
            format!("{} {}", assertion.operator, plain(Some(assertion.value))),
            plain(row.outcome.actual()),
            mark(holds(row.outcome)).to_owned(),
        ]);
    }
    for row in &result.thresholds {
        table.add_row([
            row.metric.clone(),
            row.threshold.clone(),
            plain(row.verdict.actual()),
            mark(holds(row.verdict)).to_owned(),
        ]);
    }
    if table.is_empty() {
        let _ = writeln!(out, "  none: nothing was asked for");
    } else {
        show(table, out);
    }
}

const fn holds(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Pass { .. })
}

const fn mark(holds: bool) -> &'static str {
    if holds { "✓" } else { "✗" }
}

fn bottlenecks(result: &TestRunResult, out: &mut String) {
    heading("bottlenecks", out);
    if result.bottlenecks.is_empty() {
        let _ = writeln!(out, "  none found");
    }
    for bottleneck in &result.bottlenecks {
        let _ = writeln!(
            out,
            "  {} {}: {} from {} users on",
            bottleneck.severity.name(),
            bottleneck.component,
            bottleneck.symptom.name(),
            bottleneck.saturation_point
        );
    }
}

fn ledger(result: &TestRunResult, out: &mut String) {
    heading("ledger", out);
    let ledger = &result.ledger;
    let _ = writeln!(
        out,
        "  iterations  {} planned = {} started + {} dropped",
        ledger.planned, ledger.started, ledger.dropped
    );
    let _ = writeln!(
        out,
        "              {} started = {} finished + {} interrupted + {} lost",
        ledger.started, ledger.finished, ledger.interrupted, ledger.lost
    );
    let _ = writeln!(
        out,
        "  requests    {} sent = {} answered + {} failed + {} cut off",
        ledger.sent, ledger.answered, ledger.failed, ledger.cut_off
    );
    for hole in &result.holes {
        // As in the summary, so that one can be searched for in the other.
        let text = serde_json::to_string(hole).unwrap_or_default();
        let _ = writeln!(out, "  hole        {text}");
    }
}

/// What a reader of the numbers should know.
fn notes(result: &TestRunResult, out: &mut String) {
    let limited = result.generator_limited.iter().flat_map(|l| &l.reasons);
    let notes: Vec<&String> = result
        .failure
        .iter()
        .chain(&result.failed_assertions)
        .chain(limited)
        .chain(&result.warnings)
        .collect();
    if notes.is_empty() {
        return;
    }
    heading("notes", out);
    for note in notes {
        let _ = writeln!(out, "  {note}");
    }
}

pub(crate) fn heading(text: &str, out: &mut String) {
    let _ = writeln!(out, "\n{}", style(text).bold());
}

pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header);
    table
}

/// Prints a table with its numbers, all but the first column, aligned to the right.
pub(crate) fn show(mut table: Table, out: &mut String) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let lines = table.trim_fmt();
    let lines: String = lines.lines().map(|line| format!(" {line}\n")).collect();
    let _ = writeln!(out, "{}", lines.trim_end());
}
