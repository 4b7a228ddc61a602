//! The file of k6's `--new-machine-readable-summary`, version 1.0.0 of its schema.

use sentinel_engine::metric::Value as MetricValue;
use serde_json::{Map, Value, json};

use super::values::{K6Metric, metric_values, metrics};
use crate::output::metrics::contains_name;
use crate::output::report::Report;

/// The version of the schema.
const VERSION: &str = "1.0.0";

/// The version of k6 whose file this is.
const K6_VERSION: &str = "2.2.0";

/// The metric that checks feed: it stands with the checks, in parts.
const CHECKS: &str = "checks";

/// The file as JSON.
pub(in crate::output) fn machine(report: &Report<'_>) -> Value {
    let result = report.result;
    let checks = result
        .checks
        .iter()
        .map(|check| json!({ "name": check.check, "passes": check.passes, "fails": check.fails }));
    let metrics = metrics(report);
    let others = metrics.iter().filter(|metric| metric.name != CHECKS);
    let others = others.map(|metric| told(metric, report.duration_s()));
    json!({
        "version": VERSION,
        "metadata": { "generatedAt": result.end_time, "k6Version": K6_VERSION },
        "config": {
            "script": result.scenario_name,
            "duration": report.duration_s(),
            "execution": "local",
        },
        "results": {
            "checks": { "metrics": check_metrics(report), "results": checks.collect::<Vec<_>>() },
            "metrics": others.collect::<Vec<_>>(),
        },
    })
}

fn told(metric: &K6Metric<'_>, duration_s: f64) -> Value {
    let contains = metric.definition.contains;
    json!({
        "name": metric.name,
        "type": metric.definition.kind.name(),
        "contains": contains_name(contains),
        "values": values(metric, duration_s),
    })
}

/// Of Counters only the count, of Rates with both of their numbers by other names.
fn values(metric: &K6Metric<'_>, duration_s: f64) -> Map<String, Value> {
    let mut values = metric_values(&metric.value, metric.definition.contains, duration_s);
    match &metric.value {
        MetricValue::Counter(_) => drop(values.remove("rate")),
        MetricValue::Rate(rate) => {
            values.remove("passes");
            values.remove("fails");
            values.insert("matches".to_owned(), rate.matches.into());
            values.insert("total".to_owned(), rate.total.into());
        }
        MetricValue::Gauge(_) | MetricValue::Trend(_) => {}
    }
    values
}

/// How many checks there were, and which parts of them held and did not.
fn check_metrics(report: &Report<'_>) -> Vec<Value> {
    let checks = &report.result.checks;
    let passes: u64 = checks.iter().map(|check| check.passes).sum();
    let fails: u64 = checks.iter().map(|check| check.fails).sum();
    let total = passes + fails;
    if total == 0 {
        return Vec::new();
    }
    let rate = |name: &str, matches: u64| {
        let values =
            json!({ "matches": matches, "total": total, "rate": matches as f64 / total as f64 });
        json!({ "name": name, "type": "rate", "contains": "default", "values": values })
    };
    let counted = json!({
        "name": "checks_total",
        "type": "counter",
        "contains": "default",
        "values": { "count": total },
    });
    vec![
        counted,
        rate("checks_succeeded", passes),
        rate("checks_failed", fails),
    ]
}
