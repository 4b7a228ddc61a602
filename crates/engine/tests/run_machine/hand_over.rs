//! Slow answers at the end of a slice: whoever waits for one comes in later, and nobody else waits.

use sentinel_engine::plan::Plan;
use sentinel_engine::random::Random;
use sentinel_engine::run::{Hole, LossReason};
use sentinel_engine::summary::{RunStatus, TestRunResult};
use sentinel_engine::tick::{Span, Tick};
use serde_json::{Value, json};

use crate::holds::check;
use crate::plans::{config, plan_of};
use crate::world::{Answer, Crash, Fate, World};

/// Users who ask without end, for this many seconds.
fn closed(users: u32, seconds: u32) -> Plan {
    plan(
        json!({"a": {"executor": "constant-vus", "vus": users, "duration": format!("{seconds}s")}}),
    )
}

fn plan(scenarios: Value) -> Plan {
    plan_with(scenarios, json!({"coverage": ["rate>=0"]}))
}

fn plan_with(scenarios: Value, thresholds: Value) -> Plan {
    let step =
        |path: &str| json!({"name": path, "request": {"method": "GET", "url": path}, "expect": {}});
    let applications = json!([
        {"name": "reads", "steps": [step("/a"), step("/b")]},
        {"name": "writes", "steps": [step("/c")]},
    ]);
    let fields = json!({
        "userProfile": null, "pause": null, "scenarios": scenarios, "gracefulStop": "30s",
        "thresholds": thresholds, "assertions": [], "metrics": {},
    });
    plan_of(fields, applications)
}

/// A target that answers after 100 ms, but one request in so many only after this many milliseconds.
fn slow_at_times(world: &mut World, one_in: u64, slow_ms: u64) {
    let mut requests = 0;
    world.target = Box::new(move |_, _| {
        requests += 1;
        let ms = if requests % one_in == 0 { slow_ms } else { 100 };
        answer(ms)
    });
}

fn answer(ms: u64) -> Answer {
    Answer {
        latency: Span::from_ms(ms),
        status: 200,
        body: b"{}",
    }
}

fn played(world: &mut World) -> TestRunResult {
    let result = world.play();
    check(world, &result);
    result
}

/// Two batches of four users who ask without end for 12 s in slices of 3 s, with many answers that take two seconds.
fn small_world() -> World {
    let mut world = World::new(closed(8, 12), config(2, 3));
    slow_at_times(&mut world, 20, 2_000);
    world
}

#[test]
fn a_slow_answer_lets_nobody_else_wait() {
    for (one_in, slow_ms) in [(1_000, 29_000), (100, 5_000)] {
        let play = |slice_s| {
            let mut world = World::new(closed(40, 120), config(8, slice_s));
            slow_at_times(&mut world, one_in, slow_ms);
            let result = played(&mut world);
            assert_eq!(result.status, RunStatus::Completed);
            assert_eq!(result.ledger.sent, world.sent, "what the target saw");
            assert_eq!((result.coverage, result.holes_total), (1.0, 0));
            assert_eq!((result.ledger.lost, result.frames_ignored), (0, 0));
            (result.ledger, world.late, result.slices)
        };
        let (whole, late, _) = play(600);
        assert_eq!(late, 0, "nobody hands over in the last slice");
        let (sliced, late, slices) = play(30);
        assert_eq!(slices, 4);
        assert!(late > 5, "{late} came in late");
        // Three times, everybody rests for half a second of 120, and the target is asked by others then.
        let fewer = whole.sent.saturating_sub(sliced.sent);
        assert!(fewer * 100 < 3 * whole.sent, "{whole:?} {sliced:?}");
    }
}

#[test]
fn without_slow_answers_everybody_is_handed_over_at_once() {
    let mut world = World::new(closed(8, 12), config(2, 3));
    slow_at_times(&mut world, 20, 499);
    played(&mut world);
    assert_eq!(world.late, 0);
    assert!(world.assignments.iter().all(|order| order.away.is_empty()));
}

#[test]
fn whoever_comes_in_goes_on_where_it_was() {
    let mut world = small_world();
    let result = played(&mut world);
    assert!(world.late > 3, "{}", world.late);
    let away = world.assignments.iter().flat_map(|order| &order.away);
    assert_eq!(away.count(), world.late, "each user that is out comes in");
    assert_eq!(result.coverage, 1.0);
    let [a, b] = ["/a", "/b"].map(|path| {
        let asked = world.asked.iter().filter(|asked| *asked == path);
        asked.count()
    });
    // Whoever has asked for the one asks for the other, unless it was interrupted at the end.
    assert!(b <= a && a - b <= 8, "{a} {b}");
}

#[test]
fn an_answer_may_take_longer_than_a_slice() {
    let mut world = World::new(closed(8, 30), config(2, 3));
    slow_at_times(&mut world, 50, 10_000);
    let result = played(&mut world);
    assert_eq!(result.status, RunStatus::Completed);
    assert_eq!(result.ledger.lost, 0);
    assert_eq!(result.ledger.sent, world.sent);
    let waited = |hole: &Hole| hole.reason == LossReason::Waited;
    assert!(result.holes.iter().all(waited), "{:?}", result.holes);
}

#[test]
fn arrivals_are_finished_by_whoever_began_them() {
    let plan = plan(json!({
        "open": {"executor": "constant-arrival-rate", "rate": 20, "duration": "12s", "preAllocatedVUs": 60},
        "pile": {"executor": "shared-iterations", "vus": 6, "iterations": 200, "maxDuration": "12s", "exec": "writes"},
        "each": {"executor": "per-vu-iterations", "vus": 5, "iterations": 17, "maxDuration": "12s", "exec": "writes"},
        "ramp": {"executor": "ramping-vus", "startVUs": 6, "gracefulRampDown": "1s",
            "stages": [{"duration": "6s", "target": 1}, {"duration": "6s", "target": 7}]},
    }));
    let mut world = World::new(plan, config(3, 3));
    slow_at_times(&mut world, 15, 2_500);
    let result = played(&mut world);
    assert!(world.late > 5, "{}", world.late);
    assert_eq!(result.status, RunStatus::Completed);
    let names = ["open", "pile", "each"];
    let planned: Vec<u64> = names
        .iter()
        .map(|name| {
            let of = result.scenarios.iter().find(|of| of.name == *name);
            let of = of.expect("a scenario");
            of.iterations_started + of.iterations_dropped
        })
        .collect();
    assert_eq!(planned, [240, 200, 85]);
}

#[test]
fn what_is_said_twice_late_or_out_of_order_changes_nothing() {
    let mut calm = small_world();
    let expected = played(&mut calm).ledger;
    for seed in 0..20 {
        let mut random = Random::for_purpose(seed, 0);
        let mut world = small_world();
        world.network = Box::new(move |_| {
            let times = random.between(1, 3);
            (0..times)
                .map(|_| Span::from_ms(random.between(1, 900)))
                .collect()
        });
        let mut random = Random::for_purpose(seed, 1);
        world.way_back = Box::new(move |_| {
            let times = random.between(1, 3);
            (0..times)
                .map(|_| Span::from_ms(random.between(1, 900)))
                .collect()
        });
        let result = played(&mut world);
        assert_eq!(result.ledger.sent, world.sent, "seed {seed}");
        assert_eq!((result.ledger.lost, result.frames_ignored), (0, 0));
        let differs = result.ledger.sent.abs_diff(expected.sent);
        assert!(differs * 4 < expected.sent, "seed {seed}: {differs}");
    }
}

#[test]
fn whoever_a_batch_has_not_heard_of_goes_on_in_the_next_slice() {
    let mut world = small_world();
    world.way_back = Box::new(|_| Vec::new());
    let result = played(&mut world);
    assert!(world.late > 3, "{}", world.late);
    assert_eq!(result.ledger.lost, 0);
    assert_eq!(result.ledger.sent, world.sent);
}

#[test]
fn a_crash_at_any_point_loses_at_most_what_is_stated() {
    let mut calm = small_world();
    played(&mut calm);
    for output in 0..calm.outputs {
        for effect in [true, false] {
            let mut world = small_world();
            world.mail_survives = output % 3 == 0;
            world.crash = Some(Crash {
                output,
                effect,
                outage: Span::from_ms(10),
            });
            let result = played(&mut world);
            assert!(world.crashed_at.is_some(), "{output}");
            assert_eq!(result.status, RunStatus::Completed, "{output}");
            let stated: u64 = result.holes.iter().map(|hole| hole.iterations_lost).sum();
            assert_eq!(result.ledger.lost, stated, "{output} {effect}");
            let cut_off: u64 = result.holes.iter().map(|hole| hole.requests_cut_off).sum();
            assert!(result.ledger.cut_off >= cut_off, "{output} {effect}");
        }
    }
}

#[test]
fn nobody_is_played_twice() {
    // Each user asks for a path of its own, and waits for the answer: the target never has two of it at the same time.
    let step =
        json!({"name": "own", "request": {"method": "GET", "url": "/u/{{vu}}"}, "expect": {}});
    let applications =
        json!([{"name": "reads", "steps": [step.clone()]}, {"name": "writes", "steps": [step]}]);
    let fields = json!({
        "userProfile": null, "pause": null, "gracefulStop": "30s", "thresholds": {}, "assertions": [], "metrics": {},
        "scenarios": {"a": {"executor": "constant-vus", "vus": 8, "duration": "12s"}},
    });
    let plan = plan_of(fields, applications);
    for dies in [None, Some((1, 0)), Some((2, 1))] {
        let mut world = World::new(plan.clone(), config(2, 3));
        let mut busy_until = std::collections::BTreeMap::new();
        let (mut requests, lossless) = (0, dies.is_none());
        world.target = Box::new(move |now, request| {
            requests += 1;
            let ms = if requests % 20 == 0 { 2_000 } else { 100 };
            let busy = busy_until.insert(request.vu, now + Span::from_ms(ms));
            assert!(
                !lossless || busy.is_none_or(|until| until <= now),
                "{now:?}"
            );
            answer(ms)
        });
        world.fate = Box::new(move |order| {
            if dies == Some((order.slice, order.share.index())) {
                Fate::Dies(order.from + Span::from_ms(1_300))
            } else {
                Fate::Plays
            }
        });
        let result = played(&mut world);
        assert_eq!(result.status, RunStatus::Completed);
        assert_eq!(result.ledger.lost > 0, !lossless);
    }
}

#[test]
fn a_batch_that_dies_while_it_waits_loses_those_that_are_out() {
    for tells in [true, false] {
        let mut world = small_world();
        world.fate = Box::new(
            move |order| match (order.slice, order.share.index(), tells) {
                (0, 0, true) => Fate::Dies(Tick::from_ms(3_900)),
                (0, 0, false) => Fate::Vanishes(Tick::from_ms(3_900)),
                _ => Fate::Plays,
            },
        );
        let result = played(&mut world);
        assert_eq!(result.status, RunStatus::Completed);
        let [hole] = result.holes.as_slice() else {
            panic!("{:?}", result.holes);
        };
        assert_eq!((hole.slice, hole.batch, hole.from), (0, 0, hole.to));
        assert!(hole.iterations_lost > 0 && hole.iterations_lost == hole.requests_cut_off);
        assert_eq!(result.ledger.lost, hole.iterations_lost);
        assert_eq!(result.coverage, 1.0, "the share was played all the time");
        assert_eq!(result.timeline[10].active_users, 8, "they began afresh");
    }
}

#[test]
fn a_batch_that_dies_while_it_waits_and_a_crash_lose_nobody_twice() {
    let dying = || {
        let mut world = small_world();
        world.fate = Box::new(|order| match (order.slice, order.share.index()) {
            (0, 0) => Fate::Dies(Tick::from_ms(3_900)),
            _ => Fate::Plays,
        });
        world
    };
    let mut calm = dying();
    played(&mut calm);
    for output in 0..calm.outputs {
        let mut world = dying();
        world.crash = Some(Crash {
            output,
            effect: true,
            outage: Span::from_ms(10),
        });
        let result = played(&mut world);
        assert_eq!(result.status, RunStatus::Completed, "{output}");
        let stated: u64 = result.holes.iter().map(|hole| hole.iterations_lost).sum();
        assert_eq!(result.ledger.lost, stated, "{output}");
    }
}

#[test]
fn a_stop_ends_those_that_wait_too() {
    for ms in (3_000..6_000).step_by(250) {
        let mut world = small_world();
        world.cancel_at = Some(Tick::from_ms(ms));
        let result = played(&mut world);
        assert_eq!(result.status, RunStatus::Cancelled);
        assert_eq!(result.ledger.lost, 0, "{ms}");
        assert_eq!(result.ledger.sent, world.sent, "{ms}");
        assert!(world.now <= Tick::from_ms(ms + 100), "{ms} {:?}", world.now);
    }
}

#[test]
fn a_batch_that_does_not_hear_the_stop_is_given_up() {
    let mut world = small_world();
    world.cancel_at = Some(Tick::from_ms(3_600));
    world.fate = Box::new(|_| Fate::Deaf);
    let result = played(&mut world);
    assert_eq!(result.status, RunStatus::Cancelled);
    assert!(world.now <= Tick::from_ms(5_700), "{:?}", world.now);
}

#[test]
fn a_threshold_may_stop_the_run_between_two_slices() {
    let mut calm = small_world();
    let sent = played(&mut calm).ledger.sent;
    for bound in (sent / 8..sent / 2).step_by(10) {
        let scenarios = json!({"a": {"executor": "constant-vus", "vus": 8, "duration": "12s"}});
        let abort = json!({"threshold": format!("count<{bound}"), "abortOnFail": true});
        let mut world = World::new(
            plan_with(scenarios, json!({"http_reqs": [abort]})),
            config(2, 3),
        );
        slow_at_times(&mut world, 20, 2_000);
        let result = played(&mut world);
        assert!(result.ledger.sent < sent, "{bound}");
        assert_eq!(result.ledger.lost, 0, "{bound}");
        assert_eq!(result.ledger.sent, world.sent, "{bound}");
    }
}

#[test]
fn an_iteration_may_end_while_its_user_is_out() {
    let step = |path: &str, background: bool| {
        let request = json!({"method": "GET", "url": path});
        json!({"name": path, "request": request, "expect": {}, "background": background})
    };
    let steps = json!([step("/beacon", true), step("/a", false)]);
    let applications =
        json!([{"name": "reads", "steps": steps}, {"name": "writes", "steps": steps}]);
    let fields = json!({
        "userProfile": null, "pause": null, "gracefulStop": "30s", "thresholds": {}, "assertions": [], "metrics": {},
        "scenarios": {"a": {"executor": "constant-vus", "vus": 8, "duration": "12s"}},
    });
    let plan = plan_of(fields, applications);
    let play = |crash: Option<Crash>, fate: Option<(u32, u32)>| {
        let mut world = World::new(plan.clone(), config(2, 3));
        world.target = Box::new(|_, request| {
            let is_beacon = request.url.ends_with("/beacon");
            answer(if is_beacon {
                2_300
            } else {
                1_100 + request.id.0 % 7 * 100
            })
        });
        world.crash = crash;
        world.fate = Box::new(move |order| {
            let dies = fate == Some((order.slice, order.share.index()));
            let at = order.until + Span::from_ms(1_200);
            if dies { Fate::Dies(at) } else { Fate::Plays }
        });
        let result = played(&mut world);
        assert_eq!(result.status, RunStatus::Completed);
        assert!(world.late > 5, "{}", world.late);
        (world.outputs, result)
    };
    let (outputs, calm) = play(None, None);
    assert_eq!(calm.ledger.lost, 0);
    for output in (0..outputs).step_by(7) {
        let outage = Span::from_ms(10);
        let crash = Crash {
            output,
            effect: output % 2 == 0,
            outage,
        };
        play(Some(crash), None);
    }
    for slice in 0..3 {
        let (_, result) = play(None, Some((slice, 1)));
        assert!(result.ledger.cut_off > 0);
    }
}
