//! Profiles on the command line: shapes for any load, and those of a scenario's own.

use serde_json::{Value, json};

use crate::lab::{Ended, Lab};

fn plan(lab: &Lab, arguments: &[&str]) -> Ended {
    let mut command = lab.command();
    let scenario = lab.path("visits.json");
    let command = command
        .arg("plan")
        .arg(scenario)
        .arg("--json")
        .args(arguments);
    lab.ended(command.output().expect("the command runs"))
}

/// The highest number of users, and how long it takes in seconds.
fn outline(ended: &Ended) -> (u64, f64) {
    assert_eq!(ended.code, 0, "{}", ended.err);
    let plan: Value = serde_json::from_str(&ended.out).expect("JSON");
    let steps = plan["vu_steps"].as_array().expect("steps").iter();
    let users = steps.map(|step| step[1].as_u64().expect("a number"));
    (
        users.max().unwrap_or(0),
        plan["duration_s"].as_f64().expect("a length"),
    )
}

#[test]
fn a_profile_is_laid_over_the_load_or_stands_in_its_place() {
    let lab = Lab::new();
    lab.scenario("/ok", |scenario| {
        scenario["profiles"] = json!({"tiny": {"load": {"vus": 2, "duration": "3s"}}});
    });
    for (arguments, expected) in [
        (&["--profile", "smoke"][..], (1, 30.0)),
        (&["--profile", "load"], (3, 540.0)),
        (&["--profile", "stress"], (30, 1_140.0)),
        (
            &["--profile", "spike", "--users", "12", "--duration", "1m"],
            (12, 60.0),
        ),
        (&["--profile", "tiny"], (2, 3.0)),
    ] {
        assert_eq!(outline(&plan(&lab, arguments)), expected, "{arguments:?}");
    }
}

#[test]
fn a_run_plays_its_profile() {
    let lab = Lab::new();
    let scenario = lab.scenario("/ok", |scenario| {
        scenario["load"] = json!({"vus": 2, "duration": "10m"});
    });
    let ended = lab.run(&scenario, &["--profile", "load", "--duration", "2s"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    ended.assert_balanced();
    assert!(ended.ledger("finished") > 0);
    let phases = &ended.summary["phases"];
    let lengths = ["rampUp", "peak"].map(|phase| phases[phase]["durationS"].as_f64());
    assert_eq!(lengths, [Some(0.444), Some(1.111)]);
}

#[test]
fn a_profile_does_not_go_together_with_a_load_of_k6s_shortcuts() {
    let lab = Lab::new();
    lab.scenario("/ok", |_| {});
    for shortcut in [
        ["--vus", "3"],
        ["--iterations", "3"],
        ["--stage", "3s:3"],
        ["--rate", "3"],
    ] {
        let ended = plan(&lab, &[&["--profile", "smoke"], &shortcut[..]].concat());
        assert_eq!(ended.code, 104, "{}", ended.err);
        for part in ["--profile", shortcut[0], "cannot be used with"] {
            assert!(ended.err.contains(part), "{part} in {}", ended.err);
        }
    }
    let ended = plan(&lab, &["--profile", "storm"]);
    assert_eq!(ended.code, 104, "{}", ended.err);
    assert!(
        ended.err.contains("--profile: \"storm\" is not known"),
        "{}",
        ended.err
    );
}
