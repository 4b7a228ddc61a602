//! What is stored as JSON is the spec's `TestRunResult` and `TestRunConfig`, field by field.

use serde_json::Value;

use crate::main_job::RECORD;
use crate::support::unix_ms;

/// What a field holds.
enum Kind {
    Text,
    Time,
    Number,
    /// A number, or null where nothing was measured.
    Measured,
    Bool,
    OneOf(&'static [&'static str]),
    Object(&'static [(&'static str, Self)]),
    ListOf(&'static Self),
    /// An object from names of any kind.
    MapOf(&'static Self),
    /// May be absent.
    Maybe(&'static Self),
    /// Null where the target told nothing.
    Told(&'static Self),
    Anything,
}

use Kind::{
    Anything, Bool, ListOf, MapOf, Maybe, Measured, Number, Object, OneOf, Text, Time, Told,
};

const PHASE_SUMMARY: Kind = Object(&[
    ("avgLatency", Measured),
    ("p95Latency", Measured),
    ("errorRate", Measured),
    ("throughput", Measured),
    ("peakUsers", Number),
]);

const LATENCY_PERCENTILES: Kind = Object(&[
    ("p50", Measured),
    ("p75", Measured),
    ("p90", Measured),
    ("p95", Measured),
    ("p99", Measured),
    ("max", Measured),
]);

const BOTTLENECK: Kind = Object(&[
    ("component", Text),
    ("saturationPoint", Number),
    ("symptom", Text),
    ("severity", OneOf(&["warning", "critical"])),
    ("details", Maybe(&MapOf(&Anything))),
]);

const APPLICATION_RESULT: Kind = Object(&[
    ("successRate", Measured),
    ("avgLatency", Measured),
    ("p95Latency", Measured),
    ("errorBreakdown", MapOf(&Number)),
]);

const DURABLE_OBJECT: Kind = Object(&[
    ("wakeRate", Measured),
    ("avgLatency", Measured),
    ("errorRate", Measured),
]);

const DO_METRICS: Kind = Object(&[
    ("sessionDO", DURABLE_OBJECT),
    ("tenantDO", DURABLE_OBJECT),
    ("postDO", DURABLE_OBJECT),
]);

const D1_METRICS: Kind = Object(&[
    ("queriesPerSecond", Measured),
    ("batchedWritesPerSecond", Measured),
    ("avgQueryLatency", Measured),
    ("rowsReadPerSecond", Measured),
    ("rowsWrittenPerSecond", Measured),
]);

const STORAGE_METRICS: Kind = Object(&[
    ("readsPerSecond", Measured),
    ("writesPerSecond", Measured),
    ("bytesTransferred", Measured),
]);

const PHASE: Kind = OneOf(&["ramp_up", "peak", "steady_state", "ramp_down"]);

const METRICS_SNAPSHOT: Kind = Object(&[
    ("timestamp", Number),
    ("phase", PHASE),
    ("activeUsers", Number),
    ("requestsPerSec", Number),
    ("latency", LATENCY_PERCENTILES),
    ("errorRate", Measured),
    ("errorsByType", MapOf(&Number)),
    ("doMetrics", Told(&DO_METRICS)),
    ("d1Metrics", Told(&D1_METRICS)),
    ("storageMetrics", Told(&STORAGE_METRICS)),
]);

const TEST_RUN_RESULT: Kind = Object(&[
    ("id", Text),
    ("scenarioName", Text),
    ("startTime", Time),
    ("endTime", Time),
    ("duration", Number),
    ("passed", Bool),
    ("failedAssertions", ListOf(&Text)),
    (
        "phases",
        Object(&[
            ("rampUp", PHASE_SUMMARY),
            ("peak", PHASE_SUMMARY),
            ("steadyState", PHASE_SUMMARY),
        ]),
    ),
    ("latencyPercentiles", LATENCY_PERCENTILES),
    ("bottlenecks", ListOf(&BOTTLENECK)),
    ("applicationResults", MapOf(&APPLICATION_RESULT)),
    ("timeline", ListOf(&METRICS_SNAPSHOT)),
]);

const PLATEAU: Kind = Object(&[("users", Number), ("duration", Text)]);

const LOAD_SCENARIO: Kind = Object(&[
    ("name", Text),
    ("description", Text),
    (
        "applications",
        ListOf(&Object(&[("name", Text), ("weight", Number)])),
    ),
    (
        "userProfile",
        Object(&[
            (
                "rampUp",
                Object(&[("from", Number), ("to", Number), ("duration", Text)]),
            ),
            ("peak", PLATEAU),
            ("steadyState", PLATEAU),
            ("rampDown", Object(&[("to", Number), ("duration", Text)])),
        ]),
    ),
    (
        "assertions",
        ListOf(&Object(&[
            ("metric", Text),
            ("operator", Text),
            ("value", Number),
        ])),
    ),
    ("tenants", Maybe(&ListOf(&Text))),
    ("tags", Maybe(&ListOf(&Text))),
]);

const TEST_RUN_CONFIG: Kind = Object(&[
    ("scenarioName", Text),
    ("scenario", LOAD_SCENARIO),
    ("environment", OneOf(&["staging", "production"])),
    ("dryRun", Maybe(&Bool)),
]);

impl Kind {
    /// Adds to `problems` where `value` is something else.
    fn check(&self, path: &str, value: Option<&Value>, problems: &mut Vec<String>) {
        let Some(value) = value else {
            if !matches!(self, Maybe(_)) {
                problems.push(format!("{path} is missing"));
            }
            return;
        };
        let fits = match self {
            Text => value.is_string(),
            Time => value.is_string() && unix_ms(value) > 0,
            Number => value.is_number(),
            Measured => value.is_number() || value.is_null(),
            Bool => value.is_boolean(),
            OneOf(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Object(_) | MapOf(_) => value.is_object(),
            ListOf(_) => value.is_array(),
            Told(_) if value.is_null() => true,
            Maybe(inner) | Told(inner) => return inner.check(path, Some(value), problems),
            Anything => true,
        };
        if !fits {
            problems.push(format!("{path} is {value}"));
        }
        match self {
            Object(fields) => {
                for (name, kind) in *fields {
                    kind.check(&format!("{path}.{name}"), value.get(name), problems);
                }
            }
            MapOf(kind) => {
                for (name, item) in value.as_object().into_iter().flatten() {
                    kind.check(&format!("{path}.{name}"), Some(item), problems);
                }
            }
            ListOf(kind) => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    kind.check(&format!("{path}[{index}]"), Some(item), problems);
                }
            }
            _ => {}
        }
    }
}

fn assert_is(kind: &Kind, name: &str, value: &Value) {
    let mut problems = Vec::new();
    kind.check(name, Some(value), &mut problems);
    assert!(problems.is_empty(), "{problems:#?}\n{value}");
}

#[test]
fn the_summary_is_the_specs_test_run_result() {
    let record = &*RECORD;
    let summary = &record.summary.0;
    assert_is(&TEST_RUN_RESULT, "summary_json", summary);
    assert_eq!(summary["id"], record.id.as_str());
    assert_eq!(summary["scenarioName"], "grove-mix");
    assert_eq!(summary["startTime"], record.row["started_at"]);
    assert_eq!(summary["endTime"], record.row["ended_at"]);
    assert_eq!(summary["duration"], record.row["duration_ms"]);
    for pointer in [
        "/phases/rampUp/p95Latency",
        "/phases/peak/throughput",
        "/phases/steadyState/avgLatency",
        "/latencyPercentiles/p99",
        "/applicationResults/post-read/successRate",
    ] {
        let value = summary.pointer(pointer).and_then(Value::as_f64);
        assert!(
            value.is_some_and(|value| value > 0.0),
            "{pointer} is {value:?}"
        );
    }
    assert_eq!(summary["phases"]["peak"]["peakUsers"], 12);
}

#[test]
fn the_summary_tells_the_same_as_the_tables() {
    let record = &*RECORD;
    let summary = &record.summary.0;
    let list = |field: &str| summary[field].as_array().expect("a list").clone();
    let timeline = list("timeline");
    assert_eq!(timeline.len(), record.metrics.len());
    for (snapshot, row) in timeline.iter().zip(&record.metrics) {
        for (field, column) in [
            ("timestamp", "timestamp"),
            ("phase", "phase"),
            ("activeUsers", "active_users"),
        ] {
            assert_eq!(snapshot[field], row[column], "{field}");
        }
        for (pointer, column) in [
            ("/requestsPerSec", "requests_per_sec"),
            ("/latency/p50", "latency_p50"),
            ("/latency/p95", "latency_p95"),
            ("/latency/p99", "latency_p99"),
            ("/latency/max", "latency_max"),
        ] {
            let value = snapshot.pointer(pointer).and_then(Value::as_f64);
            assert!(same(value, row[column].as_f64()), "{pointer}");
        }
        for (field, column) in [
            ("errorsByType", "errors_by_type"),
            ("doMetrics", "do_metrics"),
            ("d1Metrics", "d1_metrics"),
            ("storageMetrics", "storage_metrics"),
        ] {
            let stored: Value =
                serde_json::from_str(row[column].as_str().unwrap_or("null")).expect("JSON");
            assert_eq!(snapshot[field], stored, "{field}");
        }
    }
    let results = summary["applicationResults"]
        .as_object()
        .expect("an object");
    assert_eq!(results.len(), record.apps.len());
    for row in &record.apps {
        let result = &results[row["app_name"].as_str().expect("a name")];
        for (field, column) in [
            ("p95Latency", "p95_latency_ms"),
            ("avgLatency", "avg_latency_ms"),
        ] {
            let (told, stored) = (result[field].as_f64(), row[column].as_f64());
            assert!(same(told, stored), "{field}: {told:?} and {stored:?}");
        }
    }
    assert_eq!(list("bottlenecks").len(), record.bottlenecks.len());
}

/// Whether two numbers are the same but for the last digit, which reading JSON text may change.
fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * a.abs().max(b.abs()),
        (None, None) => true,
        _ => false,
    }
}

#[test]
fn the_configuration_is_the_specs_test_run_config() {
    let record = &*RECORD;
    assert_is(&TEST_RUN_CONFIG, "config_json", &record.config);
    assert_eq!(record.config["scenarioName"], "grove-mix");
    assert_eq!(record.config["environment"], "staging");
    assert_is(&LOAD_SCENARIO, "scenario", &record.scenario);
    assert_eq!(
        record.config["scenario"]["assertions"],
        record.scenario["assertions"]
    );
}
