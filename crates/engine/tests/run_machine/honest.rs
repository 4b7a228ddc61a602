//! A generator that miscounts fails its run, and one that is too slow says so.

use sentinel_engine::run::RunConfig;
use sentinel_engine::summary::{RunStatus, TestRunResult};
use sentinel_engine::tick::Span;
use sentinel_engine::wire::Frame;

use serde_json::json;

use crate::holds::check;
use crate::plans::{config, plan, plan_of};
use crate::world::{Answer, World};

type Tamper = fn(&mut Frame);

/// A run of two batches, of which one tells something wrong about its fourth second.
fn told_wrong(tamper: Tamper) -> TestRunResult {
    let mut world = World::new(plan(), config(2, 60));
    world.tamper = Box::new(move |frame| {
        if frame.batch == 1 && frame.sequence == 3 {
            assert!(!frame.windows.is_empty());
            tamper(frame);
        }
    });
    world.play()
}

#[test]
fn a_batch_that_miscounts_fails_the_run_with_the_equation() {
    let cases: [(&str, Tamper, &str); 12] = [
        (
            "forgets a request",
            |f| f.windows[0].ledger.sent -= 1,
            "sent",
        ),
        (
            "invents a request",
            |f| f.windows[0].ledger.sent += 1,
            "requests under way",
        ),
        (
            "forgets an answer",
            |f| f.windows[0].ledger.answered -= 1,
            "requests under way",
        ),
        (
            "loses an iteration",
            |f| f.windows[0].ledger.finished -= 1,
            "open iterations",
        ),
        (
            "invents an iteration",
            |f| f.windows[0].ledger.started += 1,
            "open iterations",
        ),
        (
            "starts what was not planned",
            |f| f.windows[0].ledger.planned -= 1,
            "planned",
        ),
        (
            "drops in secret",
            |f| f.windows[0].ledger.planned += 1,
            "planned",
        ),
        (
            "invents a drop",
            |f| f.windows[0].ledger.dropped += 1,
            "planned",
        ),
        (
            "interrupts nothing",
            |f| f.windows[0].ledger.interrupted += 1,
            "interrupted 1",
        ),
        (
            "loses what it never had",
            |f| f.windows[0].ledger.lost += 1,
            "lost 1",
        ),
        (
            "invents a failure",
            |f| f.windows[0].ledger.failed += 1,
            "sent",
        ),
        (
            "cuts off what it never sent",
            |f| f.windows[0].ledger.cut_off += 1,
            "sent",
        ),
    ];
    assert_eq!(told_wrong(|_| {}).status, RunStatus::Completed);
    for (what, tamper, told) in cases {
        let result = told_wrong(tamper);
        assert_eq!(result.status, RunStatus::Failed, "{what}");
        assert!(!result.passed, "{what}");
        assert!(!result.ledger_faults.is_empty(), "{what}");
        let why = result.failure.unwrap_or_default();
        assert!(why.contains(told), "{what}: {why}");
    }
}

/// What a run finds about its generator.
fn limits(slots: Option<u16>, wakes_late: Span) -> Option<Vec<String>> {
    let config = RunConfig {
        slots: slots.and_then(std::num::NonZeroU16::new),
        ..config(2, 60)
    };
    let mut world = World::new(plan(), config);
    world.wakes_late = wakes_late;
    let result = world.play();
    assert_eq!(result.ledger_faults, []);
    let warned = result
        .warnings
        .iter()
        .any(|warning| warning.contains("generator"));
    assert_eq!(warned, result.generator_limited.is_some());
    result.generator_limited.map(|limited| limited.reasons)
}

#[test]
fn a_generator_that_keeps_up_is_not_limited() {
    assert_eq!(limits(None, Span::ZERO), None);
    assert_eq!(
        limits(Some(6), Span::ZERO),
        None,
        "four users with six slots"
    );
    assert_eq!(limits(None, Span::from_ms(10)), None, "a little late");
}

#[test]
fn a_generator_without_free_slots_is_limited() {
    let reasons = limits(Some(1), Span::ZERO).expect("limited");
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert!(reasons[0].contains("connection slot"), "{reasons:?}");
}

#[test]
fn a_generator_that_is_too_slow_is_limited() {
    let reasons = limits(None, Span::from_ms(120)).expect("limited");
    assert!(
        reasons.iter().any(|reason| reason.contains("late")),
        "{reasons:?}"
    );
}

/// What a run of 20 arrivals a second finds about its generator, when the target takes `latency`.
fn limits_of_arrivals(slots: Option<u16>, latency: Span, wakes_late: Span) -> Option<Vec<String>> {
    let fields = json!({
        "userProfile": null,
        "load": {"executor": "constant-arrival-rate", "rate": 20, "duration": "6s", "preAllocatedVUs": 40},
        "thresholds": {},
        "metrics": {},
    });
    let step = json!({"name": "a", "request": {"method": "GET", "url": "/a"}, "expect": {}});
    let applications = json!([
        {"name": "reads", "steps": [step]},
        {"name": "writes", "steps": [step]},
    ]);
    let config = RunConfig {
        slots: slots.and_then(std::num::NonZeroU16::new),
        ..config(2, 60)
    };
    let mut world = World::new(plan_of(fields, applications), config);
    world.wakes_late = wakes_late;
    world.target = Box::new(move |_, _| Answer {
        latency,
        status: 200,
        body: b"{}",
    });
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.ledger.planned, 120);
    assert_eq!(result.late.arrivals_begun, 120);
    // A batch that is woken 150 ms late finds two arrivals, the second of which is 50 ms late.
    let is_late = wakes_late > Span::from_ms(50);
    assert_eq!(result.late.arrivals, if is_late { 60 } else { 0 });
    result.generator_limited.map(|limited| limited.reasons)
}

#[test]
fn arrivals_that_begin_in_time_do_not_limit_the_generator_however_slow_the_target_is() {
    for latency_ms in [2, 40, 1_500] {
        let latency = Span::from_ms(latency_ms);
        let found = limits_of_arrivals(None, latency, Span::ZERO);
        assert_eq!(found, None, "{latency_ms} ms");
    }
}

#[test]
fn a_clock_of_one_millisecond_does_not_make_the_generator_look_slow() {
    // At the edge every timer may fire a millisecond late, and a fast target takes hardly longer than that.
    let (tick, fast) = (Span::from_ms(1), Span::from_ms(2));
    assert_eq!(limits_of_arrivals(Some(6), fast, tick), None);
    assert_eq!(limits(Some(6), tick), None);
}

#[test]
fn arrivals_that_begin_late_limit_the_generator() {
    let late = Span::from_ms(150);
    let reasons = limits_of_arrivals(None, Span::from_ms(40), late).expect("limited");
    assert!(reasons[0].contains("late"), "{reasons:?}");
}

#[test]
fn arrivals_that_wait_for_slots_limit_the_generator_and_not_the_target() {
    // Ten arrivals a second and batch that take 120 ms each are more than one slot can carry.
    let reasons = limits_of_arrivals(Some(1), Span::from_ms(120), Span::ZERO).expect("limited");
    assert!(reasons[0].contains("connection slot"), "{reasons:?}");
}
