//! What was found, what a reader should know, and whether the accounts add up.

use maud::{Markup, html};
use sentinel_engine::bottleneck::Outcome;
use sentinel_engine::summary::{Bottleneck, Severity, Symptom, TestRunResult};
use serde_json::Value;

use super::format;

/// Bottlenecks, the generator's own limits, and notes.
pub(super) fn findings(result: &TestRunResult) -> Markup {
    let limited = result.generator_limited.iter();
    let limited = limited.flat_map(|limited| &limited.reasons);
    html! {
        @for reason in limited {
            (card("warning", "The generator was the limit", html! {
                p { (reason) }
                p class="dim" { "What was measured is partly the generator's own slowness, and no verdict on the target." }
            }))
        }
        @for bottleneck in &result.bottlenecks { (found(bottleneck)) }
        @if result.bottlenecks.is_empty() { (nothing_found(result)) }
        @for hole in &result.holes {
            @let from = format::clock(hole.from.as_us() / 1_000_000);
            @let until = format::clock(hole.to.as_us().div_ceil(1_000_000));
            (card("warning", "A share was not measured", html! {
                p { "Share " (hole.batch + 1) ", from " (from) " to " (until) "." }
            }))
        }
        @for warning in &result.warnings { (card("note", "Note", html! { p { (warning) } })) }
    }
}

fn found(bottleneck: &Bottleneck) -> Markup {
    let kind = match bottleneck.severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
    };
    let what = match bottleneck.symptom {
        Symptom::LatencySpike => "Latency left its level",
        Symptom::ErrorIncrease => "Errors left their level",
    };
    let number = |path: &str| bottleneck.details.pointer(path).and_then(Value::as_f64);
    let second = bottleneck.details.get("second").and_then(Value::as_u64);
    card(
        kind,
        what,
        html! {
            p {
                "In " b { (bottleneck.component) } ", from " b { (format::count(bottleneck.saturation_point.into())) }
                " users on"
                @if let Some(second) = second { ", at " b { (format::clock(second)) } }
                "."
            }
            @match bottleneck.symptom {
                Symptom::LatencySpike => p class="dim" {
                    "p95 " (format::ms(number("/baseline/p95Ms"))) " at the start, "
                    (format::ms(number("/measure/worstP95Ms"))) " at its worst; the limit is "
                    (format::ms(number("/measure/limitP95Ms"))) "."
                },
                Symptom::ErrorIncrease => p class="dim" {
                    (format::percent(number("/baseline/errorRate"))) " failed at the start, "
                    (format::percent(number("/measure/worstErrorRate"))) " at the worst; the limit is "
                    (format::percent(number("/measure/limitErrorRate"))) "."
                },
            }
        },
    )
}

fn nothing_found(result: &TestRunResult) -> Markup {
    match result.bottleneck_analysis.outcome {
        Outcome::NotEnoughSamples => card(
            "note",
            "Bottlenecks were not looked for",
            html! {
                p { "The start of the run has too few seconds or requests to compare the rest with." }
            },
        ),
        Outcome::Found | Outcome::None => card(
            "good",
            "No bottleneck",
            html! {
                p { "Latency and errors stayed at the level that they had at the start." }
            },
        ),
    }
}

fn card(kind: &str, title: &str, text: Markup) -> Markup {
    html! {
        div class=(format!("card {kind}")) {
            h3 { (title) }
            (text)
        }
    }
}

/// Every planned iteration and every sent request, accounted for.
pub(super) fn ledger(result: &TestRunResult) -> Markup {
    let ledger = &result.ledger;
    let equations: [(&str, u64, &[Part]); 3] = [
        (
            "iterations planned",
            ledger.planned,
            &[
                ("started", ledger.started, "c-rate"),
                ("dropped", ledger.dropped, "c-errors"),
            ],
        ),
        (
            "iterations started",
            ledger.started,
            &[
                ("finished", ledger.finished, "c-rate"),
                ("interrupted", ledger.interrupted, "c-p95"),
                ("lost", ledger.lost, "c-errors"),
            ],
        ),
        (
            "requests sent",
            ledger.sent,
            &[
                ("answered", ledger.answered, "c-rate"),
                ("failed", ledger.failed, "c-errors"),
                ("cut off", ledger.cut_off, "c-p95"),
            ],
        ),
    ];
    html! {
        div class="ledger" {
            @for (what, whole, parts) in equations {
                div class="equation" {
                    div class="sum" { b { (format::count(whole)) } " " (what) }
                    div class="stack" {
                        @for (_, count, class) in parts {
                            @if *count > 0 { i class=(class) style=(format!("flex-grow:{count}")) {} }
                        }
                    }
                    div class="parts" {
                        @for (at, (name, count, class)) in parts.iter().enumerate() {
                            @if at > 0 { span class="dim" { "+" } }
                            span class="key" { i class=(class) {} b { (format::count(*count)) } " " (name) }
                        }
                    }
                }
            }
        }
        @if result.ledger_faults.is_empty() {
            p class="dim" { "Everything is accounted for." }
        } @else {
            @for fault in &result.ledger_faults { p class="bad" { (fault) } }
        }
    }
}

/// A part of a sum: its name, its count, and the class of its colour.
type Part = (&'static str, u64, &'static str);
