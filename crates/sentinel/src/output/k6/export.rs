//! The file of k6's `--summary-export`: what `handleSummary` gets, by the rules of k6's `summary-wrapper.js`.
//!
//! In it the value of a threshold is `true` when it did NOT hold. That is k6's meaning, and tools that read such
//! files count on it.

use serde_json::{Map, Value, json};

use super::data::data;
use crate::output::report::Report;

/// The file as JSON.
pub(in crate::output) fn export(report: &Report<'_>) -> Value {
    let mut data = data(report);
    let metrics = data["metrics"].as_object().into_iter().flatten();
    let metrics: Map<_, _> = metrics
        .map(|(name, metric)| (name.clone(), flat(metric)))
        .collect();
    json!({ "root_group": group(data["root_group"].take()), "metrics": metrics })
}

/// The values alone, with the thresholds among them.
fn flat(metric: &Value) -> Value {
    let mut values = metric["values"].clone();
    if let Some(thresholds) = metric["thresholds"].as_object() {
        let thresholds: Map<_, _> = thresholds
            .iter()
            .map(|(expression, held)| (expression.clone(), json!(held["ok"] != json!(true))))
            .collect();
        values["thresholds"] = thresholds.into();
    }
    if metric["type"] == "rate"
        && let Some(values) = values.as_object_mut()
        && let Some(rate) = values.remove("rate")
    {
        values.insert("value".to_owned(), rate);
    }
    values
}

/// Groups and checks by name instead of in lists.
fn group(mut group: Value) -> Value {
    for (key, nested) in [("groups", true), ("checks", false)] {
        let Value::Array(list) = group[key].take() else {
            continue;
        };
        let named = list.into_iter().map(|entry| {
            let name = entry["name"].as_str().unwrap_or_default().to_owned();
            let entry = if nested { self::group(entry) } else { entry };
            (name, entry)
        });
        group[key] = named.collect::<Map<_, _>>().into();
    }
    group
}
