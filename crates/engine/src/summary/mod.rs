//! The report of a run: the spec's `TestRunResult`, and what we add to it.
//!
//! Invariant: the size of a summary is bounded by the plan, not by the length of the run, and a value that
//! was not measured is `null`, never 0.

mod bottleneck;
mod build;
mod judged;
mod late;
mod monitoring;
mod objects;
mod once;
mod regions;
mod samples;
#[cfg(feature = "schema")]
mod schema;
mod sockets;
mod streams;
mod types;

pub use bottleneck::{Bottleneck, Severity, Symptom};
pub(crate) use build::generator_limited;
pub use build::{
    Ending, GENERATOR_LATENESS_MS_MAX, GENERATOR_SLOT_WAIT_MS_MAX, Report, StepHistograms,
};
pub use late::Late;
pub use monitoring::{MonitoredResult, MonitoringResult};
pub use objects::{HottestObject, ObjectResult};
pub use once::{OnceOutcome, OnceResult};
pub use regions::RegionResult;
pub use samples::{BLOCKS_MAX, SampleBlock, SampleRecorder, Samples, StepSamples};
#[cfg(feature = "schema")]
pub use schema::summary_schema;
pub use sockets::{MessageResult, SocketResult};
pub use streams::{StreamResult, TokenResult};
pub use types::{
    AbortedBy, ApplicationResult, AssertionResult, CheckResult, ComponentResult, GeneratorLimited,
    MetricResult, MetricValues, PhaseSummaries, PhaseSummary, RunStatus, ScenarioResult,
    StepResult, TestRunResult,
};
