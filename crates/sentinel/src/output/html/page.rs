//! The page as a whole.

use std::io;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use sentinel_engine::summary::{RunStatus, TestRunResult};

use super::{distribution, findings, format, tables, timeline};
use crate::output::report::Report;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// What the page may do: nothing from elsewhere, even if something got past the escaping.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// The page of a run.
///
/// # Errors
/// When the summary cannot be written as JSON.
pub(in crate::output) fn page(report: &Report<'_>) -> io::Result<String> {
    let result = report.result;
    // Nothing in here can end the element: in JSON, `<` may be written as its number.
    let data = serde_json::to_string(result)?.replace('<', "\\u003c");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (result.scenario_name) " – load test report" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(result))
                main { (sections(result)) }
                (footer(result))
                script type="application/json" id="summary" { (PreEscaped(data)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string())
}

fn header(result: &TestRunResult) -> Markup {
    let (class, verdict) = match result.status {
        RunStatus::Completed if result.passed => ("ok", "passed"),
        RunStatus::Completed => ("bad", "failed"),
        RunStatus::Failed => ("bad", "broke"),
        RunStatus::Cancelled => ("warn", "cancelled"),
    };
    let start = result.start_time.replace('T', " ");
    html! {
        header {
            div class="title" {
                h1 { (result.scenario_name) }
                span class=(format!("verdict {class}")) { (verdict) }
            }
            p class="dim" {
                (start.trim_end_matches('Z')) " UTC · " (format::clock(result.duration.div_ceil(1_000))) " long · run "
                code { (result.id) }
            }
            @for failure in result.failure.iter().chain(&result.failed_assertions) {
                p class="failure" { (failure) }
            }
            (tiles(result))
        }
    }
}

fn tiles(result: &TestRunResult) -> Markup {
    let users = result.timeline.iter().map(|row| row.active_users).max();
    let latency = &result.latency_percentiles;
    let ledger = &result.ledger;
    let tile = |name: &str, value: String, more: String| {
        html! {
            div class="tile" {
                span class="name" { (name) }
                span class="value" { (value) }
                span class="more" { (more) }
            }
        }
    };
    let errors = result.steps.iter().map(|step| step.failed_requests).sum();
    html! {
        div class="tiles" {
            (tile("requests", format::count(ledger.sent),
                format!("{}/s", format::number(result.requests_per_sec))))
            (tile("response time, p95", format::ms(latency.p95),
                format!("p50 {}, p99 {}", format::ms(latency.p50), format::ms(latency.p99))))
            (tile("failed", format::percent(result.error_rate),
                format!("{} requests", format::count(errors))))
            (tile("users", users.map_or_else(|| format::NOTHING.to_owned(), |users| format::count(users.into())),
                "at most".to_owned()))
            (tile("iterations", format::count(ledger.started),
                format!("{} dropped", format::count(ledger.dropped))))
        }
    }
}

fn sections(result: &TestRunResult) -> Markup {
    html! {
        (section("Over time", html! { (timeline::charts(result)) }))
        (section("Findings", html! { div class="cards" { (findings::findings(result)) } }))
        (section("Assertions and thresholds", tables::judged(result)))
        @if !result.checks.is_empty() { (section("Checks", tables::checks(result))) }
        (section("Latency", html! { (distribution::chart(result)) (tables::clocks(result)) }))
        (section("Steps", tables::steps(result)))
        @if let Some(errors) = tables::errors(result) { (section("Errors", errors)) }
        @if let Some(components) = tables::components(result) {
            (section("What the target told about itself", components))
        }
        (section("Ledger", findings::ledger(result)))
    }
}

fn section(title: &str, content: Markup) -> Markup {
    html! { section { h2 { (title) } (content) } }
}

fn footer(result: &TestRunResult) -> Markup {
    html! {
        footer {
            p {
                "Vista LoadTest " (env!("CARGO_PKG_VERSION")) " · seed " code { (result.seed) } " · clock resolution "
                (format::ms(Some(result.clock_resolution_ms))) " · the summary as JSON is in this page, in the element "
                code { "#summary" }
            }
        }
    }
}
