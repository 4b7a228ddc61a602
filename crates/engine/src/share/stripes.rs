//! The numbers that a part of a plan owns, as a repeating pattern.
//!
//! Invariant: `owns`, `count_of`, `local` and `global` tell the same set; each costs a search in one pattern,
//! whatever the numbers are.

use super::equal::Share;
use crate::sorted::sort_by;

/// The numbers that a part owns: in each cycle of the same length the same places. Patterns can be nested: an
/// inner one picks from what the outer one owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stripes {
    levels: Vec<Pattern>, // the outermost first; without any, everything is owned
}

/// A cycle, and the places in it that are owned.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    cycle: u64,         // at least 1
    places: Box<[u32]>, // ascending, each below the cycle
}

impl Stripes {
    /// Every number.
    #[must_use]
    pub const fn whole() -> Self {
        Self { levels: Vec::new() }
    }

    /// These places of each cycle. Places at or beyond the cycle are left out; a cycle of 0 owns nothing.
    #[must_use]
    pub fn new(cycle: u32, places: impl IntoIterator<Item = u32>) -> Self {
        let mut places: Vec<u32> = places.into_iter().filter(|place| *place < cycle).collect();
        sort_by(&mut places, |a, b| a < b);
        places.dedup();
        Self {
            levels: vec![Pattern {
                cycle: u64::from(cycle.max(1)),
                places: places.into(),
            }],
        }
    }

    /// The part that `inner` picks from what these stripes own.
    #[must_use]
    pub fn within(mut self, inner: Self) -> Self {
        self.levels.extend(inner.levels);
        self
    }

    /// Whether the number belongs to this part.
    #[must_use]
    pub fn owns(&self, global: u64) -> bool {
        self.local(global).is_some()
    }

    /// How many of the first `total` numbers belong to this part.
    #[must_use]
    pub fn count_of(&self, total: u64) -> u64 {
        self.levels
            .iter()
            .fold(total, |total, pattern| pattern.count_of(total))
    }

    /// The number that is this part's `local`-th, both counted from 0; `None` if the part owns nothing, or if
    /// the number would be too large.
    #[must_use]
    pub fn global(&self, local: u64) -> Option<u64> {
        self.levels
            .iter()
            .rev()
            .try_fold(local, |local, pattern| pattern.global(local))
    }

    /// The how-manieth number of this part `global` is, both counted from 0; `None` if it belongs to another.
    #[must_use]
    pub fn local(&self, global: u64) -> Option<u64> {
        self.levels
            .iter()
            .try_fold(global, |global, pattern| pattern.local(global))
    }
}

impl From<Share> for Stripes {
    fn from(share: Share) -> Self {
        if share.of() == 1 {
            Self::whole()
        } else {
            Self::new(share.of(), [share.index()])
        }
    }
}

impl Pattern {
    /// The number of owned places, which fits because each is another `u32`.
    fn owned(&self) -> u64 {
        self.places.len() as u64
    }

    /// How many owned places are below `place`.
    fn owned_below(&self, place: u64) -> u64 {
        self.places.partition_point(|p| u64::from(*p) < place) as u64
    }

    fn count_of(&self, total: u64) -> u64 {
        (total / self.cycle) * self.owned() + self.owned_below(total % self.cycle)
    }

    fn global(&self, local: u64) -> Option<u64> {
        let cycles = local.checked_div(self.owned())?;
        let place = usize::try_from(local % self.owned()).ok()?;
        let place = u64::from(*self.places.get(place)?);
        cycles.checked_mul(self.cycle)?.checked_add(place)
    }

    fn local(&self, global: u64) -> Option<u64> {
        let place = u32::try_from(global % self.cycle).ok()?;
        let rank = self.places.binary_search(&place).ok()? as u64;
        Some((global / self.cycle) * self.owned() + rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn owned(stripes: &Stripes, total: u64) -> Vec<u64> {
        (0..total).filter(|n| stripes.owns(*n)).collect()
    }

    #[test]
    fn patterns_repeat() {
        let stripes = Stripes::new(5, [4, 0, 2]);
        assert_eq!(owned(&stripes, 11), [0, 2, 4, 5, 7, 9, 10]);
        assert_eq!(owned(&Stripes::whole(), 3), [0, 1, 2]);
        assert_eq!(Stripes::new(0, [0]).count_of(100), 0);
        assert_eq!(Stripes::new(3, []).global(0), None);
    }

    #[test]
    fn an_inner_pattern_picks_from_what_the_outer_one_owns() {
        let stripes = Stripes::new(5, [0, 2, 4]).within(Stripes::new(2, [1]));
        assert_eq!(owned(&stripes, 20), [2, 5, 9, 12, 15, 19]);
    }

    #[test]
    fn a_share_owns_the_same_numbers_as_its_stripes() {
        for of in 1..=6 {
            for index in 0..of {
                let share = Share::new(index, of).unwrap();
                let stripes = Stripes::from(share);
                for number in 0..50 {
                    assert_eq!(stripes.owns(number), share.owns(number));
                    assert_eq!(stripes.count_of(number), share.count_of(number));
                    assert_eq!(stripes.global(number), Some(share.global(number)));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn counts_and_numbers_agree_with_ownership(
            cycle in 1_u32..40,
            places in prop::collection::vec(0_u32..40, 0..40),
            inner_cycle in 1_u32..7,
            inner in prop::collection::vec(0_u32..7, 0..7),
            total in 0_u64..300,
        ) {
            let stripes = Stripes::new(cycle, places).within(Stripes::new(inner_cycle, inner));
            let owned = owned(&stripes, total);
            prop_assert_eq!(stripes.count_of(total), owned.len() as u64);
            for (local, &global) in owned.iter().enumerate() {
                prop_assert_eq!(stripes.global(local as u64), Some(global));
                prop_assert_eq!(stripes.local(global), Some(local as u64));
            }
        }

        #[test]
        fn no_number_is_too_large(local in any::<u64>(), cycle in 1_u32..=u32::MAX) {
            let stripes = Stripes::new(cycle, [0, cycle - 1]);
            let _ = (stripes.global(local), stripes.local(local), stripes.count_of(local));
        }
    }
}
