//! From the scenario's assertions, thresholds and metrics to what the run measures and judges.

use super::monitoring;
use super::parse::shown;
use super::problem::{Checked, Report};
use super::types::{Application, Plan, PlannedScenario, Step};
use crate::metering::{
    Feed, Metering, REQUIREMENTS_MAX, Requirement, RequirementSource, accepted_tags, latency_limits,
};
use crate::metric::{Catalog, CustomMetric, MetricId};
use crate::phase::Phase;
use crate::scenario::{LoadScenario, MetricSource, NamedMap};
use crate::threshold::{Threshold, ThresholdMap, bind, threshold_of};

/// What can be said of metrics and thresholds without the plan.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) catalog: Catalog,
    thresholds: Vec<Threshold>,
}

/// Reads metrics and thresholds; `scenarios` are played side by side, none if they have problems.
pub(super) fn parse(
    scenario: &LoadScenario,
    scenarios: &[PlannedScenario],
    report: &mut Report,
) -> Checked<Asked> {
    let metrics = scenario.metrics.iter().flat_map(NamedMap::iter);
    let custom: Vec<CustomMetric> = metrics
        .map(|(name, metric)| CustomMetric {
            name: name.to_owned(),
            kind: metric.kind,
            contains: metric.contains,
        })
        .collect();
    let mut result = Ok(());
    let mut catalog = Catalog::new(&custom).unwrap_or_else(|errors| {
        for (place, error) in errors {
            let name = custom.get(place).map_or("", |metric| &metric.name);
            result = Err(report.problem(format!("scenario.metrics[{}]", shown(name)), error));
        }
        Catalog::default()
    });
    let watched = monitoring::define(scenario.monitoring.as_ref(), &mut catalog, report);
    result.and(watched)?;
    let none = ThresholdMap::default();
    let map = scenario.thresholds.as_ref().unwrap_or(&none);
    let names: Vec<&str> = scenarios.iter().map(|s| s.name.as_str()).collect();
    let thresholds = bind(map, &catalog, &names).unwrap_or_else(|problems| {
        for problem in problems {
            let path = format!("scenario.thresholds{}", problem.path());
            result = Err(report.problem(path, problem.error));
        }
        Vec::new()
    });
    for threshold in &thresholds {
        let path = format!("scenario.thresholds[{:?}]", threshold.key());
        result = result.and(check_tags(threshold, &catalog, scenarios, path, report));
    }
    result.map(|()| Asked {
        catalog,
        thresholds,
    })
}

/// The metering of a plan of which everything else is final.
pub(super) fn resolve(
    asked: Asked,
    scenario: &LoadScenario,
    plan: &Plan,
    report: &mut Report,
) -> Checked<Metering> {
    let Asked {
        catalog,
        thresholds,
    } = asked;
    let feeds = feeds(scenario, plan, &catalog, report);
    let steady = Phase::SteadyState;
    let mut phases = plan.phases.iter();
    let has_steady_state = phases.any(|span| span.phase == steady && span.from < span.to);
    let mut requirements = Vec::new();
    let mut result = Ok(());
    for (place, assertion) in scenario.assertions.iter().enumerate() {
        match threshold_of(assertion, has_steady_state, &catalog) {
            Ok(threshold) => requirements.push(Requirement {
                threshold,
                source: RequirementSource::Assertion(place),
            }),
            Err(error) => {
                let path = format!("scenario.assertions[{place}].value");
                result = Err(report.problem(path, error));
            }
        }
    }
    requirements.extend(thresholds.into_iter().map(|threshold| Requirement {
        threshold,
        source: RequirementSource::Threshold,
    }));
    requirements.extend(latency_limits(plan, &catalog));
    let watched = scenario.monitoring.as_ref();
    requirements.extend(monitoring::requirements(watched, &catalog, report)?);
    if requirements.len() > REQUIREMENTS_MAX {
        let message = format_args!(
            "{} assertions, thresholds and limits of latencies are too many: accepted are {REQUIREMENTS_MAX}",
            requirements.len()
        );
        result = Err(report.problem("scenario.thresholds", message));
    }
    result?;
    Ok(Metering::new(plan, catalog, requirements, feeds?))
}

/// A tag that no sample of the metric bears would select nothing, for ever.
fn check_tags(
    threshold: &Threshold,
    catalog: &Catalog,
    scenarios: &[PlannedScenario],
    path: String,
    report: &mut Report,
) -> Checked<()> {
    let selection = &threshold.query().selection;
    let Some(definition) = catalog.definition(selection.metric) else {
        return Ok(());
    };
    let Some(accepted) = accepted_tags(catalog, selection.metric, scenarios) else {
        let name = &definition.name;
        report.warning(
            path,
            format_args!("{name} is never measured: it has no data"),
        );
        return Ok(());
    };
    let mut asked = selection.filter.iter().map(|(name, _)| name);
    match asked.find(|name| !accepted.contains(name)) {
        None => Ok(()),
        Some(unknown) => {
            let unknown = shown(unknown);
            let accepted = if accepted.is_empty() {
                "none".to_owned()
            } else {
                accepted.join(", ")
            };
            let name = &definition.name;
            let message =
                format!("samples of {name} have no tag {unknown}: accepted are {accepted}");
            Err(report.problem(path, message))
        }
    }
}

fn feeds(
    scenario: &LoadScenario,
    plan: &Plan,
    catalog: &Catalog,
    report: &mut Report,
) -> Checked<Vec<Feed>> {
    let mut feeds = Vec::new();
    let mut result = Ok(());
    for (name, config) in scenario.metrics.iter().flat_map(NamedMap::iter) {
        let Some(metric) = catalog.id(name) else {
            continue;
        };
        if config.from.is_empty() {
            let message = "is empty: at least one source is needed";
            result = Err(report.problem(format!("scenario.metrics.{name}.from"), message));
        }
        for (number, source) in config.from.iter().enumerate() {
            let path = format!("scenario.metrics.{name}.from[{number}]");
            match source_feeds(metric, source, plan, &path, report) {
                Ok(found) => feeds.extend(found),
                Err(reported) => result = Err(reported),
            }
        }
    }
    result.map(|()| feeds)
}

fn source_feeds(
    metric: MetricId,
    source: &MetricSource,
    plan: &Plan,
    path: &str,
    report: &mut Report,
) -> Checked<Vec<Feed>> {
    let belongs = |application: &&Application| {
        let wanted = source.application.as_ref();
        wanted.is_none_or(|name| *name == application.name)
    };
    let applications = plan.applications().iter().filter(belongs);
    let steps = applications.flat_map(|application| &application.steps);
    let steps: Vec<&Step> = steps.filter(|step| step.name == source.step).collect();
    if steps.is_empty() {
        let message = format_args!("no application has a step {}", shown(&source.step));
        return Err(report.problem(format!("{path}.step"), message));
    }
    let none = |path: String, what: &str, name: &str, report: &mut Report| {
        let step = shown(&source.step);
        let message = format!("step {step} {what} {}", shown(name));
        report.problem(path, message)
    };
    match (&source.extract, &source.check, source.value) {
        (None, None, Some(value)) => {
            let feed = |step: &Step| Feed::of_value(metric, step.id, value);
            Ok(steps.into_iter().map(feed).collect())
        }
        (None, Some(name), None) => {
            let checked = |step: &Step| {
                let check = step.every_check().find(|check| check.name == *name)?;
                Some(Feed::of_check(metric, step.id, check.id))
            };
            let feeds: Vec<Feed> = steps.into_iter().filter_map(checked).collect();
            if feeds.is_empty() {
                return Err(none(format!("{path}.check"), "has no check", name, report));
            }
            Ok(feeds)
        }
        (Some(name), None, None) => {
            let variable = plan.variables.iter().position(|variable| variable == name);
            let extracted = |step: &Step| {
                let of_events = step.stream.iter().flat_map(|stream| &stream.extractions);
                let mut extractions = step.extractions.iter().chain(of_events);
                let found = extractions.find(|e| Some(usize::from(e.variable.0)) == variable)?;
                Some(Feed::of_variable(metric, step.id, found.variable))
            };
            let feeds: Vec<Feed> = steps.into_iter().filter_map(extracted).collect();
            if feeds.is_empty() {
                let path = format!("{path}.extract");
                return Err(none(path, "extracts no variable", name, report));
            }
            Ok(feeds)
        }
        _ => Err(report.problem(path, "needs exactly one of extract, check and value")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::metering::RequirementSource;
    use crate::plan::parse::tests::{problems, source};
    use crate::plan::{Plan, PlanSource};

    fn with(thresholds: &serde_json::Value, metrics: &serde_json::Value) -> PlanSource {
        let mut source = source();
        source.scenario.thresholds = Some(serde_json::from_value(thresholds.clone()).unwrap());
        source.scenario.metrics = Some(serde_json::from_value(metrics.clone()).unwrap());
        source
    }

    #[test]
    fn assertions_thresholds_and_limits_are_required_in_this_order() {
        let thresholds = json!({"http_reqs{url:https://grove.place/api/posts/{{postId}}?v={{variant}}}": ["count>0"]});
        let mut source = with(&thresholds, &json!({}));
        source.scenario.assertions = serde_json::from_value(json!([
            {"metric": "p95_latency_ms", "operator": "<", "value": 200},
        ]))
        .unwrap();
        let plan = Plan::parse(&source).unwrap();
        let sources: Vec<_> = plan
            .metering()
            .requirements()
            .iter()
            .map(|r| r.source)
            .collect();
        assert_eq!(
            sources,
            [
                RequirementSource::Assertion(0),
                RequirementSource::Threshold
            ]
        );
        assert_eq!(plan.warnings(), []);
    }

    #[test]
    fn all_problems_are_told_with_their_path() {
        let source = with(
            &json!({
                "http_reqs": ["count>abc", "count>1 in nowhere"],
                "nonsense": ["count>1"],
                "vus{scenario:mix}": ["value>1"],
            }),
            &json!({}),
        );
        let text = problems(&source);
        for part in [
            r#"scenario.thresholds["http_reqs"][0]: "abc" is not a number"#,
            r#"scenario.thresholds["http_reqs"][1]: "nowhere" is neither a phase nor a scenario"#,
            r#"scenario.thresholds["nonsense"]: there is no metric "nonsense""#,
            r#"scenario.thresholds["vus{scenario:mix}"][0]: metric vus is of the whole run"#,
        ] {
            assert!(text.contains(part), "{text}\n{part}");
        }
        let source = with(
            &json!({
                "iterations{status:200}": ["count>1"],
                "do_wake_rate{scenario:mix}": ["rate<1"],
            }),
            &json!({}),
        );
        let text = problems(&source);
        for part in [
            r#"scenario.thresholds["iterations{status:200}"]: samples of iterations have no tag "status": accepted are scenario, group"#,
            r#"samples of do_wake_rate have no tag "scenario": accepted are component"#,
        ] {
            assert!(text.contains(part), "{text}\n{part}");
        }
    }

    #[test]
    fn a_metric_needs_a_source_that_exists() {
        let from = |from: serde_json::Value| json!({"own": {"type": "trend", "from": from}});
        for (metrics, part) in [
            (from(json!([])), "scenario.metrics.own.from: is empty"),
            (
                from(json!([{"step": "none", "value": "count"}])),
                r#"scenario.metrics.own.from[0].step: no application has a step "none""#,
            ),
            (
                from(json!([{"step": "list", "value": "count", "extract": "postId"}])),
                "scenario.metrics.own.from[0]: needs exactly one of extract, check and value",
            ),
            (from(json!([{"step": "list"}])), "needs exactly one of"),
            (
                from(json!([{"step": "list", "extract": "token"}])),
                r#"from[0].extract: step "list" extracts no variable "token""#,
            ),
            (
                from(json!([{"step": "list", "check": "x"}])),
                r#"from[0].check: step "list" has no check "x""#,
            ),
            (
                json!({"http_reqs": {"type": "counter", "from": [{"step": "list", "value": "count"}]}}),
                r#"scenario.metrics["http_reqs"]: metric http_reqs is built in"#,
            ),
        ] {
            let text = problems(&with(&json!({}), &metrics));
            assert!(text.contains(part), "{text}\n{part}");
        }
    }

    #[test]
    fn what_is_never_measured_is_warned_about() {
        let thresholds = json!({"grpc_req_duration": ["p(95)<10"]});
        let plan = Plan::parse(&with(&thresholds, &json!({}))).unwrap();
        let warning = &plan.warnings()[0];
        assert_eq!(warning.path, r#"scenario.thresholds["grpc_req_duration"]"#);
        assert!(warning.message.contains("never measured"));
    }
}
