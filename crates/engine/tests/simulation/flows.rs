//! What flows do beside sending one request after the other.

use std::collections::BTreeMap;

use sentinel_engine::plan::Plan;
use sentinel_engine::share::Share;
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::wire::EndReason;
use serde_json::{Value, json};

use crate::lab::{Answer, Lab, hold, plan, slice, whole};

pub(crate) fn get(name: &str, more: Value) -> Value {
    let mut step = json!({"name": name, "request": {"method": "GET", "url": format!("/{name}")}, "expect": {"status": 200}});
    for (key, value) in more.as_object().expect("an object") {
        step[key] = value.clone();
    }
    step
}

pub(crate) fn one(steps: Value) -> Value {
    json!([{"name": "app", "steps": steps}])
}

/// The times in milliseconds and the last part of the path of everything that was sent.
pub(crate) fn sent(lab: &Lab) -> Vec<(u64, String)> {
    let name = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
    lab.sent
        .iter()
        .map(|(at, request)| (at.as_ms(), name(&request.url)))
        .collect()
}

fn expect(pairs: &[(u64, &str)]) -> Vec<(u64, String)> {
    pairs
        .iter()
        .map(|(at, name)| (*at, (*name).to_owned()))
        .collect()
}

pub(crate) fn played(
    plan: &Plan,
    target: impl FnMut(Tick, &sentinel_engine::batch::Request) -> Answer,
) -> Lab {
    let mut lab = Lab::new(plan, whole(plan));
    lab.play(target);
    assert_eq!(lab.ledger().imbalances(), []);
    lab
}

#[test]
fn users_think_between_and_after_requests() {
    let steps = json!([
        get("a", json!({"think": "500ms"})),
        get("never", json!({"think": "1h", "unlessSet": "v", "variants": null})),
        {"think": "300ms"},
        get("b", json!({"extract": {"v": "status"}})),
    ]);
    let mut steps = steps;
    steps[0]["extract"] = json!({"v": "status"});
    let plan = plan(hold(1, 2), one(steps), json!({"pause": "5s"}));
    let lab = played(&plan, |_, _| Answer::ok(100));
    assert_eq!(
        sent(&lab),
        expect(&[(0, "a"), (900, "b")]),
        "what is left out takes no time to think"
    );
}

#[test]
fn loops_repeat_their_steps_and_choices_follow_their_weights() {
    let steps = json!([
        {"loop": {"times": 3, "steps": [get("x", json!({})), {"loop": {"times": 2, "steps": [get("y", json!({}))]}}]}},
        get("end", json!({})),
    ]);
    let lab = played(
        &plan(hold(1, 1), one(steps), json!({"pause": "1h"})),
        |_, _| Answer::ok(10),
    );
    let names: String = sent(&lab).iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, "xyyxyyxyyend");

    let choice = json!([
        {"choose": [{"weight": 3, "steps": [get("often", json!({}))]}, {"weight": 1, "steps": [get("seldom", json!({}))]}]},
        get("always", json!({})),
    ]);
    let lab = played(
        &plan(hold(20, 200), one(choice), json!({"pause": "0s"})),
        |_, _| Answer::ok(1_000),
    );
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    for (_, name) in sent(&lab) {
        *counts.entry(name).or_default() += 1.0;
    }
    assert!(
        (counts["often"] / counts["always"] - 0.75).abs() < 0.03,
        "{counts:?}"
    );
    assert_eq!(counts["often"] + counts["seldom"], counts["always"]);
}

#[test]
fn an_iteration_plays_one_action_and_its_delay_follows() {
    let applications = json!([{
        "name": "session",
        "steps": [get("connect", json!({"unlessSet": "v", "extract": {"v": "status"}}))],
        "actions": [
            {"name": "message", "weight": 10, "delay": "2s-4s", "steps": [get("message", json!({}))]},
            {"name": "snapshot", "weight": 1, "delay": "10s", "steps": [get("snapshot", json!({})), get("list", json!({}))]},
            {"name": "idle", "weight": 1, "steps": [get("idle", json!({}))]},
        ],
    }]);
    let lab = played(
        &plan(hold(10, 2_000), applications, json!({"pause": "1s"})),
        |_, _| Answer::ok(100),
    );
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    let mut by_user: BTreeMap<usize, Vec<(u64, String)>> = BTreeMap::new();
    for (at, name) in sent(&lab) {
        *counts.entry(name.clone()).or_default() += 1.0;
        by_user.entry(0).or_default().push((at, name));
    }
    assert_eq!(counts["connect"], 10.0, "once for each user");
    assert!(
        (counts["message"] / counts["snapshot"] - 10.0).abs() < 2.5,
        "{counts:?}"
    );
    assert_eq!(counts["snapshot"], counts["list"]);
    // On average an iteration takes 10/12 · 3.1 s + 1/12 · 10.2 s + 1/12 · 1.1 s = 3.525 s.
    let iterations = lab.ledger().finished as f64;
    assert!(
        (iterations / (10.0 * 2_000.0 / 3.525) - 1.0).abs() < 0.03,
        "{iterations}"
    );
}

#[test]
fn a_pacing_spaces_the_starts_of_iterations() {
    let steps = json!([get("a", json!({}))]);
    for (extra, expected) in [
        (json!({"pacing": "2s"}), vec![0, 2_000, 4_000, 6_000, 8_000]),
        (
            json!({"pacing": "2s", "pause": "1900ms"}),
            vec![0, 2_300, 4_600, 6_900, 9_200],
        ),
        (
            json!({"pacing": "100ms"}),
            (0..25).map(|n| n * 400).collect(),
        ),
    ] {
        let lab = played(&plan(hold(1, 10), one(steps.clone()), extra), |_, _| {
            Answer::ok(400)
        });
        let starts: Vec<u64> = sent(&lab).into_iter().map(|(at, _)| at).collect();
        assert_eq!(starts, expected);
    }
    let mut own = one(steps);
    own[0]["pacing"] = json!("3s");
    let lab = played(&plan(hold(1, 10), own, json!({})), |_, _| Answer::ok(400));
    let starts: Vec<u64> = sent(&lab).into_iter().map(|(at, _)| at).collect();
    assert_eq!(starts, [0, 3_000, 6_000, 9_000]);
}

#[test]
fn a_step_repeats_itself_until_the_flow_ends() {
    let steps = json!([
        get("beat", json!({"repeatPattern": {"interval": "1s", "variance": "0s"}})),
        {"think": "3500ms"},
        get("end", json!({})),
    ]);
    let plan = plan(hold(1, 5), one(steps), json!({"pause": "10s"}));
    let lab = played(&plan, |_, _| Answer::ok(2_000));
    let expected = [
        (0, "beat"), // waited for, as any other
        (1_000, "beat"),
        (2_000, "beat"),
        (3_000, "beat"),
        (4_000, "beat"),
        (5_000, "beat"),
        (5_500, "end"),
        (6_000, "beat"),
        (7_000, "beat"),
    ];
    assert_eq!(
        sent(&lab),
        expect(&expected),
        "answers are not waited for, and the end ends it"
    );
    assert_eq!(lab.ledger().answered, 9);
}

#[test]
fn repetitions_vary_around_their_planned_times_without_drifting() {
    let steps = json!([
        get("beat", json!({"background": true, "repeatPattern": {"interval": "1s", "variance": "300ms"}})),
        {"think": "1000s"},
    ]);
    let plan = plan(hold(3, 1_001), one(steps), json!({"pause": "1h"}));
    let lab = played(&plan, |_, _| Answer::ok(20));
    let mut offsets = Vec::new();
    let mut times: Vec<u64> = sent(&lab)
        .into_iter()
        .map(|(at, _)| at)
        .filter(|at| *at > 0)
        .collect();
    times.sort_unstable();
    for (place, at) in times.iter().enumerate() {
        offsets.push(*at as f64 - (place / 3 + 1) as f64 * 1_000.0);
    }
    assert!((2_996..=3_000).contains(&times.len()), "{}", times.len());
    assert!(
        offsets.iter().all(|offset| offset.abs() <= 301.0),
        "no drift"
    );
    let mean = offsets.iter().sum::<f64>() / offsets.len() as f64;
    assert!(mean.abs() < 15.0, "{mean}");
    assert!(offsets.iter().any(|offset| offset.abs() > 250.0));
    assert_eq!(lab.ledger().sent, lab.ledger().answered);
}

#[test]
fn repetitions_that_wait_for_a_slot_hold_nobody_up() {
    let steps = json!([
        get("beat", json!({"repeatPattern": {"interval": "50ms"}})),
        get("a", json!({})),
        get("b", json!({})),
    ]);
    let plan = plan(hold(1, 1), one(steps), json!({"pause": "1h"}));
    let mut assignment = whole(&plan);
    assignment.slots = std::num::NonZeroU16::new(1);
    let mut lab = Lab::new(&plan, assignment);
    lab.play(|_, _| Answer::ok(200));
    assert_eq!(lab.ledger().imbalances(), []);
    assert_eq!((lab.ledger().finished, lab.ledger().interrupted), (1, 0));
    let names: Vec<String> = sent(&lab).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names.first().map(String::as_str), Some("beat"));
    let place = |wanted: &str| names.iter().position(|name| name == wanted).expect(wanted);
    assert!(place("a") < place("b"), "{names:?}");
}

/// Plays in slices and answers everything that was sent, with the labs.
fn in_slices(
    plan: &Plan,
    length: Span,
    target: impl Fn(&str) -> Answer,
) -> (Vec<(u64, String)>, Vec<Lab>) {
    let end = Tick::ZERO + plan.duration() + plan.graceful_stop();
    let (mut from, mut carry, mut labs) = (Tick::ZERO, Vec::new(), Vec::new());
    for number in 0.. {
        let mut assignment = slice(Share::WHOLE, number, from, (from + length).min(end), carry);
        assignment.played_through = from;
        // As on the wire.
        let json = serde_json::to_string(&assignment).expect("JSON");
        let mut lab = Lab::new(plan, serde_json::from_str(&json).expect("an assignment"));
        lab.play(|_, request| target(&request.url));
        let batch_end = lab.end().clone();
        labs.push(lab);
        if batch_end.reason == EndReason::PlanDone {
            break;
        }
        (from, carry) = (batch_end.at, batch_end.carry);
    }
    (labs.iter().flat_map(sent).collect(), labs)
}

#[test]
fn flows_go_on_in_the_next_slice_as_if_nothing_had_happened() {
    let steps = json!([
        get("beat", json!({"background": true, "repeatPattern": {"interval": "700ms", "variance": "100ms"}})),
        {"loop": {"over": "words", "steps": [
            {"name": "word", "request": {"method": "GET", "url": "/{{data.words.w}}"}, "think": "900ms-1100ms"},
        ]}},
        {"name": "one", "request": {"method": "GET", "url": "/{{data.users.u}}"}},
    ]);
    let data = json!({
        "words": {"rows": [{"w": "w1"}, {"w": "w2"}, {"w": "w3"}]},
        "users": {"rows": [{"u": "u1"}, {"u": "u2"}, {"u": "u3"}], "pick": "random"},
    });
    let plan = plan(
        hold(3, 12),
        one(steps),
        json!({"pause": "500ms", "data": data}),
    );
    let (mut whole, _) = in_slices(&plan, Span::from_secs(1_000), |_| Answer::ok(1));
    let (mut sliced, labs) = in_slices(&plan, Span::from_ms(1_300), |_| Answer::ok(1));
    assert!(labs.len() > 8, "{}", labs.len());
    let names = |sent: &[(u64, String)]| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        sent.iter()
            .for_each(|(_, name)| *counts.entry(name.clone()).or_default() += 1);
        counts
    };
    assert!(whole.len() > 60, "{}", whole.len());
    assert_eq!(names(&sliced), names(&whole));
    whole.sort();
    sliced.sort();
    for ((at, _), (sliced_at, name)) in whole.iter().zip(&sliced) {
        assert!(
            at.abs_diff(*sliced_at) <= 20,
            "{name} at {sliced_at} instead of {at}"
        );
    }
}
