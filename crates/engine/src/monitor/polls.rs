//! How often the target was asked about itself.

use serde::{Deserialize, Serialize};

use crate::error_class::ErrorClass;
use crate::sorted::SortedMap;

/// Polls that came to an end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct PollCounts {
    /// How many.
    pub ended: u64,
    /// Those among them that did not tell everything that was asked for, by reason.
    #[serde(skip_serializing_if = "SortedMap::is_empty")]
    pub failed: SortedMap<ErrorClass, u64>,
}

impl PollCounts {
    /// Counts a poll.
    pub fn count(&mut self, class: Option<ErrorClass>) {
        self.ended += 1;
        if let Some(class) = class {
            *self.failed.entry(class).or_default() += 1;
        }
    }

    /// Adds the polls of another window.
    pub fn merge(&mut self, other: &Self) {
        self.ended = self.ended.saturating_add(other.ended);
        for (class, count) in &other.failed {
            let failed = self.failed.entry(*class).or_default();
            *failed = failed.saturating_add(*count);
        }
    }

    /// How many failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.values().sum()
    }
}
