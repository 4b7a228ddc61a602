//! The values of a metric by k6's names.

use std::collections::BTreeMap;

use sentinel_engine::metric::{Contains, Definition, Value};
use sentinel_engine::summary::TestRunResult;
use sentinel_engine::threshold::MetricKey;
use serde_json::{Map, json};

use crate::output::metrics::{Metrics, TrendStats, number};
use crate::output::report::Report;

/// A metric, or a part of one that a threshold asks for, with its thresholds.
pub(in crate::output) struct K6Metric<'a> {
    pub(in crate::output) name: String,
    pub(in crate::output) definition: &'a Definition,
    pub(in crate::output) value: Value,
    /// By expression, whether it holds.
    pub(in crate::output) thresholds: BTreeMap<&'a str, bool>,
}

/// The part of a metric that k6 tells of its own accord (k6: metrics/engine/engine.go, `InitSubMetricsAndThresholds`).
const EXPECTED_DURATION: &str = "http_req_duration{expected_response:true}";

/// All metrics with samples, then the parts of them that are always told or that thresholds ask for.
pub(in crate::output) fn metrics<'a>(report: &Report<'a>) -> Vec<K6Metric<'a>> {
    let whole = report.metrics.iter().filter_map(|metric| {
        let name = &metric.definition.name;
        Some(K6Metric {
            name: name.clone(),
            definition: &metric.definition,
            value: metric.total()?,
            thresholds: thresholds(report.result, name),
        })
    });
    let mut all: Vec<_> = whole.collect();
    let asked = report.result.thresholds.iter();
    let asked = asked.map(|outcome| outcome.metric.as_str());
    for key in [EXPECTED_DURATION].into_iter().chain(asked) {
        if all.iter().all(|metric| metric.name != *key)
            && let Some((definition, value)) = part(report.metrics, key)
        {
            all.push(K6Metric {
                name: key.to_owned(),
                definition,
                value,
                thresholds: thresholds(report.result, key),
            });
        }
    }
    all
}

fn part<'a>(metrics: &'a Metrics, key: &str) -> Option<(&'a Definition, Value)> {
    metrics.select(&key.parse::<MetricKey>().ok()?)
}

fn thresholds<'a>(result: &'a TestRunResult, key: &str) -> BTreeMap<&'a str, bool> {
    let own = result.thresholds.iter().filter(|row| row.metric == key);
    own.map(|row| (row.threshold.as_str(), row.verdict.passed()))
        .collect()
}

/// The values of a metric as in `handleSummary`, with counts per second of `duration_s`.
pub(super) fn metric_values(
    value: &Value,
    contains: Contains,
    duration_s: f64,
) -> Map<String, serde_json::Value> {
    let in_unit = |steps: f64| contains.in_unit(steps);
    let values = match value {
        Value::Counter(sum) => {
            let count = in_unit(*sum as f64);
            let rate = if duration_s > 0.0 {
                count / duration_s
            } else {
                0.0
            };
            json!({ "count": number(count), "rate": rate })
        }
        Value::Gauge(gauge) => json!({
            "value": number(in_unit(gauge.value as f64)),
            "min": number(in_unit(gauge.lowest as f64)),
            "max": number(in_unit(gauge.highest as f64)),
        }),
        Value::Rate(rate) => json!({
            "rate": rate.fraction(),
            "passes": rate.matches,
            "fails": rate.total.saturating_sub(rate.matches),
        }),
        Value::Trend(_) => match TrendStats::of(value, contains) {
            Some(stats) => json!({
                "avg": stats.avg,
                "min": stats.min,
                "med": stats.med,
                "max": stats.max,
                "p(90)": stats.p90,
                "p(95)": stats.p95,
            }),
            None => json!({}),
        },
    };
    match values {
        serde_json::Value::Object(values) => values,
        _ => Map::new(), // not reached: each of them is an object
    }
}
