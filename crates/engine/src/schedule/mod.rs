//! When virtual users start and stop, and when iterations begin.
//!
//! Every time is computed from an index and the plan, never by adding to the last one, so no error builds up
//! and every share of a plan finds its own times without knowing the others.

mod arrivals;
mod even_rate;
mod iterations;
mod poisson;
mod ramping_rate;
mod ramping_vus;
mod second_steps;
mod steps;
mod vu_pool;
mod vus;

pub use arrivals::{Arrival, ArrivalSchedule, Arrivals, arrival_seed};
pub use even_rate::{EvenRate, First};
pub use iterations::SharedIterations;
pub use poisson::Poisson;
pub use ramping_rate::RampingRate;
pub use ramping_vus::{RampingVus, VuChange};
pub use second_steps::SecondSteps;
pub use steps::vu_steps;
pub use vu_pool::{Taken, VuPool};
pub use vus::{Graces, VuEvent, VuSchedule, active_steps, reserved_steps};
