//! However a plan is spread, and whatever the network does to frames, a seed gives one result: counts, merged
//! histograms, steps, series of metrics and verdicts.

use sentinel_engine::plan::Plan;
use sentinel_engine::summary::TestRunResult;
use sentinel_engine::tick::Span;
use serde_json::{Map, Value, json};

use crate::holds::check;
use crate::judging::{full_plan, world};
use crate::plans::plan_of;
use crate::world::World;

/// What must be the same however the plan is spread and however frames travel: the summary, the merged totals
/// with all their histograms, and everything that the judging knows.
fn essence(world: &World, result: &TestRunResult) -> Value {
    let mut result = serde_json::to_value(result).expect("JSON");
    let (_, body) = world.records.first_key_value().expect("a checkpoint");
    let mut checkpoint: Value = serde_json::from_str(body).expect("JSON");
    let mut judging = checkpoint["judging"].take();
    result["batches"] = Value::Null;
    // Coverage is counted in microseconds of batches.
    judging["told"]["coverage"] = Value::Null;
    let totals = judging["metrics"]["totals"].as_object_mut();
    for (_, totals) in totals.into_iter().flatten() {
        totals["series"]["coverage"] = Value::Null;
    }
    json!({"result": result, "totals": checkpoint["book"]["totals"].take(), "judging": judging})
}

/// Where two documents differ, the first few places.
fn differences(one: &Value, other: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", one, other, &mut found);
    found
}

fn compare(path: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    if one == other || found.len() >= 10 {
        return;
    }
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            for key in one
                .keys()
                .chain(other.keys().filter(|key| !one.contains_key(*key)))
            {
                let value = |object: &Map<String, Value>| object.get(key).cloned();
                let (one, other) = (value(one), value(other));
                let none = json!("nothing");
                let path = format!("{path}.{key}");
                compare(
                    &path,
                    one.as_ref().unwrap_or(&none),
                    other.as_ref().unwrap_or(&none),
                    found,
                );
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (at, (one, other)) in one.iter().zip(other).enumerate() {
                compare(&format!("{path}[{at}]"), one, other, found);
            }
        }
        _ => found.push(format!("{path}: {one:.60} and {other:.60}")),
    }
}

/// Frames come late, three times, and after those that follow them.
fn storm(world: &mut World, seed: u64) {
    let mut state = seed;
    world.network = Box::new(move |_| {
        let mut delay = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(99);
            Span::from_ms(state >> 33 & 0x7FF) // up to 2 s
        };
        vec![delay(), delay(), delay()]
    });
}

fn played(plan: &Plan, batches: u32, disturb: impl FnOnce(&mut World)) -> (World, TestRunResult) {
    let mut world = world(plan.clone(), batches);
    world.set_cookie = Some("seen=1; Path=/");
    disturb(&mut world);
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.frames_ignored, 0);
    (world, result)
}

/// One batch, eight, and eight whose frames are delayed, repeated and out of order.
fn holds_for(plan: &Plan) -> TestRunResult {
    let (world, result) = played(plan, 1, |_| {});
    let expected = essence(&world, &result);
    let (world, eight) = played(plan, 8, |_| {});
    assert_eq!(differences(&essence(&world, &eight), &expected), [""; 0]);
    for seed in 0..3 {
        let (world, stormy) = played(plan, 8, |world| storm(world, seed));
        let differences = differences(&essence(&world, &stormy), &expected);
        assert_eq!(differences, [""; 0], "seed {seed}");
    }
    result
}

/// Flows with everything that depends on chance or on what came before: weights, variants, probability, rows of
/// data, values taken from answers, cookies, choices, loops, parallel and background steps.
fn applications() -> Value {
    let get = |name: &str, path: &str, more: Value| {
        let mut step = json!({
            "name": name, "request": {"method": "GET", "url": path},
            "expect": {"status": 200, "checks": [{"name": "has stock", "on": "$.stock", "exists": true}]},
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            step[field] = value.clone();
        }
        step
    };
    json!([
        {"name": "reads", "variants": ["short", "long"], "steps": [
            get("list", "/list/{{data.words.word}}/{{randomInt(1,900)}}", json!({"extract": {"price": "$.price"}})),
            get("item", "/item/{{price}}/{{data.dice.side}}/{{uuid}}", json!({"probability": 0.6})),
            get("left", "/left/{{randomString(9)}}", json!({"parallel": true})),
            get("right", "/right/{{randomString(9)}}", json!({"parallel": true})),
            {"choose": [
                {"weight": 2, "steps": [get("more", "/more/{{variant}}/{{choice(a,b,c)}}", json!({}))]},
                {"weight": 1, "steps": [{"think": "10ms-90ms"}]},
            ]},
        ]},
        {"name": "writes", "steps": [
            get("beacon", "/beacon/{{data.words.word}}/{{randomInt(1,900)}}", json!({"background": true})),
            {"loop": {"times": 2, "steps": [
                get("buy", "/buy/{{randomInt(1,900)}}", json!({}))
            ]}},
        ]},
    ])
}

fn plan(load: Value) -> Plan {
    let mut fields = json!({
        "cookies": "iteration", "pause": null, "userProfile": null,
        "data": {
            "words": {"rows": (0..37).map(|n| json!({"word": format!("w{n}")})).collect::<Vec<_>>()},
            "dice": {"rows": [{"side": 1}, {"side": 2}, {"side": 3}], "pick": "random"},
        },
        "thresholds": {
            "http_reqs": ["count>10"],
            "http_reqs{status:503}": ["count<1"],
            "http_req_duration{expected_response:true}": ["p(95)<50", "avg<200"],
            "response_time": ["med<500", "p(99)<500 over 2s"],
            "checks{check:has stock}": ["rate>0.5"],
            "iteration_duration": ["p(90)<5"],
            "vus": ["value>=0"],
            "prices": ["avg==19.5"],
            "sold": ["count>5"],
        },
        "metrics": {
            "prices": {"type": "trend", "from": [{"step": "list", "extract": "price"}]},
            "sold": {"type": "counter", "from": [{"step": "buy", "value": "succeeded"}]},
        },
    });
    for (field, value) in load.as_object().into_iter().flatten() {
        fields[field] = value.clone();
    }
    plan_of(fields, applications())
}

#[test]
fn a_profile_with_metrics_of_every_kind_gives_one_result() {
    let result = holds_for(&full_plan());
    assert_eq!(result.failed_assertions, Vec::<String>::new());
    assert!(result.passed);
}

#[test]
fn closed_models_give_one_result() {
    for scenarios in [
        json!({"a": {"executor": "ramping-vus", "startVUs": 3, "stages": [
            {"duration": "2s", "target": 19}, {"duration": "0s", "target": 11}, {"duration": "2s", "target": 0}]}}),
        json!({"a": {"executor": "constant-vus", "vus": 13, "duration": "3s"},
               "b": {"executor": "per-vu-iterations", "vus": 10, "iterations": 4, "startTime": "1s", "exec": "writes"}}),
    ] {
        let result = holds_for(&plan(json!({"scenarios": scenarios})));
        assert!(result.ledger.finished > 50, "{:?}", result.ledger);
    }
}

#[test]
fn open_models_give_one_result() {
    for load in [
        json!({"scenarios": {
            "a": {"executor": "constant-arrival-rate", "rate": 31, "duration": "3s", "preAllocatedVUs": 160},
            "b": {"executor": "ramping-arrival-rate", "startRate": 2, "preAllocatedVUs": 160, "startTime": "500ms",
                  "stages": [{"duration": "2s", "target": 40}, {"duration": "1s", "target": 0}], "exec": "reads"},
        }}),
        json!({"load": {"phases": [{"duration": 2, "arrivalRate": 7, "rampTo": 33}, {"pause": 1},
            {"duration": 2, "arrivalCount": 41}, {"duration": 2, "arrivalRate": 19, "mode": "poisson"}]}}),
    ] {
        let result = holds_for(&plan(load));
        assert_eq!(result.ledger.dropped, 0);
        assert!(result.ledger.finished > 50, "{:?}", result.ledger);
    }
}

/// Who takes which iteration from the pile, and so when, depends on who shares it; what is done does not.
#[test]
fn a_pile_of_iterations_gives_one_sum() {
    let load = json!({"executor": "shared-iterations", "vus": 24, "iterations": 301});
    let plan = plan(json!({"scenarios": {"a": load}}));
    let sums = |(world, result): (World, TestRunResult)| {
        let mut essence = essence(&world, &result);
        let mut sums: Vec<Value> = ["ledger", "steps", "checks", "metrics"]
            .iter()
            .map(|field| essence["result"][field].take())
            .collect();
        let phases = essence["totals"]["phases"].as_object_mut().expect("phases");
        sums.extend(phases.values_mut().map(|phase| phase["steps"].take()));
        assert!(sums.iter().all(|sum| !sum.is_null()));
        Value::Array(sums)
    };
    let expected = sums(played(&plan, 1, |_| {}));
    assert_eq!(expected[0]["finished"], 301);
    for eight in [
        played(&plan, 8, |_| {}),
        played(&plan, 8, |world| storm(world, 5)),
    ] {
        assert_eq!(differences(&sums(eight), &expected), [""; 0]);
    }
}
