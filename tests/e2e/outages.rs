//! D1 and KV refuse while a run goes on: the load goes on too, and nothing that was measured is lost, not even when
//! the runtime is killed meanwhile.

use std::fs;
use std::time::{Duration, Instant};

use devstack::Service;
use serde_json::{Value, json};

use crate::support::{Lab, Run, are_seconds_in_turn, until, watch};

/// How long D1 refuses.
const OUTAGE: Duration = Duration::from_secs(60);

fn body(environment: &str, duration: &str) -> Value {
    json!({
        "scenario": "grove-mix", "environment": environment, "dryRun": false, "users": 6,
        "duration": duration,
    })
}

/// What the load tester has printed.
fn log(lab: &Lab) -> String {
    fs::read_to_string(lab.log(Service::LoadTest)).expect("a log")
}

#[test]
fn a_minute_without_d1_loses_nothing() {
    let mut lab = Lab::own();
    let run = Run::start(&lab, &body("staging", "12s"));
    run.has_seconds(2);
    let outage = lab.refuse_d1().expect("D1 refuses");
    let refused = Instant::now();
    let sent_before = lab.grove.total();
    let new = lab.api.post("/runs", &body("production", "2s"));
    assert_eq!(new.status, 503, "{}", new.text);
    assert_eq!(new.json()["code"], "unavailable");

    let rows = || lab.value("SELECT count(*) AS n FROM load_test_metrics");
    let seen = watch(refused + OUTAGE, rows);
    let (first, last) = (&seen[0].1, &seen[seen.len() - 1].1);
    assert_eq!(first, last, "D1 refused all the time");
    assert!(lab.grove.total() > sent_before + 20, "the load went on");
    assert_eq!(run.status(), "running", "D1 does not know of its end yet");
    assert!(log(&lab).contains("database_failed"));
    until("the load is over", Duration::from_secs(60), || {
        log(&lab).contains("run_ended").then_some(())
    });
    // What D1 has not taken is stored where a crash does not reach it.
    let id = run.id;
    lab.kill_hard(Service::LoadTest);
    lab.restart(Service::LoadTest).expect("it starts again");
    let run = Run::again(&lab, &id);
    assert_eq!(run.status(), "running", "D1 still refuses");
    drop(outage);

    assert_eq!(run.ended(Duration::from_secs(120)), "completed");
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.losses(), [] as [Value; 0]);
    let times = run.timestamps();
    assert!(times.len() >= 12, "a row for each second: {times:?}");
    assert!(are_seconds_in_turn(&times), "without a gap: {times:?}");
    assert_eq!(run.rows("apps").len(), 4);
    let (sent, arrived) = (summary.ledger("sent"), lab.grove.total());
    assert!(
        sent - summary.ledger("cutOff") <= arrived && arrived <= sent,
        "{arrived} arrived: {}",
        summary.0["ledger"]
    );
    assert_eq!(
        lab.running(),
        [] as [String; 0],
        "nor was another run begun"
    );
}

#[test]
fn while_d1_cannot_be_read_the_api_says_so_and_the_load_goes_on() {
    let lab = Lab::own();
    let run = Run::start(&lab, &body("staging", "20s"));
    run.has_seconds(2);
    let outage = lab.hide_d1_tables().expect("D1 knows no table");
    let sent = lab.grove.total();
    let below = |rest: &str| format!("/runs/{}{rest}", run.id);
    let mut paths = vec!["/runs".to_owned(), "/metrics".to_owned()];
    let views = [
        "",
        "/metrics",
        "/apps",
        "/assertions",
        "/bottlenecks",
        "/histograms",
    ];
    paths.extend(views.map(below));
    for path in paths {
        let answer = lab.api.get(&path);
        assert_eq!(answer.status, 503, "{path}: {}", answer.text);
        assert_eq!(answer.json()["code"], "unavailable", "{path}");
    }
    for (path, body) in [
        (below("/cancel"), json!({})),
        ("/runs".to_owned(), body("production", "2s")),
    ] {
        let answer = lab.api.post(&path, &body);
        assert_eq!(answer.status, 503, "{path}: {}", answer.text);
        assert_eq!(answer.json()["code"], "unavailable", "{path}");
    }
    lab.api.get("/health").expect(200);
    until("the load goes on", Duration::from_secs(60), || {
        (lab.grove.total() > sent + 10).then_some(())
    });
    drop(outage);

    assert_eq!(run.ended(Duration::from_secs(120)), "completed");
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.losses(), [] as [Value; 0]);
    let rows = run.rows("metrics");
    assert!(rows.len() >= 20, "a row for each second: {}", rows.len());
    assert_eq!(
        summary.ledger("sent") - summary.ledger("cutOff"),
        lab.grove.total()
    );
}

#[test]
fn a_run_goes_on_without_kv_and_can_be_cancelled() {
    let lab = Lab::shared();
    // KV has a database when it was asked for something.
    let first = Run::start(&lab, &body("staging", "2s"));
    assert_eq!(first.ended(Duration::from_secs(60)), "completed");
    let printed = log(&lab).len();
    let outage = lab.refuse_kv().expect("KV refuses");
    let before = lab.grove.total();
    let run = Run::start(&lab, &body("staging", "60s"));
    run.has_seconds(4);
    assert!(lab.grove.total() > before, "the load went on");
    run.cancel();
    assert_eq!(run.ended(Duration::from_secs(60)), "cancelled");
    drop(outage);
    assert!(
        log(&lab)[printed..].contains("flag_not_raised"),
        "KV refused"
    );
    let summary = run.summary();
    summary.assert_balanced();
    let (sent, arrived) = (summary.ledger("sent"), lab.grove.total() - before);
    assert!(
        sent - summary.ledger("cutOff") <= arrived && arrived <= sent,
        "{arrived} arrived: {}",
        summary.0["ledger"]
    );
    assert_eq!(summary.losses(), [] as [Value; 0]);
}
