//! A run through shards: regions force them on a run of any size. What Grove counted, what D1 holds and what the
//! ledger says are the same number, with shards as without them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use devstack::Service;
use serde_json::{Value, json};

use crate::downtime::assert_ended_with_hole;
use crate::support::{Lab, Reply, Run, count, inline, profile, unix_ms, until};

/// A run of grove-mix from two regions: three batches, two of them in the first region.
pub(crate) fn regional(duration: &str) -> Value {
    json!({
        "scenario": "grove-mix", "environment": "staging", "users": 12, "duration": duration,
        "regions": {"weur": 2, "enam": 1},
    })
}

#[test]
fn a_run_from_two_regions_accounts_for_every_request() {
    let lab = Lab::shared();
    let before = lab.grove.total();
    let run = Run::start(&lab, &regional("14s"));
    let status = run.ended(Duration::from_secs(120));
    assert_eq!(status, "completed", "{}", run.row());
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.losses(), [] as [Value; 0]);
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
fn shards_are_created_where_they_are_wanted_one_after_another_and_start_together() {
    let lab = Lab::faulty(|options| options.var("BATCHES_PER_SHARD", "1"));
    let testbed = lab.testbed();
    let step = json!({"name": "get", "request": {"method": "GET", "url": format!("{}/ok", testbed.url())}});
    let mut body = inline(&profile(6, [0, 3, 0, 0]), &json!([step]));
    body["regions"] = json!({"weur": 2, "enam": 1});
    lab.misbehave(&json!({}));
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(Duration::from_secs(120)), "completed");
    run.summary().assert_balanced();

    let calls = lab.shards_reached();
    assert!(calls.len() >= 6, "{calls:?}");
    let (readied, played) = (&calls[..3], &calls[3..6]);
    for (phase, path) in [(readied, "/ready"), (played, "/play")] {
        let first_ms = count(&phase[0], "atMs");
        for (call, nth) in phase.iter().zip(0..) {
            assert_eq!(
                call["path"], path,
                "all are ready before one plays: {calls:?}"
            );
            let name = call["name"].as_str().expect("a name");
            let region = call["region"].as_str().expect("a region");
            assert_eq!(name, format!("staging/{region}/{nth:03}"));
            // 20 ms after one another; the clock and the timers have steps of a millisecond.
            let at_ms = count(call, "atMs") - first_ms;
            assert!(at_ms + 2 >= nth * 20, "{calls:?}");
        }
    }
    let regions: Vec<&Value> = played.iter().map(|call| &call["region"]).collect();
    assert_eq!(regions, ["enam", "weur", "weur"]);

    // The start lay ahead when the last shard was ready, and nobody began before it.
    let start_ms = unix_ms(&run.summary().0["startTime"]).cast_unsigned();
    let ready_ms = count(&readied[2], "atMs");
    assert!(start_ms >= ready_ms + 1_500, "{start_ms} {ready_ms}");
    let stats = testbed.stats();
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_millis() as u64;
    let first_slice: Vec<u64> = stats
        .batches
        .iter()
        .filter(|batch| batch.batch.starts_with("0."))
        .map(|batch| {
            let first_us = batch.tally.first_arrival_us.expect("a request");
            now_ms - (stats.now_us - first_us) / 1_000
        })
        .collect();
    assert_eq!(first_slice.len(), 3);
    assert!(
        first_slice.iter().all(|first_ms| *first_ms + 2 >= start_ms),
        "{first_slice:?} {start_ms}"
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
    let run = Run::start(&lab, &regional("60s"));
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
    let run = Run::start(&lab, &regional("25s"));
    run.has_seconds(5);
    let id = run.id.clone();
    lab.kill_hard(Service::LoadTest);
    lab.restart(Service::LoadTest).expect("it starts again");
    let run = Run::again(&lab, &id);
    assert_ended_with_hole(&lab, &run);
}
