//! The closed models: how many users there are, and how often they repeat their iterations.

use crate::tick::Span;

/// How the load develops over time, with k6's names.
#[derive(Clone, Debug, PartialEq)]
pub enum LoadModel {
    /// A closed model: a number of virtual users that changes in stages, each repeating its iterations. The
    /// four phases of the spec's `userProfile` become stages, and so does k6's `constant-vus`.
    RampingVus {
        /// Users at the start.
        start_users: u32,
        /// The stages in order.
        stages: Vec<Stage>,
        /// How long a user that is no longer needed may take to finish its iteration.
        graceful_ramp_down: Span,
    },
    /// A number of iterations that the users take from a common pile.
    SharedIterations {
        /// How many users.
        vus: u32,
        /// How many iterations together.
        iterations: u64,
        /// After this time no iteration begins.
        max_duration: Span,
    },
    /// A number of iterations for each user.
    PerVuIterations {
        /// How many users.
        vus: u32,
        /// How many iterations each.
        iterations: u64,
        /// After this time no iteration begins.
        max_duration: Span,
    },
}

impl LoadModel {
    /// The highest number of users that it calls for.
    #[must_use]
    pub fn users_max(&self) -> u32 {
        match self {
            Self::RampingVus {
                start_users,
                stages,
                ..
            } => {
                let targets = stages.iter().map(|stage| stage.target);
                targets.max().unwrap_or(0).max(*start_users)
            }
            Self::SharedIterations { vus, .. } | Self::PerVuIterations { vus, .. } => *vus,
        }
    }

    /// How long it takes at most, without the grace after it.
    #[must_use]
    pub fn duration(&self) -> Span {
        match self {
            Self::RampingVus { stages, .. } => {
                let lengths = stages.iter().map(|stage| stage.duration);
                lengths.fold(Span::ZERO, |sum, length| sum + length)
            }
            Self::SharedIterations { max_duration, .. }
            | Self::PerVuIterations { max_duration, .. } => *max_duration,
        }
    }
}

/// A stage: the number of users moves in a straight line to the target; with no duration it jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// How long the stage takes.
    pub duration: Span,
    /// The number of users at its end.
    pub target: u32,
}
