//! What one share of the plan has done, and what is handed over from one slice to the next.

use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::run::book::Hole;
use crate::run::out::Lingering;
use crate::sorted::SortedMap;
use crate::tick::{Span, Tick};
use crate::vu::VuCarry;
use crate::window::is_default;

/// What one share has done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ShareBook {
    pub(super) ledger: Ledger,
    pub(super) carry: Vec<VuCarry>,
    /// Batches that linger for users.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) lingering: Vec<Lingering>,
    /// Users that have come in since the slice began, until the batch that plays it says which of them it has not
    /// heard of; none where a checkpoint is made.
    #[serde(skip)]
    pub(super) late: Vec<VuCarry>,
    /// Users that its shard keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kept: Option<Kept>,
    pub(super) played_through: Tick,
    /// Iterations that the share has begun, by scenario.
    #[serde(default)]
    pub(super) begun: Vec<u64>,
    /// Where its last batch ended, or its last hole.
    pub(super) measured_through: Tick,
    pub(super) done: bool,
    /// Whether a batch plays it now; none does where a checkpoint is made.
    #[serde(skip)]
    pub(super) playing: bool,
    #[serde(default)]
    pub(super) hole: Option<Hole>, // open: its end is not known yet
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) holes: u32, // closed
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) missing: Span, // in closed holes
}

/// Users that a shard keeps for the next slice, so that they need not travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Kept {
    /// The slice at whose end it kept them.
    pub(super) slice: u32,
    /// How many of them are in the middle of an iteration.
    pub(super) iterations_open: u64,
}

impl ShareBook {
    /// How many holes it has.
    pub(crate) const fn holes(&self) -> u32 {
        self.holes
    }

    /// How much time lies in them.
    pub(crate) const fn missing(&self) -> Span {
        self.missing
    }

    /// Whether users were handed over in the middle of an iteration, or are out in one.
    pub(super) fn is_in_iteration(&self) -> bool {
        self.iterations_handed_over() + self.iterations_out() > 0
    }

    /// How many iterations are open among the users that were handed over, by the batch's own count.
    pub(super) fn iterations_handed_over(&self) -> u64 {
        let carried = self.carry.iter().filter(|carry| carry.position.is_some());
        carried.count() as u64 + self.kept.map_or(0, |kept| kept.iterations_open)
    }

    /// Adds iterations that were begun, by scenario.
    pub(super) fn count_begun(&mut self, begun: &SortedMap<u16, u64>) {
        for (place, count) in begun {
            let place = usize::from(*place);
            if self.begun.len() <= place {
                self.begun.resize(place + 1, 0);
            }
            if let Some(begun) = self.begun.get_mut(place) {
                *begun += count;
            }
        }
    }
}
