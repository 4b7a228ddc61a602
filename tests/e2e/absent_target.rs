//! The target goes away in the middle of a run: that is a result, not the end of the load tester.

use std::time::Duration;

use devstack::Service;
use serde_json::{Value, json};

use crate::support::{Lab, Run, count};

#[test]
fn a_target_that_goes_away_is_counted_as_errors() {
    let mut lab = Lab::own();
    let body = json!({
        "scenario": "grove-mix", "environment": "staging", "users": 5, "duration": "8s",
    });
    let run = Run::start(&lab, &body);
    run.has_seconds(3);
    let id = run.id.clone();
    lab.kill_hard(Service::Grove);

    let run = Run::again(&lab, &id);
    assert_eq!(run.ended(Duration::from_secs(40)), "completed");
    let summary = run.summary();
    summary.assert_balanced();
    assert!(!summary.passed());
    assert_eq!(
        summary.losses(),
        [] as [Value; 0],
        "the load tester did its part"
    );
    assert!(summary.ledger("answered") > 0, "{}", summary.0["ledger"]);
    assert!(summary.ledger("failed") > 0, "{}", summary.0["ledger"]);
    let total = |field| {
        run.rows("apps")
            .iter()
            .map(|row| count(row, field))
            .sum::<u64>()
    };
    assert_eq!(total("total_requests"), summary.ledger("sent"));
    assert!(total("failed_requests") >= summary.ledger("failed"));
    let last = run.rows("metrics").pop().expect("a last second");
    assert_eq!(last["phase"], "ramp_down");
}
