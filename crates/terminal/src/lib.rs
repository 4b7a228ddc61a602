//! What a terminal shows of a run, wherever it was run: the same summary for `sentinel` and for the demo.

#![forbid(unsafe_code)]

pub mod chart;
mod monitoring;
mod number;
mod report;

pub use report::{account, text};
