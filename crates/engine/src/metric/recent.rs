//! The last seconds of one selection, for sliding windows.
//!
//! Seconds are added up in blocks of 1, 4, 16, 64 and 256, so that a window of ten minutes is the sum of some
//! twenty blocks and not of six hundred seconds. Invariant: a sum over a window is exact; only whole blocks
//! inside it are used.

use super::limits::WINDOW_SLACK_S;
use super::selection::{Selection, WindowLength};
use super::value::{Value, add_to};
use crate::sorted::SortedMap;

/// The last seconds of one selection.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    pub(super) selection: Selection,
    pub(super) length: WindowLength, // the longest that is asked for
    blocks: SortedMap<(u32, u32), Value>, // by level and place: seconds [place·4^level, (place+1)·4^level)
}

/// Blocks of 4^level seconds.
const LEVELS: u32 = 5;

impl Recent {
    pub(super) const fn new(selection: Selection, length: WindowLength) -> Self {
        Self {
            selection,
            length,
            blocks: SortedMap::new(),
        }
    }

    /// The first second that is kept when all before `closed_before` are closed.
    pub(super) const fn kept_from(&self, closed_before: u32) -> u32 {
        closed_before.saturating_sub(self.length.seconds() + WINDOW_SLACK_S)
    }

    /// Adds to a second that is still kept.
    pub(super) fn add(&mut self, second: u32, value: &Value) {
        for level in 0..LEVELS {
            add_to(&mut self.blocks, (level, second >> (2 * level)), value);
        }
    }

    /// Forgets what no window will ask for.
    pub(super) fn close_before(&mut self, closed_before: u32) {
        let kept_from = u64::from(self.kept_from(closed_before));
        self.blocks.retain(|(level, place), _| {
            let end = (u64::from(*place) + 1) << (2 * level);
            end > kept_from
        });
    }

    /// The seconds that are kept, one by one: all that windows need.
    pub(super) fn seconds(&self) -> impl Iterator<Item = (u32, &Value)> {
        let single = self.blocks.range((0, 0)..(1, 0));
        single.map(|((_, second), value)| (*second, value))
    }

    /// The blocks that make up the seconds from `from` on, before `until`.
    pub(super) fn within(&self, from: u32, until: u32) -> impl Iterator<Item = &Value> {
        let mut at = from;
        let places = std::iter::from_fn(move || {
            let fits = |level: &u32| {
                let seconds = 1 << (2 * level);
                at.is_multiple_of(seconds) && until.saturating_sub(at) >= seconds
            };
            let level = (0..LEVELS).rev().find(fits)?;
            let place = at >> (2 * level);
            at = at.saturating_add(1 << (2 * level));
            Some((level, place))
        });
        places.filter_map(|place| self.blocks.get(&place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Catalog;
    use crate::tick::Span;

    #[test]
    fn every_window_is_the_sum_of_its_seconds() {
        let selection = Selection {
            metric: Catalog::default().id("http_reqs").unwrap(),
            filter: Default::default(),
            phase: None,
        };
        let length = WindowLength::new(Span::from_secs(600)).unwrap();
        let mut recent = Recent::new(selection, length);
        let values: Vec<u64> = (0..1_500_u64).map(|i| i * i % 97 + 1).collect();
        for (second, value) in (0..).zip(&values) {
            recent.add(second, &Value::Counter(*value));
        }
        recent.close_before(1_500);
        for (from, until) in [
            (898, 1_500),
            (900, 1_500),
            (901, 1_499),
            (1_000, 1_001),
            (1_024, 1_280),
        ] {
            let mut blocks = 0;
            let sum: u64 = recent
                .within(from, until)
                .map(|value| {
                    blocks += 1;
                    match value {
                        Value::Counter(sum) => *sum,
                        other => panic!("{other:?}"),
                    }
                })
                .sum();
            let exact: u64 = values[from as usize..until as usize].iter().sum();
            assert_eq!(sum, exact, "{from} to {until}");
            assert!(blocks <= 30, "{blocks} blocks");
        }
        assert!(recent.blocks.len() < 1_000);
        assert_eq!(recent.within(1_300, 1_300).count(), 0);
        assert_eq!(recent.within(u32::MAX - 1, u32::MAX).count(), 0);
    }
}
