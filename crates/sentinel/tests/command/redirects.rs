//! Redirects are followed to hosts that are allowed, and the target counts what we count.

use serde_json::json;

use crate::lab::Lab;

/// A scenario of 20 iterations, whose one request is answered with a redirect to `to`.
fn redirected(lab: &Lab, to: &str) -> std::path::PathBuf {
    lab.scenario(&format!("/redirect?to={to}"), |scenario| {
        scenario["load"] = json!({"vus": 2, "iterations": 20});
    })
}

#[test]
fn each_redirect_is_a_request_of_its_own() {
    let lab = Lab::new();
    let scenario = redirected(&lab, "%2Fredirect%3Fto%3D%2Fok");
    let ended = lab.run(&scenario, &[]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    ended.assert_balanced();
    let stats = lab.target.stats();
    assert_eq!(ended.ledger("sent"), 60);
    assert_eq!(stats.total.arrived, 60);
    assert_eq!(stats.connections_opened, 2, "one for each user");
    assert_eq!(ended.errors("status_302"), 0);
}

#[test]
fn a_redirect_to_another_host_is_followed_only_where_load_may_go() {
    let lab = Lab::new();
    let other = Lab::new();
    let host = other.target.url().replace("http://", "");
    let scenario = redirected(&lab, &format!("http%3A%2F%2F{host}%2Fok"));
    let ended = lab.run(&scenario, &[]);
    ended.assert_balanced();
    assert_eq!(ended.errors("refused"), 20, "{}", ended.summary["steps"]);
    assert_eq!(other.target.stats().connections_opened, 0);
    let ended = lab.run(&scenario, &["--allow-host", &host]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    ended.assert_balanced();
    assert_eq!(other.target.stats().total.arrived, 20);
    assert_eq!(ended.ledger("sent"), 40);
}

#[test]
fn how_many_are_followed_is_said_by_the_option_or_the_scenario() {
    let lab = Lab::new();
    let scenario = redirected(&lab, "/ok");
    let ended = lab.run(&scenario, &["--max-redirects", "0"]);
    assert_eq!(ended.errors("status_302"), 20);
    assert_eq!(ended.ledger("sent"), 20);
    let scenario = lab.scenario("/redirect?to=/ok", |scenario| {
        scenario["load"] = json!({"vus": 2, "iterations": 20});
        scenario["maxRedirects"] = json!(0);
    });
    assert_eq!(lab.run(&scenario, &[]).errors("status_302"), 20);
    let ended = lab.run(&scenario, &["--max-redirects", "1"]);
    assert_eq!(ended.errors("status_302"), 0);
    let arrived = lab.target.stats().total.arrived;
    let ended = lab.run(&scenario, &["--max-redirects", "101"]);
    assert_eq!(ended.code, 104, "{}", ended.err);
    assert!(ended.err.contains("0 to 100"), "{}", ended.err);
    assert_eq!(lab.target.stats().total.arrived, arrived);
}
