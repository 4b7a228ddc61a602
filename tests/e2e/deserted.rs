//! Batches whose coordinator is gone: they stop by themselves. The test plays the coordinator, because in local
//! workerd the real one goes away only together with its batches.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use sentinel_engine::wire::EndReason;
use serde_json::{Value, json};
use testbed::Testbed;

use crate::support::{Coordinator, Lab, Run, inline, plan_source, profile, until, watch};

/// How long a batch goes on without hearing from its coordinator.
const LEASE: Duration = Duration::from_secs(10);

/// What a busy machine may add to it: between the beat that was sent and the batch that heard it, and between
/// the request that was sent and the testbed that received it.
const BUSY: Duration = Duration::from_secs(3);

/// A plan of a minute of four users who ask for `path` without a pause to speak of.
fn body(testbed: &Testbed, path: &str) -> Value {
    let url = format!("{}{path}", testbed.url());
    let step = json!({"name": "get", "request": {"method": "GET", "url": url}});
    let mut body = inline(&profile(4, [0, 60, 60, 0]), &json!([step]));
    body["scenario"]["pause"] = json!("20ms");
    body
}

/// Starts a batch that plays it for this run.
fn start(lab: &Lab, testbed: &Testbed, id: &str, path: &str) -> Coordinator {
    let host = testbed.address().to_string();
    let source = plan_source(&body(testbed, path), &host);
    Coordinator::start(lab, id, &source, NonZeroU16::new(6))
}

/// When the last request to `path` had arrived.
fn last_arrival(testbed: &Testbed, path: &str) -> Duration {
    let last_us = testbed.stats().path(path).last_arrival_us;
    Duration::from_micros(last_us.expect("a request"))
}

fn now(testbed: &Testbed) -> Duration {
    Duration::from_micros(testbed.stats().now_us)
}

#[test]
fn after_the_coordinator_is_gone_no_request_comes_later_than_a_lease() {
    let lab = Lab::shared();
    let testbed = lab.testbed();
    let silent_id = "00000000-0000-4000-8000-00000000000a";
    let vanished_id = "00000000-0000-4000-8000-00000000000b";
    let mut silent = start(&lab, &testbed, silent_id, "/ok/silent");
    let vanished = start(&lab, &testbed, vanished_id, "/ok/vanished");
    until("both play", Duration::from_secs(60), || {
        let stats = testbed.stats();
        let plays = |path| stats.path(path).arrived > 20;
        (plays("/ok/silent") && plays("/ok/vanished")).then_some(())
    });

    let vanished_at = now(&testbed);
    vanished.vanish();
    silent.beat();
    let silent_at = now(&testbed);
    let frames = silent.fall_silent();
    let end = frames.iter().find_map(|frame| frame.end.as_ref());
    let end = end.expect("a batch that ends by itself says so");
    assert_eq!(end.reason, EndReason::LeaseExpired);
    let ended = testbed.stats().total.arrived;

    let of_silent = last_arrival(&testbed, "/ok/silent").saturating_sub(silent_at);
    let of_vanished = last_arrival(&testbed, "/ok/vanished").saturating_sub(vanished_at);
    println!("the last request came {of_silent:?} after silence, {of_vanished:?} after the end");
    assert!(of_silent <= LEASE + BUSY, "{of_silent:?}");
    assert!(
        of_silent > LEASE / 2,
        "a lease is not nothing: {of_silent:?}"
    );
    assert!(of_vanished <= LEASE + BUSY, "{of_vanished:?}");
    // The plans go on for minutes, the batches do not.
    let seen = watch(Instant::now() + Duration::from_secs(2), || {
        testbed.stats().total.arrived
    });
    assert!(
        seen.iter().all(|(_, arrived)| *arrived == ended),
        "{seen:?}"
    );
}

#[test]
fn two_coordinators_of_one_run_do_not_mix_what_they_measure() {
    let lab = Lab::shared();
    let testbed = lab.testbed();
    let mut body = body(&testbed, "/ok/real");
    body["duration"] = json!("8s");
    let run = Run::start(&lab, &body);
    run.has_seconds(2);
    // Another one that believes to be in charge of the same run plays its first batch.
    let other = start(&lab, &testbed, &run.id, "/ok/other");
    until("both play", Duration::from_secs(60), || {
        (testbed.stats().path("/ok/other").arrived > 20).then_some(())
    });
    assert_eq!(run.ended(Duration::from_secs(60)), "completed");
    other.vanish();

    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.losses(), [] as [Value; 0]);
    assert_eq!(
        summary.ledger("sent"),
        testbed.stats().path("/ok/real").arrived
    );
}
