//! The load tester goes away in the middle of a run and comes back on the same state: the run comes to an end,
//! and what is missing is stated.

use std::time::Duration;

use devstack::Service;
use serde_json::{Value, json};

use crate::support::{Lab, Run, count, unix_ms};

fn body(duration: &str) -> Value {
    json!({
        "scenario": "grove-mix", "environment": "staging", "users": 8, "duration": duration,
    })
}

/// The run has ended, and its summary tells about the time in which nobody played it.
pub(crate) fn assert_ended_with_hole(lab: &Lab, run: &Run<'_>) {
    let status = run.ended(Duration::from_secs(60));
    assert!(
        ["completed", "failed"].contains(&status.as_str()),
        "{status}"
    );
    let row = run.row();
    assert!(unix_ms(&row["ended_at"]) > unix_ms(&row["started_at"]));
    let summary = run.summary();
    summary.assert_balanced();
    assert!(
        !summary.holes().is_empty(),
        "no hole is stated: {}",
        summary.0
    );
    for hole in summary.holes() {
        let numbers = hole
            .as_object()
            .expect("an object")
            .values()
            .filter(|v| v.is_number());
        assert!(
            numbers.count() >= 2,
            "a hole says from when to when: {hole}"
        );
    }
    // What was lost with the process was never reported; everything reported had been sent.
    let stored = lab.value(&format!(
        "SELECT sum(total_requests) AS n FROM load_test_app_results WHERE run_id = '{}'",
        run.id
    ));
    assert_eq!(stored.as_u64(), Some(summary.ledger("sent")));
    assert!(summary.ledger("sent") > 0 && summary.ledger("sent") <= lab.grove.total());

    let rows = run.rows("metrics");
    let timestamps: Vec<u64> = rows.iter().map(|row| count(row, "timestamp")).collect();
    let mut once = timestamps.clone();
    once.dedup();
    assert_eq!(timestamps, once, "no second is told twice");
    assert!(timestamps.is_sorted());

    // The environment is free again.
    let next = Run::start(lab, &body("2s"));
    assert_eq!(next.ended(Duration::from_secs(30)), "completed");
}

#[test]
fn a_run_ends_after_a_crash_of_the_load_tester() {
    let mut lab = Lab::own();
    let run = Run::start(&lab, &body("25s"));
    run.has_seconds(6);
    let id = run.id.clone();
    lab.kill_hard(Service::LoadTest);
    lab.restart(Service::LoadTest).expect("it starts again");

    let run = Run::again(&lab, &id);
    assert_eq!(run.status(), "running", "there is more of the plan to play");
    let until_crash = lab.grove.total();
    assert_ended_with_hole(&lab, &run);
    assert!(lab.grove.total() > until_crash, "the run went on");
}

#[test]
fn a_run_whose_time_passed_while_the_load_tester_was_down_ends() {
    let mut lab = Lab::own();
    let run = Run::start(&lab, &body("6s"));
    run.has_seconds(3);
    let id = run.id.clone();
    // In good order, with SIGTERM: no process has a chance to finish the run all the same.
    lab.stop_service(Service::LoadTest);
    lab.restart(Service::LoadTest).expect("it starts again");
    assert_ended_with_hole(&lab, &Run::again(&lab, &id));
}

#[test]
fn a_run_that_is_cancelled_while_the_load_tester_is_down_does_not_go_on() {
    let mut lab = Lab::own();
    let run = Run::start(&lab, &body("60s"));
    run.has_seconds(3);
    let id = run.id.clone();
    lab.kill_hard(Service::LoadTest);
    lab.kv_put(&format!("loadtest:cancel:{id}"), "cancelled")
        .expect("KV is written");
    let until_crash = lab.grove.total();
    lab.restart(Service::LoadTest).expect("it starts again");
    let run = Run::again(&lab, &id);
    assert_eq!(run.ended(Duration::from_secs(40)), "cancelled");
    run.summary().assert_balanced();
    assert_eq!(lab.grove.total(), until_crash, "it sent nothing more");
}

#[test]
fn a_run_that_was_accepted_a_moment_ago_survives_a_crash() {
    let mut lab = Lab::own();
    let id = Run::start(&lab, &body("4s")).id;
    lab.kill_hard(Service::LoadTest);
    lab.restart(Service::LoadTest).expect("it starts again");
    let run = Run::again(&lab, &id);
    let status = run.ended(Duration::from_secs(60));
    assert!(
        ["completed", "failed"].contains(&status.as_str()),
        "{status}"
    );
    run.summary().assert_balanced();
}
