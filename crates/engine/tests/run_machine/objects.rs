//! What a run on Durable Objects themselves says in the end.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;

use sentinel_engine::batch::Address;
use sentinel_engine::plan::{Plan, Via};
use sentinel_engine::tick::Span;
use serde_json::json;

use crate::holds::check;
use crate::plans::{config, plan_via};
use crate::world::{Answer, World};

/// Readers of posts, of which one is hot, and writers of their own sessions.
fn plan() -> Plan {
    let keys = json!({"count": 30, "distribution": "hot", "hotFraction": 0.6});
    let applications = json!([
        {"name": "reads", "steps": [], "doInteractions": [
            {"do": "PostDO", "pattern": "read-heavy", "id": "post:{{key}}", "keys": keys},
        ]},
        {"name": "writes", "steps": [], "doInteractions": [
            {"do": "SessionDO", "pattern": "write-append", "id": "session:{{userId}}"},
        ]},
    ]);
    let fields = json!({
        "metrics": {},
        "assertions": [{"metric": "do_wake_rate", "operator": "<=", "value": 1}],
        "thresholds": {
            "http_req_duration{do_class:PostDO}": ["p(95)<100"],
            "http_reqs{do_class:PostDO,do_operation:write}": ["count>=1"],
        },
    });
    plan_via(Via::Object, fields, applications)
}

#[test]
fn each_class_is_told_apart_with_its_hottest_object() {
    let mut world = World::new(plan(), config(3, 2));
    let (tell, asked) = channel();
    world.target = Box::new(move |_, request| {
        let Address::Object { name, .. } = &request.address else {
            panic!("{:?} is no object", request.address);
        };
        tell.send(name.clone()).expect("the test listens");
        Answer {
            latency: Span::from_ms(10),
            status: 200,
            body: b"{}",
        }
    });
    let result = world.play();
    check(&world, &result);
    assert!(result.passed, "{:?}", result.failed_assertions);
    assert_eq!(result.ledger.sent, world.sent, "what the objects saw");

    let mut names: BTreeMap<String, u64> = BTreeMap::new();
    for name in asked.try_iter() {
        *names.entry(name).or_default() += 1;
    }
    for (class, prefix) in [("PostDO", "post:"), ("SessionDO", "session:")] {
        let own = names.iter().filter(|(name, _)| name.starts_with(prefix));
        let own: Vec<(&str, u64)> = own.map(|(name, n)| (name.as_str(), *n)).collect();
        let sum: u64 = own.iter().map(|(_, requests)| requests).sum();
        let told = &result.durable_objects[class];
        assert_eq!((told.total_requests, told.reads + told.writes), (sum, sum));
        assert_eq!(told.objects, own.len() as u64, "{class}");
        let hottest = told.hottest.as_ref().expect("one is the hottest");
        let most = own.iter().map(|(_, requests)| *requests).max();
        assert_eq!(Some(hottest.requests), most, "{class}");
        assert_eq!(hottest.undercount, 0);
        assert_eq!(hottest.share, hottest.requests as f64 / sum as f64);
        assert_eq!(told.error_rate, Some(0.0));
        assert!(
            told.latency
                .p95
                .is_some_and(|ms| (10.0..11.0).contains(&ms))
        );
    }
    let posts = &result.durable_objects["PostDO"];
    let hottest = posts.hottest.as_ref().map(|hottest| hottest.name.as_str());
    assert_eq!(hottest, Some("post:0"));
    assert!(posts.reads > posts.writes * 4, "{posts:?}");
    assert!(
        posts.first_touch.p50.is_some(),
        "every answer said that its object woke"
    );
    assert_eq!(posts.warm.p50, None);
    assert_eq!(result.durable_objects["SessionDO"].reads, 0);
}
