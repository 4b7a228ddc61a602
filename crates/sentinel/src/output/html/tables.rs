//! What was measured and judged, in tables.

use maud::{Markup, html};
use sentinel_engine::assertion::Verdict;
use sentinel_engine::summary::TestRunResult;
use sentinel_engine::totals::LatencyPercentiles;

use super::format;

/// What had to hold.
pub(super) fn judged(result: &TestRunResult) -> Markup {
    if result.assertions.is_empty() && result.thresholds.is_empty() {
        return html! { p class="none" { "Nothing was asked for." } };
    }
    html! {
        table {
            thead { tr { th { "" } th { "what" } th { "expected" } th class="n" { "actual" } } }
            tbody {
                @for row in &result.assertions {
                    @let assertion = row.assertion;
                    tr {
                        td class="sign" { (sign(row.outcome)) }
                        td { code { (assertion.metric.name()) } }
                        td { code { (assertion.operator) " " (assertion.value) } }
                        td class="n" { (actual(row.outcome)) }
                    }
                }
                @for row in &result.thresholds {
                    tr {
                        td class="sign" { (sign(row.verdict)) }
                        td { code { (row.metric) } }
                        td { code { (row.threshold) } }
                        td class="n" { (actual(row.verdict)) }
                    }
                }
            }
        }
    }
}

/// How often checks held.
pub(super) fn checks(result: &TestRunResult) -> Markup {
    html! {
        table {
            thead { tr { th { "" } th { "check" } th { "step" } th class="n" { "held" } th class="n" { "failed" } th class="wide" { "" } } }
            tbody {
                @for check in &result.checks {
                    @let total = (check.passes + check.fails).max(1);
                    tr {
                        td class="sign" { (mark(check.fails == 0)) }
                        td { (check.check) }
                        td class="dim" { (check.application) " / " (check.step) }
                        td class="n" { (format::count(check.passes)) }
                        td class="n" { (format::count(check.fails)) }
                        td { (share_bar(check.passes as f64 / total as f64)) }
                    }
                }
            }
        }
    }
}

/// The two clocks side by side: where they differ, the generator was late or its requests queued.
pub(super) fn clocks(result: &TestRunResult) -> Markup {
    let clocks = [
        (
            "response time",
            "from when a request was due",
            &result.latency_percentiles,
        ),
        (
            "service time",
            "from when it was sent",
            &result.service_time,
        ),
        ("lateness", "how late the generator was", &result.lateness),
        (
            "slot wait",
            "for a connection slot of the generator",
            &result.slot_wait,
        ),
    ];
    html! {
        table {
            thead { tr { th { "ms" } th { "" } (percentile_heads()) } }
            tbody {
                @for (name, meaning, values) in clocks {
                    @if values.max.is_some_and(|max| max > 0.0) {
                        tr { td { (name) } td class="dim" { (meaning) } (percentiles(values)) }
                    }
                }
            }
        }
    }
}

/// What each step did.
pub(super) fn steps(result: &TestRunResult) -> Markup {
    let played = [&result.setup, &result.teardown].into_iter().flatten();
    let once = played.flat_map(|once| &once.steps);
    let slowest = result
        .steps
        .iter()
        .filter_map(|step| step.latency.p95)
        .fold(0.0, f64::max);
    html! {
        table {
            thead { tr {
                th { "step" } th class="n" { "requests" } th class="n" { "failed" } th class="n" { "avg ms" }
                (percentile_heads()) th class="wide" { "p95" }
            } }
            tbody {
                @for step in result.steps.iter().chain(once) {
                    tr {
                        td { span class="dim" { (step.application) " / " } (step.step) }
                        td class="n" { (format::count(step.total_requests)) }
                        td class=(if step.failed_requests > 0 { "n bad" } else { "n" }) {
                            (format::count(step.failed_requests))
                        }
                        td class="n" { (format::bare_ms(step.avg_latency)) }
                        (percentiles(&step.latency))
                        td {
                            @if let Some(p95) = step.latency.p95.filter(|_| slowest > 0.0) {
                                (bar((p95 / slowest).min(1.0), "c-p95"))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Errors by class; nothing when there were none.
pub(super) fn errors(result: &TestRunResult) -> Option<Markup> {
    let mut rows: Vec<_> = result
        .steps
        .iter()
        .flat_map(|step| {
            let classes = step.error_breakdown.iter();
            classes.map(move |(class, count)| (*count, class, step))
        })
        .collect();
    rows.sort_by_key(|(count, ..)| std::cmp::Reverse(*count));
    let most = rows.first()?.0.max(1);
    Some(html! {
        table {
            thead { tr { th { "class" } th { "step" } th class="n" { "requests" } th class="wide" { "" } } }
            tbody {
                @for (count, class, step) in rows {
                    tr {
                        td { code { (class) } }
                        td class="dim" { (step.application) " / " (step.step) }
                        td class="n" { (format::count(count)) }
                        td { (bar(count as f64 / most as f64, "c-errors")) }
                    }
                }
            }
        }
    })
}

/// What the target told about its insides; nothing when it told nothing.
pub(super) fn components(result: &TestRunResult) -> Option<Markup> {
    (!result.components.is_empty()).then(|| {
        html! {
            table {
                thead { tr {
                    th { "component" } th class="n" { "calls" } th class="n" { "errors" } th class="n" { "woken" }
                    th class="n" { "avg ms" } (percentile_heads())
                } }
                tbody {
                    @for (name, component) in &result.components {
                        tr {
                            td { (name) }
                            td class="n" { (format::count(component.calls)) }
                            td class="n" { (format::percent(component.error_rate)) }
                            td class="n" { (format::percent(component.wake_rate)) }
                            td class="n" { (format::bare_ms(component.avg_latency)) }
                            (percentiles(&component.latency))
                        }
                    }
                }
            }
        }
    })
}

/// A part of a whole as a bar.
pub(super) fn bar(share: f64, class: &str) -> Markup {
    let width = format!("width:{:.1}%", share.clamp(0.0, 1.0) * 100.0);
    html! { div class="share" { i class=(class) style=(width) {} } }
}

fn share_bar(held: f64) -> Markup {
    bar(
        held,
        if held < 1.0 {
            "c-errors-rest"
        } else {
            "c-rate"
        },
    )
}

fn percentile_heads() -> Markup {
    html! { @for name in ["p50", "p75", "p90", "p95", "p99", "max"] { th class="n" { (name) } } }
}

fn percentiles(values: &LatencyPercentiles) -> Markup {
    let values = [
        values.p50, values.p75, values.p90, values.p95, values.p99, values.max,
    ];
    html! { @for value in values { td class="n" { (format::bare_ms(value)) } } }
}

fn sign(verdict: Verdict) -> Markup {
    mark(verdict.passed())
}

fn mark(holds: bool) -> Markup {
    html! {
        @if holds { span class="ok" title="holds" { "✓" } }
        @else { span class="bad" title="does not hold" { "✗" } }
    }
}

fn actual(verdict: Verdict) -> String {
    verdict
        .actual()
        .map_or_else(|| "no data".to_owned(), |value| format::number(Some(value)))
}
