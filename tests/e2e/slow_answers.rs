//! An answer that takes long at the end of a slice lets nobody wait but the user that asked for it, who goes on when
//! it has come.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Lab, Run, count, let_go, until};

const LIMIT: Duration = Duration::from_secs(180);

#[test]
fn the_next_slice_begins_while_a_slow_answer_of_the_last_one_is_waited_for() {
    let lab = Lab::own_with(|options| options.var("SLICE_SECONDS", "8"));
    let testbed = lab.testbed();
    let get = |path: &str| {
        let request = json!({"method": "GET", "url": format!("{}{path}", testbed.url())});
        json!({"name": path, "request": request, "expect": {"status": 200}})
    };
    // One asks shortly before the first slice ends, and is answered in the middle of the second.
    let patient = json!([get("/delay/patient?ms=12000"), get("/ok/after")]);
    let busy = json!([{"choose": [
        {"weight": 9, "steps": [get("/delay/quick?ms=30")]},
        {"weight": 1, "steps": [get("/delay/slow?ms=2000"), get("/ok/then")]},
    ]}]);
    let body = json!({
        "scenario": {
            "name": "e2e-slow", "description": "made by a test", "gracefulStop": "15s",
            "applications": [{"name": "busy", "weight": 0.5}, {"name": "patient", "weight": 0.5}],
            "scenarios": {
                "busy": {"executor": "constant-vus", "vus": 12, "duration": "24s", "exec": "busy"},
                "patient": {
                    "executor": "per-vu-iterations", "vus": 1, "iterations": 1, "startTime": "6s",
                    "maxDuration": "18s", "exec": "patient",
                },
            },
            "assertions": [{"metric": "error_rate", "operator": "<", "value": 0.01}],
        },
        "applications": [
            {"name": "busy", "steps": busy, "doInteractions": []},
            {"name": "patient", "steps": patient, "doInteractions": []},
        ],
        "environment": "staging",
    });
    let run = Run::start(&lab, &body);
    until("two slices at once", LIMIT, || {
        let stats = testbed.stats();
        let of_slice = |slice: &str| {
            let batches = stats.batches.iter();
            batches
                .filter(|batch| batch.batch.starts_with(slice))
                .collect::<Vec<_>>()
        };
        let waits = of_slice("0.").iter().any(|batch| batch.tally.waiting > 0);
        let plays = of_slice("1.").iter().any(|batch| batch.tally.arrived > 12);
        (waits && plays).then_some(())
    });
    assert_eq!(run.ended(LIMIT), "completed", "{}", run.row());
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.losses(), [] as [Value; 0]);
    let stats = let_go(&testbed);
    assert_eq!(
        summary.ledger("sent"),
        stats.total.arrived,
        "nothing lost or counted twice"
    );
    assert_eq!(summary.ledger("lost"), 0);
    assert!(count(&summary.0, "slices") >= 3, "{}", summary.0["slices"]);
    let arrived = |path: &str| stats.paths[path].tally.arrived;
    assert_eq!(arrived("/ok/after"), 1, "who waited went on");
    let (slow, then) = (arrived("/delay/slow"), arrived("/ok/then"));
    assert!(slow - then <= 12, "{slow} {then}");
    assert!(slow > 5, "{slow}");
    assert_eq!(lab.running(), [] as [String; 0]);
}
