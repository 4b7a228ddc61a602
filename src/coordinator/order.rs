//! What a coordinator is asked to do.

use sentinel_engine::plan::PlanSource;
use serde::{Deserialize, Serialize};

/// A run to start.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RunOrder {
    /// The format's version: [`Self::VERSION`].
    pub(crate) version: u32,
    /// The run's identifier.
    pub(crate) run: String,
    /// The name of its scenario.
    pub(crate) scenario_name: String,
    /// The environment that it tests.
    pub(crate) environment: String,
    /// How many batches play it.
    pub(crate) batches: u32,
    /// The length of a slice in seconds.
    pub(crate) slice_s: u32,
    /// What its plan is made of.
    pub(crate) source: PlanSource,
}

impl RunOrder {
    /// The version that this code writes and reads.
    pub(crate) const VERSION: u32 = 1;
}
