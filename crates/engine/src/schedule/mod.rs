//! When virtual users start and stop.
//!
//! Every time is computed from an index and the plan, never by adding to the last one, so no error builds up
//! and every share of a plan finds its own users' times without knowing the others.

mod ramping_vus;
mod steps;

pub use ramping_vus::{RampingVus, VuChange};
pub use steps::vu_steps;
