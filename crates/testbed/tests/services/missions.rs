//! The server of missions and specs.

use testbed::Service;

use crate::{Client, ask, assert_counted, client, serve};

const ORDER: &str = r#"{"name": "first", "prompt": "do it", "backend": "mock"}"#;

#[test]
fn missions_are_created_listed_read_and_deleted() {
    let testbed = serve(Service::Missions);
    let (status, created) = ask(&testbed, "POST", "/api/missions", ORDER);
    assert_eq!((status, &created["id"]), (201, &"mission-1".into()));
    for number in 2..=60 {
        let order = ORDER.replace("first", &number.to_string());
        assert_eq!(ask(&testbed, "POST", "/api/missions", &order).0, 201);
    }
    let (status, list) = ask(&testbed, "GET", "/api/missions", "");
    assert_eq!((status, list.as_array().map(Vec::len)), (200, Some(50)));
    assert_eq!(list[0]["name"], "60", "the newest come first");
    let (_, list) = ask(&testbed, "GET", "/api/missions?limit=2", "");
    assert_eq!(list.as_array().map(Vec::len), Some(2));
    assert_eq!(
        ask(&testbed, "GET", "/api/missions/mission-1", "").1["prompt"],
        "do it"
    );
    assert_eq!(
        ask(&testbed, "DELETE", "/api/missions/mission-1", "").0,
        204
    );
    for method in ["GET", "DELETE"] {
        assert_eq!(ask(&testbed, method, "/api/missions/mission-1", "").0, 404);
    }
    let (status, health) = ask(&testbed, "GET", "/api/health", "");
    assert_eq!(
        (status, &health["status"], &health["missions"]),
        (200, &"ok".into(), &59.into())
    );
    assert_counted(&testbed);
    assert_eq!(testbed.stats().path("/api/missions").completed, 62);
}

#[test]
fn what_is_wrong_with_a_request_is_said_with_the_right_status() {
    let testbed = serve(Service::Missions);
    for (method, path, body, status, part) in [
        ("POST", "/api/missions", "{", 400, "EOF"),
        ("POST", "/api/missions", "{}", 422, "missing field"),
        (
            "POST",
            "/api/missions",
            &ORDER.replace("mock", "none"),
            422,
            "backend: accepted are",
        ),
        (
            "POST",
            "/api/missions",
            &ORDER.replace("do it", &"x".repeat(1 << 21)),
            413,
            "bytes",
        ),
        ("PUT", "/api/missions", ORDER, 405, "GET, POST"),
        ("GET", "/api/missions?limit=501", "", 400, "1 to 500"),
        ("GET", "/api/specs/search", "", 400, "q is missing"),
        ("GET", "/api/specs/100", "", 404, "no such"),
        ("GET", "/nowhere", "", 404, "no such"),
        ("GET", "/ws?token=wrong", "", 401, "API key"),
        ("GET", "/ws?token=test-api-key", "", 400, ""),
    ] {
        let (found, answer) = ask(&testbed, method, path, body);
        assert_eq!(found, status, "{method} {path}: {answer}");
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.contains(part), "{method} {path}: {answer}");
    }
    let url = format!("{}/api/missions", testbed.url());
    let answer = client::agent().get(url).call().expect("an answer");
    assert_eq!(answer.status(), 401);
    assert_counted(&testbed);
}

#[test]
fn subscribers_hear_what_becomes_of_missions() {
    let testbed = serve(Service::Missions);
    let mut client = Client::open(&testbed, "/ws?token=test-api-key");
    client.say(r#"{"type": "subscribe", "channel": "weather"}"#);
    assert_eq!(client.hear()["type"], "error");
    client.say(r#"{"type": "subscribe", "channel": "missions"}"#);
    assert_eq!(client.hear()["type"], "subscribed");
    ask(&testbed, "POST", "/api/missions", ORDER);
    let news = client.hear();
    assert_eq!(
        (&news["type"], &news["mission"]["name"]),
        (&"mission.created".into(), &"first".into())
    );
    ask(&testbed, "DELETE", "/api/missions/mission-1", "");
    assert_eq!(client.hear()["type"], "mission.deleted");
    client.say(r#"{"type": "unsubscribe", "channel": "missions"}"#);
    assert_eq!(client.hear()["type"], "unsubscribed");
    ask(&testbed, "POST", "/api/missions", ORDER);
    client.say(r#"{"type": "ping"}"#);
    assert_eq!(client.hear()["type"], "pong", "nothing is told any more");
    drop(client);
    let socket = || {
        testbed.stats().paths["/ws"]
            .socket
            .clone()
            .expect("sessions")
    };
    client::until("the session has ended", || socket().ended == 1);
    assert_eq!(
        (socket().received, socket().sent, socket().pushed),
        (4, 6, 2)
    );
}

#[test]
fn operations_go_wrong_as_they_are_told_to() {
    let testbed = serve(Service::Missions);
    testbed
        .disturb("missions.list", "how=fail")
        .expect("a fault");
    assert_eq!(ask(&testbed, "GET", "/api/missions", "").0, 500);
    assert_eq!(
        ask(&testbed, "POST", "/api/missions", ORDER).0,
        201,
        "others are not touched"
    );
    let faults = "/__testbed/faults";
    assert_eq!(
        ask(
            &testbed,
            "POST",
            &format!("{faults}/missions.create?how=garble"),
            ""
        )
        .0,
        204
    );
    assert_eq!(
        ask(&testbed, "POST", "/api/missions", ORDER),
        (201, serde_json::json!({}))
    );
    assert_eq!(
        ask(&testbed, "POST", &format!("{faults}/missions.lose"), "").0,
        400
    );
    assert_eq!(ask(&testbed, "DELETE", faults, "").0, 204);
    assert_eq!(ask(&testbed, "GET", "/api/missions", "").0, 200);
    testbed.disturb("health", "ms=40").expect("a fault");
    ask(&testbed, "GET", "/api/health", "");
    assert!(testbed.stats().paths["/api/health"].held.min_us >= 40_000);
    testbed.disturb("ws.message", "how=drop").expect("a fault");
    let mut client = Client::open(&testbed, "/ws?token=test-api-key");
    client.say("{}");
    client.0.read().expect_err("the connection is gone");
    let refused = client::start()
        .disturb("health", "")
        .expect_err("no platform");
    assert_eq!(refused.to_string(), "no platform is served");
    assert_counted(&testbed);
}
