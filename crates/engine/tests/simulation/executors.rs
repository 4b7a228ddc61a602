//! k6's executors and Artillery's phases, played to the end: the vectors are k6's and Artillery's own, with
//! the time that an iteration works as the latency of its only request.

use std::collections::BTreeMap;

use sentinel_engine::ledger::Ledger;
use sentinel_engine::plan::Plan;
use sentinel_engine::tick::{Span, Tick};
use serde_json::{Value, json};

use crate::lab::{Answer, Lab, load_plan, whole};

/// An iteration that works for as long as the target says.
fn work(load: Value) -> Plan {
    load_plan(load, &["/{{vu}}/{{iteration}}"])
}

fn played(plan: &Plan, target: impl FnMut(u32) -> u64) -> Lab {
    let mut lab = Lab::new(plan, whole(plan));
    let mut target = target;
    lab.play(|_, request| Answer::ok(target(vu_of(&request.url))));
    assert_eq!(lab.ledger().imbalances(), []);
    lab
}

fn vu_of(url: &str) -> u32 {
    let part = url.rsplit('/').nth(1).unwrap_or_default();
    part.parse().expect("the URL names the user")
}

fn starts_s(lab: &Lab) -> Vec<f64> {
    lab.sent
        .iter()
        .map(|(at, _)| at.saturating_since(Tick::ZERO).as_secs_f64())
        .collect()
}

fn per_second(lab: &Lab) -> Vec<usize> {
    let mut counts = BTreeMap::new();
    lab.sent
        .iter()
        .for_each(|(at, _)| *counts.entry(at.second()).or_insert(0) += 1);
    counts.into_values().collect()
}

fn by_user(lab: &Lab) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    lab.sent
        .iter()
        .for_each(|(_, request)| *counts.entry(vu_of(&request.url)).or_insert(0) += 1);
    counts
}

#[test]
fn a_constant_arrival_rate_starts_as_many_iterations_as_it_says() {
    let plan = work(
        json!({"executor": "constant-arrival-rate", "rate": 50, "duration": "5s",
        "preAllocatedVUs": 10, "maxVUs": 20}),
    );
    let lab = played(&plan, |_| 0);
    assert!((248..=252).contains(&lab.sent.len()), "{}", lab.sent.len());
    assert!(
        per_second(&lab)[..5].iter().all(|n| (45..=55).contains(n)),
        "{:?}",
        per_second(&lab)
    );
    assert_eq!(lab.ledger().dropped, 0);
}

#[test]
fn an_arrival_that_finds_no_user_is_dropped_and_never_caught_up() {
    let plan = work(
        json!({"executor": "constant-arrival-rate", "rate": 10, "duration": "1s",
        "preAllocatedVUs": 5, "maxVUs": 5, "gracefulStop": "0s"}),
    );
    let lab = played(&plan, |_| 100_000);
    let Ledger {
        planned,
        started,
        dropped,
        interrupted,
        ..
    } = lab.ledger();
    assert_eq!((started, interrupted), (5, 5));
    assert_eq!(planned, started + dropped);
    assert!((5..=6).contains(&dropped), "{dropped}");
}

#[test]
fn a_dropped_arrival_readies_a_user_for_later_ones() {
    let plan = work(
        json!({"executor": "constant-arrival-rate", "rate": 10, "duration": "2s",
        "preAllocatedVUs": 1, "maxVUs": 8}),
    );
    let lab = played(&plan, |_| 10_000);
    // Every second arrival is dropped while users are readied one by one, then all are.
    assert_eq!(lab.ledger().started, 8);
    assert_eq!(by_user(&lab).len(), 8);
}

#[test]
fn a_ramping_arrival_rate_follows_its_stages() {
    let plan = work(
        json!({"executor": "ramping-arrival-rate", "startRate": 10, "preAllocatedVUs": 10,
        "maxVUs": 20, "stages": [{"duration": "1s", "target": 10}, {"duration": "1s", "target": 50},
        {"duration": "1s", "target": 50}]}),
    );
    let counts = per_second(&played(&plan, |_| 0));
    for (count, (expected, tolerance)) in counts.iter().zip([(10, 1), (30, 2), (50, 3)]) {
        assert!(count.abs_diff(expected) <= tolerance, "{counts:?}");
    }
}

#[test]
fn a_slow_ramp_starts_its_iterations_when_the_area_under_the_rate_says() {
    let plan = work(
        json!({"executor": "ramping-arrival-rate", "startRate": 0, "preAllocatedVUs": 5,
        "stages": [{"duration": "5s", "target": 1}, {"duration": "1s", "target": 1}, {"duration": "5s", "target": 0}]}),
    );
    let starts = starts_s(&played(&plan, |_| 0));
    let expected = [3.162, 4.472, 5.500, 6.527, 7.837, 11.0];
    assert_eq!(starts.len(), expected.len(), "{starts:?}");
    for (start, expected) in starts.iter().zip(expected) {
        assert!((start / expected - 1.0).abs() < 0.001, "{starts:?}");
    }
}

#[test]
fn what_began_in_time_may_finish_in_the_grace() {
    let plan = work(
        json!({"executor": "ramping-arrival-rate", "startRate": 10, "preAllocatedVUs": 10,
        "maxVUs": 10, "gracefulStop": "5s", "stages": [{"duration": "2s", "target": 10}]}),
    );
    let lab = played(&plan, |_| 5_000);
    assert_eq!(lab.ledger().finished, 10);
    assert_eq!(lab.batch.active_users(), 0);
}

#[test]
fn ramping_vus_without_grace_are_cut_at_once() {
    let plan = work(
        json!({"executor": "ramping-vus", "startVUs": 5, "gracefulRampDown": "0s",
        "gracefulStop": "0s", "stages": [{"duration": "1s", "target": 5}, {"duration": "0s", "target": 3},
        {"duration": "1s", "target": 3}]}),
    );
    let mut lab = Lab::new(&plan, whole(&plan));
    let mut users = Vec::new();
    for at_ms in [500, 1_500, 2_400] {
        lab.play_until(Tick::from_ms(at_ms), |_, _| Answer::ok(300));
        users.push(lab.batch.active_users());
    }
    assert_eq!(users, [5, 3, 0]);
    assert_eq!(lab.ledger().started, 29);
}

#[test]
fn ramping_vus_fall_without_wobble() {
    let plan = work(
        json!({"executor": "ramping-vus", "startVUs": 0, "gracefulRampDown": "1s",
        "stages": [{"duration": "3s", "target": 10}, {"duration": "2s", "target": 0}]}),
    );
    let mut lab = Lab::new(&plan, whole(&plan));
    let mut seen = Vec::new();
    for at_ms in (3_010..=6_500).step_by(10) {
        lab.play_until(Tick::from_ms(at_ms), |_, _| Answer::ok(500));
        seen.push(lab.batch.active_users());
    }
    seen.dedup();
    assert_eq!(seen, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
}

#[test]
fn shared_iterations_are_taken_by_whoever_is_free() {
    let plan = work(json!({"executor": "shared-iterations", "vus": 10, "iterations": 100}));
    let lab = played(&plan, |vu| if vu == 0 { 600 } else { 100 });
    assert_eq!(lab.ledger().finished, 100);
    let counts = by_user(&lab);
    assert_eq!(counts[&0], 2);
    assert_eq!(counts.values().sum::<usize>(), 100);
}

#[test]
fn iterations_that_nobody_has_begun_in_time_are_dropped() {
    let plan = work(
        json!({"executor": "per-vu-iterations", "vus": 10, "iterations": 100, "maxDuration": "3s"}),
    );
    let lab = played(&plan, |vu| if vu == 0 { 201 } else { 10 });
    assert_eq!(by_user(&lab)[&0], 15);
    let ledger = lab.ledger();
    assert_eq!(
        (ledger.finished, ledger.dropped, ledger.planned),
        (915, 85, 1_000)
    );
}

#[test]
fn constant_vus_loop_until_the_time_is_over() {
    let plan = work(json!({"executor": "constant-vus", "vus": 10, "duration": "1s"}));
    let lab = played(&plan, |_| 210);
    assert!(by_user(&lab).values().all(|n| *n == 5));
    assert_eq!(lab.ledger().finished, 50);
}

#[test]
fn the_grace_decides_about_the_last_iteration() {
    for (work_ms, finished, interrupted) in [(1_500, 1, 0), (2_500, 0, 1)] {
        let plan = work(
            json!({"executor": "constant-vus", "vus": 1, "duration": "1s", "gracefulStop": "1s"}),
        );
        let ledger = played(&plan, |_| work_ms).ledger();
        assert_eq!(
            (ledger.finished, ledger.interrupted),
            (finished, interrupted),
            "{work_ms} ms"
        );
    }
}

#[test]
fn a_closed_model_waits_for_its_target_and_an_open_one_does_not() {
    let closed = work(json!({"executor": "constant-vus", "vus": 1, "duration": "1m"}));
    assert_eq!(played(&closed, |_| 6_000).ledger().finished, 10);
    let open = work(
        json!({"executor": "constant-arrival-rate", "rate": 1, "duration": "1m", "preAllocatedVUs": 20}),
    );
    let lab = played(&open, |_| 6_000);
    assert!(
        (60..=61).contains(&lab.ledger().finished),
        "{:?}",
        lab.ledger()
    );
}

#[test]
fn scenarios_begin_at_their_own_times_and_have_users_of_their_own() {
    let plan = load_plan(
        json!({
            "early": {"executor": "constant-vus", "vus": 2, "duration": "2s"},
            "late": {"executor": "per-vu-iterations", "vus": 3, "iterations": 1, "startTime": "5s"},
        }),
        &["/{{vu}}/{{iteration}}"],
    );
    let lab = played(&plan, |_| 500);
    let late: Vec<u32> = lab
        .sent
        .iter()
        .filter(|(at, _)| *at >= Tick::from_second(5))
        .map(|(_, r)| vu_of(&r.url))
        .collect();
    assert_eq!(late.len(), 3);
    let early: Vec<u32> = lab
        .sent
        .iter()
        .filter(|(at, _)| *at < Tick::from_second(5))
        .map(|(_, r)| vu_of(&r.url))
        .collect();
    assert_eq!(early.len(), 8);
    assert!(
        early.iter().all(|vu| !late.contains(vu)),
        "{early:?} {late:?}"
    );
}

#[test]
fn artillery_phases_send_what_they_say() {
    let counts = work(
        json!({"phases": [{"duration": 10, "arrivalCount": 10}, {"pause": 5}, {"duration": 10, "arrivalCount": 50}]}),
    );
    assert_eq!(played(&counts, |_| 10).ledger().finished, 60);
    let rate = load_plan(
        json!({"phases": [{"duration": 1, "arrivalRate": 5}]}),
        &["/{{vu}}/a", "/{{vu}}/b"],
    );
    assert_eq!(played(&rate, |_| 10).ledger().answered, 10);
    let capped = work(json!({"phases": [{"duration": 10, "arrivalRate": 5, "maxVusers": 3}]}));
    let ledger = played(&capped, |_| 100_000).ledger();
    assert_eq!((ledger.started, ledger.planned), (3, 50));
}

#[test]
fn slices_continue_every_executor() {
    for load in [
        json!({"executor": "shared-iterations", "vus": 7, "iterations": 300}),
        json!({"executor": "per-vu-iterations", "vus": 7, "iterations": 40}),
        json!({"executor": "constant-arrival-rate", "rate": 37, "duration": "9s", "preAllocatedVUs": 40}),
        json!({"phases": [{"duration": 9, "arrivalRate": 13, "rampTo": 40}]}),
    ] {
        let plan = work(load.clone());
        let whole = played(&plan, |_| 170).ledger();
        let sliced =
            crate::splitting::play_in_slices(&plan, Span::from_ms(1_300), |_| Answer::ok(170));
        assert_eq!(sliced.ledger, whole, "{load}");
    }
}

#[test]
fn users_know_the_values_of_their_scenario() {
    let load = |region: &str| json!({"vus": 2, "iterations": 4, "env": {"REGION": region}});
    let plan = load_plan(
        json!({"a": load("eu"), "b": load("oc")}),
        &["/{{env.REGION}}/{{vu}}"],
    );
    let mut lab = Lab::new(&plan, whole(&plan));
    lab.play(|_, _| Answer::ok(10));
    let mut urls: BTreeMap<String, usize> = BTreeMap::new();
    for (_, request) in &lab.sent {
        *urls.entry(request.url.clone()).or_default() += 1;
    }
    let url = |path: &str| (format!("http://127.0.0.1:9{path}"), 2);
    let expected = [url("/eu/0"), url("/eu/1"), url("/oc/2"), url("/oc/3")];
    assert_eq!(urls, BTreeMap::from(expected));
}

#[test]
fn a_frozen_target_shows_in_response_time_and_not_in_service_time() {
    // wrk2's demonstration: 2,000 requests a second over 100 connections for 30 s, frozen for 1.4 s.
    let plan = work(
        json!({"executor": "constant-arrival-rate", "rate": 2_000, "duration": "30s",
        "preAllocatedVUs": 4_000}),
    );
    let mut assignment = whole(&plan);
    assignment.slots = std::num::NonZeroU16::new(100);
    let mut lab = Lab::new(&plan, assignment);
    let (freeze, thaw) = (Tick::from_second(10), Tick::from_ms(11_400));
    let service = Span::from_ms(6);
    lab.play(|now, _| {
        let done = if freeze <= now && now < thaw {
            thaw
        } else {
            now
        } + service;
        Answer::Status(200, done.saturating_since(now))
    });
    assert_eq!(lab.ledger().dropped, 0);
    let totals = crate::step_totals(&lab, 0);
    // A request that is due a seconds into the freeze is behind 2,000·a others, which thaw at 100 every 6 ms.
    let response_s = |due_s: f64| 1.4 - due_s + (2_000.0 * due_s / 100.0) * 0.006;
    // The slowest hundredth of 60,000 is due in the first 0.3 s of the freeze.
    let theory_ms = response_s(0.3) * 1_000.0;
    let corrected_ms = crate::quantile_ms(&totals.response_us, 0.99);
    assert!(
        (corrected_ms / theory_ms - 1.0).abs() < 0.05,
        "{corrected_ms} ms, in theory {theory_ms} ms"
    );
    let uncorrected_ms = crate::quantile_ms(&totals.service_us, 0.99);
    assert!(
        (uncorrected_ms / 6.0 - 1.0).abs() < 0.05,
        "{uncorrected_ms} ms"
    );
    let worst_ms = crate::quantile_ms(&totals.service_us, 1.0);
    assert!(
        worst_ms > 1_300.0,
        "those that were under way when it froze do show it: {worst_ms} ms"
    );
}
