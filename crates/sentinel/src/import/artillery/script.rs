//! The parts of a script: its configuration, its scenarios, what comes before and after.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::flow::Flow;
use super::template::Scope;
use super::{ensure, payload, socket};
use crate::import::draft::{Application, Draft, Load, Names};
use crate::import::tree::Node;

/// What only JavaScript can do.
const FUNCTIONS: &str = "functions are not carried over";

/// Imports a script; `folder` is where the files are that it names.
pub(crate) fn import(
    root: &Node<'_>,
    name: &str,
    folder: &Path,
    allowed_hosts: &[String],
) -> Draft {
    let mut draft = Draft::new(name);
    "Imported from Artillery.".clone_into(&mut draft.description);
    let mut scope = Scope::of(root);
    let mut defaults = Defaults {
        headers: Vec::new(),
        allowed_hosts: allowed_hosts.to_vec(),
        target: None,
    };
    if let Some(config) = root.get("config") {
        payload::import(&config, folder, &mut draft, &mut scope);
        variables(&config, &mut draft, &mut scope);
        configuration(&config, &mut draft, &scope, &mut defaults);
    }
    for (field, ours) in [("before", "setup"), ("after", "teardown")] {
        let Some(flow) = root.get(field).and_then(|part| part.get("flow")) else {
            continue;
        };
        let steps =
            Flow::new(&mut draft, &mut scope, &defaults, &mut Names::default()).steps(&flow);
        if json!(steps).to_string().contains("{{env.") {
            flow.note(format!(
                "uses values that only users have, and {ours} is played by none: it is left out"
            ));
        } else if !steps.is_empty() {
            draft.fields.insert(ours.to_owned(), json!(steps));
        }
    }
    if let Some(scenarios) = root.get("scenarios") {
        let mut names = Names::default();
        for scenario in scenarios.items() {
            application(&scenario, &mut draft, &mut scope, &defaults, &mut names);
        }
    }
    draft
}

/// What every request of the script has.
#[derive(Debug)]
pub(super) struct Defaults {
    /// Header fields in order.
    pub(super) headers: Vec<(String, String)>,
    /// Hosts besides the target that requests may go to.
    pub(super) allowed_hosts: Vec<String>,
    /// The target as the script has it, with its path.
    pub(super) target: Option<String>,
}

fn configuration(config: &Node<'_>, draft: &mut Draft, scope: &Scope, defaults: &mut Defaults) {
    let target = config.get("target").and_then(|target| target.text());
    draft.target = target.map(socket::origin);
    defaults.target = target.map(str::to_owned);
    if let Some(phases) = config.get("phases") {
        draft.load = Load::One(load(&phases));
    }
    if let Load::One(load) = &mut draft.load
        && load.is_empty()
    {
        load.insert("vus".to_owned(), json!(1));
        load.insert("iterations".to_owned(), json!(1));
    }
    let headers = config.get("http").and_then(|http| http.get("defaults"));
    for defaults_at in [config.get("defaults"), headers].into_iter().flatten() {
        if let Some(headers) = defaults_at.get("headers") {
            for (name, value) in headers.members() {
                if let Some(text) = value.scalar() {
                    let text = scope.translate(&text, &value, draft);
                    defaults.headers.push((name.to_owned(), text));
                }
            }
        }
    }
    if let Some(http) = config.get("http") {
        if let Some(seconds) = http.get("timeout").and_then(|timeout| timeout.number()) {
            draft
                .fields
                .insert("requestTimeout".to_owned(), json!(format!("{seconds}s")));
        }
        http.leave_member("pool", "each user has connections of its own");
        http.leave_member("maxSockets", "each user has connections of its own");
    }
    ensure::import(config, draft);
    config.leave_member("processor", FUNCTIONS);
    config.leave_member(
        "environments",
        "choose the target with --base-url, and the load with options",
    );
    if let Some(tls) = config.get("tls") {
        tls.leave_member(
            "rejectUnauthorized",
            "say it with --insecure-skip-tls-verify",
        );
    }
    if let Some(plugins) = config.get("plugins") {
        for name in ["expect", "ensure"] {
            // What the plugins read is carried over with the requests and with `ensure`.
            if let Some(plugin) = plugins.get(name).filter(|p| p.members().is_empty()) {
                plugin.carry();
            }
        }
    }
}

/// Phases have the same words here.
fn load(phases: &Node<'_>) -> Map<String, Value> {
    const FIELDS: [&str; 7] = [
        "name",
        "duration",
        "arrivalRate",
        "rampTo",
        "arrivalCount",
        "pause",
        "maxVusers",
    ];
    let mut list = Vec::new();
    for phase in phases.items() {
        let mut fields = Map::new();
        for (name, value) in phase.members() {
            if !FIELDS.contains(&name) {
                continue;
            }
            if value
                .value()
                .as_str()
                .is_some_and(|text| text.contains("{{"))
            {
                value.leave("is only known when Artillery runs: 1 stands in its place");
                fields.insert(name.to_owned(), json!(1));
            } else if value.scalar().is_some() {
                fields.insert(name.to_owned(), value.value().clone());
            }
        }
        let is_phase = ["duration", "pause"]
            .iter()
            .any(|field| fields.contains_key(*field));
        let comes = ["arrivalRate", "arrivalCount", "rampTo"]
            .iter()
            .any(|field| fields.contains_key(*field));
        if fields.contains_key("pause") || (is_phase && comes) {
            if fields.contains_key("rampTo") && !fields.contains_key("arrivalRate") {
                fields.insert("arrivalRate".to_owned(), json!(0));
            }
            list.push(Value::Object(fields));
        } else {
            phase.leave("says neither how long it takes nor how many come");
        }
    }
    let mut load = Map::new();
    if !list.is_empty() {
        load.insert("phases".to_owned(), Value::Array(list));
    }
    load
}

/// Lists become tables, of which each iteration gets any row; single values become values of `env`.
fn variables(config: &Node<'_>, draft: &mut Draft, scope: &mut Scope) {
    let Some(variables) = config.get("variables") else {
        return;
    };
    for (name, value) in variables.members() {
        if value.value().is_array() {
            let items = value.items();
            let rows = items.iter().filter_map(Node::scalar).map(|text| vec![text]);
            let rows: Vec<Vec<String>> = rows.collect();
            let columns = [name.to_owned()];
            if !rows.is_empty() {
                payload::table(name, &columns, rows, "random", &value, draft, scope);
            }
        } else if let Some(text) = value.scalar() {
            let place = draft.env(name, &text);
            scope.define(name, place);
        }
    }
}

fn application(
    scenario: &Node<'_>,
    draft: &mut Draft,
    scope: &mut Scope,
    defaults: &Defaults,
    names: &mut Names,
) {
    let engine = scenario.get("engine");
    let engine_name = engine
        .as_ref()
        .map_or(Some("http"), |engine| engine.value().as_str());
    let is_session = engine_name == Some("ws");
    if !is_session && engine_name != Some("http") {
        let other = engine_name.unwrap_or("another engine");
        scenario.leave(format!(
            "only scenarios over HTTP and WebSockets are carried over, not {other}"
        ));
        return;
    }
    if let Some(engine) = engine {
        engine.carry();
    }
    let name = scenario.get("name").and_then(|name| name.scalar());
    let name = names.unique(&Application::new(name.as_deref().unwrap_or("scenario")).name);
    let mut application = Application::new(&name);
    for hook in [
        "beforeScenario",
        "afterScenario",
        "beforeRequest",
        "afterResponse",
        "onError",
    ] {
        scenario.leave_member(hook, FUNCTIONS);
    }
    if let Some(flow) = scenario.get("flow") {
        let mut names = Names::default();
        application.steps = if is_session {
            let steps = Flow::on_socket(draft, scope, defaults, &mut names).steps(&flow);
            let session =
                (!steps.is_empty()).then(|| socket::session(&steps, defaults.target.as_deref()));
            session.into_iter().collect()
        } else {
            Flow::new(draft, scope, defaults, &mut names).steps(&flow)
        };
    }
    let weight = scenario.get("weight").and_then(|weight| weight.number());
    let weight = weight.filter(|weight| *weight > 0.0).unwrap_or(1.0);
    if application.steps.is_empty() {
        scenario.note("is left out: nothing of its flow can be played");
        return;
    }
    draft.applications.push((application, weight));
}
