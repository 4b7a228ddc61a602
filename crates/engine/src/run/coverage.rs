//! Which part of a run was played and measured.
//!
//! The plan asks each share to be played from the run's start to the plan's end, or to the point at which the
//! run was stopped: that much time of each share is *due*. What of it lies in a hole is *missing*. The grace
//! after the plan's end, in which begun iterations finish, is not due. Invariant: both only grow, and what
//! is missing has been due, so that a metric can add up their steps.

use serde::{Deserialize, Serialize};

use crate::metric::Rate;
use crate::tick::Span;

/// Time of all shares together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Coverage {
    /// That the plan asked for.
    pub(crate) due: Span,
    /// That lies in holes.
    pub(super) missing: Span,
}

impl Coverage {
    /// What came to it since `earlier`.
    pub(super) const fn since(self, earlier: Self) -> Self {
        let due = self.due.as_us().saturating_sub(earlier.due.as_us());
        let missing = self.missing.as_us().saturating_sub(earlier.missing.as_us());
        Self {
            due: Span::from_us(due),
            missing: Span::from_us(missing),
        }
    }

    /// The measured time as a sample of a Rate, in microseconds; `None` when nothing was due.
    pub(super) const fn rate(self) -> Option<Rate> {
        let (total, missing) = (self.due.as_us(), self.missing.as_us());
        if total == 0 {
            return None;
        }
        Some(Rate {
            matches: total.saturating_sub(missing),
            total,
        })
    }

    /// The measured part, from 0 to 1; `None` when nothing was due.
    pub(crate) fn fraction(self) -> Option<f64> {
        self.rate()
            .map(|rate| rate.matches as f64 / rate.total as f64)
    }
}
