//! What all files about the end of a run are made of.

use sentinel_engine::summary::TestRunResult;

use super::metrics::Metrics;

/// A run that is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report<'a> {
    /// Its summary.
    pub(super) result: &'a TestRunResult,
    /// All that it measured, as k6's metrics.
    pub(super) metrics: &'a Metrics,
}

impl Report<'_> {
    /// How long the run took, in seconds; a millisecond, in which the summary counts, when it took less.
    pub(super) fn duration_s(&self) -> f64 {
        self.result.duration.max(1) as f64 / 1e3
    }
}
