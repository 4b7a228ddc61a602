//! Scenario files as they stand in the repository and in its documentation become plans.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sentinel_engine::plan::{Plan, PlanOptions, PlanPart, PlanSource, Via};
use sentinel_engine::redact::{redact_application, redact_scenario};
use sentinel_engine::scenario::{
    ApplicationProfile, LoadScenario, json_schema, parse_application, parse_scenario,
};
use sentinel_engine::summary::summary_schema;
use serde_json::Value;

#[test]
fn the_examples_of_the_documentation_are_a_plan_without_warnings() {
    let text =
        fs::read_to_string(repository().join("docs/scenarios.md")).expect("docs/scenarios.md");
    let blocks = text.split("```json\n").skip(1);
    let examples: Vec<&str> = blocks
        .filter_map(|block| block.split("```").next())
        .collect();
    let is_application =
        |json: &str| json.contains("\"steps\"") && !json.contains("\"applications\"");
    let (applications, scenarios): (Vec<&str>, Vec<&str>) =
        examples.iter().partition(|json| is_application(json));
    assert_eq!((applications.len(), scenarios.len()), (3, 2));
    let read = |json: &&str| parse_application(json.as_bytes()).expect(json);
    let applications: Vec<ApplicationProfile> = applications.iter().map(read).collect();
    for (json, users) in scenarios.iter().zip([50, 20]) {
        let scenario = parse_scenario(json.as_bytes()).expect(json);
        let plan = plan(scenario, applications.clone(), |_| {});
        assert_eq!(plan.warnings(), []);
        assert_eq!(plan.users_max(), users);
    }
}

#[test]
fn all_files_are_plans_without_warnings_and_hold_no_secret() {
    let mut scenarios = BTreeMap::new();
    let mut applications = Vec::new();
    for (path, json) in json_files(&repository().join("scenarios")) {
        let value: Value = serde_json::from_slice(&json).expect("JSON");
        if value.get("$schema").is_some() {
            continue; // the schema itself
        }
        if value.get("steps").or(value.get("actions")).is_some() {
            applications.push(parse_application(&json).unwrap_or_else(|e| panic!("{path:?}: {e}")));
        } else {
            let scenario = parse_scenario(&json).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            scenarios.insert(path, scenario);
        }
    }
    for application in &applications {
        let mut redacted = application.clone();
        redact_application(&mut redacted);
        assert_eq!(
            &redacted, application,
            "{} holds a secret",
            application.name
        );
    }
    for (path, scenario) in scenarios {
        let mut redacted = scenario.clone();
        redact_scenario(&mut redacted);
        assert_eq!(redacted, scenario, "{path:?} holds a secret");
        let as_written = plan(scenario.clone(), applications.clone(), |_| {});
        assert_eq!(as_written.warnings(), [], "{path:?}");
        // Only the four phases are scaled as they are; other loads are by way of a profile.
        let profile = scenario.user_profile.is_none().then(|| "load".to_owned());
        let small = plan(scenario, applications.clone(), |options| {
            options.profile = profile;
            options.users = Some(3);
            options.duration = Some("10s".to_owned());
        });
        assert_eq!(small.users_max(), 3, "{path:?}");
        assert_eq!(small.duration().as_us(), 10_000_000, "{path:?}");
    }
}

#[test]
fn the_schemas_are_those_of_the_types() {
    for (place, schema) in [
        ("scenarios/schema.json", json_schema()),
        ("docs/summary.schema.json", summary_schema()),
    ] {
        let written = fs::read_to_string(repository().join(place)).expect(place);
        let written: Value = serde_json::from_str(&written).expect("JSON");
        assert!(
            written == schema,
            "{place} is stale: run `cargo xtask schema`"
        );
    }
}

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&json_schema()).expect("a schema")
}

#[test]
fn files_and_examples_are_valid_by_the_schema() {
    let validator = validator();
    let mut files = json_files(&repository().join("scenarios"));
    let text = fs::read_to_string(repository().join("docs/scenarios.md")).expect("the guide");
    for block in text.split("```json\n").skip(1) {
        let json = block.split("```").next().unwrap_or_default();
        files.push((PathBuf::from(json), json.as_bytes().to_vec()));
    }
    files.push((
        PathBuf::from("all kinds of steps"),
        FLOW.as_bytes().to_vec(),
    ));
    files.push((PathBuf::from("all fields"), SCENARIO.as_bytes().to_vec()));
    assert!(files.len() > 8);
    for (path, json) in files {
        let value: Value = serde_json::from_slice(&json).expect("JSON");
        if value.get("$schema").is_none() {
            let errors: Vec<String> = validator
                .iter_errors(&value)
                .map(|e| e.to_string())
                .collect();
            assert!(errors.is_empty(), "{path:?}: {errors:?}");
        }
    }
}

const FLOW: &str = r#"{
  "name": "flow", "pacing": "1s~100ms", "variants": ["a"],
  "doInteractions": [{ "do": "PostDO", "pattern": "write-append", "id": "post:{{userId}}" }],
  "steps": [
    { "think": "1s-2s" },
    { "name": "many", "loop": { "times": 3, "steps": [
      { "choose": [{ "weight": 2, "steps": [{ "think": "5s" }] }, { "weight": 1, "steps": [] }] }
    ] } },
    { "name": "r", "request": { "method": "PUT", "url": "/", "headers": { "A": "b" }, "params": { "c": "d" }, "body": { "e": [1, null] } },
      "think": "1s", "repeatPattern": { "interval": "5s", "variance": "1s" }, "parallel": false, "background": true,
      "probability": 0.5, "unlessSet": "token", "variants": ["a"],
      "expect": { "status": [200, 201], "latencyMs": { "p95": 200 }, "checks": [
        { "name": "c", "on": "$.a", "exists": true, "equals": null, "notEquals": [1], "type": "string", "contains": "x",
          "matches": "^x", "length": { "min": 1, "max": 2 }, "required": true }
      ] },
      "extract": { "v": { "from": "$.a", "pick": "random", "default": "x" }, "w": "status" } }
  ],
  "actions": [{ "name": "a", "weight": 1, "delay": "30s - 2m", "steps": [{ "loop": { "over": "t", "steps": [{ "think": "0" }] } }] }]
}"#;

const SCENARIO: &str = r#"{
  "name": "all", "description": "", "applications": [{ "name": "flow", "weight": 1 }],
  "load": { "executor": "constant-vus", "vus": 2, "duration": "1m" },
  "assertions": [{ "metric": "error_rate", "operator": "<=", "value": 0.01 }],
  "tenants": ["oak"], "tags": ["x"], "pause": "1s-2s", "gracefulStop": "30s", "requestTimeout": "1.5s", "pacing": "3s",
  "cookies": "iteration", "data": { "t": { "rows": [{ "a": 1, "b": "x", "c": true }], "pick": "random", "per": "user" } },
  "setup": [{ "think": "1s" }], "teardown": [],
  "monitoring": { "url": "/metrics", "headers": { "A": "b" }, "interval": "1m", "timeout": "1s", "series": { "memory": {
    "from": "$.memory", "contains": "data", "alertOnGrowth": "10%/hour", "warmUp": "1m", "min": 1, "max": 2.5 } } }
}"#;

#[test]
fn what_the_schema_refuses_cannot_be_read_either() {
    let validator = validator();
    for (file, from, to) in [
        (FLOW, "\"think\": \"1s-2s\"", "\"think\": 1"),
        (FLOW, "{ \"think\": \"1s-2s\" }", "{}"),
        (
            FLOW,
            "{ \"think\": \"1s-2s\" }",
            "{ \"think\": \"1s\", \"choose\": [] }",
        ),
        (
            FLOW,
            "{ \"think\": \"1s-2s\" }",
            "{ \"think\": \"1s\", \"extract\": {} }",
        ),
        (FLOW, "\"name\": \"r\", ", ""),
        (FLOW, "\"PUT\"", "\"put\""),
        (FLOW, "\"times\": 3", "\"times\": 1.5"),
        (FLOW, "\"times\": 3", "\"turns\": 3"),
        (FLOW, "\"weight\": 2", "\"weight\": \"2\""),
        (FLOW, "\"type\": \"string\"", "\"type\": \"text\""),
        (FLOW, "\"pick\": \"random\"", "\"pick\": \"last\""),
        (FLOW, "\"w\": \"status\"", "\"w\": 1"),
        (FLOW, "\"matches\"", "\"match\""),
        (FLOW, "[200, 201]", "\"200\""),
        (FLOW, "{ \"A\": \"b\" }", "{ \"A\": 1 }"),
        (FLOW, "\"actions\"", "\"action\""),
        (SCENARIO, "\"applications\"", "\"apps\""),
        (SCENARIO, "\"iteration\"", "\"always\""),
        (SCENARIO, "\"c\": true", "\"c\": null"),
        (SCENARIO, "\"rows\"", "\"row\""),
        (SCENARIO, "constant-vus", "constant-users"),
        (SCENARIO, "\"<=\"", "\"=<\""),
        (SCENARIO, "[\"oak\"]", "\"oak\""),
        (SCENARIO, "\"alertOnGrowth\"", "\"alert\""),
        (SCENARIO, "\"from\": \"$.memory\", ", ""),
    ] {
        assert!(file.contains(from), "{from}");
        let json = file.replacen(from, to, 1);
        let value: Value = serde_json::from_str(&json).expect("JSON");
        assert!(!validator.is_valid(&value), "the schema accepts {to}");
        let read = if file == FLOW {
            parse_application(json.as_bytes()).err()
        } else {
            parse_scenario(json.as_bytes()).err()
        };
        assert!(read.is_some(), "the reader accepts {to}");
    }
    // Texts of a form of their own are the schema's business and the plan's.
    let json = FLOW.replace("\"1s-2s\"", "\"two seconds\"");
    assert!(!validator.is_valid(&serde_json::from_str(&json).expect("JSON")));
}

#[test]
fn every_field_is_in_a_guide() {
    let mut guides = String::new();
    for entry in fs::read_dir(repository().join("docs")).expect("docs") {
        guides += &fs::read_to_string(entry.expect("an entry").path()).expect("a guide");
    }
    let mut fields = BTreeSet::new();
    collect_fields(&json_schema(), &mut fields);
    assert!(fields.len() > 100, "{fields:?}");
    // As a field of an example, or by name in a sentence or table.
    fields.retain(|field| {
        let as_written = [format!("`{field}`"), format!("\"{field}\":")];
        !as_written.iter().any(|form| guides.contains(form))
    });
    assert_eq!(fields, BTreeSet::new(), "no guide in docs/ names these");
}

fn collect_fields(schema: &Value, fields: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        fields.extend(properties.keys().cloned());
    }
    let inner: Vec<&Value> = match schema {
        Value::Object(members) => members.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    for schema in inner {
        collect_fields(schema, fields);
    }
}

fn plan(
    scenario: LoadScenario,
    applications: Vec<ApplicationProfile>,
    change: impl FnOnce(&mut PlanOptions),
) -> Plan {
    let name = scenario.name.clone();
    let mut options = PlanOptions {
        base_url: "https://grove.place".to_owned(),
        allowed_hosts: vec!["grove.place".to_owned()],
        own_hosts: vec!["vista.grove.place".to_owned()],
        allow_private: false,
        via: Via::Host,
        seed: 1,
        users: None,
        duration: None,
        profile: None,
        users_max: 100_000,
        duration_max_s: 24 * 3_600,
        part: PlanPart::default(),
    };
    change(&mut options);
    let source = PlanSource {
        scenario,
        applications,
        options,
    };
    Plan::parse(&source).unwrap_or_else(|problems| panic!("{name}: {problems}"))
}

fn json_files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(json_files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let json = fs::read(&path).expect("readable");
            files.push((path, json));
        }
    }
    files
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
