//! What the target tells about itself while it is under load: numbers such as the memory that it takes, read again
//! and again from an endpoint of its own, and how they grow.
//!
//! Asking is no load: polls are in no ledger of requests and in no metric of requests, but are counted on their own.
//! One batch of a run asks, at times that follow from the plan alone. What it reads becomes a Gauge like the
//! scenario's other metrics; how fast a number grows is another one, which only the run can tell.
//!
//! Invariant: a number that could not be read is absent, never zero, and of too few numbers no growth is told.

mod exposition;
mod growth;
mod place;
mod polls;
mod watch;

pub use exposition::{Selector, SelectorError};
pub use growth::{GROWTH_SAMPLES_MIN, Growth, GrowthError, GrowthLimit};
pub use place::{Place, PlaceError};
pub use polls::PollCounts;
pub(crate) use watch::Watch;
pub use watch::{History, SAMPLES_KEPT_MAX};
