//! The four phases that every run is told in, whatever its load model: the vocabulary of the results' time line.

use serde::{Deserialize, Serialize};

use crate::tick::Tick;

/// A phase of a run, named as in the table `load_test_metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The number of users rises.
    RampUp,
    /// The highest number of users is held.
    Peak,
    /// The everyday number of users is held.
    SteadyState,
    /// The number of users falls, and what was begun is finished.
    RampDown,
}

impl Phase {
    /// All phases in their order.
    pub const ALL: [Self; 4] = [Self::RampUp, Self::Peak, Self::SteadyState, Self::RampDown];

    /// The name in the database: `ramp_up`, `peak`, `steady_state` or `ramp_down`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RampUp => "ramp_up",
            Self::Peak => "peak",
            Self::SteadyState => "steady_state",
            Self::RampDown => "ramp_down",
        }
    }
}

/// The interval `[from, to)` that a phase takes on the run's time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseSpan {
    /// Which phase.
    pub phase: Phase,
    /// Its first point.
    pub from: Tick,
    /// The first point after it.
    pub to: Tick,
}

/// The phase at `now`: the one whose span holds it, the last one after the end of all.
#[must_use]
pub fn phase_at(spans: &[PhaseSpan], now: Tick) -> Phase {
    spans
        .iter()
        .find(|span| span.from <= now && now < span.to)
        .or(spans.last())
        .map_or(Phase::RampDown, |span| {
            if now < span.to {
                span.phase
            } else {
                Phase::RampDown
            }
        })
}
