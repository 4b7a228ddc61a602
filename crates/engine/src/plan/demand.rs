//! What a plan asks for at least, so that one that cannot stay within a limit is refused before it starts.

use super::types::Plan;
use crate::load_model::{ArrivalModel, Model, PhaseArrivals};
use crate::schedule::{Arrivals, arrival_seed};

impl Plan {
    /// How many iterations the plan begins by itself, whatever the target does: the arrivals of its open
    /// scenarios. How often users repeat theirs in the closed model depends on the target.
    #[must_use]
    pub fn arrivals_planned(&self) -> u64 {
        let scenarios = self.scenarios.iter().enumerate();
        let counts = scenarios.map(|(place, scenario)| match &scenario.model {
            Model::Closed(_) => 0,
            Model::Open { arrivals, .. } => {
                let seed = arrival_seed(self.seed, place);
                Arrivals::new(arrivals, scenario.starts_at, seed).count()
            }
        });
        counts.fold(0, u64::saturating_add)
    }

    /// The highest rate at which one of its open scenarios begins iterations, per second; 0 without one.
    #[must_use]
    pub fn arrival_rate_max(&self) -> f64 {
        let rates = self.scenarios.iter().map(|scenario| match &scenario.model {
            Model::Closed(_) => 0.0,
            Model::Open { arrivals, .. } => rate_max(arrivals),
        });
        rates.fold(0.0, f64::max)
    }
}

fn rate_max(arrivals: &ArrivalModel) -> f64 {
    let millionths = |rate: u64| rate as f64 / 1e6;
    match arrivals {
        ArrivalModel::ConstantRate { rate, unit, .. } => f64::from(*rate) / unit.as_secs_f64(),
        ArrivalModel::RampingRate {
            start,
            unit,
            stages,
        } => {
            let rates = stages.iter().map(|stage| stage.target);
            f64::from(rates.fold(*start, u32::max)) / unit.as_secs_f64()
        }
        ArrivalModel::Phases(phases) => {
            let rates = phases.iter().map(|phase| match phase.arrivals {
                PhaseArrivals::Pause => 0.0,
                PhaseArrivals::Even(rate) | PhaseArrivals::Random(rate) => millionths(rate),
                PhaseArrivals::Ramp(from, to) => millionths(from.max(to)),
                PhaseArrivals::Count(count) => count as f64 / phase.duration.as_secs_f64().max(1.0),
            });
            rates.fold(0.0, f64::max)
        }
    }
}
