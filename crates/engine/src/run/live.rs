//! What is told of a run while it goes on, to whoever watches it.

use serde::{Deserialize, Serialize};

use crate::error_class::ErrorClass;
use crate::ledger::Ledger;
use crate::plan::{Application, Step};
use crate::run::machine::Load;
use crate::run::types::Progress;
use crate::sorted::SortedMap;
use crate::summary::generator_limited;
use crate::threshold::Outcome;
use crate::totals::{LatencyPercentiles, mean_ms};

/// A look at a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveReport {
    /// How far it is.
    pub progress: Progress,
    /// Iterations and requests, as far as the batches have told.
    pub ledger: Ledger,
    /// What costs more to find out; of the seconds that are published.
    #[serde(default)]
    pub measured: Option<LiveMeasured>,
}

/// What a run has measured so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveMeasured {
    /// The part of the run's time that was measured, from 0 to 1.
    #[serde(default)]
    pub coverage: Option<f64>,
    /// Whether the generator itself is too slow for the plan.
    pub generator_limited: bool,
    /// Assertions, thresholds and limits, as they stand.
    pub outcomes: Vec<Outcome>,
    /// Per step, in the order of the plan.
    pub steps: Vec<LiveStep>,
}

/// One step of an application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveStep {
    /// The application.
    pub application: String,
    /// The step.
    pub step: String,
    /// Requests that ended as the step expects.
    pub succeeded: u64,
    /// Requests that did not, by class.
    pub errors: SortedMap<ErrorClass, u64>,
    /// How many response times were measured.
    pub measured: u64,
    /// The mean response time in milliseconds.
    #[serde(default)]
    pub avg_latency: Option<f64>,
    /// Response times in milliseconds.
    pub latency: LatencyPercentiles,
}

impl Load {
    /// A look at the load; `measured` asks also for what costs more to find out.
    pub(super) fn live(&self, measured: bool) -> LiveReport {
        LiveReport {
            progress: self.progress(),
            ledger: self.book.ledger(),
            measured: measured.then(|| self.measured()),
        }
    }

    fn measured(&self) -> LiveMeasured {
        let totals = &self.book.totals;
        let limited = generator_limited(totals, &totals.overall(), self.book.ledger().dropped);
        let steps = self.plan.applications().iter().flat_map(|application| {
            let steps = application.steps.iter();
            steps.map(move |step| self.live_step(application, step))
        });
        LiveMeasured {
            coverage: self.judging.coverage().fraction(),
            generator_limited: limited.is_some(),
            outcomes: self.outcomes(),
            steps: steps.collect(),
        }
    }

    fn live_step(&self, application: &Application, step: &Step) -> LiveStep {
        let sum = self.book.totals.steps(|id| id == step.id);
        LiveStep {
            application: application.name.clone(),
            step: step.name.clone(),
            succeeded: sum.succeeded,
            measured: sum.response_us.count(),
            avg_latency: mean_ms(&sum.response_us),
            latency: LatencyPercentiles::of(&sum.response_us),
            errors: sum.errors,
        }
    }
}
