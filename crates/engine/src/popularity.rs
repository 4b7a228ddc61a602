//! How many different names occurred, and which of them most: in bounded memory, and mergeable.
//!
//! Up to [`NAMES_MAX`] different names everything is exact. Beyond, the number of names is estimated from the
//! smallest hash values (Z. Bar-Yossef et al., 2002), and the most frequent names are kept with counts that are
//! too low by at most [`Popularity::undercount`] (J. Misra and D. Gries, 1982; merged as by P. Agarwal et al.,
//! 2012). Invariant: memory is bounded whatever names come, and each count is a lower bound.

use serde::{Deserialize, Serialize};

use crate::random::mix;
use crate::sorted::{SortedMap, SortedSet};

/// How many names have counts of their own. A name that makes up more than 1 in so many is never lost.
pub const NAMES_MAX: usize = 64;

/// How many hash values are kept: the number of names is then right to about 6 % in two of three cases.
const HASHES_MAX: usize = 256;

/// The names that occurred.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Popularity {
    total: u64,
    counts: SortedMap<String, u64>,
    undercount: u64,
    hashes: SortedSet<u64>, // the smallest ones
}

impl Popularity {
    /// Counts a name.
    pub fn record(&mut self, name: &str) {
        self.total = self.total.saturating_add(1);
        self.hashes.insert(hash(name));
        self.forget_large_hashes();
        if let Some(count) = self.counts.get_mut(name) {
            *count = count.saturating_add(1);
        } else if self.counts.len() < NAMES_MAX {
            self.counts.insert(name.to_owned(), 1);
        } else {
            self.lower(1);
        }
    }

    /// Adds what another one counted, exactly: the memory is that of both together.
    pub fn add(&mut self, other: &Self) {
        self.total = self.total.saturating_add(other.total);
        self.undercount = self.undercount.saturating_add(other.undercount);
        self.hashes.extend(other.hashes.iter().copied());
        self.forget_large_hashes();
        for (name, count) in &other.counts {
            let own = self.counts.entry(name.clone()).or_insert(0);
            *own = own.saturating_add(*count);
        }
    }

    /// Keeps no more names than [`NAMES_MAX`], the most frequent ones.
    pub fn shrink(&mut self) {
        if self.counts.len() > NAMES_MAX {
            let mut counts: Vec<u64> = self.counts.values().copied().collect();
            counts.sort_unstable();
            let first_lost = counts.iter().nth_back(NAMES_MAX).copied();
            let first_lost = first_lost.unwrap_or_default();
            self.lower(first_lost);
        }
    }

    /// How often any name was counted.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// How many different names there were.
    #[must_use]
    pub fn names(&self) -> u64 {
        let kept = self.hashes.len();
        match self.hashes.last() {
            // The kept values are the smallest of all: the largest of them tells how densely they lie.
            Some(largest) if kept >= HASHES_MAX => {
                let part = *largest as f64 / u64::MAX as f64;
                ((kept - 1) as f64 / part).round() as u64
            }
            _ => kept as u64,
        }
    }

    /// The most frequent name and how often it was counted at least; the first of several.
    #[must_use]
    pub fn hottest(&self) -> Option<(&str, u64)> {
        let names = self.counts.iter().rev();
        let (name, count) = names.max_by_key(|(_, count)| **count)?;
        Some((name, *count))
    }

    /// By how much a count may be too low.
    #[must_use]
    pub const fn undercount(&self) -> u64 {
        self.undercount
    }

    fn lower(&mut self, by: u64) {
        self.undercount = self.undercount.saturating_add(by);
        self.counts.retain(|_, count| {
            *count = count.saturating_sub(by);
            *count > 0
        });
    }

    fn forget_large_hashes(&mut self) {
        while self.hashes.len() > HASHES_MAX {
            self.hashes.pop_last();
        }
    }
}

/// FNV-1a, spread over the whole range.
fn hash(name: &str) -> u64 {
    let bytes = name.bytes();
    mix(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(names: impl IntoIterator<Item = u64>) -> Popularity {
        let mut popularity = Popularity::default();
        for name in names {
            popularity.record(&format!("object:{name}"));
        }
        popularity
    }

    #[test]
    fn few_names_are_counted_exactly() {
        let popularity = of((0..60).chain([7; 40]));
        assert_eq!((popularity.total(), popularity.names()), (100, 60));
        assert_eq!(popularity.hottest(), Some(("object:7", 41)));
        assert_eq!(popularity.undercount(), 0);
        assert_eq!(Popularity::default().hottest(), None);
    }

    #[test]
    fn the_number_of_many_names_is_estimated() {
        for count in [300, 5_000, 100_000] {
            let names = of(0..count).names() as f64;
            let error = (names - count as f64).abs() / count as f64;
            assert!(error < 0.2, "{names} instead of {count}");
        }
    }

    #[test]
    fn of_equally_frequent_names_the_first_is_the_hottest() {
        assert_eq!(of([3, 1, 2]).hottest(), Some(("object:1", 1)));
    }

    proptest! {
        #[test]
        fn however_it_is_split_a_frequent_name_is_found(
            names in prop::collection::vec((any::<bool>(), 1..500_u64).prop_map(|(hot, n)| if hot { 0 } else { n }), 1..800),
            parts in 1..9_usize,
        ) {
            let truly = |name: u64| names.iter().filter(|known| **known == name).count() as u64;
            let mut merged = Popularity::default();
            for part in 0..parts {
                let own = names.iter().skip(part).step_by(parts).copied();
                merged.add(&of(own));
                merged.shrink();
                prop_assert!(merged.counts.len() <= NAMES_MAX);
            }
            let whole = of(names.iter().copied());
            prop_assert_eq!(merged.total(), names.len() as u64);
            prop_assert_eq!(&merged.hashes, &whole.hashes, "splitting changes nothing");
            for popularity in [&merged, &whole] {
                let slack = popularity.undercount();
                prop_assert!(slack <= names.len() as u64 / (NAMES_MAX as u64 + 1));
                for (name, count) in &popularity.counts {
                    let truly = truly(name.trim_start_matches("object:").parse().unwrap());
                    prop_assert!(*count <= truly && truly <= count + slack);
                }
                let kept = |name: u64| popularity.counts.contains_key(&format!("object:{name}"));
                prop_assert!(truly(0) <= slack || kept(0));
            }
        }

        #[test]
        fn merging_few_names_is_exact(names in prop::collection::vec(0..40_u64, 0..300), cut in 0..300_usize) {
            let (left, right) = names.split_at(cut.min(names.len()));
            let mut merged = of(left.iter().copied());
            merged.add(&of(right.iter().copied()));
            merged.shrink();
            prop_assert_eq!(merged, of(names.iter().copied()));
        }
    }
}
