//! Targets that do what they should not: each fault is counted in its class, as often as the target saw it, and
//! ends neither the run nor the load on the others. All of them are played in one run.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::{Stats, Tally};

use crate::support::{Lab, NOBODY, Reply, Run, Summary, Target, count, let_go, six_of_each};

/// How many requests each application of [`six_of_each`] sends.
const EACH: u64 = 6;

/// What each application asks of the testbed, and the class in which all of its requests are to be counted.
///
/// The runtime does not tell a broken answer from a broken connection: both are "Network connection lost.".
const FAULTS: [(&str, &str, Option<&str>); 22] = [
    ("fine", "/ok/fine", None),
    ("errors", "/errors?status=503", Some("status_503")),
    (
        "limited",
        "/errors/limited?status=429",
        Some("rate_limited"),
    ),
    ("own-522", "/errors/own?status=522", Some("status_522")),
    (
        "cf-limited",
        "/cloudflare/a?error=1015",
        Some("cloudflare_1015"),
    ),
    (
        "cf-worker",
        "/cloudflare/b?error=1042&status=404",
        Some("cloudflare_1042"),
    ),
    (
        "cf-timeout",
        "/cloudflare/c?error=522&status=522",
        Some("cloudflare_522"),
    ),
    ("hang", "/hang", Some("timeout")),
    ("hang-body", "/hang-body?n=100000", Some("timeout")),
    ("reset", "/reset", Some("reset")),
    ("reset-body", "/reset/body?at=body", Some("reset")),
    ("close", "/close?answer=no", Some("reset")),
    ("large", "/bytes?n=10485760", Some("body_too_large")),
    ("endless", "/endless", Some("body_too_large")),
    ("broken-name", "/broken-header/a?kind=name", Some("reset")),
    ("broken-value", "/broken-header/b?kind=value", Some("reset")),
    ("broken-line", "/broken-header/c?kind=line", Some("reset")),
    (
        "broken-status",
        "/broken-header/d?kind=status",
        Some("reset"),
    ),
    (
        "broken-length",
        "/broken-header/e?kind=length",
        Some("reset"),
    ),
    ("broken-chunk", "/broken-header/f?kind=chunk", Some("reset")),
    ("huge-head", "/broken-header/g?kind=huge", Some("reset")),
    ("garbage", "/broken-header/h?kind=garbage", Some("reset")),
];

/// The run, after its end.
struct Record {
    summary: Summary,
    status: String,
    /// The rows of the applications by name.
    apps: BTreeMap<String, Value>,
    stats: Stats,
    /// How many requests reached a host that no load may go to.
    strayed: usize,
}

impl Record {
    fn requests(&self, app: &str) -> u64 {
        count(&self.apps[app], "total_requests")
    }

    /// Errors by class.
    fn errors(&self, app: &str) -> Value {
        let text = self.apps[app]["errors_by_type"].as_str().expect("a text");
        serde_json::from_str(text).expect("JSON")
    }

    /// What the testbed counted for a path with its query.
    fn tally(&self, path: &str) -> Tally {
        self.stats.path(path.split('?').next().unwrap_or(path))
    }
}

/// The run, which is played when the first test asks for it. When it fails, all of them do.
static RECORD: LazyLock<Record> = LazyLock::new(make_record);

fn make_record() -> Record {
    let lab = Lab::shared();
    let testbed = lab.testbed();
    let elsewhere = Target::forbidden(|_| Reply::json(&json!({"trap": true})));
    let mut apps: Vec<(&str, String)> = FAULTS
        .iter()
        .map(|(app, path, _)| (*app, format!("{}{path}", testbed.url())))
        .collect();
    let redirect = format!("{}/redirect?to={}/trap", testbed.url(), elsewhere.url());
    apps.push(("redirect", redirect));
    apps.push(("down", format!("http://{NOBODY}/")));
    let run = Run::start(&lab, &six_of_each(&apps));
    let status = run.ended(Duration::from_secs(120));
    let stats = let_go(&testbed);
    let rows = run.rows("apps").into_iter();
    Record {
        summary: run.summary(),
        status,
        apps: rows
            .map(|row| (row["app_name"].as_str().expect("a name").to_owned(), row))
            .collect(),
        stats,
        strayed: elsewhere.received().len(),
    }
}

#[test]
fn a_run_on_broken_targets_ends_with_a_balanced_ledger_and_no_hole() {
    let Record {
        summary, status, ..
    } = &*RECORD;
    assert_eq!(status, "completed");
    summary.assert_balanced();
    assert_eq!(summary.losses(), [] as [Value; 0]);
    assert!(!summary.passed());
    let apps = FAULTS.len() as u64 + 2;
    assert_eq!(summary.ledger("sent"), apps * EACH);
    assert_eq!(summary.ledger("finished"), apps * EACH, "{}", summary.0);
}

#[test]
fn each_fault_has_its_class() {
    for (app, _, class) in FAULTS {
        let expected = class.map_or(json!({}), |class| json!({class: EACH}));
        assert_eq!(RECORD.errors(app), expected, "{app}");
        assert_eq!(RECORD.requests(app), EACH, "{app}");
    }
}

#[test]
fn what_cloudflare_failed_is_told_apart_from_what_the_target_failed() {
    let summary = &RECORD.summary;
    assert_eq!(
        summary.0["platformErrors"],
        json!({"cloudflare_1015": EACH, "cloudflare_1042": EACH, "cloudflare_522": EACH})
    );
    let warnings = summary.0["warnings"].as_array().expect("a list");
    let told = format!("{} requests failed because of Cloudflare", 3 * EACH);
    let says = |warning: &Value| warning.as_str().is_some_and(|text| text.starts_with(&told));
    assert!(warnings.iter().any(says), "{warnings:?}");
}

#[test]
fn each_request_is_counted_as_the_target_counted_it() {
    for (app, path, _) in FAULTS {
        let tally = RECORD.tally(path);
        if ["close", "reset"].contains(&app) {
            // The runtime asks again, by itself, as often as a connection that it had used before ends without a
            // byte of an answer: how many of those it keeps, nobody knows.
            assert!(tally.arrived >= EACH, "{app}: {tally:?}");
        } else {
            assert_eq!(tally.arrived, EACH, "{app}: {tally:?}");
        }
    }
}

#[test]
fn what_hangs_or_is_too_large_is_let_go_of() {
    for path in ["/hang", "/hang-body", "/bytes", "/endless"] {
        let tally = RECORD.tally(path);
        assert_eq!((tally.waiting, tally.sending), (0, 0), "{path}: {tally:?}");
        // All of the 10 MB may be in the buffers between the two when the batch stops reading.
        let in_buffers = if path == "/bytes" { tally.completed } else { 0 };
        assert_eq!(tally.aborted + in_buffers, EACH, "{path}: {tally:?}");
    }
}

#[test]
fn a_redirect_leads_nowhere() {
    assert_eq!(RECORD.errors("redirect"), json!({"status_302": EACH}));
    assert_eq!(RECORD.tally("/redirect").completed, EACH);
    assert_eq!(RECORD.strayed, 0, "the other host was asked");
}

#[test]
fn a_target_that_is_down_is_an_error_each_time() {
    // The runtime does not tell a refused connection from a broken one.
    assert_eq!(RECORD.errors("down"), json!({"reset": EACH}));
    assert_eq!(RECORD.requests("down"), EACH);
}
