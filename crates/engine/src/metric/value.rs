//! The value of one series: what its samples add up to.

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::definition::MetricKind;
use super::trend::Trend;
use crate::sorted::SortedMap;
use crate::tick::Tick;

/// What the samples of a series add up to. Merging is exact, and indifferent to order and grouping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// The sum, in steps of the metric.
    #[serde(rename = "c")]
    Counter(u64),
    /// The latest value and the extremes.
    #[serde(rename = "g")]
    Gauge(Gauge),
    /// Samples that were not zero, of all.
    #[serde(rename = "r")]
    Rate(Rate),
    /// The distribution.
    #[serde(rename = "t")]
    Trend(Trend),
}

/// The latest value of a Gauge, with the lowest and the highest, in steps of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Tick, i64, i64, i64)", into = "(Tick, i64, i64, i64)")]
pub struct Gauge {
    /// When the latest value was set.
    pub at: Tick,
    /// The latest value; of several that were set at the same time, the highest.
    pub value: i64,
    /// The lowest value.
    pub lowest: i64,
    /// The highest value.
    pub highest: i64,
}

/// How many samples of a Rate were not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Rate {
    /// Samples that were not zero.
    pub matches: u64,
    /// All samples.
    pub total: u64,
}

/// Two values of different kinds cannot be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {} cannot be merged into a {}", .0.name(), .1.name())]
pub struct KindMismatch(pub MetricKind, pub MetricKind);

impl Value {
    /// The value after one sample. Of a Counter, steps below zero count as none.
    #[must_use]
    pub fn of(kind: MetricKind, at: Tick, amount: Amount) -> Self {
        let steps = amount.steps();
        let mut value = match kind {
            MetricKind::Counter => Self::Counter(0),
            MetricKind::Gauge => Self::Gauge(Gauge {
                at,
                value: steps,
                lowest: steps,
                highest: steps,
            }),
            MetricKind::Rate => Self::Rate(Rate::default()),
            MetricKind::Trend => Self::Trend(Trend::default()),
        };
        if kind != MetricKind::Gauge {
            value.record(at, amount);
        }
        value
    }

    /// Adds one sample. Of a Counter, steps below zero count as none.
    pub fn record(&mut self, at: Tick, amount: Amount) {
        let steps = amount.steps();
        match self {
            Self::Counter(sum) => {
                *sum = sum.saturating_add(u64::try_from(steps).unwrap_or(0));
            }
            Self::Gauge(gauge) => gauge.merge(Gauge {
                at,
                value: steps,
                lowest: steps,
                highest: steps,
            }),
            Self::Rate(rate) => rate.merge(Rate {
                matches: u64::from(steps != 0),
                total: 1,
            }),
            Self::Trend(trend) => trend.record(amount),
        }
    }

    /// Adds the samples of another value.
    ///
    /// # Errors
    /// The other value is of another kind; nothing is changed.
    pub fn merge(&mut self, other: &Self) -> Result<(), KindMismatch> {
        match (&mut *self, other) {
            (Self::Counter(sum), Self::Counter(other)) => *sum = sum.saturating_add(*other),
            (Self::Gauge(gauge), Self::Gauge(other)) => gauge.merge(*other),
            (Self::Rate(rate), Self::Rate(other)) => rate.merge(*other),
            (Self::Trend(trend), Self::Trend(other)) => trend.merge(other),
            _ => return Err(KindMismatch(other.kind(), self.kind())),
        }
        Ok(())
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> MetricKind {
        match self {
            Self::Counter(_) => MetricKind::Counter,
            Self::Gauge(_) => MetricKind::Gauge,
            Self::Rate(_) => MetricKind::Rate,
            Self::Trend(_) => MetricKind::Trend,
        }
    }

    /// Whether something happened: a Counter of 0 tells of nothing.
    #[must_use]
    pub fn has_data(&self) -> bool {
        match self {
            Self::Counter(sum) => *sum > 0,
            Self::Gauge(_) => true,
            Self::Rate(rate) => rate.total > 0,
            Self::Trend(trend) => !trend.is_empty(),
        }
    }
}

impl Gauge {
    fn merge(&mut self, other: Self) {
        (self.at, self.value) = (self.at, self.value).max((other.at, other.value));
        self.lowest = self.lowest.min(other.lowest);
        self.highest = self.highest.max(other.highest);
    }
}

impl Rate {
    fn merge(&mut self, other: Self) {
        self.matches = self.matches.saturating_add(other.matches);
        self.total = self.total.saturating_add(other.total);
    }

    /// The fraction of samples that were not zero, `None` without samples.
    #[must_use]
    pub fn fraction(&self) -> Option<f64> {
        (self.total > 0).then(|| self.matches as f64 / self.total as f64)
    }
}

impl From<(Tick, i64, i64, i64)> for Gauge {
    fn from((at, value, lowest, highest): (Tick, i64, i64, i64)) -> Self {
        Self {
            at,
            value,
            lowest,
            highest,
        }
    }
}

impl From<Gauge> for (Tick, i64, i64, i64) {
    fn from(gauge: Gauge) -> Self {
        (gauge.at, gauge.value, gauge.lowest, gauge.highest)
    }
}

impl From<(u64, u64)> for Rate {
    fn from((matches, total): (u64, u64)) -> Self {
        Self { matches, total }
    }
}

impl From<Rate> for (u64, u64) {
    fn from(rate: Rate) -> Self {
        (rate.matches, rate.total)
    }
}

/// Values of one metric are of one kind: they always merge.
pub(super) fn add_to<K: Ord>(map: &mut SortedMap<K, Value>, key: K, value: &Value) {
    match map.get_mut(&key) {
        Some(sum) => {
            let merged = sum.merge(value);
            debug_assert!(merged.is_ok(), "kinds are checked before anything is added");
        }
        None => {
            map.insert(key, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(kind: MetricKind, samples: &[(u64, i64)]) -> Value {
        let mut samples = samples
            .iter()
            .map(|(at, steps)| (Tick::from_ms(*at), Amount::from_steps(*steps)));
        let (at, amount) = samples.next().unwrap();
        let mut value = Value::of(kind, at, amount);
        for (at, amount) in samples {
            value.record(at, amount);
        }
        value
    }

    #[test]
    fn each_kind_adds_up_in_its_way() {
        let samples = [(1, 5), (3, 2), (2, 0), (3, -7)];
        assert_eq!(value(MetricKind::Counter, &samples), Value::Counter(7));
        assert_eq!(
            value(MetricKind::Gauge, &samples),
            Value::Gauge(Gauge {
                at: Tick::from_ms(3),
                value: 2,
                lowest: -7,
                highest: 5
            })
        );
        let rate = Rate {
            matches: 3,
            total: 4,
        };
        assert_eq!(value(MetricKind::Rate, &samples), Value::Rate(rate));
        assert_eq!(rate.fraction(), Some(0.75));
        let Value::Trend(trend) = value(MetricKind::Trend, &samples) else {
            panic!("not a trend");
        };
        assert_eq!((trend.count(), trend.sum()), (4, 0));
    }

    #[test]
    fn halves_merge_into_the_whole_in_either_order() {
        let samples = [(1, 5), (3, 2), (2, 0), (3, -7)];
        for kind in [
            MetricKind::Counter,
            MetricKind::Gauge,
            MetricKind::Rate,
            MetricKind::Trend,
        ] {
            let whole = value(kind, &samples);
            let (first, second) = samples.split_at(2);
            for (a, b) in [(first, second), (second, first)] {
                let mut merged = value(kind, a);
                merged.merge(&value(kind, b)).unwrap();
                assert_eq!(merged, whole);
            }
        }
    }

    #[test]
    fn kinds_do_not_mix() {
        let mut counter = Value::Counter(3);
        let error = counter.merge(&Value::Rate(Rate::default())).unwrap_err();
        assert_eq!(error.to_string(), "a rate cannot be merged into a counter");
        assert_eq!(counter, Value::Counter(3));
    }

    #[test]
    fn value_format_unchanged() {
        let samples = [(1, 5), (3, 2)];
        for (kind, json) in [
            (MetricKind::Counter, r#"{"c":7}"#),
            (MetricKind::Gauge, r#"{"g":[3000,2,2,5]}"#),
            (MetricKind::Rate, r#"{"r":[2,2]}"#),
            (MetricKind::Trend, r#"{"t":[7,2,5,[0,2,1,3,1],[0]]}"#),
        ] {
            let value = value(kind, &samples);
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
            assert_eq!(serde_json::from_str::<Value>(json).unwrap(), value);
        }
    }
}
