//! Equal parts: share `index` of `of` takes every `of`-th virtual user, iteration or arrival.
//!
//! Invariant: over all shares of one `of`, each number belongs to exactly one share.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize};

/// One of several equal parts of a plan. A local run is share 0 of 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Share {
    index: u32, // in [0, of)
    of: NonZeroU32,
}

impl Share {
    /// The whole plan.
    pub const WHOLE: Self = Self {
        index: 0,
        of: NonZeroU32::MIN,
    };

    /// Share `index` (from 0) of `of`, `None` if `index` is not below `of`.
    #[must_use]
    pub fn new(index: u32, of: u32) -> Option<Self> {
        let of = NonZeroU32::new(of)?;
        (index < of.get()).then_some(Self { index, of })
    }

    /// The number of this share, from 0.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.index
    }

    /// How many shares there are.
    #[must_use]
    pub const fn of(self) -> u32 {
        self.of.get()
    }

    /// Whether the virtual user, iteration or arrival with this global number belongs to this share.
    #[must_use]
    pub const fn owns(self, global: u64) -> bool {
        global % self.of.get() as u64 == self.index as u64
    }

    /// How many of the first `total` numbers belong to this share.
    #[must_use]
    pub const fn count_of(self, total: u64) -> u64 {
        let of = self.of.get() as u64;
        (total + of - 1 - self.index as u64) / of
    }

    /// The global number of this share's `local`-th member, both counted from 0.
    #[must_use]
    pub const fn global(self, local: u64) -> u64 {
        local
            .saturating_mul(self.of.get() as u64)
            .saturating_add(self.index as u64)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            index: u32,
            of: u32,
        }
        let Fields { index, of } = Fields::deserialize(deserializer)?;
        Self::new(index, of).ok_or_else(|| {
            serde::de::Error::custom(format_args!(
                "share {index} of {of} does not exist: the number must be below the count"
            ))
        })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", u64::from(self.index) + 1, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_belongs_to_exactly_one_share() {
        for of in 1..=7 {
            for global in 0..100 {
                let owners = (0..of)
                    .filter(|&i| Share::new(i, of).is_some_and(|s| s.owns(global)))
                    .count();
                assert_eq!(owners, 1, "{global} in {of} shares");
            }
        }
    }

    #[test]
    fn counts_and_numbers_agree_with_ownership() {
        for of in 1..=7 {
            for index in 0..of {
                let share = Share::new(index, of).unwrap();
                for total in 0..50 {
                    let owned: Vec<u64> = (0..total).filter(|&g| share.owns(g)).collect();
                    assert_eq!(share.count_of(total), owned.len() as u64);
                    for (local, &global) in owned.iter().enumerate() {
                        assert_eq!(share.global(local as u64), global);
                    }
                }
            }
        }
    }

    #[test]
    fn a_share_that_does_not_exist_is_refused() {
        assert_eq!(Share::new(3, 3), None);
        assert_eq!(Share::new(0, 0), None);
        assert!(serde_json::from_str::<Share>(r#"{"index":3,"of":3}"#).is_err());
    }
}
