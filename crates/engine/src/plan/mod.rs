//! The parsed plan: everything that a run needs to know, checked and resolved, in the form the machines use.
//!
//! A [`Plan`] exists only as the result of [`Plan::parse`], which reports all problems of its source at once.
//! Invariant: what is in a plan can be run; the machines check nothing twice and look nothing up by name.

mod body;
mod closed;
mod demand;
mod destination;
mod env;
mod flow;
mod interaction;
mod load;
mod metering;
mod monitoring;
mod once;
mod outline;
mod parse;
mod part;
mod problem;
mod profile;
mod program;
mod request;
mod scenarios;
mod socket;
mod step;
mod stream;
mod table;
mod types;

pub use body::Body;
pub use closed::{LoadModel, Stage};
pub use destination::{Destination, ObjectCall, TARGET_BINDING, Via};
pub use monitoring::{Monitored, Monitoring};
pub use once::RunPart;
pub use outline::{OutlineModel, PlanOutline, ScenarioOutline, ShareOutline};
pub use parse::{PlanOptions, PlanSource};
pub use part::PlanPart;
pub use problem::{Problem, Problems};
pub use socket::{Act, Content, Message, Session};
pub use stream::Streaming;
pub use types::{
    Application, Extraction, FRESH_USERS_MAX, Op, Plan, PlannedScenario, Repeat, Step,
};
