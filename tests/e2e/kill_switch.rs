//! One call, or one key in KV, stops everything, and nothing starts until that is lifted.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Api, Footprint, Lab, Run};

const KEY: &str = "loadtest:stop-all";

fn body(environment: &str) -> Value {
    json!({
        "scenario": "grove-mix", "environment": environment, "dryRun": false,
        "users": 6, "duration": "60s",
    })
}

/// Lifts the stop whatever becomes of the test, so that the next one can run.
struct Lifting(Api);

impl Lifting {
    fn of(lab: &Lab) -> Self {
        Self(lab.api.clone())
    }

    fn lift(&self) -> Value {
        let request = self.0.request("DELETE", "/stop");
        self.0
            .send(request.body(()).expect("a valid request"))
            .json()
    }
}

impl Drop for Lifting {
    fn drop(&mut self) {
        self.lift();
    }
}

/// A run that was stopped keeps what it measured and says why it was stopped.
fn assert_stopped(run: &Run<'_>, reason: &str) {
    assert_eq!(run.ended(Duration::from_secs(30)), "cancelled");
    let summary = run.summary();
    summary.assert_balanced();
    assert!(!summary.passed());
    assert_eq!(
        summary.0["failure"],
        format!("everything was stopped: {reason}")
    );
    assert!(summary.ledger("sent") > 0, "{}", summary.0["ledger"]);
}

fn assert_refused(lab: &Lab, reason: &str) {
    let before = Footprint::take(lab);
    let answer = lab.api.post("/runs", &body("staging"));
    assert_eq!(answer.expect_error(&[423]), "stopped");
    assert_eq!(answer.json()["reason"], reason);
    lab.trigger_cron("0 4 * * *").expect("the cron runs");
    assert_eq!(Footprint::take(lab), before, "neither of them started");
    assert_eq!(lab.api.get("/health").expect(200)["stopped"], true);
    let mut plan = body("staging");
    plan["dryRun"] = json!(true);
    lab.api.post("/runs", &plan).expect(200);
}

#[test]
fn one_call_stops_everything_until_it_is_lifted() {
    let lab = Lab::shared();
    let lifting = Lifting::of(&lab);
    let state = lab.api.get("/stop").expect(200);
    assert_eq!(
        (&state["stopped"], &state["reason"]),
        (&json!(false), &Value::Null)
    );
    let runs = ["staging", "production"].map(|name| Run::start(&lab, &body(name)));
    runs.iter().for_each(|run| run.has_seconds(2));

    let answer = lab.api.post("/stop", &json!({"reason": "Grove is down"}));
    let answer = answer.expect(200);
    assert_eq!(answer["warnings"], json!([]));
    let mut told: Vec<&str> = answer["runs"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    told.sort_unstable();
    let mut expected = runs.each_ref().map(|run| run.id.as_str());
    expected.sort_unstable();
    assert_eq!(told, expected);
    for run in &runs {
        assert_stopped(run, "Grove is down");
    }
    assert_refused(&lab, "Grove is down");
    let state = lab.api.get("/stop").expect(200);
    assert_eq!(state["reason"], "Grove is down");
    assert!(state["since"].is_string(), "{state}");
    assert_eq!(
        lab.kv_get(KEY).expect("KV").as_deref().map(str::trim),
        Some("stop: Grove is down")
    );

    assert_eq!(lifting.lift()["stopped"], false);
    assert_eq!(lab.api.get("/health").expect(200)["stopped"], false);
    let run = Run::start(&lab, &body("staging"));
    run.has_seconds(1);
    run.cancel();
    assert_eq!(run.ended(Duration::from_secs(30)), "cancelled");
    assert_eq!(run.summary().0["failure"], Value::Null);
}

#[test]
fn a_key_in_kv_alone_stops_everything() {
    let lab = Lab::shared();
    let _lifting = Lifting::of(&lab);
    let runs = ["staging", "production"].map(|name| Run::start(&lab, &body(name)));
    runs.iter().for_each(|run| run.has_seconds(2));
    assert_eq!(
        lab.kv_get(KEY).expect("KV").as_deref().map(str::trim),
        Some("run"),
        "it is there before it is needed"
    );

    lab.kv_put(KEY, "the bill").expect("KV is written");
    for run in &runs {
        assert_stopped(run, "the bill");
    }
    assert_refused(&lab, "the bill");
    let state = lab.api.get("/stop").expect(200);
    assert_eq!(
        (&state["stopped"], &state["since"]),
        (&json!(true), &Value::Null)
    );
    lab.trigger_cron("*/5 * * * *").expect("the watchdog runs");
    assert_eq!(
        lab.kv_get(KEY).expect("KV").as_deref().map(str::trim),
        Some("the bill"),
        "nothing takes it back but whoever lifts it"
    );

    lab.kv_put(KEY, "run").expect("KV is written");
    let run = Run::start(&lab, &body("staging"));
    run.cancel();
    assert_eq!(run.ended(Duration::from_secs(30)), "cancelled");
}

#[test]
fn a_stop_says_why_and_who_may() {
    let lab = Lab::shared();
    for (body, statuses) in [
        ("", &[400][..]),
        ("{}", &[422]),
        (r#"{"reason": ""}"#, &[422]),
        (r#"{"reason": 7}"#, &[422]),
        (r#"{"reason": "x", "until": "tomorrow"}"#, &[422]),
        (r#"["x"]"#, &[422]),
    ] {
        lab.api.post_text("/stop", body).expect_error(statuses);
    }
    for method in ["GET", "POST", "DELETE"] {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(lab.api.url("/stop"));
        let answer = lab.api.send(request.body(()).expect("a valid request"));
        assert_eq!(answer.expect_error(&[401]), "unauthorized", "{method}");
    }
    let state = lab.api.get("/stop").expect(200);
    assert_eq!(state["stopped"], false);
}
