//! A row of the time line that is being filled: in a long run, a row covers several seconds.

use serde::{Deserialize, Serialize};

use crate::histogram::SparseHistogram;
use crate::timeline::history::Point;
use crate::timeline::row::TimelineRow;
use crate::timeline::second::Second;
use crate::totals::LatencyPercentiles;

/// Neighbouring seconds that will be one row. Its percentiles come from the merged histograms of all of them,
/// in full resolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenRow {
    point: Point,
    response_us: SparseHistogram,
}

impl OpenRow {
    /// A row that begins with this second.
    #[must_use]
    pub fn new(point: Point, second: &Second) -> Self {
        let mut row = Self {
            point,
            response_us: SparseHistogram::default(),
        };
        second.merge_responses_into(&mut row.response_us);
        row
    }

    /// Adds the second that follows.
    pub fn add(&mut self, point: &Point, second: &Second) {
        self.point.add(point);
        second.merge_responses_into(&mut self.response_us);
    }

    /// The row, now that it is full or the run is over.
    #[must_use]
    pub fn close(mut self, epoch_ms: u64) -> TimelineRow {
        self.point.latency = LatencyPercentiles::of_sparse(&self.response_us);
        self.point.to_row(epoch_ms)
    }
}
