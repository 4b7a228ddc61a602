//! Bottlenecks: where the target left its level.

use serde::{Deserialize, Serialize};

use crate::phase::PhaseSpan;
use crate::summary::Bottleneck;
use crate::timeline::Point;

/// How bottlenecks were looked for, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Analysis {
    /// x
    pub outcome: Outcome,
}
/// What came of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// x
    NotEnoughSamples,
}

/// Looks for bottlenecks.
#[must_use]
pub fn find(_points: &[Point], _phases: &[PhaseSpan]) -> (Vec<Bottleneck>, Analysis) {
    (
        Vec::new(),
        Analysis {
            outcome: Outcome::NotEnoughSamples,
        },
    )
}
