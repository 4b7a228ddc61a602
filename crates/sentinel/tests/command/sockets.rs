//! WebSockets, played by the command and held against what the target says it did.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use testbed::SocketStats;

use crate::lab::{Ended, Lab};

/// Opens sessions as `ws` says: by this many users, each so often.
fn play(lab: &Lab, (users, iterations): (u32, u32), ws: Value, thresholds: Value) -> Ended {
    let scenario = lab.scenario("/", |scenario| {
        scenario["load"] = json!({"vus": users, "iterations": iterations});
        scenario["requestTimeout"] = json!("60s");
        scenario["thresholds"] = thresholds;
    });
    lab.write(
        "applications/visit.json",
        &json!({
            "name": "visit", "steps": [{"name": "chat", "ws": ws}],
        }),
    );
    let ended = lab.run(&scenario, &[]);
    ended.assert_balanced();
    for message in of_sessions(&ended, "messages")
        .as_array()
        .into_iter()
        .flatten()
    {
        let of = |column: &str| message[column].as_u64().expect("a number");
        let sum = of("oneWay") + of("answered") + of("timedOut") + of("cutOff");
        assert_eq!(of("begun"), sum, "{message}");
    }
    ended
}

fn of_sessions<'a>(ended: &'a Ended, field: &str) -> &'a Value {
    &ended.summary["steps"][0]["socket"][field]
}

fn truth(lab: &Lab, path: &str) -> SocketStats {
    let stats = lab.target.stats();
    stats.paths[path]
        .socket
        .clone()
        .expect("there were sessions")
}

/// Each session is an open file of both sides; many systems allow few until they are asked.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let more = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, more).expect("the limit may be raised up to the highest");
}

#[test]
fn every_message_of_a_thousand_sessions_at_once_is_accounted_for() {
    allow_many_files();
    let lab = Lab::new();
    let ping =
        json!({"name": "ping", "send": {"rpc": {"method": "ping", "params": {"vu": "{{vu}}"}}}});
    // All are open at once: each waits for longer than it takes to open them.
    let steps = json!([{"loop": {"times": 4, "steps": [ping, {"think": "2s"}]}}]);
    let thresholds = json!({
        "ws_sessions": ["count==1000"], "ws_errors": ["rate==0"], "ws_msgs_sent": ["count==4000"],
        "ws_msgs_received": ["count==4000"], "ws_rtt{message:ping}": ["min>=5"], "ws_connecting": ["p(95)<60000"],
        "ws_session_duration": ["min>=8000"], "ws_msgs_timed_out": ["count==0"], "ws_msgs_cut_off": ["count==0"],
    });
    let ws = json!({"url": "/ws?replies=rpc&after=5", "steps": steps});
    let ended = play(&lab, (1_000, 1_000), ws, thresholds);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let truth = truth(&lab, "/ws");
    assert_eq!(
        (truth.sessions, truth.received, truth.sent),
        (1_000, 4_000, 4_000)
    );
    assert_eq!(
        truth.closed_by_client.into_iter().collect::<Vec<_>>(),
        [(1_000, 1_000)]
    );
    assert_eq!(of_sessions(&ended, "sessions"), &json!(1_000));
    assert_eq!(of_sessions(&ended, "ended"), &json!({"client": 1_000}));
    let message = &of_sessions(&ended, "messages")[0];
    assert_eq!(
        (&message["answered"], &message["cutOff"]),
        (&json!(4_000), &json!(0))
    );
    // A bound that a busy machine keeps; the exact figure is the benchmark's business.
    let rtt = message["rtt"]["p50"].as_f64().expect("a time");
    assert!(rtt >= 5.0, "{rtt}");
}

#[test]
fn what_is_said_unasked_is_counted_by_type() {
    let lab = Lab::new();
    let steps = json!([
        {"name": "third", "receive": {"only": {"$.type": "tick", "$.n": 3}, "extract": {"n": "$.n"}}},
        {"name": "tell", "send": {"json": {"got": "{{n}}", "id": "{{uuid}}"}, "reply": "id"}},
        {"name": "bytes", "send": {"binary": "AQID", "reply": "echo"}},
    ]);
    let ws = json!({
        "url": "/ws?push=3,10&ping=20", "type": "$.type", "ping": "100ms", "protocols": ["v1"], "steps": steps,
        "checks": [{"name": "has a type", "on": "$.type", "exists": true}],
    });
    let ended = play(&lab, (2, 6), ws, json!({"ws_msgs_received": ["count==30"]}));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(of_sessions(&ended, "unsolicited"), &json!({"tick": 18}));
    let truth = truth(&lab, "/ws");
    assert_eq!((truth.sessions, truth.pushed, truth.received), (6, 18, 12));
    let check = &ended.summary["checks"][0];
    assert_eq!(
        (&check["passes"], &check["fails"]),
        (&json!(18), &json!(12))
    );
}

#[test]
fn what_breaks_is_counted_and_nothing_hangs() {
    let lab = Lab::new();
    let go = json!({"name": "go", "send": {"text": "go", "reply": "next", "timeout": "60s"}});
    let ask = json!({"name": "go", "send": {"rpc": {"method": "fail"}}});
    let soon = json!({"name": "go", "send": {"text": "go", "reply": "next", "timeout": "100ms"}});
    for (url, step, class, end) in [
        (
            "/ws/a?replies=none&fault=malformed",
            &go,
            "protocol",
            "error",
        ),
        (
            "/ws/b?replies=none&fault=oversized",
            &go,
            "message_too_large",
            "error",
        ),
        ("/ws/c?replies=none&fault=dropped", &go, "reset", "error"),
        ("/ws/d?replies=none&close=1011,50", &go, "closed", "error"),
        ("/ws/e?replies=none", &soon, "timeout", "client"),
        ("/ws/f?replies=rpc", &ask, "rpc_error", "client"),
    ] {
        let ws = json!({"url": url, "steps": [step]});
        let ended = play(&lab, (3, 6), ws, json!({"ws_errors": ["rate==1"]}));
        assert_eq!(ended.code, 0, "{url}: {}", ended.err);
        assert_eq!(of_sessions(&ended, "errors"), &json!({class: 6}), "{url}");
        assert_eq!(of_sessions(&ended, "ended"), &json!({end: 6}), "{url}");
    }
    let ws = json!({"url": "/ws/g?replies=none&close=1000,50", "steps": [go]});
    let ended = play(
        &lab,
        (3, 6),
        ws,
        json!({"ws_errors": ["rate==0"], "ws_msgs_cut_off": ["count==6"]}),
    );
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(of_sessions(&ended, "ended"), &json!({"server": 6}));
    assert_eq!(of_sessions(&ended, "closeCodes"), &json!({"1000": 6}));
}

#[test]
fn a_session_that_is_not_opened_is_a_request_that_failed() {
    let lab = Lab::new();
    for (url, timeout, class) in [
        ("/errors?status=403", "60s", "status_403"),
        ("/hang", "200ms", "timeout"),
        ("/ok", "60s", "status_200"),
        ("/reset", "60s", "reset"),
        ("/broken-header?kind=garbage", "60s", "protocol"),
        ("http://127.0.0.1:1/", "60s", "connect"),
    ] {
        let steps = json!([{"name": "never", "send": {"text": "x"}}]);
        let scenario = lab.scenario("/", |scenario| {
            scenario["load"] = json!({"vus": 2, "iterations": 4});
            scenario["requestTimeout"] = json!(timeout);
        });
        lab.write(
            "applications/visit.json",
            &json!({
                "name": "visit", "steps": [{"name": "chat", "ws": {"url": url, "steps": steps}}],
            }),
        );
        let ended = lab.run(&scenario, &["--allow-host", "127.0.0.1:1"]);
        ended.assert_balanced();
        assert_eq!(
            ended.errors(class),
            4,
            "{url}: {}",
            ended.summary["steps"][0]
        );
        assert_eq!(of_sessions(&ended, "sessions"), &json!(0), "{url}");
        assert_eq!(of_sessions(&ended, "errorRate"), &json!(1.0), "{url}");
        assert_eq!(ended.ledger("finished"), 4, "{url}");
    }
}

#[test]
fn what_goes_wrong_in_a_session_of_the_setup_fails_the_run_before_any_load() {
    let lab = Lab::new();
    let create = json!({"name": "create", "send": {"rpc": {"method": "fail"}}});
    let fill = json!({"name": "fill", "send": {"rpc": {"method": "fill"}}});
    let ws = json!({"url": "/ws?replies=rpc", "steps": [create, fill]});
    let scenario = lab.scenario("/", |scenario| {
        scenario["setup"] = json!([{"name": "prepare", "ws": ws}]);
    });
    let ended = lab.run(&scenario, &[]);
    assert_eq!(ended.code, 107, "{}", ended.err);
    let failure = &ended.summary["failure"];
    assert_eq!(failure, "setup step \"prepare\" ended with rpc_error");
    let stats = lab.target.stats();
    assert_eq!(stats.total.arrived, 1, "the handshake alone");
    let sessions = stats.paths["/ws"].socket.clone().expect("a session");
    assert_eq!(sessions.received, 1, "it goes no further");
}
