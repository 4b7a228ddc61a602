//! Scenario files as they stand in the repository and in its documentation become plans.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sentinel_engine::plan::{Plan, PlanOptions, PlanSource};
use sentinel_engine::redact::{redact_application, redact_scenario};
use sentinel_engine::scenario::{
    ApplicationProfile, LoadScenario, parse_application, parse_scenario,
};

#[test]
fn the_examples_of_the_documentation_are_a_plan_without_warnings() {
    let text =
        fs::read_to_string(repository().join("docs/scenarios.md")).expect("docs/scenarios.md");
    let blocks = text.split("```json\n").skip(1);
    let examples: Vec<&str> = blocks
        .filter_map(|block| block.split("```").next())
        .collect();
    let [scenario, read, sign_in] = examples[..] else {
        panic!(
            "one scenario and its two applications, not {} blocks",
            examples.len()
        )
    };
    let applications = [read, sign_in].map(|json| parse_application(json.as_bytes()).expect(json));
    let scenario = parse_scenario(scenario.as_bytes()).expect(scenario);
    let plan = plan(scenario, applications.to_vec(), |_| {});
    assert_eq!(plan.warnings(), []);
    assert_eq!(plan.users_max(), 50);
}

#[test]
fn all_files_are_plans_without_warnings_and_hold_no_secret() {
    let mut scenarios = BTreeMap::new();
    let mut applications = Vec::new();
    for (path, json) in json_files(&repository().join("scenarios")) {
        let value: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        if value.get("$schema").is_some() {
            continue; // the schema itself
        }
        if value.get("steps").is_some() {
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
        let small = plan(scenario, applications.clone(), |options| {
            options.users = Some(3);
            options.duration = Some("10s".to_owned());
        });
        assert_eq!(small.users_max(), 3, "{path:?}");
        assert_eq!(small.duration().as_us(), 10_000_000, "{path:?}");
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
        seed: 1,
        users: None,
        duration: None,
        users_max: 100_000,
        duration_max_s: 24 * 3_600,
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
