//! The data that k6 hands to `handleSummary`.

use serde_json::{Map, Value, json};

use super::groups::{self, Group};
use super::values::{metric_values, metrics};
use crate::output::metrics::contains_name;
use crate::output::report::Report;

/// The statistics of Trends that are told, k6's default.
const TREND_STATS: [&str; 6] = ["avg", "min", "med", "max", "p(90)", "p(95)"];

/// The data as JSON.
pub(in crate::output) fn data(report: &Report<'_>) -> Value {
    let mut told = Map::new();
    for metric in metrics(report) {
        let contains = metric.definition.contains;
        let mut entry = json!({
            "type": metric.definition.kind.name(),
            "contains": contains_name(contains),
            "values": metric_values(&metric.value, contains, report.duration_s()),
        });
        if !metric.thresholds.is_empty() {
            let thresholds = metric.thresholds.iter();
            let thresholds: Map<_, _> = thresholds
                .map(|(expression, ok)| ((*expression).to_owned(), json!({ "ok": ok })))
                .collect();
            entry["thresholds"] = thresholds.into();
        }
        told.insert(metric.name, entry);
    }
    json!({
        "root_group": group(&groups::root(report.result)),
        "options": {
            "summaryTrendStats": TREND_STATS,
            "summaryTimeUnit": "",
            "noColor": false,
        },
        "state": {
            "isStdOutTTY": false,
            "isStdErrTTY": false,
            "testRunDurationMs": report.result.duration,
        },
        "metrics": told,
    })
}

fn group(own: &Group<'_>) -> Value {
    let checks = own.checks.iter().map(|check| {
        json!({
            "name": check.result.check,
            "path": check.path,
            "id": groups::id(&check.path),
            "passes": check.result.passes,
            "fails": check.result.fails,
        })
    });
    json!({
        "name": own.name,
        "path": own.path,
        "id": groups::id(&own.path),
        "groups": own.groups.iter().map(group).collect::<Vec<_>>(),
        "checks": checks.collect::<Vec<_>>(),
    })
}
