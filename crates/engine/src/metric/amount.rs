//! What is recorded in a metric, as a whole number.

use serde::{Deserialize, Serialize};

/// A value in steps of its metric: thousandths of the unit (microseconds for times, whose unit is the
/// millisecond), whole bytes for data. [`Contains`](super::Contains) converts.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Amount(i64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many steps.
    #[must_use]
    pub const fn from_steps(steps: i64) -> Self {
        Self(steps)
    }

    /// The number of steps.
    #[must_use]
    pub const fn steps(self) -> i64 {
        self.0
    }
}
