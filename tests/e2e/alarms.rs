//! Alarms that come otherwise than they were set: more than once, or never. The platform promises at least one of
//! each; the watchdog looks after those that do not come all the same, and after runs that nobody plays.

use std::fs;
use std::time::Duration;

use devstack::Service;
use serde_json::{Value, json};

use crate::support::{Lab, Reply, Run, Target, are_seconds_in_turn, until};

const LIMIT: Duration = Duration::from_secs(120);

const WATCHDOG: &str = "*/5 * * * *";

fn body() -> Value {
    json!({
        "scenario": "grove-mix", "environment": "staging", "users": 6, "duration": "10s",
    })
}

/// What the load tester has printed.
fn log(lab: &Lab) -> String {
    fs::read_to_string(lab.log(Service::LoadTest)).expect("a log")
}

/// The run was played from its first second to its last, once.
fn assert_played_once(lab: &Lab, run: &Run<'_>) {
    assert_eq!(run.ended(LIMIT), "completed", "{}", run.row());
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.losses(), [] as [Value; 0]);
    assert_eq!(summary.ledger("sent"), lab.grove.total());
    let times = run.timestamps();
    assert!(times.len() >= 10, "{times:?}");
    assert!(are_seconds_in_turn(&times), "{times:?}");
    assert_eq!(run.rows("apps").len(), 4);
    assert_eq!(lab.running(), [] as [String; 0]);
}

/// The runs for which the watchdog has stepped in, as the alerts tell.
fn stepped(hook: &Target) -> Vec<String> {
    let alerts = hook.received().into_iter();
    let alerts =
        alerts.map(|request| -> Value { serde_json::from_str(&request.body).expect("JSON") });
    let of_watchdog = alerts.filter(|alert| alert["alert"] == "watchdog_stepped");
    of_watchdog
        .map(|alert| alert["run"].as_str().expect("an identifier").to_owned())
        .collect()
}

#[test]
fn alarms_that_come_twice_and_again_change_nothing() {
    let lab = Lab::faulty(|options| options);
    lab.misbehave(&json!({"alarms": "thrice"}));
    let run = Run::start(&lab, &body());
    assert_played_once(&lab, &run);
}

#[test]
fn the_watchdog_revives_a_run_whose_alarm_was_lost_and_ends_one_that_nobody_knows() {
    let hook = Target::forbidden(|_| Reply::json(&json!({})));
    let url = format!("{}/", hook.url());
    let lab = Lab::faulty(|options| options.var("ALERT_WEBHOOK", url));
    lab.misbehave(&json!({"alarms": "lost"}));
    let run = Run::start(&lab, &body());
    let unknown = "00000000-0000-4000-8000-0000000000ff";
    let insert = format!(
        "INSERT INTO load_test_runs (id, scenario_name, started_at, status, config_json) \
         VALUES ('{unknown}', 'lost', '2026-01-01T00:00:00.000Z', 'running', '{{\"environment\": \"production\"}}')"
    );
    lab.d1_execute(&insert).expect("a row");
    assert_eq!(lab.running().len(), 2);
    until("the alarm was lost", LIMIT, || {
        log(&lab)
            .contains("on purpose: the alarm is lost")
            .then_some(())
    });

    lab.trigger_cron(WATCHDOG).expect("the watchdog runs");
    assert_eq!(lab.run_row(unknown)["status"], "failed");
    let summary = lab.summary(unknown);
    assert_eq!(
        summary.0["failure"],
        "the coordinator of the run knows nothing of it"
    );
    assert_played_once(&lab, &run);
    until("both are told", LIMIT, || {
        (stepped(&hook).len() >= 2).then_some(())
    });
    let mut told = stepped(&hook);
    told.sort();
    let mut expected = [unknown.to_owned(), run.id];
    expected.sort();
    assert_eq!(told, expected);
    let log = log(&lab);
    assert!(log.contains("alarm_set_again") && log.contains("orphan_failed"));

    // The next time there is nothing to be done.
    lab.trigger_cron(WATCHDOG).expect("the watchdog runs");
    assert_eq!(stepped(&hook).len(), 2);
}
