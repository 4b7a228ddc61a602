//! A run through shards: regions force them on a run of any size. What Grove counted, what D1 holds and what the
//! ledger says are the same number, with shards as without them.

use std::time::Duration;

use devstack::Service;
use serde_json::{Value, json};

use crate::downtime::assert_ended_with_hole;
use crate::support::{Lab, Reply, Run, count, inline, profile, until};

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
    let regions = summary.0["regions"].as_object().expect("regions");
    let of = |region: &str, field: &str| count(&regions[region], field);
    assert_eq!(regions.len(), 2);
    assert_eq!((of("enam", "batches"), of("weur", "batches")), (1, 2));
    assert_eq!(
        of("enam", "totalRequests") + of("weur", "totalRequests"),
        sent,
        "what the regions sent"
    );
    for region in regions.values() {
        assert!(count(region, "totalRequests") > 0);
        assert_eq!(
            (&region["coverage"], &region["holes"]),
            (&json!(1.0), &json!(0))
        );
    }
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
fn the_data_centre_of_each_batch_is_recorded() {
    let lab = Lab::shared();
    let target = lab.target(|_| Reply::json(&json!({})).with("cf-ray", "8f2a3b4c5d6e7f80-AMS"));
    let steps = json!([{
        "name": "get",
        "request": {"method": "GET", "url": format!("{}/", target.url())},
        "expect": {"status": 200},
    }]);
    let mut body = inline(&profile(6, [1, 1, 1, 1]), &steps);
    body["regions"] = json!({"weur": 1, "apac": 1});
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(Duration::from_secs(120)), "completed");
    let summary = run.summary();
    summary.assert_balanced();
    let of = |place: &Value| count(&place["colos"], "AMS");
    let (weur, apac) = (&summary.0["regions"]["weur"], &summary.0["regions"]["apac"]);
    assert!(of(weur) > 0 && of(apac) > 0, "{}", summary.0["regions"]);
    assert_eq!(of(weur) + of(apac), of(&summary.0));
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
