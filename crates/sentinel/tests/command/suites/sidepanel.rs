//! The side panel: JSON-RPC over a WebSocket.

use serde_json::{Value, json};
use testbed::{Service, SocketStats};

use super::{Suite, check, load};
use crate::lab::Ended;

const RTT: [&str; 2] = ["ws_rtt: med<50", "ws_rtt: p(99)<200"];

fn suite() -> Suite {
    Suite::new(Service::Sidepanel, "sidepanel")
}

fn sessions(ended: &Ended) -> &Value {
    &ended.summary["steps"][0]["socket"]
}

/// How often a message of a session was begun; every one was answered.
fn answered(ended: &Ended, name: &str) -> u64 {
    let messages = sessions(ended)["messages"].as_array().expect("messages");
    let message = messages.iter().find(|message| message["name"] == name);
    let message = message.unwrap_or_else(|| panic!("{name} in {messages:?}"));
    assert_eq!(message["begun"], message["answered"], "{message}");
    message["begun"].as_u64().expect("a number")
}

fn truth(suite: &Suite) -> SocketStats {
    let stats = suite.lab.target.stats();
    stats.paths["/ws"].socket.clone().expect("sessions")
}

#[test]
fn a_normal_day_passes_and_every_message_is_accounted_for() {
    let suite = suite();
    let ended = suite.passes("normal-usage", load(1, 6));
    let of = |name| answered(&ended, name);
    assert_eq!(of("open"), 6);
    let actions = of("message") + of("update context") + of("balance") + of("snapshot");
    assert_eq!(actions, 6 * 18, "between two connects come 18 actions");
    assert_eq!(of("state update"), of("message"));
    assert!(of("message") > of("snapshot"), "the weights are 10 and 1");
    let truth = truth(&suite);
    assert_eq!((truth.sessions, truth.received), (6, 6 + actions));
    assert_eq!(check(&ended, "is JSON-RPC"), (truth.sent, 0));
    assert_eq!(check(&ended, "message has an answer").1, 0);
}

#[test]
fn a_slow_or_broken_side_panel_is_found_out() {
    let suite = suite();
    for (fault, failing, holding) in [
        (
            ["session.message", "ms=250"],
            &RTT[1..],
            &["ws_errors: rate==0"][..],
        ),
        (["balance.get", "how=fail"], &["ws_errors: rate==0"], &[]),
        (
            ["ws.connect", "ms=700"],
            &["ws_connecting: p(95)<500"],
            &["ws_errors: rate==0"],
        ),
    ] {
        suite.fails("normal-usage", load(2, 2), fault, failing, holding);
    }
    let fault = ["session.message", "how=garble"];
    let mut garbled = suite.play("normal-usage", load(1, 1), super::Limits::Generous);
    assert_eq!(garbled.code, 0, "{}", garbled.err);
    suite
        .lab
        .target
        .disturb(fault[0], fault[1])
        .expect("a fault");
    garbled = suite.play_impatiently("normal-usage", load(1, 1));
    assert!(check(&garbled, "message has an answer").1 > 0);
    assert!(
        super::failed(&garbled).contains(&"ws_errors: rate==0".to_owned()),
        "no state update comes"
    );
}

#[test]
fn a_heavy_session_goes_on_in_what_was_prepared() {
    let suite = suite();
    let ended = suite.passes("heavy-session", load(1, 3));
    let prepared = &ended.summary["setup"]["steps"][0]["socket"]["messages"];
    let begun = |name: &str| {
        let messages = prepared.as_array().expect("messages").iter();
        messages
            .filter(|message| message["name"] == name)
            .map(|message| message["begun"].as_u64())
            .next()
    };
    assert_eq!(begun("add initial file"), Some(Some(30)));
    assert_eq!(begun("initial message"), Some(Some(super::TURNS_MAX)));
    for name in ["message", "read file", "search files", "add file"] {
        assert!(answered(&ended, name) > 0, "{name}");
    }
    assert_eq!(
        check(&ended, "file has content").1,
        0,
        "the files of the setup are there"
    );
    let fault = ["tool.call", "ms=300"];
    suite.fails(
        "heavy-session",
        load(1, 1),
        fault,
        &RTT[1..],
        &["ws_errors: rate==0"],
    );
    let fault = ["tool.call", "how=fail"];
    suite.fails(
        "heavy-session",
        load(1, 1),
        fault,
        &["ws_errors: rate==0"],
        &[],
    );
}

#[test]
fn users_share_the_side_panel() {
    let suite = suite();
    suite.assert_users("concurrent-users", "most", &[(120.0, 50)], 600.0);
    suite.assert_users("concurrent-users", "least", &[(120.0, 10)], 600.0);
    let ended = suite.passes("concurrent-users", load(25, 25));
    assert_eq!(truth(&suite).sessions, 25);
    assert_eq!(
        answered(&ended, "message") + answered(&ended, "balance"),
        25 * 15
    );
    let fault = ["session.message", "how=drop"];
    suite.fails(
        "concurrent-users",
        load(2, 2),
        fault,
        &["ws_errors: rate<0.01"],
        &[],
    );
}

#[test]
fn stress_sends_large_messages_and_knows_its_limits() {
    let suite = suite();
    let ended = suite.passes("stress", load(10, 20));
    assert!(answered(&ended, "large payload") > 0);
    assert_eq!(
        answered(&ended, "message") + answered(&ended, "large payload"),
        20 * super::TURNS_MAX
    );
    for (fault, failing) in [
        (["session.open", "ms=1500"], "ws_rtt: max<1000"),
        (
            ["session.message", "share=0.3&how=fail"],
            "ws_errors: rate<0.01",
        ),
    ] {
        suite.fails("stress", load(2, 4), fault, &[failing], &[]);
    }
}

#[test]
fn pings_are_answered() {
    let suite = suite();
    let ended = suite.passes("websocket-load", load(5, 100));
    assert_eq!(check(&ended, "has result"), (100, 0));
    for (iterations, fault, failing) in [
        (2, ["ws.connect", "ms=700"], "ws_connecting: p(95)<500"),
        (40, ["ping", "share=0.2&how=garble"], "checks: rate>0.99"),
        (4, ["ping", "ms=1500"], "ws_msgs_received: rate>10"),
    ] {
        suite.fails(
            "websocket-load",
            load(2, iterations),
            fault,
            &[failing],
            &[],
        );
    }
}

#[test]
fn endurance_keeps_its_connections() {
    let suite = suite();
    let ended = suite.play_changed("endurance", &[], |scenario| {
        scenario["load"] = load(5, 5);
        super::relax(&mut scenario["thresholds"]);
        // Of so short a run nothing can be told about growth, which is another test.
        scenario["monitoring"] = Value::Null;
    });
    assert_eq!(ended.code, 0, "{}\n{}", ended.err, ended.out);
    assert_eq!(sessions(&ended)["ended"], json!({ "client": 5 }));
    assert_eq!(
        answered(&ended, "message") + answered(&ended, "balance"),
        5 * super::TURNS_MAX
    );
    let fault = ["balance.get", "how=drop"];
    suite.fails("endurance", load(2, 2), fault, &["ws_errors: rate==0"], &[]);
}

#[test]
fn endurance_finds_memory_that_goes_on_growing() {
    let suite = suite();
    let watch = |page: &'static str| {
        suite.play_changed("endurance", &[], |scenario| {
            super::relax(&mut scenario["thresholds"]);
            super::relax_watching(scenario);
            super::watch_closely(scenario);
            let memory = &mut scenario["monitoring"]["series"]["memory_bytes"];
            if !page.is_empty() {
                memory["from"] = json!(page);
                memory["alertOnGrowth"] = json!("10%/hour");
            }
        })
    };
    let well = watch("");
    assert_eq!(well.code, 0, "{}\n{}", well.err, well.out);
    let watched = &well.summary["monitoring"];
    let polls = watched["polls"].as_u64().expect("a number");
    assert_eq!(watched["pollsFailed"], 0, "{watched}");
    assert!(polls >= 10, "{polls}");
    for name in ["memory_bytes", "cpu_seconds", "open_connections"] {
        let mut series = watched["series"].as_array().expect("a list").iter();
        assert!(
            series.any(|series| series["name"] == name),
            "{name}: {watched}"
        );
    }
    assert!(
        well.out.contains("what the target told about itself"),
        "{}",
        well.out
    );
    let stats = suite.lab.target.stats();
    assert_eq!(
        stats.path("/metrics").completed,
        polls,
        "and nobody else asked"
    );
    assert_eq!(well.ledger("sent"), stats.path("/ws").arrived);

    // The panel keeps what was said in earlier sessions, which these users open again and again.
    let leaking = watch("prometheus:sidepanel_memory_bytes");
    assert_eq!(leaking.code, 99, "{}\n{}", leaking.err, leaking.out);
    assert_eq!(super::failed(&leaking), ["memory_bytes_growth: value<=10"]);
    let grown = &leaking.summary["monitoring"]["series"][0]["growthPercentPerHour"];
    assert!(
        grown.as_f64().is_some_and(|percent| percent > 10.0),
        "{grown}"
    );
}
