//! The end of a run as k6 tells it to other tools, in its three shapes.
//!
//! - [`data()`] is what k6 hands to `handleSummary`,
//! - [`export()`] is the file of its `--summary-export`, older and flatter,
//! - [`machine()`] is the file of its `--new-machine-readable-summary`, version 1.0.0.
//!
//! All are made of the same values, with k6's names and units: times in milliseconds, sizes in bytes, rates per
//! second of the whole run. An application is a group, a step a group in it.

mod data;
mod export;
mod groups;
mod machine;
mod values;

pub(super) use data::data;
pub(super) use export::export;
pub(super) use machine::machine;
pub(super) use values::{K6Metric, metrics};
