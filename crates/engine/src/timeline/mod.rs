//! The run's time line: the rows that are published, and a bounded memory for the summary and the analysis.
//!
//! [`Second`] collects what the batches tell about one second, [`TimelineRow`] is what is published of it, or
//! of several that an [`OpenRow`] has added up, and
//! [`Timeline`] remembers at most [`POINTS_MAX`] points: when a run outgrows them, neighbours are merged and
//! each point covers twice the time. Invariant: neither the order in which batches report nor the number of
//! batches changes a row.

mod history;
mod open_row;
mod row;
mod second;
#[cfg(test)]
mod tests;

pub use history::{ComponentSums, POINTS_MAX, Point, Sums, Timeline};
pub use open_row::OpenRow;
pub use row::{D1Metrics, DoMetrics, ObjectMetrics, StorageMetrics, TimelineRow};
pub use second::{Second, is_active};
