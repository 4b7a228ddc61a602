//! What a metric is: its name, its kind, its unit and who feeds it.

use serde::{Deserialize, Serialize};

use super::amount::Amount;

/// How the samples of a metric add up; k6's metric types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// A sum.
    Counter,
    /// The latest value, with the lowest and the highest.
    Gauge,
    /// How many of the samples were not zero.
    Rate,
    /// The distribution of the samples.
    Trend,
}

impl MetricKind {
    /// The name as k6 writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Rate => "rate",
            Self::Trend => "trend",
        }
    }
}

/// What the samples of a metric are; k6's value types.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Contains {
    /// Plain numbers, kept to the thousandth.
    #[default]
    Default,
    /// Times in milliseconds, kept to the microsecond.
    Time,
    /// Sizes in bytes.
    Data,
    /// Whole numbers, such as depths.
    Whole,
}

impl Contains {
    /// How many steps of an [`Amount`] make one unit.
    #[must_use]
    pub const fn steps_per_unit(self) -> i64 {
        match self {
            Self::Default | Self::Time => 1_000,
            Self::Data | Self::Whole => 1,
        }
    }

    /// A number in the metric's unit as an amount, rounded to the nearest step; `None` when it is not a number
    /// or too large to be kept exactly (2^53 steps).
    #[must_use]
    pub fn amount(self, in_unit: f64) -> Option<Amount> {
        let steps = (in_unit * self.steps_per_unit() as f64).round();
        #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
        (steps.abs() <= STEPS_EXACT_MAX).then(|| Amount::from_steps(steps as i64))
    }

    /// So many whole units as an amount, the largest amount if there are more.
    #[must_use]
    pub fn whole(self, units: u64) -> Amount {
        let units = i64::try_from(units).unwrap_or(i64::MAX);
        Amount::from_steps(units.saturating_mul(self.steps_per_unit()))
    }

    /// A number of steps in the metric's unit.
    #[must_use]
    pub fn in_unit(self, steps: f64) -> f64 {
        steps / self.steps_per_unit() as f64
    }
}

/// Above this a floating-point number may not be a whole one any more.
const STEPS_EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Who feeds a metric, and with it what silence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The batches. A Counter that never came is known to be 0.
    Batch,
    /// The run, from what it merged: such values cannot be told by one share. Batches may not record it.
    Run,
    /// The target, by telling about its insides. What it does not tell is not known.
    Target,
}

/// A metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The name, as thresholds write it.
    pub name: String,
    /// The kind.
    pub kind: MetricKind,
    /// The unit.
    pub contains: Contains,
    /// Who feeds it.
    pub origin: Origin,
}

/// A metric that a scenario defines; batches feed it from checks and extractions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomMetric {
    /// The name: a letter or `_`, then letters, digits and `_`, 2 to 129 characters as in k6.
    pub name: String,
    /// The kind.
    #[serde(rename = "type")]
    pub kind: MetricKind,
    /// The unit.
    #[serde(default)]
    pub contains: Contains,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_whole_steps() {
        for (contains, number, steps) in [
            (Contains::Time, 0.001, Some(1)), // a microsecond
            (Contains::Time, 500.0, Some(500_000)),
            (Contains::Default, 19.99, Some(19_990)),
            (Contains::Default, -0.0004, Some(0)),
            (Contains::Default, -3.5, Some(-3_500)),
            (Contains::Data, 1_500.4, Some(1_500)),
            (Contains::Data, f64::NAN, None),
            (Contains::Default, f64::INFINITY, None),
            (Contains::Default, 1e15, None),
        ] {
            assert_eq!(
                contains.amount(number),
                steps.map(Amount::from_steps),
                "{number}"
            );
        }
        assert_eq!(Contains::Default.whole(7), Amount::from_steps(7_000));
        assert_eq!(
            Contains::Default.whole(u64::MAX),
            Amount::from_steps(i64::MAX)
        );
        assert_eq!(Contains::Time.in_unit(1_500.0), 1.5);
    }
}
