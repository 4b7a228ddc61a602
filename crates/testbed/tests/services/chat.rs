//! The chat runtime.

use serde_json::{Value, json};
use testbed::Service;

use crate::{ask, ask_text, assert_counted, serve};

/// The types and the data of the events of an answer.
fn events(text: &str) -> Vec<(String, Value)> {
    let events = text.split("\n\n").filter(|event| !event.is_empty());
    let event = |event: &str| {
        let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
        let data = field("data: ").expect("data");
        (
            field("event: ").unwrap_or_default().to_owned(),
            serde_json::from_str(data).unwrap_or_else(|_| json!(data)),
        )
    };
    events.map(event).collect()
}

#[test]
fn a_conversation_is_remembered_and_streamed_token_by_token() {
    let testbed = serve(Service::Chat);
    let (status, first) = ask(
        &testbed,
        "POST",
        "/v1/chat",
        r#"{"message": "hello there"}"#,
    );
    assert_eq!(
        (status, &first["reply"]),
        (200, &"You said in turn 1: hello there".into())
    );
    let message = json!({"message": "and now?", "conversation": first["conversation"]}).to_string();
    for turn in 2..=4 {
        assert_eq!(ask(&testbed, "POST", "/v1/chat", &message).1["turn"], turn);
    }
    let (status, text) = ask_text(&testbed, "POST", "/v1/chat/stream", &message);
    let events = events(&text);
    let types: Vec<&str> = events.iter().map(|(kind, _)| kind.as_str()).collect();
    let tokens = ["token"; 7];
    assert_eq!(status, 200);
    assert_eq!(types, [&tokens[..], &["chime", "done", ""]].concat());
    assert_eq!(events[5].1, json!({"token": "and"}));
    assert_eq!(
        (&events[8].1["autonomy"], &events[9].1),
        (&json!({"chimes": 1}), &json!("[DONE]"))
    );
    assert_counted(&testbed);
    let stats = testbed.stats();
    let stream = stats.paths["/v1/chat/stream"].stream.expect("a stream");
    assert_eq!((stream.streams, stream.events), (1, 10));
    let (_, metrics) = ask_text(&testbed, "GET", "/v1/metrics", "");
    for line in [
        "vi_chat_total 4",
        "vi_streams_total 1",
        "vi_streams_active 0",
        "vi_tokens_total 35",
        "vi_autonomy_chimes_total 1",
        "vi_conversations 1",
    ] {
        assert!(
            metrics.lines().any(|told| told == line),
            "{line} in {metrics}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_message_is_said() {
    let testbed = serve(Service::Chat);
    for (method, path, body, status) in [
        ("POST", "/v1/chat", r#"{"message": "#, 400),
        ("POST", "/v1/chat", r#"{"message": 1}"#, 422),
        ("POST", "/v1/chat", r#"{"message": " "}"#, 422),
        ("POST", "/v1/chat/stream", r#"{"message": ""}"#, 422),
        (
            "POST",
            "/v1/chat",
            r#"{"message": "x", "conversation": "conversation-7"}"#,
            404,
        ),
        ("GET", "/v1/chat", "", 405),
        ("GET", "/v1/health", "", 200),
        ("GET", "/v2/health", "", 404),
    ] {
        assert_eq!(
            ask(&testbed, method, path, body).0,
            status,
            "{method} {path} {body}"
        );
    }
    assert!(
        ask_text(&testbed, "GET", "/v1/metrics", "")
            .1
            .contains("vi_refused_total 5")
    );
}

#[test]
fn a_stream_breaks_off_or_slows_down_as_it_is_told_to() {
    let testbed = serve(Service::Chat);
    testbed.disturb("chat.token", "how=drop").expect("a fault");
    let message = r#"{"message": "hello"}"#;
    assert_eq!(
        ask_text(&testbed, "POST", "/v1/chat/stream", message),
        (200, String::new())
    );
    testbed.disturb("chat.token", "ms=20").expect("a fault");
    let (_, text) = ask_text(&testbed, "POST", "/v1/chat/stream", message);
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let stats = testbed.stats();
    let stream = stats.paths["/v1/chat/stream"].stream.expect("a stream");
    assert!(stream.first_event.min_us >= 20_000, "{stream:?}");
    assert_counted(&testbed);
}
