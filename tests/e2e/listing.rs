//! The reading side: what Vista's pages ask for, and what they get.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Lab, Run};

/// At least this many runs are there to be listed.
const RUNS: usize = 3;

fn make_runs(lab: &Lab) -> Vec<String> {
    let ids: Vec<String> = (0..RUNS)
        .map(|_| {
            let body = json!({
                "scenario": "auth-stress", "environment": "staging", "users": 1, "duration": "10s",
            });
            let run = Run::start(lab, &body);
            run.cancel();
            assert_eq!(run.ended(Duration::from_secs(10)), "cancelled");
            run.id
        })
        .collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), RUNS);
    ids
}

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter()
        .map(|row| row["id"].as_str().expect("an id").to_owned())
        .collect()
}

fn list(lab: &Lab, query: &str) -> Vec<Value> {
    let answer = lab.api.get(&format!("/runs{query}")).expect(200);
    answer["runs"].as_array().expect("a list").clone()
}

#[test]
fn runs_are_listed_newest_first_filtered_and_page_by_page() {
    let lab = Lab::shared();
    let made = make_runs(&lab);
    let all = ids(&lab.rows("SELECT id FROM load_test_runs ORDER BY started_at DESC, id DESC"));
    let newest = |count: usize| all[..count.min(all.len())].to_vec();

    assert_eq!(
        ids(&list(&lab, "")),
        newest(20),
        "20 unless another number is asked for"
    );
    assert_eq!(ids(&list(&lab, "?limit=2")), newest(2));
    let expected: Vec<String> = made.iter().rev().cloned().collect();
    assert_eq!(
        ids(&list(&lab, &format!("?scenario=auth-stress&limit={RUNS}"))),
        expected
    );
    assert_eq!(
        ids(&list(
            &lab,
            &format!("?status=cancelled&scenario=auth-stress&limit={RUNS}")
        )),
        expected
    );
    assert!(list(&lab, "?status=running").is_empty());
    assert!(list(&lab, "?scenario=no-such-scenario").is_empty());
    for row in list(&lab, "?status=cancelled&limit=100") {
        assert_eq!(row["status"], "cancelled");
    }

    let mut paged = Vec::new();
    let mut cursor = String::new();
    loop {
        let answer = lab.api.get(&format!("/runs?limit=2{cursor}")).expect(200);
        paged.extend(ids(answer["runs"].as_array().expect("a list")));
        let Some(next) = answer["nextCursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={}", next.replace('+', "%2B"));
        assert!(paged.len() <= all.len(), "the pages do not end");
    }
    assert_eq!(paged, all, "no run twice, none left out");
}

#[test]
fn a_listed_run_has_every_column_of_the_table() {
    let lab = Lab::shared();
    let id = make_runs(&lab).pop().expect("an id");
    let row = lab.run_row(&id);
    let listed = list(&lab, "?limit=1").pop().expect("a run");
    let one = lab.api.get(&format!("/runs/{id}")).expect(200)["run"].clone();
    for (column, value) in row.as_object().expect("an object") {
        assert_eq!(&one[column], value, "{column}");
        assert!(listed.get(column).is_some(), "{column}");
        if column != "summary_json" {
            assert_eq!(&listed[column], value, "{column}");
        }
    }
    assert_eq!(row["status"], "cancelled");
    let created = row["created_at"].as_str().expect("a text");
    assert_eq!(
        created.len(),
        "2026-01-04 00:00:00".len(),
        "the table's default: {created}"
    );
}

#[test]
fn what_belongs_to_a_run_is_answered_as_the_table_has_it() {
    let lab = Lab::shared();
    let body = json!({
        "scenario": "grove-mix", "environment": "staging", "users": 3, "duration": "4s",
    });
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(Duration::from_secs(40)), "completed");
    for (view, table, order) in [
        ("metrics", "load_test_metrics", "timestamp"),
        ("bottlenecks", "load_test_bottlenecks", "id"),
        ("apps", "load_test_app_results", "id"),
        ("assertions", "load_test_assertions", "id"),
    ] {
        let sql = format!(
            "SELECT * FROM {table} WHERE run_id = '{}' ORDER BY {order}",
            run.id
        );
        let stored = lab.rows(&sql);
        let answered = run.rows(view);
        assert_eq!(answered.len(), stored.len(), "{view}");
        for (answered, stored) in answered.iter().zip(&stored) {
            for (column, value) in stored.as_object().expect("an object") {
                assert_same(&answered[column], value, column);
            }
        }
    }
    // What the timeline chart of the dashboard reads of each second.
    for second in run.rows("metrics") {
        assert_eq!(second["activeUsers"], second["active_users"]);
        assert_eq!(second["latency"]["p95"], second["latency_p95"]);
        assert_eq!(second["errorRate"], second["error_rate"]);
        assert!(
            second["timestamp"].is_u64() && second["phase"].is_string(),
            "{second}"
        );
    }
}

#[test]
fn scenarios_are_listed_and_shown_with_what_the_selector_needs() {
    let lab = Lab::shared();
    let answer = lab.api.get("/scenarios").expect(200);
    let scenarios = answer["scenarios"].as_array().expect("a list");
    let names: BTreeSet<&str> = scenarios
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    for name in ["grove-mix", "launch-day", "auth-stress", "multi-tenant"] {
        assert!(names.contains(name), "{name} is not in {names:?}");
        let shown = lab.api.get(&format!("/scenarios/{name}")).expect(200)["scenario"].clone();
        assert_eq!(shown["name"], name);
        assert!(
            shown["description"]
                .as_str()
                .is_some_and(|text| text.len() > 10),
            "{shown}"
        );
        assert!(
            shown["applications"]
                .as_array()
                .is_some_and(|list| !list.is_empty()),
            "{shown}"
        );
        assert!(shown["userProfile"]["peak"]["users"].is_u64(), "{shown}");
    }
    for one in scenarios {
        assert!(one["description"].is_string(), "{one}");
    }
}

#[test]
fn health_is_open_and_tells_nothing_that_is_secret() {
    let lab = Lab::shared();
    let request = ureq::http::Request::builder().uri(lab.api.url("/health"));
    let answer = lab.api.send(request.body(()).expect("a valid request"));
    let body = answer.expect(200);
    assert!(body.is_object());
    assert!(!answer.text.contains(lab.token()) && !answer.text.contains(&lab.grove_url()));
}

/// D1 gives a whole real number as an integer.
fn assert_same(answered: &Value, stored: &Value, what: &str) {
    match (answered.as_f64(), stored.as_f64()) {
        (Some(answered), Some(stored)) => assert_eq!(answered, stored, "{what}"),
        _ => assert_eq!(answered, stored, "{what}"),
    }
}
