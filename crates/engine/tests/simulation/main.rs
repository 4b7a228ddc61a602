//! The batch machine under a virtual clock, against targets whose behaviour is known.

mod executors;
mod flows;
mod hand_over;
mod lab;
mod objects;
mod redirects;
mod sockets;
mod splitting;
mod state;
mod streams;

use std::num::NonZeroU16;

use lab::{Answer, Lab, hold, plan, reads, whole};
use sentinel_engine::batch::Input;
use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::histogram::Histogram;
use sentinel_engine::ledger::Ledger;
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::window::{StepId, StepWindow};
use sentinel_engine::wire::EndReason;
use serde_json::json;

/// All that was measured of one step.
fn step_totals(lab: &Lab, id: u16) -> StepWindow {
    let mut totals = StepWindow::default();
    lab.windows()
        .filter_map(|window| window.steps.get(&StepId(id)))
        .for_each(|step| totals.merge(step));
    totals
}

fn quantile_ms(histogram: &sentinel_engine::histogram::SparseHistogram, quantile: f64) -> f64 {
    let mut all = Histogram::new();
    all.merge(histogram);
    Span::from_us(all.value_at_quantile(quantile).expect("values")).as_ms_f64()
}

#[test]
fn users_repeat_their_iterations_with_a_pause_between_them() {
    let plan = plan(hold(2, 10), reads(&["/a", "/b"]), json!({"pause": "1s"}));
    let mut lab = Lab::new(&plan, whole(&plan));
    lab.play(|_, _| Answer::ok(100));
    // An iteration takes 200 ms and is followed by 1 s: starts at 0, 1.2, …, 9.6 s.
    let expected = Ledger {
        planned: 18,
        started: 18,
        finished: 18,
        sent: 36,
        answered: 36,
        ..Ledger::default()
    };
    assert_eq!(lab.ledger(), expected);
    assert_eq!(lab.end().reason, EndReason::PlanDone);
    let starts: Vec<u64> = lab
        .sent
        .iter()
        .filter(|(_, r)| r.url.ends_with("/a"))
        .map(|(at, _)| at.as_ms())
        .collect();
    assert_eq!(starts[..6], [0, 0, 1_200, 1_200, 2_400, 2_400]);
}

#[test]
fn every_second_has_a_window_and_they_close_in_order() {
    let plan = plan(hold(3, 5), reads(&["/a"]), json!({}));
    let mut lab = Lab::new(&plan, whole(&plan));
    lab.play(|_, _| Answer::ok(20));
    let seconds: Vec<u32> = lab.windows().map(|window| window.second).collect();
    assert_eq!(seconds, [0, 1, 2, 3, 4, 5]);
    let users: Vec<u32> = lab.windows().map(|window| window.active_users).collect();
    assert_eq!(users, [3, 3, 3, 3, 3, 0]);
    let sequences: Vec<u32> = lab.frames.iter().map(|frame| frame.sequence).collect();
    assert_eq!(sequences, (0..sequences.len() as u32).collect::<Vec<_>>());
}

#[test]
fn no_more_requests_than_slots_wait_for_headers_and_the_wait_is_told() {
    let plan = plan(hold(60, 5), reads(&["/a"]), json!({"pause": "0s"}));
    let mut assignment = whole(&plan);
    assignment.slots = NonZeroU16::new(6);
    let mut lab = Lab::new(&plan, assignment);
    lab.play(|_, _| Answer::ok(100));
    assert_eq!(lab.under_way_max, 6);
    // 60 users share 6 slots of 100 ms each: in the steady state each waits for 9 others.
    let totals = step_totals(&lab, 0);
    assert!(
        (quantile_ms(&totals.service_us, 0.99) - 100.0).abs() < 0.2,
        "the target's time is not touched"
    );
    assert!(
        (quantile_ms(&totals.response_us, 0.5) - 1_000.0).abs() < 1.0,
        "the user's time includes the wait"
    );
    let mut waits = Histogram::new();
    lab.windows()
        .for_each(|window| waits.merge(&window.slot_wait_us));
    assert_eq!(waits.count(), lab.ledger().sent);
    assert_eq!(lab.ledger().imbalances(), []);
}

#[test]
fn a_stop_sends_nothing_more_and_keeps_what_was_measured() {
    let plan = plan(hold(5, 60), reads(&["/a", "/b"]), json!({"pause": "0s"}));
    let mut lab = Lab::new(&plan, whole(&plan));
    assert!(!lab.play_until(Tick::from_ms(2_050), |_, _| Answer::ok(100)));
    let sent = lab.sent.len();
    lab.batch.handle_input(lab.now, Input::Stop);
    lab.play(|_, _| panic!("a request was sent after the stop"));
    assert_eq!(lab.sent.len(), sent);
    let ledger = lab.ledger();
    assert_eq!((ledger.cut_off, ledger.interrupted), (5, 5));
    assert_eq!(ledger.sent, sent as u64);
    assert_eq!(ledger.imbalances(), []);
    assert_eq!(lab.aborted.len(), 5);
    assert_eq!(lab.end().reason, EndReason::Stopped);
    assert_eq!(lab.end().iterations_open, 0);
}

#[test]
fn a_request_without_an_answer_is_given_up_at_its_time_limit() {
    let plan = plan(
        hold(1, 10),
        reads(&["/a"]),
        json!({"requestTimeout": "2s", "pause": "1s"}),
    );
    let mut lab = Lab::new(&plan, whole(&plan));
    lab.play(|_, _| Answer::Never);
    let totals = step_totals(&lab, 0);
    assert_eq!(
        totals.errors.get(&ErrorClass::Timeout),
        Some(&4),
        "at 2, 5, 8 and 11 s"
    );
    assert!(
        (quantile_ms(&totals.response_us, 0.5) - 2_000.0).abs() < 2.0,
        "a time-out is as slow as its limit"
    );
    assert_eq!(lab.ledger().imbalances(), []);
}

#[test]
fn a_broken_connection_counts_as_a_failure_without_latency() {
    let plan = plan(hold(1, 3), reads(&["/a"]), json!({"pause": "1s"}));
    let mut lab = Lab::new(&plan, whole(&plan));
    lab.play(|_, _| Answer::Reset(Span::from_ms(1)));
    let totals = step_totals(&lab, 0);
    assert_eq!(totals.errors.get(&ErrorClass::Reset), Some(&totals.sent));
    assert!(totals.response_us.is_empty());
    assert_eq!(lab.ledger().failed, totals.sent);
}

#[test]
fn an_unexpected_status_is_an_answer_and_an_error() {
    let plan = plan(hold(1, 3), reads(&["/a"]), json!({"pause": "1s"}));
    let mut lab = Lab::new(&plan, whole(&plan));
    lab.play(|_, _| Answer::Status(503, Span::from_ms(10)));
    let totals = step_totals(&lab, 0);
    assert_eq!(
        totals.errors.get(&ErrorClass::Status(503)),
        Some(&totals.sent)
    );
    assert_eq!(totals.response_us.count(), totals.sent);
    assert_eq!(lab.ledger().answered, totals.sent);
}

#[test]
fn a_user_that_is_no_longer_needed_finishes_its_iteration() {
    let profile = json!({
        "rampUp": {"from": 4, "to": 4, "duration": "0s"}, "peak": {"users": 4, "duration": "2s"},
        "steadyState": {"users": 1, "duration": "2s"}, "rampDown": {"to": 0, "duration": "0s"},
    });
    let plan = plan(profile, reads(&["/slow"]), json!({"pause": "0s"}));
    let mut lab = Lab::new(&plan, whole(&plan));
    lab.play(|_, _| Answer::ok(1_500));
    let ledger = lab.ledger();
    assert_eq!((ledger.interrupted, ledger.cut_off), (0, 0));
    let last_start = |vu: usize| {
        lab.sent
            .iter()
            .filter(|(at, _)| at.as_ms() >= 2_000)
            .count()
            >= vu
    };
    assert!(last_start(1), "the remaining user goes on");
    assert_eq!(
        lab.sent
            .iter()
            .filter(|(at, _)| at.as_ms() >= 2_000)
            .count(),
        1,
        "and only that one"
    );
}

#[test]
fn an_iteration_that_outlasts_the_grace_is_interrupted() {
    let plan = plan(
        hold(3, 2),
        reads(&["/slow"]),
        json!({"gracefulStop": "1s", "pause": "0s"}),
    );
    let mut lab = Lab::new(&plan, whole(&plan));
    lab.play(|_, _| Answer::ok(10_000));
    assert_eq!((lab.ledger().interrupted, lab.ledger().cut_off), (3, 3));
    assert_eq!(lab.end().at, Tick::from_second(3));
    assert_eq!(lab.ledger().imbalances(), []);
}

#[test]
fn a_generator_that_wakes_late_says_so() {
    let plan = plan(hold(1, 5), reads(&["/a"]), json!({"pause": "1s"}));
    let mut lab = Lab::new(&plan, whole(&plan));
    lab.play_until(Tick::from_ms(1_000), |_, _| Answer::ok(10));
    lab.now = Tick::from_ms(2_500);
    lab.play_until(Tick::from_ms(3_000), |_, _| Answer::ok(10));
    let mut lateness = Histogram::new();
    lab.windows()
        .for_each(|window| lateness.merge(&window.lateness_us));
    lab.batch.handle_input(Tick::from_second(4), Input::Wake);
    let mut response = Histogram::new();
    lab.play(|_, _| Answer::ok(10));
    lab.windows()
        .filter_map(|w| w.steps.get(&StepId(0)))
        .for_each(|step| response.merge(&step.response_us));
    let worst_ms = Span::from_us(response.max().expect("answers")).as_ms_f64();
    assert!(
        worst_ms > 1_400.0,
        "the user waited for the generator as well: {worst_ms} ms"
    );
}

#[test]
fn parallel_steps_start_together_and_background_steps_hold_nobody_up() {
    let step = |name: &str, parallel: bool, background: bool| {
        json!({
            "name": name, "request": {"method": "GET", "url": format!("/{name}")}, "expect": {"status": 200},
            "parallel": parallel, "background": background,
        })
    };
    let steps = [
        step("first", false, false),
        step("left", true, false),
        step("right", true, false),
        step("beacon", false, true),
        step("last", false, false),
    ];
    let applications = json!([{"name": "app", "steps": steps, "doInteractions": []}]);
    let plan = plan(hold(1, 1), applications, json!({"pause": "10s"}));
    let mut lab = Lab::new(&plan, whole(&plan));
    lab.play(|_, request| {
        Answer::ok(if request.url.ends_with("beacon") {
            5_000
        } else {
            100
        })
    });
    let times: Vec<(u64, String)> = lab
        .sent
        .iter()
        .map(|(at, request)| {
            (
                at.as_ms(),
                request
                    .url
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            )
        })
        .collect();
    let expected = [
        (0, "first"),
        (100, "left"),
        (100, "right"),
        (200, "beacon"),
        (200, "last"),
    ];
    assert_eq!(times, expected.map(|(at, name)| (at, name.to_owned())));
    assert_eq!(lab.ledger().imbalances(), []);
    assert_eq!(lab.ledger().answered, 5);
}

#[test]
fn what_the_target_tells_about_its_insides_is_counted() {
    let plan = plan(hold(2, 3), reads(&["/a"]), json!({"pause": "1s"}));
    let mut lab = Lab::new(&plan, whole(&plan));
    lab.play(|_, _| Answer::ok(10));
    let told: u64 = lab
        .windows()
        .filter_map(|window| window.components.get("PostDO"))
        .map(|component| component.wakes)
        .sum();
    assert_eq!(told, lab.ledger().answered);
}
