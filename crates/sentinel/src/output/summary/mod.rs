//! The end of a run as a user of k6 knows it: what had to hold, checks, then the metrics in k6's groups.
//!
//! Invariant: numbers are written as k6 writes them, cut off and not rounded, so that a summary never shows more
//! than was measured.

mod arguments;
mod human;
mod statistic;
mod text;

pub(crate) use arguments::SummaryArguments;
pub(super) use text::text;
