//! A run through shards: regions force them on a run of any size. What Grove counted, what D1 holds and what the
//! ledger says are the same number, with shards as without them.

use std::time::Duration;

use devstack::Service;
use serde_json::{Value, json};

use crate::downtime::assert_ended_with_hole;
use crate::support::{Lab, Run, until};

/// A run of grove-mix from two regions: three batches, two of them in the first region.
fn body(duration: &str) -> Value {
    json!({
        "scenario": "grove-mix", "environment": "staging", "users": 12, "duration": duration,
        "regions": {"weur": 2, "enam": 1},
    })
}

#[test]
fn a_run_from_two_regions_accounts_for_every_request() {
    let lab = Lab::shared();
    let before = lab.grove.total();
    let run = Run::start(&lab, &body("14s"));
    let status = run.ended(Duration::from_secs(120));
    assert_eq!(status, "completed", "{}", run.row());
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.holes(), &[] as &[Value]);
    let sent = summary.ledger("sent");
    assert!(sent > 0);
    assert_eq!(lab.grove.total() - before, sent, "what Grove received");
    let stored = lab.value(&format!(
        "SELECT sum(total_requests) AS n FROM load_test_app_results WHERE run_id = '{}'",
        run.id
    ));
    assert_eq!(stored.as_u64(), Some(sent), "what D1 holds");
    // Four slices of 4 s: the users went on from one to the next.
    assert!(
        summary.0["slices"].as_u64() >= Some(3),
        "{}",
        summary.0["slices"]
    );

    let row = run.row();
    let config = row["config_json"].as_str().expect("config_json is a text");
    let config: Value = serde_json::from_str(config).expect("config_json is JSON");
    assert_eq!(
        config["shards"],
        json!([{"batches": 1, "region": "enam"}, {"batches": 2, "region": "weur"}])
    );
}

#[test]
fn a_cancelled_run_stops_in_all_regions() {
    let lab = Lab::shared();
    let run = Run::start(&lab, &body("60s"));
    run.has_seconds(2);
    run.cancel();
    assert_eq!(run.ended(Duration::from_secs(60)), "cancelled");
    let summary = run.summary();
    summary.assert_balanced();
    // Nothing is sent any more: two counts a second apart are the same.
    until(
        "Grove receives nothing more",
        Duration::from_secs(30),
        || {
            let counted = lab.grove.total();
            let rows = lab.rows("SELECT 1");
            (rows.len() == 1 && lab.grove.total() == counted).then_some(())
        },
    );
}

#[test]
fn a_run_through_shards_ends_after_a_crash_of_the_load_tester() {
    let mut lab = Lab::own();
    let run = Run::start(&lab, &body("25s"));
    run.has_seconds(5);
    let id = run.id.clone();
    lab.kill_hard(Service::LoadTest);
    lab.restart(Service::LoadTest).expect("it starts again");
    let run = Run::again(&lab, &id);
    assert_ended_with_hole(&lab, &run);
}
