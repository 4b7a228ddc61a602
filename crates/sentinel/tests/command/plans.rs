//! Plans: the times of a run, without the run.

use std::path::Path;

use serde_json::{Value, json};

use crate::lab::Lab;

fn plan(lab: &Lab, scenario: &Path, options: &[&str]) -> Value {
    let mut command = lab.command();
    command
        .arg("plan")
        .arg(scenario)
        .arg("--json")
        .args(options);
    let ended = lab.ended(command.output().expect("it runs"));
    assert_eq!(ended.code, 0, "{}", ended.err);
    serde_json::from_str(&ended.out).expect("JSON")
}

#[test]
fn the_shares_of_a_plan_are_the_plan() {
    let lab = Lab::new();
    let scenario = lab.scenario("/ok", |_| {});
    let rate = [
        "--rate",
        "50",
        "--duration",
        "2s",
        "--vus",
        "7",
        "--seed",
        "3",
    ];
    let times = |plan: &Value| -> Vec<u64> {
        let times = plan["arrivals_s"].as_array().expect("arrivals");
        let of = |at: &Value| (at.as_f64().expect("a time") * 1e6).round() as u64;
        times.iter().map(of).collect()
    };
    let whole = plan(&lab, &scenario, &rate);
    assert_eq!(
        (&whole["model"], &whole["seed"]),
        (&json!("open"), &json!(3))
    );
    assert_eq!(whole["iterations_planned"], 100);
    let mut together = Vec::new();
    for share in ["1/3", "2/3", "3/3"] {
        let options = [&rate[..], &["--share", share]].concat();
        together.extend(times(&plan(&lab, &scenario, &options)));
    }
    together.sort_unstable();
    assert_eq!(together, times(&whole));
    assert_eq!(
        lab.target.stats().connections_opened,
        0,
        "a plan sends nothing"
    );
}

#[test]
fn a_plan_can_be_looked_at() {
    let lab = Lab::new();
    let scenario = lab.scenario("/ok", |_| {});
    let mut command = lab.command();
    command
        .arg("plan")
        .arg(&scenario)
        .args(["--stage", "10s:4", "--shares", "2"]);
    let ended = lab.ended(command.output().expect("it runs"));
    assert_eq!(ended.code, 0, "{}", ended.err);
    for part in ["visits: 10 s", "users", "█", "share 2/2"] {
        assert!(ended.out.contains(part), "{part} in {}", ended.out);
    }
}
