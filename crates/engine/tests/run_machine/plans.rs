//! The plans that the tests run, and how they are spread.

use sentinel_engine::plan::{Plan, PlanOptions, PlanPart, PlanSource, Via};
use sentinel_engine::run::RunConfig;
use sentinel_engine::tick::Span;
use serde_json::{Value, json};

use crate::world::EPOCH_MS;

/// Six users rise in 2 s, eight at the peak for 3 s, four for 3 s, then 1 s to none: 9 s of two requests and a
/// short pause.
pub(crate) fn plan() -> Plan {
    let get = |path: &str| json!({"name": path, "request": {"method": "GET", "url": path}, "expect": {"status": 200}});
    let applications = json!([
        {"name": "reads", "steps": [get("/a"), get("/b")], "doInteractions": []},
        {"name": "writes", "steps": [get("/c")], "doInteractions": []},
    ]);
    plan_of(json!({}), applications)
}

/// The plan with other fields in its scenario, and with these applications `reads` and `writes`.
pub(crate) fn plan_of(fields: Value, applications: Value) -> Plan {
    plan_via(Via::Host, fields, applications)
}

/// The same, with requests that reach the target another way.
pub(crate) fn plan_via(via: Via, fields: Value, applications: Value) -> Plan {
    let mut scenario = json!({
        "name": "lab",
        "description": "",
        "applications": [{"name": "reads", "weight": 0.75}, {"name": "writes", "weight": 0.25}],
        "userProfile": {
            "rampUp": {"from": 1, "to": 6, "duration": "2s"},
            "peak": {"users": 8, "duration": "3s"},
            "steadyState": {"users": 4, "duration": "3s"},
            "rampDown": {"to": 0, "duration": "1s"},
        },
        "assertions": [
            {"metric": "p95_latency_ms", "operator": "<", "value": 100},
            {"metric": "throughput_requests_per_sec", "operator": ">", "value": 1},
            {"metric": "d1_queue_depth", "operator": "<=", "value": 3},
        ],
        "thresholds": {
            "http_reqs{status:500}": ["count>=0"],
            "http_req_duration{scenario:lab}": ["p(95)<100", "max<100 over 2s in peak"],
            "coverage": ["rate>=0"],
        },
        "metrics": {"body": {"type": "trend", "contains": "data", "from": [{"step": "/a", "value": "bytes_received"}]}},
        "pause": "100ms",
        "gracefulStop": "4s",
    });
    let Value::Object(fields) = fields else {
        panic!("fields of a scenario");
    };
    for (name, value) in fields {
        scenario[name] = value;
    }
    let source = PlanSource {
        scenario: serde_json::from_value(scenario).expect("a scenario"),
        applications: serde_json::from_value(applications).expect("applications"),
        options: PlanOptions {
            base_url: "http://127.0.0.1:9".to_owned(),
            allowed_hosts: vec!["127.0.0.1:9".to_owned()],
            own_hosts: Vec::new(),
            allow_private: true,
            via,
            seed: 7,
            users: None,
            duration: None,
            profile: None,
            users_max: 1_000,
            duration_max_s: 100 * 86_400,
            part: PlanPart::default(),
        },
    };
    Plan::parse(&source).expect("a plan without problems")
}

pub(crate) fn config(batches: u32, slice_s: u64) -> RunConfig {
    RunConfig {
        run: "run-1".to_owned(),
        epoch_ms: EPOCH_MS,
        batches,
        shards: Vec::new(),
        slice: Span::from_secs(slice_s),
        slots: None,
        patience: Span::from_secs(3),
        clock_resolution: Span::from_ms(1),
    }
}
