//! Load models: how a scenario's load develops, with k6's executors and Artillery's phases.
//!
//! What the file says ([`LoadConfig`](crate::scenario::LoadConfig)) becomes [`Workloads`], with all defaults
//! filled in; their times come from [`schedule`](crate::schedule), and
//! [`PlanOutline`](crate::plan::PlanOutline) shows them.

mod artillery;
mod durations;
mod findings;
mod k6;
mod parse;
mod types;

pub use parse::Workloads;
pub use types::{ArrivalModel, ArrivalPhase, ArrivalUsers, Model, PhaseArrivals, Workload};
