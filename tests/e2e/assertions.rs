//! A run that must not pass does not pass, says why, and names the weak part. Grove is made slow, failing or
//! narrow on purpose.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Lab, Run, count, inline, profile};

/// Longer than any run here by far.
const LIMIT: Duration = Duration::from_secs(60);

/// A read that uses a tenant's object and D1.
fn read_posts() -> Value {
    json!([{
        "name": "list", "request": {"method": "GET", "url": "/api/tenants/oak/posts"},
        "expect": {"status": 200},
    }])
}

fn assert_explained(run: &Run<'_>, metric: &str) -> f64 {
    let summary = run.summary();
    assert!(!summary.passed(), "{}", summary.0);
    let told = summary.0["failedAssertions"]
        .as_array()
        .expect("a list")
        .clone();
    let named = |text: &Value| text.as_str().is_some_and(|text| text.starts_with(metric));
    assert!(told.iter().any(named), "{metric} is not in {told:?}");
    let rows = run.rows("assertions");
    let row = rows
        .iter()
        .find(|row| row["metric"] == metric && row["passed"] == 0);
    let row = row.unwrap_or_else(|| panic!("no failed {metric} in {rows:?}"));
    row["actual_value"].as_f64().expect("a number")
}

#[test]
fn errors_of_the_target_fail_the_run_and_are_counted() {
    let lab = Lab::shared();
    let before = lab.grove.total();
    lab.grove.set_fault(&json!({"error_rate": 0.7}));
    let body = json!({
        "scenario": "grove-mix", "environment": "staging", "users": 5, "duration": "6s",
    });
    let run = Run::start(&lab, &body);
    assert_eq!(
        run.ended(LIMIT),
        "completed",
        "the run itself did not break"
    );
    lab.grove.clear_faults();

    let rate = assert_explained(&run, "error_rate");
    // Chance decides how many of a few dozen requests fail, but not what both tell of them.
    let phase = &run.summary().0["phases"]["steadyState"];
    assert_eq!(phase["errorRate"].as_f64(), Some(rate), "{phase}");
    let apps = run.rows("apps");
    let failed: u64 = apps.iter().map(|row| count(row, "failed_requests")).sum();
    let total: u64 = apps.iter().map(|row| count(row, "total_requests")).sum();
    assert!(failed > 0);
    assert_eq!(
        total,
        lab.grove.total() - before,
        "failed requests are requests"
    );
    let classes: String = apps
        .iter()
        .map(|row| row["errors_by_type"].to_string())
        .collect();
    assert!(classes.contains("503"), "the status is named: {classes}");
    run.summary().assert_balanced();
    let answer = lab.api.get(&format!("/runs/{}", run.id)).expect(200);
    assert_eq!(answer["run"]["passed"], false, "{answer}");
}

#[test]
fn each_of_the_seven_metrics_is_judged_by_what_was_measured() {
    const DELAY_MS: u32 = 300;
    let lab = Lab::shared();
    lab.grove.set_fault(&json!({"delay_ms": DELAY_MS}));
    let mut body = inline(&profile(4, [1, 2, 3, 1]), &read_posts());
    body["scenario"]["assertions"] = json!([
        {"metric": "throughput_requests_per_sec", "operator": ">", "value": 0.5},
        {"metric": "p50_latency_ms", "operator": ">=", "value": DELAY_MS},
        {"metric": "p95_latency_ms", "operator": "<", "value": 200},
        {"metric": "p99_latency_ms", "operator": "<=", "value": 200},
        {"metric": "error_rate", "operator": "=", "value": 0},
        {"metric": "do_wake_rate", "operator": "<=", "value": 1},
        {"metric": "d1_queue_depth", "operator": ">=", "value": 0},
    ]);
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(LIMIT), "completed");
    lab.grove.clear_faults();

    let rows = run.rows("assertions");
    let of = |metric: &str| {
        let row = rows.iter().find(|row| row["metric"] == metric);
        let row = row.unwrap_or_else(|| panic!("no {metric} in {rows:?}"));
        (
            row["actual_value"].as_f64().expect("a number"),
            row["passed"] == 1,
        )
    };
    assert_eq!(rows.len(), 7);
    for metric in ["p95_latency_ms", "p99_latency_ms"] {
        let actual = assert_explained(&run, metric);
        let slow = actual >= f64::from(DELAY_MS);
        assert!(slow && !of(metric).1, "{metric} is {actual}");
    }
    let (throughput, held) = of("throughput_requests_per_sec");
    // Four users, each at most once in 500 ms.
    assert!(held && throughput < 9.0, "throughput is {throughput}");
    let (median, held) = of("p50_latency_ms");
    assert!(
        held && median >= f64::from(DELAY_MS),
        "the median is {median}"
    );
    assert_eq!(of("error_rate"), (0.0, true));
    let (wakes, held) = of("do_wake_rate");
    assert!(
        held && (0.0..=1.0).contains(&wakes),
        "the wake rate is {wakes}"
    );
    let (depth, held) = of("d1_queue_depth");
    assert!(
        held && (0.0..=100.0).contains(&depth),
        "the queue depth is {depth}"
    );
    assert_eq!(
        run.summary().0["failedAssertions"].as_array().map(Vec::len),
        Some(2)
    );
}

/// One D1 call at a time, each taking 30 ms: a few users do not notice, forty wait for each other.
#[test]
fn a_part_that_cannot_keep_up_is_named_with_the_users_at_that_moment() {
    const USERS: u32 = 40;
    let lab = Lab::shared();
    // What Grove does once, for the first reader of a tenant, is no part of what it is like at its best.
    lab.grove.get("/api/tenants/oak/posts").expect(200);
    lab.grove
        .set_fault(&json!({"component": "D1", "capacity": 1, "delay_ms": 30}));
    // A user more each second, so that the first seconds show the target at its best.
    let mut profile = profile(USERS, [16, 8, 1, 1]);
    profile["rampUp"]["to"] = json!(16);
    let body = inline(&profile, &read_posts());
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(LIMIT), "completed");
    lab.grove.clear_faults();

    let found = run.rows("bottlenecks");
    let summary = run.summary();
    let row = found.iter().find(|row| row["component"] == "D1");
    let row =
        row.unwrap_or_else(|| panic!("D1 is not named: {found:?}\n{}", summary.0["timeline"]));
    let users = row["saturation_users"].as_u64().expect("a number of users");
    assert!((1..=u64::from(USERS)).contains(&users), "{row}");
    assert!(
        row["symptom"].as_str().is_some_and(|text| !text.is_empty()),
        "{row}"
    );
    assert!(
        ["warning", "critical"].contains(&row["severity"].as_str().unwrap_or("")),
        "{row}"
    );
    let details = row["details"].as_str().expect("a text");
    let details: Value = serde_json::from_str(details).expect("JSON");
    assert!(details.is_object(), "{row}");
    let told = summary.0["bottlenecks"].as_array().expect("a list");
    let told = told
        .iter()
        .find(|told| told["component"] == "D1")
        .expect("the same in the summary");
    assert_eq!(told["saturationPoint"].as_u64(), Some(users));
}
