//! What a plan will do, in numbers that people and other tools can draw and check.

use std::collections::BTreeMap;

use serde::Serialize;

use super::closed::LoadModel;
use super::types::{Plan, PlannedScenario};
use crate::load_model::Model;
use crate::schedule::{ArrivalSchedule, Arrivals, active_steps, arrival_seed};
use crate::share::{Portion, Share, Stripes};
use crate::tick::Tick;

/// A plan, or a portion of it: times in seconds since the run's start.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanOutline {
    /// The seed of all random choices.
    pub seed: u64,
    /// Whether the plan decides when iterations begin, in at least one of its scenarios.
    pub model: OutlineModel,
    /// When iterations of the open model begin, in order; absent when all scenarios are closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrivals_s: Option<Vec<f64>>,
    /// How many arrivals are not listed, because they would be too many to list.
    #[serde(skip_serializing_if = "is_zero")]
    pub arrivals_omitted: u64,
    /// How many virtual users of the closed model are active, from each time until the next; users with a
    /// number of iterations count for as long as they may take. Absent when all scenarios are open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vu_steps: Option<Vec<(f64, u64)>>,
    /// How many iterations are planned, absent when users repeat theirs until their time is over.
    pub iterations_planned: Option<u64>,
    /// The planned length, without the grace at the end.
    pub duration_s: f64,
    /// The scenarios.
    pub scenarios: Vec<ScenarioOutline>,
    /// What each share has to do.
    pub shares: Vec<ShareOutline>,
}

/// Who decides when an iteration begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutlineModel {
    /// The plan.
    Open,
    /// The virtual users.
    Closed,
}

/// One scenario of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScenarioOutline {
    /// Its name.
    pub name: String,
    /// Who decides when its iterations begin.
    pub model: OutlineModel,
    /// When it begins.
    pub starts_at_s: f64,
    /// Its planned length.
    pub duration_s: f64,
    /// How many iterations are planned, absent when users repeat theirs until their time is over.
    pub iterations_planned: Option<u64>,
    /// The highest number of virtual users, absent when it depends on the target.
    pub users_max: Option<u64>,
}

/// One of several equal parts of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShareOutline {
    /// Which one, such as `1/4`.
    pub share: String,
    /// As for the plan.
    pub iterations_planned: Option<u64>,
    /// As for a scenario, over all scenarios.
    pub users_max: Option<u64>,
}

impl PlanOutline {
    /// The outline of what is played of the plan, and of `shares` equal parts of that.
    #[must_use]
    pub fn new(plan: &Plan, shares: u32) -> Self {
        let portion = &plan.portion;
        let scenarios: Vec<ScenarioOutline> = numbered(plan)
            .map(|(place, scenario)| ScenarioOutline {
                name: scenario.name.clone(),
                model: match scenario.model {
                    Model::Open { .. } => OutlineModel::Open,
                    Model::Closed(_) => OutlineModel::Closed,
                },
                starts_at_s: seconds(scenario.starts_at),
                duration_s: scenario.duration().as_secs_f64(),
                iterations_planned: iterations(plan, place, scenario, portion),
                users_max: users_max(scenario, portion),
            })
            .collect();
        let is_open = |scenario: &ScenarioOutline| scenario.model == OutlineModel::Open;
        let (open, closed) = (
            scenarios.iter().any(is_open),
            !scenarios.iter().all(is_open),
        );
        let (arrivals_s, arrivals_omitted) = arrivals(plan);
        let shares = (0..shares).filter_map(|index| Share::new(index, shares));
        Self {
            seed: plan.seed,
            model: if open {
                OutlineModel::Open
            } else {
                OutlineModel::Closed
            },
            arrivals_s: open.then_some(arrivals_s),
            arrivals_omitted,
            vu_steps: closed.then(|| vu_steps(plan)),
            iterations_planned: scenarios.iter().map(|s| s.iterations_planned).sum(),
            duration_s: plan.duration.as_secs_f64(),
            shares: shares.map(|s| share(plan, s)).collect(),
            scenarios,
        }
    }
}

impl Plan {
    /// How many arrivals a share has from `from` until before `to`, `None` when no scenario is open.
    pub(crate) fn arrivals_between(&self, share: Share, from: Tick, to: Tick) -> Option<u64> {
        let portion = self.portion.clone().share(share);
        let between = |(place, scenario)| {
            let mut schedule = arrival_schedule(self, place, scenario, &portion)?;
            schedule.skip_before(from);
            Some(schedule.skip_before(to))
        };
        let counts: Vec<u64> = numbered(self).filter_map(between).collect();
        (!counts.is_empty()).then(|| counts.iter().sum())
    }
}

fn numbered(plan: &Plan) -> impl Iterator<Item = (usize, &PlannedScenario)> {
    plan.scenarios.iter().enumerate()
}

fn share(plan: &Plan, share: Share) -> ShareOutline {
    let portion = plan.portion.clone().share(share);
    let scenarios = || numbered(plan);
    let iterations = scenarios().map(|(place, s)| iterations(plan, place, s, &portion));
    ShareOutline {
        share: share.to_string(),
        iterations_planned: iterations.sum(),
        users_max: scenarios().map(|(_, s)| users_max(s, &portion)).sum(),
    }
}

fn users_max(scenario: &PlannedScenario, portion: &Portion) -> Option<u64> {
    let users = u64::from(scenario.model.users_max()?);
    Some(portion.stripes().count_of(users))
}

fn iterations(
    plan: &Plan,
    place: usize,
    scenario: &PlannedScenario,
    portion: &Portion,
) -> Option<u64> {
    match &scenario.model {
        Model::Open { .. } => arrival_schedule(plan, place, scenario, portion).map(|s| s.planned()),
        Model::Closed(LoadModel::RampingVus { .. }) => None,
        Model::Closed(LoadModel::SharedIterations {
            vus, iterations, ..
        }) => Some(portion.scaled(u64::from(*vus)).count_of(*iterations)),
        Model::Closed(LoadModel::PerVuIterations {
            vus, iterations, ..
        }) => {
            let users = portion.stripes().count_of(u64::from(*vus));
            Some(users.saturating_mul(*iterations))
        }
    }
}

/// The arrivals of the portion, `None` in the closed model.
fn arrival_schedule(
    plan: &Plan,
    place: usize,
    scenario: &PlannedScenario,
    portion: &Portion,
) -> Option<ArrivalSchedule> {
    let Model::Open { arrivals, users } = &scenario.model else {
        return None;
    };
    let seed = arrival_seed(plan.seed, place);
    let arrivals = Arrivals::new(arrivals, scenario.starts_at, seed);
    Some(ArrivalSchedule::new(arrivals, users.stripes(portion)))
}

/// The times of all arrivals, up to a limit, and how many there are beyond it.
fn arrivals(plan: &Plan) -> (Vec<f64>, u64) {
    let mut schedules: Vec<ArrivalSchedule> = numbered(plan)
        .filter_map(|(place, s)| arrival_schedule(plan, place, s, &plan.portion))
        .collect();
    let mut times = Vec::new();
    while times.len() < ARRIVALS_MAX {
        let next = schedules
            .iter_mut()
            .filter(|schedule| schedule.next_at().is_some())
            .min_by_key(|schedule| schedule.next_at());
        let Some(arrival) = next.and_then(|schedule| schedule.pop(Tick::NEVER)) else {
            break;
        };
        times.push(seconds(arrival.at));
    }
    (times, schedules.iter().map(ArrivalSchedule::left).sum())
}

fn vu_steps(plan: &Plan) -> Vec<(f64, u64)> {
    let stripes = plan.portion.stripes();
    let mut changes: BTreeMap<Tick, i128> = BTreeMap::from([(Tick::ZERO, 0)]);
    for scenario in &plan.scenarios {
        let mut before = 0;
        for (at, users) in steps_of(scenario, &stripes) {
            let change = i128::from(users) - before;
            let at = scenario.starts_at + at.saturating_since(Tick::ZERO);
            *changes.entry(at).or_insert(0) += change;
            before = i128::from(users);
        }
    }
    let mut users = 0;
    let mut steps: Vec<(f64, u64)> = Vec::new();
    for (at, change) in changes {
        users += change;
        if change != 0 || steps.is_empty() {
            steps.push((seconds(at), u64::try_from(users).unwrap_or(0)));
        }
    }
    steps
}

fn steps_of(scenario: &PlannedScenario, stripes: &Stripes) -> Vec<(Tick, u64)> {
    match &scenario.model {
        Model::Open { .. } => Vec::new(),
        Model::Closed(LoadModel::RampingVus {
            start_users,
            stages,
            ..
        }) => active_steps(*start_users, stages, stripes.clone()),
        Model::Closed(
            LoadModel::SharedIterations {
                vus, max_duration, ..
            }
            | LoadModel::PerVuIterations {
                vus, max_duration, ..
            },
        ) => {
            let users = stripes.count_of(u64::from(*vus));
            vec![(Tick::ZERO, users), (Tick::ZERO + *max_duration, 0)]
        }
    }
}

fn seconds(at: Tick) -> f64 {
    at.saturating_since(Tick::ZERO).as_secs_f64()
}

// Where a pointer is smaller than the number, there is nothing to expect.
#[cfg_attr(
    target_pointer_width = "64",
    expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands over a reference"
    )
)]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// So that an outline fits into memory and into an answer.
const ARRIVALS_MAX: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse::tests::source;
    use crate::plan::{PlanPart, PlanSource};
    use crate::share::Segment;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn source_of(scenarios: Value) -> PlanSource {
        let mut source = source();
        source.scenario.user_profile = None;
        source.scenario.scenarios = Some(serde_json::from_value(scenarios).expect("scenarios"));
        source.options.seed = 7;
        source.options.users_max = u32::MAX;
        source
    }

    fn outline(scenarios: Value, part: PlanPart) -> PlanOutline {
        let mut source = source_of(scenarios);
        source.options.part = part;
        PlanOutline::new(&Plan::parse(&source).expect("a plan"), 3)
    }

    fn whole() -> PlanPart {
        PlanPart::default()
    }

    fn rate() -> Value {
        json!({"executor": "constant-arrival-rate", "rate": 2, "duration": "2s", "preAllocatedVUs": 2})
    }

    fn ramp() -> Value {
        json!({"executor": "ramping-vus", "startVUs": 0, "startTime": "1s",
               "stages": [{"duration": "2s", "target": 2}, {"duration": "1s", "target": 1}]})
    }

    fn shared() -> Value {
        json!({"vus": 2, "iterations": 11, "duration": "5s"})
    }

    #[test]
    fn the_open_model_is_outlined_by_its_arrivals() {
        let json = serde_json::to_value(outline(json!({"a": rate()}), whole())).expect("JSON");
        assert_eq!(
            json,
            json!({
                "seed": 7, "model": "open", "arrivals_s": [0.0, 0.5, 1.0, 1.5],
                "iterations_planned": 4, "duration_s": 2.0,
                "scenarios": [{
                    "name": "a", "model": "open", "starts_at_s": 0.0, "duration_s": 2.0,
                    "iterations_planned": 4, "users_max": 2
                }],
                "shares": [
                    { "share": "1/3", "iterations_planned": 2, "users_max": 1 },
                    { "share": "2/3", "iterations_planned": 2, "users_max": 1 },
                    { "share": "3/3", "iterations_planned": 0, "users_max": 0 },
                ]
            })
        );
    }

    #[test]
    fn the_closed_model_is_outlined_by_its_users() {
        let plan = outline(json!({"a": ramp()}), whole());
        assert_eq!((plan.model, plan.arrivals_s), (OutlineModel::Closed, None));
        let expected = [(0.0, 0), (2.0, 1), (3.0, 2), (4.0, 0)];
        assert_eq!(
            plan.vu_steps.as_deref(),
            Some(expected.as_slice()),
            "it begins after 1 s"
        );
        assert_eq!((plan.iterations_planned, plan.duration_s), (None, 4.0));
        let second = PlanPart {
            share: Share::new(1, 2),
            ..whole()
        };
        let part = outline(json!({"a": ramp()}), second);
        assert_eq!(part.vu_steps, Some(vec![(0.0, 0), (3.0, 1), (4.0, 0)]));
    }

    #[test]
    fn scenarios_are_laid_over_one_another() {
        let plan = outline(json!({"a": rate(), "b": ramp(), "c": shared()}), whole());
        assert_eq!(plan.model, OutlineModel::Open);
        assert_eq!(plan.arrivals_s.map(|times| times.len()), Some(4));
        let expected = vec![(0.0, 2), (2.0, 3), (3.0, 4), (4.0, 2), (5.0, 0)];
        assert_eq!(plan.vu_steps, Some(expected));
        assert_eq!(plan.iterations_planned, None, "the ramp's are not known");
        let counted = outline(json!({"a": rate(), "b": shared()}), whole());
        assert_eq!(counted.iterations_planned, Some(15));
        let shares = counted.shares.iter().map(|share| share.iterations_planned);
        assert_eq!(shares.sum::<Option<u64>>(), Some(15));
    }

    #[test]
    fn random_arrivals_are_counted_as_they_come() {
        let mut source = source();
        source.scenario.user_profile = None;
        let load = json!({"mode": "poisson", "phases": [{"duration": 60, "arrivalRate": 5}]});
        source.scenario.load = Some(serde_json::from_value(load).expect("a load"));
        for seed in 0..20 {
            source.options.seed = seed;
            let outline = PlanOutline::new(&Plan::parse(&source).expect("a plan"), 4);
            let listed = outline.arrivals_s.map(|times| times.len() as u64);
            assert_eq!(outline.iterations_planned, listed, "seed {seed}");
            let shares = outline.shares.iter().map(|share| share.iterations_planned);
            assert_eq!(shares.sum::<Option<u64>>(), listed, "seed {seed}");
        }
    }

    #[test]
    fn plans_that_are_too_large_to_list_say_so() {
        let huge = json!({"executor": "constant-arrival-rate", "rate": 1_000_000, "duration": "10s",
            "preAllocatedVUs": 1});
        let plan = outline(json!({"a": huge}), whole());
        assert_eq!(plan.arrivals_s.map(|times| times.len()), Some(ARRIVALS_MAX));
        assert_eq!(plan.arrivals_omitted, 9_000_000);
        assert_eq!(plan.iterations_planned, Some(10_000_000));
    }

    #[test]
    fn a_segment_that_is_not_in_its_sequence_is_refused() {
        let mut source = source_of(json!({"a": rate()}));
        source.options.part = serde_json::from_value(json!({
            "executionSegment": "0:1/2", "executionSegmentSequence": "0,1/4,1"
        }))
        .expect("a part");
        let text = Plan::parse(&source).expect_err("refused").to_string();
        assert!(
            text.contains("options.part.executionSegment: segment 0:1/2 is not in the sequence"),
            "{text}"
        );
    }

    fn load() -> impl Strategy<Value = Value> {
        let stages = prop::collection::vec((0_u64..4_000, 0_u32..40), 1..5);
        let stages = stages.prop_map(|stages| {
            let mut stages: Vec<Value> = stages
                .into_iter()
                .map(|(ms, target)| json!({"duration": format!("{ms}ms"), "target": target}))
                .collect();
            stages.push(json!({"duration": "1s", "target": 1}));
            stages
        });
        let numbers = (1_u32..30, 0_u32..60, 1_u64..5_000);
        (0_u8..9, numbers, stages).prop_map(|(kind, (users, more, ms), stages)| {
            let (duration, iterations) = (format!("{}ms", ms + 1_000), users + more);
            match kind {
                0 => json!({"executor": "shared-iterations", "vus": users, "iterations": iterations}),
                1 => json!({"executor": "per-vu-iterations", "vus": users, "iterations": more + 1}),
                2 => json!({"executor": "constant-vus", "vus": users, "duration": duration}),
                3 => json!({"executor": "ramping-vus", "startVUs": more, "stages": stages}),
                4 => json!({"executor": "constant-arrival-rate", "rate": more + 1, "duration": duration,
                    "preAllocatedVUs": users, "maxVUs": iterations}),
                5 => json!({"executor": "ramping-arrival-rate", "startRate": more, "stages": stages,
                    "preAllocatedVUs": users}),
                6 => json!({"phases": [{"duration": 1 + ms / 1_000, "arrivalRate": more, "rampTo": users},
                    {"pause": 1}, {"duration": 2, "arrivalCount": more}]}),
                7 => json!({"phases": [{"duration": 3, "arrivalRate": f64::from(more) / 7.0}]}),
                _ => json!({"mode": "poisson", "phases": [{"duration": 3, "arrivalRate": more}]}),
            }
        })
    }

    /// What the parts of a plan do together, in the terms of the plan's own outline.
    fn together(parts: &[PlanOutline]) -> (Option<Vec<f64>>, Option<u64>, BTreeMap<u64, u64>) {
        let lists = parts.iter().map(|part| part.arrivals_s.clone());
        let mut arrivals = lists
            .collect::<Option<Vec<_>>>()
            .map(|lists| lists.concat());
        if let Some(times) = &mut arrivals {
            times.sort_by(f64::total_cmp);
        }
        let iterations = parts.iter().map(|part| part.iterations_planned).sum();
        let steps = || parts.iter().flat_map(|part| part.vu_steps.iter().flatten());
        let users_at = |at: f64| {
            let of_part = |part: &PlanOutline| {
                let steps = part.vu_steps.iter().flatten();
                let before = steps.take_while(|(from, _)| *from <= at);
                before.last().map_or(0, |(_, users)| *users)
            };
            parts.iter().map(of_part).sum::<u64>()
        };
        let users = steps().map(|(at, _)| (at.to_bits(), users_at(*at)));
        (arrivals, iterations, users.collect())
    }

    proptest! {
        #[test]
        fn shares_and_segments_of_any_plan_make_up_the_plan(
            loads in prop::collection::vec(load(), 1..3),
            weights in prop::collection::vec(1_u32..6, 1..5),
            shares in 1_u32..5,
            seed in any::<u64>(),
        ) {
            let named = loads.iter().enumerate().map(|(at, load)| (format!("s{at}"), load.clone()));
            let mut source = source_of(Value::Object(named.collect()));
            source.options.seed = seed;
            let plan = Plan::parse(&source).expect("loads of these sizes are a plan");
            let plan = PlanOutline::new(&plan, 1);
            let under: u32 = weights.iter().sum();
            let points = weights.iter().scan(0, |sum, weight| {
                *sum += weight;
                Some(format!("{sum}/{under}"))
            });
            let points: Vec<String> = std::iter::once("0".to_owned()).chain(points).collect();
            let mut parts = Vec::new();
            for pair in points.windows(2) {
                let segment: Segment = pair.join(":").parse().expect("a segment");
                for index in 0..shares {
                    source.options.part = PlanPart {
                        execution_segment: Some(segment),
                        execution_segment_sequence: Some(points.join(",").parse().expect("a sequence")),
                        share: Share::new(index, shares),
                    };
                    let part = Plan::parse(&source).expect("what is a plan has parts");
                    parts.push(PlanOutline::new(&part, 1));
                }
            }
            let one = together(std::slice::from_ref(&plan));
            let many = together(&parts);
            prop_assert_eq!(&many.0, &one.0);
            prop_assert_eq!(many.1, one.1);
            for (at, users) in &one.2 {
                prop_assert_eq!(many.2.get(at), Some(users));
            }
        }
    }
}
