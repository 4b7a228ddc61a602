//! Comparisons of runs, as a CI job uses them.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::lab::{Ended, Lab};

/// The summary of a run against a target that takes so long, under another name.
fn summary(lab: &Lab, name: &str, url: &str) -> PathBuf {
    let scenario = lab.scenario(url, |scenario| {
        scenario["load"] = json!({
            "executor": "constant-arrival-rate",
            "rate": 20,
            "duration": "8s",
            "preAllocatedVUs": 60,
        });
    });
    let ended = lab.run(&scenario, &[]);
    assert_eq!(ended.ledger("failed"), 0, "{}", ended.err);
    let path = lab.path(name);
    fs::rename(lab.path("summary.json"), &path).expect("the summary");
    path
}

fn compare(lab: &Lab, arguments: &[&str]) -> Ended {
    let mut command = lab.command();
    lab.ended(
        command
            .arg("compare")
            .args(arguments)
            .output()
            .expect("it runs"),
    )
}

#[test]
fn a_slower_target_is_worse_and_a_run_is_as_good_as_itself() {
    let lab = Lab::new();
    let fast = summary(&lab, "fast.json", "/delay?ms=5");
    let slow = summary(&lab, "slow.json", "/delay?ms=1500");
    let (fast, slow) = (fast.to_str().expect("text"), slow.to_str().expect("text"));

    let same = compare(&lab, &[fast, fast, "--fail-on-regression", "--json"]);
    assert_eq!(same.code, 0, "{}", same.err);
    let same: Value = serde_json::from_str(&same.out).expect("JSON");
    assert_eq!((&same["better"], &same["worse"]), (&json!(0), &json!(0)));

    let worse = compare(&lab, &[fast, slow, "--fail-on-regression"]);
    assert_eq!(worse.code, 99, "{}", worse.out);
    let median = worse.out.lines().find(|line| line.contains("p50 ms"));
    assert!(
        median.is_some_and(|line| line.contains("worse")),
        "{}",
        worse.out
    );

    let better = compare(&lab, &[slow, fast, "--fail-on-regression"]);
    assert_eq!(better.code, 0, "{}", better.err);
    let told = compare(&lab, &[fast, slow]);
    assert_eq!(told.code, 0, "it was not asked to fail");
}

#[test]
fn what_is_no_summary_is_refused_with_its_reason() {
    let lab = Lab::new();
    let other = lab.write("other.json", &json!({"id": 1}));
    let other = other.to_str().expect("text");
    for (arguments, reason) in [
        (&["nothing.json", other][..], "nothing.json"),
        (&[other, other], "--out json"),
        (&[other, other, "--confidence", "100"], "such as 95"),
        (&[other, other, "--tolerance=-1"], "such as 5"),
    ] {
        let ended = compare(&lab, arguments);
        assert_eq!(ended.code, 104, "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains(reason), "{arguments:?}: {}", ended.err);
    }
}
