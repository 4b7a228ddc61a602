//! One environment takes one run at a time.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Lab, Run};

fn body(environment: &str) -> Value {
    json!({
        "scenario": "grove-mix", "environment": environment, "dryRun": false,
        "users": 2, "duration": "30s",
    })
}

fn assert_conflict(answer: &Answer, first: &str) {
    answer.expect_error(&[409]);
    let named = answer
        .json()
        .as_object()
        .is_some_and(|fields| fields.values().any(|value| value == first));
    assert!(
        named,
        "no field is the first run's id {first}: {}",
        answer.text
    );
}

#[test]
fn the_second_run_on_an_environment_is_refused_with_the_id_of_the_first() {
    let lab = Lab::shared();
    let first = Run::start(&lab, &body("staging"));
    assert_conflict(&lab.api.post("/runs", &body("staging")), &first.id);
    // The same through another scenario: the environment decides.
    let mut other = body("staging");
    other["scenario"] = json!("auth-stress");
    assert_conflict(&lab.api.post("/runs", &other), &first.id);

    let elsewhere = Run::start(&lab, &body("production"));
    assert_eq!(lab.running().len(), 2);
    assert_eq!(first.status(), "running");

    first.cancel();
    assert_eq!(first.ended(Duration::from_secs(10)), "cancelled");
    assert_eq!(
        elsewhere.status(),
        "running",
        "cancelling one leaves the other alone"
    );
    let next = Run::start(&lab, &body("staging"));
    for run in [&elsewhere, &next] {
        run.cancel();
        assert_eq!(run.ended(Duration::from_secs(10)), "cancelled");
    }
}

#[test]
fn of_runs_that_start_at_the_same_moment_exactly_one_wins() {
    const RIVALS: usize = 6;
    let lab = Lab::shared();
    let barrier = Barrier::new(RIVALS);
    let (api, start) = (&lab.api, &barrier);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let rivals: Vec<_> = (0..RIVALS)
            .map(|_| {
                scope.spawn(move || {
                    start.wait();
                    api.post("/runs", &body("staging"))
                })
            })
            .collect();
        rivals
            .into_iter()
            .map(|rival| rival.join().expect("an answer"))
            .collect()
    });
    let (winners, losers): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 202);
    let [winner] = winners.as_slice() else {
        panic!("{} of {RIVALS} won", winners.len());
    };
    let id = winner.json()["id"].as_str().expect("an id").to_owned();
    for loser in losers {
        assert_conflict(loser, &id);
    }
    assert_eq!(lab.running(), std::slice::from_ref(&id));
    lab.api.post(&format!("/runs/{id}/cancel"), &json!({}));
}

#[test]
fn runs_on_two_environments_at_once_do_not_disturb_each_other() {
    let lab = Lab::shared();
    let before = lab.grove.total();
    let mut short = body("staging");
    short["duration"] = json!("6s");
    short["users"] = json!(8);
    let staging = Run::start(&lab, &short);
    short["environment"] = json!("production");
    let production = Run::start(&lab, &short);
    let mut sent = 0;
    for run in [&staging, &production] {
        assert_eq!(run.ended(Duration::from_secs(40)), "completed");
        let summary = run.summary();
        summary.assert_balanced();
        assert_eq!(summary.losses(), [] as [Value; 0]);
        assert_eq!(summary.ledger("interrupted"), 0, "{}", summary.0["ledger"]);
        assert!(run.rows("metrics").len() >= 6);
        sent += summary.ledger("sent");
    }
    assert_eq!(sent, lab.grove.total() - before, "nothing lost");
}
