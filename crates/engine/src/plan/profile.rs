//! Profiles: the shapes smoke, load, stress, spike and soak, laid over any load, and those of a scenario's own.
//!
//! Invariant: a profile changes when users and arrivals come and how many, never what they do. A shape is relative
//! to the highest level of the load that it is laid over, which is its 100 %.

use super::closed::{LoadModel, Stage};
use super::load::scale_spans;
use super::parse::PlanSource;
use super::problem::{Checked, Problems, Report};
use super::types::PlannedScenario;
use crate::load_model::{
    ArrivalModel, ArrivalPhase, ArrivalUsers, Model, PhaseArrivals, Workloads,
};
use crate::scenario::{LoadScenario, ProfileConfig};
use crate::tick::{Span, Tick};

/// How load develops, relative to a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    name: &'static str,
    stages: &'static [ShapeStage],
}

/// A part of a shape: in a straight line to a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ShapeStage {
    seconds: u64,
    level: Level,
}

/// How much load there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// One user, or one arrival in a second, whatever the load is otherwise; from the start.
    One,
    /// This part of the highest level, in percent.
    Percent(u64),
}

/// The shapes that fit every scenario, with the numbers of the specification's k6 profiles: its 10 users are 100 %.
const SHAPES: [Shape; 5] = [
    Shape {
        name: "smoke",
        stages: &[ShapeStage {
            seconds: 30,
            level: Level::One,
        }],
    },
    Shape {
        name: "load",
        stages: &[percent(120, 100), percent(300, 100), percent(120, 0)],
    },
    Shape {
        name: "stress",
        stages: &[
            percent(120, 100),
            percent(300, 500),
            percent(120, 1_000),
            percent(300, 1_000),
            percent(300, 0),
        ],
    },
    Shape {
        name: "spike",
        stages: &[
            percent(60, 50),
            percent(10, 1_000),
            percent(180, 1_000),
            percent(10, 50),
            percent(180, 50),
            percent(60, 0),
        ],
    },
    Shape {
        name: "soak",
        stages: &[percent(300, 100), percent(3_600, 100), percent(300, 0)],
    },
];

const fn percent(seconds: u64, percent: u64) -> ShapeStage {
    ShapeStage {
        seconds,
        level: Level::Percent(percent),
    }
}

/// What a plan's option `profile` asks for.
#[derive(Debug)]
pub(super) enum Profile {
    /// The scenario with one of its own profiles in place of its load.
    Own(Box<PlanSource>),
    /// A shape, to be laid over the scenario's load.
    Shape(Shape),
}

/// Checks all profiles of a scenario, and finds the one that the options ask for.
pub(super) fn parse(source: &PlanSource, report: &mut Report) -> Checked<Option<Profile>> {
    let scenario = &source.scenario;
    let own = || {
        scenario
            .profiles
            .iter()
            .flat_map(|profiles| profiles.iter())
    };
    let mut result = Ok(());
    for (name, profile) in own() {
        result = result.and(check(name, profile, report));
    }
    let Some(wanted) = source.options.profile.as_deref() else {
        return result.map(|()| None);
    };
    result?;
    if let Some((_, profile)) = own().find(|(name, _)| *name == wanted) {
        return Ok(Some(Profile::Own(Box::new(with(source, profile)))));
    }
    if let Some(shape) = SHAPES.iter().find(|shape| shape.name == wanted) {
        return Ok(Some(Profile::Shape(*shape)));
    }
    let mut known: Vec<&str> = own().map(|(name, _)| name).collect();
    for shape in &SHAPES {
        if !known.contains(&shape.name) {
            known.push(shape.name);
        }
    }
    let shown: String = wanted.chars().take(80).collect();
    Err(report.problem(
        "options.profile",
        format_args!("{shown:?} is not known: accepted are {}", known.join(", ")),
    ))
}

/// Whether a profile of a scenario's own can be played.
fn check(name: &str, profile: &ProfileConfig, report: &mut Report) -> Checked<()> {
    let shown: String = name.chars().take(80).collect();
    let path = format!("scenario.profiles.{shown}");
    super::parse::check_name(name, path.as_str(), report)?;
    let ProfileConfig {
        user_profile,
        load,
        scenarios,
    } = profile;
    let given = [user_profile.is_some(), load.is_some(), scenarios.is_some()];
    if given.iter().filter(|given| **given).count() != 1 {
        return Err(report.problem(
            path,
            "says its load in one of three ways: userProfile, load or scenarios",
        ));
    }
    if user_profile.is_some() {
        return Ok(());
    }
    let parsed = Workloads::parse(load.as_ref(), scenarios.as_ref(), &path);
    let Err(Problems(problems)) = parsed else {
        return Ok(());
    };
    let told = problems
        .into_iter()
        .map(|p| report.problem(p.path, p.message));
    told.last().map_or(Ok(()), Err)
}

/// The source with a profile in place of the scenario's load.
fn with(source: &PlanSource, profile: &ProfileConfig) -> PlanSource {
    let mut source = source.clone();
    source.options.profile = None;
    source.scenario = LoadScenario {
        user_profile: profile.user_profile.clone(),
        load: profile.load.clone(),
        scenarios: profile.scenarios.clone(),
        profiles: None,
        ..source.scenario
    };
    source
}

/// A shape with its final lengths, and what its highest level is to be.
#[derive(Clone, Debug)]
pub(super) struct Laid {
    stages: Vec<(Span, Level)>,
    /// The number of users that the highest level becomes, instead of one relative to the load.
    users: Option<u32>,
}

impl Shape {
    /// The shape, as long as `duration` and with `users` at its highest, if they are given.
    pub(super) fn laid(&self, users: Option<u32>, duration: Option<Span>) -> Laid {
        let mut spans: Vec<Span> = self
            .stages
            .iter()
            .map(|s| Span::from_secs(s.seconds))
            .collect();
        if let Some(duration) = duration {
            scale_spans(&mut spans, duration);
        }
        let levels = self.stages.iter().map(|stage| stage.level);
        Laid {
            stages: spans.into_iter().zip(levels).collect(),
            users,
        }
    }
}

impl Laid {
    /// Lays the shape over a scenario's load.
    pub(super) fn over(&self, scenario: &mut PlannedScenario) {
        scenario.starts_at = Tick::ZERO;
        scenario.model = match &scenario.model {
            Model::Closed(model) => Model::Closed(self.closed(model, scenario.graceful_stop)),
            Model::Open { arrivals, users } => self.open(arrivals, *users),
        };
    }

    fn closed(&self, model: &LoadModel, graceful_ramp_down: Span) -> LoadModel {
        let highest = u64::from(model.users_max());
        let highest = self
            .users
            .map_or(Scale::Of(highest), |users| Scale::UpTo(users.into()));
        LoadModel::RampingVus {
            start_users: self.start(highest),
            stages: self.stages(highest),
            graceful_ramp_down,
        }
    }

    fn open(&self, arrivals: &ArrivalModel, users: ArrivalUsers) -> Model {
        let (start, unit, stages) = match arrivals {
            ArrivalModel::ConstantRate { rate, unit, .. } => (*rate, *unit, &[][..]),
            ArrivalModel::RampingRate {
                start,
                unit,
                stages,
            } => (*start, *unit, &stages[..]),
            ArrivalModel::Phases(phases) => {
                return Model::Open {
                    arrivals: ArrivalModel::Phases(self.phases(phases)),
                    users,
                };
            }
        };
        let highest = stages.iter().map(|stage| stage.target).max();
        let highest = Scale::Of(highest.unwrap_or(0).max(start).into());
        // One arrival in a unit of a millisecond would be many.
        let unit = if self.is_one() {
            unit.max(Span::from_secs(1))
        } else {
            unit
        };
        let users = match users {
            ArrivalUsers::Pool { pre_allocated, max } => ArrivalUsers::Pool {
                pre_allocated: self.at_highest(pre_allocated),
                max: self.at_highest(max).max(max),
            },
            ArrivalUsers::Fresh => ArrivalUsers::Fresh,
        };
        Model::Open {
            arrivals: ArrivalModel::RampingRate {
                start: self.start(highest),
                unit,
                stages: self.stages(highest),
            },
            users,
        }
    }

    /// Artillery's phases; a phase has no level before it, so that a rise begins where the last one ended.
    fn phases(&self, phases: &[ArrivalPhase]) -> Vec<ArrivalPhase> {
        let highest = Scale::Of(phases.iter().map(rate).max().unwrap_or(0));
        let is_random = phases
            .iter()
            .any(|p| matches!(p.arrivals, PhaseArrivals::Random(_)));
        let users = phases.iter().map(|phase| phase.max_users).max().flatten();
        let mut before = if self.is_one() { MILLION } else { 0 };
        let mut laid = Vec::new();
        for (duration, level) in &self.stages {
            let to = match level {
                Level::One => MILLION,
                Level::Percent(_) => highest.level(*level, self.percent_max()),
            };
            let arrivals = if to != before {
                PhaseArrivals::Ramp(before, to)
            } else if is_random {
                PhaseArrivals::Random(to)
            } else {
                PhaseArrivals::Even(to)
            };
            before = to;
            laid.push(ArrivalPhase {
                name: None,
                duration: *duration,
                max_users: users.map(|users| self.at_highest(users)),
                arrivals,
            });
        }
        laid
    }

    fn start(&self, highest: Scale) -> u32 {
        if self.is_one() {
            highest.whole(Level::One, 100)
        } else {
            0
        }
    }

    fn stages(&self, highest: Scale) -> Vec<Stage> {
        let stages = self.stages.iter().map(|(duration, level)| Stage {
            duration: *duration,
            target: highest.whole(*level, self.percent_max()),
        });
        stages.collect()
    }

    fn is_one(&self) -> bool {
        self.stages.iter().any(|(_, level)| *level == Level::One)
    }

    /// The highest level in percent.
    fn percent_max(&self) -> u64 {
        let percents = self.stages.iter().map(|(_, level)| match level {
            Level::One => 0,
            Level::Percent(percent) => *percent,
        });
        percents.max().unwrap_or(0)
    }

    /// As many as are needed when the load is at its highest, of those that the load needed at its own.
    fn at_highest(&self, number: u32) -> u32 {
        if self.is_one() {
            return 1;
        }
        let scaled = u64::from(number)
            .saturating_mul(self.percent_max())
            .div_ceil(100);
        u32::try_from(scaled).unwrap_or(u32::MAX)
    }
}

/// What percents are of.
#[derive(Clone, Copy, Debug)]
enum Scale {
    /// Of a level that is 100 %.
    Of(u64),
    /// Of a level that is the shape's highest.
    UpTo(u64),
}

impl Scale {
    /// A level of a shape whose highest one is `percent_max`, rounded half up; where there is load, it stays.
    fn level(self, level: Level, percent_max: u64) -> u64 {
        let (full, hundred) = match self {
            Self::Of(full) => (full, 100),
            Self::UpTo(full) => (full, percent_max.max(1)),
        };
        match level {
            Level::One => 1,
            Level::Percent(0) => 0,
            Level::Percent(percent) => {
                let doubled = full.saturating_mul(percent).saturating_mul(2);
                (doubled.saturating_add(hundred) / (2 * hundred)).max(1)
            }
        }
    }

    fn whole(self, level: Level, percent_max: u64) -> u32 {
        u32::try_from(self.level(level, percent_max)).unwrap_or(u32::MAX)
    }
}

/// The highest rate of a phase in millionths of an arrival in a second.
fn rate(phase: &ArrivalPhase) -> u64 {
    match phase.arrivals {
        PhaseArrivals::Pause => 0,
        PhaseArrivals::Even(rate) | PhaseArrivals::Random(rate) => rate,
        PhaseArrivals::Ramp(from, to) => from.max(to),
        PhaseArrivals::Count(count) => {
            let millionths = u128::from(count) * u128::from(MILLION) * u128::from(MILLION);
            let rate = millionths / u128::from(phase.duration.as_us().max(1));
            u64::try_from(rate).unwrap_or(u64::MAX)
        }
    }
}

const MILLION: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::plan::parse::tests::{problems, source};
    use crate::scenario::{LoadConfig, NamedMap};
    use proptest::prelude::*;

    fn with_profile(name: &str) -> PlanSource {
        let mut source = source();
        source.options.profile = Some(name.to_owned());
        source
    }

    fn with_load(name: &str, load: &str) -> PlanSource {
        let mut source = with_profile(name);
        source.scenario.user_profile = None;
        source.scenario.load = Some(serde_json::from_str(load).expect("a load"));
        source
    }

    fn model(source: &PlanSource) -> Model {
        let plan = Plan::parse(source).unwrap_or_else(|problems| panic!("{problems}"));
        plan.scenarios()[0].model.clone()
    }

    /// Users at the start, and the stages as seconds and targets.
    fn closed(source: &PlanSource) -> (u32, Vec<(u64, u32)>) {
        match model(source) {
            Model::Closed(LoadModel::RampingVus {
                start_users,
                stages,
                ..
            }) => (start_users, pairs(&stages)),
            other => panic!("{other:?}"),
        }
    }

    fn pairs(stages: &[Stage]) -> Vec<(u64, u32)> {
        let pairs = stages
            .iter()
            .map(|s| (s.duration.as_us() / 1_000_000, s.target));
        pairs.collect()
    }

    /// The user profile of the source has 20 users at its peak.
    #[test]
    fn each_shape_is_relative_to_the_highest_number_of_users() {
        for (name, start, stages) in [
            ("smoke", 1, &[(30, 1)][..]),
            ("load", 0, &[(120, 20), (300, 20), (120, 0)]),
            (
                "stress",
                0,
                &[(120, 20), (300, 100), (120, 200), (300, 200), (300, 0)],
            ),
            (
                "spike",
                0,
                &[
                    (60, 10),
                    (10, 200),
                    (180, 200),
                    (10, 10),
                    (180, 10),
                    (60, 0),
                ],
            ),
            ("soak", 0, &[(300, 20), (3_600, 20), (300, 0)]),
        ] {
            let mut source = with_profile(name);
            source.options.duration_max_s = 86_400;
            assert_eq!(closed(&source), (start, stages.to_vec()), "{name}");
        }
    }

    #[test]
    fn what_users_do_stays_as_it_was() {
        let (before, after) = (source(), with_profile("load"));
        let [before, after] = [before, after].map(|source| Plan::parse(&source).expect("a plan"));
        assert_eq!(before.scenarios()[0].pause, after.scenarios()[0].pause);
        assert_eq!(
            before.scenarios()[0].applications,
            after.scenarios()[0].applications
        );
        let phases: Vec<_> = after
            .phases()
            .iter()
            .map(|span| span.phase.name())
            .collect();
        assert_eq!(phases, ["ramp_up", "peak", "ramp_down"]);
    }

    #[test]
    fn closed_loads_of_every_kind_become_stages() {
        for load in [
            r#"{"vus": 10, "iterations": 30}"#,
            r#"{"executor": "per-vu-iterations", "vus": 10, "iterations": 3, "startTime": "1m"}"#,
            r#"{"vus": 10, "duration": "1m"}"#,
            r#"{"stages": [{"duration": "10s", "target": 10}, {"duration": "10s", "target": 3}]}"#,
        ] {
            let source = with_load("load", load);
            assert_eq!(
                closed(&source),
                (0, vec![(120, 10), (300, 10), (120, 0)]),
                "{load}"
            );
            assert_eq!(
                Plan::parse(&source).expect("a plan").duration(),
                Span::from_secs(540)
            );
        }
    }

    #[test]
    fn rates_are_scaled_as_users_are_and_so_are_those_who_play_them() {
        let constant = r#"{"executor": "constant-arrival-rate", "rate": 30, "timeUnit": "1m", "duration": "1m",
            "preAllocatedVUs": 5, "maxVUs": 12}"#;
        let ramping = r#"{"executor": "ramping-arrival-rate", "startRate": 30, "timeUnit": "1m",
            "stages": [{"duration": "1m", "target": 10}], "preAllocatedVUs": 5, "maxVUs": 12}"#;
        for load in [constant, ramping] {
            let Model::Open {
                arrivals:
                    ArrivalModel::RampingRate {
                        start,
                        unit,
                        stages,
                    },
                users,
            } = model(&with_load("spike", load))
            else {
                panic!("another model");
            };
            assert_eq!((start, unit), (0, Span::from_secs(60)));
            assert_eq!(
                pairs(&stages),
                [
                    (60, 15),
                    (10, 300),
                    (180, 300),
                    (10, 15),
                    (180, 15),
                    (60, 0)
                ]
            );
            let pool = ArrivalUsers::Pool {
                pre_allocated: 50,
                max: 120,
            };
            assert_eq!(users, pool);
        }
        let quick = constant.replace("1m\", \"duration", "1ms\", \"duration");
        let Model::Open {
            arrivals:
                ArrivalModel::RampingRate {
                    start,
                    unit,
                    stages,
                },
            users,
        } = model(&with_load("smoke", &quick))
        else {
            panic!("another model");
        };
        assert_eq!(
            (start, unit, pairs(&stages)),
            (1, Span::from_secs(1), vec![(30, 1)])
        );
        assert_eq!(
            users,
            ArrivalUsers::Pool {
                pre_allocated: 1,
                max: 12
            }
        );
    }

    #[test]
    fn phases_rise_and_fall_in_steps_of_their_own() {
        let load = r#"{"phases": [{"duration": 60, "arrivalCount": 30, "maxVusers": 8}, {"duration": 60, "arrivalRate": 2}]}"#;
        let phases = |name: &str| match model(&with_load(name, load)) {
            Model::Open {
                arrivals: ArrivalModel::Phases(phases),
                ..
            } => phases,
            other => panic!("{other:?}"),
        };
        let stress: Vec<PhaseArrivals> = phases("stress").iter().map(|p| p.arrivals).collect();
        assert_eq!(
            stress,
            [
                PhaseArrivals::Ramp(0, 2 * MILLION),
                PhaseArrivals::Ramp(2 * MILLION, 10 * MILLION),
                PhaseArrivals::Ramp(10 * MILLION, 20 * MILLION),
                PhaseArrivals::Even(20 * MILLION),
                PhaseArrivals::Ramp(20 * MILLION, 0),
            ]
        );
        assert_eq!(phases("stress")[0].max_users, Some(80));
        let smoke = phases("smoke");
        assert_eq!(smoke.len(), 1);
        assert_eq!(smoke[0].arrivals, PhaseArrivals::Even(MILLION));
    }

    #[test]
    fn users_and_duration_scale_a_shape() {
        let mut source = with_profile("stress");
        source.options.users = Some(50);
        source.options.duration = Some("19s".to_owned());
        assert_eq!(
            closed(&source),
            (0, vec![(2, 5), (5, 25), (2, 50), (5, 50), (5, 0)])
        );
        let mut open = with_load(
            "load",
            r#"{"executor": "constant-arrival-rate", "rate": 1, "duration": "1m", "preAllocatedVUs": 1}"#,
        );
        open.options.users = Some(5);
        assert!(problems(&open).contains("options.users: scales the users of a profile"));
        open.options.users = None;
        open.options.duration = Some("9s".to_owned());
        assert_eq!(
            Plan::parse(&open).expect("a plan").duration(),
            Span::from_secs(9)
        );
    }

    #[test]
    fn limits_are_those_of_what_is_played() {
        let mut source = with_profile("stress");
        source.options.users_max = 100;
        let text = problems(&source);
        assert!(
            text.contains("options.profile: calls for up to 200 users: accepted are up to 100"),
            "{text}"
        );
        let mut source = with_profile("smoke");
        (source.options.users_max, source.options.duration_max_s) = (1, 30);
        assert_eq!(closed(&source), (1, vec![(30, 1)]));
        source.options.duration_max_s = 29;
        assert!(problems(&source).contains("options.profile: takes 30s"));
    }

    #[test]
    fn a_scenario_has_profiles_of_its_own() {
        let mut source = with_profile("quick");
        let own: NamedMap<ProfileConfig> = serde_json::from_str(
            r#"{"quick": {"load": {"vus": 3, "iterations": 9}}, "smoke": {"load": {"vus": 2, "duration": "5s"}}}"#,
        )
        .expect("profiles");
        source.scenario.profiles = Some(own);
        let plan = Plan::parse(&source).expect("a plan");
        assert_eq!(plan.users_max(), 3);
        source.options.profile = Some("smoke".to_owned());
        assert_eq!(
            closed(&source),
            (2, vec![(5, 2)]),
            "it goes before the one of all"
        );
        source.options.profile = None;
        assert_eq!(Plan::parse(&source).expect("a plan").users_max(), 20);
        source.options.profile = Some("slow".to_owned());
        let text = problems(&source);
        assert!(
            text.contains("options.profile: \"slow\" is not known: accepted are quick, smoke, load, stress, spike, soak"),
            "{text}"
        );
    }

    #[test]
    fn a_profile_of_a_scenario_is_checked_also_when_nobody_asks_for_it() {
        let mut source = source();
        let bad = ProfileConfig {
            load: Some(LoadConfig {
                rate: Some(1),
                ..LoadConfig::default()
            }),
            ..ProfileConfig::default()
        };
        let profiles = [("none", ProfileConfig::default()), ("bad", bad)];
        let profiles = profiles.map(|(name, profile)| (name.to_owned(), profile));
        source.scenario.profiles = Some(NamedMap(profiles.into()));
        let text = problems(&source);
        for part in [
            "scenario.profiles.none: says its load in one of three ways",
            "scenario.profiles.bad.load.rate: is no field",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    proptest! {
        #[test]
        fn the_highest_level_is_exactly_what_it_should_be(
            users in 1_u32..100_000, wanted in 1_u32..100_000, at in 0_usize..SHAPES.len(), seconds in 1_u64..100_000,
        ) {
            let model = LoadModel::PerVuIterations { vus: users, iterations: 1, max_duration: Span::from_secs(1) };
            let shape = &SHAPES[at];
            let relative = shape.laid(None, None);
            let percent = relative.percent_max();
            let expected = if relative.is_one() { 1 } else { (u64::from(users) * percent).div_ceil(100) };
            prop_assert_eq!(u64::from(relative.closed(&model, Span::ZERO).users_max()), expected);
            let scaled = shape.laid(Some(wanted), Some(Span::from_secs(seconds)));
            let laid = scaled.closed(&model, Span::ZERO);
            prop_assert_eq!(laid.users_max(), if scaled.is_one() { 1 } else { wanted });
            prop_assert_eq!(laid.duration(), Span::from_secs(seconds));
        }
    }
}
