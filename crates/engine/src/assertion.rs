//! Assertions: what must hold for a run to pass.

use serde::{Deserialize, Serialize};

/// One assertion of a scenario (the spec's `Assertion`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Assertion {
    /// What is compared with.
    pub value: f64,
}
