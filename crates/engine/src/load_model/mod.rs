//! Load models: how a scenario's load develops, with k6's executors and Artillery's phases.
//!
//! What the file says ([`LoadConfig`](crate::scenario::LoadConfig)) becomes [`Workloads`], with all defaults
//! filled in; their times come from [`schedule`](crate::schedule), and [`PlanOutline`] shows them.

mod artillery;
mod durations;
mod findings;
mod k6;
mod outline;
mod parse;
mod types;

pub use outline::{OutlineModel, PlanOutline, ScenarioOutline, ShareOutline};
pub use parse::Workloads;
pub use types::{ArrivalModel, ArrivalPhase, ArrivalUsers, Model, PhaseArrivals, Workload};
