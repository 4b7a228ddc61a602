//! What a scenario file says, before anything is checked: the spec's types, and what we add to them.
//!
//! Invariant: reading refuses what the format does not know (unknown fields, duplicate keys, wrong types), and
//! writing what was read gives the same scenario again. Whether it can be run is decided by
//! [`Plan::parse`](crate::plan::Plan::parse), which sees all of it at once.

mod application;
mod json;
mod load;
mod read;
mod types;

pub use application::{
    ApplicationProfile, DoInteraction, DoPattern, DurableObject, ExpectConfig, ExpectedStatuses,
    LatencyLimits, Method, RepeatPattern, RequestBody, RequestConfig, RequestStep,
};
pub use json::TextMap;
pub use load::{
    ArrivalMode, DurationValue, Executor, LoadConfig, NumberValue, PhaseConfig, ScenarioMap,
    StageConfig,
};
pub use read::{parse_application, parse_scenario};
pub use types::{
    ApplicationWeight, LoadScenario, RampDown, RampUp, TestRunConfig, UserPlateau, UserProfile,
};
