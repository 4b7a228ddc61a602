//! k6's options as JSON: loads and thresholds. There are no requests in them.

use std::collections::BTreeSet;

use sentinel_engine::scenario::LoadConfig;
use serde_json::{Map, Value, json};

use super::draft::{Application, Draft, Load, file_name};
use super::tree::Node;

/// The fields of a load that have the same words here.
const LOAD: [&str; 15] = [
    "executor",
    "startTime",
    "gracefulStop",
    "env",
    "vus",
    "iterations",
    "duration",
    "maxDuration",
    "startVUs",
    "gracefulRampDown",
    "rate",
    "startRate",
    "timeUnit",
    "preAllocatedVUs",
    "maxVUs",
];

/// Options that have no equal, with what does the same.
const ELSEWHERE: [(&str, &str); 12] = [
    (
        "insecureSkipTLSVerify",
        "say it with --insecure-skip-tls-verify",
    ),
    ("noConnectionReuse", "say it with --no-connection-reuse"),
    (
        "noVUConnectionReuse",
        "say it with --no-vu-connection-reuse",
    ),
    ("hosts", "say it with --resolve"),
    ("executionSegment", "say it with --execution-segment"),
    (
        "executionSegmentSequence",
        "say it with --execution-segment-sequence",
    ),
    ("summaryTrendStats", "the summary has its own columns"),
    ("summaryTimeUnit", "the summary is in milliseconds"),
    (
        "systemTags",
        "metrics bear the tags that thresholds ask for",
    ),
    (
        "discardResponseBodies",
        "bodies are read only where something looks at them",
    ),
    ("userAgent", "say it with --user-agent"),
    ("ext", "it is for k6's own cloud"),
];

/// Imports options.
pub(super) fn import(root: &Node<'_>, name: &str) -> Draft {
    let mut draft = Draft::new(name);
    "Imported from k6's options.".clone_into(&mut draft.description);
    // `export const options = {…}` as JSON, or a whole configuration.
    let options = root.get("options").unwrap_or_else(|| root.clone());
    let mut played = BTreeSet::new();
    match options.get("scenarios") {
        Some(scenarios) => {
            let mut loads = Map::new();
            for (name, scenario) in scenarios.members() {
                if let Some(load) = load(&scenario, Some(&mut played)) {
                    loads.insert(name.to_owned(), Value::Object(load));
                }
            }
            draft.load = Load::Several(loads);
            for shortcut in ["vus", "duration", "iterations", "stages"] {
                options.leave_member(shortcut, "scenarios stand instead of it");
            }
        }
        None => draft.load = Load::One(shortcuts(&options)),
    }
    if played.is_empty() {
        played.insert("default".to_owned());
    }
    for name in &played {
        let mut application = Application::new(name);
        application
            .steps
            .push(json!({ "name": "GET /", "request": { "method": "GET", "url": "/" } }));
        draft.applications.push((application, 1.0));
    }
    root.note(
        "k6's options hold no requests: each application asks for / until you write its steps",
    );
    thresholds(&options, &mut draft);
    let times = [
        ("minIterationDuration", "pacing"),
        ("setupTimeout", "setupTimeout"),
        ("teardownTimeout", "teardownTimeout"),
    ];
    for (field, ours) in times {
        if let Some(time) = options.get(field)
            && let Some(text) = time
                .value()
                .as_str()
                .filter(|text| sentinel_engine::duration::parse(text).is_ok())
        {
            time.carry();
            draft.fields.insert(ours.to_owned(), json!(text));
        }
    }
    if let Some(count) = options.get("maxRedirects")
        && let Some(number) = count.value().as_u64()
    {
        count.carry();
        draft
            .fields
            .insert("maxRedirects".to_owned(), json!(number));
    }
    let keeps = options
        .get("noCookiesReset")
        .and_then(|keeps| keeps.truth())
        .unwrap_or(false);
    draft.fields.insert(
        "cookies".to_owned(),
        json!(if keeps { "user" } else { "iteration" }),
    );
    for (field, reason) in ELSEWHERE {
        options.leave_member(field, reason);
    }
    draft
}

fn shortcuts(options: &Node<'_>) -> Map<String, Value> {
    let mut load = Map::new();
    for field in ["vus", "duration", "iterations"] {
        if let Some(value) = options.get(field) {
            value.carry();
            load.insert(field.to_owned(), value.value().clone());
        }
    }
    if let Some(stages) = options.get("stages") {
        stages.carry();
        load.insert("stages".to_owned(), stages.value().clone());
    }
    if let Some(tags) = tags(options) {
        load.insert("tags".to_owned(), tags);
    }
    fitting(options, load)
}

fn load(scenario: &Node<'_>, played: Option<&mut BTreeSet<String>>) -> Option<Map<String, Value>> {
    let executor = scenario.get("executor");
    if executor
        .as_ref()
        .is_some_and(|executor| executor.value() == &json!("externally-controlled"))
    {
        scenario.leave("nobody can change this load from outside");
        return None;
    }
    let mut load = Map::new();
    for field in LOAD {
        if let Some(value) = scenario.get(field) {
            value.carry();
            load.insert(field.to_owned(), value.value().clone());
        }
    }
    if let Some(stages) = scenario.get("stages") {
        stages.carry();
        load.insert("stages".to_owned(), stages.value().clone());
    }
    if let Some(tags) = tags(scenario) {
        load.insert("tags".to_owned(), tags);
    }
    let exec = scenario
        .get("exec")
        .and_then(|exec| exec.text())
        .unwrap_or("default");
    let exec = file_name(exec);
    if let Some(played) = played {
        played.insert(exec.clone());
    }
    load.insert("exec".to_owned(), json!(exec));
    scenario.leave_member("options", "browsers are not driven");
    Some(fitting(scenario, load))
}

/// The load, or one user when the file's is none.
fn fitting(place: &Node<'_>, load: Map<String, Value>) -> Map<String, Value> {
    match serde_json::from_value::<LoadConfig>(Value::Object(load.clone())) {
        Ok(_) => load,
        Err(error) => {
            place.leave(format!(
                "is no load: {error}; one user plays one iteration instead"
            ));
            let exec = load
                .get("exec")
                .map(|exec| ("exec".to_owned(), exec.clone()));
            exec.into_iter().collect()
        }
    }
}

fn tags(place: &Node<'_>) -> Option<Value> {
    let tags = place.get("tags")?;
    let texts = tags.members().into_iter();
    let texts: Map<String, Value> = texts
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value.scalar()?))))
        .collect();
    Some(Value::Object(texts))
}

fn thresholds(options: &Node<'_>, draft: &mut Draft) {
    let Some(thresholds) = options.get("thresholds") else {
        return;
    };
    let mut ours = Map::new();
    for (metric, expressions) in thresholds.members() {
        let name = metric.split('{').next().unwrap_or(metric).trim();
        if !METRICS.contains(&name) {
            expressions.leave("the metric is the script's own: define it under \"metrics\"");
            continue;
        }
        expressions.carry();
        ours.insert(
            metric.to_owned(),
            Value::Array(
                expressions
                    .items()
                    .iter()
                    .map(|e| e.value().clone())
                    .collect(),
            ),
        );
    }
    if !ours.is_empty() {
        draft
            .fields
            .insert("thresholds".to_owned(), Value::Object(ours));
    }
}

/// k6's metrics that there are here.
const METRICS: [&str; 19] = [
    "http_reqs",
    "http_req_failed",
    "http_req_duration",
    "data_received",
    "data_sent",
    "checks",
    "iterations",
    "iteration_duration",
    "group_duration",
    "dropped_iterations",
    "vus",
    "vus_max",
    "interrupted_iterations",
    "ws_connecting",
    "ws_msgs_received",
    "ws_msgs_sent",
    "ws_ping",
    "ws_session_duration",
    "ws_sessions",
];
