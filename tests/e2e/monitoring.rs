//! The target is watched while it is under load: by one batch of all, at its own times, and its memory that grows
//! fails the run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::{Lab, Reply, Run, count};

/// Longer than any run here by far.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn memory_that_grows_is_found_at_the_edge() {
    let lab = Lab::shared();
    let asked = AtomicU64::new(0);
    let target = lab.target(move |received| {
        if received.path != "/health" {
            return Reply::json(&json!({"ok": true}));
        }
        // By a hundredth each time.
        let rss = 1e8 + 1e6 * asked.fetch_add(1, Ordering::Relaxed) as f64;
        Reply::json(&json!({"memory": {"rss": rss}}))
    });
    let url = target.url();
    let body = json!({
        "scenario": {
            "name": "e2e-monitoring",
            "description": "made by a test",
            "applications": [{"name": "visit", "weight": 1}],
            "load": {"executor": "constant-vus", "vus": 30, "duration": "16s"},
            "pause": "500ms",
            "gracefulStop": "5s",
            "monitoring": {
                "url": format!("{url}/health"),
                "interval": "1s",
                "series": {
                    "memory_bytes": {"from": "$.memory.rss", "contains": "data", "alertOnGrowth": "10%/hour", "max": 1e9}
                },
            },
        },
        "applications": [{"name": "visit", "steps": [
            {"name": "get", "request": {"method": "GET", "url": format!("{url}/page")}},
        ]}],
        "environment": "staging",
    });
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(LIMIT), "completed");
    let summary = run.summary();
    summary.assert_balanced();
    assert!(
        summary.0["batches"]
            .as_u64()
            .is_some_and(|batches| batches > 1)
    );

    let received = target.received();
    let polls = received.iter().filter(|one| one.path == "/health").count() as u64;
    let watched = &summary.0["monitoring"];
    assert_eq!(
        (count(watched, "polls"), count(watched, "pollsFailed")),
        (polls, 0)
    );
    assert!(
        (10..=16).contains(&polls),
        "one of all batches asks: {polls}"
    );
    assert_eq!(summary.ledger("sent"), received.len() as u64 - polls);
    let memory = &watched["series"][0];
    assert_eq!(count(memory, "samples"), polls);
    let grown = memory["growthPercentPerHour"].as_f64().expect("a growth");
    assert!(grown > 10.0, "{grown}");

    assert!(!summary.passed());
    let judged = summary.0["thresholds"].as_array().expect("thresholds");
    let verdict = |metric: &str| {
        let found = judged.iter().find(|one| one["metric"] == metric);
        let found = found.unwrap_or_else(|| panic!("{metric} in {judged:?}"));
        found["verdict"]["verdict"].clone()
    };
    assert_eq!(verdict("memory_bytes_growth"), "fail");
    assert_eq!(verdict("memory_bytes"), "pass");
}
