//! The whole text, against files that are read like one reads the terminal.

use std::fs;
use std::path::Path;

use clap::Parser;
use sentinel_engine::metric::{Catalog, CustomMetric, Definition, TagSet, Value};
use sentinel_engine::summary::TestRunResult;
use sentinel_engine::tick::Tick;
use serde_json::{Map, json};

use super::text;
use crate::output::metrics::Metrics;
use crate::output::report::Report;
use crate::output::summary::SummaryArguments;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    summary: SummaryArguments,
}

fn arguments(more: &[&str]) -> SummaryArguments {
    let line = ["summary"].iter().chain(more);
    Line::try_parse_from(line).expect("arguments").summary
}

fn value(definition: &Definition, samples: &[f64]) -> Value {
    let mut amounts = samples.iter().map(|sample| {
        let amount = definition.contains.amount(*sample);
        amount.expect("an amount")
    });
    let first = amounts.next().expect("a sample");
    let mut value = Value::of(definition.kind, Tick::ZERO, first);
    amounts.for_each(|amount| value.record(Tick::ZERO, amount));
    value
}

/// Numbers that are easily told apart.
fn metrics() -> Metrics {
    let custom: CustomMetric =
        serde_json::from_value(json!({"name": "basket_items", "type": "trend"})).expect("a metric");
    let catalog = Catalog::new(&[custom]).expect("a catalog");
    let mut metrics = Metrics::default();
    let times: Vec<f64> = (1..=1_000).map(|at| f64::from(at) * 1.2345).collect();
    let tags = |name: &str| -> TagSet {
        let expected = (name == "get").to_string();
        let tags = json!({"name": name, "expected_response": expected});
        serde_json::from_value(tags).expect("tags")
    };
    for (name, of, samples) in [
        ("basket_items", "", &[1.0, 2.0, 4.5][..]),
        ("checks", "", &[1.0, 0.0]),
        ("d1_duration", "", &[0.25]),
        ("data_received", "", &[12_345.0]),
        ("data_sent", "", &[987.0]),
        ("dropped_iterations", "", &[0.0]),
        ("http_req_blocked", "get", &[0.012]),
        ("http_req_duration", "get", &times),
        ("http_req_duration", "post", &[70_000.0]),
        ("http_req_failed", "get", &[0.0, 0.0, 1.0]),
        ("http_reqs", "get", &[948.0]),
        ("iteration_duration", "", &[9.07, 37.45]),
        ("iterations", "", &[474.0]),
        ("response_time", "get", &[6.39]),
        ("vus", "", &[5.0, 1.0]),
        ("vus_max", "", &[5.0]),
        ("ws_sessions", "", &[3.0]),
    ] {
        let id = catalog.id(name).unwrap_or_else(|| panic!("{name}"));
        let definition = catalog.definition(id).expect("its definition");
        let tags = if of.is_empty() {
            TagSet::new()
        } else {
            tags(of)
        };
        metrics.add(definition, &tags, &value(definition, samples));
    }
    metrics
}

/// The engine's own example of a summary, with what the text shows of it replaced.
fn result() -> TestRunResult {
    let example =
        include_str!("../../../../../engine/tests/run_machine/golden/test_run_result.json");
    let mut result: Map<String, serde_json::Value> =
        serde_json::from_str(example).expect("a summary");
    let shown: Map<String, serde_json::Value> =
        serde_json::from_str(include_str!("../golden/result.json")).expect("fields of one");
    result.extend(shown);
    serde_json::from_value(result.into()).expect("a summary")
}

/// Compares a text with the file of this name. With `GOLDEN=write` in the environment, it is written instead.
fn assert_golden(name: &str, text: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/output/summary/golden");
    let path = folder.join(name);
    if std::env::var_os("GOLDEN").is_some_and(|how| how == "write") {
        fs::write(&path, text).expect("a file");
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, golden,
        "{name} is another than:\n{golden}\nnow:\n{text}"
    );
}

#[test]
fn the_summary_is_laid_out_as_k6_does() {
    console::set_colors_enabled(false);
    let result = result();
    let metrics = metrics();
    let report = Report {
        result: &result,
        metrics: &metrics,
    };
    let compact = text(&report, &arguments(&[]));
    assert_golden("compact.txt", &compact);
    let full = [
        "--summary-mode",
        "full",
        "--summary-trend-stats",
        "med,p(99.9),count",
    ];
    assert_golden("full.txt", &text(&report, &arguments(&full)));
    let legacy = ["--summary-mode", "legacy", "--summary-time-unit", "ms"];
    assert_golden("legacy.txt", &text(&report, &arguments(&legacy)));
    assert_golden("account.txt", &sentinel_terminal::account(&result));
}
