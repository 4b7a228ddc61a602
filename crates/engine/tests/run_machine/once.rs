//! Setup and teardown: played once, before and after the load, whatever happens to the run.

use sentinel_engine::plan::{Plan, RunPart};
use sentinel_engine::run::Run;
use sentinel_engine::summary::{OnceOutcome, OnceResult, RunStatus, TestRunResult};
use sentinel_engine::tick::{Span, Tick};
use serde_json::json;

use crate::holds::check;
use crate::plans::{config, plan_of};
use crate::shards::sharded;
use crate::world::{Answer, Crash, EPOCH_MS, Fate, World, path_of};

/// The load of `plan`, on a thing that the setup creates and the teardown removes.
fn plan(fields: &serde_json::Value) -> Plan {
    let request = |method: &str, path: &str| json!({"method": method, "url": path});
    let get = |path: &str| json!({"name": path, "request": request("GET", &format!("{path}/{{{{thing}}}}")), "expect": {"status": 200}});
    let applications = json!([
        {"name": "reads", "steps": [get("/a"), get("/b")]},
        {"name": "writes", "steps": [get("/c")]},
    ]);
    let mut all = json!({
        "setup": [
            {"name": "create", "request": request("POST", "/create"), "extract": {"thing": "$.id"},
             "expect": {"checks": [{"name": "has an id", "on": "$.id", "exists": true}]}},
            {"name": "fill", "request": request("PUT", "/fill/{{thing}}")},
        ],
        "teardown": [
            {"name": "empty", "request": request("DELETE", "/fill/{{thing}}")},
            {"name": "remove", "request": request("DELETE", "/remove/{{thing}}")},
        ],
        "setupTimeout": "5s",
        "teardownTimeout": "5s",
    });
    for (name, value) in fields.as_object().expect("fields") {
        all[name] = value.clone();
    }
    plan_of(all, applications)
}

/// A world whose target answers the setup after `setup_ms` each.
fn world(plan: Plan, batches: u32, slice_s: u64, setup_ms: u64) -> World {
    let mut world = World::new(plan, config(batches, slice_s));
    world.target = Box::new(move |_, request| {
        let path = path_of(request);
        let (latency_ms, status, body): (_, _, &[u8]) = match path {
            "/create" => (setup_ms, 201, br#"{"id": "t-7"}"#),
            _ if path.starts_with("/fill") => (setup_ms, 204, b""),
            _ => (40 + request.id.0 % 7 * 5, 200, b"{}"),
        };
        Answer {
            latency: Span::from_ms(latency_ms),
            status,
            body,
        }
    });
    world
}

fn count(world: &World, path: &str) -> usize {
    world.asked.iter().filter(|other| *other == path).count()
}

fn setup(result: &TestRunResult) -> &OnceResult {
    result.setup.as_ref().expect("a setup")
}

fn teardown(result: &TestRunResult) -> &OnceResult {
    result.teardown.as_ref().expect("a teardown")
}

/// Whether every request but the one that creates the thing is about it.
fn knows_the_thing(world: &World) -> bool {
    let mut asked = world.asked.iter();
    asked.all(|path| path == "/create" || path.ends_with("/t-7"))
}

fn sent_by_load(world: &World) -> usize {
    let of_load = |path: &str| {
        ["/a/", "/b/", "/c/"]
            .iter()
            .any(|own| path.starts_with(own))
    };
    world.asked.iter().filter(|path| of_load(path)).count()
}

#[test]
fn the_setup_is_played_before_the_load_and_the_teardown_after_it() {
    let mut world = world(plan(&json!({})), 3, 2, 300);
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Completed, "{:?}", result.failure);
    assert!(result.passed, "{:?}", result.failed_assertions);
    let paths = &world.asked;
    assert_eq!(paths[..2], ["/create", "/fill/t-7"]);
    let last = &paths[paths.len() - 2..];
    assert_eq!(last, ["/fill/t-7", "/remove/t-7"]);
    let load = &paths[2..paths.len() - 2];
    assert!(load.len() > 100 && load.iter().all(|path| path.ends_with("/t-7")));
    for path in ["/create", "/remove/t-7"] {
        assert_eq!(count(&world, path), 1, "{path}");
    }

    assert_eq!(result.ledger.sent, world.sent, "what the target saw");
    let (setup, teardown) = (setup(&result), teardown(&result));
    let outcomes = [setup.outcome, teardown.outcome];
    assert_eq!(outcomes, [OnceOutcome::Succeeded; 2]);
    assert_eq!([setup.ledger.sent, teardown.ledger.sent], [2, 2]);
    assert_eq!((setup.start_ms, setup.end_ms), (0, 605));
    assert_eq!(setup.steps[0].step, "create");
    assert!(setup.steps[0].latency.max > Some(299.0));
    assert_eq!(result.duration, teardown.end_ms);
    assert_eq!(result.timeline[0].timestamp, EPOCH_MS + setup.end_ms);
    assert_eq!(result.checks[0].passes, 1);
    let own = ["setup", "teardown"];
    assert!(
        own.iter()
            .all(|name| !result.application_results.contains_key(*name))
    );
    assert!(result.latency_percentiles.max < Some(100.0), "of the load");

    let of_load = world.assignments.iter().filter(|a| a.part == RunPart::Load);
    assert!(of_load.clone().count() > 10);
    for assignment in of_load {
        assert_eq!(assignment.handed_over, [Some("t-7".to_owned())]);
        assert_eq!(assignment.epoch_ms, EPOCH_MS + setup.end_ms);
        let carried = assignment.carry.iter().flat_map(|carry| &carry.variables);
        assert!(
            carried.into_iter().all(Option::is_none),
            "everybody knows it"
        );
    }
}

#[test]
fn how_long_the_setup_takes_changes_nothing_about_the_load() {
    let played = [10, 1_700].map(|setup_ms| {
        let mut world = world(plan(&json!({})), 2, 3, setup_ms);
        let result = world.play();
        check(&world, &result);
        result
    });
    let ms = |result: &TestRunResult| setup(result).end_ms;
    assert!(ms(&played[1]) > ms(&played[0]) + 3_000);
    let [short, long] = played.map(|mut result| {
        let begins = EPOCH_MS + ms(&result);
        for row in &mut result.timeline {
            row.timestamp -= begins;
        }
        (
            result.timeline,
            result.ledger,
            result.thresholds,
            result.steps,
        )
    });
    assert_eq!(short, long);
}

#[test]
fn frames_twice_and_out_of_order_change_nothing() {
    let mut calm = world(plan(&json!({})), 2, 60, 1_200);
    let expected = calm.play();
    let mut disturbed = world(plan(&json!({})), 2, 60, 1_200);
    let mut late = 0;
    disturbed.network = Box::new(move |frame| {
        late = (late + 7) % 5;
        // The last frame of a part comes when it would anyway, and once more.
        match frame.end {
            Some(_) => vec![Span::from_ms(5), Span::from_ms(900)],
            None => vec![Span::from_ms(1 + late), Span::from_ms(800)],
        }
    });
    let result = disturbed.play();
    check(&disturbed, &result);
    assert_eq!(result.setup, expected.setup);
    assert_eq!(result.ledger, expected.ledger);
    assert_eq!(result.frames_ignored, 0);
}

/// Plays a run whose setup fails.
fn failing(
    fields: &serde_json::Value,
    answer: impl Fn(&str) -> Option<Answer> + 'static,
) -> String {
    let mut world = world(plan(fields), 2, 3, 10);
    let mut usual = std::mem::replace(&mut world.target, Box::new(|_, _| unreachable!()));
    world.target = Box::new(move |now, request| {
        let usual = usual(now, request);
        let own = request.url.starts_with("http://127.0.0.1:9/create");
        own.then(|| answer(&request.url)).flatten().unwrap_or(usual)
    });
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Failed);
    assert!(!result.passed);
    assert_eq!(count(&world, "/create"), 1);
    assert_eq!(
        world.asked.len(),
        1,
        "it goes no further: {:?}",
        world.asked
    );
    assert_eq!(world.sent, result.ledger.sent);
    assert_eq!(result.timeline, []);
    assert_eq!(teardown(&result).outcome, OnceOutcome::NotPlayed);
    assert_eq!(setup(&result).outcome, OnceOutcome::Failed);
    assert_eq!(setup(&result).failure, result.failure);
    assert_eq!(result.duration, setup(&result).end_ms);
    result.failure.expect("a reason")
}

#[test]
fn a_setup_that_fails_fails_the_run_before_any_load() {
    let answer = |status, body| {
        move |_: &str| {
            Some(Answer {
                latency: Span::from_ms(20),
                status,
                body,
            })
        }
    };
    let failure = failing(&json!({}), answer(500, b"{}"));
    assert_eq!(failure, "setup step \"create\" ended with status_500");
    let failure = failing(&json!({}), answer(200, b"{}"));
    assert_eq!(failure, "setup step \"create\" ended with extraction");
    let slow = |_: &str| {
        Some(Answer {
            latency: Span::from_secs(60),
            status: 200,
            body: b"{}",
        })
    };
    let failure = failing(&json!({}), slow);
    assert_eq!(failure, "setup took longer than 5s");
    let failure = failing(&json!({"requestTimeout": "1s"}), slow);
    assert_eq!(failure, "setup step \"create\" ended with timeout");
}

#[test]
fn a_batch_that_is_lost_in_the_setup_fails_the_run() {
    let fates = [
        (Fate::NotStarted, "setup could not be started"),
        (
            Fate::Dies(Tick::from_ms(1_100)),
            "setup broke off: what it has done is not known",
        ),
        (
            Fate::Vanishes(Tick::from_ms(1_100)),
            "setup broke off: what it has done is not known",
        ),
    ];
    for (fate, expected) in fates {
        let mut world = world(plan(&json!({})), 2, 3, 2_000);
        world.fate = Box::new(move |assignment| {
            if assignment.part == RunPart::Setup {
                fate
            } else {
                Fate::Plays
            }
        });
        let result = world.play();
        check(&world, &result);
        assert_eq!(result.status, RunStatus::Failed);
        assert_eq!(result.failure.as_deref(), Some(expected));
        assert_eq!(sent_by_load(&world), 0);
        assert_eq!(teardown(&result).outcome, OnceOutcome::NotPlayed);
        assert_eq!(result.ledger.cut_off, result.ledger.sent);
        assert!(world.now < Tick::from_second(9), "{}", world.now);
    }
}

#[test]
fn a_run_can_be_cancelled_in_its_setup() {
    for deaf in [false, true] {
        let mut world = world(plan(&json!({})), 2, 3, 2_500);
        world.cancel_at = Some(Tick::from_ms(1_100));
        world.fate = Box::new(move |_| if deaf { Fate::Deaf } else { Fate::Plays });
        let result = world.play();
        check(&world, &result);
        assert_eq!(result.status, RunStatus::Cancelled, "{:?}", result.failure);
        assert_eq!(world.asked.len(), if deaf { 2 } else { 1 });
        assert_eq!(setup(&result).outcome, OnceOutcome::Failed);
        assert_eq!(teardown(&result).outcome, OnceOutcome::NotPlayed);
        assert_eq!((result.ledger.sent, result.ledger.cut_off), (world.sent, 1));
        assert!(world.now < Tick::from_ms(3_200), "{}", world.now);
    }
    let mut world = world(plan(&json!({})), 2, 3, 10);
    world.cancel_at = Some(Tick::ZERO);
    let result = world.play();
    assert_eq!(result.status, RunStatus::Cancelled);
    assert_eq!(setup(&result).outcome, OnceOutcome::NotPlayed);
    assert!(world.asked.is_empty());
}

#[test]
fn the_teardown_is_played_after_a_cancelled_run_and_cannot_be_cancelled() {
    let mut world = world(plan(&json!({})), 2, 3, 500);
    world.cancel_at = Some(Tick::from_ms(4_000));
    while world
        .assignments
        .iter()
        .all(|a| a.part != RunPart::Teardown)
    {
        world.play_a_little();
    }
    world.cancel_at = Some(world.now);
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Cancelled);
    assert_eq!(teardown(&result).outcome, OnceOutcome::Succeeded);
    assert_eq!(count(&world, "/remove/t-7"), 1);
    assert_eq!(result.ledger.sent, world.sent);
    assert!(result.duration < 6_000, "{}", result.duration);
}

#[test]
fn the_teardown_is_played_after_a_threshold_has_aborted_the_run() {
    let threshold = json!({"threshold": "p(95)<1", "abortOnFail": true});
    let fields = json!({"thresholds": {"http_req_duration": [threshold]}});
    let mut world = world(plan(&fields), 2, 3, 10);
    let result = world.play();
    check(&world, &result);
    assert!(result.aborted_by.is_some() && result.duration < 9_000);
    assert_eq!(result.status, RunStatus::Completed);
    assert_eq!(teardown(&result).outcome, OnceOutcome::Succeeded);
    assert_eq!(count(&world, "/remove/t-7"), 1);
}

#[test]
fn a_teardown_without_a_setup_is_played() {
    let step = |path: &str| json!([{"name": path, "request": {"method": "GET", "url": path}}]);
    let applications =
        json!([{"name": "reads", "steps": step("/a")}, {"name": "writes", "steps": step("/c")}]);
    let without = plan_of(
        json!({"teardown": step("/remove"), "metrics": null}),
        applications,
    );
    let mut world = world(without, 2, 3, 10);
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Completed);
    assert_eq!(count(&world, "/remove"), 1);
    assert_eq!(world.asked.last().map(String::as_str), Some("/remove"));
    assert_eq!(result.setup, None);
}

#[test]
fn a_teardown_that_fails_goes_on_and_fails_the_run_after_the_load() {
    let mut world = world(plan(&json!({})), 2, 3, 10);
    let mut usual = std::mem::replace(&mut world.target, Box::new(|_, _| unreachable!()));
    world.target = Box::new(move |now, request| {
        let mut answer = usual(now, request);
        let empties = request.method.name() == "DELETE" && request.url.contains("/fill/");
        answer.status = if empties { 404 } else { answer.status };
        answer
    });
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Failed);
    let expected = "teardown step \"empty\" ended with status_404; the load was played before";
    assert_eq!(result.failure.as_deref(), Some(expected));
    assert_eq!(result.timeline.len(), 9);
    assert_eq!(count(&world, "/remove/t-7"), 1, "what can be removed is");
}

#[test]
fn a_teardown_that_hangs_ends_when_its_time_is_over() {
    let mut world = world(plan(&json!({})), 2, 3, 10);
    let mut usual = std::mem::replace(&mut world.target, Box::new(|_, _| unreachable!()));
    world.target = Box::new(move |now, request| {
        let mut answer = usual(now, request);
        if request.method.name() == "DELETE" {
            answer.latency = Span::from_secs(1_000);
        }
        answer
    });
    world.cancel_at = Some(Tick::from_ms(2_000));
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Cancelled);
    let why = "teardown took longer than 5s".to_owned();
    assert_eq!(teardown(&result).failure.as_ref(), Some(&why));
    assert!(result.warnings.contains(&why));
    assert!(result.duration < 8_000, "{}", result.duration);
}

/// The coordinator crashes at each output of a run, right before it takes effect and right after.
fn crash_everywhere(outage: Span, cancel_at: Option<Tick>) {
    let brief = json!({"userProfile": {
        "rampUp": {"from": 1, "to": 2, "duration": "1s"},
        "peak": {"users": 3, "duration": "1s"},
        "steadyState": {"users": 2, "duration": "1s"},
        "rampDown": {"to": 0, "duration": "1s"},
    }});
    let make = || {
        let mut world = world(plan(&brief), 2, 2, 700);
        world.cancel_at = cancel_at;
        world
    };
    let mut calm = make();
    calm.play();
    let mut played_whole = 0;
    for output in 0..calm.outputs {
        for effect in [false, true] {
            let mut world = make();
            world.crash = Some(Crash {
                output,
                effect,
                outage,
            });
            let result = world.play();
            check(&world, &result);
            let place = format!("output {output}, effect {effect}: {:?}", result.failure);
            let (creates, removes) = (count(&world, "/create"), count(&world, "/remove/t-7"));
            assert!(creates <= 1 && removes <= 1, "{place}");
            assert!(knows_the_thing(&world), "{place}");
            if setup(&result).outcome == OnceOutcome::Succeeded {
                assert_eq!(creates, 1, "{place}");
            } else {
                assert_eq!((sent_by_load(&world), removes), (0, 0), "{place}");
                let told = result.status == RunStatus::Cancelled
                    || result
                        .failure
                        .as_ref()
                        .is_some_and(|why| why.contains("restarted"));
                assert!(told, "{place}");
            }
            if teardown(&result).outcome == OnceOutcome::Succeeded {
                assert_eq!(removes, 1, "{place}");
                played_whole += 1;
            } else if removes > 0 {
                assert!(teardown(&result).failure.is_some(), "{place}");
            }
            assert!(world.now < Tick::from_second(40) + outage, "{place}");
        }
    }
    assert!(
        played_whole * 2 > calm.outputs,
        "{played_whole} of {}",
        calm.outputs
    );
}

#[test]
fn nothing_is_played_twice_over_a_restart_at_any_step() {
    crash_everywhere(Span::from_ms(20), None);
}

#[test]
fn nothing_is_played_twice_over_a_long_outage_at_any_step() {
    crash_everywhere(Span::from_secs(30), None);
}

#[test]
fn nothing_is_played_twice_over_a_restart_of_a_cancelled_run() {
    crash_everywhere(Span::from_ms(20), Some(Tick::from_ms(4_100)));
}

#[test]
fn a_run_that_is_over_comes_back_with_the_same_report() {
    let mut world = world(plan(&json!({})), 2, 3, 10);
    let result = world.play();
    world.restart(Span::from_secs(3));
    assert_eq!(world.play(), result);
    assert_eq!(world.records.len(), 2, "{:?}", world.records.keys());
}

#[test]
fn no_shard_speaks_for_what_is_played_once() {
    let mut world = world(plan(&json!({})), 1, 3, 300);
    world.config = sharded(&[2, 1], 3);
    world.run = Run::new(world.plan.clone(), world.config.clone());
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Completed, "{:?}", result.failure);
    assert_eq!(result.ledger.sent, world.sent);
    let outcomes = [setup(&result).outcome, teardown(&result).outcome];
    assert_eq!(outcomes, [OnceOutcome::Succeeded; 2]);
    assert!(knows_the_thing(&world), "{:?}", world.asked);
}
