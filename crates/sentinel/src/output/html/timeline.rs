//! The run over time.

use maud::{Markup, html};
use sentinel_engine::phase::Phase;
use sentinel_engine::summary::TestRunResult;
use sentinel_engine::timeline::TimelineRow;

use super::chart::{Chart, Line, Time};
use super::format;

/// The charts over time.
pub(super) fn charts(result: &TestRunResult) -> Markup {
    let rows = &result.timeline;
    if rows.is_empty() {
        return html! { p class="none" { "Nothing was measured." } };
    }
    let time = Time {
        points: rows.len(),
        seconds_per_point: result.timeline_step_seconds.max(1).into(),
        bands: bands(rows),
        marks: marks(result),
    };
    let line = |name, class, filled, of: &dyn Fn(&TimelineRow) -> Option<f64>| Line {
        name,
        class,
        values: rows.iter().map(of).collect(),
        filled,
    };
    let charts = [
        Chart {
            name: "latency",
            title: "Response time",
            written: |ms| format::ms(Some(ms)),
            lines: vec![
                line("p99", "c-p99", false, &|row| row.latency.p99),
                line("p95", "c-p95", false, &|row| row.latency.p95),
                line("p90", "c-p90", false, &|row| row.latency.p90),
                line("p50", "c-p50", true, &|row| row.latency.p50),
            ],
            time: &time,
        },
        Chart {
            name: "rate",
            title: "Requests per second",
            written: |rate| format::number(Some(rate)),
            lines: vec![line("requests/s", "c-rate", true, &|row| {
                Some(row.requests_per_sec)
            })],
            time: &time,
        },
        Chart {
            name: "users",
            title: "Virtual users",
            written: |users| format::number(Some(users)),
            lines: vec![line("users", "c-users", true, &|row| {
                Some(row.active_users.into())
            })],
            time: &time,
        },
        Chart {
            name: "errors",
            title: "Failed requests",
            written: |share| format::percent(Some(share)),
            lines: vec![line("failed", "c-errors", true, &|row| {
                Some(row.error_rate)
            })],
            time: &time,
        },
    ];
    html! { @for chart in &charts { (chart.draw()) } }
}

/// The phases as stretches of the time line.
fn bands(rows: &[TimelineRow]) -> Vec<(&'static str, usize, usize)> {
    let mut bands: Vec<(&'static str, usize, usize)> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let name = name(row.phase);
        match bands.last_mut() {
            Some((last, _, until)) if *last == name => *until = at + 1,
            _ => bands.push((name, at, at + 1)),
        }
    }
    bands
}

const fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::RampUp => "ramp-up",
        Phase::Peak => "peak",
        Phase::SteadyState => "steady state",
        Phase::RampDown => "ramp-down",
    }
}

/// Where bottlenecks begin, as far as their evidence says when.
fn marks(result: &TestRunResult) -> Vec<(usize, String)> {
    let step = u64::from(result.timeline_step_seconds.max(1));
    let marks = result.bottlenecks.iter().filter_map(|bottleneck| {
        let second = bottleneck.details.get("second")?.as_u64()?;
        let point = usize::try_from(second / step).ok()?;
        let what = format!("{}: {}", bottleneck.component, bottleneck.symptom.name());
        (point < result.timeline.len()).then_some((point, what))
    });
    marks.collect()
}
