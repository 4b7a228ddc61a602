//! Load models: how a scenario's load develops, with k6's executors and Artillery's phases.

mod types;

pub use types::{ArrivalModel, ArrivalPhase, ArrivalUsers, Model, PhaseArrivals, Workload};
