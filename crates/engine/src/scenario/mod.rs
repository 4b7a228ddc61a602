//! What a scenario file says, before anything is checked: the spec's types, and what we add to them.

use serde::{Deserialize, Serialize};

/// A load scenario (the spec's `LoadScenario`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadScenario {
    /// The scenario's name.
    pub name: String,
}

/// An application that virtual users play (the spec's `ApplicationProfile`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationProfile {
    /// The application's name.
    pub name: String,
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or does.
    Post,
    /// Replaces.
    Put,
    /// Removes.
    Delete,
    /// Changes.
    Patch,
}
