//! From what the file says about the load to the scenarios of a plan: the spec's user profile, or k6's and
//! Artillery's models.

use super::closed::{LoadModel, Stage};
use super::env;
use super::load;
use super::parse::{PlanOptions, PlanSource};
use super::problem::{Checked, Problems, Report};
use super::profile::Shape;
use super::types::{Application, Op, PlannedScenario};
use crate::delay::Delay;
use crate::duration::Written;
use crate::load_model::{ArrivalModel, ArrivalUsers, Model, Workload, Workloads};
use crate::phase::{Phase, PhaseSpan};
use crate::scenario::LoadScenario;
use crate::tick::{Span, Tick};

/// When everybody comes, and what the time line is told in.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) scenarios: Vec<PlannedScenario>,
    pub(super) phases: Vec<PhaseSpan>,
    pub(super) duration: Span,
    pub(super) graceful_stop: Span,
}

/// What of the plan around them the scenarios need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Between<'a> {
    pub(super) graceful_stop: Checked<Span>,
    pub(super) rests: Rests,
    /// What is laid over the load.
    pub(super) shape: Option<&'a Shape>,
}

/// What users do between two iterations, as the scenario says it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rests {
    pub(super) pause: Checked<Option<Delay>>,
    pub(super) pacing: Checked<Option<Delay>>,
}

impl Schedule {
    /// Checks the load of a source. Without applications, everything but what they are needed for is checked.
    pub(super) fn parse(
        source: &PlanSource,
        around: Between<'_>,
        env: &[String],
        applications: Option<&[Application]>,
        report: &mut Report,
    ) -> Checked<Self> {
        let Between {
            graceful_stop,
            rests,
            shape,
        } = around;
        let scenario = &source.scenario;
        let models = scenario.load.is_some() || scenario.scenarios.is_some();
        let Some(profile) = &scenario.user_profile else {
            if !models {
                return Err(report.problem(
                    "scenario",
                    "has no load: accepted are userProfile, load and scenarios",
                ));
            }
            let applications = applications.unwrap_or_default();
            return Self::of_models(source, rests, shape, env, applications, report);
        };
        if models {
            report.problem(
                "scenario.userProfile",
                "does not go together with load or scenarios: write one of them",
            );
        }
        let load = match shape {
            // The profile is what decides how many users there are and for how long; both are checked then.
            Some(_) => load::parse(profile, &unlimited(&source.options), report),
            None => load::parse(profile, &source.options, report),
        }?;
        let graceful_stop = graceful_stop?;
        let (pause, pacing) = (rests.pause?, rests.pacing?);
        // The spec's runner lets a second pass between two iterations. A pacing alone decides.
        let default = if pacing.is_some() {
            Span::ZERO
        } else {
            PROFILE_PAUSE
        };
        let planned = PlannedScenario {
            name: scenario.name.clone(),
            starts_at: Tick::ZERO,
            model: Model::Closed(load.model(graceful_stop)),
            graceful_stop,
            pause: pause.unwrap_or(Delay::Constant(default)),
            pacing,
            applications: by_weight(applications.unwrap_or_default()),
            first_vu: 0,
            tags: Vec::new(),
            env: Vec::new(),
        };
        if let Some(shape) = shape {
            return Self::laid(shape, vec![planned], &source.options, report);
        }
        Ok(Self {
            scenarios: vec![planned],
            phases: load.phases(),
            duration: load.duration(),
            graceful_stop,
        })
    }

    /// The scenarios of `load` or `scenarios`.
    fn of_models(
        source: &PlanSource,
        rests: Rests,
        shape: Option<&Shape>,
        env: &[String],
        applications: &[Application],
        report: &mut Report,
    ) -> Checked<Self> {
        let PlanSource {
            scenario, options, ..
        } = source;
        for (option, given) in [
            ("users", options.users.is_some()),
            ("duration", options.duration.is_some()),
        ] {
            if given && shape.is_none() {
                report.problem(
                    format!("options.{option}"),
                    "scales a userProfile, which this scenario does not have: change its load instead",
                );
            }
        }
        let load = scenario.load.as_ref();
        let parsed = Workloads::parse(load, scenario.scenarios.as_ref(), "scenario");
        let workloads = match parsed {
            Ok(workloads) => workloads,
            Err(Problems(problems)) => {
                let told = problems
                    .into_iter()
                    .map(|p| report.problem(p.path, p.message));
                // At least one problem comes with the error.
                let last = told.last();
                return Err(last.unwrap_or_else(|| report.problem("scenario", "has no load")));
            }
        };
        for warning in workloads.warnings {
            report.warning(warning.path, warning.message);
        }
        let rests = (rests.pause?, rests.pacing?);
        let mut scenarios: Vec<PlannedScenario> = Vec::new();
        let mut result = Ok(());
        for workload in &workloads.list {
            match planned(workload, rests, env, applications, report) {
                Ok(planned) => scenarios.push(planned),
                Err(reported) => result = Err(reported),
            }
        }
        result?;
        warn_of_rests_without_effect(scenario, &scenarios, applications, report);
        if let Some(shape) = shape {
            return Self::laid(shape, scenarios, options, report);
        }
        let schedule = Self::around(scenarios);
        schedule.check_limits(options, "scenario", report)?;
        Ok(schedule)
    }

    /// The scenarios with a shape laid over them.
    fn laid(
        shape: &Shape,
        mut scenarios: Vec<PlannedScenario>,
        options: &PlanOptions,
        report: &mut Report,
    ) -> Checked<Self> {
        let users = load::wanted_users(options, report);
        let duration = load::wanted_duration(options, report);
        let takes_users = scenarios.len() == 1
            && scenarios
                .iter()
                .all(|scenario| matches!(scenario.model, Model::Closed(_)));
        if options.users.is_some() && !takes_users {
            report.problem(
                "options.users",
                "scales the users of a profile, and this load is a rate or has several scenarios",
            );
        }
        let laid = shape.laid(users?, duration?);
        scenarios
            .iter_mut()
            .for_each(|scenario| laid.over(scenario));
        let schedule = Self::around(scenarios);
        schedule.check_limits(options, "options.profile", report)?;
        Ok(schedule)
    }

    fn around(mut scenarios: Vec<PlannedScenario>) -> Self {
        let mut first_vu = 0_u32;
        for scenario in &mut scenarios {
            scenario.first_vu = first_vu;
            first_vu = first_vu.saturating_add(scenario.users_max());
        }
        let ends = scenarios.iter().map(|s| s.starts_at + s.duration());
        let end = ends.max().unwrap_or(Tick::ZERO);
        let graces = scenarios
            .iter()
            .map(|s| s.starts_at + s.duration() + s.graceful_stop);
        let last = graces.max().unwrap_or(end);
        Self {
            phases: phases(&scenarios, end),
            duration: end.saturating_since(Tick::ZERO),
            graceful_stop: last.saturating_since(end),
            scenarios,
        }
    }

    /// `path` is where the load comes from.
    fn check_limits(&self, options: &PlanOptions, path: &str, report: &mut Report) -> Checked<()> {
        let mut result = Ok(());
        let counted = self
            .scenarios
            .iter()
            .filter(|scenario| !is_fresh(&scenario.model));
        let users = counted.fold(0_u32, |sum, scenario| {
            sum.saturating_add(scenario.users_max())
        });
        if users > options.users_max {
            result = Err(report.problem(
                path,
                format_args!(
                    "calls for up to {users} users: accepted are up to {}",
                    options.users_max
                ),
            ));
        }
        let longest = Span::from_secs(options.duration_max_s);
        if self.duration > longest {
            let [duration, longest] = [self.duration, longest].map(Written);
            let message = format_args!("takes {duration}: accepted are up to {longest}");
            result = Err(report.problem(path, message));
        }
        result
    }
}

/// Options whose limits are those of what is laid over the load.
fn unlimited(options: &PlanOptions) -> PlanOptions {
    PlanOptions {
        users: None,
        duration: None,
        users_max: u32::MAX,
        duration_max_s: u64::MAX / 1_000_000,
        ..options.clone()
    }
}

fn planned(
    workload: &Workload,
    (pause, pacing): (Option<Delay>, Option<Delay>),
    env: &[String],
    applications: &[Application],
    report: &mut Report,
) -> Checked<PlannedScenario> {
    let path = format!("scenario.scenarios.{}", workload.name);
    let played = match &workload.exec {
        None => by_weight(applications),
        Some(name) => {
            let place = applications
                .iter()
                .position(|application| application.name == *name);
            let Some(place) = place.and_then(|place| u16::try_from(place).ok()) else {
                let known = applications
                    .iter()
                    .map(|a| a.name.as_str())
                    .collect::<Vec<_>>();
                let message = format!(
                    "{name:?} is not an application of the scenario: it has [{}]",
                    known.join(", ")
                );
                return Err(report.problem(format!("{path}.exec"), message));
            };
            vec![(place, 1.0)]
        }
    };
    Ok(PlannedScenario {
        name: workload.name.clone(),
        starts_at: Tick::ZERO + workload.starts_at,
        model: workload.model.clone(),
        graceful_stop: workload.graceful_stop,
        pause: pause.unwrap_or(Delay::Constant(Span::ZERO)),
        pacing,
        applications: played,
        first_vu: 0, // set when all scenarios are known
        tags: workload.tags.clone(),
        env: env::values(env, &workload.env),
    })
}

/// Where arrivals begin iterations, what a user is told to do after one changes nothing.
fn warn_of_rests_without_effect(
    scenario: &LoadScenario,
    scenarios: &[PlannedScenario],
    applications: &[Application],
    report: &mut Report,
) {
    let mut warn = |path: String| {
        let message = "has no effect: arrivals begin the iterations that it stands behind, and a \
                       user is free as soon as one ends";
        report.warning(path, message);
    };
    let (closed, open): (Vec<_>, Vec<_>) = scenarios
        .iter()
        .partition(|scenario| matches!(scenario.model, Model::Closed(_)));
    if closed.is_empty() {
        let written = [("pause", &scenario.pause), ("pacing", &scenario.pacing)];
        let written = written.into_iter().filter(|(_, text)| text.is_some());
        written.for_each(|(field, _)| warn(format!("scenario.{field}")));
    }
    for (place, application) in (0_u16..).zip(applications) {
        let plays = |scenario: &&PlannedScenario| {
            let mut played = scenario.applications.iter();
            played.any(|(played, _)| *played == place)
        };
        if closed.iter().any(plays) || !open.iter().any(plays) {
            continue;
        }
        let path = format!("applications[{}]", application.name);
        if application.pacing.is_some() {
            warn(format!("{path}.pacing"));
        }
        let nothing = Delay::Constant(Span::ZERO);
        let waits = |op: &Op| matches!(op, Op::Pause(delay) if *delay != nothing);
        if application.program.iter().any(waits) {
            warn(format!("{path}.actions"));
        }
    }
}

/// Every application by its weight.
fn by_weight(applications: &[Application]) -> Vec<(u16, f64)> {
    let weights = applications.iter().map(|application| application.weight);
    (0..).zip(weights).collect()
}

const fn is_fresh(model: &Model) -> bool {
    matches!(
        model,
        Model::Open {
            users: ArrivalUsers::Fresh,
            ..
        }
    )
}

/// The four phases of a load that is not told in them: where it rises and falls, where it is held at its
/// highest, and where it is held otherwise. Several scenarios together are one steady state.
fn phases(scenarios: &[PlannedScenario], end: Tick) -> Vec<PhaseSpan> {
    let mut spans: Vec<PhaseSpan> = Vec::new();
    let mut add = |phase: Phase, length: Span| {
        let from = spans.last().map_or(Tick::ZERO, |span| span.to);
        let to = (from + length).min(end);
        match spans.last_mut() {
            Some(last) if last.phase == phase => last.to = to,
            _ if to > from => spans.push(PhaseSpan { phase, from, to }),
            _ => {}
        }
    };
    if let [only] = scenarios {
        add(Phase::RampUp, only.starts_at.saturating_since(Tick::ZERO));
        if let Some((start, stages)) = stages_of(&only.model) {
            let highest = stages
                .iter()
                .map(|stage| stage.target)
                .max()
                .unwrap_or(0)
                .max(start);
            let mut level = start;
            for stage in stages {
                let phase = match stage.target.cmp(&level) {
                    std::cmp::Ordering::Greater => Phase::RampUp,
                    std::cmp::Ordering::Less => Phase::RampDown,
                    std::cmp::Ordering::Equal if level == highest => Phase::Peak,
                    std::cmp::Ordering::Equal => Phase::SteadyState,
                };
                level = stage.target;
                add(phase, stage.duration);
            }
        }
    }
    add(Phase::SteadyState, end.saturating_since(Tick::ZERO));
    spans
}

/// The stages of a model that changes, and where it starts.
fn stages_of(model: &Model) -> Option<(u32, &[Stage])> {
    match model {
        Model::Closed(LoadModel::RampingVus {
            start_users,
            stages,
            ..
        }) if stages.len() > 1 => Some((*start_users, stages)),
        Model::Open {
            arrivals: ArrivalModel::RampingRate { start, stages, .. },
            ..
        } => Some((*start, stages)),
        Model::Closed(_) | Model::Open { .. } => None,
    }
}

/// The pause of a user profile; k6's executors do not pause.
const PROFILE_PAUSE: Span = Span::from_secs(1);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::plan::parse::tests::source;
    use crate::plan::{Plan, PlanSource};

    /// What is warned about in a plan of these scenarios, in which everything that makes users rest is written.
    fn warned(scenarios: Value) -> Vec<String> {
        let mut source: PlanSource = source();
        source.scenario.user_profile = None;
        source.scenario.scenarios = Some(serde_json::from_value(scenarios).expect("scenarios"));
        source.scenario.pause = Some("1s".to_owned());
        source.scenario.pacing = Some("2s".to_owned());
        for application in &mut source.applications {
            application.pacing = Some("3s".to_owned());
        }
        let auth = &mut source.applications[0];
        let steps = std::mem::take(&mut auth.steps);
        let action = json!([{"name": "all", "weight": 1, "delay": "4s", "steps": steps}]);
        auth.actions = Some(serde_json::from_value(action).expect("actions"));
        let plan = Plan::parse(&source).expect("a plan");
        let warnings = plan.warnings().iter();
        warnings
            .filter(|warning| warning.message.contains("has no effect"))
            .map(|warning| warning.path.clone())
            .collect()
    }

    #[test]
    fn rests_behind_arrivals_are_warned_about() {
        let closed = |exec: &str| json!({"vus": 1, "exec": exec});
        let open = |exec: &str| {
            json!({"executor": "constant-arrival-rate", "rate": 1, "duration": "10s",
                   "preAllocatedVUs": 1, "exec": exec})
        };
        let nothing: [&str; 0] = [];
        assert_eq!(
            warned(json!({"a": closed("read"), "b": closed("auth")})),
            nothing
        );
        assert_eq!(
            warned(json!({"a": open("read"), "b": open("auth")})),
            [
                "scenario.pause",
                "scenario.pacing",
                "applications[read].pacing",
                "applications[auth].pacing",
                "applications[auth].actions",
            ]
        );
        assert_eq!(
            warned(json!({"a": open("read"), "b": closed("auth")})),
            ["applications[read].pacing"]
        );
        let both = json!({"a": open("read"), "b": closed("read"), "c": open("auth")});
        assert_eq!(
            warned(both),
            ["applications[auth].pacing", "applications[auth].actions"]
        );
    }
}
