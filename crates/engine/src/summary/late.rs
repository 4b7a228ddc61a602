//! What came too late, on the way to the target and on the way back from the batches.

use serde::{Deserialize, Serialize};

use crate::run::Book;
use crate::summary::build::GENERATOR_LATENESS_MS_MAX;

/// What came too late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Late {
    /// Iterations and timed requests that began more than 50 ms after they were due, for reasons of the generator
    /// (see [`GENERATOR_LATENESS_MS_MAX`]). They are in all numbers, from when they were due.
    pub arrivals: u64,
    /// How many iterations and timed requests the number above is out of.
    pub arrivals_begun: u64,
    /// Frames that came after their batch was given up. They are in no number, and their batch's time is a hole.
    pub frames: u64,
}

/// What came too late in a run.
pub(super) fn late(book: &Book) -> Late {
    let lateness = book.totals.lateness_us();
    let limit_us = (GENERATOR_LATENESS_MS_MAX * 1_000.0) as u64;
    let begun = lateness.count();
    let in_time = lateness.quantile_below(limit_us).unwrap_or(1.0) * begun as f64;
    Late {
        arrivals: begun.saturating_sub(in_time.round() as u64),
        arrivals_begun: begun,
        frames: book.frames_late,
    }
}
