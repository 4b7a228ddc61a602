//! A run of a day: what it stores and publishes is bounded.

use sentinel_engine::plan::Plan;
use sentinel_engine::run::{ROWS_MAX, seconds_per_row};
use sentinel_engine::summary::RunStatus;
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::timeline::POINTS_MAX;
use serde_json::{Value, json};

use crate::holds::check;
use crate::plans::{config, plan_of};
use crate::store::Sizes;
use crate::world::{Answer, Crash, World};

/// Two users who read and write every now and then, for this long.
fn long_plan(duration: &str, fields: Value) -> Plan {
    let step =
        |path: &str| json!({"name": path, "request": {"method": "GET", "url": path}, "expect": {}});
    let applications = json!([
        {"name": "reads", "steps": [step("/a"), step("/b")]},
        {"name": "writes", "steps": [step("/c")]},
    ]);
    let mut scenario = json!({
        "userProfile": {
            "rampUp": {"from": 1, "to": 2, "duration": "1m"},
            "peak": {"users": 2, "duration": duration},
            "steadyState": {"users": 2, "duration": "0s"},
            "rampDown": {"to": 0, "duration": "0s"},
        },
        "pause": "20s",
        "gracefulStop": "30s",
    });
    if let (Value::Object(scenario), Value::Object(fields)) = (&mut scenario, fields) {
        scenario.extend(fields);
    }
    plan_of(scenario, applications)
}

#[test]
fn the_longer_a_plan_the_more_seconds_a_row_covers() {
    let per_row = |duration| seconds_per_row(&long_plan(duration, json!({})));
    let expected = [
        ("1s", 1),
        ("55m", 1),
        ("1h", 2),
        ("110m", 2),
        ("4h", 5),
        ("8h", 10),
        ("12h", 15),
        ("23h", 30),
        ("24h", 30),
        ("48h", 60),
        ("30d", 900),
        ("99d", 3_600),
    ];
    for (duration, seconds) in expected {
        assert_eq!(per_row(duration), seconds, "{duration}");
    }
}

#[test]
fn a_day_is_stored_in_a_bounded_number_of_rows_and_bytes() {
    let mut world = World::new(long_plan("24h", json!({})), config(2, 900));
    // Always the same answer, so that what grows would grow with time, not with the variety of answers.
    world.target = Box::new(|_, _| Answer {
        latency: Span::from_ms(40),
        status: 200,
        body: b"{}",
    });
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Completed);
    assert!(result.ledger.sent > 10_000, "{:?}", result.ledger);
    assert_eq!(result.metrics_step_seconds, 30);
    assert_eq!(world.rows.len(), 24 * 120 + 2, "a row for each half minute");
    assert!(world.rows.len() <= ROWS_MAX as usize);
    assert!(result.timeline.len() <= POINTS_MAX);
    let summary = serde_json::to_string(&result).expect("JSON");
    assert!(summary.len() < 1_500_000, "{}", summary.len());

    // What a checkpoint replaces is what one slice has told; the checkpoint is all that the run remembers. After
    // four hours each point of its time line covers so many seconds that something happened in all of them.
    let from_hour = |hours: u32| Tick::from_second(hours * 3_600);
    let most = |from: Tick, to: Tick, of: fn(&Sizes) -> usize| {
        let sizes = world.sizes.iter();
        let within = sizes.filter(|sizes| from < sizes.at && sizes.at <= to);
        within.map(of).max().expect("checkpoints")
    };
    for of in [|s: &Sizes| s.before, |s: &Sizes| s.checkpoint] {
        let early = most(from_hour(4), from_hour(8), of);
        let later = most(from_hour(8), Tick::NEVER, of);
        assert!(
            later <= early * 9 / 8,
            "{early} bytes in the first hours, {later} later"
        );
        assert!(later < 2_000_000, "{later} bytes");
    }
}

#[test]
fn a_run_that_comes_back_in_the_middle_of_a_row_goes_on_with_it() {
    let plan = || long_plan("1h", json!({}));
    let mut calm = World::new(plan(), config(1, 301));
    calm.play();
    for part in [3, 5, 7] {
        let mut world = World::new(plan(), config(1, 301));
        world.crash = Some(Crash {
            output: calm.outputs * part / 8,
            effect: true,
            outage: Span::from_ms(10),
        });
        let result = world.play();
        assert!(world.crashed_at.is_some());
        assert_eq!(result.metrics_step_seconds, 2);
        check(&world, &result);
        assert_eq!(result.status, RunStatus::Completed);
    }
}
