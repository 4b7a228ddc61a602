//! The main job: a scenario by name, scaled, on staging, from the first request to the last row. It is run once,
//! and each test looks at another promise about it.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, LEDGER_FIELDS, Lab, Profile, Run, Summary, count, unix_ms};

const USERS: u32 = 12;
const SECONDS: u32 = 15;
/// Over this the answer has waited for the run. What is promised is 300 ms on a machine that does nothing else.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Everything about the run, after its end.
pub(crate) struct Record {
    /// The run's identifier.
    pub(crate) id: String,
    /// The answer to `POST /runs`.
    pub(crate) accepted: Answer,
    /// The answer at the address that it gave.
    pub(crate) located: Value,
    /// The run's row in D1.
    pub(crate) row: Value,
    /// `summary_json`.
    pub(crate) summary: Summary,
    /// `config_json`.
    pub(crate) config: Value,
    /// The scenario as the API tells it.
    pub(crate) scenario: Value,
    /// The timeline, as the API answers it.
    pub(crate) metrics: Vec<Value>,
    /// The rows of the applications, as the API answers them.
    pub(crate) apps: Vec<Value>,
    /// The rows of the assertions, as the API answers them.
    pub(crate) assertions: Vec<Value>,
    /// The rows of the bottlenecks, as the API answers them.
    pub(crate) bottlenecks: Vec<Value>,
    /// The histograms, as the API answers them.
    pub(crate) histograms: Vec<Value>,
    /// How many requests Grove received meanwhile.
    pub(crate) arrived: u64,
}

/// The main job, which is played when the first test asks for it. When it fails, all of them do.
pub(crate) static RECORD: LazyLock<Record> = LazyLock::new(make_record);

fn make_record() -> Record {
    let lab = Lab::shared();
    let before = lab.grove.total();
    let body = json!({
        "scenario": "grove-mix", "environment": "staging",
        "users": USERS, "duration": format!("{SECONDS}s"),
    });
    let accepted = lab.api.post("/runs", &body);
    println!(
        "POST /runs answered in {:.0} ms",
        accepted.elapsed.as_secs_f64() * 1e3
    );
    let run = Run::accepted(&lab, &accepted);
    let location = accepted.header("location").to_owned();
    let path = location
        .split_once("/api/loadtest")
        .map_or("", |(_, path)| path);
    let located = lab.api.get(path).expect(200);

    let status = run.ended(Duration::from_secs(90));
    assert_eq!(status, "completed", "{}", run.row());
    let row = run.row();
    let config = row["config_json"].as_str().expect("config_json is a text");
    Record {
        id: run.id.clone(),
        accepted,
        located,
        summary: run.summary(),
        config: serde_json::from_str(config).expect("config_json is JSON"),
        scenario: lab.api.get("/scenarios/grove-mix").expect(200)["scenario"].clone(),
        metrics: run.rows("metrics"),
        apps: run.rows("apps"),
        assertions: run.rows("assertions"),
        bottlenecks: run.rows("bottlenecks"),
        histograms: run.rows("histograms"),
        arrived: lab.grove.total() - before,
        row,
    }
}

#[test]
fn the_start_is_answered_at_once_with_where_to_look() {
    let Record {
        id,
        accepted,
        located,
        ..
    } = &*RECORD;
    let answer = accepted.expect(202);
    assert!(
        answer["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{answer}"
    );
    assert_eq!(answer["scenario"], "grove-mix");
    assert_eq!(answer["environment"], "staging");
    assert_eq!(answer["id"], id.as_str());
    let location = accepted.header("location");
    assert!(
        location.ends_with(&format!("/api/loadtest/runs/{id}")),
        "Location: {location}"
    );
    assert_eq!(located["run"]["id"], id.as_str(), "what is at the Location");
    assert!(accepted.elapsed < ANSWER_MAX, "{:?}", accepted.elapsed);
}

#[test]
fn each_step_has_the_histograms_of_all_its_answers() {
    let Record {
        summary,
        histograms,
        ..
    } = &*RECORD;
    let steps = summary.0["steps"].as_array().expect("steps");
    for (number, step) in steps.iter().enumerate() {
        for kind in ["response", "service"] {
            let found = histograms.iter().find(|row| {
                row["step"] == json!(number)
                    && row["kind"] == kind
                    && row["step_name"] == step["step"]
            });
            // Each answer was recorded once: [overflow, value, count, step, count, …].
            let numbers = found.and_then(|row| row["histogram"].as_array());
            let counts = numbers.into_iter().flatten().skip(2).step_by(2);
            let recorded: u64 = counts.filter_map(Value::as_u64).sum();
            let cut_off = step["errorBreakdown"]["cut_off"].as_u64().unwrap_or(0);
            assert_eq!(
                recorded,
                count(step, "totalRequests") - cut_off,
                "{kind} {step}"
            );
        }
    }
}

#[test]
fn the_timeline_has_exactly_one_row_for_each_second() {
    let Record { row, metrics, .. } = &*RECORD;
    let timestamps: Vec<i64> = metrics
        .iter()
        .map(|row| row["timestamp"].as_i64().expect("a whole number of ms"))
        .collect();
    for pair in timestamps.windows(2) {
        assert_eq!(pair[1] - pair[0], 1_000, "{timestamps:?}");
    }
    let lead_ms = timestamps[0] - unix_ms(&row["started_at"]);
    assert!(
        (0..=1_000).contains(&lead_ms),
        "the first row is {lead_ms} ms after the start"
    );

    let length_ms = row["duration_ms"].as_i64().expect("a length");
    assert_eq!(
        length_ms,
        unix_ms(&row["ended_at"]) - unix_ms(&row["started_at"])
    );
    let planned_ms = i64::from(SECONDS) * 1_000;
    assert!(length_ms >= planned_ms, "{length_ms} ms");
    let rows = i64::try_from(timestamps.len()).expect("few rows");
    assert!(rows >= i64::from(SECONDS), "{rows} rows");
    // The end is noticed a little after the last second with load.
    assert!(
        rows * 1_000 <= length_ms + 1_000,
        "{rows} rows for {length_ms} ms"
    );
    assert!(
        rows * 1_000 >= length_ms - 10_000,
        "{rows} rows for {length_ms} ms"
    );
}

#[test]
fn the_timeline_follows_the_plan() {
    let Record {
        scenario, metrics, ..
    } = &*RECORD;
    let profile = Profile::parse(&scenario["userProfile"]).scaled(USERS, SECONDS);
    // Scaled numbers of users are rounded to whole ones.
    profile.assert_followed(metrics, 1.0);
    let most = metrics.iter().map(|row| count(row, "active_users")).max();
    assert_eq!(most, Some(u64::from(USERS)), "the peak is reached");
}

#[test]
fn each_second_tells_what_was_measured() {
    let Record {
        summary, metrics, ..
    } = &*RECORD;
    let number = |row: &Value, field: &str| row[field].as_f64();
    for row in metrics {
        let latencies: Vec<f64> = ["latency_p50", "latency_p95", "latency_p99", "latency_max"]
            .iter()
            .filter_map(|field| number(row, field))
            .collect();
        let rate = number(row, "requests_per_sec").expect("a number");
        assert!(rate >= 0.0);
        assert_eq!(latencies.len(), if rate > 0.0 { 4 } else { 0 }, "{row}");
        assert!(
            latencies.is_sorted() && latencies.iter().all(|ms| *ms >= 0.0),
            "{row}"
        );
        let errors = number(row, "error_rate").expect("a number");
        assert!((0.0..=1.0).contains(&errors), "{row}");
    }
    let total: f64 = metrics
        .iter()
        .filter_map(|row| number(row, "requests_per_sec"))
        .sum();
    let ended = summary.ledger("answered") + summary.ledger("failed") + summary.ledger("cutOff");
    assert!(
        (total - ended as f64).abs() < 0.5,
        "the rates add up to {total} of {ended} requests"
    );
    for (column, pointer) in [
        ("do_metrics", "/sessionDO/avgLatency"),
        ("do_metrics", "/tenantDO/avgLatency"),
        ("do_metrics", "/postDO/avgLatency"),
        ("d1_metrics", "/queriesPerSecond"),
        ("d1_metrics", "/rowsReadPerSecond"),
        ("d1_metrics", "/rowsWrittenPerSecond"),
        ("storage_metrics", "/bytesTransferred"),
    ] {
        let value = |row: &Value| {
            // Null in a second in which the target told nothing about it.
            let text = row[column].as_str().unwrap_or("null");
            let parsed: Value = serde_json::from_str(text).expect("JSON");
            parsed
                .pointer(pointer)
                .and_then(Value::as_f64)
                .unwrap_or(0.0)
        };
        let most = metrics.iter().map(value).fold(0.0, f64::max);
        assert!(most > 0.0, "no second has {column} {pointer}");
    }
}

#[test]
fn each_application_has_its_results() {
    let Record { scenario, apps, .. } = &*RECORD;
    let names = |rows: &[Value], field: &str| {
        let mut names: Vec<String> = rows
            .iter()
            .map(|row| row[field].as_str().expect("a name").to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        names(apps, "app_name"),
        ["auth-flow", "media-upload", "post-read", "post-write"]
    );
    let weighted = scenario["applications"].as_array().expect("a list");
    assert_eq!(names(apps, "app_name"), names(weighted, "name"));
    for row in apps {
        let [total, successful, failed] =
            ["total_requests", "successful_requests", "failed_requests"]
                .map(|field| count(row, field));
        assert_eq!(total, successful + failed, "{row}");
        assert!(total > 0, "{row}");
        let latencies: Vec<f64> = ["p50_latency_ms", "p95_latency_ms", "p99_latency_ms"]
            .iter()
            .map(|field| row[field].as_f64().expect("a latency"))
            .collect();
        assert!(latencies.is_sorted(), "{row}");
        assert!(
            row["avg_latency_ms"].as_f64().is_some_and(|ms| ms > 0.0),
            "{row}"
        );
        let errors = row["errors_by_type"].as_str().expect("a text");
        let errors: Value = serde_json::from_str(errors).expect("JSON");
        let counted: u64 = errors
            .as_object()
            .expect("an object")
            .values()
            .map(|count| count.as_u64().expect("a count"))
            .sum();
        assert_eq!(counted, failed, "{row}");
    }
}

#[test]
fn each_assertion_of_the_scenario_has_its_actual_value() {
    let Record {
        row,
        scenario,
        assertions,
        summary,
        ..
    } = &*RECORD;
    let expected = scenario["assertions"].as_array().expect("a list");
    assert!(!expected.is_empty());
    assert_eq!(assertions.len(), expected.len());
    let mut failed = 0;
    for wanted in expected {
        let found: Vec<&Value> = assertions
            .iter()
            .filter(|row| {
                row["metric"] == wanted["metric"] && row["operator"] == wanted["operator"]
            })
            .collect();
        let [found] = found.as_slice() else {
            panic!("{wanted} is stored as {found:?}");
        };
        let limit = wanted["value"].as_f64().expect("a number");
        assert_eq!(found["expected_value"].as_f64(), Some(limit));
        let actual = found["actual_value"].as_f64().expect("a measured value");
        assert!(actual >= 0.0, "it was measured: {found}");
        let holds = match wanted["operator"].as_str().expect("an operator") {
            "<" => actual < limit,
            "<=" => actual <= limit,
            ">" => actual > limit,
            ">=" => actual >= limit,
            "=" => (actual - limit).abs() < 1e-9,
            other => panic!("{other} is no operator"),
        };
        assert_eq!(found["passed"], i32::from(holds), "{found}");
        failed += usize::from(!holds);
    }
    assert_eq!(summary.passed(), failed == 0);
    assert_eq!(
        summary.0["failedAssertions"].as_array().map(Vec::len),
        Some(failed)
    );
    assert_eq!(row["status"], "completed", "whether it passed or not");
}

#[test]
fn no_request_is_lost_or_invented() {
    let Record {
        arrived,
        apps,
        summary,
        ..
    } = &*RECORD;
    let stored: u64 = apps.iter().map(|row| count(row, "total_requests")).sum();
    assert_eq!(*arrived, stored, "what Grove counted and what D1 holds");
    assert_eq!(
        *arrived,
        summary.ledger("sent"),
        "what Grove counted and what the ledger says"
    );
    assert!(
        *arrived > u64::from(USERS),
        "it was a real run: {arrived} requests"
    );
}

#[test]
fn the_ledger_balances() {
    let Record { summary, .. } = &*RECORD;
    summary.assert_balanced();
    assert!(summary.ledger("planned") > 0);
    assert_eq!(summary.ledger("lost"), 0);
    assert_eq!(summary.losses(), [] as [Value; 0]);
    let fields = summary.0["ledger"].as_object().expect("an object");
    for field in LEDGER_FIELDS {
        assert!(fields.contains_key(field), "{field}");
    }
}
