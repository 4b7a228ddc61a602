//! A histogram that is written once, kept for long and read seldom.
//!
//! The points of a time line are most of what a run keeps in memory for each second of its length. Invariant: it
//! holds what the [`SparseHistogram`] held that it was made of.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::histogram::SparseHistogram;

/// The buckets of a [`SparseHistogram`], some three bytes each, and stored as that is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackedHistogram {
    /// The numbers that a histogram is written as, seven bits to a byte, the lowest first; all bytes but a number's
    /// last have the highest bit set. None for a histogram without values.
    bytes: Box<[u8]>,
}

impl PackedHistogram {
    /// The histogram.
    #[must_use]
    pub fn unpack(&self) -> SparseHistogram {
        SparseHistogram::from_numbers(numbers(&self.bytes)).unwrap_or_default()
    }

    /// Adds all values of another histogram.
    pub fn merge(&mut self, other: &Self) {
        let mut sum = self.unpack();
        sum.merge(&other.unpack());
        *self = Self::from(&sum);
    }
}

impl From<&SparseHistogram> for PackedHistogram {
    fn from(histogram: &SparseHistogram) -> Self {
        let mut bytes = Vec::new();
        if !histogram.is_empty() {
            histogram
                .numbers()
                .for_each(|number| push(&mut bytes, number));
        }
        Self {
            bytes: bytes.into(),
        }
    }
}

impl Serialize for PackedHistogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.unpack().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PackedHistogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SparseHistogram::deserialize(deserializer).map(|histogram| Self::from(&histogram))
    }
}

const BITS: u32 = 7;
const MORE: u8 = 1 << BITS;

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= BITS;
        if number == 0 {
            bytes.push(low); // below `MORE`, as nothing is left
            return;
        }
        bytes.push(low | MORE);
    }
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.split_inclusive(|byte| byte & MORE == 0).map(|bytes| {
        let digits = bytes.iter().rev().map(|byte| u64::from(byte & !MORE));
        digits.fold(0, |number, digit| number << BITS | digit)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_is_lost(
            values in prop::collection::vec((0_u64..5_000_000_000, 1_u64..=u64::MAX), 0..80),
            others in prop::collection::vec((0_u64..5_000_000_000, 1_u64..9), 0..80),
        ) {
            let of = |values: &[(u64, u64)]| {
                let mut histogram = SparseHistogram::default();
                values.iter().for_each(|(value, count)| histogram.record_n(*value, *count));
                histogram
            };
            let (mut sum, other) = (of(&values), of(&others));
            let mut packed = PackedHistogram::from(&sum);
            prop_assert_eq!(packed.unpack(), sum.clone());
            let (json, same) = (serde_json::to_string(&packed).unwrap(), serde_json::to_string(&sum).unwrap());
            prop_assert_eq!(&json, &same);
            prop_assert_eq!(&serde_json::from_str::<PackedHistogram>(&json).unwrap(), &packed);
            packed.merge(&PackedHistogram::from(&other));
            sum.merge(&other);
            prop_assert_eq!(packed.unpack(), sum);
        }
    }

    #[test]
    fn a_bucket_takes_few_bytes() {
        let mut histogram = SparseHistogram::default();
        (0..300_u64).for_each(|n| histogram.record_n(1_000 + n * 16, 50 + n));
        let packed = PackedHistogram::from(&histogram);
        assert!(packed.bytes.len() < 300 * 3 + 8, "{}", packed.bytes.len());
    }
}
