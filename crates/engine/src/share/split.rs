//! Parts of any size, and how their numbers are interleaved.
//!
//! The interleaving is that of k6 (k6: lib/execution_segment.go, `NewExecutionSegmentSequenceWrapper`): the
//! parts are ordered by size, the largest first; each number goes to the first part in that order whose next
//! number, if it were spread perfectly evenly, would be due. So parts come in turn as evenly as possible, and
//! what a part gets of a total never falls when the total grows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::stripes::Stripes;
use crate::sorted::sort_by;

/// The longest cycle of a split: what a part costs is four bytes for each of its places in the cycle.
pub const CYCLE_MAX: u32 = 1_000_000;

/// The whole, cut into parts with whole-numbered weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    weights: Vec<u32>, // without a common divisor; their sum is the cycle
    owners: Vec<u32>,  // the part that owns each place of the cycle
}

impl Split {
    /// Parts of these relative sizes, `None` if they are all zero or their cycle, once common divisors are
    /// taken out, is longer than [`CYCLE_MAX`].
    #[must_use]
    pub fn new(weights: &[u64]) -> Option<Self> {
        let divisor = weights.iter().copied().fold(0, gcd);
        let reduced = |weight: &u64| u32::try_from(weight.checked_div(divisor)?).ok();
        let weights = weights.iter().map(reduced).collect::<Option<Vec<u32>>>()?;
        let cycle: u64 = weights.iter().copied().map(u64::from).sum();
        if cycle == 0 || cycle > u64::from(CYCLE_MAX) {
            return None;
        }
        let owners = owners(&weights, cycle);
        Some(Self { weights, owners })
    }

    /// `parts` equal parts, `None` if there are none or more than [`CYCLE_MAX`].
    #[must_use]
    pub fn equal(parts: u32) -> Option<Self> {
        if parts == 0 || parts > CYCLE_MAX {
            return None;
        }
        Some(Self {
            weights: vec![1; usize::try_from(parts).ok()?],
            owners: (0..parts).collect(),
        })
    }

    /// The number of parts, those without any weight included.
    #[must_use]
    pub const fn parts(&self) -> usize {
        self.weights.len()
    }

    /// After how many numbers the pattern repeats itself.
    #[must_use]
    pub const fn cycle(&self) -> usize {
        self.owners.len()
    }

    /// The numbers that the part owns: none if there is no such part.
    #[must_use]
    pub fn stripes(&self, part: usize) -> Stripes {
        let part = u32::try_from(part).unwrap_or(u32::MAX);
        let owned = (0_u32..)
            .zip(&self.owners)
            .filter(|(_, owner)| **owner == part);
        let cycle = u32::try_from(self.owners.len()).unwrap_or(CYCLE_MAX);
        Stripes::new(cycle, owned.map(|(place, _)| place))
    }

    /// How many of the first `total` numbers each part owns.
    #[must_use]
    pub fn counts(&self, total: u64) -> Vec<u64> {
        let cycle = self.owners.len().max(1) as u64;
        let cycles = total / cycle;
        let mut counts: Vec<u64> = self
            .weights
            .iter()
            .map(|weight| cycles.saturating_mul(u64::from(*weight)))
            .collect();
        let rest = usize::try_from(total % cycle).unwrap_or(0);
        for owner in self.owners.iter().take(rest) {
            let count = usize::try_from(*owner).ok();
            if let Some(count) = count.and_then(|owner| counts.get_mut(owner)) {
                *count = count.saturating_add(1);
            }
        }
        counts
    }

    /// The split in which each part weighs what it owns of the first `total` numbers, as in k6's
    /// `GetNewExecutionTupleFromValue`: whoever has a fifth of the virtual users gets a fifth of the arrivals,
    /// and whoever has none gets none. With a total of zero, or beyond [`CYCLE_MAX`] and no multiple of the
    /// cycle, it is this split itself.
    #[must_use]
    pub fn scaled(&self, total: u64) -> Self {
        let cycle = self.owners.len().max(1) as u64;
        if total.is_multiple_of(cycle) {
            return self.clone();
        }
        Self::new(&self.counts(total)).unwrap_or_else(|| self.clone())
    }
}

/// The part that owns each place. Every place finds an owner: if no part were due at place `i`, the parts
/// together would have got more than `i` places.
fn owners(weights: &[u32], cycle: u64) -> Vec<u32> {
    let mut order: Vec<(u32, u32)> = (0_u32..).zip(weights.iter().copied()).collect();
    order.retain(|(_, weight)| *weight > 0);
    sort_by(&mut order, |(a, weight_a), (b, weight_b)| {
        (Reverse(weight_a), a) < (Reverse(weight_b), b)
    });
    let mut waiting = BinaryHeap::new(); // (due at place, rank, places got)
    let mut due: BinaryHeap<Reverse<(usize, u64)>> =
        (0..order.len()).map(|rank| Reverse((rank, 0))).collect();
    let mut owners = Vec::new();
    for place in 0..cycle {
        while let Some(&Reverse((at, rank, got))) = waiting.peek()
            && at <= place
        {
            waiting.pop();
            due.push(Reverse((rank, got)));
        }
        let Some(Reverse((rank, got))) = due.pop() else {
            break;
        };
        let Some(&(part, weight)) = order.get(rank) else {
            break;
        };
        owners.push(part);
        let got = got + 1;
        let next_due = (got * cycle).div_ceil(u64::from(weight));
        waiting.push(Reverse((next_due, rank, got)));
    }
    owners
}

/// The greatest common divisor; that of 0 and a number is the number.
pub(super) fn gcd(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn places(split: &Split, part: usize) -> Vec<u64> {
        let stripes = split.stripes(part);
        (0..split.cycle() as u64)
            .filter(|n| stripes.owns(*n))
            .collect()
    }

    #[test]
    fn equal_parts_take_turns() {
        let split = Split::equal(3).unwrap();
        assert_eq!(
            [places(&split, 0), places(&split, 1), places(&split, 2)],
            [[0], [1], [2]]
        );
        assert_eq!(split, Split::new(&[7, 7, 7]).unwrap());
    }

    #[test]
    fn users_of_a_split_decide_about_its_arrivals() {
        let quarters = Split::new(&[1, 2, 1]).unwrap();
        assert_eq!(
            quarters.counts(5),
            [1, 3, 1],
            "5 users: the larger part has the odd one"
        );
        let by_users = quarters.scaled(5);
        assert_eq!(places(&by_users, 0), [1]);
        assert_eq!(places(&by_users, 1), [0, 2, 4]);
        assert_eq!(places(&by_users, 2), [3]);
        assert_eq!(quarters.scaled(8), quarters, "8 users split exactly");
        assert_eq!(quarters.scaled(0), quarters);
    }

    #[test]
    fn parts_without_users_get_no_arrivals() {
        let split = Split::equal(4).unwrap().scaled(2);
        assert_eq!(places(&split, 0), [0]);
        assert_eq!(places(&split, 1), [1]);
        assert_eq!(split.stripes(2).count_of(100), 0);
        assert_eq!(split.parts(), 4);
    }

    #[test]
    fn impossible_splits_are_refused() {
        assert_eq!(Split::new(&[]), None);
        assert_eq!(Split::new(&[0, 0]), None);
        assert_eq!(Split::new(&[1, u64::from(CYCLE_MAX)]), None);
        assert_eq!(Split::new(&[u64::MAX, u64::MAX - 1]), None);
        assert_eq!(Split::equal(0), None);
        assert!(Split::new(&[u64::MAX, u64::MAX]).is_some());
        assert_eq!(Split::equal(2).unwrap().stripes(7).count_of(9), 0);
    }

    proptest! {
        #[test]
        fn each_number_has_one_owner_and_each_part_its_weight(
            weights in prop::collection::vec(0_u64..300, 1..15),
            total in 0_u64..2_000,
        ) {
            prop_assume!(weights.iter().any(|w| *w > 0));
            let split = Split::new(&weights).unwrap();
            for split in [&split, &split.scaled(total)] {
                let stripes: Vec<Stripes> = (0..split.parts()).map(|p| split.stripes(p)).collect();
                for number in 0..split.cycle().min(500) as u64 {
                    prop_assert_eq!(stripes.iter().filter(|s| s.owns(number)).count(), 1);
                }
                let counts = split.counts(total);
                prop_assert_eq!(counts.iter().sum::<u64>(), total);
                for (stripes, count) in stripes.iter().zip(&counts) {
                    prop_assert_eq!(stripes.count_of(total), *count);
                }
            }
            let whole: u64 = weights.iter().sum();
            prop_assert_eq!(split.counts(whole), weights);
        }

        #[test]
        fn nobody_is_far_from_its_due(weights in prop::collection::vec(1_u64..50, 1..10), total in 0_u64..500) {
            let split = Split::new(&weights).unwrap();
            let sum: u64 = weights.iter().sum();
            for (weight, count) in weights.iter().zip(split.counts(total)) {
                let due = total as f64 * *weight as f64 / sum as f64;
                prop_assert!((count as f64 - due).abs() <= weights.len() as f64, "{count} for {due}");
                prop_assert!((count as f64) < due + 1.0, "never more than one ahead");
            }
        }
    }
}
