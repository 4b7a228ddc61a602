//! A run belongs to its coordinator, not to the connection that asked for it.

use std::time::Duration;

use serde_json::json;

use crate::support::{Lab, Run, send_and_go, until};

#[test]
fn a_run_goes_on_when_the_client_does_not_wait_for_the_answer() {
    let lab = Lab::shared();
    let before = lab.value("SELECT count(*) FROM load_test_runs");
    let body = json!({
        "scenario": "grove-mix", "environment": "staging", "users": 3, "duration": "4s",
    })
    .to_string();
    let request = format!(
        "POST /api/loadtest/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        lab.token(),
        body.len()
    );
    send_and_go(&lab.url(), request.as_bytes());

    let id = until("the run is in D1", Duration::from_secs(10), || {
        lab.running().pop()
    });
    until("the run has ended", Duration::from_secs(40), || {
        (lab.run_row(&id)["status"] != "running").then_some(())
    });
    assert_eq!(lab.run_row(&id)["status"], "completed");
    let summary = lab.summary(&id);
    summary.assert_balanced();
    assert!(summary.ledger("sent") > 0, "{}", summary.0);
    let after = lab.value("SELECT count(*) FROM load_test_runs");
    assert_eq!(
        after.as_u64(),
        before.as_u64().map(|count| count + 1),
        "one run, not two"
    );
}

#[test]
fn a_run_goes_on_when_the_client_goes_away_after_the_answer() {
    let lab = Lab::shared();
    let body = json!({
        "scenario": "grove-mix", "environment": "staging", "users": 3, "duration": "4s",
    });
    let id = Run::start(&lab, &body).id;
    // From here on nobody talks to the Worker: D1 is read from outside.
    until("the run has ended", Duration::from_secs(40), || {
        (lab.run_row(&id)["status"] != "running").then_some(())
    });
    assert_eq!(lab.run_row(&id)["status"], "completed");
    lab.summary(&id).assert_balanced();
}
