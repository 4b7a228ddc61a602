//! The scenario itself: which applications, how many users, for how long, and what must hold.

use serde::{Deserialize, Serialize};

use super::json::{duration_text, maybe_duration_text, whole_number};
use crate::assertion::Assertion;

/// A load scenario (the spec's `LoadScenario`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadScenario {
    /// The scenario's name.
    pub name: String,
    /// What it is for, for people.
    #[serde(default)]
    pub description: String,
    /// Which applications the users play, and how often each.
    pub applications: Vec<ApplicationWeight>,
    /// How many users there are, over time.
    pub user_profile: UserProfile,
    /// What must hold for the run to pass.
    #[serde(default)]
    pub assertions: Vec<Assertion>,
    /// The tenants over which the users are spread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<Vec<String>>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// How long a user waits between two iterations, one second when absent.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub pause: Option<String>,
    /// How long iterations may take to finish when their user is no longer needed, 30 seconds when absent.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub graceful_stop: Option<String>,
    /// How long an answer may take, 30 seconds when absent.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub request_timeout: Option<String>,
}

/// How often an application is played (the spec's `ApplicationWeight`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationWeight {
    /// The application's name.
    pub name: String,
    /// Its share of the iterations, relative to the sum of all weights.
    pub weight: f64,
}

/// How many users there are, over time (the spec's `UserProfile`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserProfile {
    /// The number of users rises in a straight line.
    pub ramp_up: RampUp,
    /// The highest number is held.
    pub peak: UserPlateau,
    /// The everyday number is held.
    pub steady_state: UserPlateau,
    /// The number of users falls in a straight line.
    pub ramp_down: RampDown,
}

/// The phase in which the number of users rises.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RampUp {
    /// Users at its start.
    #[serde(deserialize_with = "whole_number")]
    pub from: i64,
    /// Users at its end.
    #[serde(deserialize_with = "whole_number")]
    pub to: i64,
    /// How long it takes, as in [`duration`](crate::duration).
    #[serde(deserialize_with = "duration_text")]
    pub duration: String,
}

/// A phase in which the number of users stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserPlateau {
    /// How many users.
    #[serde(deserialize_with = "whole_number")]
    pub users: i64,
    /// How long it takes, as in [`duration`](crate::duration).
    #[serde(deserialize_with = "duration_text")]
    pub duration: String,
}

/// The phase in which the number of users falls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RampDown {
    /// Users at its end.
    #[serde(deserialize_with = "whole_number")]
    pub to: i64,
    /// How long it takes, as in [`duration`](crate::duration).
    #[serde(deserialize_with = "duration_text")]
    pub duration: String,
}

/// What a run was started with (the spec's `TestRunConfig`), stored as `config_json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestRunConfig {
    /// The name under which the scenario was asked for.
    pub scenario_name: String,
    /// The scenario.
    pub scenario: LoadScenario,
    /// The environment that is tested, such as `staging`.
    pub environment: String,
    /// Whether only the plan is wanted; production needs an explicit `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}
