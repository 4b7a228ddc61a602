//! Exact counts, knobs and restarts.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Grove, at_once};

pub(crate) fn requests_whose_client_left_are_counted(grove: &Grove) {
    reset(grove);
    set_fault(grove, &json!({"delay_ms": 500}));
    let address = grove.url().replace("http://", "");
    for left in 0..20 {
        let mut connection = TcpStream::connect(&address).expect("a connection");
        write!(
            connection,
            "GET /api/tenants/oak/posts HTTP/1.1\r\nHost: {address}\r\n\r\n"
        )
        .expect("sent");
        // It is being served now, and then its client goes.
        wait_until(|| stats(grove)["total"] == left + 1);
    }
    let answers = at_once(4, 3, |_| grove.get("/api/tenants/oak/feed").status);
    assert!(answers.iter().all(|status| *status == 200));
    clear_faults(grove);
    let missing = grove.get("/nowhere").status;
    assert_eq!(missing, 404);

    let stats = stats(grove);
    assert_eq!(stats["total"], 33, "{stats}");
    assert_eq!(
        stats["routes"],
        json!({
            "GET /api/tenants/:tenant/posts": 20,
            "GET /api/tenants/:tenant/feed": 12,
            "unmatched": 1,
        })
    );
    // They were also served to their end.
    assert_eq!(stats["statuses"], json!({"200": 32, "404": 1}));
}

pub(crate) fn faults_are_what_was_asked_for(grove: &Grove) {
    let feed = "/api/tenants/oak/feed";
    set_fault(
        grove,
        &json!({"error_rate": 1, "route": "GET /api/tenants/:tenant/feed"}),
    );
    assert_eq!(
        grove.get(feed).refusal(),
        (503, "injected_fault".to_owned())
    );
    assert_eq!(grove.get("/api/tenants/oak").status, 200);

    // A fault replaces the one before.
    set_fault(grove, &json!({"component": "D1", "delay_ms": 80}));
    assert_eq!(grove.get(feed).status, 200);
    let slow = grove.get("/api/tenants/oak/posts");
    let timing = slow.header("Server-Timing").to_owned();
    let database = timing.split(", ").find(|entry| entry.starts_with("d1;"));
    assert!(
        duration_ms(database.expect("D1 was used")) >= 79.0,
        "{timing}"
    );

    set_fault(grove, &json!({"component": "TenantDO", "error_rate": 1}));
    let failed = grove.get(feed);
    assert_eq!(failed.refusal(), (503, "object_unavailable".to_owned()));
    // How long the refusal took is the machine's business, not the fault's.
    let timing = failed.header("Server-Timing");
    let object = timing.split(", ").find(|entry| entry.starts_with("do;"));
    let object = object.unwrap_or_else(|| panic!("an object was asked: {timing}"));
    assert!(object.contains(";desc=\"TenantDO\";"), "{timing}");
    assert!(object.ends_with(";wake=0;err=1"), "{timing}");

    for fault in [json!({"delay_ms": -1}), json!({"x": 1}), json!([])] {
        assert_eq!(grove.post("/__faults", &fault).status, 400, "{fault}");
    }
    clear_faults(grove);
    assert_eq!(grove.get(feed).status, 200);
}

pub(crate) fn a_narrow_platform_makes_others_wait(grove: &Grove) {
    set_fault(grove, &json!({"capacity": 2, "delay_ms": 60}));
    let started = Instant::now();
    let waits = at_once(10, 1, |_| {
        assert_eq!(grove.get("/api/tenants/oak").status, 200);
        started.elapsed()
    });
    // 10 requests, 2 at once, 60 ms each: the last cannot be ready before 300 ms, nor all wait
    // for it.
    assert!(started.elapsed() >= Duration::from_millis(299));
    assert!(waits.iter().min() < waits.iter().max(), "{waits:?}");

    // The same in front of the database: what waits there shows as its queue.
    set_fault(
        grove,
        &json!({"component": "D1", "capacity": 1, "delay_ms": 250}),
    );
    let queues = at_once(8, 1, |_| {
        let answer = grove.get("/api/tenants");
        let timing = answer.header("Server-Timing").to_owned();
        timing
            .split("queue=")
            .nth(1)
            .and_then(|rest| rest.split(", ").next())
            .and_then(|queue| queue.parse::<u32>().ok())
            .unwrap_or_else(|| panic!("{timing}"))
    });
    // All but one wait at first; a busy machine may send some of them later.
    assert!(queues.iter().max() >= Some(&2), "{queues:?}");
    clear_faults(grove);
}

pub(crate) fn state_survives_a_crash(grove: &mut Grove) {
    reset(grove);
    let token = grove.token("ivy", "rowan");
    let draft = json!({"title": "Before the storm", "body": "text"});
    let created = grove.post_as(&token, "/api/tenants/rowan/posts", &draft);
    assert_eq!(created.status, 201);
    let path = created.header("Location").to_owned();
    let reaction = json!({"kind": "like"});
    assert_eq!(
        grove
            .post_as(&token, &format!("{path}/reactions"), &reaction)
            .status,
        201
    );
    // Reading the counts carries them to their object, so that nothing is under way.
    let before = stats(grove);
    assert_eq!(before["total"], 4);

    grove.crash();

    assert_eq!(stats(grove), before);
    let woken = grove.post_as(&token, &format!("{path}/reactions"), &reaction);
    assert_eq!(woken.status, 201);
    assert!(
        woken.header("Server-Timing").contains("do;desc=\"PostDO\""),
        "{woken:?}"
    );
    assert_eq!(woken.header("Server-Timing").matches("wake=1").count(), 3);
    assert_eq!(grove.get(&path).json()["reactions"], 2);
    assert_eq!(
        grove.get("/api/tenants/rowan").json()["counters"]["reactions"],
        2
    );
    let stats = stats(grove);
    assert_eq!(stats["total"], 7, "{stats}");
}

fn wait_until(holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "never happened"
        );
    }
}

fn stats(grove: &Grove) -> Value {
    let answer = grove.get("/__stats");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn reset(grove: &Grove) {
    assert_eq!(grove.post("/__stats/reset", &json!({})).status, 204);
}

fn set_fault(grove: &Grove, fault: &Value) {
    let answer = grove.post("/__faults", fault);
    assert_eq!(answer.status, 200, "{answer:?}");
}

fn clear_faults(grove: &Grove) {
    let answer = grove.send("DELETE", "/__faults", &[], Vec::new());
    assert_eq!(answer.status, 204);
}

fn duration_ms(entry: &str) -> f64 {
    entry
        .split("dur=")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("{entry} has no duration"))
}
