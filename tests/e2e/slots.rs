//! At most six requests of one batch wait for the head of their answer: a seventh would queue inside of the
//! platform, and its wait there would be told as the target's latency.

use std::num::NonZeroU16;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::Testbed;

use crate::support::{Coordinator, Lab, Run, inline, plan_source, profile, until};

/// What the platform allows each invocation.
const SLOTS: u64 = 6;

/// Users who ask for four things at a time, so that five of them want to have 20 requests waiting. Nothing is
/// given up, so that the testbed never sees a request before it sees that another one is gone.
fn greedy(testbed: &Testbed, users: u32) -> Value {
    let step = |number: u32| {
        let url = format!("{}/delay/{number}?uniform=50,250", testbed.url());
        json!({
            "name": format!("step {number}"), "parallel": true,
            "request": {"method": "GET", "url": url}, "expect": {"status": 200},
        })
    };
    let steps: Vec<Value> = (0..4).map(step).collect();
    let mut body = inline(&profile(users, [1, 3, 3, 1]), &json!(steps));
    body["scenario"]["pause"] = json!("1ms");
    body
}

#[test]
fn no_batch_has_more_than_six_requests_waiting_for_headers() {
    let lab = Lab::shared();
    let testbed = lab.testbed();
    let run = Run::start(&lab, &greedy(&testbed, 10));
    assert_eq!(run.ended(Duration::from_secs(60)), "completed");

    let summary = run.summary();
    summary.assert_balanced();
    let stats = testbed.stats();
    assert_eq!(stats.total.arrived, summary.ledger("sent"), "nothing lost");
    let waiting: Vec<(&str, u64)> = stats
        .batches
        .iter()
        .filter(|batch| batch.run == run.id)
        .map(|batch| (batch.batch.as_str(), batch.tally.waiting_max))
        .collect();
    println!("the highest number waiting at once, by batch: {waiting:?}");
    assert!(waiting.len() >= 4, "two batches in two slices: {waiting:?}");
    let arrived: u64 = stats.batches.iter().map(|batch| batch.tally.arrived).sum();
    assert_eq!(arrived, stats.total.arrived, "each request names its batch");
    assert!(
        waiting.iter().all(|(_, most)| *most <= SLOTS),
        "{waiting:?}"
    );
    assert!(
        waiting.iter().any(|(_, most)| *most == SLOTS),
        "the users wanted more than they got: {waiting:?}"
    );
    assert!(
        stats.total.waiting_max > SLOTS,
        "the limit is each batch's, not the run's: {:?}",
        stats.total
    );
}

/// The test above can fail: what it counts goes beyond six as soon as nothing keeps it.
#[test]
fn without_the_gate_more_than_six_requests_wait() {
    let lab = Lab::shared();
    let testbed = lab.testbed();
    let source = plan_source(&greedy(&testbed, 5), &testbed.address().to_string());
    let most_waiting = |id: &str, slots| {
        let batch = Coordinator::start(&lab, id, &source, slots);
        let most = || {
            let stats = testbed.stats();
            let tally = stats.batches.into_iter().find(|batch| batch.run == id);
            tally.map(|batch| batch.tally).unwrap_or_default()
        };
        until("it has played", Duration::from_secs(60), || {
            (most().arrived > 100).then_some(())
        });
        batch.vanish();
        most().waiting_max
    };
    let gated = most_waiting("00000000-0000-4000-8000-00000000000c", NonZeroU16::new(6));
    assert_eq!(gated, SLOTS);
    let open = most_waiting("00000000-0000-4000-8000-00000000000d", None);
    println!("{gated} with the gate, {open} without it");
    assert!(open > 2 * SLOTS, "{open}");
}
