//! Splitting a plan over batches and slices loses nothing and repeats nothing.

use std::collections::BTreeMap;

use sentinel_engine::ledger::Ledger;
use sentinel_engine::plan::{Plan, PlanPart};
use sentinel_engine::share::Share;
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::window::{StepId, StepWindow};
use sentinel_engine::wire::EndReason;
use serde_json::{Value, json};

use crate::lab::{Answer, Lab, part_of_plan, slice, whole};

/// Weighted applications with chance in every part, and URLs that name who asks, so that the target's
/// answer can depend on nothing else.
fn busy_plan() -> Plan {
    busy_plan_of(PlanPart::default())
}

fn busy_plan_of(part: PlanPart) -> Plan {
    let step = |name: &str, more: Value| {
        let url = format!("/{name}/{{{{vu}}}}/{{{{iteration}}}}/{{{{randomInt(1,1000)}}}}");
        let mut step = json!({"name": name, "request": {"method": "GET", "url": url}, "expect": {"status": 200}});
        for (key, value) in more.as_object().expect("an object") {
            step[key] = value.clone();
        }
        step
    };
    let applications = json!([
        {"name": "read", "doInteractions": [], "variants": ["short", "long"], "steps": [
            step("list", json!({})), step("maybe", json!({"probability": 0.4})),
            step("left", json!({"parallel": true})), step("right", json!({"parallel": true})),
        ]},
        {"name": "write", "doInteractions": [], "steps": [
            step("write", json!({})), step("beacon", json!({"background": true})), step("check", json!({})),
        ]},
    ]);
    let profile = json!({
        "rampUp": {"from": 0, "to": 23, "duration": "7s"}, "peak": {"users": 23, "duration": "5s"},
        "steadyState": {"users": 9, "duration": "6s"}, "rampDown": {"to": 0, "duration": "3s"},
    });
    part_of_plan(profile, applications, json!({"pause": "300ms"}), part)
}

/// A latency that only depends on the URL.
fn target(url: &str) -> Answer {
    let hash = url
        .bytes()
        .fold(1_469_598_103_934_665_603_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211)
        });
    Answer::Status(
        if hash % 50 == 0 { 500 } else { 200 },
        Span::from_us(hash % 90_000 + 500),
    )
}

#[derive(Debug, Default, PartialEq)]
struct Totals {
    ledger: Ledger,
    steps: BTreeMap<StepId, StepWindow>,
}

impl Totals {
    fn add(&mut self, lab: &Lab) {
        for window in lab.windows() {
            self.ledger += window.ledger;
            for (id, step) in &window.steps {
                self.steps.entry(*id).or_default().merge(step);
            }
        }
    }
}

fn play_in_batches(plan: &Plan, batches: u32) -> Totals {
    let mut totals = Totals::default();
    for index in 0..batches {
        let mut assignment = whole(plan);
        assignment.share = Share::new(index, batches).expect("a share");
        let mut lab = Lab::new(plan, assignment);
        lab.play(|_, request| target(&request.url));
        assert_eq!(lab.ledger().imbalances(), [], "batch {index} of {batches}");
        totals.add(&lab);
    }
    totals
}

#[test]
fn one_batch_and_many_give_equal_counts_and_equal_histograms() {
    let plan = busy_plan();
    let whole = play_in_batches(&plan, 1);
    assert!(
        whole.ledger.sent > 1_000,
        "there is something to compare: {:?}",
        whole.ledger
    );
    for batches in [2, 3, 8, 30] {
        assert_eq!(play_in_batches(&plan, batches), whole, "{batches} batches");
    }
}

#[test]
fn segments_that_are_played_apart_make_up_the_plan() {
    let whole = play_in_batches(&busy_plan(), 1);
    let sequence = "0,1/4,3/4,1";
    let mut sum = Totals::default();
    for segment in ["0:1/4", "1/4:3/4", "3/4:1"] {
        let part = json!({"executionSegment": segment, "executionSegmentSequence": sequence});
        let part = busy_plan_of(serde_json::from_value(part).expect("a part"));
        let played = play_in_batches(&part, 3);
        assert!(played.ledger.sent * 5 > whole.ledger.sent, "{segment}");
        sum.ledger += played.ledger;
        for (id, step) in &played.steps {
            sum.steps.entry(*id).or_default().merge(step);
        }
    }
    assert_eq!(sum, whole);
}

/// Plays the plan in slices of `length`, each going on from what the last one handed over.
pub(crate) fn play_in_slices(
    plan: &Plan,
    length: Span,
    mut target: impl FnMut(&str) -> Answer,
) -> Sliced {
    let end = Tick::ZERO + plan.duration() + plan.graceful_stop();
    let mut totals = Totals::default();
    let mut labs = Vec::new();
    let (mut from, mut played_through, mut carry) = (Tick::ZERO, Tick::ZERO, Vec::new());
    let mut begun: Vec<u64> = Vec::new();
    for number in 0.. {
        let until = (from + length).min(end);
        let mut assignment = slice(Share::WHOLE, number, from, until, carry);
        assignment.played_through = played_through;
        assignment.begun = begun.clone();
        let mut lab = Lab::new(plan, assignment);
        lab.play(|_, request| target(&request.url));
        for (place, begun_now) in begun_in(&lab) {
            if begun.len() <= place {
                begun.resize(place + 1, 0);
            }
            begun[place] += begun_now;
        }
        totals.add(&lab);
        assert!(
            lab.sent.iter().all(|(at, _)| *at < until),
            "nothing is sent after the slice"
        );
        let batch_end = lab.end().clone();
        assert_eq!(
            totals.ledger.iterations_open(),
            batch_end.iterations_open,
            "slice {number}"
        );
        assert_eq!(totals.ledger.requests_open(), 0, "slice {number}");
        labs.push(lab);
        if batch_end.reason == EndReason::PlanDone {
            break;
        }
        (from, played_through, carry) = (batch_end.at, until, batch_end.carry);
    }
    Sliced {
        ledger: totals.ledger,
        labs,
    }
}

/// A plan that was played in slices.
pub(crate) struct Sliced {
    pub(crate) ledger: Ledger,
    pub(crate) labs: Vec<Lab>,
}

/// How many iterations of each scenario were begun.
fn begun_in(lab: &Lab) -> BTreeMap<usize, u64> {
    let mut begun = BTreeMap::new();
    for (place, scenario) in lab.windows().flat_map(|window| &window.scenarios) {
        *begun.entry(usize::from(*place)).or_insert(0) += scenario.started;
    }
    begun
}

#[test]
fn slices_continue_their_users_and_lose_nothing() {
    let plan = busy_plan();
    let whole = play_in_slices(&plan, Span::from_secs(1_000), target);
    for length_ms in [400, 1_000, 2_700, 6_000] {
        let Sliced { ledger, labs } = play_in_slices(&plan, Span::from_ms(length_ms), target);
        assert!(labs.len() > 3, "{length_ms} ms: the plan was really sliced");
        assert_eq!(ledger.imbalances(), [], "{length_ms} ms");
        assert_eq!((ledger.lost, ledger.interrupted, ledger.cut_off), (0, 0, 0));
        // The end of a slice waits for the requests under way, at most 90.5 ms, in which nobody starts.
        let kept = ledger.sent as f64 / whole.ledger.sent as f64;
        let least = 1.0 - 1.2 * 90.5 / length_ms as f64;
        assert!(
            (least..=1.001).contains(&kept),
            "{length_ms} ms: {kept} of the load was kept, least {least}"
        );
    }
}

#[test]
fn an_iteration_goes_on_where_the_slice_ended() {
    let plan = busy_plan();
    let labs = play_in_slices(&plan, Span::from_ms(700), target).labs;
    let mut flows: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (_, request) in labs.iter().flat_map(|lab| &lab.sent) {
        let parts: Vec<&str> = request.url.rsplit('/').collect();
        let key = (parts[2].to_owned(), parts[1].to_owned());
        flows.entry(key).or_default().push(parts[3].to_owned());
    }
    assert!(flows.len() > 300, "{} iterations", flows.len());
    for ((vu, iteration), steps) in flows {
        let steps: Vec<&str> = steps
            .iter()
            .map(String::as_str)
            .filter(|step| *step != "maybe")
            .collect();
        let complete = [
            vec!["list", "left", "right"],
            vec!["write", "beacon", "check"],
        ];
        assert!(
            complete.contains(&steps),
            "iteration {iteration} of user {vu} played {steps:?}"
        );
    }
}

#[test]
fn a_user_that_was_lost_with_its_batch_starts_afresh_and_punctually() {
    let plan = busy_plan();
    let from = Tick::from_second(10);
    let mut lab = Lab::new(
        &plan,
        slice(Share::WHOLE, 1, from, Tick::from_second(12), Vec::new()),
    );
    lab.play(|_, request| target(&request.url));
    let first: Vec<Tick> = lab.sent.iter().take(23).map(|(at, _)| *at).collect();
    assert_eq!(first, vec![from; 23]);
    let late: u64 = lab
        .windows()
        .map(|window| {
            window
                .lateness_us
                .buckets()
                .map(|(us, _)| us)
                .max()
                .unwrap_or(0)
        })
        .max()
        .unwrap_or(0);
    assert_eq!(late, 0, "users that were not there are not late");
}
