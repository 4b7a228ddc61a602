//! The layout of the summary.

use std::fmt::Write as _;

use console::{measure_text_width, style};
use sentinel_engine::metric::{Contains, Value};
use sentinel_engine::summary::CheckResult;

use super::arguments::{SummaryArguments, SummaryMode};
use super::human::{amount, percent};
use super::statistic::Statistic;
use crate::output::k6::{K6Metric, metrics};
use crate::output::report::Report;

/// What stands between the longest name and its value.
const DOTS_MIN: usize = 3;

/// Where a group of metrics stands.
const INDENT: &str = "    ";

/// k6's groups, in its order. Ours come before k6's, as the custom ones do there.
const GROUPS: [&str; 8] = [
    "CUSTOM",
    "HTTP",
    "EXECUTION",
    "NETWORK",
    "WEBSOCKET",
    "STREAMS",
    "TARGET",
    "GENERATOR",
];

/// The metrics that a compact summary tells of HTTP, beside those that something is asked of.
const HTTP_COMPACT: [&str; 3] = ["http_req_duration", "http_req_failed", "http_reqs"];

/// The summary of a run, as lines.
pub(in crate::output) fn text(report: &Report<'_>, arguments: &SummaryArguments) -> String {
    let mut metrics = metrics(report);
    // A part of a metric stands below it.
    metrics.sort_by(|one, other| one.definition.name.cmp(&other.definition.name));
    let writer = Writer {
        arguments,
        duration_s: report.duration_s(),
    };
    let mut out = String::new();
    writer.thresholds(&metrics, &mut out);
    title("TOTAL RESULTS", &mut out);
    writer.checks(&report.result.checks, &mut out);
    let told: Vec<_> = metrics.iter().filter(|own| writer.tells(own)).collect();
    let names = told.iter().map(|own| width(&shown(own)));
    let longest = names.max().unwrap_or(0);
    if arguments.summary_mode == SummaryMode::Legacy {
        writer.metrics(&told, longest, &mut out);
        return out;
    }
    for group in GROUPS {
        let own = told.iter().copied().filter(|own| group_of(own) == group);
        let own: Vec<_> = own.collect();
        if !own.is_empty() {
            line(format_args!("{INDENT}{}", style(group).bold()), &mut out);
            writer.metrics(&own, longest, &mut out);
        }
    }
    out
}

/// The group that a metric stands in.
fn group_of(metric: &K6Metric<'_>) -> &'static str {
    let name = metric.definition.name.as_str();
    let begins = |with: &[&str]| with.iter().any(|start| name.starts_with(start));
    match name {
        "data_received" | "data_sent" => "NETWORK",
        "response_time" | "service_time" | "slot_wait" | "lateness" | "requests_cut_off"
        | "coverage" => "GENERATOR",
        _ if begins(&["http_"]) => "HTTP",
        _ if begins(&["iteration", "vus", "group_duration"]) || name.ends_with("_iterations") => {
            "EXECUTION"
        }
        _ if begins(&["ws_"]) => "WEBSOCKET",
        _ if begins(&["sse_"]) => "STREAMS",
        _ if begins(&["do_", "d1_", "storage_"]) => "TARGET",
        _ => "CUSTOM",
    }
}

struct Writer<'a> {
    arguments: &'a SummaryArguments,
    duration_s: f64,
}

impl Writer<'_> {
    /// Whether the summary tells of a metric.
    fn tells(&self, metric: &K6Metric<'_>) -> bool {
        let name = metric.definition.name.as_str();
        let is_quiet = match &metric.value {
            Value::Counter(0) => name != "iterations" && name != "http_reqs",
            Value::Trend(trend) => trend.is_empty(),
            _ => false,
        };
        let is_compact = self.arguments.summary_mode == SummaryMode::Compact;
        let matters = match group_of(metric) {
            "HTTP" => HTTP_COMPACT.contains(&name),
            "EXECUTION" => name != "group_duration",
            "GENERATOR" => false, // the two clocks stand apart, for all to see
            _ => true,
        };
        let asked = !metric.thresholds.is_empty();
        name != "checks" && (asked || !is_quiet && (matters || !is_compact))
    }

    fn thresholds(&self, metrics: &[K6Metric<'_>], out: &mut String) {
        let asked = metrics.iter().filter(|own| !own.thresholds.is_empty());
        let asked: Vec<_> = asked.collect();
        if asked.is_empty() {
            return;
        }
        title("THRESHOLDS", out);
        for metric in asked {
            line(format_args!("{INDENT}{}", metric.name), out);
            for (expression, holds) in &metric.thresholds {
                let statistic = expression.split(['<', '>', '=', '!']).next();
                let statistic = statistic.unwrap_or_default().trim();
                let value = self.value_of(metric, statistic);
                let value = value.map(|value| format!(" {statistic}={}", style(value).cyan()));
                let value = value.unwrap_or_default();
                line(
                    format_args!("{INDENT}{} '{expression}'{value}", mark(*holds)),
                    out,
                );
            }
            out.push('\n');
        }
    }

    /// What a threshold compares.
    fn value_of(&self, metric: &K6Metric<'_>, statistic: &str) -> Option<String> {
        let contains = metric.definition.contains;
        let unit = self.arguments.summary_time_unit;
        match &metric.value {
            Value::Trend(trend) => {
                let statistic: Statistic = statistic.parse().ok()?;
                statistic.told(trend, contains, unit)
            }
            _ => {
                let (value, more) = self.cells(metric);
                match (&metric.value, statistic) {
                    (Value::Counter(_), "rate") => more.into_iter().next(),
                    _ => Some(value),
                }
            }
        }
    }

    fn checks(&self, checks: &[CheckResult], out: &mut String) {
        let passes: u64 = checks.iter().map(|check| check.passes).sum();
        let fails: u64 = checks.iter().map(|check| check.fails).sum();
        let total = passes + fails;
        if total == 0 {
            return;
        }
        let of = |count: u64| percent(count as f64 / total as f64);
        let rate = amount(
            total as f64 / self.duration_s.max(f64::MIN_POSITIVE),
            Contains::Default,
            None,
        );
        let rows = [
            ("checks_total", total.to_string(), format!("{rate}/s")),
            (
                "checks_succeeded",
                of(passes),
                format!("{passes} out of {total}"),
            ),
            (
                "checks_failed",
                of(fails),
                format!("{fails} out of {total}"),
            ),
        ];
        let names = rows.iter().map(|(name, ..)| width(name)).max();
        let values = rows.iter().map(|(_, value, _)| width(value)).max();
        for (name, value, more) in &rows {
            let name = dotted(name, names.unwrap_or(0));
            let value = padded(value, values.unwrap_or(0));
            line(
                format_args!("{INDENT}{name} {value} {}", style(more).cyan().dim()),
                out,
            );
        }
        out.push('\n');
        for check in checks {
            line(
                format_args!("{INDENT}{} {}", mark(check.fails == 0), check.check),
                out,
            );
            if check.fails > 0 {
                let share = 100 * check.passes / (check.passes + check.fails);
                let (passes, fails) = (check.passes, check.fails);
                let told = format!("↳  {share}% — ✓ {passes} / ✗ {fails}  ({})", check.step);
                line(format_args!("{INDENT}  {}", style(told).red()), out);
            }
        }
        out.push('\n');
    }

    /// Metrics one below the other, their values in columns behind the longest name of all.
    fn metrics(&self, metrics: &[&K6Metric<'_>], longest: usize, out: &mut String) {
        let names: Vec<_> = metrics.iter().map(|metric| shown(metric)).collect();
        let trends: Vec<_> = metrics.iter().map(|metric| self.trend(metric)).collect();
        let others: Vec<_> = metrics.iter().map(|metric| self.cells(metric)).collect();
        let columns: Vec<usize> = (0..self.arguments.summary_trend_stats.len())
            .map(|at| widest(trends.iter().flatten().filter_map(|cells| cells.get(at))))
            .collect();
        let is_other = |at: &usize| trends.get(*at).is_some_and(Option::is_none);
        let other_width = widest(
            (0..metrics.len())
                .filter(is_other)
                .filter_map(|at| others.get(at).map(|(value, _)| value)),
        );
        for ((name, trend), (value, more)) in names.iter().zip(&trends).zip(&others) {
            let name = dotted(name, longest);
            let cells: Vec<String> = match trend {
                Some(cells) => {
                    let told = self
                        .arguments
                        .summary_trend_stats
                        .iter()
                        .zip(cells)
                        .zip(&columns);
                    told.map(|((statistic, cell), width)| {
                        format!("{statistic}={}", padded(cell, *width))
                    })
                    .collect()
                }
                None => {
                    let more = more.iter().map(|text| style(text).cyan().dim().to_string());
                    std::iter::once(padded(value, other_width))
                        .chain(more)
                        .collect()
                }
            };
            line(
                format_args!("{INDENT}{name} {}", cells.join(" ").trim_end()),
                out,
            );
        }
        out.push('\n');
    }

    /// The statistics of a Trend.
    fn trend(&self, metric: &K6Metric<'_>) -> Option<Vec<String>> {
        let Value::Trend(trend) = &metric.value else {
            return None;
        };
        let contains = metric.definition.contains;
        let unit = self.arguments.summary_time_unit;
        let told = self.arguments.summary_trend_stats.iter();
        let told = told.map(|statistic| statistic.told(trend, contains, unit));
        Some(told.map(Option::unwrap_or_default).collect())
    }

    /// The value of anything else, and what stands behind it.
    fn cells(&self, metric: &K6Metric<'_>) -> (String, Vec<String>) {
        let contains = metric.definition.contains;
        let unit = self.arguments.summary_time_unit;
        let told = |steps: f64| amount(contains.in_unit(steps), contains, unit);
        match &metric.value {
            Value::Counter(sum) => {
                let per_second = *sum as f64 / self.duration_s.max(f64::MIN_POSITIVE);
                (told(*sum as f64), vec![format!("{}/s", told(per_second))])
            }
            Value::Gauge(gauge) => {
                let [low, high] = [gauge.lowest, gauge.highest].map(|steps| told(steps as f64));
                (
                    told(gauge.value as f64),
                    vec![format!("min={low}"), format!("max={high}")],
                )
            }
            Value::Rate(rate) => (
                percent(rate.fraction().unwrap_or(0.0)),
                vec![format!("{} out of {}", rate.matches, rate.total)],
            ),
            Value::Trend(_) => (String::new(), Vec::new()),
        }
    }
}

/// The name of a metric as it is shown: of a part of one, only what makes it a part.
fn shown(metric: &K6Metric<'_>) -> String {
    match metric.name.split_once('{') {
        Some((_, tags)) => format!("  {{ {} }}", tags.trim_end_matches('}')),
        None => metric.name.clone(),
    }
}

fn dotted(name: &str, longest: usize) -> String {
    let dots = ".".repeat(longest.saturating_sub(width(name)) + DOTS_MIN);
    format!("{name}{}", style(format!("{dots}:")).dim())
}

fn padded(value: &str, to: usize) -> String {
    let spaces = " ".repeat(to.saturating_sub(width(value)));
    format!("{}{spaces}", style(value).cyan())
}

fn widest<'a>(cells: impl Iterator<Item = &'a String>) -> usize {
    cells.map(|cell| width(cell)).max().unwrap_or(0)
}

fn width(text: &str) -> usize {
    measure_text_width(text)
}

fn mark(holds: bool) -> console::StyledObject<&'static str> {
    if holds {
        style("✓").green()
    } else {
        style("✗").red()
    }
}

fn title(text: &str, out: &mut String) {
    line(format_args!("\n  █ {}\n", style(text).bold()), out);
}

fn line(text: std::fmt::Arguments<'_>, out: &mut String) {
    let _ = writeln!(out, "{text}"); // a String takes everything
}

#[cfg(test)]
mod tests;
