//! The suites of the three other systems at the edge: the scenarios that `sentinel` plays, from the same files,
//! played by the Worker against the same platforms.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::{Service, Testbed};

use crate::support::{Lab, Run};

/// Plays scenarios of a folder of `scenarios/`, one after the other: two users, so many times each.
fn assert_played(service: Service, folder: &str, names: &[&str], iterations: u32) {
    // Of slices that end no session: the platform forgets what was said in it.
    let lab = Lab::own_with(|options| options.var("SLICE_SECONDS", "120"));
    let testbed = lab.testbed_with(service);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scenarios")
        .join(folder);
    for name in names {
        assert_scenario(&lab, &testbed, &folder, name, iterations);
    }
}

fn assert_scenario(lab: &Lab, testbed: &Testbed, folder: &Path, name: &str, iterations: u32) {
    let before = testbed.stats().total.arrived;
    let mut scenario = read(&folder.join(name).with_extension("json"));
    scenario["load"] = json!({
        "executor": "per-vu-iterations", "vus": 2, "iterations": iterations, "maxDuration": "60s",
    });
    scenario["thresholds"] = without_times(&scenario["thresholds"]);
    // Of so short a run nothing can be told about growth.
    let series = scenario.pointer_mut("/monitoring/series");
    let series = series.and_then(Value::as_object_mut);
    for series in series.into_iter().flat_map(|series| series.values_mut()) {
        series["alertOnGrowth"].take();
    }
    let listed = scenario["applications"].as_array().expect("a list").iter();
    let applications: Vec<Value> = listed
        .map(|one| one["name"].as_str().expect("a name"))
        .map(|app| read(&folder.join("applications").join(app).with_extension("json")))
        .collect();
    let mut body = json!({
        "scenario": scenario, "applications": applications, "environment": "staging",
    });
    adapt(&mut body, &testbed.url());

    let run = Run::start(lab, &body);
    assert_eq!(run.ended(Duration::from_secs(120)), "completed", "{name}");
    let summary = run.summary();
    summary.assert_balanced();
    assert!(summary.passed(), "{name}: {}", summary.0);
    assert_eq!(summary.losses(), [] as [Value; 0], "{name}");
    assert_eq!(
        summary.ledger("finished"),
        2 * u64::from(iterations),
        "{name}"
    );
    let arrived = testbed.stats().total.arrived - before;
    let polls = summary.0["monitoring"]["polls"].as_u64().unwrap_or(0);
    assert_eq!(
        summary.ledger("sent") + polls,
        arrived,
        "{name}: as the platform counted"
    );
    let checks = summary.0["checks"].as_array().expect("checks");
    // Some steps are played by chance, but no suite is without any check.
    let of = |column: &str| {
        checks
            .iter()
            .filter_map(|check| check[column].as_u64())
            .sum::<u64>()
    };
    assert!(of("passes") > 0 && of("fails") == 0, "{name}: {checks:?}");
}

fn read(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).expect("JSON")
}

/// The thresholds that a slow machine keeps: those of shares, and not those of times and rates per second.
fn without_times(thresholds: &Value) -> Value {
    let metrics = thresholds.as_object().expect("thresholds").iter();
    let kept = metrics.filter_map(|(metric, conditions)| {
        let conditions = conditions.as_array().expect("a list").iter();
        let of_shares = |one: &&Value| {
            let text = one.as_str().unwrap_or_default();
            ["rate<", "rate==", "rate>0."]
                .iter()
                .any(|start| text.starts_with(start))
        };
        let kept: Vec<&Value> = conditions.filter(of_shares).collect();
        (!kept.is_empty()).then(|| (metric.clone(), json!(kept)))
    });
    Value::Object(kept.collect())
}

/// Sends everything to `host`, and makes waiting times and loops short.
fn adapt(value: &mut Value, host: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| adapt(item, host)),
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), &*member) {
                    ("url", Value::String(path)) if path.starts_with('/') => {
                        *member = json!(format!("{host}{path}"));
                    }
                    ("think" | "delay" | "pause", _) => *member = json!("5ms"),
                    ("times", _) => *member = json!(member.as_u64().map(|times| times.min(20))),
                    _ => adapt(member, host),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn the_server_api_of_tachikoma_is_played() {
    let names = ["health", "missions", "specs", "websocket"];
    assert_played(Service::Missions, "tachikoma", &names, 3);
}

#[test]
fn the_side_panel_is_played() {
    let names = [
        "normal-usage",
        "heavy-session",
        "concurrent-users",
        "stress",
        "endurance",
        "websocket-load",
    ];
    assert_played(Service::Sidepanel, "sidepanel", &names, 2);
}

#[test]
fn the_runtime_of_vi_is_played() {
    let names = ["chat", "production", "soak"];
    assert_played(Service::Chat, "vi", &names, 3);
}
