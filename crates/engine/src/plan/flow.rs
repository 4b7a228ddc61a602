//! From application profiles to flows of steps.

use std::collections::{BTreeMap, BTreeSet};

use super::parse::{PlanSource, Target, check_name, shown};
use super::problem::{Checked, Report};
use super::request::{self, Request, Scope};
use super::types::{Application, Extraction, Op, Step};
use crate::response::{ExpectedStatus, Extractor};
use crate::scenario::{ApplicationProfile, ExpectedStatuses, LatencyLimits, RequestStep};
use crate::template::{Template, VariableId, is_variable_name};
use crate::window::StepId;

/// The applications of a plan, and the variables that their steps share.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) applications: Vec<Application>,
    pub(super) variables: Vec<String>,
}

/// Checks the applications that the scenario names. Without a target, everything but the URLs is checked.
pub(super) fn parse(
    source: &PlanSource,
    target: Option<&Target>,
    report: &mut Report,
) -> Checked<Flow> {
    let chosen = chosen(source, report);
    let weights = weights(source, report);
    let profiles: Vec<&ApplicationProfile> = chosen.iter().copied().flatten().collect();
    let variables = variables(&profiles, report);
    let scope = Scope {
        variables: &variables,
        has_tenants: source.scenario.tenants.is_some(),
        target,
    };
    let mut next_step = 0;
    let mut applications = Vec::new();
    let mut result = Ok(());
    for profile in profiles {
        match application(profile, &scope, &mut next_step, report) {
            Ok(application) => applications.push(application),
            Err(reported) => result = Err(reported),
        }
    }
    if next_step > STEPS_MAX {
        result = Err(report.problem(
            "applications",
            format_args!("have {next_step} steps together: accepted are up to {STEPS_MAX}"),
        ));
    }
    let weights = weights?;
    result?;
    chosen.into_iter().collect::<Checked<Vec<_>>>()?;
    for (application, weight) in applications.iter_mut().zip(weights) {
        application.weight = weight;
    }
    Ok(Flow {
        applications,
        variables,
    })
}

/// The profiles in the order of the scenario.
fn chosen<'a>(source: &'a PlanSource, report: &mut Report) -> Vec<Checked<&'a ApplicationProfile>> {
    let mut profiles: BTreeMap<&str, &ApplicationProfile> = BTreeMap::new();
    for profile in &source.applications {
        if profiles.insert(&profile.name, profile).is_some() {
            let path = format!("applications[{}]", profile.name);
            report.problem(path, "is defined twice: names of applications are unique");
        }
    }
    if source.scenario.applications.is_empty() {
        report.problem(
            "scenario.applications",
            "is empty: at least one application is needed",
        );
    }
    let known = profiles.keys().copied().collect::<Vec<_>>().join(", ");
    let mut seen = BTreeSet::new();
    let weights = source.scenario.applications.iter().enumerate();
    weights
        .map(|(at, weight)| {
            let path = format!("scenario.applications[{at}].name");
            if !seen.insert(weight.name.as_str()) {
                let message = format!(
                    "{} is listed twice: add its weights up",
                    shown(&weight.name)
                );
                return Err(report.problem(path, message));
            }
            profiles.get(weight.name.as_str()).copied().ok_or_else(|| {
                let name = shown(&weight.name);
                report.problem(
                    path,
                    format_args!("unknown application {name}: known are {known}"),
                )
            })
        })
        .collect()
}

/// The weights, adding up to 1.
fn weights(source: &PlanSource, report: &mut Report) -> Checked<Vec<f64>> {
    let path = "scenario.applications";
    let mut result = Ok(());
    let mut sum = 0.0;
    for (at, application) in source.scenario.applications.iter().enumerate() {
        let weight = application.weight;
        if !weight.is_finite() || weight <= 0.0 || weight > WEIGHT_MAX {
            result = Err(report.problem(
                format!("{path}[{at}].weight"),
                format_args!(
                    "{weight} is not a weight: accepted are numbers above 0 up to {WEIGHT_MAX}"
                ),
            ));
        }
        sum += weight;
    }
    result?;
    if (sum - 1.0).abs() > WEIGHT_SUM_TOLERANCE {
        report.warning(
            path,
            format_args!(
                "the weights add up to {sum}, not to 1: they are taken relative to their sum"
            ),
        );
    }
    let applications = source.scenario.applications.iter();
    Ok(applications
        .map(|application| application.weight / sum)
        .collect())
}

/// The names that the plan's steps extract, after those that are always known.
fn variables(profiles: &[&ApplicationProfile], report: &mut Report) -> Vec<String> {
    let mut variables: Vec<String> = ALWAYS_KNOWN.map(str::to_owned).to_vec();
    for profile in profiles {
        for (at, step) in profile.steps.iter().enumerate() {
            for (name, _) in step.extract.iter().flat_map(|map| map.iter()) {
                if !is_variable_name(name) {
                    report.problem(
                        format!("{}.extract", step_path(profile, at)),
                        format_args!(
                            "{} is not a name for a variable: accepted are up to 64 letters, digits and \"_\", \
                             not beginning with a digit, and not the name of something built in",
                            shown(name)
                        ),
                    );
                } else if variables.len() <= VARIABLES_MAX
                    && !variables.iter().any(|known| known == name)
                {
                    variables.push(name.to_owned());
                }
            }
        }
    }
    if variables.len() > VARIABLES_MAX {
        report.problem(
            "applications",
            format_args!("extract too many variables: accepted are up to {VARIABLES_MAX}"),
        );
        variables.truncate(VARIABLES_MAX);
    }
    variables
}

fn application(
    profile: &ApplicationProfile,
    scope: &Scope<'_>,
    next_step: &mut u16,
    report: &mut Report,
) -> Checked<Application> {
    let path = format!("applications[{}]", profile.name);
    let mut result = check_name(&profile.name, format!("{path}.name"), report);
    let variants = profile.variants.as_deref().unwrap_or_default();
    let mut seen = BTreeSet::new();
    for (at, variant) in variants.iter().enumerate() {
        let path = format!("{path}.variants[{at}]");
        result = result.and(check_name(variant, &path, report));
        if !seen.insert(variant) {
            result = Err(report.problem(path, format!("{} is listed twice", shown(variant))));
        }
    }
    for (at, interaction) in profile.do_interactions.iter().enumerate() {
        let path = format!("{path}.doInteractions[{at}].id");
        result = result.and(request::plain_template(
            &interaction.id,
            &path,
            scope,
            report,
        ));
    }
    if profile.steps.is_empty() {
        result = Err(report.problem(
            format!("{path}.steps"),
            "is empty: at least one step is needed",
        ));
    }
    let mut steps = Vec::new();
    let mut names = BTreeSet::new();
    for (at, written) in profile.steps.iter().enumerate() {
        let path = step_path(profile, at);
        if !names.insert(&written.name) {
            let message = format!("{} is the name of two steps", shown(&written.name));
            result = Err(report.problem(format!("{path}.name"), message));
        }
        match step(written, &path, variants, scope, StepId(*next_step), report) {
            Ok(step) => steps.push(step),
            Err(reported) => result = Err(reported),
        }
        *next_step = next_step.saturating_add(1);
    }
    result?;
    Ok(Application {
        name: profile.name.clone(),
        weight: 0.0, // set when all weights are known
        program: (0_u16..)
            .zip(&steps)
            .map(|(at, _)| Op::Request(at))
            .collect(),
        steps,
        variants: variants.to_vec(),
    })
}

fn step(
    step: &RequestStep,
    path: &str,
    variants: &[String],
    scope: &Scope<'_>,
    id: StepId,
    report: &mut Report,
) -> Checked<Step> {
    let name = check_name(&step.name, format!("{path}.name"), report);
    let request = request::parse(&step.request, path, scope, report);
    let expected = expected(step.expect.status.as_ref(), path, report);
    let limits = latency_limits(step.expect.latency_ms, path, report);
    let extractions = extractions(step, path, scope, report);
    let probability = step.probability.unwrap_or(1.0);
    let mut result = Ok(());
    if !(probability > 0.0 && probability <= 1.0) {
        result = Err(report.problem(
            format!("{path}.probability"),
            format_args!("{probability} is not a chance: accepted are numbers above 0 up to 1"),
        ));
    }
    if step.repeat_pattern.is_some() {
        result = Err(report.problem(
            format!("{path}.repeatPattern"),
            "steps that repeat themselves are not supported: write the step several times, or rely on the \
             repetition of the whole iteration",
        ));
    }
    let unless_set = step.unless_set.as_deref().map(|name| {
        scope.variable(name).ok_or_else(|| {
            let message = format!("no step extracts a variable {}", shown(name));
            report.problem(format!("{path}.unlessSet"), message)
        })
    });
    let only_variants = only_variants(step, path, variants, report);
    result?;
    name?;
    let extractions = extractions?;
    let Request { url, headers, body } = request?;
    Ok(Step {
        id,
        name: step.name.clone(),
        method: step.request.method,
        url,
        headers,
        body,
        expected: expected?,
        wanted_headers: wanted_headers(&extractions),
        extractions,
        parallel: step.parallel,
        background: step.background,
        probability,
        unless_set: unless_set.transpose()?,
        only_variants: only_variants?,
        latency_limits: limits?,
    })
}

fn expected(
    statuses: Option<&ExpectedStatuses>,
    path: &str,
    report: &mut Report,
) -> Checked<ExpectedStatus> {
    let statuses = match statuses {
        None => return Ok(ExpectedStatus::Ok),
        Some(ExpectedStatuses::One(status)) => std::slice::from_ref(status),
        Some(ExpectedStatuses::AnyOf(statuses)) => statuses.as_slice(),
    };
    let path = format!("{path}.expect.status");
    if statuses.is_empty() {
        return Err(report.problem(path, "is empty: leave it out to accept 200 to 299"));
    }
    let mut accepted = Vec::new();
    for status in statuses {
        match u16::try_from(*status) {
            Ok(status) if (100..600).contains(&status) => accepted.push(status),
            _ => {
                return Err(report.problem(
                    path,
                    format_args!("{status} is not an HTTP status: accepted are 100 to 599"),
                ));
            }
        }
    }
    accepted.sort_unstable();
    accepted.dedup();
    Ok(ExpectedStatus::OneOf(accepted))
}

fn latency_limits(
    limits: Option<LatencyLimits>,
    path: &str,
    report: &mut Report,
) -> Checked<LatencyLimits> {
    let Some(limits) = limits else {
        return Ok(LatencyLimits::default());
    };
    report.warning(
        format!("{path}.expect.latencyMs"),
        "is kept but decides nothing: what must hold for the run to pass belongs into assertions",
    );
    let mut result = Ok(limits);
    let LatencyLimits { p50, p95, p99, max } = limits;
    for (name, limit) in [("p50", p50), ("p95", p95), ("p99", p99), ("max", max)] {
        if limit.is_some_and(|limit| !(limit > 0.0 && limit.is_finite())) {
            result = Err(report.problem(
                format!("{path}.expect.latencyMs.{name}"),
                "is not a limit: accepted are numbers of milliseconds above 0",
            ));
        }
    }
    result
}

fn extractions(
    step: &RequestStep,
    path: &str,
    scope: &Scope<'_>,
    report: &mut Report,
) -> Checked<Vec<Extraction>> {
    let mut extractions = Vec::new();
    let mut result = Ok(());
    for (name, place) in step.extract.iter().flat_map(|map| map.iter()) {
        let extractor = report.check(format!("{path}.extract.{name}"), Extractor::parse(place));
        match (extractor, scope.variable(name)) {
            (Ok(extractor), Some(variable)) => extractions.push(Extraction {
                variable,
                extractor,
            }),
            (Err(reported), _) => result = Err(reported),
            (Ok(_), None) => {} // not a name, or one too many: reported with the variables
        }
    }
    result.map(|()| extractions)
}

fn only_variants(
    step: &RequestStep,
    path: &str,
    variants: &[String],
    report: &mut Report,
) -> Checked<Vec<u16>> {
    let Some(names) = &step.variants else {
        return Ok(Vec::new());
    };
    let path = format!("{path}.variants");
    if names.is_empty() {
        return Err(report.problem(
            path,
            "is empty: leave it out to play the step in all variants",
        ));
    }
    let mut places = Vec::new();
    for name in names {
        let place = variants.iter().position(|variant| variant == name);
        let Some(place) = place.and_then(|place| u16::try_from(place).ok()) else {
            let message = format!(
                "{} is not a variant of the application: it has [{}]",
                shown(name),
                variants.join(", ")
            );
            return Err(report.problem(path, message));
        };
        places.push(place);
    }
    Ok(places)
}

fn wanted_headers(extractions: &[Extraction]) -> Vec<String> {
    let extracted = extractions.iter().filter_map(|e| e.extractor.header());
    let wanted: BTreeSet<&str> = extracted.chain(["server-timing"]).collect();
    wanted.into_iter().map(str::to_owned).collect()
}

fn step_path(profile: &ApplicationProfile, at: usize) -> String {
    format!("applications[{}].steps[{at}]", profile.name)
}

impl Scope<'_> {
    /// The variable of this name.
    fn variable(&self, name: &str) -> Option<VariableId> {
        let place = self.variables.iter().position(|known| known == name)?;
        u16::try_from(place).ok().map(VariableId)
    }

    /// Reports a template that refers to something that this plan does not have.
    pub(super) fn check_template(
        &self,
        template: &Template,
        path: &str,
        report: &mut Report,
    ) -> Checked<()> {
        if template.uses_tenant() && !self.has_tenants {
            return Err(report.problem(
                path,
                "{{tenant}} is used, but the scenario names no tenants",
            ));
        }
        Ok(())
    }
}

/// The spec gives every user these two; they are empty until a step extracts them.
const ALWAYS_KNOWN: [&str; 2] = ["token", "sessionId"];

/// Each step is a row of results, and a part of every message of every second.
const STEPS_MAX: u16 = 256;

const VARIABLES_MAX: usize = 64;

const WEIGHT_MAX: f64 = 1e9;

const WEIGHT_SUM_TOLERANCE: f64 = 0.01;

#[cfg(test)]
mod tests {
    use crate::plan::Plan;
    use crate::plan::parse::tests::{problems, source};
    use crate::scenario::{ApplicationWeight, RepeatPattern, TextMap};
    use crate::template::VariableId;

    #[test]
    fn applications_steps_and_variables_are_resolved() {
        let plan = Plan::parse(&source()).unwrap();
        let [read, auth] = plan.applications() else {
            panic!("two applications")
        };
        assert_eq!(
            (read.name.as_str(), read.weight),
            ("read", 0.75),
            "the scenario's order"
        );
        let ids: Vec<u16> = read
            .steps
            .iter()
            .chain(&auth.steps)
            .map(|step| step.id.0)
            .collect();
        assert_eq!(ids, [0, 1, 2], "numbered through all applications");
        assert_eq!(plan.variables(), ["token", "sessionId", "postId"]);
        assert_eq!(read.steps[0].extractions[0].variable, VariableId(2));
        assert_eq!(read.steps[1].only_variants, [1]);
        assert_eq!(auth.steps[0].unless_set, Some(VariableId(0)));
        assert!(auth.steps[0].wants_body());
        assert_eq!(
            auth.steps[0].wants_headers(),
            ["server-timing", "set-cookie"]
        );
        assert!(!read.steps[1].wants_body());
        for step in read.steps.iter().chain(&auth.steps) {
            assert_eq!(plan.step(step.id).unwrap().1.name, step.name);
        }
    }

    #[test]
    fn weights_are_relative_to_their_sum() {
        let mut source = source();
        source.scenario.applications[0].weight = 3.0;
        source.scenario.applications[1].weight = 1.0;
        let plan = Plan::parse(&source).unwrap();
        assert_eq!(plan.applications()[0].weight, 0.75);
        assert_eq!(plan.warnings().len(), 1);
        assert!(plan.warnings()[0].message.contains("add up to 4"));
        source.scenario.applications[0].weight = 0.746;
        source.scenario.applications[1].weight = 0.25;
        assert!(
            Plan::parse(&source).unwrap().warnings().is_empty(),
            "within 1 %"
        );
    }

    #[test]
    fn impossible_weights_are_refused() {
        for weight in [0.0, -0.5, f64::NAN, f64::INFINITY, 1e300] {
            let mut source = source();
            source.scenario.applications[1].weight = weight;
            assert!(
                problems(&source).contains("scenario.applications[1].weight: "),
                "{weight}"
            );
        }
        let mut source = source();
        source.scenario.applications.clear();
        assert!(problems(&source).contains("at least one application"));
    }

    #[test]
    fn names_must_lead_to_exactly_one_application() {
        let mut source = source();
        let weight = |name: &str| ApplicationWeight {
            name: name.to_owned(),
            weight: 0.5,
        };
        source.scenario.applications = vec![weight("read"), weight("read"), weight("write")];
        source.applications.push(source.applications[0].clone());
        let text = problems(&source);
        for part in [
            "scenario.applications[1].name: \"read\" is listed twice",
            "scenario.applications[2].name: unknown application \"write\": known are auth, read",
            "applications[auth]: is defined twice",
        ] {
            assert!(text.contains(part), "{text}\n{part}");
        }
    }

    #[test]
    fn mistakes_in_steps_are_all_found() {
        let mut source = source();
        let read = &mut source.applications[1];
        read.variants = Some(vec!["short".to_owned(), "short".to_owned()]);
        let step = &mut read.steps[1];
        step.name = "list".to_owned();
        step.probability = Some(1.5);
        step.unless_set = Some("nothing".to_owned());
        step.repeat_pattern = Some(RepeatPattern {
            interval: "1s".to_owned(),
            variance: "0s".to_owned(),
        });
        step.extract = Some(TextMap(vec![
            ("userId".to_owned(), "$.a".to_owned()),
            ("x".to_owned(), "body".to_owned()),
        ]));
        step.request.url = "/{{postID}}".to_owned();
        source.applications[0].steps.clear();
        let text = problems(&source);
        for part in [
            "applications[read].variants[1]: \"short\" is listed twice",
            "applications[read].steps[1].name: \"list\" is the name of two steps",
            "applications[read].steps[1].probability: 1.5 is not a chance",
            "applications[read].steps[1].unlessSet: no step extracts a variable \"nothing\"",
            "applications[read].steps[1].repeatPattern: steps that repeat",
            "applications[read].steps[1].variants: \"long\" is not a variant of the application: it has [short, short]",
            "applications[read].steps[1].extract: \"userId\" is not a name for a variable",
            "applications[read].steps[1].extract.x: \"body\" is not understood: accepted are a JSON path",
            "applications[read].steps[1].request.url: unknown variable \"postID\"",
            "applications[auth].steps: is empty",
        ] {
            assert!(text.contains(part), "{text}\n{part}");
        }
    }

    #[test]
    fn expectations_are_checked() {
        for (expect, part) in [
            (r#"{"status": 99}"#, "99 is not an HTTP status"),
            (r#"{"status": [200, 600]}"#, "600 is not an HTTP status"),
            (r#"{"status": []}"#, "is empty"),
            (
                r#"{"latencyMs": {"p95": 0}}"#,
                "expect.latencyMs.p95: is not a limit",
            ),
        ] {
            let mut source = source();
            source.applications[1].steps[0].expect = serde_json::from_str(expect).unwrap();
            assert!(problems(&source).contains(part), "{expect}");
        }
    }

    #[test]
    fn limits_that_nothing_judges_are_warned_about() {
        let mut source = source();
        let limits = r#"{"latencyMs": {"p95": 300, "max": 1000}}"#;
        source.applications[1].steps[0].expect = serde_json::from_str(limits).unwrap();
        let plan = Plan::parse(&source).unwrap();
        assert_eq!(
            plan.warnings()[0].path,
            "applications[read].steps[0].expect.latencyMs"
        );
        assert_eq!(
            plan.applications()[0].steps[0].latency_limits.p95,
            Some(300.0)
        );
    }

    #[test]
    fn what_a_run_carries_along_is_bounded() {
        let mut source = source();
        let step = source.applications[1].steps[0].clone();
        for at in 0..300 {
            let mut step = step.clone();
            step.name = format!("step {at}");
            let place = (format!("v{at}"), "$.a".to_owned());
            step.extract = Some(TextMap(vec![place]));
            source.applications[1].steps.push(step);
        }
        let text = problems(&source);
        assert!(
            text.contains("applications: have 303 steps together: accepted are up to 256"),
            "{text}"
        );
        assert!(
            text.contains("applications: extract too many variables: accepted are up to 64"),
            "{text}"
        );
    }

    #[test]
    fn an_application_that_is_not_named_is_left_alone() {
        let mut source = source();
        source.scenario.applications.truncate(1);
        source.applications[0].steps.clear();
        let plan = Plan::parse(&source).unwrap();
        assert_eq!(plan.applications().len(), 1);
        assert_eq!(plan.variables(), ["token", "sessionId", "postId"]);
    }
}
