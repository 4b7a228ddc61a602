//! Histograms of times and depths, in two forms that hold the same buckets.
//!
//! [`SparseHistogram`] is what travels: only the buckets that were hit. [`Histogram`] wraps the crate
//! `hdrhistogram` and answers questions. Both use HdrHistogram's bucket widths for three significant digits
//! (G. Tene, <https://hdrhistogram.org>), so that merging loses nothing that recording had not already
//! rounded away. Invariant: a value above the range is counted as overflow, never clamped into a bucket.

use hdrhistogram::Histogram as HdrHistogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sorted::SortedMap;

/// The largest value that fits: one hour in microseconds.
pub const VALUE_MAX: u64 = 3_600_000_000;

/// Significant decimal digits that are kept of each value.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// Values below this are kept exactly: the number of sub-buckets for three significant digits.
const EXACT_BELOW: u64 = 2_048;

/// The percentile of `count` values by k6's rule (k6: metrics/sink.go), the one rule of everything that is
/// judged or told: the rank is `fraction·(count−1)`, counted from 0, and between two ranks lies a straight line.
/// `values_at` answers the values at two ranks. The percentile is a whole number of thousandths.
pub(crate) fn percentile(
    fraction: f64,
    count: u64,
    values_at: impl FnOnce(u64, u64) -> (f64, f64),
) -> Option<f64> {
    let last = count.checked_sub(1)?;
    let rank = fraction.clamp(0.0, 1.0) * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to a count"
    )]
    let below = (rank.floor() as u64).min(last);
    let (low, high) = values_at(below, below.saturating_add(1).min(last));
    let exact = low + (high - low) * (rank - rank.floor());
    Some((exact * 1e3).round() / 1e3) // what is beyond is noise of floating-point numbers
}

/// The buckets that were hit, with their counts. Mergeable, and small when few distinct values came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SparseHistogram {
    /// From the lowest value of a bucket, in `[0, VALUE_MAX]`, to a count >= 1. A run keeps hundreds of thousands of
    /// buckets, of which a tree needs twice the memory.
    buckets: SortedMap<u64, u64>,
    overflow: u64,
}

impl SparseHistogram {
    /// Records one value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Records `count` equal values.
    pub fn record_n(&mut self, value: u64, count: u64) {
        if count == 0 {
        } else if value > VALUE_MAX {
            self.overflow = self.overflow.saturating_add(count);
        } else {
            let sum = self.buckets.entry(bucket_start(value)).or_insert(0);
            *sum = sum.saturating_add(count);
        }
    }

    /// Adds all values of another histogram.
    pub fn merge(&mut self, other: &Self) {
        self.overflow = self.overflow.saturating_add(other.overflow);
        self.buckets.merge(&other.buckets, |sum, count| {
            *sum = sum.saturating_add(count);
        });
    }

    /// How many values were recorded, overflow included.
    #[must_use]
    pub fn count(&self) -> u64 {
        let counts = self.buckets.values();
        counts.fold(self.overflow, |sum, count| sum.saturating_add(*count))
    }

    /// How many values were above [`VALUE_MAX`].
    #[must_use]
    pub const fn overflow(&self) -> u64 {
        self.overflow
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.overflow == 0
    }

    /// As [`Histogram::percentile`].
    #[must_use]
    pub fn percentile(&self, fraction: f64) -> Option<f64> {
        percentile(fraction, self.count(), |first, second| {
            values_at(self.buckets(), first, second)
        })
    }

    /// The lowest value and the count of each bucket that was hit, in ascending order.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.buckets.iter().map(|(&value, &count)| (value, count))
    }

    /// As [`Self::buckets`], in descending order.
    pub fn buckets_descending(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let buckets = self.buckets.iter().rev();
        buckets.map(|(&value, &count)| (value, count))
    }
}

/// The values at two ranks, counted from 0, of buckets in ascending order: the upper ends of theirs.
fn values_at(buckets: impl Iterator<Item = (u64, u64)>, first: u64, second: u64) -> (f64, f64) {
    let mut low = None;
    let mut passed = 0_u64;
    for (value, count) in buckets {
        passed = passed.saturating_add(count);
        let value = bucket_end(value) as f64;
        if passed > first {
            low.get_or_insert(value);
        }
        if passed > second {
            return (low.unwrap_or(value), value);
        }
    }
    (low.unwrap_or(VALUE_MAX as f64), VALUE_MAX as f64)
}

/// Which of `count` ordered values, from 1, lies at the fraction `quantile`; `None` of no values.
fn rank(quantile: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| (quantile.clamp(0.0, 1.0) * count as f64).ceil().max(1.0))
}

/// The lowest value that shares a bucket with `value`: its 11 leading binary digits.
const fn bucket_start(value: u64) -> u64 {
    if value < EXACT_BELOW {
        return value;
    }
    let shift = bucket_shift(value);
    (value >> shift) << shift
}

/// The highest value that shares a bucket with `value`: what a percentile that falls into the bucket answers,
/// so that no percentile tells less than was measured.
#[must_use]
pub const fn bucket_end(value: u64) -> u64 {
    if value < EXACT_BELOW {
        return value;
    }
    let end = value | ((1 << bucket_shift(value)) - 1);
    // The last bucket reaches beyond the range.
    if end > VALUE_MAX { VALUE_MAX } else { end }
}

/// How many binary digits of a value from [`EXACT_BELOW`] on are rounded away.
const fn bucket_shift(value: u64) -> u32 {
    EXACT_BELOW.leading_zeros() - value.leading_zeros() + 1
}

/// Written as `[overflow, value, count, step to the next value, count, …]`: short, and free of field names.
impl Serialize for SparseHistogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.numbers())
    }
}

impl<'de> Deserialize<'de> for SparseHistogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let numbers = Vec::<u64>::deserialize(deserializer)?;
        Self::from_numbers(numbers.into_iter()).map_err(serde::de::Error::custom)
    }
}

impl SparseHistogram {
    /// What it is written as.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        let mut previous = 0;
        let pairs = self.buckets().flat_map(move |(value, count)| {
            let step = value - previous;
            previous = value;
            [step, count]
        });
        std::iter::once(self.overflow).chain(pairs)
    }

    /// The histogram that was written so.
    pub(crate) fn from_numbers(
        mut numbers: impl Iterator<Item = u64>,
    ) -> Result<Self, BrokenHistogram> {
        let mut histogram = Self {
            buckets: SortedMap::new(),
            overflow: numbers.next().ok_or(BrokenHistogram::Empty)?,
        };
        let mut value = 0_u64;
        while let Some(step) = numbers.next() {
            let count = numbers.next().ok_or(BrokenHistogram::NoCount)?;
            value = value.saturating_add(step);
            if value > VALUE_MAX {
                return Err(BrokenHistogram::Value(value));
            }
            histogram.record_n(value, count);
        }
        Ok(histogram)
    }
}

/// Why numbers are no histogram.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokenHistogram {
    /// There are none.
    #[error("a histogram begins with its overflow count")]
    Empty,
    /// They end in the middle of a bucket.
    #[error("a histogram's last bucket has no count")]
    NoCount,
    /// A value is out of range.
    #[error("histogram value {0} is above {VALUE_MAX}")]
    Value(u64),
}

/// A histogram to ask for percentiles: `hdrhistogram` with three significant digits up to one hour.
#[derive(Clone, Debug)]
pub struct Histogram {
    inner: Option<HdrHistogram<u64>>, // none until the first value: most histograms of a run stay empty
    overflow: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty histogram.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            inner: None,
            overflow: 0,
        }
    }

    /// Records one value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Records `count` equal values; above [`VALUE_MAX`] they count as overflow.
    pub fn record_n(&mut self, value: u64, count: u64) {
        if count == 0 {
            return;
        }
        if value > VALUE_MAX {
            self.overflow = self.overflow.saturating_add(count);
            return;
        }
        if self.inner.is_none() {
            self.inner = HdrHistogram::new_with_bounds(1, VALUE_MAX, SIGNIFICANT_DIGITS).ok();
        }
        let recorded = self
            .inner
            .as_mut()
            .is_some_and(|inner| inner.record_n(value, count).is_ok());
        if !recorded {
            self.overflow = self.overflow.saturating_add(count);
        }
    }

    /// Adds all values of a sparse histogram.
    pub fn merge(&mut self, other: &SparseHistogram) {
        for (value, count) in other.buckets() {
            self.record_n(value, count);
        }
        self.overflow = self.overflow.saturating_add(other.overflow());
    }

    /// The buckets that were hit, for storing or sending.
    #[must_use]
    pub fn to_sparse(&self) -> SparseHistogram {
        let mut sparse = SparseHistogram {
            buckets: SortedMap::new(),
            overflow: self.overflow,
        };
        for bucket in self.inner.iter().flat_map(HdrHistogram::iter_recorded) {
            sparse.record_n(
                bucket.value_iterated_to(),
                bucket.count_since_last_iteration(),
            );
        }
        sparse
    }

    /// How many values were recorded, overflow included.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.inner
            .as_ref()
            .map_or(0, HdrHistogram::len)
            .saturating_add(self.overflow)
    }

    /// How many values were above [`VALUE_MAX`].
    #[must_use]
    pub const fn overflow(&self) -> u64 {
        self.overflow
    }

    /// The value below or at which the fraction `quantile` (0 to 1) of all values lies, exact to three
    /// significant digits; `None` when nothing was recorded. Overflowed values count as above every bucket,
    /// and a quantile that falls among them is answered with [`VALUE_MAX`].
    #[must_use]
    pub fn value_at_quantile(&self, quantile: f64) -> Option<u64> {
        let rank = rank(quantile, self.count())?;
        let Some(inner) = self
            .inner
            .as_ref()
            .filter(|inner| rank <= inner.len() as f64)
        else {
            return Some(VALUE_MAX);
        };
        // From the middle of the rank, so that rounding cannot make it the next one.
        let middle = (rank - 0.5) / inner.len() as f64;
        Some(inner.value_at_quantile(middle).min(inner.max()))
    }

    /// A percentile by k6's rule, from a fraction of 0 to 1; the values at its two ranks are
    /// told as the upper end of their bucket, overflowed ones as [`VALUE_MAX`]. `None` when nothing was recorded.
    #[must_use]
    pub fn percentile(&self, fraction: f64) -> Option<f64> {
        percentile(fraction, self.count(), |first, second| {
            let buckets = self.inner.iter().flat_map(HdrHistogram::iter_recorded);
            let counts = buckets.map(|b| (b.value_iterated_to(), b.count_since_last_iteration()));
            values_at(counts, first, second)
        })
    }

    /// The mean of all values in range, `None` when there are none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.inner
            .as_ref()
            .filter(|inner| !inner.is_empty())
            .map(HdrHistogram::mean)
    }

    /// The largest value to within the histogram's precision, `None` when nothing was recorded.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.value_at_quantile(1.0)
    }

    /// The smallest value to within the histogram's precision, `None` when nothing in range was recorded.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        self.inner
            .as_ref()
            .filter(|inner| !inner.is_empty())
            .map(HdrHistogram::min)
    }

    /// The fraction of values at or below `value`, `None` when nothing was recorded.
    #[must_use]
    pub fn quantile_below(&self, value: u64) -> Option<f64> {
        let total = self.count();
        let inner = self.inner.as_ref()?;
        (total > 0).then(|| inner.count_between(0, value.min(VALUE_MAX)) as f64 / total as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_sparse_buckets_are_those_of_hdrhistogram() {
        let reference =
            HdrHistogram::<u64>::new_with_bounds(1, VALUE_MAX, SIGNIFICANT_DIGITS).unwrap();
        let mut value = 1_u64;
        while value < VALUE_MAX {
            for near in [value - 1, value, value + 1] {
                assert_eq!(
                    bucket_start(near),
                    reference.lowest_equivalent(near),
                    "value {near}"
                );
                assert_eq!(
                    bucket_end(near),
                    reference.highest_equivalent(near),
                    "value {near}"
                );
            }
            value = value * 5 / 4 + 1;
        }
    }

    #[test]
    fn sparse_and_dense_hold_the_same_buckets() {
        let mut sparse = SparseHistogram::default();
        let mut dense = Histogram::new();
        for i in 0..5_000_u64 {
            let value = i * i * 37 % 90_000_017;
            sparse.record(value);
            dense.record(value);
        }
        let mut merged = Histogram::new();
        merged.merge(&sparse);
        assert_eq!(merged.count(), dense.count());
        for q in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0] {
            assert_eq!(
                merged.inner.as_ref().unwrap().value_at_quantile(q),
                dense.inner.as_ref().unwrap().value_at_quantile(q)
            );
        }
    }

    #[test]
    fn sparse_and_dense_answer_the_same_percentiles() {
        for values in 1..300_u64 {
            let mut sparse = SparseHistogram::default();
            for i in 0..values {
                sparse.record_n(i * i * 7_919 % 50_000_017, i % 4);
            }
            sparse.record_n(VALUE_MAX + 1, values % 3);
            let mut dense = Histogram::new();
            dense.merge(&sparse);
            for quantile in [0.0, 0.3, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0] {
                let (one, other) = (sparse.percentile(quantile), dense.percentile(quantile));
                assert_eq!(one, other, "{quantile} of {values}");
            }
        }
    }

    proptest! {
        #[test]
        fn merging_adds_up_whatever_is_there(
            mine in prop::collection::vec((0_u64..40_000, 1_u64..9), 0..60),
            other in prop::collection::vec((0_u64..40_000, 1_u64..9), 0..60),
        ) {
            let of = |values: &[(u64, u64)]| {
                let mut histogram = SparseHistogram::default();
                values.iter().for_each(|(value, count)| histogram.record_n(*value, *count));
                histogram
            };
            let mut merged = of(&mine);
            merged.merge(&of(&other));
            prop_assert_eq!(&merged, &of(&[mine, other].concat()));
            prop_assert!(merged.buckets.keys().is_sorted());
        }
    }

    #[test]
    fn serialization_round_trips() {
        let mut histogram = SparseHistogram::default();
        for value in [0, 1, 2_047, 2_049, 1_000_000, VALUE_MAX, VALUE_MAX + 1] {
            histogram.record_n(value, value % 5 + 1);
        }
        let json = serde_json::to_string(&histogram).unwrap();
        assert_eq!(
            serde_json::from_str::<SparseHistogram>(&json).unwrap(),
            histogram
        );
    }

    #[test]
    fn counts_beyond_every_number_are_cut_off() {
        let json = format!("[{max},1,{max},1,{max}]", max = u64::MAX);
        let histogram: SparseHistogram = serde_json::from_str(&json).unwrap();
        assert_eq!(histogram.count(), u64::MAX);
    }

    #[test]
    fn broken_serializations_are_refused() {
        for json in ["[]", "[0,1]", "[0,3600000001,1]", "[-1]", "{}"] {
            assert!(
                serde_json::from_str::<SparseHistogram>(json).is_err(),
                "{json}"
            );
        }
    }

    #[test]
    fn overflow_is_counted_and_never_clamped() {
        let mut histogram = Histogram::new();
        histogram.record_n(1_000, 9);
        histogram.record(VALUE_MAX + 1);
        assert_eq!((histogram.count(), histogram.overflow()), (10, 1));
        assert_eq!(histogram.value_at_quantile(0.9), Some(1_000));
        assert_eq!(histogram.value_at_quantile(0.99), Some(VALUE_MAX));
    }

    #[test]
    fn nothing_recorded_answers_nothing() {
        let histogram = Histogram::new();
        assert_eq!(histogram.value_at_quantile(0.5), None);
        assert_eq!(histogram.mean(), None);
        assert_eq!(histogram.quantile_below(5), None);
    }
}
