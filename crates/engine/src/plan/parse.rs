//! From what the scenario file says to a plan that can be run.

use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::scenario::{ApplicationProfile, LoadScenario};

/// Everything that a plan is made of: equal sources give equal plans on every machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanSource {
    /// The scenario.
    pub scenario: LoadScenario,
    /// The applications that the scenario names.
    pub applications: Vec<ApplicationProfile>,
    /// What the caller decides.
    pub options: PlanOptions,
}

/// What the caller of a run decides, beside the scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanOptions {
    /// Where relative URLs lead.
    pub base_url: String,
    /// Hosts (`name` or `name:port`) that load may go to.
    pub allowed_hosts: Vec<String>,
    /// Whether private and link-local addresses are allowed: only in local development.
    pub allow_private: bool,
    /// The seed of all random choices.
    pub seed: u64,
    /// Scales the scenario's users so that the highest number is this.
    pub users: Option<u32>,
    /// Scales the scenario's durations so that the whole takes this long (as in the scenario file: `30s`).
    pub duration: Option<String>,
    /// The highest number of users that is accepted.
    pub users_max: u32,
    /// The longest duration that is accepted, in seconds.
    pub duration_max_s: u64,
}

/// Something in a plan's source that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: a path such as `scenario.userProfile.peak.duration`.
    pub path: String,
    /// What was rejected, and what is accepted.
    pub message: String,
}

/// All problems of a source, at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|p| format!("{}: {}", p.path, p.message)).collect::<Vec<_>>().join("; "))]
pub struct Problems(pub Vec<Problem>);

impl Plan {
    /// Checks and resolves a source.
    ///
    /// # Errors
    /// All problems of the source at once.
    pub fn parse(_source: &PlanSource) -> Result<Self, Problems> {
        Err(Problems(Vec::new()))
    }
}
