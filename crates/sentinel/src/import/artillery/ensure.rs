//! What Artillery ensures, as thresholds.

use serde_json::{Map, Value, json};

use crate::import::draft::Draft;
use crate::import::tree::Node;

const NO_EQUAL: &str = "there is no threshold like it";

/// Imports `ensure`, in the configuration and in its plugin.
pub(super) fn import(config: &Node<'_>, draft: &mut Draft) {
    let plugin = config
        .get("plugins")
        .and_then(|plugins| plugins.get("ensure"));
    let mut thresholds = Map::new();
    for ensure in [config.get("ensure"), plugin].into_iter().flatten() {
        for (name, value) in ensure.members() {
            match name {
                "thresholds" => {
                    for (metric, limit) in value.items().iter().flat_map(Node::members) {
                        add(metric, &limit, &mut thresholds);
                    }
                }
                "conditions" => {
                    for condition in value.items() {
                        add_condition(&condition, &mut thresholds);
                    }
                }
                "maxErrorRate" => {
                    // In percent.
                    if let Some(percent) = value.number() {
                        push(
                            &mut thresholds,
                            "http_req_failed",
                            format!("rate<={}", percent / 100.0),
                        );
                    }
                }
                _ => add(
                    &format!("http.response_time.{name}"),
                    &value,
                    &mut thresholds,
                ),
            }
        }
    }
    if !thresholds.is_empty() {
        draft
            .fields
            .insert("thresholds".to_owned(), Value::Object(thresholds));
    }
}

/// A metric that has to stay below a limit.
fn add(metric: &str, limit: &Node<'_>, thresholds: &mut Map<String, Value>) {
    let Some((ours, method)) = translated(metric) else {
        limit.leave(NO_EQUAL);
        return;
    };
    if let Some(number) = limit.number() {
        push(thresholds, ours, format!("{method}<{number}"));
    }
}

/// A condition such as `http.response_time.p95 < 250`.
fn add_condition(condition: &Node<'_>, thresholds: &mut Map<String, Value>) {
    let Some(expression) = condition.get("expression") else {
        return;
    };
    let words: Vec<&str> = expression
        .value()
        .as_str()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let parsed = match words.as_slice() {
        [metric, operator @ ("<" | "<=" | ">" | ">=" | "=="), number] => {
            let number = number
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite());
            translated(metric)
                .zip(number)
                .map(|found| (found, *operator))
        }
        _ => None,
    };
    match parsed {
        Some((((ours, method), number), operator)) => {
            expression.carry();
            push(thresholds, ours, format!("{method}{operator}{number}"));
            condition.leave_member("strict", "every threshold is strict");
        }
        None => condition.leave(NO_EQUAL),
    }
}

/// Our metric and its method for one of Artillery's.
fn translated(metric: &str) -> Option<(&'static str, String)> {
    let counter = |name| Some((name, "count".to_owned()));
    match metric {
        "http.requests" | "http.responses" => return counter("http_reqs"),
        "vusers.created" | "vusers.completed" => return counter("iterations"),
        "vusers.skipped" => return counter("dropped_iterations"),
        "http.request_rate" => return Some(("http_reqs", "rate".to_owned())),
        _ => {}
    }
    let method = match metric.strip_prefix("http.response_time.")? {
        "min" => "min".to_owned(),
        "max" => "max".to_owned(),
        "mean" => "avg".to_owned(),
        "median" => "med".to_owned(),
        "p999" => "p(99.9)".to_owned(),
        percentile => {
            let number: u32 = percentile.strip_prefix('p')?.parse().ok()?;
            (1..100).contains(&number).then(|| format!("p({number})"))?
        }
    };
    Some(("http_req_duration", method))
}

fn push(thresholds: &mut Map<String, Value>, metric: &str, expression: String) {
    let list = thresholds.entry(metric).or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut() {
        list.push(json!(expression));
    }
}
