//! What the results say of a bottleneck. Invariant: words only; where it lies is found in [`crate::bottleneck`].

use serde::{Deserialize, Serialize};

/// Where the target left its level (the spec's `Bottleneck`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bottleneck {
    /// The component whose own time grew most, `target` when it did not tell.
    pub component: String,
    /// Active users when it began.
    pub saturation_point: u32,
    /// What showed.
    pub symptom: Symptom,
    /// How bad it got.
    pub severity: Severity,
    /// The evidence.
    pub details: serde_json::Value,
}

/// What shows a bottleneck, as in the column `symptom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Symptom {
    /// Latency left its level.
    LatencySpike,
    /// Errors left their level.
    ErrorIncrease,
}

/// How bad a bottleneck is, as in the column `severity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The target became slower or less reliable.
    Warning,
    /// The target became unusable.
    Critical,
}

impl Symptom {
    /// The name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LatencySpike => "latency_spike",
            Self::ErrorIncrease => "error_increase",
        }
    }
}

impl Severity {
    /// The name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}
