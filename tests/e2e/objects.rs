//! Durable Objects directly: the same scenario goes through the public host, a service binding, or the objects
//! themselves, and what the load tester says about objects is what the objects counted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Lab, Run, count, inline, profile};

const LIMIT: Duration = Duration::from_secs(120);

/// A scenario whose objects no other run addresses: one post is hot, sessions are even, tenants belong to users.
fn body(via: &str, unique: &str) -> Value {
    let steps = json!([{
        "name": "tenant",
        "request": {"method": "GET", "url": "/api/tenants/{{tenant}}"},
        "expect": {"status": 200},
    }]);
    let mut body = inline(&profile(6, [2, 4, 2, 1]), &steps);
    body["scenario"]["tenants"] = json!(["oak"]);
    body["scenario"]["pause"] = json!("50ms");
    body["applications"][0]["doInteractions"] = json!([
        {
            "do": "PostDO", "pattern": "read-heavy", "id": format!("post:{unique}:{{{{key}}}}"),
            "keys": {"count": 12, "distribution": "hot", "hotFraction": 0.7},
        },
        {
            "do": "SessionDO", "pattern": "write-batch", "id": format!("session:{unique}:{{{{key}}}}"),
            "keys": {"count": 5, "distribution": "zipf"},
        },
        {"do": "TenantDO", "pattern": "write-append", "id": format!("tenant:{unique}:{{{{userId}}}}")},
    ]);
    body["via"] = json!(via);
    body
}

/// Reads and writes of a class's objects. Between two local processes an object does not know its name, so that
/// the keys are identifiers.
type Counted = BTreeMap<String, (u64, u64)>;

/// What Grove's objects have counted themselves.
fn counted(lab: &Lab, class: &str) -> Counted {
    let received = lab.grove.get("/__objects").expect(200);
    let objects = received[class].as_object().cloned().unwrap_or_default();
    let calls = |calls: &Value| (count(calls, "reads"), count(calls, "writes"));
    let named = objects.iter();
    named
        .map(|(name, own)| (name.clone(), calls(own)))
        .collect()
}

/// What objects counted since `before`, only of those that were called.
fn since(before: &Counted, after: Counted) -> Vec<(u64, u64)> {
    let new = after.into_iter().map(|(name, (reads, writes))| {
        let known = before.get(&name).copied().unwrap_or_default();
        (reads - known.0, writes - known.1)
    });
    new.filter(|calls| *calls != (0, 0)).collect()
}

#[test]
fn on_the_objects_themselves_every_operation_is_counted_by_both_sides() {
    let lab = Lab::shared();
    let unique = "direct";
    let before = lab.grove.total();
    let classes = ["PostDO", "SessionDO", "TenantDO"].map(|class| (class, counted(&lab, class)));
    let run = Run::start(&lab, &body("object", unique));
    assert_eq!(run.ended(LIMIT), "completed");
    let summary = run.summary();
    summary.assert_balanced();
    assert!(summary.passed(), "{}", summary.0);
    assert_eq!(
        lab.grove.total(),
        before,
        "nothing came through Grove's Worker"
    );

    let mut all = 0;
    for (class, before) in classes {
        let objects = since(&before, counted(&lab, class));
        let (reads, writes) = objects
            .iter()
            .fold((0, 0), |sum, calls| (sum.0 + calls.0, sum.1 + calls.1));
        let told = &summary.0["durableObjects"][class];
        assert_eq!(
            (count(told, "reads"), count(told, "writes")),
            (reads, writes),
            "{class}"
        );
        assert_eq!(count(told, "totalRequests"), reads + writes);
        assert_eq!(count(told, "objects"), objects.len() as u64, "{class}");
        let most = objects.iter().map(|calls| calls.0 + calls.1).max();
        assert_eq!(Some(count(&told["hottest"], "requests")), most, "{class}");
        assert_eq!(told["errorRate"], 0.0, "{told}");
        assert!(
            told["firstTouch"]["p50"].is_number(),
            "objects that nobody knew: {told}"
        );
        assert!(told["warm"]["p50"].is_number(), "{told}");
        all += reads + writes;
    }
    assert!(all > 100, "{all}");
    assert_eq!(summary.ledger("sent"), all);
    assert_eq!(summary.ledger("answered"), all);
    let apps = run.rows("apps");
    assert_eq!(count(&apps[0], "total_requests"), all, "the row in D1");

    let posts = &summary.0["durableObjects"]["PostDO"]["hottest"];
    assert_eq!(posts["name"], json!(format!("post:{unique}:0")));
    assert!(
        posts["share"].as_f64().is_some_and(|share| share > 0.4),
        "{posts}"
    );
    let config: Value =
        serde_json::from_str(run.row()["config_json"].as_str().expect("a text")).expect("JSON");
    assert_eq!(config["via"], "object");
}

#[test]
fn through_a_binding_the_same_requests_reach_groves_worker() {
    let lab = Lab::shared();
    for via in ["host", "binding"] {
        let before = lab.grove.total();
        let run = Run::start(&lab, &body(via, "unused"));
        assert_eq!(run.ended(LIMIT), "completed", "{via}");
        let summary = run.summary();
        summary.assert_balanced();
        assert!(summary.passed(), "{via}: {}", summary.0);
        assert!(summary.ledger("sent") > 30, "{via}");
        assert_eq!(lab.grove.total() - before, summary.ledger("sent"), "{via}");
        assert_eq!(summary.0["durableObjects"], Value::Null);
        assert_eq!(summary.0["steps"][0]["step"], "tenant");
    }
}

#[test]
fn a_way_that_is_not_there_is_refused_before_anything_is_sent() {
    let lab = Lab::shared();
    let refused = |body: &Value| lab.api.post("/runs", body).expect(422);

    let mut missing = body("object", "missing");
    missing["applications"][0]["doInteractions"][0]["do"] = json!("FeedDO");
    let answer = refused(&missing);
    assert_eq!(
        answer["known"],
        json!(["GROVE", "POSTS", "SESSIONS", "TENANTS"])
    );
    let error = answer["error"].as_str().expect("a text");
    assert!(error.contains("missing: [FEEDS]"), "{error}");

    let mut elsewhere = body("object", "elsewhere");
    elsewhere["environment"] = json!("production");
    elsewhere["dryRun"] = json!(true);
    let answer = refused(&elsewhere);
    let error = answer["error"].as_str().expect("a text");
    assert!(
        error.contains("the bindings lead to \"staging\""),
        "{error}"
    );

    let answer = refused(&body("tunnel", "unknown"));
    let error = answer["error"].as_str().expect("a text");
    assert!(error.contains("`host`, `binding`, `object`"), "{error}");
    assert_eq!(lab.running(), Vec::<String>::new());
}

#[test]
fn every_scenario_can_be_run_each_way() {
    let lab = Lab::shared();
    let scenarios = lab.api.get("/scenarios").expect(200);
    let scenarios = scenarios["scenarios"].as_array().expect("a list").clone();
    assert!(
        scenarios
            .iter()
            .any(|scenario| scenario["name"] == "grove-objects")
    );
    for scenario in &scenarios {
        for via in ["host", "binding", "object"] {
            let ask = json!({"scenario": scenario["name"], "via": via, "dryRun": true});
            let plan = lab.api.post("/runs", &ask).expect(200);
            assert_eq!(plan["plan"]["via"], via, "{}", scenario["name"]);
            let bindings = plan["plan"]["bindings"].as_array().map_or(0, Vec::len);
            assert_eq!(bindings > 0, via != "host", "{}: {plan}", scenario["name"]);
        }
    }
}
