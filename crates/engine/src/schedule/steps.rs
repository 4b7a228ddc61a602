//! The number of virtual users over time, as people and other tools read it.

use crate::load_model::{ArrivalUsers, Model};
use crate::plan::{LoadModel, Plan, PlannedScenario};
use crate::schedule::{RampingVus, VuChange};
use crate::share::Stripes;
use crate::sorted::sort_by;
use crate::tick::Tick;

/// How many users a plan's portion calls for: from each point on, until the next. Nothing that lasts no time is listed,
/// and users with a number of iterations count for as long as they may take.
#[must_use]
pub fn vu_steps(plan: &Plan) -> Vec<(Tick, u32)> {
    let mut changes = vec![(Tick::ZERO, 0)];
    let stripes = plan.portion().stripes();
    for scenario in plan.scenarios() {
        add_changes(scenario, &stripes, &mut changes);
    }
    sort_by(&mut changes, |(a, _), (b, _)| a < b);
    let mut users = 0;
    let mut steps: Vec<(Tick, u32)> = Vec::new();
    for (at, change) in changes {
        users += change;
        let step = (at, u32::try_from(users).unwrap_or(u32::MAX));
        match steps.last_mut() {
            Some(last) if last.0 == at => *last = step,
            _ => steps.push(step),
        }
    }
    steps
}

fn add_changes(scenario: &PlannedScenario, stripes: &Stripes, changes: &mut Vec<(Tick, i64)>) {
    let owned = |users: u32| i64::try_from(stripes.count_of(u64::from(users))).unwrap_or(i64::MAX);
    let start = scenario.starts_at.saturating_since(Tick::ZERO);
    let mut add = |at: Tick, change: i64| changes.push((at + start, change));
    let model = match &scenario.model {
        Model::Closed(model) => model,
        Model::Open { users, .. } => {
            // Whoever is free plays; what exists at the start is what can be said beforehand.
            let ready = match users {
                ArrivalUsers::Pool { pre_allocated, .. } => owned(*pre_allocated),
                ArrivalUsers::Fresh => 0,
            };
            add(Tick::ZERO, ready);
            add(Tick::ZERO + scenario.duration(), -ready);
            return;
        }
    };
    match model {
        LoadModel::RampingVus {
            start_users,
            stages,
            ..
        } => {
            let mut schedule = RampingVus::new(*start_users, stages, stripes.clone());
            while let Some((at, change)) = schedule.pop(Tick::NEVER) {
                add(
                    at,
                    if matches!(change, VuChange::Start(_)) {
                        1
                    } else {
                        -1
                    },
                );
            }
        }
        LoadModel::SharedIterations {
            vus, max_duration, ..
        }
        | LoadModel::PerVuIterations {
            vus, max_duration, ..
        } => {
            add(Tick::ZERO, owned(*vus));
            add(Tick::ZERO + *max_duration, -owned(*vus));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{PlanOptions, PlanPart, PlanSource, Via};
    use crate::scenario::{parse_application, parse_scenario};

    #[test]
    fn jumps_count_once_and_ramps_move_by_one() {
        let scenario = parse_scenario(
            br#"{"name": "s", "applications": [{"name": "a", "weight": 1}], "userProfile": {
              "rampUp": {"from": 2, "to": 4, "duration": "2s"}, "peak": {"users": 4, "duration": "1s"},
              "steadyState": {"users": 1, "duration": "1s"}, "rampDown": {"to": 0, "duration": "1s"}}}"#,
        );
        let application = parse_application(
            br#"{"name": "a", "steps": [{"name": "s", "request": {"method": "GET", "url": "/"},
              "expect": {}}], "doInteractions": []}"#,
        );
        let plan = Plan::parse(&PlanSource {
            scenario: scenario.unwrap(),
            applications: vec![application.unwrap()],
            options: PlanOptions {
                base_url: "https://a.com".to_owned(),
                allowed_hosts: vec!["a.com".to_owned()],
                own_hosts: Vec::new(),
                allow_private: false,
                via: Via::Host,
                seed: 1,
                users: None,
                duration: None,
                profile: None,
                users_max: 10,
                duration_max_s: 10,
                part: PlanPart::default(),
            },
        });
        let plan = plan.unwrap();
        let steps = vu_steps(&plan);
        let steps: Vec<_> = steps
            .iter()
            .map(|(at, users)| (at.as_ms(), *users))
            .collect();
        assert_eq!(
            steps,
            [(0, 2), (1_000, 3), (2_000, 4), (3_000, 1), (5_000, 0)]
        );
        assert_eq!(plan.hosts().into_iter().collect::<Vec<_>>(), ["a.com"]);
    }
}
