//! What a run measured, as k6's metrics: by name and tags, added up over the run.

use std::collections::BTreeMap;

use sentinel_engine::metric::{Contains, Definition, Percentile, TagSet, Value};
use sentinel_engine::threshold::MetricKey;

/// The metrics of a run. Invariant: values of one metric are of its kind, so that they always add up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    metrics: BTreeMap<String, Metric>,
}

/// A metric with all its series.
#[derive(Clone, Debug)]
pub(super) struct Metric {
    pub(super) definition: Definition,
    pub(super) series: BTreeMap<TagSet, Value>,
}

/// What the samples of a Trend add up to, in the metric's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TrendStats {
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) avg: f64,
    pub(super) min: f64,
    pub(super) med: f64,
    pub(super) max: f64,
    pub(super) p90: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
}

impl Metrics {
    /// Adds samples.
    pub(super) fn add(&mut self, definition: &Definition, tags: &TagSet, value: &Value) {
        if !self.metrics.contains_key(&definition.name) {
            let metric = Metric {
                definition: definition.clone(),
                series: BTreeMap::new(),
            };
            self.metrics.insert(definition.name.clone(), metric);
        }
        let Some(metric) = self.metrics.get_mut(&definition.name) else {
            return;
        };
        match metric.series.get_mut(tags) {
            Some(sum) => add(sum, value),
            None => {
                metric.series.insert(tags.clone(), value.clone());
            }
        }
    }

    /// All metrics, in the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Metric> {
        self.metrics.values()
    }

    /// What a threshold's key asks for; `None` without samples.
    pub(super) fn select(&self, key: &MetricKey) -> Option<(&Definition, Value)> {
        let metric = self.metrics.get(&key.name)?;
        let matching = metric.series.iter();
        let matching = matching.filter(|(tags, _)| tags.contains_all(&key.filter));
        let value = sum(matching.map(|(_, value)| value))?;
        Some((&metric.definition, value))
    }
}

impl Metric {
    /// All samples of the metric, `None` without any.
    pub(super) fn total(&self) -> Option<Value> {
        sum(self.series.values())
    }
}

impl TrendStats {
    /// The statistics of a Trend; `None` of other values and without samples.
    pub(super) fn of(value: &Value, contains: Contains) -> Option<Self> {
        let Value::Trend(trend) = value else {
            return None;
        };
        let percentile = |percent| {
            let steps = trend.percentile(Percentile::new(percent)?)?;
            Some(contains.in_unit(steps))
        };
        Some(Self {
            count: trend.count(),
            sum: contains.in_unit(trend.sum() as f64),
            avg: contains.in_unit(trend.average()?),
            min: contains.in_unit(trend.lowest()? as f64),
            med: percentile(50.0)?,
            max: contains.in_unit(trend.highest()? as f64),
            p90: percentile(90.0)?,
            p95: percentile(95.0)?,
            p99: percentile(99.0)?,
        })
    }
}

/// What the samples of a metric are, as in k6, which has no kind for whole numbers.
pub(super) const fn contains_name(contains: Contains) -> &'static str {
    match contains {
        Contains::Time => "time",
        Contains::Data => "data",
        Contains::Default | Contains::Whole => "default",
    }
}

/// A number as k6 writes it: whole ones without a point.
pub(super) fn number(value: f64) -> serde_json::Value {
    let whole = value.fract() == 0.0 && value.abs() <= WHOLE_MAX;
    #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
    if whole {
        (value as i64).into()
    } else {
        value.into()
    }
}

/// Above this a floating-point number may not be a whole one any more.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

fn sum<'a>(mut values: impl Iterator<Item = &'a Value>) -> Option<Value> {
    let mut sum = values.next()?.clone();
    for value in values {
        add(&mut sum, value);
    }
    Some(sum)
}

fn add(sum: &mut Value, value: &Value) {
    let added = sum.merge(value);
    debug_assert!(added.is_ok(), "the values are of one metric");
}
