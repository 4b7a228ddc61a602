//! The Vi runtime: whole answers, streamed answers, metrics.

use serde_json::json;
use testbed::Service;

use super::{Suite, check, load, metric};

fn suite() -> Suite {
    Suite::new(Service::Chat, "vi")
}

#[test]
fn the_profiles_are_those_of_the_suite() {
    let suite = suite();
    suite.assert_users("chat", "smoke", &[(0.0, 1)], 60.0);
    suite.assert_users("chat", "load", &[(120.0, 10), (420.0, 10)], 540.0);
    let stress = [
        (120.0, 20),
        (420.0, 20),
        (540.0, 50),
        (960.0, 100),
        (1_260.0, 100),
    ];
    suite.assert_users("chat", "stress", &stress, 1_560.0);
    let spike = [(60.0, 10), (70.0, 100), (130.0, 100), (140.0, 10)];
    suite.assert_users("chat", "spike", &spike, 210.0);
    suite.assert_users("chat", "soak", &[(0.0, 20)], 1_800.0);
}

#[test]
fn conversations_are_held_and_chimes_counted() {
    let suite = suite();
    // Each user says two things in each iteration, and every fifth of a conversation has a chime.
    let load = json!({ "executor": "per-vu-iterations", "vus": 2, "iterations": 5 });
    let ended = suite.passes("chat", load);
    assert_eq!(metric(&ended, "autonomy_chimes")["values"]["count"], 4.0);
    for name in ["chat has a reply", "stream has the right type"] {
        assert_eq!(check(&ended, name), (10, 0), "{name}");
    }
    let stats = suite.lab.target.stats();
    let stream = stats.paths["/v1/chat/stream"].stream.expect("streams");
    let told = &ended.summary["steps"][1]["stream"];
    assert_eq!(told["ended"], json!({ "until": 10 }));
    assert_eq!(
        told["events"].as_u64().map(|events| events + 10),
        Some(stream.events),
        "all but [DONE]"
    );
    assert_eq!(
        stats.path("/v1/health").completed,
        1,
        "once, before the load"
    );
}

#[test]
fn a_runtime_that_is_not_well_is_found_out() {
    let suite = suite();
    let errors = "errors: rate<0.05";
    for (fault, failing, holding) in [
        (
            ["chat", "ms=3500"],
            "chat_duration: p(95)<3000",
            &[errors][..],
        ),
        (
            ["chat.token", "ms=900"],
            "stream_duration: p(95)<5000",
            &[errors],
        ),
        (["chat.stream", "how=fail"], errors, &[]),
        (["chat.token", "how=drop"], errors, &[]),
        (["chat", "how=garble"], "http_req_failed: rate<0.05", &[]),
    ] {
        suite.fails("chat", load(1, 1), fault, &[failing], holding);
    }
    suite
        .lab
        .target
        .disturb("health", "how=fail")
        .expect("a fault");
    let ended = suite.play("chat", load(1, 1), super::Limits::Written);
    assert_ne!(ended.code, 0, "the setup has failed");
    assert_eq!(ended.summary["setup"]["outcome"], "failed", "{}", ended.err);
}

#[test]
fn the_targets_for_production_hold_or_not() {
    let suite = suite();
    let users = json!({ "executor": "per-vu-iterations", "vus": 4, "iterations": 2 });
    let few = "vus_max: value>=1000";
    let ended = suite.play("production", users, super::Limits::Generous);
    assert_eq!(super::failed(&ended), [few], "four users are no thousand");
    let fault = ["chat", "share=0.5&how=fail"];
    suite.fails(
        "production",
        load(2, 8),
        fault,
        &["http_req_failed: rate<0.001"],
        &[],
    );
}

#[test]
fn the_soak_test_watches_the_memory() {
    let suite = suite();
    suite.assert_users("soak", "load", &[(120.0, 20)], 540.0);
    let watch = |from: Option<&str>| {
        suite.play_changed("soak", &[], |scenario| {
            super::relax(&mut scenario["thresholds"]);
            super::relax_watching(scenario);
            super::watch_closely(scenario);
            if let Some(from) = from {
                let memory = &mut scenario["monitoring"]["series"]["memory_bytes"];
                memory["from"] = json!(from);
                memory["alertOnGrowth"] = json!("10%/hour");
            }
        })
    };
    let well = watch(None);
    assert_eq!(well.code, 0, "{}\n{}", well.err, well.out);
    let mute = watch(Some("prometheus:no_such_metric"));
    assert_eq!(super::failed(&mute), ["memory_bytes_growth: value<=10"]);
    let watched = &mute.summary["monitoring"];
    assert_eq!(
        watched["failures"],
        json!({ "extraction": watched["polls"] })
    );
    assert_eq!(mute.code, 99);
}
