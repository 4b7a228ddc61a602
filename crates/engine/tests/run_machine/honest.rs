//! A generator that miscounts fails its run, and one that is too slow says so.

use sentinel_engine::run::RunConfig;
use sentinel_engine::summary::{RunStatus, TestRunResult};
use sentinel_engine::tick::Span;
use sentinel_engine::wire::Frame;

use crate::plans::{config, plan};
use crate::world::World;

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
    let cases: [(&str, Tamper, &str); 7] = [
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
