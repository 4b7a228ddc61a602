//! The runtime is killed with SIGKILL at ten different points of a run, and started again on the same state: each
//! run ends, its ledger balances, and what is missing is stated. Each kill hits two runs, an early one and a late
//! one, because the two environments may be tested at the same time.

use std::time::Duration;

use devstack::Service;
use serde_json::json;
use testbed::Testbed;

use crate::support::{Lab, Run, are_seconds_in_turn, count, inline, profile, until};

/// On a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(120);

/// How far a run is when the runtime is killed. A plan lasts 7 s, in slices of 4 s; that of a run that is to be
/// cancelled lasts longer, so that there is something to cancel.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Point {
    /// It was accepted a moment ago.
    Accepted,
    /// Its first request has reached the target, and nothing is told yet.
    FirstRequest,
    /// So many seconds of its timeline are in D1.
    Told(usize),
    /// Somebody has cancelled it a moment ago.
    Cancelled,
    /// Its last second is in D1; the summary may be or not.
    LastSecond,
    /// It was killed in its second second, and again as soon as the runtime was back.
    Twice,
}

/// What the two runs of each kill have reached.
const KILLS: [(Point, Point); 5] = [
    (Point::Accepted, Point::Told(2)),
    (Point::FirstRequest, Point::Told(4)), // at the border between two slices
    (Point::Told(1), Point::Told(6)),      // while the load goes down
    (Point::Cancelled, Point::LastSecond),
    (Point::Twice, Point::Told(3)),
];

/// A run of a target that counts by run.
fn start(lab: &Lab, testbed: &Testbed, environment: &str, point: Point) -> String {
    let url = format!("{}/delay?normal=30,10", testbed.url());
    let step = json!({"name": "get", "request": {"method": "GET", "url": url}});
    let steady_s = if point == Point::Cancelled { 60 } else { 2 };
    let mut body = inline(&profile(8, [1, 2, steady_s, 2]), &json!([step]));
    body["environment"] = json!(environment);
    body["dryRun"] = json!(false);
    Run::start(lab, &body).id
}

/// How many requests of a run have arrived.
fn arrived(testbed: &Testbed, id: &str) -> u64 {
    let batches = testbed.stats().batches.into_iter();
    batches
        .filter(|batch| batch.run == id)
        .map(|batch| batch.tally.arrived)
        .sum()
}

fn reach(lab: &Lab, testbed: &Testbed, id: &str, point: Point) {
    let run = Run::again(lab, id);
    let is_there = |rows: usize| run.rows("metrics").len() >= rows || run.status() != "running";
    let rows = match point {
        Point::Accepted => return,
        Point::FirstRequest => {
            return until("its first request arrives", PATIENCE, || {
                (arrived(testbed, id) > 0).then_some(())
            });
        }
        Point::Cancelled => {
            run.cancel();
            return;
        }
        Point::Told(rows) => rows,
        Point::Twice => 1,
        Point::LastSecond => 7,
    };
    until(&format!("{point:?}"), PATIENCE, || {
        is_there(rows).then_some(())
    });
}

/// The run ends, and everything that happened is counted or stated.
fn assert_ended(lab: &Lab, testbed: &Testbed, id: &str, point: Point) {
    let run = Run::again(lab, id);
    let status = run.ended(PATIENCE);
    let summary = run.summary();
    summary.assert_balanced();
    let (sent, arrived) = (summary.ledger("sent"), arrived(testbed, id));
    let holes = summary.holes();
    println!("{point:?}: {status}, {sent} of {arrived} requests, holes {holes:?}");
    assert!(
        ["completed", "failed", "cancelled"].contains(&status.as_str()),
        "{point:?}: {status}"
    );
    assert_eq!(
        status == "cancelled",
        point == Point::Cancelled,
        "{point:?}"
    );
    // A request that was given up in the moment in which it was sent may not have reached the network.
    assert!(
        sent - summary.ledger("cutOff") <= arrived,
        "{point:?}: {sent} told, {arrived} arrived"
    );
    if arrived > sent {
        assert!(
            !holes.is_empty(),
            "{point:?}: {arrived} arrived, {sent} told"
        );
    }
    let times = run.timestamps();
    assert!(
        are_seconds_in_turn(&times),
        "{point:?}: no second is told twice, and none is missing: {times:?}"
    );
    let stored: u64 = run
        .rows("apps")
        .iter()
        .map(|row| count(row, "total_requests"))
        .sum();
    assert_eq!(
        stored, sent,
        "{point:?}: what D1 holds and what the ledger says"
    );
}

fn kill_and_restart(lab: &mut Lab) {
    lab.kill_hard(Service::LoadTest);
    lab.restart(Service::LoadTest).expect("it starts again");
}

#[test]
fn a_run_survives_a_kill_at_ten_points() {
    let mut lab = Lab::own();
    let testbed = lab.testbed();
    for (early, late) in KILLS {
        let ahead = start(&lab, &testbed, "production", late);
        // Where it is when the other one starts, which takes its time to get anywhere.
        let lead = match (early, late) {
            (Point::Accepted | Point::FirstRequest, late) => late,
            (_, Point::Told(rows)) => Point::Told(rows - 1),
            _ => Point::Told(5),
        };
        reach(&lab, &testbed, &ahead, lead);
        let behind = start(&lab, &testbed, "staging", early);
        reach(&lab, &testbed, &ahead, late);
        reach(&lab, &testbed, &behind, early);
        kill_and_restart(&mut lab);
        if early == Point::Twice {
            kill_and_restart(&mut lab);
        }
        assert_ended(&lab, &testbed, &ahead, late);
        assert_ended(&lab, &testbed, &behind, early);
    }
    let running: Vec<String> = lab.running();
    assert_eq!(running, [] as [String; 0], "no run is stuck");
}
