//! The values that k6's scenarios give their users, `__ENV` there and `{{env.NAME}}` here.
//!
//! Invariant: no user meets a template whose value its scenario does not have.

use super::flow::Flow;
use super::parse::shown;
use super::problem::{Checked, Report};
use super::types::{Application, PlannedScenario, Step};
use crate::scenario::{LoadConfig, LoadScenario};
use crate::template::is_identifier;

/// The names in the `env` of all scenarios, each once, in the order of the file.
pub(super) fn names(scenario: &LoadScenario, report: &mut Report) -> Vec<String> {
    let one = scenario.load.iter();
    let several = scenario.scenarios.iter().flat_map(|map| map.0.iter());
    let one = one.map(|load| ("scenario.load".to_owned(), load));
    let several = several.map(|(name, load)| (format!("scenario.scenarios.{}", cut(name)), load));
    let mut names: Vec<String> = Vec::new();
    for (path, load) in one.chain(several) {
        collect(load, &format!("{path}.env"), &mut names, report);
    }
    names
}

fn collect(load: &LoadConfig, path: &str, names: &mut Vec<String>, report: &mut Report) {
    for (name, value) in load.env.iter().flat_map(|map| map.iter()) {
        if !is_identifier(name) {
            let message = format_args!(
                "{} is not a name: accepted are up to 64 letters, digits and \"_\", not beginning with a digit",
                shown(name)
            );
            report.problem(path, message);
        } else if value.len() > VALUE_BYTES_MAX {
            let bytes = value.len();
            let message =
                format_args!("is {bytes} bytes long: accepted are up to {VALUE_BYTES_MAX}");
            report.problem(format!("{path}.{name}"), message);
        } else if !names.iter().any(|known| known == name) {
            if names.len() == NAMES_MAX {
                let message = format_args!(
                    "has too many names: accepted are up to {NAMES_MAX} in all scenarios together"
                );
                report.problem(path, message);
                return;
            }
            names.push(name.to_owned());
        }
    }
}

/// What a scenario says of these names.
pub(super) fn values(names: &[String], env: &[(String, String)]) -> Vec<Option<String>> {
    let value = |name: &String| {
        let found = env.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    names.iter().map(value).collect()
}

/// Checks that each scenario has the values of what it plays. Setup and teardown are played by none.
pub(super) fn check(
    names: &[String],
    flow: &Flow,
    scenarios: &[PlannedScenario],
    report: &mut Report,
) -> Checked<()> {
    let mut result = Ok(());
    for (place, application) in (0_u16..).zip(&flow.applications) {
        let used: Vec<(u16, &String)> = (0_u16..)
            .zip(names)
            .filter(|(id, _)| uses(application, *id))
            .collect();
        if usize::from(place) >= flow.weighted
            && let Some((_, name)) = used.first()
        {
            let message = format_args!(
                "uses env.{name}, which users of a scenario have, and belongs to none"
            );
            result = Err(report.problem(format!("scenario.{}", application.name), message));
        }
        let plays =
            |scenario: &&PlannedScenario| scenario.applications.iter().any(|(at, _)| *at == place);
        for scenario in scenarios.iter().filter(plays) {
            let missing = used.iter().find(|(id, _)| {
                scenario
                    .env
                    .get(usize::from(*id))
                    .is_none_or(Option::is_none)
            });
            if let Some((_, name)) = missing {
                let message = format_args!(
                    "has no {name}, which the application {} uses as env.{name}",
                    shown(&application.name)
                );
                let path = format!("scenario.scenarios.{}.env", scenario.name);
                result = Err(report.problem(path, message));
            }
        }
    }
    result
}

fn uses(application: &Application, name: u16) -> bool {
    let mut templates = application.steps.iter().flat_map(Step::templates);
    templates.any(|template| template.uses_env(name))
}

fn cut(name: &str) -> String {
    name.chars().take(80).collect()
}

const NAMES_MAX: usize = 64;

const VALUE_BYTES_MAX: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use crate::plan::parse::tests::{problems, request_step, source};
    use crate::plan::{Plan, PlanSource};
    use serde_json::{Value, json};

    /// Two scenarios, of which one plays `read` alone, and `read` asks for the region.
    fn source_of(a: Value, b: Value) -> PlanSource {
        let mut source = source();
        let load = |env, exec: &str| json!({"vus": 1, "exec": exec, "env": env});
        let scenarios = json!({"a": load(a, "read"), "b": load(b, "auth")});
        source.scenario.user_profile = None;
        source.scenario.scenarios = Some(serde_json::from_value(scenarios).expect("scenarios"));
        request_step(&mut source, 1, 0).request.url = "/api/{{env.REGION}}".to_owned();
        source
    }

    #[test]
    fn each_scenario_has_its_own_values() {
        let source = source_of(json!({"REGION": "eu", "X": "1"}), json!({"X": "2"}));
        let plan = Plan::parse(&source).expect("a plan");
        assert_eq!(plan.warnings(), []);
        let values: Vec<Vec<Option<&str>>> = plan
            .scenarios()
            .iter()
            .map(|s| s.env.iter().map(Option::as_deref).collect())
            .collect();
        assert_eq!(values, [[Some("eu"), Some("1")], [None, Some("2")]]);
    }

    #[test]
    fn a_value_that_a_user_would_not_have_is_an_error_of_the_plan() {
        for (a, b, expected) in [
            (
                json!({}),
                json!({}),
                "applications[read].steps[0].request.url: unknown value \"REGION\" of env: no scenario has any",
            ),
            (
                json!({"ZONE": "1"}),
                json!({}),
                "unknown value \"REGION\" of env: known are ZONE",
            ),
            (
                json!({}),
                json!({"REGION": "eu"}),
                "scenario.scenarios.a.env: has no REGION, which the application \"read\" uses as env.REGION",
            ),
            (
                json!({"REGION": "eu", "1A": ""}),
                json!({}),
                "scenario.scenarios.a.env: \"1A\" is not a name",
            ),
            (
                json!({"REGION": "x".repeat(5_000)}),
                json!({}),
                "scenario.scenarios.a.env.REGION: is 5000 bytes long: accepted are up to 4096",
            ),
        ] {
            let text = problems(&source_of(a, b));
            assert!(text.contains(expected), "{text}\n{expected}");
        }
        let many: serde_json::Map<String, Value> =
            (0..70).map(|n| (format!("N{n}"), json!(""))).collect();
        let text = problems(&source_of(many.into(), json!({})));
        assert!(
            text.contains("scenario.scenarios.a.env: has too many names"),
            "{text}"
        );
    }

    #[test]
    fn what_no_scenario_plays_has_no_values_of_any() {
        let mut source = source_of(json!({"REGION": "eu"}), json!({}));
        let step = json!([{"name": "s", "request": {"method": "GET", "url": "/{{env.REGION}}"}}]);
        source.scenario.setup = Some(serde_json::from_value(step).expect("steps"));
        let text = problems(&source);
        assert!(text.contains("scenario.setup: uses env.REGION"), "{text}");
    }
}
