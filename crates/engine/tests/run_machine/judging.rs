//! Thresholds, judged by the run on what all batches together measured.

use sentinel_engine::assertion::Verdict;
use sentinel_engine::plan::Plan;
use sentinel_engine::run::{LossReason, Record, Run, RunConfig};
use sentinel_engine::summary::{RunStatus, TestRunResult};
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::totals::LatencyPercentiles;
use serde_json::{Value, json};

use crate::holds::check;
use crate::plans::{config, plan_of};
use crate::world::{Answer, Crash, Fate, World};

/// Reads that name their user, so that the target can answer each differently, with checks and extractions.
fn applications() -> Value {
    let get = |name: &str, more: Value| {
        let mut step = json!({
            "name": name,
            "request": {"method": "GET", "url": format!("/{name}/{{{{vu}}}}/{{{{iteration}}}}")},
            "expect": {"status": 200, "checks": [{"name": "has stock", "on": "$.stock", "exists": true}]},
        });
        if let Value::Object(more) = more {
            for (field, value) in more {
                step[field] = value;
            }
        }
        step
    };
    json!([
        {"name": "reads", "steps": [get("list", json!({})), get("item", json!({"extract": {"price": "$.price"}}))]},
        {"name": "writes", "steps": [get("buy", json!({}))]},
    ])
}

/// Thresholds of every kind on metrics of every kind.
pub(crate) fn full_plan() -> Plan {
    let fields = json!({
        "thresholds": {
            "http_reqs": ["count>100", "rate>1 over 3s", "rate>1 in peak"],
            "http_reqs{status:503}": ["count<1000"],
            "http_req_failed{group:reads}": ["rate<0.5"],
            "http_req_failed{error_code:status_503}": ["rate>0.9"],
            "http_req_duration{expected_response:true}": ["p(95)<500", "avg<200", "min>=20", "max<1000"],
            "response_time{name:item}": ["med<500", "p(99.9)<500 over 2s in peak"],
            "iterations{scenario:lab}": ["count>50"],
            "iteration_duration": ["p(90)<500"],
            "checks{check:has stock}": ["rate>0.5"],
            "checks": ["rate>0.5"],
            "data_received": ["count>1000"],
            "d1_queue_depth": ["max<=3"],
            "vus": ["value>=0"],
            "coverage": ["rate>0.99"],
            "dropped_iterations": ["count==0"],
            "price": ["avg==19.5", "p(95)<20"],
            "in_stock": ["rate>0.5"],
            "sold": ["count>5"],
            "last_status": ["value>=200"],
        },
        "metrics": {
            "price": {"type": "trend", "from": [{"step": "item", "extract": "price"}]},
            "in_stock": {"type": "rate", "from": [{"step": "list", "check": "has stock"}]},
            "sold": {"type": "counter", "from": [{"step": "buy", "application": "writes", "value": "succeeded"}]},
            "last_status": {"type": "gauge", "from": [{"step": "buy", "value": "status"}, {"step": "list", "value": "status"}]},
        },
    });
    plan_of(fields, applications())
}

/// A world whose target's answers depend on nothing but the request.
pub(crate) fn world(plan: Plan, batches: u32) -> World {
    let config = RunConfig {
        slots: None,
        ..config(batches, 60)
    };
    let mut world = World::new(plan, config);
    world.target = Box::new(|_, request| {
        let hash = request.url.bytes().fold(17_u64, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(u64::from(byte)) % 1_000_003
        });
        Answer {
            latency: Span::from_us(20_000 + hash % 60_000),
            status: if hash % 23 == 1 { 503 } else { 200 },
            body: br#"{"stock": 3, "price": 19.5}"#,
        }
    });
    world
}

/// What is told of a run can be asked for, and the answer is the same to the last bit.
#[test]
fn percentiles_that_are_told_are_those_that_are_judged() {
    let all = json!(["med>=0", "p(75)>=0", "p(90)>=0", "p(95)>=0", "p(99)>=0"]);
    let fields = json!({"metrics": {}, "assertions": [
        {"metric": "p50_latency_ms", "operator": ">", "value": 0},
        {"metric": "p95_latency_ms", "operator": ">", "value": 0},
        {"metric": "p99_latency_ms", "operator": ">", "value": 0},
        {"metric": "d1_queue_depth", "operator": ">=", "value": 0},
    ], "thresholds": {
        "response_time": all, "service_time{name:list}": all, "response_time{group:writes}": ["p(95)>=0 in peak", "p(95)>=0"],
        "iteration_duration": all, "lateness": all,
    }});
    let mut world = world(plan_of(fields, applications()), 3);
    let result = world.play();
    let told = |p: &LatencyPercentiles| [p.p50, p.p75, p.p90, p.p95, p.p99];
    let step = result.steps.iter().find(|step| step.step == "list");
    let expected = [
        ("response_time", told(&result.latency_percentiles)),
        (
            "service_time{name:list}",
            told(&step.expect("the step").service_time),
        ),
        (
            "iteration_duration",
            told(&result.scenarios[0].iteration_time),
        ),
        ("lateness", told(&result.lateness)),
    ];
    let judged = |metric: &str| -> Vec<Option<f64>> {
        let of_metric = result.thresholds.iter().filter(|o| o.metric == metric);
        of_metric.map(|outcome| outcome.verdict.actual()).collect()
    };
    for (metric, told) in expected {
        assert!(told.iter().all(Option::is_some), "{metric}");
        assert_eq!(judged(metric), told, "{metric}");
    }
    let writes = &result.application_results["writes"];
    assert_eq!(judged("response_time{group:writes}")[1], writes.p95_latency);
    let asserted = result.assertions.iter().map(|a| a.outcome.actual());
    let LatencyPercentiles { p50, p95, p99, .. } = result.latency_percentiles;
    assert_eq!(asserted.take(3).collect::<Vec<_>>(), [p50, p95, p99]);
}

#[test]
fn metrics_of_ones_own_are_fed_from_checks_extractions_and_requests() {
    let mut world = world(full_plan(), 3);
    let result = world.play();
    let values = |name: &str| {
        let found = result.metrics.iter().find(|metric| metric.name == name);
        found.and_then(|metric| metric.values).expect(name)
    };
    let step = |name: &str| {
        let found = result.steps.iter().find(|step| step.step == name);
        found.expect(name)
    };
    let price = values("price");
    assert_eq!(price.total, Some(step("item").successful_requests));
    assert_eq!(
        (price.avg, price.min, price.max),
        (Some(19.5), Some(19.5), Some(19.5))
    );
    let sold = step("buy").successful_requests as f64;
    assert_eq!(values("sold").count, Some(sold));
    let stock = values("in_stock");
    assert_eq!((stock.matches, stock.rate), (stock.total, Some(1.0)));
    assert_eq!(stock.total, Some(step("list").total_requests));
    assert_eq!(values("last_status").max, Some(503.0));
    let checks: u64 = result.checks.iter().map(|check| check.passes).sum();
    assert_eq!(checks, result.ledger.answered);
}

/// The verdicts of thresholds on a run whose target fails everything from 3 s on, with two batches.
fn failing(thresholds: Value, steps: Value) -> (World, TestRunResult) {
    let fields = json!({"thresholds": thresholds, "assertions": [], "metrics": {}});
    let applications = json!([
        {"name": "reads", "steps": steps},
        {"name": "writes", "steps": [{"name": "c", "request": {"method": "GET", "url": "/c"}, "expect": {}}]},
    ]);
    let mut world = World::new(plan_of(fields, applications), config(2, 60));
    world.target = Box::new(|now, _| Answer {
        latency: Span::from_ms(if now < Tick::from_second(3) { 50 } else { 150 }),
        status: if now < Tick::from_second(3) { 200 } else { 500 },
        body: b"{}",
    });
    let result = world.play();
    check(&world, &result);
    (world, result)
}

fn steps() -> Value {
    json!([{"name": "a", "request": {"method": "GET", "url": "/a"}, "expect": {}}])
}

#[test]
fn a_threshold_that_aborts_stops_the_run_and_says_so() {
    let abort = json!({"http_req_failed": [{"threshold": "rate<0.01", "abortOnFail": true}]});
    let (world, result) = failing(abort, steps());
    assert_eq!(result.status, RunStatus::Completed);
    assert!(!result.passed);
    let by = result.aborted_by.expect("the threshold");
    assert_eq!(
        (by.metric.as_str(), by.threshold.as_str()),
        ("http_req_failed", "rate<0.01")
    );
    assert_eq!(
        by.at_ms, 4_000,
        "the first evaluation that saw the failures"
    );
    assert!(by.actual > 0.01);
    assert!(!world.stopped.is_empty());
    assert!(
        (4_000..5_500).contains(&result.duration),
        "{}",
        result.duration
    );
    assert_eq!(result.ledger.sent, world.sent);
}

#[test]
fn an_abort_waits_for_its_delay_and_silence_aborts_nothing() {
    let late = json!({"http_req_failed": [
        {"threshold": "rate<0.01", "abortOnFail": true, "delayAbortEval": "6s"},
    ]});
    let by = failing(late, steps()).1.aborted_by.expect("the threshold");
    assert_eq!(by.at_ms, 8_000, "strictly after the delay");
    let silent =
        json!({"response_time{name:none}": [{"threshold": "p(95)<1", "abortOnFail": true}]});
    let (_, result) = failing(silent, steps());
    assert_eq!(result.aborted_by, None);
    assert_eq!(result.thresholds[0].verdict, Verdict::NoData);
    assert_eq!(
        result.failed_assertions,
        ["response_time{name:none}: p(95)<1 (no data)"]
    );
}

#[test]
fn a_cancel_that_comes_first_is_a_cancel() {
    let fields = json!({
        "thresholds": {"http_reqs": [{"threshold": "count<1", "abortOnFail": true}]},
        "metrics": {},
    });
    let mut world = World::new(plan_of(fields, applications()), config(2, 60));
    world.cancel_at = Some(Tick::from_ms(1_900));
    let result = world.play();
    assert_eq!(result.status, RunStatus::Cancelled);
    assert_eq!(result.aborted_by, None);
}

#[test]
fn windows_and_phases_find_what_the_whole_run_hides() {
    let (_, result) = failing(
        json!({
            "http_req_failed": ["rate<0.9", "rate<0.9 over 2s", "rate<0.9 in ramp_up", "rate<0.5 in steady_state"],
            "http_req_duration": ["max<100 in ramp_up", "max<100"],
        }),
        steps(),
    );
    let verdicts: Vec<bool> = result
        .thresholds
        .iter()
        .map(|t| t.verdict.passed())
        .collect();
    assert_eq!(
        verdicts,
        [true, false, true, false, true, false],
        "{:?}",
        result.thresholds
    );
}

#[test]
fn limits_of_a_steps_latencies_are_judged_as_the_summary_tells_them() {
    let steps = json!([{
        "name": "a", "request": {"method": "GET", "url": "/a"},
        "expect": {"latencyMs": {"p50": 149, "p95": 151, "p99": 200, "max": 149}},
    }]);
    let (_, result) = failing(json!({}), steps);
    let told = result.steps[0].latency;
    let actual = |at: usize| result.thresholds[at].verdict.actual();
    assert_eq!(
        [actual(0), actual(1), actual(2)],
        [told.p50, told.p95, told.p99]
    );
    let verdicts: Vec<bool> = result
        .thresholds
        .iter()
        .map(|t| t.verdict.passed())
        .collect();
    assert_eq!(
        verdicts,
        [false, true, true, false],
        "{:?}",
        result.thresholds
    );
    assert!(!result.passed);
    assert!(
        result.failed_assertions[0].starts_with("response_time{group:reads,name:a}: p(50)<=149")
    );
}

#[test]
fn coverage_is_that_of_the_summary() {
    let fields = json!({"thresholds": {"coverage": ["rate>0.95", "rate>0.1"]}, "metrics": {}});
    let mut world = World::new(plan_of(fields, applications()), config(3, 2));
    world.fate = Box::new(|assignment| match assignment.share.index() {
        1 if assignment.slice == 1 => Fate::Dies(Tick::from_ms(2_700)),
        2 if assignment.slice == 2 => Fate::NotStarted,
        _ => Fate::Plays,
    });
    let result = world.play();
    check(&world, &result);
    assert!(result.holes_total >= 2);
    let judged = result.thresholds[0].verdict.actual().expect("data");
    assert!(
        (judged - result.coverage).abs() < 1e-9,
        "{judged} {}",
        result.coverage
    );
    assert!(!result.thresholds[0].verdict.passed() && result.thresholds[1].verdict.passed());
}

#[test]
fn a_share_that_waits_at_the_end_is_not_covered() {
    let fields = json!({"thresholds": {"coverage": ["rate>0.9"]}, "metrics": {}});
    let mut world = World::new(plan_of(fields, applications()), config(2, 6));
    // One batch is silent from the middle on, and the other has to wait for it until the plan is over.
    world.fate = Box::new(|assignment| match assignment.share.index() {
        0 => Fate::Vanishes(Tick::from_ms(2_500)),
        _ => Fate::Plays,
    });
    let result = world.play();
    check(&world, &result);
    let reasons: Vec<LossReason> = result.holes.iter().map(|hole| hole.reason).collect();
    assert_eq!(reasons, [LossReason::Waited, LossReason::Silent]);
    let expected = (2.0 + 6.0) / 18.0;
    assert!(
        (result.coverage - expected).abs() < 0.01,
        "{}",
        result.coverage
    );
    assert!(!result.thresholds[0].verdict.passed());
}

#[test]
fn grace_after_the_plan_neither_adds_to_nor_takes_from_the_coverage() {
    let fields = json!({"thresholds": {"coverage": ["rate>0.9"]}, "metrics": {}});
    let mut world = World::new(plan_of(fields, applications()), config(2, 60));
    world.fate = Box::new(|assignment| match assignment.share.index() {
        0 => Fate::Dies(Tick::from_ms(8_100)),
        _ => Fate::Plays,
    });
    world.target = Box::new(|_, _| Answer {
        latency: Span::from_ms(3_500),
        status: 200,
        body: b"{}",
    });
    let result = world.play();
    check(&world, &result);
    assert!(result.duration > 11_000, "{}", result.duration);
    let expected = 17.0 / 18.0;
    assert!(
        (result.coverage - expected).abs() < 0.01,
        "{}",
        result.coverage
    );
    assert!(result.thresholds[0].verdict.passed());
}

#[test]
fn a_run_of_which_nothing_is_covered_fails_its_threshold() {
    let fields = json!({"thresholds": {"coverage": ["rate>0.9"]}, "metrics": {}});
    let mut world = World::new(plan_of(fields, applications()), config(2, 6));
    world.fate = Box::new(|_| Fate::NotStarted);
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.thresholds[0].verdict.actual(), Some(0.0));
    assert!(!result.thresholds[0].verdict.passed());
}

#[test]
fn a_restored_run_judges_the_same() {
    let mut calm = world(full_plan(), 2);
    let expected = calm.play();
    let records = calm.records.iter().map(|(key, body)| Record {
        key: key.clone(),
        body: body.clone(),
    });
    let mut restored =
        Run::restore(full_plan(), calm.config.clone(), records, Tick::ZERO).expect("a run");
    match restored.poll_output() {
        sentinel_engine::run::Output::Done(report) => assert_eq!(report.result, expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_abort_outlives_a_crash_at_any_step() {
    let plan = || {
        let fields = json!({
            "thresholds": {"http_reqs": [{"threshold": "count<40 over 2s", "abortOnFail": true}]},
            "assertions": [],
            "metrics": {},
        });
        plan_of(fields, applications())
    };
    let mut calm = World::new(plan(), config(2, 2));
    let by = calm.play().aborted_by.expect("the threshold");
    for output in 0..calm.outputs {
        for effect in [false, true] {
            let mut world = World::new(plan(), config(2, 2));
            let outage = Span::from_ms(1);
            world.crash = Some(Crash {
                output,
                effect,
                outage,
            });
            let result = world.play();
            check(&world, &result);
            let place = format!("output {output}, effect {effect}");
            let again = result.aborted_by.expect(&place);
            assert_eq!(again.threshold, by.threshold, "{place}");
            assert!(!result.passed, "{place}");
        }
    }
}

#[test]
fn whatever_comes_frames_hold_only_the_series_that_are_asked_for() {
    let mut world = world(full_plan(), 2);
    let mut count = 0_u16;
    world.target = Box::new(move |_, _| {
        count += 1;
        Answer {
            latency: Span::from_ms(30),
            status: 200 + count % 700,
            body: b"not what was expected",
        }
    });
    world.tamper = Box::new(|frame| {
        for window in &frame.windows {
            let series = window.metrics.series.values();
            let series: usize = series.map(sentinel_engine::sorted::SortedMap::len).sum();
            assert!(series <= 16, "{series} series in a window");
        }
    });
    let result = world.play();
    check(&world, &result);
    assert!(result.steps[0].error_breakdown.len() > 50, "many statuses");
    let outcome = |threshold: &str| {
        let mut found = result
            .thresholds
            .iter()
            .filter(|t| t.threshold == threshold);
        found.next().expect(threshold).verdict
    };
    assert_eq!(
        outcome("count>100").actual(),
        Some(result.ledger.answered as f64)
    );
    let refused = result.warnings.iter().find(|w| w.contains("overflow"));
    assert_eq!(refused, None);
}

#[test]
fn what_is_no_number_is_counted_and_told() {
    let mut world = world(full_plan(), 2);
    world.target = Box::new(|_, _| Answer {
        latency: Span::from_ms(30),
        status: 200,
        body: br#"{"stock": 3, "price": "a bargain"}"#,
    });
    let result = world.play();
    let items = result
        .steps
        .iter()
        .find(|step| step.step == "item")
        .expect("item");
    let told = format!(
        "{} values for the scenario's metrics",
        items.successful_requests
    );
    assert!(
        result.warnings.iter().any(|w| w.starts_with(&told)),
        "{:?}",
        result.warnings
    );
    let price = result
        .metrics
        .iter()
        .find(|metric| metric.name == "price")
        .expect("price");
    assert_eq!(price.values, None);
}
