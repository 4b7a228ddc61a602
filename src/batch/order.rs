//! What a coordinator tells a batch to play.

use sentinel_engine::plan::PlanSource;
use sentinel_engine::wire::Assignment;
use serde::{Deserialize, Serialize};

/// The first line that a coordinator says to a batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BatchOrder<S = PlanSource> {
    /// Which part of the run.
    pub(crate) assignment: Assignment,
    /// What the run's plan is made of.
    pub(crate) source: S,
}
