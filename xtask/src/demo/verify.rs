//! Proof that the numbers of a run are true: what the target counted by itself, what D1 holds and
//! what the run's ledger says must agree to the last request.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use console::style;
use devstack::DevStack;
use serde_json::{Value, json};

use super::Via;
use super::api::{Outcome, number, text};

/// One thing that must hold.
pub(crate) struct Check {
    /// What must hold.
    pub(crate) what: &'static str,
    /// Whether it does.
    pub(crate) holds: bool,
    /// The numbers behind it.
    pub(crate) evidence: String,
}

impl Check {
    /// The check for a machine.
    pub(crate) fn to_json(&self) -> Value {
        json!({"what": self.what, "holds": self.holds, "evidence": self.evidence})
    }
}

/// How many requests Grove has counted since it started: those to its Worker, or the calls of its objects.
///
/// # Errors
/// When Grove does not answer.
pub(crate) fn arrived(stack: &DevStack, via: Via) -> Result<u64> {
    let ask = |path: &str| -> Result<Value> {
        ureq::get(format!("{}{path}", stack.grove_url()))
            .call()
            .and_then(|mut answer| answer.body_mut().read_json())
            .with_context(|| format!("GET {path} of Grove"))
    };
    if via == Via::Object {
        return Ok(calls(&ask("/__objects")?));
    }
    let stats = ask("/__stats")?;
    let total = stats.get("total").and_then(Value::as_u64);
    total.context("Grove's /__stats has no `total`")
}

/// The calls of all objects of all classes.
fn calls(objects: &Value) -> u64 {
    match objects {
        Value::Object(fields) => fields.values().map(calls).sum(),
        count => count.as_u64().unwrap_or(0),
    }
}

/// All checks on a run that has ended.
///
/// # Errors
/// When the evidence cannot be had.
pub(crate) fn all(
    stack: &DevStack,
    outcome: &Outcome,
    via: Via,
    arrived_before: u64,
) -> Result<Vec<Check>> {
    let id = text(&outcome.run, "id");
    let stored = stack.d1_query(&format!(
        "SELECT COALESCE(SUM(total_requests), 0) AS total FROM load_test_app_results WHERE run_id = '{id}'"
    ))?;
    let stored = stored
        .first()
        .and_then(|row| row.get("total"))
        .and_then(Value::as_u64);
    Ok(vec![
        passed(outcome),
        nothing_lost(
            arrived(stack, via)? - arrived_before,
            stored,
            &outcome.summary,
        ),
        ledger_balances(&outcome.summary),
        every_second(outcome),
        applications(outcome),
        assertions(outcome),
        no_holes(&outcome.summary),
    ])
}

/// Prints the checks.
pub(crate) fn print(checks: &[Check]) {
    println!("\n{}", style("checked").bold());
    for check in checks {
        let mark = if check.holds {
            style("✓").green()
        } else {
            style("✗").red()
        };
        println!("  {mark} {}: {}", check.what, check.evidence);
    }
}

fn passed(outcome: &Outcome) -> Check {
    let status = text(&outcome.run, "status");
    let passed = outcome.run.get("passed").and_then(Value::as_bool);
    Check {
        what: "the run completed and passed",
        holds: status == "completed" && passed == Some(true),
        evidence: format!(
            "status {status}, passed {}",
            passed.map_or("?".into(), |p| p.to_string())
        ),
    }
}

fn nothing_lost(arrived: u64, stored: Option<u64>, summary: &Value) -> Check {
    let sent = entry(summary, "sent");
    let show = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    Check {
        what: "no request is lost or invented",
        holds: Some(arrived) == stored && stored == sent && arrived > 0,
        evidence: format!(
            "Grove counted {arrived}, D1 holds {}, the ledger says {}",
            show(stored),
            show(sent)
        ),
    }
}

fn ledger_balances(summary: &Value) -> Check {
    let sum = |fields: &[&str]| {
        fields
            .iter()
            .map(|field| entry(summary, field))
            .sum::<Option<u64>>()
    };
    let equations = [
        ("planned", sum(&["started", "dropped"])),
        ("started", sum(&["finished", "interrupted", "lost"])),
        ("sent", sum(&["answered", "failed", "cutOff"])),
    ];
    let broken: Vec<&str> = equations
        .iter()
        .filter(|(left, right)| right.is_none() || entry(summary, left) != *right)
        .map(|(left, _)| *left)
        .collect();
    Check {
        what: "the ledger balances",
        holds: broken.is_empty(),
        evidence: match broken.as_slice() {
            [] => "all three equations".to_owned(),
            _ => format!("not for {}", broken.join(", ")),
        },
    }
}

fn every_second(outcome: &Outcome) -> Check {
    let seconds: BTreeSet<i64> = outcome
        .metrics
        .iter()
        .filter_map(|row| number(row, "timestamp"))
        .map(|timestamp_ms| (timestamp_ms / 1000.0).floor() as i64)
        .collect();
    let span = match (seconds.first(), seconds.last()) {
        (Some(first), Some(last)) => last - first + 1,
        _ => 0,
    };
    let rows = i64::try_from(seconds.len()).unwrap_or(i64::MAX);
    let length_s = number(&outcome.run, "duration_ms").unwrap_or(0.0) / 1e3;
    Check {
        what: "the timeline has a row for each second",
        // The run may take a moment longer than its last full second to wind up.
        holds: rows == span && rows > 0 && (rows as f64) > length_s - 3.0,
        evidence: format!("{rows} rows over {span} s of a run of {length_s:.1} s"),
    }
}

fn applications(outcome: &Outcome) -> Check {
    let expected = count_in_scenario(outcome, "applications");
    let apps = &outcome.apps;
    let has_requests = |row: &Value| number(row, "total_requests").is_some_and(|count| count > 0.0);
    Check {
        what: "each application has a result",
        holds: expected.is_some_and(|expected| expected > 0)
            && expected == Some(apps.len())
            && apps.iter().all(has_requests),
        evidence: format!(
            "{} applications, {} in the scenario",
            apps.len(),
            expected.unwrap_or_default()
        ),
    }
}

/// How many of these the scenario has that the run was started with.
fn count_in_scenario(outcome: &Outcome, field: &str) -> Option<usize> {
    let config: Value = match outcome.run.get("config_json")? {
        Value::String(text) => serde_json::from_str(text).ok()?,
        other => other.clone(),
    };
    let list = config.get("scenario")?.get(field)?.as_array()?;
    Some(list.len())
}

fn assertions(outcome: &Outcome) -> Check {
    let expected = count_in_scenario(outcome, "assertions");
    let with_value = outcome
        .assertions
        .iter()
        .filter(|row| number(row, "actual_value").is_some())
        .count();
    Check {
        what: "each assertion has its actual value",
        holds: expected.is_some_and(|expected| expected > 0)
            && expected == Some(outcome.assertions.len())
            && with_value == outcome.assertions.len(),
        evidence: format!(
            "{with_value} values, {} assertions in the scenario",
            expected.map_or_else(|| "?".to_owned(), |count| count.to_string())
        ),
    }
}

fn no_holes(summary: &Value) -> Check {
    let holes = summary.get("holes").and_then(Value::as_array).map(Vec::len);
    Check {
        what: "no part of the run is missing",
        holds: holes == Some(0),
        evidence: holes.map_or_else(
            || "no list of holes".to_owned(),
            |count| format!("{count} holes"),
        ),
    }
}

/// An entry of the summary's ledger.
fn entry(summary: &Value, field: &str) -> Option<u64> {
    summary.get("ledger")?.get(field)?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Value {
        json!({"holes": [], "ledger": {
            "planned": 10, "started": 8, "dropped": 2, "finished": 5, "interrupted": 2, "lost": 1,
            "sent": 20, "answered": 17, "failed": 2, "cutOff": 1,
        }})
    }

    #[test]
    fn one_request_too_few_is_noticed_on_any_side() {
        assert!(nothing_lost(20, Some(20), &summary()).holds);
        assert!(!nothing_lost(19, Some(20), &summary()).holds);
        assert!(!nothing_lost(20, Some(21), &summary()).holds);
        assert!(!nothing_lost(20, None, &summary()).holds);
        assert!(!nothing_lost(20, Some(20), &json!({})).holds);
    }

    #[test]
    fn each_equation_of_the_ledger_is_checked() {
        assert!(ledger_balances(&summary()).holds);
        for field in ["planned", "finished", "cutOff"] {
            let mut broken = summary();
            broken["ledger"][field] = json!(99);
            assert!(!ledger_balances(&broken).holds, "{field}");
        }
        assert!(
            !ledger_balances(&json!({})).holds,
            "no ledger is no balance"
        );
    }

    #[test]
    fn a_missing_second_is_noticed() {
        let outcome = |seconds: &[i64]| Outcome {
            run: json!({"duration_ms": 3000}),
            summary: Value::Null,
            metrics: seconds
                .iter()
                .map(|s| json!({"timestamp": 1_000_500 + s * 1000}))
                .collect(),
            apps: vec![],
            assertions: vec![],
            bottlenecks: vec![],
        };
        assert!(every_second(&outcome(&[0, 1, 1, 2])).holds);
        assert!(!every_second(&outcome(&[0, 2])).holds);
        assert!(!every_second(&outcome(&[])).holds);
    }
}
