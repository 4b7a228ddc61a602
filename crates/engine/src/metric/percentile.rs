//! A percentile to ask for.

use std::fmt;

/// A number from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percentile(f64); // in [0, 100], never -0

impl Percentile {
    /// The median.
    pub const MEDIAN: Self = Self(50.0);

    /// `None` unless `percent` is in 0..=100.
    #[must_use]
    pub fn new(percent: f64) -> Option<Self> {
        (0.0..=100.0)
            .contains(&percent)
            .then(|| Self(percent.abs()))
    }

    /// The number, from 0 to 100.
    #[must_use]
    pub const fn percent(self) -> f64 {
        self.0
    }

    /// The number as a fraction, from 0 to 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        self.0 / 100.0
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p({})", self.0)
    }
}
