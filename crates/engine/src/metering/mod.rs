//! What a plan measures beside its windows: the metrics that its thresholds ask for, and its own.
//!
//! A window tells every request, iteration and answer by step and by scenario already. Whatever a threshold
//! asks of a built-in metric that these numbers can tell, the run *derives* from them, second by second, so
//! that the verdict and the summary can never disagree and frames do not grow. Only what they cannot tell (a
//! metric by status, for instance) is *recorded* by the batches as series, and so are the metrics that the
//! scenario defines. Each metric is either derived or recorded, never both. Derived times are exact to within
//! the three significant digits of the histograms, average, minimum and maximum included; recorded ones have
//! exact averages, minima and maxima.
//!
//! Invariant: a series bears only those tags, with those values, that a threshold asks for, so that the number
//! of series is bounded by the plan, whatever URLs, statuses or errors come.

mod builtin;
mod custom;
mod derive;
mod division;
mod export;
mod meter;
mod requirement;
mod tags;

pub(crate) use builtin::{Event, Sample, StreamSample, accepted_tags};
pub use custom::Feed;
pub(crate) use derive::Derivation;
pub use division::Metering;
pub(crate) use division::timeline;
pub use export::Export;
pub(crate) use meter::{Happening, Meter};
pub(crate) use requirement::latency_limits;
pub use requirement::{REQUIREMENTS_MAX, Requirement, RequirementSource};
