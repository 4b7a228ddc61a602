//! The value of a Trend: a distribution that answers for average and percentiles.
//!
//! Percentiles follow k6's rule: the rank is `p·(n−1)`, and between two ranks lies a straight line. The values
//! at the ranks come from buckets of three significant digits and are told as the upper end of their bucket:
//! at most 0.1 % above the exact value, never below it. Count, sum, lowest and highest value are exact, and so
//! are the percentiles 0 and 100.

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::percentile::Percentile;
use crate::histogram::{self, SparseHistogram, VALUE_MAX, bucket_end};

/// The distribution of a Trend's samples. Values whose number of steps is above
/// [`VALUE_MAX`] (an hour, 3.6 million, 3.6 GB) are counted without their size: a
/// percentile among them is answered with the highest value of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "TrendOnWire", into = "TrendOnWire")]
pub struct Trend {
    from_zero: SparseHistogram,
    below_zero: SparseHistogram, // of the values without their sign
    sum: i64,
    lowest: i64, // these two are zero as long as nothing was recorded
    highest: i64,
}

impl Trend {
    /// Records one sample.
    pub fn record(&mut self, amount: Amount) {
        let steps = amount.steps();
        self.widen(steps, steps);
        let side = if steps < 0 {
            &mut self.below_zero
        } else {
            &mut self.from_zero
        };
        side.record(steps.unsigned_abs());
        self.sum = self.sum.saturating_add(steps);
    }

    /// The samples of a histogram, of which only the buckets are known: sum, lowest and highest sample are then
    /// exact to within the buckets' three digits as well.
    #[must_use]
    pub fn of_buckets(histogram: &SparseHistogram) -> Self {
        let steps = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let mut trend = Self {
            from_zero: histogram.clone(),
            ..Self::default()
        };
        let mut lowest = None;
        for (start, count) in histogram.buckets() {
            let end = bucket_end(start);
            lowest.get_or_insert(start);
            trend.highest = steps(end);
            let middle = start + (end - start).div_ceil(2);
            trend.sum = trend
                .sum
                .saturating_add(steps(middle.saturating_mul(count)));
        }
        if histogram.overflow() > 0 {
            trend.highest = steps(VALUE_MAX);
            trend.sum = trend
                .sum
                .saturating_add(steps(VALUE_MAX.saturating_mul(histogram.overflow())));
        }
        trend.lowest = lowest.map_or(trend.highest, steps);
        trend
    }

    /// Adds all samples of another Trend.
    pub fn merge(&mut self, other: &Self) {
        if !other.is_empty() {
            self.widen(other.lowest, other.highest);
            self.from_zero.merge(&other.from_zero);
            self.below_zero.merge(&other.below_zero);
            self.sum = self.sum.saturating_add(other.sum);
        }
    }

    /// How many samples there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        let below_zero = self.below_zero.count();
        self.from_zero.count().saturating_add(below_zero)
    }

    /// How many of them were too large for the buckets.
    #[must_use]
    pub const fn overflow(&self) -> u64 {
        let below_zero = self.below_zero.overflow();
        self.from_zero.overflow().saturating_add(below_zero)
    }

    /// Whether there are no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.from_zero.is_empty() && self.below_zero.is_empty()
    }

    /// The sum of all samples, in steps.
    #[must_use]
    pub const fn sum(&self) -> i64 {
        self.sum
    }

    /// The average in steps: the exact sum by the exact count.
    #[must_use]
    pub fn average(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum as f64 / count as f64)
    }

    /// The lowest sample in steps, exact.
    #[must_use]
    pub fn lowest(&self) -> Option<i64> {
        (!self.is_empty()).then_some(self.lowest)
    }

    /// The highest sample in steps, exact.
    #[must_use]
    pub fn highest(&self) -> Option<i64> {
        (!self.is_empty()).then_some(self.highest)
    }

    /// A percentile in steps, `None` without samples.
    #[must_use]
    pub fn percentile(&self, percentile: Percentile) -> Option<f64> {
        if percentile.fraction() <= 0.0 {
            return self.lowest().map(|lowest| lowest as f64);
        }
        histogram::percentile(percentile.fraction(), self.count(), |first, second| {
            self.values_at(first, second)
        })
    }

    /// The values at two ranks, counted from 0, of which the second is not lower than the first.
    fn values_at(&self, first: u64, second: u64) -> (f64, f64) {
        let mut low = None;
        let mut passed = 0_u64;
        for (steps, count) in self.ascending() {
            passed = passed.saturating_add(count);
            if passed > first {
                low.get_or_insert(steps);
            }
            if passed > second {
                return (low.unwrap_or(steps), steps);
            }
        }
        let highest = self.highest as f64;
        (low.unwrap_or(highest), highest)
    }

    /// Values in steps and their counts, from the lowest to the highest: those within the buckets as the upper
    /// ends of theirs, those too large for them as the highest of all.
    pub fn ascending(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let too_low = (self.lowest as f64, self.below_zero.overflow());
        let too_high = (self.highest as f64, self.from_zero.overflow());
        // A bucket's lower end is the upper one of the negative values in it.
        let below_zero = self.below_zero.buckets_descending();
        let below_zero = below_zero.map(|(start, count)| (-(start as f64), count));
        let from_zero = self.from_zero.buckets();
        let from_zero = from_zero.map(|(start, count)| (bucket_end(start) as f64, count));
        let (lowest, highest) = (self.lowest as f64, self.highest as f64);
        std::iter::once(too_low)
            .chain(below_zero)
            .chain(from_zero)
            .map(move |(steps, count)| (steps.max(lowest).min(highest), count))
            .chain(std::iter::once(too_high))
    }

    fn widen(&mut self, lowest: i64, highest: i64) {
        let (lowest, highest) = if self.is_empty() {
            (lowest, highest)
        } else {
            (self.lowest.min(lowest), self.highest.max(highest))
        };
        (self.lowest, self.highest) = (lowest, highest);
    }
}

/// Sum, lowest, highest, values from zero on, values below zero: a list, free of names.
#[derive(Serialize, Deserialize)]
struct TrendOnWire(i64, i64, i64, SparseHistogram, SparseHistogram);

impl From<Trend> for TrendOnWire {
    fn from(trend: Trend) -> Self {
        let Trend {
            from_zero,
            below_zero,
            sum,
            lowest,
            highest,
        } = trend;
        Self(sum, lowest, highest, from_zero, below_zero)
    }
}

impl From<TrendOnWire> for Trend {
    fn from(TrendOnWire(sum, lowest, highest, from_zero, below_zero): TrendOnWire) -> Self {
        Self {
            from_zero,
            below_zero,
            sum,
            lowest,
            highest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trend(steps: impl IntoIterator<Item = i64>) -> Trend {
        let mut trend = Trend::default();
        for steps in steps {
            trend.record(Amount::from_steps(steps));
        }
        trend
    }

    fn p(trend: &Trend, percent: f64) -> f64 {
        trend.percentile(Percentile::new(percent).unwrap()).unwrap()
    }

    #[test]
    fn percentiles_follow_k6() {
        // The vectors of k6's sink: {10, 15, 20}.
        let three = trend([10_000, 20_000, 15_000]);
        for (percent, value) in [
            (0.0, 10.0),
            (50.0, 15.0),
            (90.0, 19.0),
            (95.0, 19.5),
            (99.0, 19.9),
            (100.0, 20.0),
        ] {
            let measured = p(&three, percent) / 1_000.0;
            assert!(
                (value..=value * 1.001).contains(&measured),
                "p({percent}) {measured}"
            );
        }
        assert_eq!(three.average(), Some(15_000.0));
        assert_eq!(
            (three.lowest(), three.highest()),
            (Some(10_000), Some(20_000))
        );
    }

    #[test]
    fn small_samples_are_exact() {
        assert_eq!(p(&trend([7]), 99.9), 7.0);
        assert_eq!(p(&trend([1, 2]), 50.0), 1.5);
        assert_eq!(p(&trend(1..=101), 90.0), 91.0);
        // The same value over and over: the exact lowest and highest leave no room for rounding.
        let constant = trend([250_123; 1_000]);
        for percent in [0.0, 50.0, 99.9, 100.0] {
            assert_eq!(p(&constant, percent), 250_123.0);
        }
    }

    #[test]
    fn without_samples_there_is_no_answer() {
        let empty = Trend::default();
        assert_eq!(empty.percentile(Percentile::MEDIAN), None);
        assert_eq!(empty.average(), None);
        assert_eq!((empty.lowest(), empty.highest()), (None, None));
    }

    #[test]
    fn values_below_zero_are_values() {
        let five = trend([-3_000_000, -2, 0, 2, 3]);
        assert_eq!(p(&five, 0.0), -3_000_000.0);
        assert_eq!(p(&five, 25.0), -2.0);
        assert_eq!(p(&five, 50.0), 0.0);
        assert_eq!(p(&five, 100.0), 3.0);
        assert_eq!(five.average(), Some(-599_999.4));
    }

    #[test]
    fn values_out_of_range_count_and_answer_with_the_extreme() {
        let steps = [i64::MIN, -5_000_000_000, 1, 5_000_000_000, i64::MAX];
        let wild = trend(steps);
        assert_eq!((wild.count(), wild.overflow()), (5, 4));
        assert_eq!(p(&wild, 50.0), 1.0);
        assert_eq!(p(&wild, 75.0), i64::MAX as f64);
        assert_eq!(p(&wild, 25.0), i64::MIN as f64);
    }

    #[test]
    fn trend_format_unchanged() {
        let json = serde_json::to_string(&trend([3, 5_000, -4])).unwrap();
        assert_eq!(
            json, "[4999,-4,5000,[0,3,1,4997,1],[0,4,1]]",
            "stored and travelling Trends become unreadable when this changes"
        );
        let back: Trend = serde_json::from_str(&json).unwrap();
        assert_eq!(back, trend([5_000, 3, -4]));
    }

    #[test]
    fn a_trend_that_contradicts_itself_does_no_harm() {
        let json = "[-1,9,-9,[18446744073709551615,1,18446744073709551615],[7,0,1]]";
        let odd: Trend = serde_json::from_str(json).unwrap();
        for percent in [0.0, 33.3, 100.0] {
            let _ = p(&odd, percent);
        }
    }

    proptest! {
        #[test]
        fn shards_merge_into_the_whole(
            steps in prop::collection::vec(-5_000_000_000_i64..5_000_000_000, 0..200),
            shards in 1_usize..9,
        ) {
            let whole = trend(steps.iter().copied());
            let mut merged = Trend::default();
            for shard in 0..shards {
                merged.merge(&trend(steps.iter().copied().skip(shard).step_by(shards)));
            }
            prop_assert_eq!(&merged, &whole);
            let json = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(serde_json::from_str::<Trend>(&json).unwrap(), whole);
        }

        #[test]
        fn percentiles_are_near_the_exact_ones(
            mut steps in prop::collection::vec(-4_000_000_i64..3_600_000_000, 1..300),
            percent in 0.0..=100.0_f64,
        ) {
            let measured = p(&trend(steps.iter().copied()), percent);
            steps.sort_unstable();
            let rank = percent / 100.0 * (steps.len() - 1) as f64;
            let (low, high) = (steps[rank.floor() as usize] as f64, steps[rank.ceil() as usize] as f64);
            let exact = low + (high - low) * rank.fract();
            let room = (low.abs() + high.abs()) / 1_024.0 + 1e-3;
            prop_assert!(exact - 1e-3 <= measured && measured <= exact + room, "{measured} {exact}");
        }
    }

    proptest! {
        #[test]
        fn buckets_tell_the_percentiles_of_their_histogram(
            values in prop::collection::vec(0_u64..4_000_000_000, 0..60),
            percent in 0.001..=100.0_f64,
        ) {
            let mut dense = histogram::Histogram::new();
            let mut sparse = SparseHistogram::default();
            for value in values {
                dense.record(value);
                sparse.record(value);
            }
            let percentile = Percentile::new(percent).unwrap();
            let trend = Trend::of_buckets(&sparse);
            prop_assert_eq!(trend.percentile(percentile), dense.percentile(percentile.fraction()));
        }
    }

    #[test]
    fn buckets_alone_tell_what_a_histogram_tells() {
        let mut sparse = SparseHistogram::default();
        let mut dense = histogram::Histogram::new();
        for i in 0..3_000_u64 {
            let value = i * i * 7 % 900_001;
            sparse.record(value);
            dense.record(value);
        }
        let trend = Trend::of_buckets(&sparse);
        assert_eq!(trend.count(), 3_000);
        for percent in [0.0, 12.5, 50.0, 95.0, 99.9, 100.0] {
            let percentile = Percentile::new(percent).unwrap();
            let told = dense.percentile(percentile.fraction());
            assert_eq!(trend.percentile(percentile), told, "{percent}");
        }
        let average = trend.average().unwrap();
        assert!((average - dense.mean().unwrap()).abs() < 1e-6 * average);
        assert_eq!(
            Trend::of_buckets(&SparseHistogram::default()),
            Trend::default()
        );
        let mut huge = SparseHistogram::default();
        huge.record(u64::MAX);
        let huge = Trend::of_buckets(&huge);
        assert_eq!(huge.percentile(Percentile::MEDIAN), Some(VALUE_MAX as f64));
    }
}
