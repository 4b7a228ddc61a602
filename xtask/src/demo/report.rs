//! The summary of a run, for reading.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use console::style;
use serde_json::Value;

use super::api::{Outcome, number, text};
use super::chart;

/// Prints everything that matters about a run.
pub(crate) fn print(outcome: &Outcome) {
    let passed = outcome.run.get("passed").and_then(Value::as_bool) == Some(true);
    let verdict = if passed {
        style("passed").green()
    } else {
        style("NOT passed").red()
    };
    println!(
        "\n{} {} after {:.1} s: {}",
        style(text(&outcome.run, "scenario_name")).bold(),
        text(&outcome.run, "status"),
        number(&outcome.run, "duration_ms").unwrap_or(0.0) / 1e3,
        verdict.bold()
    );
    timeline(&outcome.metrics);
    phases(&outcome.summary);
    percentiles(&outcome.summary);
    applications(&outcome.apps);
    assertions(&outcome.assertions);
    bottlenecks(&outcome.bottlenecks);
    ledger(&outcome.summary);
    notes(&outcome.summary);
}

fn timeline(metrics: &[Value]) {
    heading("over time");
    let mut columns = 0;
    for (name, field) in [
        ("users", "active_users"),
        ("requests/s", "requests_per_sec"),
        ("p95 ms", "latency_p95"),
    ] {
        let values: Vec<_> = metrics.iter().map(|row| number(row, field)).collect();
        let top = values.iter().flatten().copied().fold(0.0, f64::max);
        let lines = chart::draw(&values, 72, 2);
        columns = lines.first().map_or(0, |line| line.chars().count());
        for (index, line) in lines.iter().enumerate() {
            let label = match index {
                0 => format!("{name:>10} {top:>7.0}"),
                _ => format!("{:>18}", ""),
            };
            println!("  {label} │{}", style(line).cyan());
        }
    }
    let end = format!("{} s", metrics.len());
    println!("  {:18} └{}", "", "─".repeat(columns));
    println!(
        "  {:18}  0 s{end:>width$}",
        "",
        width = columns.saturating_sub(3)
    );
}

fn phases(summary: &Value) {
    heading("phases");
    let mut table = table(&["", "users", "requests/s", "avg ms", "p95 ms", "errors"]);
    for phase in ["rampUp", "peak", "steadyState", "rampDown"] {
        // The spec's summary has three of the four phases.
        let Some(row) = summary.get("phases").and_then(|phases| phases.get(phase)) else {
            continue;
        };
        table.add_row([
            phase.to_owned(),
            whole(row, "peakUsers"),
            tenths(row, "throughput"),
            tenths(row, "avgLatency"),
            tenths(row, "p95Latency"),
            percent(number(row, "errorRate")),
        ]);
    }
    show(table);
}

fn percentiles(summary: &Value) {
    heading("latency, ms");
    let names = ["p50", "p75", "p90", "p95", "p99", "max"];
    let mut table = table(&names);
    let values = summary
        .get("latencyPercentiles")
        .cloned()
        .unwrap_or_default();
    table.add_row(names.map(|name| tenths(&values, name)));
    show(table);
}

fn applications(apps: &[Value]) {
    heading("applications");
    let mut table = table(&[
        "",
        "requests",
        "succeeded",
        "failed",
        "avg ms",
        "p95 ms",
        "p99 ms",
    ]);
    for row in apps {
        table.add_row([
            text(row, "app_name").to_owned(),
            whole(row, "total_requests"),
            whole(row, "successful_requests"),
            whole(row, "failed_requests"),
            tenths(row, "avg_latency_ms"),
            tenths(row, "p95_latency_ms"),
            tenths(row, "p99_latency_ms"),
        ]);
    }
    show(table);
    for row in apps
        .iter()
        .filter(|row| number(row, "failed_requests").is_some_and(|n| n > 0.0))
    {
        let errors = match row.get("errors_by_type") {
            Some(Value::String(text)) => text.clone(),
            other => other.map(Value::to_string).unwrap_or_default(),
        };
        println!("  errors of {}: {errors}", text(row, "app_name"));
    }
}

fn assertions(assertions: &[Value]) {
    heading("assertions");
    let mut table = table(&["", "expected", "actual", ""]);
    for row in assertions {
        let held = number(row, "passed") == Some(1.0)
            || row.get("passed").and_then(Value::as_bool) == Some(true);
        table.add_row([
            text(row, "metric").to_owned(),
            format!(
                "{} {}",
                text(row, "operator"),
                plain(number(row, "expected_value"))
            ),
            plain(number(row, "actual_value")),
            if held {
                "✓".to_owned()
            } else {
                "✗".to_owned()
            },
        ]);
    }
    show(table);
}

fn bottlenecks(bottlenecks: &[Value]) {
    heading("bottlenecks");
    if bottlenecks.is_empty() {
        println!("  none found");
    }
    for row in bottlenecks {
        let users = number(row, "saturation_users")
            .map_or_else(String::new, |users| format!(" from {users:.0} users on"));
        let (component, symptom) = (text(row, "component"), text(row, "symptom"));
        println!("  {} {component}: {symptom}{users}", text(row, "severity"));
    }
}

fn ledger(summary: &Value) {
    heading("ledger");
    let entry = |field| {
        let value = summary
            .get("ledger")
            .and_then(|ledger| number(ledger, field));
        value.map_or_else(|| "?".to_owned(), |count| format!("{count:.0}"))
    };
    println!(
        "  iterations  {} planned = {} started + {} dropped",
        entry("planned"),
        entry("started"),
        entry("dropped")
    );
    println!(
        "              {} started = {} finished + {} interrupted + {} lost",
        entry("started"),
        entry("finished"),
        entry("interrupted"),
        entry("lost")
    );
    println!(
        "  requests    {} sent = {} answered + {} failed + {} cut off",
        entry("sent"),
        entry("answered"),
        entry("failed"),
        entry("cutOff")
    );
    if let Some(holes) = summary.get("holes").and_then(Value::as_array) {
        for hole in holes {
            println!("  hole        {hole}");
        }
    }
}

/// What a reader of the numbers should know.
fn notes(summary: &Value) {
    let list = |pointer| summary.pointer(pointer).and_then(Value::as_array).cloned();
    let failure = summary
        .get("failure")
        .filter(|failure| failure.is_string())
        .cloned();
    let notes: Vec<Value> = failure
        .into_iter()
        .chain(list("/failedAssertions").unwrap_or_default())
        .chain(list("/generatorLimited/reasons").unwrap_or_default())
        .chain(list("/warnings").unwrap_or_default())
        .collect();
    if notes.is_empty() {
        return;
    }
    heading("notes");
    for note in notes.iter().filter_map(Value::as_str) {
        println!("  {note}");
    }
}

fn heading(text: &str) {
    println!("\n{}", style(text).bold());
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header);
    table
}

/// Prints a table with its numbers, all but the first column, aligned to the right.
fn show(mut table: Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!(
        "{}",
        table
            .trim_fmt()
            .lines()
            .map(|line| format!(" {line}\n"))
            .collect::<String>()
            .trim_end()
    );
}

fn whole(row: &Value, field: &str) -> String {
    number(row, field).map_or_else(|| "–".to_owned(), |value| format!("{value:.0}"))
}

fn tenths(row: &Value, field: &str) -> String {
    number(row, field).map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.2} %", share * 100.0))
}

/// A number of unknown size: at most four decimal places, none without need.
fn plain(value: Option<f64>) -> String {
    value.map_or_else(
        || "no data".to_owned(),
        |value| {
            format!("{value:.4}")
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_more_places_than_they_need() {
        assert_eq!(plain(Some(500.0)), "500");
        assert_eq!(plain(Some(0.05)), "0.05");
        assert_eq!(plain(Some(1.0 / 3.0)), "0.3333");
        assert_eq!(plain(None), "no data");
        assert_eq!(percent(Some(0.0123)), "1.23 %");
    }
}
