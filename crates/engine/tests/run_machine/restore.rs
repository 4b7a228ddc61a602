//! The coordinator crashes at every single step of a run and comes back.

use sentinel_engine::run::{Hole, LossReason, Record, RestoreError, Run};
use sentinel_engine::summary::{RunStatus, TestRunResult};
use sentinel_engine::tick::{Span, Tick};

use crate::holds::check;
use crate::plans::{config, plan};
use crate::world::{Crash, Fate, World};

/// Crashes once at each output of a run: right before it takes effect, and right after.
fn crash_everywhere(outage: Span) {
    let mut calm = World::new(plan(), config(2, 3));
    calm.play();
    for output in 0..calm.outputs {
        for effect in [false, true] {
            let mut world = World::new(plan(), config(2, 3));
            world.crash = Some(Crash {
                output,
                effect,
                outage,
            });
            let result = world.play();
            check(&world, &result);
            judge(
                &world,
                &result,
                &format!("output {output}, effect {effect}"),
            );
        }
    }
}

fn judge(world: &World, result: &TestRunResult, place: &str) {
    let measured = result.ledger.sent > 0;
    let completed = result.status == RunStatus::Completed;
    assert_eq!(completed, measured, "{place}: {:?}", result.failure);
    assert!(
        result.timeline.len() >= 9,
        "{place}: {}",
        result.timeline.len()
    );
    if !measured {
        let is_restart = |hole: &Hole| hole.reason == LossReason::CoordinatorRestarted;
        let restarted = result.holes.iter().any(is_restart);
        let why = result.failure.as_deref().unwrap_or_default();
        assert_eq!(why.contains("restarted"), restarted, "{place}: {why}");
    }
    let counted = result.ledger.sent;
    let accounted = counted == world.sent || result.holes_total > 0;
    assert!(accounted, "{place}: {counted} of {}", world.sent);
    for hole in &result.holes {
        let expected = match hole.from {
            Tick::ZERO => [LossReason::NotStarted, LossReason::CoordinatorRestarted],
            _ => [LossReason::CoordinatorRestarted; 2],
        };
        assert!(expected.contains(&hole.reason), "{place}: {hole:?}");
    }
    // The plan has traffic in each of its first eight seconds: where there is none, a hole says why.
    for (second, row) in (0..8).zip(&result.timeline) {
        let (from, to) = (Tick::from_second(second), Tick::from_second(second + 1));
        let stated = result
            .holes
            .iter()
            .any(|hole| hole.from < to && hole.to > from);
        assert!(
            stated || row.requests_per_sec > 0.0,
            "{place}: second {second}"
        );
    }
}

#[test]
fn a_restart_at_any_step_costs_a_stated_hole_at_most() {
    crash_everywhere(Span::from_ms(1));
}

/// Batches live on for a moment when their coordinator is gone: what they said to it may reach the next one.
#[test]
fn frames_for_the_coordinator_before_change_nothing() {
    let world = || {
        let mut world = World::new(plan(), config(2, 3));
        let mut late = 0;
        world.network = Box::new(move |_| {
            late = (late + 700) % 2_100;
            vec![Span::from_ms(5 + late), Span::from_ms(900 + late)]
        });
        world.mail_survives = true;
        world
    };
    let mut calm = world();
    calm.play();
    let mut ignored = 0;
    for output in (0..calm.outputs).step_by(3) {
        let mut world = world();
        world.crash = Some(Crash {
            output,
            effect: true,
            outage: Span::from_ms(1),
        });
        let result = world.play();
        check(&world, &result);
        assert!(result.ledger.sent <= world.sent, "output {output}");
        ignored += result.frames_ignored;
    }
    assert!(ignored > 0, "none came late");
}

#[test]
fn a_long_outage_at_any_step_is_a_stated_hole() {
    crash_everywhere(Span::from_secs(4));
}

#[test]
fn an_outage_beyond_the_plans_end_ends_the_run() {
    crash_everywhere(Span::from_secs(100));
}

#[test]
fn a_restart_forgets_no_hole() {
    let world = || {
        let mut world = World::new(plan(), config(2, 3));
        world.fate = Box::new(
            |assignment| match (assignment.slice, assignment.share.index()) {
                (0, 0) => Fate::Vanishes(Tick::from_ms(1_500)),
                _ => Fate::Plays,
            },
        );
        world
    };
    let mut calm = world();
    let expected = calm.play().holes;
    assert_eq!(expected.len(), 2, "one batch is lost, the other waits");
    let mut later = 0;
    for output in 0..calm.outputs {
        for effect in [false, true] {
            let mut world = world();
            let outage = Span::from_ms(20);
            world.crash = Some(Crash {
                output,
                effect,
                outage,
            });
            let result = world.play();
            check(&world, &result);
            if world.crashed_at > Some(Tick::from_second(6)) {
                later += 1;
                let known = |hole| result.holes.contains(hole);
                assert!(
                    expected.iter().all(known),
                    "output {output}: {:?}",
                    result.holes
                );
            }
        }
    }
    assert!(later > 20, "{later}");
}

#[test]
fn a_cancelled_run_stays_cancelled_over_a_restart() {
    let mut calm = World::new(plan(), config(2, 3));
    calm.cancel_at = Some(Tick::from_ms(4_200));
    calm.play();
    for output in 0..calm.outputs {
        let mut world = World::new(plan(), config(2, 3));
        world.cancel_at = Some(Tick::from_ms(4_200));
        world.crash = Some(Crash {
            output,
            effect: true,
            outage: Span::from_ms(10),
        });
        let result = world.play();
        check(&world, &result);
        assert_eq!(result.status, RunStatus::Cancelled, "output {output}");
        assert!(
            world.now < Tick::from_ms(6_500),
            "output {output}: {}",
            world.now
        );
    }
}

#[test]
fn a_coordinator_that_crashes_again_and_again_still_ends_its_run() {
    let mut world = World::new(plan(), config(2, 3));
    world.input(Tick::ZERO, sentinel_engine::run::Input::Wake);
    for _ in 0..40 {
        world.restart(Span::from_ms(300));
        let now = world.now;
        world.input(now, sentinel_engine::run::Input::Wake);
    }
    let result = world.play();
    check(&world, &result);
    assert!(result.coverage < 0.3, "{}", result.coverage);
}

#[test]
fn a_finished_run_comes_back_with_the_same_report() {
    let mut world = World::new(plan(), config(2, 3));
    let result = world.play();
    for outage in [0, 1_000_000] {
        world.restart(Span::from_ms(outage));
        assert_eq!(world.play(), result);
        assert!(world.published.is_empty());
    }
}

#[test]
fn records_that_are_not_whole_are_refused() {
    let mut world = World::new(plan(), config(1, 3));
    world.play();
    let restore = |key: &str, body: &str| {
        let record = Record {
            key: key.to_owned(),
            body: body.to_owned(),
        };
        Run::restore(plan(), config(1, 3), [record], Tick::ZERO).map(|_| ())
    };
    assert_eq!(
        restore("", ""),
        Err(RestoreError::UnknownKey { key: String::new() })
    );
    assert!(matches!(
        restore("other/0001-0001", "{}"),
        Err(RestoreError::UnknownKey { .. })
    ));
    assert!(matches!(
        restore("slice/0001-0002", "{}"),
        Err(RestoreError::Incomplete { .. })
    ));
    assert!(matches!(
        restore("slice/0001-0001", "{}"),
        Err(RestoreError::Unreadable { .. })
    ));
    let (key, body) = world
        .records
        .first_key_value()
        .expect("the last checkpoint");
    assert_eq!(restore(key, body), Ok(()));
    let newer = body.replacen("\"version\":3", "\"version\":4", 1);
    let error = restore(key, &newer).unwrap_err();
    assert_eq!(
        error.to_string(),
        "record \"checkpoint/\" has version 4, this code reads 3"
    );
}
