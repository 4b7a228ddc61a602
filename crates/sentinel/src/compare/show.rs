//! A comparison for reading.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use console::style;

use super::rows::{Comparison, Metric, Row, Verdict};

/// The table, and what it comes to.
pub(super) fn table(comparison: &Comparison) -> String {
    let mut text = String::new();
    let (before, after) = (&comparison.before, &comparison.after);
    // Writing into a text does not fail.
    let _ = writeln!(
        text,
        "before  {}, {}",
        before.scenario_name, before.start_time
    );
    let _ = writeln!(
        text,
        "after   {}, {}\n",
        after.scenario_name, after.start_time
    );
    let mut step = None;
    let mut rows = Vec::new();
    for row in &comparison.rows {
        if step != row.step {
            push_rows(&mut text, step.take(), &rows);
            rows.clear();
            step.clone_from(&row.step);
        }
        rows.push(row);
    }
    push_rows(&mut text, step, &rows);
    for note in &comparison.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let _ = writeln!(text, "{}", outcome(comparison));
    text
}

fn push_rows(text: &mut String, step: Option<(String, String)>, rows: &[&Row]) {
    let name = step.map_or_else(
        || "all requests".to_owned(),
        |(app, step)| format!("{app} / {step}"),
    );
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header([name.as_str(), "before", "after", "change", "p", ""]);
    for row in rows {
        table.add_row([
            label(row.metric).to_owned(),
            value(row.metric, row.before),
            value(row.metric, row.after),
            change(row),
            row.p_value.map_or_else(String::new, p_value),
            verdict(row.verdict),
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for line in table.trim_fmt().lines() {
        let _ = writeln!(text, " {line}");
    }
    text.push('\n');
}

const fn label(metric: Metric) -> &'static str {
    match metric {
        Metric::P50Ms => "p50 ms",
        Metric::P75Ms => "p75 ms",
        Metric::P90Ms => "p90 ms",
        Metric::P95Ms => "p95 ms",
        Metric::P99Ms => "p99 ms",
        Metric::ErrorRate => "failed",
        Metric::RequestsPerSec => "requests/s",
    }
}

fn value(metric: Metric, value: Option<f64>) -> String {
    match (metric, value) {
        (_, None) => "–".to_owned(),
        (Metric::ErrorRate, Some(share)) => format!("{:.2} %", share * 100.0),
        (_, Some(value)) => format!("{value:.1}"),
    }
}

fn change(row: &Row) -> String {
    match (row.metric, row.change) {
        (_, None) => "–".to_owned(),
        (Metric::ErrorRate, Some(difference)) => format!("{:+.2} points", difference * 100.0),
        (_, Some(change)) => format!("{:+.1} %", change * 100.0),
    }
}

fn p_value(p_value: f64) -> String {
    if p_value < 0.001 {
        "<0.001".to_owned()
    } else {
        format!("{p_value:.3}")
    }
}

fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Noise => "within noise".to_owned(),
        Verdict::Small => "changed, within tolerance".to_owned(),
        Verdict::Better => style("better").green().to_string(),
        Verdict::Worse => style("worse").red().to_string(),
        Verdict::NotEnoughSamples => "not enough samples".to_owned(),
    }
}

fn outcome(comparison: &Comparison) -> String {
    // Without the last binary digits of the quotients.
    let percent = |share: f64| (share * 1e8).round() / 1e6;
    let settings = format!(
        "at {} % confidence and a tolerance of {} %",
        percent(comparison.confidence),
        percent(comparison.tolerance)
    );
    match (comparison.worse, comparison.better) {
        (0, 0) => format!("nothing became better or worse, {settings}"),
        (worse, better) => format!("{worse} worse, {better} better, {settings}"),
    }
}
