//! How the target is watched while it is under load.

use std::num::NonZeroU16;
use std::sync::mpsc::{Receiver, channel};

use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::plan::Plan;
use sentinel_engine::run::RunConfig;
use sentinel_engine::sorted::SortedMap;
use sentinel_engine::summary::{MonitoredResult, MonitoringResult, TestRunResult};
use sentinel_engine::tick::{Span, Tick};
use serde_json::{Value, json};

use crate::holds::check;
use crate::plans::{config, plan_of};
use crate::world::{Answer, Crash, World};

/// Two minutes of eight users, and a page of the target that is read every two seconds.
fn watching(monitoring: Value) -> Plan {
    let get = |path: &str| json!({"name": path, "request": {"method": "GET", "url": path}});
    let applications = json!([
        {"name": "reads", "steps": [get("/a")]}, {"name": "writes", "steps": [get("/c")]},
    ]);
    let mut fields = json!({
        "userProfile": {
            "rampUp": {"from": 8, "to": 8, "duration": "1s"},
            "peak": {"users": 8, "duration": "117s"},
            "steadyState": {"users": 8, "duration": "1s"},
            "rampDown": {"to": 0, "duration": "1s"},
        },
        "assertions": [],
        "thresholds": {"http_reqs": ["count>100"]},
        "metrics": {},
        "monitoring": {"url": "/metrics", "interval": "2s", "series": {
            "memory_bytes": {"from": "prometheus:memory_bytes", "contains": "data", "alertOnGrowth": "10%/hour"},
        }},
    });
    for (name, value) in monitoring.as_object().expect("fields") {
        fields["monitoring"][name] = value.clone();
    }
    plan_of(fields, applications)
}

/// The times at which the page was asked for.
type Asked = Receiver<Tick>;

/// A target whose page has this status, and this text at a point of time.
fn world(
    plan: Plan,
    config: RunConfig,
    page: impl Fn(Tick) -> (u16, String) + 'static,
) -> (World, Asked) {
    let mut world = World::new(plan, config);
    let (note, asked) = channel();
    world.target = Box::new(move |now, request| {
        let (status, body) = if request.url.ends_with("/metrics") {
            note.send(now).expect("somebody listens");
            page(now)
        } else {
            (200, String::new())
        };
        Answer {
            latency: Span::from_ms(20),
            status,
            body: body.leak().as_bytes(),
        }
    });
    (world, asked)
}

/// A page that tells of so much memory, which grows by so much in a second.
fn growing(start: f64, per_second: f64) -> impl Fn(Tick) -> (u16, String) + 'static {
    move |now| {
        let bytes = start + per_second * now.as_us() as f64 / 1e6;
        (
            200,
            format!("# TYPE memory_bytes gauge\nmemory_bytes {bytes}\n"),
        )
    }
}

fn watched(result: &TestRunResult) -> (&MonitoringResult, &MonitoredResult) {
    let monitoring = result.monitoring.as_ref().expect("monitoring");
    (monitoring, &monitoring.series[0])
}

/// The verdict on the alert, in words.
fn alert(result: &TestRunResult) -> String {
    let found = result.thresholds.iter();
    let mut found = found.filter(|outcome| outcome.metric == "memory_bytes_growth");
    let outcome = found.next().expect("the alert");
    assert_eq!(outcome.threshold, "value<=10");
    let verdict = serde_json::to_value(outcome.verdict).expect("JSON");
    verdict["verdict"].as_str().expect("a verdict").to_owned()
}

#[test]
fn a_poll_may_outlast_the_moment_at_which_users_are_handed_over() {
    let page = growing(1e8, 0.0);
    let (mut world, _asked) = world(watching(json!({})), config(3, 3), page);
    let mut answer = std::mem::replace(&mut world.target, Box::new(|_, _| unreachable!()));
    world.target = Box::new(move |now, request| {
        let is_poll = request.url.ends_with("/metrics");
        let answered = answer(now, request);
        let latency = if is_poll {
            Span::from_ms(1_800)
        } else {
            answered.latency
        };
        Answer {
            latency,
            ..answered
        }
    });
    let result = world.play();
    check(&world, &result);
    let (monitoring, _) = watched(&result);
    assert!(monitoring.polls > 30, "{}", monitoring.polls);
}

#[test]
fn memory_that_grows_fails_the_run() {
    // 20 % in an hour.
    let page = growing(1e8, 2e7 / 3_600.0);
    let (mut world, asked) = world(watching(json!({})), config(3, 20), page);
    let result = world.play();
    check(&world, &result);
    let (monitoring, memory) = watched(&result);
    assert_eq!((monitoring.polls, monitoring.polls_failed), (60, 0));
    assert_eq!(alert(&result), "fail");
    assert!(!result.passed);
    assert!(result.failed_assertions[0].starts_with("memory_bytes_growth: value<=10 (actual: 20"));
    let percent = memory.growth_percent_per_hour.expect("a growth");
    assert!((percent - 20.0).abs() < 0.01, "{percent}");
    assert_eq!((memory.samples, memory.points.len()), (60, 60));
    // One batch asks, at times that follow from the plan, whatever the slices.
    let asked: Vec<Tick> = asked.try_iter().collect();
    assert_eq!(asked.len(), 60);
    for (number, at) in (0_u64..).zip(asked.iter()) {
        let due = Tick::from_ms(number * 2_000);
        let late = at.checked_since(due).expect("not too early");
        assert!(late < Span::from_ms(500), "poll {number} at {at:?}");
    }
}

#[test]
fn polls_are_no_requests() {
    let (mut watching_world, _asked) = world(watching(json!({})), config(2, 20), growing(1e8, 0.0));
    let result = watching_world.play();
    let polls = watched(&result).0.polls;
    assert_eq!(result.ledger.sent + polls, watching_world.sent);
    let of_steps: u64 = result.steps.iter().map(|step| step.total_requests).sum();
    assert_eq!(of_steps, result.ledger.sent);
    assert_eq!(result.steps.len(), 2);
}

#[test]
fn memory_that_stays_passes() {
    let (mut world, _asked) = world(
        watching(json!({})),
        config(2, 20),
        growing(1e8, 1e6 / 3_600.0),
    );
    let result = world.play();
    assert_eq!(alert(&result), "pass");
    assert!(result.passed, "{:?}", result.failed_assertions);
    let own = &result.metrics[0];
    assert_eq!(
        (own.name.as_str(), own.values.is_some()),
        ("memory_bytes", true)
    );
    assert_eq!(result.metrics[1].name, "memory_bytes_growth");
}

#[test]
fn bounds_hold_for_every_value_of_the_run() {
    let bounded = |max: f64| {
        let series = json!({"memory_bytes": {
            "from": "prometheus:memory_bytes", "contains": "data", "min": 1e7, "max": max
        }});
        let plan = watching(json!({ "series": series }));
        // A peak in the middle, as before a garbage collection.
        let (mut world, _asked) = world(plan, config(1, 60), |now| {
            let bytes = if now.second() == 50 { 9e8 } else { 1e8 };
            (200, format!("memory_bytes {bytes}"))
        });
        world.play()
    };
    assert!(bounded(1e9).passed);
    let result = bounded(5e8);
    assert!(!result.passed);
    assert!(
        result.failed_assertions[0].starts_with("memory_bytes: max<=500000000 (actual: 900000000"),
        "{:?}",
        result.failed_assertions
    );
}

#[test]
fn of_too_little_data_nothing_is_told_and_that_is_no_pass() {
    let plan = watching(json!({"interval": "15s"}));
    let (mut world, _asked) = world(plan, config(2, 20), growing(1e8, 1e6));
    let result = world.play();
    let (monitoring, memory) = watched(&result);
    assert_eq!((monitoring.polls, memory.samples), (8, 8));
    assert_eq!(memory.growth_percent_per_hour, None);
    assert_eq!(alert(&result), "no_data");
    assert!(!result.passed);
}

#[test]
fn an_endpoint_that_tells_nothing_is_no_pass() {
    let as_status = |status| ErrorClass::Status(status);
    for (status, body, class) in [
        (500, "memory_bytes 1", as_status(500)),
        (302, "", as_status(302)),
        (200, "<html>sorry</html>", ErrorClass::Extraction),
        (200, "memory_bytes NaN", ErrorClass::Extraction),
        (200, "", ErrorClass::Extraction),
    ] {
        let page = move |_| (status, body.to_owned());
        let (mut world, _asked) = world(watching(json!({})), config(2, 20), page);
        let result = world.play();
        check(&world, &result);
        let (monitoring, memory) = watched(&result);
        assert_eq!(
            monitoring.failures,
            SortedMap::from([(class, 60)]),
            "{body}"
        );
        assert_eq!((monitoring.polls, memory.samples), (60, 0));
        assert_eq!(alert(&result), "no_data");
        assert!(!result.passed);
        let told = "60 of 60 times the target did not tell what it was asked about itself";
        assert!(
            result
                .warnings
                .iter()
                .any(|warning| warning.starts_with(told)),
            "{:?}",
            result.warnings
        );
    }
}

#[test]
fn an_endpoint_that_never_answers_holds_nobody_up() {
    let plan = watching(json!({"timeout": "500ms"}));
    let (mut world, _asked) = world(plan, config(2, 20), growing(1e8, 0.0));
    let mut quick = std::mem::replace(&mut world.target, Box::new(|_, _| unreachable!()));
    world.target = Box::new(move |now, request| Answer {
        latency: if request.url.ends_with("/metrics") {
            Span::from_secs(3_600)
        } else {
            Span::from_ms(20)
        },
        ..quick(now, request)
    });
    let result = world.play();
    check(&world, &result);
    let (monitoring, _) = watched(&result);
    assert_eq!(
        monitoring.failures,
        SortedMap::from([(ErrorClass::Timeout, 60)])
    );
    assert!(result.duration <= 122_000, "{}", result.duration);
    assert_eq!(result.ledger.cut_off, 0);
}

#[test]
fn a_poll_takes_a_slot_like_everything_else_that_is_sent() {
    let mut config = config(1, 60);
    config.slots = NonZeroU16::new(2);
    let (mut world, asked) = world(watching(json!({})), config, growing(1e8, 0.0));
    let mut quick = std::mem::replace(&mut world.target, Box::new(|_, _| unreachable!()));
    let mut until = Vec::<Tick>::new();
    world.target = Box::new(move |now, request| {
        until.retain(|at| *at > now);
        assert!(until.len() < 2, "a third one at {now:?}");
        let latency = Span::from_ms(70);
        until.push(now + latency);
        Answer {
            latency,
            ..quick(now, request)
        }
    });
    let result = world.play();
    let polls = watched(&result).0.polls;
    assert_eq!(polls, 60, "they go before the users' requests");
    assert_eq!(asked.try_iter().count(), 60);
}

#[test]
fn a_coordinator_that_comes_back_goes_on_watching() {
    let page = growing(1e8, 2e7 / 3_600.0);
    let (mut world, _asked) = world(watching(json!({})), config(2, 20), page);
    world.crash = Some(Crash {
        output: 150,
        effect: true,
        outage: Span::from_secs(5),
    });
    let result = world.play();
    assert!(world.crashed_at.is_some(), "it crashed");
    let (monitoring, memory) = watched(&result);
    assert!((40..60).contains(&monitoring.polls), "{}", monitoring.polls);
    assert_eq!(memory.samples, monitoring.polls);
    let percent = memory.growth_percent_per_hour.expect("a growth");
    assert!((percent - 20.0).abs() < 0.01, "{percent}");
    assert_eq!(alert(&result), "fail");
}

#[test]
fn what_comes_before_the_warm_up_is_over_does_not_count() {
    let with = |warm_up: &str| {
        let series = json!({"memory_bytes": {
            "from": "prometheus:memory_bytes", "contains": "data", "alertOnGrowth": "10%/hour", "warmUp": warm_up
        }});
        // It fills its caches for a minute.
        let page = |now: Tick| {
            (
                200,
                format!("memory_bytes {}", 1e6 * f64::from(now.second().min(70))),
            )
        };
        let (mut world, _asked) = world(watching(json!({ "series": series })), config(1, 60), page);
        world.play()
    };
    assert_eq!(alert(&with("80s")), "pass");
    assert_eq!(alert(&with("10s")), "fail");
    assert_eq!(alert(&with("110s")), "no_data");
}
