//! The side panel.

use serde_json::{Value, json};
use testbed::{Service, Testbed};

use crate::{Client, ask, ask_text, assert_counted, client, serve};

fn open(testbed: &Testbed) -> Client {
    Client::open(testbed, "/ws")
}

/// Result, or error, of a call.
fn call(client: &mut Client, method: &str, params: Value) -> Value {
    client.say(
        &json!({"jsonrpc": "2.0", "id": method, "method": method, "params": params}).to_string(),
    );
    let answer = client.hear();
    assert_eq!(
        (&answer["jsonrpc"], &answer["id"]),
        (&"2.0".into(), &method.into()),
        "{answer}"
    );
    answer
        .get("result")
        .unwrap_or(&answer["error"]["code"])
        .clone()
}

/// The method and one parameter of what is told next.
fn news(client: &mut Client, parameter: &str) -> (String, Value) {
    let told = client.hear();
    assert!(told.get("id").is_none(), "{told}");
    (
        told["method"].as_str().expect("a method").to_owned(),
        told["params"][parameter].clone(),
    )
}

#[test]
fn messages_cost_change_the_state_and_can_be_taken_back() {
    let testbed = serve(Service::Sidepanel);
    let mut panel = open(&testbed);
    assert_eq!(call(&mut panel, "ping", json!({})), json!({"pong": true}));
    let session = call(&mut panel, "session.open", json!({}))["session"].clone();
    let balance = call(&mut panel, "balance.get", json!({}));
    let said = call(
        &mut panel,
        "session.message",
        json!({"content": "one two three"}),
    );
    assert_eq!(
        said,
        json!({"message": 1, "reply": "I have read 3 words.", "cost": 1})
    );
    assert_eq!(
        news(&mut panel, "spent"),
        ("balance.update".to_owned(), json!(1))
    );
    assert_eq!(
        news(&mut panel, "cause"),
        ("state.update".to_owned(), json!("session.message"))
    );
    let credits = |balance: &Value| balance["credits"].as_u64().expect("credits");
    assert_eq!(
        credits(&call(&mut panel, "balance.get", json!({}))),
        credits(&balance) - 1
    );
    for (method, params, field, value) in [
        ("snapshot.create", json!({}), "messages", json!(1)),
        (
            "branch.create",
            json!({"name": "try"}),
            "branches",
            json!(2),
        ),
        (
            "file.add",
            json!({"path": "a.rs", "content": "fn main"}),
            "files",
            json!(1),
        ),
        (
            "context.update",
            json!({"files": ["a.rs"]}),
            "files",
            json!(1),
        ),
        (
            "snapshot.restore",
            json!({"snapshot": 1}),
            "branch",
            json!("main"),
        ),
    ] {
        assert_eq!(call(&mut panel, method, params)[field], value, "{method}");
        assert_eq!(
            news(&mut panel, "cause"),
            ("state.update".to_owned(), json!(method))
        );
    }
    let read = json!({"tool": "read_file", "path": "a.rs"});
    assert_eq!(
        call(&mut panel, "tool.call", read),
        json!({"content": "fn main"})
    );
    let search = json!({"tool": "search", "text": "main"});
    assert_eq!(
        call(&mut panel, "tool.call", search),
        json!({"files": ["a.rs"]})
    );
    let mut other = open(&testbed);
    let seen = call(&mut other, "session.open", json!({"session": session}));
    assert_eq!((&seen["files"], &seen["revision"]), (&json!(1), &json!(6)));
}

#[test]
fn what_is_no_call_is_refused_with_the_codes_of_json_rpc() {
    let testbed = serve(Service::Sidepanel);
    let mut panel = open(&testbed);
    for (text, code) in [
        ("{", -32_700),
        ("[]", -32_600),
        (r#"{"jsonrpc": "1.0", "method": "ping", "id": 1}"#, -32_600),
        (r#"{"jsonrpc": "2.0", "method": "pong", "id": 1}"#, -32_601),
        (
            r#"{"jsonrpc": "2.0", "method": "session.message", "id": 1}"#,
            -32_602,
        ),
        (
            r#"{"jsonrpc": "2.0", "method": "session.open", "params": {"session": "session-9"}, "id": 1}"#,
            -32_000,
        ),
    ] {
        panel.say(text);
        assert_eq!(panel.hear()["error"]["code"], code, "{text}");
    }
    panel.say(r#"{"jsonrpc": "2.0", "method": "ping"}"#);
    assert_eq!(
        call(&mut panel, "ping", json!({}))["pong"],
        true,
        "a notification has no answer"
    );
    testbed.disturb("balance.get", "how=fail").expect("a fault");
    assert_eq!(call(&mut panel, "balance.get", json!({})), -32_000);
}

#[test]
fn metrics_tell_connections_messages_and_memory() {
    let testbed = serve(Service::Sidepanel);
    let mut panel = open(&testbed);
    let content = "x".repeat(1_000);
    call(
        &mut panel,
        "file.add",
        json!({"path": "a", "content": content}),
    );
    news(&mut panel, "cause");
    let value = |name: &str| {
        let (status, page) = ask_text(&testbed, "GET", "/metrics", "");
        assert_eq!(status, 200);
        let line = page
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok())
            .unwrap_or(-1.0)
    };
    assert_eq!(value("ws_active_connections"), 1.0);
    assert_eq!(
        (value("ws_messages_total"), value("sidepanel_memory_bytes")),
        (1.0, 1_000.0)
    );
    assert_eq!(
        (
            value("ws_latency_bucket{le=\"+Inf\"}"),
            value("ws_latency_count")
        ),
        (1.0, 1.0)
    );
    drop(panel);
    client::until("the connection is counted out", || {
        value("ws_active_connections") == 0.0
    });
    assert_eq!(
        ask(&testbed, "GET", "/health", "").1["sessions"],
        1,
        "sessions outlive connections"
    );
    assert_eq!(ask(&testbed, "POST", "/health", "").0, 405);
    assert_counted(&testbed);
}
