//! What travels: the metrics of one second and phase of one share.

use serde::{Deserialize, Serialize};

use super::tags::TagSet;
use super::value::{KindMismatch, Value};
use crate::sorted::SortedMap;

/// Values by the metric's name and tags. Written with every tag set once:
/// `{"tags":[{"scenario":"a"}],"series":{"http_reqs":[[0,{"c":5000}]]}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WindowOnWire", into = "WindowOnWire")]
pub struct MetricWindow {
    /// The series, only those with samples.
    pub series: SortedMap<String, SortedMap<TagSet, Value>>,
}

impl MetricWindow {
    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Adds the metrics of another share for the same second and phase.
    ///
    /// # Errors
    /// A series is of different kinds in the two; the series before it in order are merged.
    pub fn merge(&mut self, other: &Self) -> Result<(), KindMismatch> {
        for (metric, series) in &other.series {
            if !self.series.contains_key(metric) {
                self.series.insert(metric.clone(), series.clone());
                continue;
            }
            let own = self.series.entry(metric.clone()).or_default();
            for (tags, value) in series {
                if let Some(own) = own.get_mut(tags) {
                    own.merge(value)?;
                } else {
                    own.insert(tags.clone(), value.clone());
                }
            }
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowOnWire {
    tags: Vec<TagSet>,
    series: SortedMap<String, Vec<(usize, Value)>>, // numbers are places in `tags`
}

impl From<MetricWindow> for WindowOnWire {
    fn from(window: MetricWindow) -> Self {
        let sets = window.series.values().flat_map(SortedMap::keys).cloned();
        let mut places: SortedMap<TagSet, usize> = SortedMap::from_iter(sets.map(|tags| (tags, 0)));
        for (place, (_, slot)) in places.iter_mut().enumerate() {
            *slot = place;
        }
        let series = window.series.into_iter().map(|(metric, series)| {
            let series = series
                .into_iter()
                .filter_map(|(tags, value)| Some((*places.get(&tags)?, value)));
            (metric, series.collect())
        });
        Self {
            series: SortedMap::from_iter(series),
            tags: places.into_keys().collect(),
        }
    }
}

impl TryFrom<WindowOnWire> for MetricWindow {
    type Error = WireError;

    fn try_from(wire: WindowOnWire) -> Result<Self, WireError> {
        let mut window = Self::default();
        for (metric, series) in wire.series {
            for (place, value) in series {
                let tags = wire.tags.get(place).ok_or(WireError::Place(place))?;
                let own = window.series.entry(metric.clone()).or_default();
                if own.insert(tags.clone(), value).is_some() {
                    return Err(WireError::Twice);
                }
            }
        }
        Ok(window)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum WireError {
    #[error("a series refers to tag set {0}, which does not exist")]
    Place(usize),
    #[error("a metric has the same tag set twice")]
    Twice,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::value::Rate;

    type Tags<'a> = &'a [(&'a str, &'a str)];

    fn window(series: &[(&str, Tags, Value)]) -> MetricWindow {
        let mut window = MetricWindow::default();
        for (metric, tags, value) in series {
            let own = window.series.entry((*metric).to_owned()).or_default();
            own.insert(tags.iter().copied().collect(), value.clone());
        }
        window
    }

    #[test]
    fn metric_window_format_unchanged() {
        let window = window(&[
            ("http_reqs", &[("scenario", "b")], Value::Counter(2_000)),
            ("http_reqs", &[("scenario", "a")], Value::Counter(5_000)),
            (
                "checks",
                &[("scenario", "b")],
                Value::Rate(Rate {
                    matches: 1,
                    total: 2,
                }),
            ),
            ("iterations", &[], Value::Counter(1_000)),
        ]);
        let json = serde_json::to_string(&window).unwrap();
        assert_eq!(
            json,
            r#"{"tags":[{},{"scenario":"a"},{"scenario":"b"}],"series":{"checks":[[2,{"r":[1,2]}]],"http_reqs":[[1,{"c":5000}],[2,{"c":2000}]],"iterations":[[0,{"c":1000}]]}}"#,
            "frames of an older version become unreadable when this changes"
        );
        assert_eq!(serde_json::from_str::<MetricWindow>(&json).unwrap(), window);
    }

    #[test]
    fn broken_windows_are_refused() {
        for json in [
            r#"{"tags":[],"series":{"a":[[0,{"c":1}]]}}"#,
            r#"{"tags":[{},{}],"series":{"a":[[0,{"c":1}],[1,{"c":1}]]}}"#,
            r#"{"tags":[{}],"series":{"a":[[0,{"x":1}]]}}"#,
            r#"{"tags":[{}],"series":{"a":[[0,{"c":-1}]]}}"#,
            r#"{"tags":[{}],"series":{},"more":1}"#,
            r#"{"series":{}}"#,
        ] {
            assert!(
                serde_json::from_str::<MetricWindow>(json).is_err(),
                "{json}"
            );
        }
    }

    #[test]
    fn windows_of_shares_add_up() {
        let mut a = window(&[("n", &[("t", "1")], Value::Counter(1))]);
        let b = window(&[
            ("m", &[], Value::Counter(7)),
            ("n", &[("t", "1")], Value::Counter(2)),
            ("n", &[("t", "2")], Value::Counter(4)),
        ]);
        a.merge(&b).unwrap();
        assert_eq!(
            a,
            window(&[
                ("m", &[], Value::Counter(7)),
                ("n", &[("t", "1")], Value::Counter(3)),
                ("n", &[("t", "2")], Value::Counter(4)),
            ])
        );
        let c = window(&[("m", &[], Value::Rate(Rate::default()))]);
        assert!(a.merge(&c).is_err());
    }
}
