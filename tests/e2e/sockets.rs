//! WebSockets at the edge: every message of every session is accounted for, and what is broken is counted in its
//! class.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::{SocketStats, Stats, Testbed};

use crate::support::{Lab, Played, Run, let_go, steps_of_each};

/// How many sessions each application of the record opens.
const EACH: u64 = 6;

/// Sessions: the application, what it asks of the testbed, what is done, how the session ends, and the class of what
/// goes wrong in it.
const OPENED: [(&str, &str, &str, &str, Option<&str>); 12] = [
    (
        "echo",
        "/ws/echo",
        r#"{"text": "für 🌳", "reply": "echo"}"#,
        "client",
        None,
    ),
    (
        "bytes",
        "/ws/bytes",
        r#"{"binary": "AAECAwQFBgf/", "reply": "echo"}"#,
        "client",
        None,
    ),
    (
        "rpc",
        "/ws/rpc?replies=rpc&after=5",
        r#"{"rpc": {"method": "ping"}}"#,
        "client",
        None,
    ),
    (
        "one-way",
        "/ws/one-way?replies=none",
        r#"{"text": "x"}"#,
        "client",
        None,
    ),
    (
        "polite",
        "/ws/polite?replies=none&close=1000,50",
        GO,
        "server",
        None,
    ),
    (
        "malformed",
        "/ws/malformed?replies=none&fault=malformed",
        GO,
        "error",
        Some("protocol"),
    ),
    (
        "oversized",
        "/ws/oversized?replies=none&fault=oversized",
        GO,
        "error",
        Some("message_too_large"),
    ),
    (
        "huge",
        "/ws/huge?replies=none&fault=oversized&bytes=40000000",
        GO,
        "error",
        Some("message_too_large"),
    ),
    (
        "dropped",
        "/ws/dropped?replies=none&fault=dropped",
        GO,
        "error",
        Some("reset"),
    ),
    (
        "closed",
        "/ws/closed?replies=none&close=1011,50",
        GO,
        "error",
        Some("closed"),
    ),
    (
        "late",
        "/ws/late?replies=none",
        r#"{"text": "x", "reply": "next", "timeout": "100ms"}"#,
        "client",
        Some("timeout"),
    ),
    (
        "refused-call",
        "/ws/refused-call?replies=rpc",
        r#"{"rpc": {"method": "fail"}}"#,
        "client",
        Some("rpc_error"),
    ),
];

/// Waits for an answer that does not come before something else happens.
const GO: &str = r#"{"text": "go", "reply": "next", "timeout": "60s"}"#;

/// Handshakes that open nothing: the application, what it asks of the testbed, and the class of the error.
const UNOPENED: [(&str, &str, &str); 3] = [
    ("forbidden", "/errors?status=403", "status_403"),
    ("no-websocket", "/ok", "status_200"),
    ("garbage", "/broken-header?kind=garbage", "reset"),
];

/// The run, which is played when the first test asks for it. When it fails, all of them do.
static RECORD: LazyLock<Played> = LazyLock::new(play);

fn play() -> Played {
    // Of slices that end no session.
    let lab = Lab::own_with(|options| options.var("SLICE_SECONDS", "120"));
    let testbed = lab.testbed();
    let opened = OPENED
        .iter()
        .map(|(app, path, send, ..)| (*app, *path, *send));
    let unopened = UNOPENED.iter().map(|(app, path, _)| (*app, *path, GO));
    let apps: Vec<(&str, Value)> = opened
        .chain(unopened)
        .map(|(app, path, send)| {
            let send: Value = serde_json::from_str(send).expect("what is sent");
            (
                app,
                session(&testbed, path, &json!([{"name": "say", "send": send}])),
            )
        })
        .collect();
    Played::on(&lab, &testbed, &steps_of_each(&apps, (2, 3), "60s"))
}

fn session(testbed: &Testbed, path: &str, steps: &Value) -> Value {
    let url = format!("{}{path}", testbed.url());
    json!({"name": "chat", "ws": {"url": url, "steps": steps}})
}

fn truth(stats: &Stats, path: &str) -> SocketStats {
    let path = path.split('?').next().unwrap_or(path);
    let socket = stats.paths.get(path).and_then(|path| path.socket.clone());
    socket.unwrap_or_else(|| panic!("no sessions on {path}"))
}

/// Checks that each message of a session of this step is in exactly one column; returns how many were begun.
fn assert_accounted(step: &Value) -> u64 {
    let messages = step["socket"]["messages"].as_array().expect("messages");
    let begun = messages.iter().map(|message| {
        let of = |column: &str| message[column].as_u64().expect("a number");
        let sum = of("oneWay") + of("answered") + of("timedOut") + of("cutOff");
        assert_eq!(of("begun"), sum, "{message}");
        of("begun")
    });
    begun.sum()
}

#[test]
fn a_run_with_broken_sessions_ends_with_a_balanced_ledger_and_no_hole() {
    let Played {
        summary, status, ..
    } = &*RECORD;
    assert_eq!(status, "completed");
    summary.assert_balanced();
    assert_eq!(summary.losses(), [] as [Value; 0]);
    let sessions = (OPENED.len() + UNOPENED.len()) as u64 * EACH;
    assert_eq!(summary.ledger("sent"), sessions, "a handshake is a request");
    assert_eq!(summary.ledger("finished"), sessions);
}

#[test]
fn each_session_ends_as_the_target_has_it_and_each_message_is_counted_as_there() {
    let Played { summary, stats, .. } = &*RECORD;
    for (app, path, _, end, class) in OPENED {
        let step = summary.step(app);
        let socket = &step["socket"];
        assert_eq!(step["failedRequests"], 0, "{app}: {step}");
        assert_eq!(socket["sessions"], EACH, "{app}: {step}");
        assert_eq!(socket["ended"], json!({end: EACH}), "{app}: {step}");
        let errors = class.map_or(json!({}), |class| json!({class: EACH}));
        assert_eq!(socket["errors"], errors, "{app}: {step}");
        assert_eq!(assert_accounted(step), EACH, "{app}: {step}");
        let truth = truth(stats, path);
        assert_eq!(truth.sessions, EACH, "{app}");
        assert_eq!(truth.received, EACH, "{app}: {truth:?}");
        if class.is_none() {
            assert_eq!(socket["messagesReceived"], truth.sent, "{app}: {step}");
        }
        if end == "client" {
            let codes: Vec<_> = truth.closed_by_client.into_iter().collect();
            assert_eq!(codes, [(1_000, EACH)], "{app}");
        }
    }
    // The runtime's clock tells whole milliseconds, of both ends of a time.
    let rtt = &summary.step("rpc")["socket"]["messages"][0]["rtt"];
    assert!(rtt["p50"].as_f64() >= Some(4.0), "{rtt}");
}

#[test]
fn a_session_that_is_not_opened_is_a_request_that_failed() {
    for (app, _, class) in UNOPENED {
        let step = RECORD.summary.step(app);
        assert_eq!(
            step["errorBreakdown"],
            json!({class: EACH}),
            "{app}: {step}"
        );
        assert_eq!(step["socket"]["sessions"], 0, "{app}: {step}");
        assert_eq!(step["socket"]["errorRate"], 1.0, "{app}: {step}");
    }
}

#[test]
fn a_target_that_never_answers_a_handshake_is_given_up_in_time() {
    let lab = Lab::shared();
    let testbed = lab.testbed();
    let steps = json!([{"name": "never", "send": {"text": "x"}}]);
    let apps = [("silent", session(&testbed, "/hang", &steps))];
    let run = Run::start(&lab, &steps_of_each(&apps, (2, 3), "500ms"));
    assert_eq!(run.ended(Duration::from_secs(90)), "completed");
    let summary = run.summary();
    summary.assert_balanced();
    let step = summary.step("silent");
    assert_eq!(step["errorBreakdown"], json!({"timeout": EACH}), "{step}");
    let total = let_go(&testbed).total;
    assert_eq!((total.arrived, total.aborted), (EACH, EACH));
}

/// A peer that neither reads nor says anything more, and whose connection stays: of the session nothing tells that it
/// is gone.
#[test]
fn a_peer_that_falls_silent_holds_nobody_up() {
    const USERS: u64 = 3;
    // Of slices that end no session.
    let lab = Lab::own_with(|options| options.var("SLICE_SECONDS", "120"));
    let testbed = lab.testbed();
    let wait = |timeout: &str| json!({"text": "x", "reply": "next", "timeout": timeout});
    let says = |timeout: &str| json!([{"name": "say", "send": wait(timeout)}]);
    let apps = [
        // Who waits for an answer goes on when it does not come in time, and no close frame is answered either.
        (
            "patient",
            session(&testbed, "/ws/patient?fault=deaf", &says("200ms")),
        ),
        // Who waits for longer than the run lasts is cut off.
        (
            "stubborn",
            session(&testbed, "/ws/stubborn?fault=deaf", &says("10m")),
        ),
    ];
    let mut body = steps_of_each(&apps, (3, 1), "60s");
    body["scenario"]["scenarios"]["stubborn"]["maxDuration"] = json!("5s");
    body["scenario"]["scenarios"]["stubborn"]["gracefulStop"] = json!("1s");
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(Duration::from_secs(180)), "completed");
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.losses(), [] as [Value; 0]);

    let patient = summary.step("patient");
    assert_eq!(
        patient["socket"]["ended"],
        json!({"error": USERS}),
        "{patient}"
    );
    let classes = patient["socket"]["errors"].as_object().expect("classes");
    assert_eq!(classes.keys().collect::<Vec<_>>(), ["timeout"], "{patient}");
    assert_eq!(
        patient["socket"]["messages"][0]["timedOut"], USERS,
        "{patient}"
    );
    let stubborn = summary.step("stubborn");
    assert_eq!(
        stubborn["socket"]["ended"],
        json!({"cut_off": USERS}),
        "{stubborn}"
    );
    assert_eq!(
        stubborn["socket"]["messages"][0]["cutOff"], USERS,
        "{stubborn}"
    );
    for (step, path) in [(patient, "/ws/patient"), (stubborn, "/ws/stubborn")] {
        assert_eq!(assert_accounted(step), USERS, "{step}");
        let truth = truth(&testbed.stats(), path);
        assert_eq!((truth.sessions, truth.received), (USERS, USERS), "{path}");
    }
    assert_eq!(summary.ledger("finished"), USERS);
    assert_eq!(summary.ledger("interrupted"), USERS);
}

#[test]
fn a_session_that_outlasts_its_slice_is_opened_again_where_it_was_and_is_no_error() {
    let lab = Lab::shared();
    let testbed = lab.testbed();
    let rpc = |name: &str| json!({"name": name, "send": {"rpc": {"method": name}}});
    // Two slices of four seconds and a part of a third.
    let turns = json!({"loop": {"times": 10, "steps": [rpc("ping"), {"think": "1s"}]}});
    let steps = json!([rpc("hello"), turns]);
    let apps = [("chat", session(&testbed, "/ws?replies=rpc", &steps))];
    let run = Run::start(&lab, &steps_of_each(&apps, (3, 1), "60s"));
    assert_eq!(run.ended(Duration::from_secs(120)), "completed");
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.losses(), [] as [Value; 0]);
    assert_eq!(summary.ledger("finished"), 3);
    let step = summary.step("chat");
    let socket = &step["socket"];
    let ended = |end: &str| socket["ended"][end].as_u64().unwrap_or(0);
    assert_eq!(
        (ended("client"), socket["errorRate"].as_f64()),
        (3, Some(0.0)),
        "{step}"
    );
    assert!(ended("slice") >= 6, "each crosses two boundaries: {step}");
    let sessions = socket["sessions"].as_u64().expect("a count");
    assert_eq!(sessions, ended("client") + ended("slice"), "{step}");
    assert_eq!(
        summary.ledger("sent"),
        sessions,
        "each handshake is a request"
    );
    let begun = assert_accounted(step);
    let ping = &socket["messages"][1];
    assert_eq!(ping["begun"], 30, "no turn is played twice: {step}");
    let truth = truth(&let_go(&testbed), "/ws");
    assert_eq!((truth.sessions, truth.received), (sessions, begun));
}

#[test]
fn subprotocols_header_fields_and_what_is_said_unasked() {
    let lab = Lab::shared();
    let testbed = lab.testbed();
    let steps = json!([
        {"name": "third", "receive": {"only": {"$.type": "tick", "$.n": 3}, "extract": {"n": "$.n"}}},
        {"name": "tell", "send": {"json": {"got": "{{n}}", "id": "{{uuid}}"}, "reply": "id"}},
    ]);
    let mut step = session(&testbed, "/ws?push=3,10&ping=20", &steps);
    step["ws"]["type"] = json!("$.type");
    step["ws"]["protocols"] = json!(["v2", "v1"]);
    step["ws"]["headers"] = json!({"x-client": "load-test"});
    let run = Run::start(&lab, &steps_of_each(&[("chat", step)], (2, 3), "60s"));
    assert_eq!(run.ended(Duration::from_secs(90)), "completed");
    let summary = run.summary();
    summary.assert_balanced();
    let step = summary.step("chat");
    assert_eq!(step["socket"]["errorRate"], 0.0, "{step}");
    assert_eq!(step["socket"]["unsolicited"], json!({"tick": 18}), "{step}");
    let truth = truth(&let_go(&testbed), "/ws");
    assert_eq!((truth.sessions, truth.pushed, truth.received), (6, 18, 6));
}

#[test]
fn every_message_of_two_hundred_sessions_at_once_is_accounted_for() {
    let lab = Lab::own_with(|options| {
        options
            .var("SLICE_SECONDS", "60")
            .var("USERS_PER_BATCH", "25")
    });
    let testbed = lab.testbed();
    let ping =
        json!({"name": "ping", "send": {"rpc": {"method": "ping", "params": {"vu": "{{vu}}"}}}});
    // All are open at once: each waits for longer than it takes to open them.
    let steps = json!([{"loop": {"times": 4, "steps": [ping, {"think": "2s"}]}}]);
    let step = session(&testbed, "/ws?replies=rpc&after=5", &steps);
    let run = Run::start(&lab, &steps_of_each(&[("chat", step)], (200, 1), "60s"));
    assert_eq!(run.ended(Duration::from_secs(180)), "completed");
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.losses(), [] as [Value; 0]);
    let step = summary.step("chat");
    let socket = &step["socket"];
    assert_eq!(socket["ended"], json!({"client": 200}), "{step}");
    assert_eq!(assert_accounted(step), 800);
    assert_eq!(socket["messages"][0]["answered"], 800, "{step}");
    let stats = let_go(&testbed);
    let truth = truth(&stats, "/ws");
    assert_eq!(
        (truth.sessions, truth.received, truth.sent),
        (200, 800, 800)
    );
    assert_eq!(
        truth.closed_by_client.into_iter().collect::<Vec<_>>(),
        [(1_000, 200)]
    );
    for batch in stats.batches {
        assert!(
            batch.tally.waiting_max <= 6,
            "a handshake takes a slot: {batch:?}"
        );
    }
}
