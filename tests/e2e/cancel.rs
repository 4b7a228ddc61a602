//! Cancelling: by the API, and by the flag in KV alone.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Footprint, Lab, Run, count, unix_ms, watch};

/// After a cancel no request may arrive later than this.
const QUIET_AFTER: Duration = Duration::from_secs(2);
/// How long the quiet is watched, counted from the cancel.
const WATCHED: Duration = Duration::from_secs(5);

fn start(lab: &Lab) -> Run<'_> {
    let body = json!({
        "scenario": "grove-mix", "environment": "staging", "users": 12, "duration": "60s",
    });
    let run = Run::start(lab, &body);
    run.has_seconds(3);
    run
}

/// Watches Grove from a cancel on: what arrived until two seconds later is all that ever arrives.
fn assert_quiet(lab: &Lab, cancelled: Instant) -> u64 {
    let seen = watch(cancelled + WATCHED, || lab.grove.total());
    let quiet = seen.iter().filter(|(at, _)| *at >= cancelled + QUIET_AFTER);
    let totals: Vec<u64> = quiet.map(|(_, total)| *total).collect();
    let (first, last) = (totals[0], totals[totals.len() - 1]);
    assert!(totals.len() > 2, "looked only {} times", totals.len());
    assert_eq!(
        last - first,
        0,
        "requests that arrived later than {QUIET_AFTER:?} after the cancel; seen: {:?}",
        seen.iter()
            .map(|(at, total)| (at.saturating_duration_since(cancelled).as_millis(), total))
            .collect::<Vec<_>>()
    );
    last
}

/// A cancelled run keeps and summarises what it measured.
fn assert_cancelled(run: &Run<'_>, grove_before: u64, grove_after: u64) {
    assert_eq!(run.ended(Duration::from_secs(10)), "cancelled");
    let row = run.row();
    assert_eq!(row["status"], "cancelled");
    let length_ms = unix_ms(&row["ended_at"]) - unix_ms(&row["started_at"]);
    assert_eq!(row["duration_ms"].as_i64(), Some(length_ms));
    assert!(
        (2_000..55_000).contains(&length_ms),
        "it was ended early: {row}"
    );

    let summary = run.summary();
    summary.assert_balanced();
    assert!(
        summary.ledger("finished") > 0,
        "what was measured is kept: {}",
        summary.0
    );
    assert_eq!(
        summary.0["timeline"].as_array().map(Vec::len),
        Some(run.rows("metrics").len())
    );
    assert!(run.rows("metrics").len() >= 3);
    assert_eq!(run.rows("apps").len(), 4);
    assert_nothing_lost(run, grove_after - grove_before);
}

/// Every request that arrived is accounted for. One that was given up in the moment in which it was sent may not
/// have reached the network.
fn assert_nothing_lost(run: &Run<'_>, arrived: u64) {
    let summary = run.summary();
    let sent = summary.ledger("sent");
    let cut_off = summary.ledger("cutOff");
    assert!(
        sent - cut_off <= arrived && arrived <= sent,
        "{arrived} arrived: {}",
        summary.0["ledger"]
    );
    let stored = run
        .rows("apps")
        .iter()
        .map(|row| count(row, "total_requests"))
        .sum::<u64>();
    assert_eq!(stored, sent, "what D1 holds and what the ledger says");
}

#[test]
fn cancelling_by_the_api_stops_the_load_and_keeps_what_was_measured() {
    let lab = Lab::shared();
    let before = lab.grove.total();
    let run = start(&lab);
    let cancelled = run.cancel();
    let after = assert_quiet(&lab, cancelled);
    assert_cancelled(&run, before, after);

    // Again, it is no error and changes nothing.
    let footprint = Footprint::take(&lab);
    let row = run.row();
    let answer = lab
        .api
        .post(&format!("/runs/{}/cancel", run.id), &json!({}));
    assert!([200, 202, 409].contains(&answer.status), "{}", answer.text);
    assert_eq!(run.row(), row);
    assert_eq!(Footprint::take(&lab).d1_text(), footprint.d1_text());
}

#[test]
fn the_flag_in_kv_alone_stops_a_run() {
    let lab = Lab::shared();
    let before = lab.grove.total();
    let run = start(&lab);
    let key = format!("loadtest:cancel:{}", run.id);
    lab.kv_put(&key, "cancelled").expect("KV is written");
    let cancelled = Instant::now();
    let after = assert_quiet(&lab, cancelled);
    assert_cancelled(&run, before, after);
    // What is compared where nothing may change does see the keys of KV.
    let footprint = Footprint::take(&lab);
    assert!(
        footprint
            .kv_keys()
            .iter()
            .any(|entry| entry.starts_with(&key)),
        "{footprint:?}"
    );
}

#[test]
fn a_cancel_does_not_wait_for_answers() {
    let lab = Lab::shared();
    let before = lab.grove.total();
    lab.grove.set_fault(&json!({"delay_ms": 20_000}));
    let body = json!({
        "scenario": "grove-mix", "environment": "staging", "users": 6, "duration": "60s",
    });
    let run = Run::start(&lab, &body);
    run.has_seconds(8);
    run.cancel();
    assert_eq!(run.ended(Duration::from_secs(5)), "cancelled");
    let summary = run.summary();
    summary.assert_balanced();
    assert!(summary.ledger("cutOff") > 0, "{}", summary.0["ledger"]);
    assert_eq!(summary.ledger("answered"), 0, "{}", summary.0["ledger"]);
    assert_nothing_lost(&run, lab.grove.total() - before);
}

#[test]
fn a_run_that_has_ended_cannot_be_cancelled_any_more() {
    let lab = Lab::shared();
    let body = json!({
        "scenario": "grove-mix", "environment": "staging", "users": 1, "duration": "2s",
    });
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(Duration::from_secs(30)), "completed");
    let row: Value = run.row();
    let answer = lab
        .api
        .post(&format!("/runs/{}/cancel", run.id), &json!({}));
    assert!([200, 202, 409].contains(&answer.status), "{}", answer.text);
    lab.kv_put(&format!("loadtest:cancel:{}", run.id), "cancelled")
        .expect("KV is written");
    lab.trigger_cron("*/5 * * * *").expect("the watchdog runs");
    assert_eq!(run.row(), row);
}
