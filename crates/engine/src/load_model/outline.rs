//! What a plan will do, in numbers that people and other tools can draw and check.

use std::collections::BTreeMap;

use serde::Serialize;

use super::types::{ArrivalUsers, Model, Workload};
use crate::plan::LoadModel;
use crate::schedule::{ArrivalSchedule, Arrivals, active_steps, arrival_seed};
use crate::share::{Portion, Share, Stripes};
use crate::tick::{Span, Tick};

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
    /// The outline of the portion that `portion` cuts out of the plan, and of `shares` equal parts of that.
    #[must_use]
    pub fn new(workloads: &[Workload], portion: &Portion, seed: u64, shares: u32) -> Self {
        let scenarios: Vec<ScenarioOutline> = workloads
            .iter()
            .map(|workload| scenario(workload, portion))
            .collect();
        let is_open = |scenario: &ScenarioOutline| scenario.model == OutlineModel::Open;
        let (open, closed) = (
            scenarios.iter().any(is_open),
            !scenarios.iter().all(is_open),
        );
        let (arrivals_s, arrivals_omitted) = arrivals(workloads, portion, seed);
        let ends = workloads.iter().map(|w| w.starts_at + w.duration());
        let shares = (0..shares).filter_map(|index| Share::new(index, shares));
        Self {
            seed,
            model: if open {
                OutlineModel::Open
            } else {
                OutlineModel::Closed
            },
            arrivals_s: open.then_some(arrivals_s),
            arrivals_omitted,
            vu_steps: closed.then(|| vu_steps(workloads, portion)),
            iterations_planned: scenarios.iter().map(|s| s.iterations_planned).sum(),
            duration_s: ends.max().unwrap_or(Span::ZERO).as_secs_f64(),
            shares: shares.map(|s| share(workloads, portion, s)).collect(),
            scenarios,
        }
    }
}

fn scenario(workload: &Workload, portion: &Portion) -> ScenarioOutline {
    ScenarioOutline {
        name: workload.name.clone(),
        model: match workload.model {
            Model::Open { .. } => OutlineModel::Open,
            Model::Closed(_) => OutlineModel::Closed,
        },
        starts_at_s: workload.starts_at.as_secs_f64(),
        duration_s: workload.duration().as_secs_f64(),
        iterations_planned: iterations(workload, portion),
        users_max: users_max(workload, portion),
    }
}

fn share(workloads: &[Workload], portion: &Portion, share: Share) -> ShareOutline {
    let portion = portion.clone().share(share);
    ShareOutline {
        share: share.to_string(),
        iterations_planned: workloads.iter().map(|w| iterations(w, &portion)).sum(),
        users_max: workloads.iter().map(|w| users_max(w, &portion)).sum(),
    }
}

fn users_max(workload: &Workload, portion: &Portion) -> Option<u64> {
    let users = u64::from(workload.users_max()?);
    Some(portion.stripes().count_of(users))
}

fn iterations(workload: &Workload, portion: &Portion) -> Option<u64> {
    match &workload.model {
        Model::Open { .. } => arrival_schedule(workload, portion, 0, 0).map(|s| s.planned()),
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
    workload: &Workload,
    portion: &Portion,
    seed: u64,
    scenario: u16,
) -> Option<ArrivalSchedule> {
    let Model::Open { arrivals, users } = &workload.model else {
        return None;
    };
    let stripes = match users {
        ArrivalUsers::Pool { max, .. } => portion.scaled(u64::from(*max)),
        ArrivalUsers::Fresh => portion.stripes(),
    };
    let seed = arrival_seed(seed, scenario);
    let starts_at = Tick::ZERO + workload.starts_at;
    let arrivals = Arrivals::new(arrivals, starts_at, seed);
    Some(ArrivalSchedule::new(arrivals, stripes))
}

/// The times of all arrivals, up to a limit, and how many there are beyond it.
fn arrivals(workloads: &[Workload], portion: &Portion, seed: u64) -> (Vec<f64>, u64) {
    let mut schedules: Vec<ArrivalSchedule> = (0_u16..)
        .zip(workloads)
        .filter_map(|(place, workload)| arrival_schedule(workload, portion, seed, place))
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

fn vu_steps(workloads: &[Workload], portion: &Portion) -> Vec<(f64, u64)> {
    let mut changes: BTreeMap<Tick, i128> = BTreeMap::from([(Tick::ZERO, 0)]);
    for workload in workloads {
        let mut before = 0;
        for (at, users) in steps_of(workload, &portion.stripes()) {
            let change = i128::from(users) - before;
            *changes.entry(at + workload.starts_at).or_insert(0) += change;
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

fn steps_of(workload: &Workload, stripes: &Stripes) -> Vec<(Tick, u64)> {
    match &workload.model {
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
    use crate::load_model::Workloads;
    use crate::scenario::LoadConfig;

    fn workloads(loads: &[&str]) -> Vec<Workload> {
        let workload = |json: &&str| {
            let load: LoadConfig = serde_json::from_str(json).expect(json);
            Workloads::parse(Some(&load), None, "scenario")
                .expect(json)
                .list
        };
        loads.iter().flat_map(workload).collect()
    }

    fn outline(loads: &[&str], portion: &Portion) -> PlanOutline {
        PlanOutline::new(&workloads(loads), portion, 7, 3)
    }

    const RATE: &str = r#"{"executor": "constant-arrival-rate", "rate": 2, "duration": "2s", "preAllocatedVUs": 2}"#;
    const RAMP: &str = r#"{"executor": "ramping-vus", "startVUs": 0, "startTime": "1s", "stages": [
        {"duration": "2s", "target": 2}, {"duration": "1s", "target": 1}]}"#;
    const SHARED: &str = r#"{"vus": 2, "iterations": 11, "duration": "5s"}"#;

    #[test]
    fn the_open_model_is_outlined_by_its_arrivals() {
        let json = serde_json::to_value(outline(&[RATE], &Portion::whole())).expect("JSON");
        assert_eq!(
            json,
            serde_json::json!({
                "seed": 7, "model": "open", "arrivals_s": [0.0, 0.5, 1.0, 1.5],
                "iterations_planned": 4, "duration_s": 2.0,
                "scenarios": [{
                    "name": "default", "model": "open", "starts_at_s": 0.0, "duration_s": 2.0,
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
        let plan = outline(&[RAMP], &Portion::whole());
        assert_eq!((plan.model, plan.arrivals_s), (OutlineModel::Closed, None));
        let expected = [(0.0, 0), (2.0, 1), (3.0, 2), (4.0, 0)];
        assert_eq!(
            plan.vu_steps.as_deref(),
            Some(expected.as_slice()),
            "it begins after 1 s"
        );
        assert_eq!((plan.iterations_planned, plan.duration_s), (None, 4.0));
        let second = Portion::from(Share::new(1, 2).unwrap());
        let part = outline(&[RAMP], &second);
        assert_eq!(part.vu_steps, Some(vec![(0.0, 0), (3.0, 1), (4.0, 0)]));
    }

    #[test]
    fn scenarios_are_laid_over_one_another() {
        let plan = outline(&[RATE, RAMP, SHARED], &Portion::whole());
        assert_eq!(plan.model, OutlineModel::Open);
        assert_eq!(plan.arrivals_s.map(|times| times.len()), Some(4));
        let expected = vec![(0.0, 2), (2.0, 3), (3.0, 4), (4.0, 2), (5.0, 0)];
        assert_eq!(plan.vu_steps, Some(expected));
        assert_eq!(plan.iterations_planned, None, "the ramp's are not known");
        let counted = outline(&[RATE, SHARED], &Portion::whole());
        assert_eq!(counted.iterations_planned, Some(15));
        let shares = counted.shares.iter().map(|share| share.iterations_planned);
        assert_eq!(shares.sum::<Option<u64>>(), Some(15));
    }

    #[test]
    fn plans_that_are_too_large_to_list_say_so() {
        let huge = r#"{"executor": "constant-arrival-rate", "rate": 1000000, "duration": "10s", "preAllocatedVUs": 1}"#;
        let plan = outline(&[huge], &Portion::whole());
        assert_eq!(plan.arrivals_s.map(|times| times.len()), Some(ARRIVALS_MAX));
        assert_eq!(plan.arrivals_omitted, 9_000_000);
        assert_eq!(plan.iterations_planned, Some(10_000_000));
    }
}
