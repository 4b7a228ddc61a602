//! A dry run tells what would be done and does nothing; production takes an explicit "no dry run".

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Footprint, Lab, Run};

#[test]
fn a_dry_run_answers_the_plan_and_sends_and_stores_nothing() {
    let lab = Lab::shared();
    let before = Footprint::take(&lab);
    for environment in ["staging", "production"] {
        let body = json!({
            "scenario": "grove-mix", "environment": environment, "dryRun": true,
            "users": 12, "duration": "20s",
        });
        let answer = lab.api.post("/runs", &body).expect(200);
        assert_eq!(answer["scenario"], "grove-mix", "{answer}");
        assert_eq!(answer["environment"], environment, "{answer}");
        assert!(
            answer["id"].is_null(),
            "there is no run to have an id: {answer}"
        );
        let plan = answer
            .get("plan")
            .unwrap_or_else(|| panic!("no plan in {answer}"));
        let text = plan.to_string();
        assert!(has_number(plan, 12.0), "the plan has 12 users: {text}");
        assert!(
            has_number(plan, 20.0) || text.contains("20s"),
            "it takes 20 s: {text}"
        );
    }
    assert_eq!(Footprint::take(&lab), before);
}

#[test]
fn a_profile_is_laid_over_the_scenario() {
    let lab = Lab::shared();
    let ask = |profile: &str| {
        let body = json!({"scenario": "grove-mix", "dryRun": true, "profile": profile});
        lab.api.post("/runs", &body)
    };
    let plan = ask("smoke").expect(200)["plan"].clone();
    assert_eq!(
        (&plan["usersMax"], &plan["durationS"]),
        (&json!(1), &json!(30.0))
    );
    let plan = ask("stress").expect(200)["plan"].clone();
    assert_eq!(plan["usersMax"], 500, "ten times the scenario's own 50");
    let refused = ask("storm");
    assert_eq!(refused.expect_error(&[422]), "invalid");
    assert_eq!(refused.json()["problems"][0]["path"], "profile");
}

#[test]
fn production_runs_after_an_explicit_confirmation_only() {
    let lab = Lab::shared();
    let before = Footprint::take(&lab);
    let body = json!({
        "scenario": "grove-mix", "environment": "production", "users": 2, "duration": "3s",
    });
    lab.api.post("/runs", &body).expect_error(&[400]);
    let mut unsure = body.clone();
    unsure["dryRun"] = Value::Null;
    lab.api.post("/runs", &unsure).expect_error(&[400, 422]);
    assert_eq!(Footprint::take(&lab), before);

    let mut confirmed = body;
    confirmed["dryRun"] = json!(false);
    let answer = lab.api.post("/runs", &confirmed);
    assert_eq!(answer.expect(202)["environment"], "production");
    let run = Run::accepted(&lab, &answer);
    assert_eq!(run.ended(Duration::from_secs(40)), "completed");
    assert!(run.summary().ledger("sent") > 0);
    let config: Value =
        serde_json::from_str(run.row()["config_json"].as_str().expect("text")).expect("JSON");
    assert_eq!(config["environment"], "production");
    assert_eq!(config["dryRun"], false);
}

/// Whether a number stands anywhere in a value.
fn has_number(value: &Value, number: f64) -> bool {
    match value {
        Value::Number(found) => found.as_f64() == Some(number),
        Value::Array(items) => items.iter().any(|item| has_number(item, number)),
        Value::Object(fields) => fields.values().any(|field| has_number(field, number)),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}
