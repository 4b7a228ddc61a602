//! What an operator has configured: budgets of requests, alerts, and how long runs are kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use devstack::Service;
use serde_json::{Value, json};

use crate::support::{Lab, Reply, Run, Target, count, inline, profile, until};

const MAX_REQUESTS: u64 = 100;
const DAILY_REQUESTS: u64 = 150;

/// A server for alerts, which fails the first time that it is asked.
fn webhook() -> Target {
    let failed = AtomicBool::new(false);
    Target::forbidden(move |_| {
        let mut reply = Reply::json(&json!({}));
        if !failed.swap(true, Ordering::Relaxed) {
            reply.status = 503;
        }
        reply
    })
}

/// The alerts that came, oldest first.
fn alerts(target: &Target) -> Vec<Value> {
    let received = target.received();
    let bodies = received.iter().map(|request| {
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/hook?key=hunter2")
        );
        serde_json::from_str(&request.body).expect("JSON")
    });
    bodies.collect()
}

/// One user that asks for little, with an assertion of the test's.
fn small(assertion: &Value) -> Value {
    let steps = json!([{
        "name": "home", "request": {"method": "GET", "url": "/"}, "expect": {},
    }]);
    let mut body = inline(&profile(1, [1, 1, 1, 0]), &steps);
    body["scenario"]["pause"] = json!("500ms");
    body["scenario"]["assertions"] = json!([assertion]);
    body
}

#[test]
fn budgets_alerts_and_retention_hold_over_a_restart() {
    let hook = webhook();
    let url = format!("{}/hook?key=hunter2", hook.url());
    let mut lab = Lab::own_with(|options| {
        options
            .var("MAX_REQUESTS", MAX_REQUESTS.to_string())
            .var("DAILY_REQUESTS", DAILY_REQUESTS.to_string())
            .var("RETENTION_DAYS", "0")
            .var("ALERT_WEBHOOK", url)
    });
    let mut kept = ends_and_alerts(&lab, &hook);
    kept.sort();
    let used = uses_up_the_day(&lab);
    refuses_more(&lab, used);

    lab.kill_hard(Service::LoadTest);
    lab.restart(Service::LoadTest).expect("it starts again");
    refuses_more(&lab, used);

    forgets_by_night(&lab, &hook, &kept);
    refuses_more(&lab, used);
    // wrangler prints variables when it starts; what the Worker says are objects.
    let logs = lab.logs();
    let said: Vec<&str> = logs
        .lines()
        .filter(|line| line.contains("\"event\""))
        .collect();
    assert!(said.iter().any(|line| line.contains("alert_sent")));
    assert!(
        !said.iter().any(|line| line.contains("hunter2")),
        "the address is a secret"
    );
}

/// A run that passes, and one that does not but is to be kept for thirty days; answers their identifiers.
fn ends_and_alerts(lab: &Lab, hook: &Target) -> [String; 2] {
    let passing = json!({"metric": "p50_latency_ms", "operator": ">=", "value": 0});
    let run = Run::start(lab, &small(&passing));
    assert_eq!(run.ended(Duration::from_secs(60)), "completed");
    assert!(
        run.summary().passed(),
        "{}",
        run.summary().0["failedAssertions"]
    );
    let kept = run.id;

    let failing = json!({"metric": "p50_latency_ms", "operator": "<", "value": 0});
    let mut body = small(&failing);
    body["retentionDays"] = json!(30);
    let run = Run::start(lab, &body);
    assert_eq!(run.ended(Duration::from_secs(60)), "completed");
    assert!(!run.summary().passed());
    let seen = until("the alert came again", Duration::from_secs(60), || {
        Some(alerts(hook)).filter(|alerts| alerts.len() >= 2)
    });
    assert_eq!(seen[0], seen[1], "tried again");
    assert_eq!(seen[0]["alert"], "assertions_failed");
    assert_eq!(seen[0]["run"], json!(run.id));
    assert_eq!(seen[0]["scenario"], "e2e-inline");
    assert_eq!(seen[0]["environment"], "staging");
    let text = seen[0]["text"].as_str().expect("a text");
    assert!(text.contains("p50_latency_ms < 0"), "{text}");
    [kept, run.id]
}

/// Runs until nothing is left of the day's budget; answers what was sent.
fn uses_up_the_day(lab: &Lab) -> u64 {
    let body = json!({
        "scenario": "grove-mix", "environment": "staging", "users": 5, "duration": "10m",
    });
    let sent = || {
        let sum = lab.value("SELECT sum(sent) FROM load_test_budget");
        sum.as_u64().expect("what was sent")
    };
    let mut stopped = 0;
    while sent() < DAILY_REQUESTS {
        let run = Run::start(lab, &body);
        let sql = format!(
            "SELECT reserved FROM load_test_budget WHERE run_id = '{}'",
            run.id
        );
        let reserved = lab.value(&sql).as_u64().expect("a reservation");
        let before = sent();
        assert_eq!(reserved, MAX_REQUESTS.min(DAILY_REQUESTS - before));
        assert_eq!(run.ended(Duration::from_secs(240)), "cancelled");
        let summary = run.summary();
        summary.assert_balanced();
        assert!(
            summary.ledger("sent") >= reserved,
            "{}",
            summary.0["ledger"]
        );
        let why = summary.0["failure"].as_str().expect("a reason");
        assert!(
            why.contains("MAX_REQUESTS") || why.contains("DAILY_REQUESTS"),
            "{why}"
        );
        until("the run is settled", Duration::from_secs(60), || {
            (sent() == before + summary.ledger("sent")).then_some(())
        });
        stopped += 1;
    }
    assert!(stopped > 0);
    sent()
}

fn refuses_more(lab: &Lab, used: u64) {
    let body = json!({"scenario": "grove-mix", "environment": "staging"});
    let answer = lab.api.post("/runs", &body);
    assert_eq!(answer.expect_error(&[429]), "daily_budget");
    assert_eq!(count(&answer.json(), "used"), used);
    assert_eq!(count(&answer.json(), "dailyRequests"), DAILY_REQUESTS);
    assert_eq!(lab.running(), [] as [String; 0]);
}

/// The night's run is refused, which is told, and old runs go.
fn forgets_by_night(lab: &Lab, hook: &Target, kept: &[String]) {
    assert!(lab.rows("SELECT id FROM load_test_runs").len() >= 3);
    for _ in 0..2 {
        lab.trigger_cron("0 4 * * *").expect("the cron runs");
    }
    let last = alerts(hook).pop().expect("an alert");
    assert_eq!(last["alert"], "nightly_not_started");
    assert_eq!(last["scenario"], "grove-mix");
    assert_eq!(last["run"], Value::Null);

    let ids = |sql: &str| -> Vec<String> {
        let rows = lab.rows(sql);
        let id = |row: &Value| row["id"].as_str().expect("a text").to_owned();
        rows.iter().map(id).collect()
    };
    assert_eq!(
        ids("SELECT id FROM load_test_runs ORDER BY id"),
        kept,
        "the last one that has passed stays, and the one that was to be kept"
    );
    for table in ["metrics", "app_results", "assertions", "histograms"] {
        let sql = format!("SELECT DISTINCT run_id AS id FROM load_test_{table} ORDER BY id");
        assert_eq!(ids(&sql), kept, "{table}");
    }
    assert!(ids("SELECT run_id AS id FROM load_test_bottlenecks").is_empty());
}

#[test]
fn a_plan_that_certainly_exceeds_a_limit_is_not_started() {
    let lab = Lab::own_with(|options| options.var("MAX_RATE", "20"));
    let mut body = small(&json!({"metric": "error_rate", "operator": "<", "value": 1}));
    if let Some(scenario) = body["scenario"].as_object_mut() {
        scenario.remove("userProfile");
        let load = json!({
            "executor": "constant-arrival-rate", "rate": 21, "duration": "5s", "preAllocatedVUs": 5,
        });
        scenario.insert("load".to_owned(), load);
    }
    let answer = lab.api.post("/runs", &body);
    answer.expect_error(&[422]);
    assert!(answer.text.contains("MAX_RATE"), "{}", answer.text);
    assert_eq!(lab.rows("SELECT id FROM load_test_runs"), [] as [Value; 0]);

    // Users that repeat their iterations as fast as they can are stopped by what they do.
    let mut body = small(&json!({"metric": "error_rate", "operator": "<", "value": 1}));
    body["scenario"]["pause"] = json!("0s");
    body["scenario"]["userProfile"] = profile(4, [1, 200, 1, 1]);
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(Duration::from_secs(150)), "cancelled");
    let summary = run.summary();
    summary.assert_balanced();
    let why = summary.0["failure"].as_str().expect("a reason");
    assert!(why.contains("MAX_RATE"), "{why}");
}
