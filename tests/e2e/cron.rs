//! What the platform's clock starts: the nightly run, and the watchdog.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Lab, Run, count, until};

const NIGHTLY: &str = "0 4 * * *";
const WATCHDOG: &str = "*/5 * * * *";

#[test]
fn at_4_am_the_nightly_scenario_starts() {
    let lab = Lab::shared();
    let before = lab.value("SELECT count(*) FROM load_test_runs");
    lab.trigger_cron(NIGHTLY).expect("the cron runs");
    let id = until("the nightly run is in D1", Duration::from_secs(5), || {
        lab.running().pop()
    });
    let run = Run::again(&lab, &id);
    let row = run.row();
    assert_eq!(row["scenario_name"], "grove-mix");
    let config: Value =
        serde_json::from_str(row["config_json"].as_str().expect("text")).expect("JSON");
    assert_eq!(config["environment"], "staging");
    run.has_seconds(2);

    // A second trigger finds the environment taken and starts nothing.
    lab.trigger_cron(NIGHTLY).expect("the cron runs");
    let after = lab.value("SELECT count(*) FROM load_test_runs");
    assert_eq!(after.as_u64(), before.as_u64().map(|count| count + 1));

    run.cancel();
    assert_eq!(run.ended(Duration::from_secs(10)), "cancelled");
}

#[test]
fn the_watchdog_does_not_disturb_a_run() {
    let lab = Lab::shared();
    let before = lab.grove.total();
    let body = json!({
        "scenario": "grove-mix", "environment": "staging", "users": 6, "duration": "8s",
    });
    let run = Run::start(&lab, &body);
    for seconds in [1, 2, 4, 6] {
        run.has_seconds(seconds);
        lab.trigger_cron(WATCHDOG).expect("the watchdog runs");
    }
    assert_eq!(run.ended(Duration::from_secs(40)), "completed");
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.losses(), [] as [Value; 0]);
    assert_eq!(summary.ledger("sent"), lab.grove.total() - before);
    let rows = run.rows("metrics");
    for pair in rows.windows(2) {
        assert_eq!(
            count(&pair[1], "timestamp"),
            count(&pair[0], "timestamp") + 1_000
        );
    }
    assert_eq!(lab.running(), [] as [String; 0]);
}
