//! From the scenario's assertions, thresholds and metrics to what the run measures and judges.

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
    catalog: Catalog,
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
    let catalog = Catalog::new(&custom).unwrap_or_else(|errors| {
        for (place, error) in errors {
            let name = custom.get(place).map_or("", |metric| &metric.name);
            result = Err(report.problem(format!("scenario.metrics[{}]", shown(name)), error));
        }
        Catalog::default()
    });
    result?;
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
    let applications = plan.applications.iter().filter(belongs);
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
                let check = step.checks.iter().find(|check| check.name == *name)?;
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
                let mut extractions = step.extractions.iter();
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
