//! What a store holds, so that a run which comes back judges the same.

use serde::{Deserialize, Serialize};

use super::{Catalog, MetricId, MetricStore, Query, TagSet, Value, add_to};
use crate::metric::window::MetricWindow;
use crate::phase::Phase;
use crate::sorted::SortedMap;

/// Everything that a [`MetricStore`] has merged. Its size is bounded as that of the store is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoreState {
    closed_before: u32,
    has_data: bool,
    #[serde(default)]
    active_from: Option<u32>,
    totals: SortedMap<Phase, MetricWindow>,
    pending: Vec<(u32, Phase, MetricWindow)>,
    recent: Vec<Vec<(u32, Value)>>, // the seconds of each sliding window's selection
}

impl MetricStore {
    /// What the store holds now.
    #[must_use]
    pub fn state(&self) -> StoreState {
        let mut totals: SortedMap<Phase, MetricWindow> = SortedMap::new();
        for ((_, metric, tags), values) in self.admission.iter().zip(&self.totals) {
            for (phase, value) in values {
                self.put(totals.entry(*phase).or_default(), metric, tags, value);
            }
        }
        let pending = self.pending.iter().map(|((second, phase), series)| {
            let mut window = MetricWindow::default();
            for (id, value) in series {
                if let Some((metric, tags)) = self.admission.describe(*id) {
                    self.put(&mut window, metric, tags, value);
                }
            }
            (*second, *phase, window)
        });
        let seconds = |recent: &super::Recent| {
            let seconds = recent.seconds();
            seconds.map(|(at, value)| (at, value.clone())).collect()
        };
        StoreState {
            closed_before: self.closed_before,
            has_data: self.has_data,
            active_from: self.active_from,
            totals,
            pending: pending.collect(),
            recent: self.recent.iter().map(seconds).collect(),
        }
    }

    /// A store that goes on from a state. The catalog and the queries have to be those of the store that gave
    /// it; what they do not know is left out.
    #[must_use]
    pub fn restore(catalog: Catalog, queries: &[Query], state: StoreState) -> Self {
        let mut store = Self::new(catalog, queries);
        for (phase, window) in &state.totals {
            store.each(window, |store, metric, tags, value| {
                let id = store.admission.series(metric, tags);
                if store.totals.len() <= id.index() {
                    store.totals.resize_with(id.index() + 1, SortedMap::new);
                }
                if let Some(totals) = store.totals.get_mut(id.index()) {
                    add_to(totals, *phase, value);
                }
            });
        }
        store.closed_before = state.closed_before;
        for (second, phase, window) in &state.pending {
            store.each(window, |store, metric, tags, value| {
                store.record_value(*second, *phase, metric, tags, value);
            });
        }
        for (recent, seconds) in store.recent.iter_mut().zip(state.recent) {
            for (second, value) in seconds {
                recent.add(second, &value);
            }
        }
        store.has_data = state.has_data;
        store.active_from = state.active_from;
        store
    }

    fn put(&self, window: &mut MetricWindow, metric: MetricId, tags: &TagSet, value: &Value) {
        if let Some(definition) = self.catalog.definition(metric) {
            let series = window.series.entry(definition.name.clone()).or_default();
            add_to(series, tags.clone(), value);
        }
    }

    /// Goes through the series of a window that the catalog knows.
    fn each(
        &mut self,
        window: &MetricWindow,
        mut act: impl FnMut(&mut Self, MetricId, &TagSet, &Value),
    ) {
        for (name, series) in &window.series {
            let Some(metric) = self.catalog.id(name) else {
                continue;
            };
            let kind = self.catalog.definition(metric).map(|d| d.kind);
            for (tags, value) in series {
                if kind == Some(value.kind()) {
                    act(self, metric, tags, value);
                }
            }
        }
    }
}
