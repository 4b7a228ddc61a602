//! Whatever stands in a document is in what comes out, or on the list of what is not.

use std::path::Path;

use proptest::prelude::*;
use sentinel_engine::plan::{Plan, PlanOptions, PlanPart, PlanSource, Via};
use sentinel_engine::scenario::{parse_application, parse_scenario};
use serde_json::{Value, json};

use super::arguments::ImportArguments;
use super::draft::Draft;
use super::report::Report;
use super::tree::{Marks, Node};
use super::{artillery, har, k6, openapi};

/// The examples, by their kind.
const EXAMPLES: [(&str, &str); 5] = [
    ("artillery", "checkout.yml"),
    ("har", "chromium.har"),
    ("har", "firefox.har"),
    ("k6", "options.json"),
    ("openapi", "petstore.yaml"),
];

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/imports"))
}

fn document(file: &str) -> Value {
    super::document::read(&folder().join(file)).expect("an example")
}

fn import(kind: &str, document: &Value) -> (Draft, Report) {
    let marks = Marks::default();
    let root = Node::root(document, &marks);
    let arguments = ImportArguments {
        kind: None,
        file: "x".into(),
        to: ".".into(),
        name: None,
        force: false,
        report: None,
        no_static: false,
        allowed_hosts: Vec::new(),
    };
    let draft = match kind {
        "artillery" => artillery::import(&root, "x", folder(), &[]),
        "har" => har::import(&root, "x", &arguments),
        "k6" => k6::import(&root, "x"),
        _ => openapi::import(&root, "x"),
    };
    (draft, marks.finish(document))
}

/// Everything that comes out, as text.
fn text(draft: &Draft) -> String {
    let applications = draft
        .applications
        .iter()
        .map(|(application, _)| application.file().to_string());
    draft.scenario().to_string() + &applications.collect::<String>()
}

/// Whether a place, or one that it is in, is on the list.
fn is_listed(report: &Report, path: &str) -> bool {
    let pattern = |path: &str| {
        let mut out = String::new();
        let mut digits = false;
        for c in path.chars() {
            let in_number = digits && c.is_ascii_digit();
            if !in_number {
                out.push(c);
            }
            digits = c == '[' || in_number;
        }
        out.replace("[*]", "[]")
    };
    let path = pattern(path);
    report.left().any(|(left, _)| {
        let left = pattern(left);
        path.strip_prefix(&left)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

/// Places of a document: each as the list names it, and as a JSON pointer.
type Places = Vec<(String, String)>;

/// The places of all objects, and of all values in them that are no containers.
fn places(value: &Value, path: &str, pointer: &str, objects: &mut Places, leaves: &mut Places) {
    let mut inner = |name: String, key: String, value: &Value| {
        places(value, &name, &format!("{pointer}/{key}"), objects, leaves);
    };
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let key = name.replace('~', "~0").replace('/', "~1");
                let plain = name
                    .chars()
                    .all(|c| c.is_alphanumeric() || "_-$/".contains(c));
                let path = match (plain, path.is_empty()) {
                    (false, _) => format!("{path}[{name:?}]"),
                    (true, true) => name.clone(),
                    (true, false) => format!("{path}.{name}"),
                };
                inner(path, key, value);
            }
            objects.push((path.to_owned(), pointer.to_owned()));
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                inner(format!("{path}[{at}]"), at.to_string(), value);
            }
        }
        _ => leaves.push((path.to_owned(), pointer.to_owned())),
    }
}

fn all_places(document: &Value) -> (Places, Places) {
    let (mut objects, mut leaves) = (Vec::new(), Vec::new());
    places(document, "", "", &mut objects, &mut leaves);
    (objects, leaves)
}

fn plan(draft: &Draft) -> Result<Plan, String> {
    let scenario = draft.scenario().to_string();
    let applications = draft
        .applications
        .iter()
        .map(|(application, _)| application.file().to_string());
    let applications = applications
        .map(|file| parse_application(file.as_bytes()).map_err(|e| format!("{e}: {file}")));
    let source = PlanSource {
        scenario: parse_scenario(scenario.as_bytes()).map_err(|e| format!("{e}: {scenario}"))?,
        applications: applications.collect::<Result<_, _>>()?,
        options: PlanOptions {
            base_url: "http://localhost".to_owned(),
            allowed_hosts: vec!["localhost".to_owned()],
            own_hosts: Vec::new(),
            allow_private: true,
            via: Via::Host,
            seed: 1,
            users: None,
            duration: None,
            profile: None,
            users_max: 1_000_000,
            duration_max_s: 1_000_000,
            part: PlanPart::default(),
        },
    };
    Plan::parse(&source).map_err(|problems| format!("{problems}\n{}", text(draft)))
}

#[test]
fn what_comes_out_of_each_example_can_be_run() {
    for (kind, file) in EXAMPLES {
        let (draft, _) = import(kind, &document(file));
        plan(&draft).unwrap_or_else(|problems| panic!("{file}: {problems}"));
    }
}

#[test]
fn each_key_that_nobody_knows_is_listed_wherever_it_stands() {
    for (kind, file) in EXAMPLES {
        let original = document(file);
        for (path, pointer) in all_places(&original).0 {
            let mut document = original.clone();
            let object = document.pointer_mut(&pointer).expect("an object");
            object["unheardOf"] = json!("unheard-of value");
            let (draft, report) = import(kind, &document);
            let path = if path.is_empty() {
                "unheardOf".to_owned()
            } else {
                format!("{path}.unheardOf")
            };
            assert!(
                is_listed(&report, &path) || text(&draft).contains("unheard-of value"),
                "{file}: {path} is neither carried over nor listed\n{}",
                report.lines().join("\n")
            );
        }
    }
}

#[test]
fn each_text_is_carried_over_or_listed() {
    // What is written in another way on the other side, or says only which of several things something is.
    const OTHERWISE: [&str; 5] = ["skipHeader", "order", "mimeType", "id", "pageref"];
    for (kind, file) in EXAMPLES {
        let original = document(file);
        for (path, pointer) in all_places(&original).1 {
            let name = path.rsplit('.').next().unwrap_or_default();
            if OTHERWISE.contains(&name) {
                continue;
            }
            let mut document = original.clone();
            *document.pointer_mut(&pointer).expect("a value") = json!("unheard-of-value");
            let (draft, report) = import(kind, &document);
            let text = text(&draft).to_ascii_lowercase();
            let carried = ["unheard-of-value", "unheard_of_value", "unheard-of value"];
            assert!(
                is_listed(&report, &path) || carried.iter().any(|form| text.contains(form)),
                "{file}: {path} is neither carried over nor listed\n{}\n{text}",
                report.lines().join("\n")
            );
        }
    }
}

/// A value of any kind.
fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|truth| json!(truth)),
        any::<f64>().prop_map(|number| json!(number)),
        any::<i64>().prop_map(|number| json!(number)),
        "[ -~]{0,12}".prop_map(|text| json!(text)),
        "\\PC{0,6}".prop_map(|text| json!(text)),
        Just(json!("{{ x }}{{")),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{"a": 1}, "b", 3])),
        Just(json!({"get": {"url": "/"}, "url": "/a", "as": "b", "json": "$.c"})),
    ]
}

proptest! {
    #[test]
    fn no_document_breaks_the_import(example in 0..EXAMPLES.len(), changes in prop::collection::vec((any::<prop::sample::Index>(), anything()), 1..6)) {
        let (kind, file) = EXAMPLES[example];
        let mut document = document(file);
        for (at, value) in changes {
            let (objects, leaves) = all_places(&document);
            let all: Vec<_> = objects.into_iter().chain(leaves).collect();
            // An empty list in place of the whole has no place left.
            if all.is_empty() {
                break;
            }
            let (_, pointer) = at.get(&all);
            *document.pointer_mut(pointer).expect("a place") = value;
        }
        let (draft, report) = import(kind, &document);
        let _ = (text(&draft), report.lines());
    }
}
