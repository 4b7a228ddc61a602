//! The scenario itself: which applications, how many users, for how long, and what must hold.

use serde::{Deserialize, Serialize};

use super::data::DataConfig;
use super::json::{NamedMap, duration_text, maybe_duration_text, whole_number};
use super::load::{LoadConfig, ScenarioMap};
use super::metrics::MetricConfig;
use super::monitoring::MonitoringConfig;
use super::step::FlowStep;
use crate::assertion::Assertion;
use crate::threshold::ThresholdMap;

/// A load scenario (the spec's `LoadScenario`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadScenario {
    /// The scenario's name.
    pub name: String,
    /// What it is for, for people.
    #[serde(default)]
    pub description: String,
    /// Which applications the users play, and how often each.
    pub applications: Vec<ApplicationWeight>,
    /// How many users there are, over time: the spec's four phases. Exactly one of this, `load` and
    /// `scenarios` is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_profile: Option<UserProfile>,
    /// One load in k6's or Artillery's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadConfig>,
    /// Several loads in k6's words, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<std::collections::BTreeMap<String, LoadConfig>>")
    )]
    pub scenarios: Option<ScenarioMap>,
    /// Loads that can be asked for by name instead of this one, besides the profiles that every scenario has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profiles: Option<NamedMap<ProfileConfig>>,
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
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DelayText>")
    )]
    pub pause: Option<String>,
    /// How long iterations may take to finish when their user is no longer needed, 30 seconds when absent.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DurationText>")
    )]
    pub graceful_stop: Option<String>,
    /// How long an answer may take, 30 seconds when absent.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DurationText>")
    )]
    pub request_timeout: Option<String>,
    /// How many redirects a request follows (k6's `maxRedirects`), 0 to 100. When absent, the command `sentinel`
    /// follows 10, and the Worker none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_redirects: Option<u32>,
    /// The least time from the start of an iteration to the start of the user's next one (k6's
    /// `minIterationDuration`).
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DelayText>")
    )]
    pub pacing: Option<String>,
    /// How long users keep their cookies; for the whole run when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookies: Option<Cookies>,
    /// Tables of data that templates refer to, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<NamedMap<DataConfig>>,
    /// What is done once, before the run begins. What it extracts is known to all users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<Vec<FlowStep>>,
    /// How long the setup may take, 60 seconds when absent (k6's `setupTimeout`).
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DurationText>")
    )]
    pub setup_timeout: Option<String>,
    /// What is done once, after the run has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teardown: Option<Vec<FlowStep>>,
    /// How long the teardown may take, 60 seconds when absent (k6's `teardownTimeout`).
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DurationText>")
    )]
    pub teardown_timeout: Option<String>,
    /// What must hold for the run to pass, in k6's grammar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<ThresholdMap>,
    /// Metrics of the scenario's own, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<NamedMap<MetricConfig>>,
    /// How the target is watched while it is under load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<MonitoringConfig>,
}

/// A load that stands in place of the scenario's own: exactly one of its fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileConfig {
    /// The spec's four phases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_profile: Option<UserProfile>,
    /// One load in k6's or Artillery's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadConfig>,
    /// Several loads in k6's words, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<std::collections::BTreeMap<String, LoadConfig>>")
    )]
    pub scenarios: Option<ScenarioMap>,
}

/// How long users keep their cookies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Cookies {
    /// For the whole run, as a browser does.
    #[default]
    User,
    /// Until the iteration ends, as k6 does.
    Iteration,
    /// They keep none and send none of their own accord.
    Off,
}

/// How often an application is played (the spec's `ApplicationWeight`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationWeight {
    /// The application's name.
    pub name: String,
    /// Its share of the iterations, relative to the sum of all weights.
    pub weight: f64,
}

/// How many users there are, over time (the spec's `UserProfile`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    #[cfg_attr(feature = "schema", schemars(with = "super::schema::DurationText"))]
    pub duration: String,
}

/// A phase in which the number of users stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserPlateau {
    /// How many users.
    #[serde(deserialize_with = "whole_number")]
    pub users: i64,
    /// How long it takes, as in [`duration`](crate::duration).
    #[serde(deserialize_with = "duration_text")]
    #[cfg_attr(feature = "schema", schemars(with = "super::schema::DurationText"))]
    pub duration: String,
}

/// The phase in which the number of users falls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RampDown {
    /// Users at its end.
    #[serde(deserialize_with = "whole_number")]
    pub to: i64,
    /// How long it takes, as in [`duration`](crate::duration).
    #[serde(deserialize_with = "duration_text")]
    #[cfg_attr(feature = "schema", schemars(with = "super::schema::DurationText"))]
    pub duration: String,
}
