//! The Tachikoma server: health, missions, specs, WebSocket.

use testbed::Service;

use super::{Suite, check, load, metric};

fn suite() -> Suite {
    Suite::new(Service::Missions, "tachikoma")
}

#[test]
fn the_profiles_are_those_of_the_suite() {
    let suite = suite();
    for name in ["health", "missions", "specs", "websocket"] {
        suite.assert_users(name, "smoke", &[(0.0, 1)], 30.0);
        suite.assert_users(name, "load", &[(120.0, 10), (420.0, 10)], 540.0);
        let stress = [(120.0, 10), (420.0, 50), (540.0, 100), (840.0, 100)];
        suite.assert_users(name, "stress", &stress, 1_140.0);
        suite.assert_users(name, "soak", &[(300.0, 10), (3_900.0, 10)], 4_200.0);
        let spike = [(60.0, 5), (70.0, 100), (250.0, 100), (260.0, 5), (440.0, 5)];
        suite.assert_users(name, "spike", &spike, 500.0);
    }
}

#[test]
fn health_is_checked() {
    let suite = suite();
    let ended = suite.passes("health", load(3, 30));
    assert_eq!(suite.lab.target.stats().path("/api/health").completed, 30);
    assert_eq!(check(&ended, "status is 200"), (30, 0));
    assert_eq!(check(&ended, "response has status field"), (30, 0));
    suite.fails(
        "health",
        load(2, 4),
        ["health", "ms=200"],
        &["health_check_duration: p(95)<100"],
        &["errors: rate<0.01", "http_req_failed: rate<0.01"],
    );
    let errors = ["errors: rate<0.01", "http_req_failed: rate<0.01"];
    for fault in ["how=fail", "share=0.5&how=garble"] {
        suite.fails("health", load(2, 40), ["health", fault], &errors, &[]);
    }
}

#[test]
fn missions_are_created_and_listed() {
    let suite = suite();
    let ended = suite.passes("missions", load(3, 30));
    let created = suite.lab.target.stats().path("/api/missions");
    assert_eq!(created.completed, 60);
    assert_eq!(metric(&ended, "missions_created")["values"]["count"], 30.0);
    for name in ["create returns id", "list returns array"] {
        assert_eq!(check(&ended, name), (30, 0), "{name}");
    }
    let errors = "errors: rate<0.05";
    for (fault, failing, holding) in [
        (
            ["missions.create", "ms=1500"],
            "mission_create_duration: p(95)<1000",
            &[errors][..],
        ),
        (
            ["missions.list", "ms=800"],
            "mission_list_duration: p(95)<500",
            &[errors],
        ),
        (["missions.list", "how=garble"], errors, &[]),
    ] {
        suite.fails("missions", load(2, 2), fault, &[failing], holding);
    }
}

#[test]
fn specs_are_read_and_searched() {
    let suite = suite();
    let ended = suite.passes("specs", load(3, 60));
    assert_eq!(check(&ended, "get status is 200 or 404"), (60, 0));
    let stats = suite.lab.target.stats();
    assert_eq!(stats.path("/api/specs/search").completed, 60);
    assert!(
        stats.path("/api/specs/100").completed > 0,
        "one is not there"
    );
    for (fault, failing) in [
        (["specs.get", "ms=500"], "spec_get_duration: p(95)<300"),
        (
            ["specs.search", "ms=800"],
            "spec_search_duration: p(95)<500",
        ),
    ] {
        suite.fails(
            "specs",
            load(2, 2),
            fault,
            &[failing],
            &["errors: rate<0.05"],
        );
    }
    let fault = ["specs.search", "how=fail"];
    suite.fails("specs", load(2, 4), fault, &["errors: rate<0.05"], &[]);
}

#[test]
fn subscriptions_are_opened_and_kept() {
    let suite = suite();
    let ended = suite.passes("websocket", load(3, 12));
    assert_eq!(check(&ended, "message has type"), (12, 0));
    let socket = suite.lab.target.stats().paths["/ws"]
        .socket
        .clone()
        .expect("sessions");
    assert_eq!((socket.sessions, socket.received), (12, 12));
    for fault in [["ws.connect", "how=fail"], ["ws.message", "how=drop"]] {
        suite.fails(
            "websocket",
            load(2, 4),
            fault,
            &["ws_errors: rate<0.01"],
            &[],
        );
    }
}
