//! From application profiles to flows of steps.

use super::destination::Via;
use super::interaction;
use super::parse::{PlanSource, Target, check_name, shown};
use super::problem::{Checked, Report};
use super::program::{Numbers, Program};
use super::request::Scope;
use super::types::{Application, Op, Step};
use crate::data::Table;
use crate::delay::Delay;
use crate::duration::Written;
use crate::scenario::{Action, ApplicationProfile, Cookies, FlowStep, LatencyLimits};
use crate::sorted::{SortedMap, SortedSet};
use crate::template::{Names, Template, VariableId, is_variable_name};
use crate::tick::Span;

/// The applications of a plan, and the variables that their steps share.
#[derive(Debug)]
pub(super) struct Flow {
    /// Those with a weight, then setup and teardown.
    pub(super) applications: Vec<Application>,
    pub(super) weighted: usize,
    pub(super) setup: Option<u16>,
    pub(super) teardown: Option<u16>,
    pub(super) handed_over: Vec<VariableId>,
    pub(super) variables: Vec<String>,
    pub(super) tables: Vec<Table>,
}

impl Flow {
    /// The applications with a weight.
    pub(super) fn weighted(&self) -> &[Application] {
        self.applications.get(..self.weighted).unwrap_or_default()
    }
}

/// Checks the applications that the scenario names. Without a target, everything but the URLs is checked.
pub(super) fn parse(
    source: &PlanSource,
    tables: Vec<Table>,
    env: &[String],
    target: Option<&Target>,
    report: &mut Report,
) -> Checked<Flow> {
    let scenario = &source.scenario;
    let chosen = chosen(source, report);
    let weights = weights(source, report);
    let profiles: Vec<&ApplicationProfile> = chosen.iter().copied().flatten().collect();
    let once = [("setup", &scenario.setup), ("teardown", &scenario.teardown)];
    let once = once.map(|(name, steps)| Some((name, steps.as_deref()?)));
    let variables = variables(&profiles, &once, report);
    let scope = Scope {
        names: Names {
            variables: &variables,
            tables: &tables,
            env,
        },
        has_tenants: scenario.tenants.is_some(),
        keeps_cookies: scenario.cookies != Some(Cookies::Off),
        follows_redirects: scenario.max_redirects.is_some_and(|count| count > 0),
        has_pause: scenario.pause.is_some(),
        has_key: false,
        via: source.options.via,
        target,
    };
    let mut numbers = Numbers::default();
    let mut applications = Vec::new();
    let mut result = Ok(());
    for profile in &profiles {
        match application(profile, &scope, &mut numbers, report) {
            Ok(application) => applications.push(application),
            Err(reported) => result = Err(reported),
        }
    }
    let weighted = applications.len();
    let mut places = [None, None];
    for (place, (name, steps)) in places
        .iter_mut()
        .zip(once)
        .filter_map(|(place, once)| Some((place, once?)))
    {
        if profiles.iter().any(|profile| profile.name == name) {
            let path = format!("scenario.{name}");
            let message = "an application has this name too, and results could not be told apart";
            result = Err(report.problem(path, message));
        }
        match played_once(name, steps, &scope, &mut numbers, report) {
            Ok(application) => {
                *place = u16::try_from(applications.len()).ok();
                applications.push(application);
            }
            Err(reported) => result = Err(reported),
        }
    }
    result = result.and(numbers.check(report));
    let weights = weights?;
    result?;
    chosen.into_iter().collect::<Checked<Vec<_>>>()?;
    for (application, weight) in applications.iter_mut().zip(weights) {
        application.weight = weight;
    }
    let [setup, teardown] = places;
    let handed_over = setup.and_then(|place| applications.get(usize::from(place)));
    let handed_over = handed_over.map(extracted).unwrap_or_default();
    Ok(Flow {
        applications,
        weighted,
        setup,
        teardown,
        handed_over,
        variables,
        tables,
    })
}

/// The profiles in the order of the scenario.
fn chosen<'a>(source: &'a PlanSource, report: &mut Report) -> Vec<Checked<&'a ApplicationProfile>> {
    let mut profiles: SortedMap<&str, &ApplicationProfile> = SortedMap::new();
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
    let mut seen = SortedSet::new();
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
fn variables(
    profiles: &[&ApplicationProfile],
    once: &[Option<(&str, &[FlowStep])>],
    report: &mut Report,
) -> Vec<String> {
    let mut variables: Vec<String> = ALWAYS_KNOWN.map(str::to_owned).to_vec();
    for profile in profiles {
        let path = format!("applications[{}]", profile.name);
        collect_variables(
            &profile.steps,
            &format!("{path}.steps"),
            &mut variables,
            report,
        );
        for (at, action) in profile.actions.iter().flatten().enumerate() {
            let path = format!("{path}.actions[{at}].steps");
            collect_variables(&action.steps, &path, &mut variables, report);
        }
    }
    for (name, steps) in once.iter().flatten() {
        collect_variables(steps, &format!("scenario.{name}"), &mut variables, report);
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

fn collect_variables(
    steps: &[FlowStep],
    path: &str,
    variables: &mut Vec<String>,
    report: &mut Report,
) {
    for (at, step) in steps.iter().enumerate() {
        let path = format!("{path}[{at}]");
        for inner in step.inner() {
            collect_variables(inner, &path, variables, report);
        }
        for name in step.variables() {
            if !is_variable_name(name) {
                report.problem(
                    format!("{path}.extract"),
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

fn application(
    profile: &ApplicationProfile,
    scope: &Scope<'_>,
    numbers: &mut Numbers,
    report: &mut Report,
) -> Checked<Application> {
    let path = format!("applications[{}]", profile.name);
    let mut result = check_name(&profile.name, format!("{path}.name"), report);
    let variants = profile.variants.as_deref().unwrap_or_default();
    let mut seen = SortedSet::new();
    for (at, variant) in variants.iter().enumerate() {
        let path = format!("{path}.variants[{at}]");
        result = result.and(check_name(variant, &path, report));
        if !seen.insert(variant) {
            result = Err(report.problem(path, format!("{} is listed twice", shown(variant))));
        }
    }
    // Both are checked whatever is played, so that a file is good for every way or for none.
    let by_object = scope.via == Via::Object;
    let mut others = Numbers::default();
    let (numbers, numbers_of_objects) = if by_object {
        (&mut others, numbers)
    } else {
        (numbers, &mut others)
    };
    let on_objects = objects(profile, &path, scope, numbers_of_objects, report);
    let pacing = profile
        .pacing
        .as_deref()
        .map(|text| delay(text, &format!("{path}.pacing"), report));
    let actions = profile.actions.as_deref().unwrap_or_default();
    if profile.steps.is_empty() && actions.is_empty() && !by_object {
        result = Err(report.problem(
            format!("{path}.steps"),
            "is empty: at least one step, or actions, are needed",
        ));
    }
    let mut program = Program::new(variants, scope, numbers);
    if pacing.is_some() && !scope.has_pause {
        program.without_pause();
    }
    result = result.and(program.steps(&profile.steps, &format!("{path}.steps"), report));
    if !actions.is_empty() {
        result = result.and(add_actions(
            &mut program,
            actions,
            &format!("{path}.actions"),
            report,
        ));
    }
    let flow = program.finish(&path, report);
    let (flow, on_objects) = (flow?, on_objects?);
    result?;
    let (steps, program) = if by_object { on_objects } else { flow };
    Ok(Application {
        name: profile.name.clone(),
        weight: 0.0, // set when all weights are known
        tables: tables_of(&steps, scope.names.tables),
        program,
        steps,
        variants: variants.to_vec(),
        pacing: pacing.transpose()?,
    })
}

/// What an iteration on the objects themselves does.
fn objects(
    profile: &ApplicationProfile,
    path: &str,
    scope: &Scope<'_>,
    numbers: &mut Numbers,
    report: &mut Report,
) -> Checked<(Vec<Step>, Vec<Op>)> {
    let path = format!("{path}.doInteractions");
    let (mut steps, mut ops) = (Vec::new(), Vec::new());
    if profile.pacing.is_some() && !scope.has_pause {
        ops.push(Op::Pause(Delay::Constant(Span::ZERO)));
    }
    let interactions = &profile.do_interactions;
    if interactions.is_empty() && scope.via == Via::Object {
        let message = "is empty: a run on the objects themselves plays nothing else";
        return Err(report.problem(path, message));
    }
    let played = (&mut steps, &mut ops);
    interaction::add(interactions, &path, scope, numbers, played, report)?;
    Ok((steps, ops))
}

fn add_actions(
    program: &mut Program<'_, '_>,
    actions: &[Action],
    path: &str,
    report: &mut Report,
) -> Checked<()> {
    let mut result = Ok(());
    let mut names = SortedSet::new();
    for (at, action) in actions.iter().enumerate() {
        let path = format!("{path}[{at}]");
        result = result.and(check_name(&action.name, format!("{path}.name"), report));
        if !names.insert(&action.name) {
            let message = format!("{} is the name of two actions", shown(&action.name));
            result = Err(report.problem(format!("{path}.name"), message));
        }
        if action.steps.is_empty() {
            let message = "is empty: at least one step is needed";
            result = Err(report.problem(format!("{path}.steps"), message));
        }
    }
    let arms = actions.iter().map(|action| {
        (
            action.weight,
            action.steps.as_slice(),
            action.delay.as_deref(),
        )
    });
    result.and(program.choose(&arms.collect::<Vec<_>>(), path, report))
}

/// What is done once, as an application without weight.
fn played_once(
    name: &str,
    written: &[FlowStep],
    scope: &Scope<'_>,
    numbers: &mut Numbers,
    report: &mut Report,
) -> Checked<Application> {
    let path = format!("scenario.{name}");
    let mut program = Program::new(&[], scope, numbers);
    let result = program.steps(written, &path, report);
    let (steps, program) = program.finish(&path, report)?;
    result?;
    for step in &steps {
        if step.latency_limits != LatencyLimits::default() {
            let message = format_args!(
                "step {} has limits for its latency: what is played once is not judged by them",
                shown(&step.name)
            );
            return Err(report.problem(path, message));
        }
    }
    Ok(Application {
        name: name.to_owned(),
        weight: 0.0,
        tables: tables_of(&steps, scope.names.tables),
        program,
        steps,
        variants: Vec::new(),
        pacing: None,
    })
}

/// The variables that an application extracts, each once.
fn extracted(application: &Application) -> Vec<VariableId> {
    let variables = application.steps.iter().flat_map(Step::variables);
    SortedSet::from_iter(variables).into_iter().collect()
}

/// The places of the tables that the steps refer to.
fn tables_of(steps: &[Step], tables: &[Table]) -> Vec<u16> {
    let used = |table: &u16| {
        steps
            .iter()
            .any(|step| step.templates().any(|t| t.uses_table(*table)))
    };
    (0..)
        .zip(tables)
        .map(|(place, _)| place)
        .filter(used)
        .collect()
}

/// A time that a user waits, at most an hour.
pub(super) fn delay(text: &str, path: &str, report: &mut Report) -> Checked<Delay> {
    let delay = report.check(path, Delay::parse(text))?;
    if delay.longest() > DELAY_MAX {
        let max = Written(DELAY_MAX);
        let message = format_args!("{} is too long: accepted are up to {max}", shown(text));
        return Err(report.problem(path, message));
    }
    Ok(delay)
}

impl Scope<'_> {
    /// The variable of this name.
    pub(super) fn variable(&self, name: &str) -> Option<VariableId> {
        let place = self
            .names
            .variables
            .iter()
            .position(|known| known == name)?;
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
        if template.uses_key() && !self.has_key {
            return Err(report.problem(
                path,
                "{{key}} is used, but only names of Durable Objects and what is sent to them have one",
            ));
        }
        Ok(())
    }
}

/// The spec gives every user these two; they are empty until a step extracts them.
const ALWAYS_KNOWN: [&str; 2] = ["token", "sessionId"];

const VARIABLES_MAX: usize = 64;

const DELAY_MAX: Span = Span::from_secs(3_600);

const WEIGHT_MAX: f64 = 1e9;

const WEIGHT_SUM_TOLERANCE: f64 = 0.01;

#[cfg(test)]
mod tests {
    use crate::plan::Plan;
    use crate::plan::parse::tests::{problems, request_step, source};
    use crate::scenario::{ApplicationWeight, ExtractRule, NamedMap, RepeatPattern};
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
        source.applications[1].variants = Some(vec!["short".to_owned(), "short".to_owned()]);
        let step = request_step(&mut source, 1, 1);
        step.name = "list".to_owned();
        step.probability = Some(1.5);
        step.unless_set = Some("nothing".to_owned());
        step.repeat_pattern = Some(RepeatPattern {
            interval: "1s".to_owned(),
            variance: Some("2s".to_owned()),
        });
        let from = |place: &str| ExtractRule::From(place.to_owned());
        step.extract = Some(NamedMap(vec![
            ("userId".to_owned(), from("$.a")),
            ("x".to_owned(), from("bodi")),
        ]));
        step.request.url = "/{{postID}}".to_owned();
        source.applications[0].steps.clear();
        let text = problems(&source);
        for part in [
            "applications[read].variants[1]: \"short\" is listed twice",
            "applications[read].steps[1].name: \"list\" is the name of two steps",
            "applications[read].steps[1].probability: 1.5 is not a chance",
            "applications[read].steps[1].unlessSet: no step extracts a variable \"nothing\"",
            "applications[read].steps[1].repeatPattern.variance: is longer than the interval",
            "applications[read].steps[1].variants: \"long\" is not a variant of the application: it has [short, short]",
            "applications[read].steps[1].extract: \"userId\" is not a name for a variable",
            "applications[read].steps[1].extract.x: \"bodi\" is not understood: accepted are a JSON path",
            "applications[read].steps[1].request.url: unknown variable \"postID\"",
            "applications[auth].steps: is empty",
        ] {
            assert!(text.contains(part), "{text}\n{part}");
        }
    }

    #[test]
    fn flows_that_cannot_be_played_are_refused_with_their_paths() {
        for (steps, part) in [
            (
                r#"{"think": "2h"}"#,
                "steps[0].think: \"2h\" is too long: accepted are up to 1h",
            ),
            (
                r#"{"loop": {"times": 0, "steps": [{"think": "1s"}]}}"#,
                "steps[0].loop.times: 0 turns are not possible",
            ),
            (
                r#"{"loop": {"times": 1, "over": "t", "steps": []}}"#,
                "steps[0].loop: needs exactly one of",
            ),
            (
                r#"{"loop": {"times": 1, "steps": []}}"#,
                "steps[0].loop.steps: is empty",
            ),
            (
                r#"{"loop": {"over": "t", "steps": [{"think": "1s"}]}}"#,
                "steps[0].loop.over: unknown table \"t\": known are []",
            ),
            (r#"{"choose": []}"#, "steps[0].choose: is empty"),
            (
                r#"{"choose": [{"weight": 0, "steps": [{"think": "x"}]}]}"#,
                "steps[0].choose[0].weight: 0 is not a weight",
            ),
            (
                r#"{"choose": [{"weight": 1, "steps": [{"think": "x"}]}]}"#,
                "steps[0].choose[0].steps[0].think: \"x\" is not a duration",
            ),
        ] {
            let mut source = source();
            source.applications[0].steps = serde_json::from_str(&format!("[{steps}]")).unwrap();
            let text = problems(&source);
            assert!(
                text.contains(&format!("applications[auth].{part}")),
                "{text}\n{part}"
            );
        }
        let deep = (0..10).fold(r#"{"think": "1s"}"#.to_owned(), |inner, _| {
            format!(r#"{{"loop": {{"times": 1, "steps": [{inner}]}}}}"#)
        });
        let mut source = source();
        source.applications[0].steps = serde_json::from_str(&format!("[{deep}]")).unwrap();
        assert!(problems(&source).contains("is nested too deeply: accepted are 8 levels"));
        source.applications[0].name = "setup".to_owned();
        source.scenario.applications[1].name = "setup".to_owned();
        source.scenario.setup = Some(serde_json::from_str(r#"[{"think": "1s"}]"#).unwrap());
        assert!(problems(&source).contains("scenario.setup: an application has this name too"));
    }

    #[test]
    fn checks_that_ask_for_nothing_sensible_are_refused() {
        for (check, part) in [
            (
                r#"{"name": "c", "on": "$.a"}"#,
                "checks[0]: asks for nothing: accepted are",
            ),
            (
                r#"{"name": "c", "on": "text", "exists": true}"#,
                "checks[0].on: \"text\" is not understood",
            ),
            (
                r#"{"name": "", "on": "body", "exists": true}"#,
                "checks[0].name: \"\" is not a name",
            ),
            (
                r#"{"name": "c", "on": "body", "type": "string"}"#,
                "checks[0].type: only what a JSON path finds",
            ),
            (
                r#"{"name": "c", "on": "body", "matches": "("}"#,
                "checks[0].matches: is not a regular expression",
            ),
            (
                r#"{"name": "c", "on": "body", "length": {}}"#,
                "checks[0].length: accepted are",
            ),
            (
                r#"{"name": "c", "on": "body", "length": {"min": 2, "max": 1}}"#,
                "checks[0].length: nothing is as long",
            ),
            (
                r#"{"name": "c", "on": "body", "exists": true}, {"name": "c", "on": "body", "exists": true}"#,
                "checks[1].name: \"c\" is the name of two checks",
            ),
        ] {
            let mut source = source();
            let expect = format!(r#"{{"checks": [{check}]}}"#);
            request_step(&mut source, 1, 0).expect = serde_json::from_str(&expect).unwrap();
            let text = problems(&source);
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
            request_step(&mut source, 1, 0).expect = serde_json::from_str(expect).unwrap();
            assert!(problems(&source).contains(part), "{expect}");
        }
    }

    #[test]
    fn limits_for_latencies_become_requirements() {
        let mut source = source();
        let limits = r#"{"latencyMs": {"p95": 300, "max": 1000}}"#;
        request_step(&mut source, 1, 0).expect = serde_json::from_str(limits).unwrap();
        let plan = Plan::parse(&source).unwrap();
        assert_eq!(plan.warnings(), []);
        let requirements = plan.metering().requirements().iter();
        let written: Vec<String> = requirements
            .map(|r| format!("{}: {}", r.threshold.key(), r.threshold.source()))
            .collect();
        assert_eq!(
            written,
            [
                "response_time{group:read,name:list}: p(95)<=300",
                "response_time{group:read,name:list}: max<=1000"
            ]
        );
        assert_eq!(
            plan.applications()[0].steps[0].latency_limits.p95,
            Some(300.0)
        );
    }

    #[test]
    fn what_a_run_carries_along_is_bounded() {
        let mut source = source();
        let step = request_step(&mut source, 1, 0).clone();
        for at in 0..300 {
            let mut step = step.clone();
            step.name = format!("step {at}");
            let place = (format!("v{at}"), ExtractRule::From("$.a".to_owned()));
            step.extract = Some(NamedMap(vec![place]));
            source.applications[1].steps.push(step.into());
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
