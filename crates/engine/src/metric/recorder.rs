//! Where a batch records its samples.

use super::admission::{Admission, OverflowWarning, SeriesId};
use super::amount::Amount;
use super::catalog::{Catalog, MetricId};
use super::definition::{MetricKind, Origin};
use super::selection::Query;
use super::tags::TagSet;
use super::value::Value;
use super::window::MetricWindow;
use crate::tick::Tick;

/// The metrics of a batch for the current second and phase. The batch looks a series up once and records by
/// its number; when the second or the phase ends, it takes the window out.
#[derive(Clone, Debug)]
pub struct Recorder {
    catalog: Catalog,
    admission: Admission,
    current: Vec<Current>, // in the order of SeriesId
}

#[derive(Clone, Debug)]
struct Current {
    kind: MetricKind,
    value: Option<Value>, // none until the first sample of the window
}

/// A sample that was not recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The metric or the series is not one of this recorder.
    #[error("no such metric or series")]
    Unknown,
    /// Only the run knows the metric's value.
    #[error("metric {0} is recorded by the run, not by its batches")]
    OfTheRun(String),
    /// A Counter only counts up.
    #[error("a counter cannot be decreased")]
    Decrease,
}

impl Recorder {
    /// A recorder for the metrics of a plan. The queries are those that the merged metrics will be asked:
    /// their tags are kept even when there are too many tag sets.
    #[must_use]
    pub fn new(catalog: Catalog, queries: &[Query]) -> Self {
        Self {
            catalog,
            admission: Admission::new(queries),
            current: Vec::new(),
        }
    }

    /// The metrics.
    #[must_use]
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The series for samples of this metric with these tags: an overflow series when there are already too
    /// many. The number stays valid as long as the recorder.
    ///
    /// # Errors
    /// The metric is not one that a batch records.
    pub fn series(&mut self, metric: MetricId, tags: &TagSet) -> Result<SeriesId, Refused> {
        let definition = self.catalog.definition(metric).ok_or(Refused::Unknown)?;
        if definition.origin == Origin::Run {
            return Err(Refused::OfTheRun(definition.name.clone()));
        }
        let id = self.admission.series(metric, tags);
        if id.index() == self.current.len() {
            self.current.push(Current {
                kind: definition.kind,
                value: None,
            });
        }
        Ok(id)
    }

    /// Records one sample: a Counter adds it up, a Gauge is set to it, a Rate notes whether it is zero, a
    /// Trend takes it into its distribution.
    ///
    /// # Errors
    /// The series is not of this recorder, or the sample would decrease a Counter.
    pub fn record(&mut self, series: SeriesId, at: Tick, amount: Amount) -> Result<(), Refused> {
        let current = self
            .current
            .get_mut(series.index())
            .ok_or(Refused::Unknown)?;
        if current.kind == MetricKind::Counter && amount < Amount::ZERO {
            return Err(Refused::Decrease);
        }
        match &mut current.value {
            Some(value) => value.record(at, amount),
            none => *none = Some(Value::of(current.kind, at, amount)),
        }
        Ok(())
    }

    /// What was recorded since the last time; the recorder begins afresh.
    #[must_use]
    pub fn take_window(&mut self) -> MetricWindow {
        let mut window = MetricWindow::default();
        for ((_, metric, tags), current) in self.admission.iter().zip(&mut self.current) {
            let definition = self.catalog.definition(metric);
            if let (Some(definition), Some(value)) = (definition, current.value.take()) {
                if !window.series.contains_key(&definition.name) {
                    window.series.insert(definition.name.clone(), [].into());
                }
                if let Some(series) = window.series.get_mut(&definition.name) {
                    series.insert(tags.clone(), value);
                }
            }
        }
        window
    }

    /// The metrics with more tag sets than are kept apart.
    #[must_use]
    pub fn warnings(&self) -> Vec<OverflowWarning> {
        warnings(&self.catalog, &self.admission)
    }
}

/// The warnings about what did not get a series of its own.
pub(super) fn warnings(catalog: &Catalog, admission: &Admission) -> Vec<OverflowWarning> {
    let overflowed = admission.overflowed();
    let warning = |(metric, series_kept, unattributed)| {
        Some(OverflowWarning {
            metric: catalog.definition(metric)?.name.clone(),
            series_kept,
            unattributed,
        })
    };
    overflowed.filter_map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::limits::SERIES_PER_METRIC_MAX;

    #[test]
    fn a_window_holds_what_came_since_the_last() {
        let mut recorder = Recorder::new(Catalog::default(), &[]);
        let reqs = recorder.catalog().id("http_reqs").unwrap();
        let a = recorder
            .series(reqs, &TagSet::new().with("scenario", "a"))
            .unwrap();
        let one = Amount::from_steps(1_000);
        recorder.record(a, Tick::ZERO, one).unwrap();
        recorder.record(a, Tick::ZERO, one).unwrap();
        let json = serde_json::to_string(&recorder.take_window()).unwrap();
        assert_eq!(
            json,
            r#"{"tags":[{"scenario":"a"}],"series":{"http_reqs":[[0,{"c":2000}]]}}"#
        );
        assert!(recorder.take_window().is_empty());
        recorder.record(a, Tick::ZERO, one).unwrap();
        assert!(!recorder.take_window().is_empty());
    }

    #[test]
    fn samples_that_cannot_be_are_refused() {
        let mut recorder = Recorder::new(Catalog::default(), &[]);
        let id = |name| Catalog::default().id(name).unwrap();
        assert_eq!(
            recorder.series(id("vus"), &TagSet::new()),
            Err(Refused::OfTheRun("vus".to_owned()))
        );
        let reqs = recorder.series(id("http_reqs"), &TagSet::new()).unwrap();
        let refused = recorder.record(reqs, Tick::ZERO, Amount::from_steps(-1));
        assert_eq!(refused, Err(Refused::Decrease));
        let mut other = Recorder::new(Catalog::default(), &[]);
        let refused = other.record(reqs, Tick::ZERO, Amount::ZERO);
        assert_eq!(refused, Err(Refused::Unknown));
    }

    #[test]
    fn an_endless_number_of_urls_is_counted_in_bounded_memory() {
        let mut recorder = Recorder::new(Catalog::default(), &[]);
        let reqs = recorder.catalog().id("http_reqs").unwrap();
        for i in 0..10_000 {
            let tags = TagSet::new().with("url", &format!("https://example.com/{i}"));
            let series = recorder.series(reqs, &tags).unwrap();
            recorder
                .record(series, Tick::ZERO, Amount::from_steps(1_000))
                .unwrap();
        }
        let window = recorder.take_window();
        let series = &window.series["http_reqs"];
        assert_eq!(series.len(), SERIES_PER_METRIC_MAX + 1);
        let total: u64 = series
            .values()
            .map(|value| match value {
                Value::Counter(sum) => *sum,
                _ => 0,
            })
            .sum();
        assert_eq!(total, 10_000_000);
        let warning = recorder.warnings().remove(0);
        assert_eq!(
            warning.to_string(),
            "metric http_reqs came with more than 200 tag sets: further ones are counted together under \
             the tag overflow"
        );
    }
}
