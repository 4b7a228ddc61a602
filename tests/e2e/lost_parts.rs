//! Parts of the load tester that misbehave while the others go on: batches, and the object of one shard.

use std::time::Duration;

use serde_json::{Value, json};

use crate::shards::regional;
use crate::support::{Lab, Run, Summary, count};

const LIMIT: Duration = Duration::from_secs(180);

/// These batches, by slice and number, were lost for these reasons. On a machine that is too slow others may be.
fn assert_lost(summary: &Summary, batches: &[((u64, u64), &str)]) {
    let holes = summary.holes();
    for ((slice, batch), reason) in batches {
        let is_this = |hole: &&Value| {
            (count(hole, "slice"), count(hole, "batch")) == (*slice, *batch)
                && hole["reason"] == *reason
        };
        assert!(
            holes.iter().any(|hole| is_this(&hole)),
            "{slice}.{batch} {reason}: {holes:?}"
        );
    }
}

/// What arrived can be more than is told, because lost batches tell no more, but never less.
fn assert_nothing_is_counted_twice(summary: &Summary, arrived: u64) {
    let told = summary.ledger("sent") - summary.ledger("cutOff");
    assert!(
        told <= arrived,
        "{arrived} arrived: {}",
        summary.0["ledger"]
    );
}

#[test]
fn batches_that_misbehave_leave_stated_holes_and_a_balanced_ledger() {
    let lab = Lab::faulty(|options| options);
    let faults = json!({
        "0.1": "never answers", "0.2": "dies", "0.3": "twice", "0.4": "late", "1.3": "silent",
    });
    lab.misbehave(&json!({ "batches": faults }));
    let before = lab.grove.total();
    let body = json!({
        "scenario": "grove-mix", "environment": "staging", "users": 25, "duration": "14s",
    });
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(LIMIT), "completed", "{}", run.row());
    let summary = run.summary();
    summary.assert_balanced();
    assert!(count(&summary.0, "batches") >= 5);
    assert_lost(
        &summary,
        &[
            ((0, 1), "silent"),
            ((0, 2), "stream_ended"),
            ((1, 3), "silent"),
        ],
    );
    assert!(
        summary.0["coverage"]
            .as_f64()
            .is_some_and(|part| part < 1.0)
    );
    assert_nothing_is_counted_twice(&summary, lab.grove.total() - before);
    assert_eq!(lab.running(), [] as [String; 0]);
}

/// Alone, because what lost batches have sent and not told would hide what is counted twice.
#[test]
fn what_a_batch_says_twice_is_counted_once() {
    let lab = Lab::faulty(|options| options);
    lab.misbehave(&json!({ "batches": {"0.0": "twice", "0.1": "twice", "1.0": "twice"} }));
    let before = lab.grove.total();
    let body = json!({
        "scenario": "grove-mix", "environment": "staging", "users": 12, "duration": "10s",
    });
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(LIMIT), "completed", "{}", run.row());
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.losses(), [] as [Value; 0]);
    assert_eq!(summary.ledger("sent"), lab.grove.total() - before);
    assert!(
        lab.logs().contains("on purpose: said twice"),
        "each of them spoke twice"
    );
}

#[test]
fn a_shard_that_is_lost_alone_stops_nobody_else() {
    let lab = Lab::faulty(|options| options);
    lab.misbehave(&json!({ "shard": "weur/001" }));
    let before = lab.grove.total();
    let run = Run::start(&lab, &regional("14s"));
    assert_eq!(run.ended(LIMIT), "completed", "{}", run.row());
    let summary = run.summary();
    summary.assert_balanced();
    // The first batch is that of the other region.
    let lost = [((0, 1), "stream_ended"), ((0, 2), "stream_ended")];
    assert_lost(&summary, &lost);
    let regions = &summary.0["regions"];
    for region in ["enam", "weur"] {
        assert!(count(&regions[region], "totalRequests") > 0, "{regions}");
    }
    let coverage = |region: &str| regions[region]["coverage"].as_f64().expect("a number");
    assert!(coverage("weur") < coverage("enam"), "{regions}");
    assert_nothing_is_counted_twice(&summary, lab.grove.total() - before);
}

#[test]
fn a_shard_that_has_too_much_to_do_is_left_alone_for_a_slice_and_stops_nobody_else() {
    let lab = Lab::faulty(|options| options);
    lab.misbehave(&json!({ "overloaded": "enam/000" }));
    let before = lab.grove.total();
    let run = Run::start(&lab, &regional("14s"));
    assert_eq!(run.ended(LIMIT), "completed", "{}", run.row());
    let summary = run.summary();
    summary.assert_balanced();
    assert_lost(&summary, &[((0, 0), "overloaded")]);
    let regions = &summary.0["regions"];
    let coverage = |region: &str| regions[region]["coverage"].as_f64().expect("a number");
    assert!(coverage("enam") < coverage("weur"), "{regions}");
    assert!(
        count(&regions["enam"], "totalRequests") > 0,
        "it played the slices after that: {regions}"
    );
    assert_nothing_is_counted_twice(&summary, lab.grove.total() - before);

    // The platform says of such errors that they can be tried again; it would make matters worse.
    let slices = summary.0["slices"].as_u64().expect("a count");
    let asked = lab.shards_reached().into_iter();
    let plays = asked.filter(|call| {
        let name = call["name"].as_str().expect("a name");
        call["path"] == "/play" && name.ends_with("enam/000")
    });
    assert_eq!(plays.count() as u64, slices);
}
