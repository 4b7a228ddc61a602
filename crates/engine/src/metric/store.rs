//! Where the run merges the metrics of all shares, and where they are asked for.
//!
//! Invariant: a second counts only when it is closed, that is when every share has told about it. So what a
//! query answers at a given point of the run depends on the samples alone, not on the order or delay in which
//! the shares delivered them. What comes even later is added when it comes.

use super::admission::{Admission, OverflowWarning, SeriesId};
use super::amount::Amount;
use super::catalog::{Catalog, MergeError, MetricId};
use super::definition::{MetricKind, Origin};
use super::limits::{PENDING_SECONDS_MAX, WINDOWED_MAX};
use super::recent::Recent;
use super::recorder::warnings;
use super::selection::{Query, Selected, Selection, WindowLength};
use super::tags::TagSet;
use super::value::{Value, add_to};
use super::window::MetricWindow;
use crate::phase::Phase;
use crate::sorted::SortedMap;
use crate::tick::Tick;

/// The merged metrics of a run: totals of each phase, and the recent seconds of what sliding windows ask for.
#[derive(Clone, Debug)]
pub struct MetricStore {
    catalog: Catalog,
    admission: Admission,
    totals: Vec<SortedMap<Phase, Value>>, // in the order of SeriesId; closed seconds only
    pending: SortedMap<(u32, Phase), Second>, // at most PENDING_SECONDS_MAX
    closed_before: u32,
    recent: Vec<Recent>, // at most WINDOWED_MAX
    has_data: bool,
    active_from: Option<u32>, // the first second in which the run is known to have done something
}

type Second = SortedMap<SeriesId, Value>;

impl MetricStore {
    /// A store for the metrics of a plan that will be asked these queries. Sliding windows beyond the first
    /// [`WINDOWED_MAX`] selections are not kept.
    #[must_use]
    pub fn new(catalog: Catalog, queries: &[Query]) -> Self {
        let mut recent: Vec<Recent> = Vec::new();
        for query in queries {
            let Some(length) = query.over else { continue };
            let known = recent.iter_mut().find(|r| r.selection == query.selection);
            if let Some(known) = known {
                known.length = known.length.max(length);
            } else if recent.len() < WINDOWED_MAX {
                recent.push(Recent::new(query.selection.clone(), length));
            }
        }
        Self {
            catalog,
            admission: Admission::new(queries),
            totals: Vec::new(),
            pending: SortedMap::new(),
            closed_before: 0,
            recent,
            has_data: false,
            active_from: None,
        }
    }

    /// The metrics.
    #[must_use]
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Adds what one share recorded in a second and phase.
    ///
    /// # Errors
    /// The window holds something that no batch of this plan records.
    pub fn merge(
        &mut self,
        second: u32,
        phase: Phase,
        window: &MetricWindow,
    ) -> Result<(), MergeError> {
        let ids = self.catalog.check(window)?;
        for (metric, series) in ids.into_iter().zip(window.series.values()) {
            for (tags, value) in series {
                let id = self.admission.series(metric, tags);
                self.add(second, phase, id, value);
            }
        }
        self.bound_pending();
        Ok(())
    }

    /// Records a sample that only the run can know, such as the number of users of all shares.
    pub fn record(&mut self, phase: Phase, metric: MetricId, at: Tick, amount: Amount) {
        if let Some(definition) = self.catalog.definition(metric) {
            let value = Value::of(definition.kind, at, amount);
            self.record_value(at.second(), phase, metric, &TagSet::new(), &value);
        }
    }

    /// Adds what the run itself has added up from what the shares told. A value of another kind than the
    /// metric's is left out.
    pub fn record_value(
        &mut self,
        second: u32,
        phase: Phase,
        metric: MetricId,
        tags: &TagSet,
        value: &Value,
    ) {
        let definition = self.catalog.definition(metric);
        if definition.is_some_and(|definition| definition.kind == value.kind()) {
            let id = self.admission.series(metric, tags);
            self.add(second, phase, id, value);
            self.bound_pending();
        }
    }

    /// Notes that the run did something in this second, whether or not a metric tells of it.
    pub fn note_activity(&mut self, second: u32) {
        let first = self.active_from.unwrap_or(second);
        self.active_from = Some(first.min(second));
    }

    /// Closes all seconds that ended at or before `now`: from now on they count.
    pub fn close_through(&mut self, now: Tick) {
        self.close_before(now.second());
    }

    /// Closes everything that was merged: the run is over.
    pub fn close_all(&mut self) {
        let last = self.pending.keys().next_back().map(|(second, _)| *second);
        self.close_before(last.unwrap_or(0).saturating_add(1));
        self.fold_before(u32::MAX); // the last of all seconds has none after it
    }

    /// The samples of the closed seconds.
    #[must_use]
    pub fn select(&self, selection: &Selection) -> Selected {
        let matching = self.admission.iter().filter(|(_, metric, tags)| {
            *metric == selection.metric && tags.contains_all(&selection.filter)
        });
        let values = matching.flat_map(|(id, ..)| {
            let phases = self.totals.get(id.index()).into_iter().flatten();
            phases
                .filter(|(phase, _)| selection.phase.is_none_or(|wanted| wanted == **phase))
                .map(|(_, value)| value)
        });
        Selected {
            value: sum(values),
            complete: self.is_complete(selection),
        }
    }

    /// The samples of the closed seconds from `until − length` on, before `until`. The selection must be one
    /// that a [`Query`] announced with at least this length, and `until` at most two seconds before the last
    /// closing; otherwise `None`.
    #[must_use]
    pub fn select_recent(
        &self,
        selection: &Selection,
        length: WindowLength,
        until: Tick,
    ) -> Option<Selected> {
        let recent = self.recent.iter().find(|r| r.selection == *selection)?;
        let until = until.second();
        let from = until.saturating_sub(length.seconds());
        if length > recent.length || from < recent.kept_from(self.closed_before) {
            return None;
        }
        Some(Selected {
            value: sum(recent.within(from, until)),
            complete: self.is_complete(selection),
        })
    }

    /// Whether the run itself has produced data: a closed second with a Counter, Rate or Trend that a batch
    /// recorded, or in which it is known to have done something. Only then does a Counter that never came
    /// count as 0.
    #[must_use]
    pub fn has_data(&self) -> bool {
        let active = self.active_from.is_some_and(|s| s < self.closed_before);
        self.has_data || active
    }

    /// All series with what they add up to over the whole run, of closed seconds.
    pub fn series(&self) -> impl Iterator<Item = (MetricId, &TagSet, Value)> {
        self.admission.iter().filter_map(|(id, metric, tags)| {
            let value = sum(self.totals.get(id.index())?.values())?;
            Some((metric, tags, value))
        })
    }

    /// The metrics with more tag sets than are kept apart.
    #[must_use]
    pub fn warnings(&self) -> Vec<OverflowWarning> {
        warnings(&self.catalog, &self.admission)
    }

    fn add(&mut self, second: u32, phase: Phase, id: SeriesId, value: &Value) {
        if second < self.closed_before {
            self.fold(second, phase, id, value);
        } else {
            let series = self.pending.entry((second, phase)).or_default();
            add_to(series, id, value);
        }
    }

    fn bound_pending(&mut self) {
        while self.pending.len() > PENDING_SECONDS_MAX {
            let Some(((oldest, _), _)) = self.pending.first_key_value() else {
                return;
            };
            self.close_before(oldest.saturating_add(1));
        }
    }

    fn close_before(&mut self, second: u32) {
        if second <= self.closed_before {
            return;
        }
        self.closed_before = second;
        self.fold_before(second);
        for recent in &mut self.recent {
            recent.close_before(second);
        }
    }

    fn fold_before(&mut self, second: u32) {
        let first = Phase::ALL.into_iter().min().unwrap_or(Phase::RampUp);
        let open = match second {
            u32::MAX => SortedMap::new(),
            second => self.pending.split_off(&(second, first)),
        };
        for ((second, phase), series) in std::mem::replace(&mut self.pending, open) {
            for (id, value) in series {
                self.fold(second, phase, id, &value);
            }
        }
    }

    /// Adds to the totals and to the recent seconds.
    fn fold(&mut self, second: u32, phase: Phase, id: SeriesId, value: &Value) {
        if self.totals.len() <= id.index() {
            self.totals.resize_with(id.index() + 1, SortedMap::new);
        }
        if let Some(total) = self.totals.get_mut(id.index()) {
            add_to(total, phase, value);
        }
        let Some((metric, tags)) = self.admission.describe(id) else {
            return;
        };
        let definition = self.catalog.definition(metric);
        self.has_data |= definition.is_some_and(|d| d.origin == Origin::Batch)
            && value.kind() != MetricKind::Gauge
            && value.has_data();
        for recent in &mut self.recent {
            let Selection {
                metric: wanted,
                filter,
                phase: only,
            } = &recent.selection;
            let kept = second >= recent.kept_from(self.closed_before);
            let matches = *wanted == metric && only.is_none_or(|only| only == phase);
            if kept && matches && tags.contains_all(filter) {
                recent.add(second, value);
            }
        }
    }

    fn is_complete(&self, selection: &Selection) -> bool {
        self.admission
            .is_complete(selection.metric, &selection.filter)
    }
}

fn sum<'a>(mut values: impl Iterator<Item = &'a Value>) -> Option<Value> {
    let mut sum = values.next()?.clone();
    for value in values {
        let merged = sum.merge(value);
        debug_assert!(merged.is_ok(), "the values are of one metric");
    }
    Some(sum)
}

mod state;
#[cfg(test)]
mod tests;

pub use state::StoreState;
