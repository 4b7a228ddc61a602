//! Targets that misbehave: each failure has its class, and costs nothing but its request.

use std::net::TcpListener;

use serde_json::json;

use crate::lab::Lab;

#[test]
fn each_failure_of_a_target_has_its_class() {
    for (url, class) in [
        ("/errors?rate=1&status=500", "status_500"),
        ("/redirect?to=//elsewhere.invalid/", "refused"),
        ("/reset", "reset"),
        ("/reset?at=body", "reset"),
        ("/close?answer=no", "reset"),
        ("/broken-header?kind=garbage", "protocol"),
        ("/broken-header?kind=status", "protocol"),
        ("/broken-header?kind=chunk", "protocol"),
        ("/hang", "timeout"),
        ("/hang-body", "timeout"),
        ("/endless", "body_too_large"),
    ] {
        let lab = Lab::new();
        let scenario = lab.scenario(url, |scenario| {
            scenario["load"] = json!({"vus": 2, "iterations": 4});
            scenario["requestTimeout"] = json!("1s");
        });
        let ended = lab.run(&scenario, &[]);
        ended.assert_balanced();
        assert_eq!(ended.errors(class), 4, "{url}: {}", ended.summary["steps"]);
        assert_eq!(
            lab.target.stats().total.arrived,
            4,
            "{url}: none is repeated"
        );
    }
}

#[test]
fn a_target_that_cannot_be_reached_is_told_by_what_failed() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = closed.local_addr().expect("an address").port();
    drop(closed);
    let lab = Lab::new();
    let encrypted = lab.target.url().replace("http://", "https://");
    for (base_url, class) in [
        (format!("http://127.0.0.1:{port}"), "connect"),
        // A name that is too long is refused without asking anybody.
        (format!("http://{}.invalid", "a".repeat(70)), "dns"),
        (encrypted, "tls"),
    ] {
        let scenario = lab.scenario("/", |scenario| {
            scenario["load"] = json!({"vus": 1, "iterations": 2});
        });
        let ended = lab.run(&scenario, &["--base-url", &base_url]);
        ended.assert_balanced();
        assert_eq!(ended.ledger("failed"), 2, "{base_url}");
        assert_eq!(
            ended.errors(class),
            2,
            "{base_url}: {}",
            ended.summary["steps"]
        );
    }
}
