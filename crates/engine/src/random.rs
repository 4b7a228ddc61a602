//! Seeded random numbers: the only source of chance in the engine.
//!
//! Invariant: each iteration of each virtual user has a stream of its own, derived from the plan's seed and
//! the two numbers alone. How the plan is split therefore changes nothing about what a user does.

use rand::RngExt as _;
use rand::SeedableRng as _;
use rand_pcg::Pcg32;
use serde::{Deserialize, Serialize};

use crate::tick::Tick;
use crate::vu::VuId;
use crate::window::StepId;

/// A stream of random numbers (PCG32, M. O'Neill, <https://www.pcg-random.org>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Random(Pcg32);

impl Random {
    /// The stream for one iteration of one virtual user.
    #[must_use]
    pub fn for_iteration(seed: u64, vu: VuId, iteration: u32) -> Self {
        let place = (u64::from(vu.0) << 32) | u64::from(iteration);
        Self(Pcg32::seed_from_u64(mix(seed ^ mix(place))))
    }

    /// The stream for one iteration that belongs to no user, an arrival of the open model or one of a common
    /// pile, numbered within the plan's `scenario`-th scenario.
    #[must_use]
    pub fn for_shared(seed: u64, scenario: usize, number: u64) -> Self {
        let purpose = mix(0xA881_7A15 + scenario as u64);
        Self(Pcg32::seed_from_u64(mix(seed ^ mix(purpose ^ mix(number)))))
    }

    /// The stream for what a user takes from the answer to the request of `step` that was due at `planned`. It
    /// does not depend on the order in which answers arrive.
    #[must_use]
    pub fn for_answer(seed: u64, vu: VuId, step: StepId, planned: Tick) -> Self {
        let place = (u64::from(vu.0) << 32) | u64::from(step.0);
        Self(Pcg32::seed_from_u64(mix(
            seed ^ mix(mix(place) ^ planned.as_us())
        )))
    }

    /// The stream for something that exists once in a run, told apart by `purpose`.
    #[must_use]
    pub fn for_purpose(seed: u64, purpose: u64) -> Self {
        Self(Pcg32::seed_from_u64(mix(mix(seed).wrapping_add(purpose))))
    }

    /// A number in [0, 1).
    pub fn fraction(&mut self) -> f64 {
        self.0.random()
    }

    /// A whole number in [`low`, `high`]; `low` when `high` is below it.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        if low >= high {
            low
        } else {
            self.0.random_range(low..=high)
        }
    }

    /// One of `items`, `None` when there are none.
    pub fn choice<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let last = u64::try_from(items.len()).ok()?.checked_sub(1)?;
        let index = usize::try_from(self.between(0, last)).ok()?;
        items.get(index)
    }

    /// A number with mean 0 and standard deviation 1, between -6 and 6, very nearly normally distributed: the
    /// sum of twelve even ones (Irwin–Hall). It needs no logarithm, whose last digit differs between machines.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.fraction()).sum::<f64>() - 6.0
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.random()
    }
}

/// Spreads nearby numbers over the whole range (the finalizer of SplitMix64, S. Vigna).
pub(crate) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_places_give_equal_streams_and_others_differ() {
        let stream = |seed, vu, iteration| Random::for_iteration(seed, VuId(vu), iteration).bits();
        assert_eq!(stream(1, 2, 3), stream(1, 2, 3));
        let all = [
            stream(1, 2, 3),
            stream(2, 2, 3),
            stream(1, 3, 3),
            stream(1, 2, 4),
            stream(1, 3, 2),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|b| a != b));
        }
    }

    #[test]
    fn fractions_are_spread_evenly() {
        let mut random = Random::for_purpose(7, 0);
        let mut tenths = [0_u32; 10];
        for _ in 0..10_000 {
            tenths[(random.fraction() * 10.0) as usize] += 1;
        }
        assert!(
            tenths.iter().all(|&n| (900..1_100).contains(&n)),
            "{tenths:?}"
        );
    }

    #[test]
    fn between_includes_both_ends() {
        let mut random = Random::for_purpose(7, 1);
        let seen: crate::sorted::SortedSet<u64> = (0..200).map(|_| random.between(3, 5)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(random.between(9, 2), 9);
    }
}
