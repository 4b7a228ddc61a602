//! Where the load of a run came from: what the batches of each region measured, and in which data centres batches
//! ran.
//!
//! Invariant: the sums of the regions are sums of the same windows as the totals of the run. Memory is bounded by
//! the regions of the run and the codes of data centres.

use serde::{Deserialize, Serialize};

use crate::cloudflare::Colo;
use crate::sorted::SortedMap;
use crate::totals::Aggregate;
use crate::window::{StepWindow, Window};

/// The places of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Places {
    regions: SortedMap<String, Place>, // only those that were asked for
    anywhere: Place,                   // batches without a region
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Place {
    measured: StepWindow,
    colos: Colos,
}

/// Data centres, and how many batches of a slice ran in each, as far as the target's answers tell.
pub(crate) type Colos = SortedMap<Colo, u64>;

impl Places {
    /// Whether nothing is known of any place.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Enters what batches of a region measured. Of those without a region the run's totals tell enough.
    pub(super) fn add(&mut self, region: Option<&str>, windows: &[Window]) {
        let Some(region) = region else {
            return;
        };
        let sum = &mut self.place_mut(Some(region)).measured;
        let steps = windows.iter().flat_map(|window| window.steps.values());
        steps.for_each(|step| sum.merge(step));
    }

    /// Enters where a batch ran.
    pub(super) fn note(&mut self, region: Option<&str>, colo: Colo) {
        let count = self.place_mut(region).colos.entry(colo).or_default();
        *count = count.saturating_add(1);
    }

    /// What was measured from a region.
    pub(crate) fn measured(&self, region: &str) -> Aggregate {
        let place = self.regions.get(region);
        Aggregate::of(place.map(|place| &place.measured).into_iter())
    }

    /// Where the batches of a region ran.
    pub(crate) fn colos_of(&self, region: &str) -> Colos {
        let place = self.regions.get(region);
        place.map(|place| place.colos.clone()).unwrap_or_default()
    }

    /// Where all batches ran.
    pub(crate) fn colos(&self) -> Colos {
        let mut all = self.anywhere.colos.clone();
        for (colo, count) in self.regions.values().flat_map(|place| &place.colos) {
            *all.entry(*colo).or_default() += count;
        }
        all
    }

    fn place_mut(&mut self, region: Option<&str>) -> &mut Place {
        match region {
            None => &mut self.anywhere,
            Some(region) => self.regions.entry(region.to_owned()).or_default(),
        }
    }
}
