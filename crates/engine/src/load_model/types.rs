//! What a scenario's load is, checked and with all defaults filled in.

use crate::plan::{LoadModel, Stage};
use crate::share::{Portion, Stripes};
use crate::tick::Span;

/// One scenario's load: k6's fields that all executors have, and the load model.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// The scenario's name: letters, digits, `_` and `-`.
    pub name: String,
    /// How long after the run's start it begins.
    pub starts_at: Span,
    /// How long after its end iterations may take to finish.
    pub graceful_stop: Span,
    /// The application or flow that is played, what the file names as a whole when absent.
    pub exec: Option<String>,
    /// Values for the templates of this scenario.
    pub env: Vec<(String, String)>,
    /// Tags of everything that this scenario measures.
    pub tags: Vec<(String, String)>,
    /// How the load develops.
    pub model: Model,
}

/// Who decides when an iteration begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// The virtual users: each begins its next iteration when the last one has ended.
    Closed(LoadModel),
    /// The plan: iterations begin at their times, whether or not earlier ones have ended.
    Open {
        /// When they begin.
        arrivals: ArrivalModel,
        /// Who plays them.
        users: ArrivalUsers,
    },
}

/// When iterations of the open model begin.
#[derive(Clone, Debug, PartialEq)]
pub enum ArrivalModel {
    /// k6's `constant-arrival-rate`: arrival n, from 0, comes at n·unit/rate.
    ConstantRate {
        /// Arrivals in each unit.
        rate: u32,
        /// The unit of the rate.
        unit: Span,
        /// For how long.
        duration: Span,
    },
    /// k6's `ramping-arrival-rate`: arrival n, from 0, comes when the area under the rate reaches n + 1.
    RampingRate {
        /// The rate at the start, in arrivals per unit.
        start: u32,
        /// The unit of the rates.
        unit: Span,
        /// The stages; their targets are rates.
        stages: Vec<Stage>,
    },
    /// Artillery's phases, one after another.
    Phases(Vec<ArrivalPhase>),
}

/// One of Artillery's phases.
#[derive(Clone, Debug, PartialEq)]
pub struct ArrivalPhase {
    /// The name in the results.
    pub name: Option<String>,
    /// How long it takes.
    pub duration: Span,
    /// While as many virtual users are at work, whoever arrives in this phase is dropped.
    pub max_users: Option<u32>,
    /// Who arrives.
    pub arrivals: PhaseArrivals,
}

/// Who arrives in one of Artillery's phases. Rates are in millionths of an arrival in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseArrivals {
    /// Nobody.
    Pause,
    /// At even intervals, the first after one interval.
    Even(u64),
    /// At random.
    Random(u64),
    /// In steps of one second, from the first rate in the first second to the other one in the last.
    Ramp(u64, u64),
    /// This many, at even intervals.
    Count(u64),
}

/// Who plays the iterations of the open model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrivalUsers {
    /// k6: virtual users that play one iteration after another. An arrival that finds nobody free is dropped,
    /// and one more user is readied while there are fewer than `max`.
    Pool {
        /// Users at the start.
        pre_allocated: u32,
        /// Users at most.
        max: u32,
    },
    /// Artillery: each arrival is a new virtual user, which plays one iteration.
    Fresh,
}

impl ArrivalUsers {
    /// The arrivals that belong to the portion: where a pool plays them, they are split as its users are, so that
    /// whoever has users gets arrivals.
    #[must_use]
    pub fn stripes(self, portion: &Portion) -> Stripes {
        match self {
            Self::Pool { max, .. } => portion.scaled(u64::from(max)),
            Self::Fresh => portion.stripes(),
        }
    }
}

impl Workload {
    /// The planned length of the scenario without the grace at its end; what is limited by a number of
    /// iterations counts for as long as it may take.
    #[must_use]
    pub fn duration(&self) -> Span {
        self.model.duration()
    }

    /// The highest number of virtual users that the plan calls for, `None` if it depends on the target.
    #[must_use]
    pub fn users_max(&self) -> Option<u32> {
        self.model.users_max()
    }
}

impl Model {
    /// How long it takes at most, without the grace after it.
    #[must_use]
    pub fn duration(&self) -> Span {
        match self {
            Self::Closed(model) => model.duration(),
            Self::Open { arrivals, .. } => arrivals.duration(),
        }
    }

    /// The highest number of virtual users that it calls for, `None` if that depends on the target.
    #[must_use]
    pub fn users_max(&self) -> Option<u32> {
        match self {
            Self::Closed(model) => Some(model.users_max()),
            Self::Open { users, .. } => match users {
                ArrivalUsers::Pool { max, .. } => Some(*max),
                ArrivalUsers::Fresh => None,
            },
        }
    }
}

impl ArrivalModel {
    /// How long arrivals come; the last one may come at the very end.
    #[must_use]
    pub fn duration(&self) -> Span {
        let sum = |spans: &mut dyn Iterator<Item = Span>| spans.fold(Span::ZERO, |sum, s| sum + s);
        match self {
            Self::ConstantRate { duration, .. } => *duration,
            Self::RampingRate { stages, .. } => sum(&mut stages.iter().map(|s| s.duration)),
            Self::Phases(phases) => sum(&mut phases.iter().map(|p| p.duration)),
        }
    }
}
