//! Runs that end as they should, and what they say.

use serde_json::json;

use crate::lab::Lab;

#[test]
fn a_run_counts_what_the_target_counts_and_passes() {
    let lab = Lab::new();
    let scenario = lab.scenario("/json", |scenario| {
        scenario["thresholds"] =
            json!({"http_req_failed": ["rate==0"], "iterations": ["count==30"]});
    });
    let ended = lab.run(&scenario, &[]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    ended.assert_balanced();
    assert_eq!(ended.ledger("finished"), 30);
    assert_eq!(ended.ledger("answered"), 30);
    let stats = lab.target.stats();
    assert_eq!(stats.path("/json").completed, 30);
    assert_eq!(stats.total.arrived, ended.ledger("sent"));
    assert_eq!(
        stats.batches.len(),
        1,
        "each request says which run it belongs to"
    );
    for part in [
        "visits completed",
        "passed",
        "30 planned = 30 started + 0 dropped",
        "count==30",
    ] {
        assert!(ended.out.contains(part), "{part} in {}", ended.out);
    }
}

#[test]
fn a_threshold_that_does_not_hold_has_an_exit_code_of_its_own() {
    let lab = Lab::new();
    let scenario = lab.scenario("/errors?rate=1&status=503", |scenario| {
        scenario["thresholds"] = json!({"http_req_failed": ["rate<0.5"]});
    });
    let ended = lab.run(&scenario, &["--quiet"]);
    assert_eq!(ended.code, 99, "{}", ended.err);
    assert!(ended.err.contains("http_req_failed"), "{}", ended.err);
    assert_eq!(ended.out, "", "quiet");
    assert_eq!(ended.errors("status_503"), 30);
}

#[test]
fn each_user_keeps_its_connection_unless_told_otherwise() {
    let lab = Lab::new();
    let scenario = lab.scenario("/ok", |_| {});
    let ended = lab.run(&scenario, &[]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(
        lab.target.stats().connections_opened,
        3,
        "one for each user"
    );
    let ended = lab.run(&scenario, &["--no-connection-reuse"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(lab.target.stats().connections_opened, 3 + 30);
}

#[test]
fn a_connection_that_the_server_has_closed_is_replaced_and_no_error() {
    let lab = Lab::new();
    let scenario = lab.scenario("/close", |_| {});
    let ended = lab.run(&scenario, &[]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.ledger("answered"), 30);
    assert_eq!(lab.target.stats().total.arrived, 30, "none is sent twice");
    assert_eq!(lab.target.stats().connections_opened, 30);
}

#[test]
fn options_replace_the_load_of_the_scenario() {
    let lab = Lab::new();
    let scenario = lab.scenario("/ok", |_| {});
    for (options, finished) in [
        (&["--iterations", "7", "--vus", "2"][..], 7),
        (&["--rate", "20", "--duration", "1s", "--vus", "5"], 20),
        (&["--vus", "4"], 4),
    ] {
        let ended = lab.run(&scenario, options);
        assert_eq!(ended.code, 0, "{}", ended.err);
        ended.assert_balanced();
        assert_eq!(ended.ledger("planned"), finished, "{options:?}");
    }
    let ended = lab.run(&scenario, &["--stage", "1s:3", "--stage", "1s:0"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.summary["scenarios"][0]["name"], "default");
}
