//! The dashboards in `ops/grafana` are what Grafana reads, and ask for nothing that the product does not tell.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};

use promql_parser::parser::{Expr, parse};
use promql_parser::util::{ExprVisitor, walk_expr};
use serde_json::{Value, json};
use testbed::Service;

use crate::suites::{Suite, load};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).expect("JSON")
}

/// The dashboards by the names of their files.
fn dashboards() -> BTreeMap<String, Value> {
    let folder = repository().join("ops/grafana");
    ["load-test.json", "edge.json"]
        .map(|name| (name.to_owned(), read(&folder.join(name))))
        .into()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

/// The metrics that a dashboard asks for, in its panels and its variables.
fn asked(dashboard: &Value) -> BTreeSet<String> {
    let mut asked = Asked::default();
    for panel in list(dashboard, "panels") {
        assert_eq!(
            list(panel, "targets").is_empty(),
            panel["type"] == "row",
            "{panel}"
        );
        for target in list(panel, "targets") {
            let written = target["expr"].as_str().expect("an expression");
            let expression = parse(written).unwrap_or_else(|error| panic!("{written}: {error}"));
            let Ok(_) = walk_expr(&mut asked, &expression);
        }
    }
    for variable in list(&dashboard["templating"], "list") {
        let query = variable["query"].as_str().expect("a query");
        if let Some(arguments) = query.strip_prefix("label_values(") {
            let (metric, _) = arguments.split_once(',').expect("a metric and a label");
            asked.0.insert(metric.to_owned());
        }
    }
    assert!(!asked.0.is_empty());
    asked.0
}

#[derive(Default)]
struct Asked(BTreeSet<String>);

impl ExprVisitor for Asked {
    type Error = Infallible;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, Infallible> {
        let selector = match expression {
            Expr::VectorSelector(selector) => Some(selector),
            Expr::MatrixSelector(selector) => Some(&selector.vs),
            _ => None,
        };
        if let Some(selector) = selector {
            self.0
                .insert(selector.name.clone().expect("a metric by its name"));
        }
        Ok(true)
    }
}

#[test]
fn dashboards_are_what_grafana_reads() {
    let schema = read(&repository().join("ops/grafana/dashboard.schema.json"));
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for (name, dashboard) in dashboards() {
        let errors = validator.iter_errors(&dashboard);
        let errors: Vec<String> = errors
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in list(&dashboard, "panels") {
            assert!(
                ids.insert(panel["id"].as_u64()),
                "{name}: two panels have one id: {panel}"
            );
            let of = |field: &str| panel["gridPos"][field].as_u64().expect("a number");
            assert!(of("x") + of("w") <= 24, "{name}: {panel}");
            for place in (of("x")..of("x") + of("w"))
                .flat_map(|x| (of("y")..of("y") + of("h")).map(move |y| (x, y)))
            {
                assert!(
                    taken.insert(place),
                    "{name}: two panels overlap at {place:?}"
                );
            }
        }
    }
    let mut broken = dashboards()["edge.json"].clone();
    broken["panels"][1]["fieldConfig"] = json!({"default": {}});
    assert!(!validator.is_valid(&broken), "the schema refuses something");
}

/// The names that runs of the suites tell Prometheus.
fn told() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (service, folder, scenarios) in [
        (
            Service::Missions,
            "tachikoma",
            &["health", "missions", "specs", "websocket"][..],
        ),
        (Service::Sidepanel, "sidepanel", &["concurrent-users"]),
        (Service::Chat, "vi", &["chat"]),
    ] {
        let suite = Suite::new(service, folder);
        for scenario in scenarios {
            let text = suite.tell_prometheus(scenario, load(1, 2));
            let lines = text.lines().map(|line| Ok(line.to_owned()));
            let scrape = prometheus_parse::Scrape::parse(lines).expect("the format");
            names.extend(scrape.samples.into_iter().map(|sample| sample.metric));
        }
    }
    names
}

#[test]
fn every_query_on_runs_of_the_command_is_about_a_metric_that_it_tells() {
    let asked = asked(&dashboards()["load-test.json"]);
    let told = told();
    let missing: Vec<&String> = asked.difference(&told).collect();
    assert!(missing.is_empty(), "nothing tells {missing:?}");
}

#[test]
fn every_query_on_runs_at_the_edge_is_about_a_family_of_the_worker() {
    let page = repository().join("src/api/prometheus.rs");
    let page = fs::read_to_string(page).expect("the page of the Worker");
    for metric in asked(&dashboards()["edge.json"]) {
        assert!(
            page.contains(&format!("\"{metric}\"")),
            "the Worker does not tell {metric}"
        );
    }
}
