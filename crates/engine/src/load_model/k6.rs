//! k6's executors and shortcuts, with k6's fields, defaults and conditions.
//!
//! Facts from k6: lib/executor/*.go and execution_config_shortcuts.go.

use super::findings::{Fields, Limits};
use super::types::{ArrivalModel, ArrivalUsers, Model};
use crate::plan::{LoadModel, Stage};
use crate::scenario::{Executor, LoadConfig, StageConfig};
use crate::tick::Span;

/// The fields of an executor beside those that all have.
pub(super) const fn fields_of(executor: Executor) -> &'static [&'static str] {
    match executor {
        Executor::SharedIterations | Executor::PerVuIterations => {
            &["vus", "iterations", "maxDuration"]
        }
        Executor::ConstantVus => &["vus", "duration"],
        Executor::RampingVus => &["startVUs", "stages", "gracefulRampDown"],
        Executor::ConstantArrivalRate => {
            &["rate", "timeUnit", "duration", "preAllocatedVUs", "maxVUs"]
        }
        Executor::RampingArrivalRate => &[
            "startRate",
            "timeUnit",
            "stages",
            "preAllocatedVUs",
            "maxVUs",
        ],
    }
}

/// The model of an executor, `None` if something about it was noted.
pub(super) fn model(
    executor: Executor,
    load: &LoadConfig,
    fields: &mut Fields<'_>,
) -> Option<Model> {
    match executor {
        Executor::SharedIterations => shared_iterations(load, fields).map(Model::Closed),
        Executor::PerVuIterations => per_vu_iterations(load, fields).map(Model::Closed),
        Executor::ConstantVus => constant_vus(load, fields).map(Model::Closed),
        Executor::RampingVus => ramping_vus(load, fields).map(Model::Closed),
        Executor::ConstantArrivalRate => constant_arrival_rate(load, fields),
        Executor::RampingArrivalRate => ramping_arrival_rate(load, fields),
    }
}

/// The executor that k6's shortcuts stand for, and the load in its fields; `None` if they are in conflict.
pub(super) fn from_shortcuts(
    load: &LoadConfig,
    fields: &mut Fields<'_>,
) -> Option<(Executor, LoadConfig)> {
    let mut long = load.clone();
    let stages = load.stages.as_deref().filter(|stages| !stages.is_empty());
    let mut conflict = |first: &str, second: &str| {
        fields.problem(
            "",
            format_args!("using `{first}` and `{second}` simultaneously is not allowed: write one of them, or an executor"),
        );
    };
    if load.iterations.is_some() {
        if stages.is_some() {
            conflict("iterations", "stages");
            return None;
        }
        (long.max_duration, long.stages) = (long.duration.take(), None);
        fields.alias(&[("maxDuration", "duration")]);
        return Some((Executor::SharedIterations, long));
    }
    if load.duration.is_some() {
        if stages.is_some() {
            conflict("duration", "stages");
            return None;
        }
        long.stages = None;
        return Some((Executor::ConstantVus, long));
    }
    if let Some(stages) = stages {
        let timed = stages.iter().filter(|stage| stage.duration.is_some());
        (long.stages, long.start_vus) = (Some(timed.cloned().collect()), long.vus.take());
        fields.alias(&[("startVUs", "vus")]);
        return Some((Executor::RampingVus, long));
    }
    if load.stages.is_some() {
        fields.warning("stages", "is empty and has no effect");
        long.stages = None;
    }
    if load.vus.is_some() {
        long.iterations = load.vus;
        return Some((Executor::SharedIterations, long));
    }
    Some((Executor::PerVuIterations, long))
}

fn shared_iterations(load: &LoadConfig, fields: &mut Fields<'_>) -> Option<LoadModel> {
    let vus = fields.number("vus", load.vus, 1, FROM_ONE);
    let iterations = fields.number("iterations", load.iterations, 1, NUMBER_FROM_ONE);
    let max_duration = max_duration(load, fields);
    let (vus, iterations) = (vus?, iterations?);
    if iterations < vus {
        fields.problem(
            "iterations",
            format_args!(
                "{iterations} iterations are too few for {vus} users: accepted are {vus} or more"
            ),
        );
        return None;
    }
    Some(LoadModel::SharedIterations {
        vus,
        iterations: u64::from(iterations),
        max_duration: max_duration?,
    })
}

fn per_vu_iterations(load: &LoadConfig, fields: &mut Fields<'_>) -> Option<LoadModel> {
    let vus = fields.number("vus", load.vus, 1, FROM_ONE);
    let iterations = fields.number("iterations", load.iterations, 1, NUMBER_FROM_ONE);
    let max_duration = max_duration(load, fields);
    Some(LoadModel::PerVuIterations {
        vus: vus?,
        iterations: u64::from(iterations?),
        max_duration: max_duration?,
    })
}

fn constant_vus(load: &LoadConfig, fields: &mut Fields<'_>) -> Option<LoadModel> {
    let vus = fields.number("vus", load.vus, 1, FROM_ONE);
    let duration = fields.needed_duration("duration", load.duration.as_ref(), DURATION_MIN);
    let (start_users, duration) = (vus?, duration?);
    Some(LoadModel::RampingVus {
        start_users,
        stages: vec![Stage {
            duration,
            target: start_users,
        }],
        graceful_ramp_down: Span::ZERO, // no stage lets anybody go
    })
}

fn ramping_vus(load: &LoadConfig, fields: &mut Fields<'_>) -> Option<LoadModel> {
    let start = fields.number("startVUs", load.start_vus, 1, USERS);
    let grace = load.graceful_ramp_down.as_ref();
    let grace = fields.duration("gracefulRampDown", grace, GRACE, Span::ZERO);
    let stages = stages(load, USERS, fields);
    let (start_users, stages, graceful_ramp_down) = (start?, stages?, grace?);
    if start_users == 0 && stages.iter().all(|stage| stage.target == 0) {
        fields.problem(
            "stages",
            "have no user: either startVUs or one of the targets must be above 0",
        );
        return None;
    }
    Some(LoadModel::RampingVus {
        start_users,
        stages,
        graceful_ramp_down,
    })
}

fn constant_arrival_rate(load: &LoadConfig, fields: &mut Fields<'_>) -> Option<Model> {
    let rate = fields.needed_number("rate", load.rate, NUMBER_FROM_ONE);
    let unit = time_unit(load, fields);
    let duration = fields.needed_duration("duration", load.duration.as_ref(), DURATION_MIN);
    let users = users(load, fields);
    Some(Model::Open {
        arrivals: ArrivalModel::ConstantRate {
            rate: rate?,
            unit: unit?,
            duration: duration?,
        },
        users: users?,
    })
}

fn ramping_arrival_rate(load: &LoadConfig, fields: &mut Fields<'_>) -> Option<Model> {
    let start = fields.number("startRate", load.start_rate, 0, NUMBER);
    let unit = time_unit(load, fields);
    let stages = stages(load, NUMBER, fields);
    let users = users(load, fields);
    Some(Model::Open {
        arrivals: ArrivalModel::RampingRate {
            start: start?,
            unit: unit?,
            stages: stages?,
        },
        users: users?,
    })
}

fn max_duration(load: &LoadConfig, fields: &mut Fields<'_>) -> Option<Span> {
    let value = load.max_duration.as_ref();
    fields.duration("maxDuration", value, MAX_DURATION, DURATION_MIN)
}

fn time_unit(load: &LoadConfig, fields: &mut Fields<'_>) -> Option<Span> {
    let shortest = Span::from_us(1);
    fields.duration("timeUnit", load.time_unit.as_ref(), TIME_UNIT, shortest)
}

fn users(load: &LoadConfig, fields: &mut Fields<'_>) -> Option<ArrivalUsers> {
    let pre_allocated = fields.needed_number("preAllocatedVUs", load.pre_allocated_vus, USERS);
    let at_least = Limits {
        min: pre_allocated.map_or(0, i64::from),
        max: USERS.max,
    };
    let default = load.pre_allocated_vus.unwrap_or(0);
    let max = match (pre_allocated, load.max_vus) {
        (None, None) => None, // told already
        _ => fields.number("maxVUs", load.max_vus, default, at_least),
    };
    let (pre_allocated, max) = (pre_allocated?, max?);
    if max == 0 {
        fields.problem(
            "maxVUs",
            "0 users would play nothing: accepted are 1 or more",
        );
        return None;
    }
    Some(ArrivalUsers::Pool { pre_allocated, max })
}

fn stages(load: &LoadConfig, targets: Limits<i64>, fields: &mut Fields<'_>) -> Option<Vec<Stage>> {
    let list = load.stages.as_deref().unwrap_or_default();
    if list.is_empty() || list.len() > STAGES_MAX {
        let count = list.len();
        fields.problem(
            "stages",
            format_args!("has {count} stages: accepted are 1 to {STAGES_MAX}"),
        );
        return None;
    }
    let mut stage = |(at, stage): (usize, &StageConfig)| {
        let mut fields = Fields::new(format!("{}.stages[{at}]", fields.path), fields.findings);
        let duration = stage.duration.as_ref();
        let duration = fields.needed_duration("duration", duration, Span::ZERO);
        let target = fields.needed_number("target", stage.target, targets);
        Some(Stage {
            duration: duration?,
            target: target?,
        })
    };
    let stages: Vec<Option<Stage>> = list.iter().enumerate().map(&mut stage).collect();
    stages.into_iter().collect()
}

/// k6's limit for virtual users.
const USERS: Limits<i64> = Limits {
    min: 0,
    max: 100_000_000,
};

const FROM_ONE: Limits<i64> = Limits {
    min: 1,
    max: USERS.max,
};

/// Rates and iterations: what fits into 32 bits.
const NUMBER: Limits<i64> = Limits {
    min: 0,
    max: u32::MAX as i64,
};

const NUMBER_FROM_ONE: Limits<i64> = Limits {
    min: 1,
    max: NUMBER.max,
};

const GRACE: Span = Span::from_secs(30);

const TIME_UNIT: Span = Span::from_secs(1);

const MAX_DURATION: Span = Span::from_secs(600);

/// k6 accepts nothing shorter, but for stages.
const DURATION_MIN: Span = Span::from_secs(1);

/// So that a plan stays small.
const STAGES_MAX: usize = 10_000;
