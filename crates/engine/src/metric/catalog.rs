//! All metrics of a plan: the built-in ones, k6's and ours, and those that the scenario defines.
//!
//! Invariant: equal plans give equal catalogs, so that a [`MetricId`] means the same in every share.

use super::definition::Contains::{self, Data, Default as Plain, Time, Whole};
use super::definition::MetricKind::{self, Counter, Gauge, Rate, Trend};
use super::definition::Origin::{self, Batch, Run, Target};
use super::definition::{CustomMetric, Definition};
use super::limits::CUSTOM_METRICS_MAX;
use super::tags::TagSet;
use super::value::Value;
use super::window::MetricWindow;
use crate::sorted::SortedMap;

/// The number of a metric in its catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricId(u16);

/// The metrics of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    definitions: Vec<Definition>, // in the order of MetricId, at most u16::MAX
    ids: SortedMap<String, MetricId>,
}

/// A metric that cannot be defined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// Choose another name.
    #[error(
        "metric name {0:?} is not accepted: a letter or _, then letters, digits and _, 2 to 129 characters"
    )]
    Name(String),
    /// Choose another name.
    #[error("metric {0} is built in and cannot be defined again")]
    BuiltIn(String),
    /// Define it once.
    #[error("metric {0} is defined twice")]
    Twice(String),
    /// Define fewer metrics.
    #[error("{0} metrics are defined: at most {CUSTOM_METRICS_MAX} are accepted")]
    TooMany(usize),
}

/// Metrics that a batch cannot have recorded; nothing of them was merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// The plan has no such metric, or batches do not record it.
    #[error("metric {0:?} is not one that batches record")]
    Metric(String),
    /// The plan has it with another kind.
    #[error("metric {metric} came as a {}: it is a {}", .came.name(), .is.name())]
    Kind {
        /// The metric.
        metric: String,
        /// The kind that came.
        came: MetricKind,
        /// The kind in the plan.
        is: MetricKind,
    },
}

impl Catalog {
    /// The built-in metrics and these.
    ///
    /// # Errors
    /// All metrics that cannot be defined, with their place in `custom`; the first place when there are too
    /// many.
    pub fn new(custom: &[CustomMetric]) -> Result<Self, Vec<(usize, CatalogError)>> {
        let mut catalog = Self::default();
        catalog.define(custom, Batch)?;
        Ok(catalog)
    }

    /// Adds metrics of the scenario's own that `origin` feeds.
    ///
    /// # Errors
    /// All metrics that cannot be defined, with their place in `custom`; the first place when there are too
    /// many. The others are added.
    pub fn define(
        &mut self,
        custom: &[CustomMetric],
        origin: Origin,
    ) -> Result<(), Vec<(usize, CatalogError)>> {
        let mut errors = Vec::new();
        if custom.len() > CUSTOM_METRICS_MAX {
            errors.push((0, CatalogError::TooMany(custom.len())));
        }
        for (place, metric) in custom.iter().take(CUSTOM_METRICS_MAX).enumerate() {
            let name = metric.name.clone();
            if !is_name(&name) {
                let shown = name.chars().take(NAME_CHARS_SHOWN).collect();
                errors.push((place, CatalogError::Name(shown)));
            } else if let Some(id) = self.ids.get(&name) {
                let built_in = usize::from(id.0) < BUILT_IN.len();
                let error = if built_in {
                    CatalogError::BuiltIn
                } else {
                    CatalogError::Twice
                };
                errors.push((place, error(name)));
            } else {
                self.push(Definition {
                    name,
                    kind: metric.kind,
                    contains: metric.contains,
                    origin,
                });
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    /// The metric of this name.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<MetricId> {
        self.ids.get(name).copied()
    }

    /// What the metric is, `None` if the number is from another catalog.
    #[must_use]
    pub fn definition(&self, id: MetricId) -> Option<&Definition> {
        self.definitions.get(usize::from(id.0))
    }

    /// Whether the scenario defines the metric.
    #[must_use]
    pub const fn is_custom(&self, id: MetricId) -> bool {
        id.0 as usize >= BUILT_IN.len()
    }

    /// All metrics in the order of their numbers: built-in ones first.
    pub fn iter(&self) -> impl Iterator<Item = (MetricId, &Definition)> {
        (0..).map(MetricId).zip(&self.definitions)
    }

    /// The metrics of a window in its order, if batches can have recorded all of it.
    ///
    /// # Errors
    /// The first metric that no batch of this plan records.
    pub fn check(&self, window: &MetricWindow) -> Result<Vec<MetricId>, MergeError> {
        let check = |(name, series): (&String, &SortedMap<TagSet, Value>)| {
            let unknown = || MergeError::Metric(name.chars().take(NAME_CHARS_SHOWN).collect());
            let id = self.id(name).ok_or_else(unknown)?;
            let definition = self.definition(id).ok_or_else(unknown)?;
            if definition.origin == Run {
                return Err(unknown());
            }
            match series.values().find(|v| v.kind() != definition.kind) {
                None => Ok(id),
                Some(value) => Err(MergeError::Kind {
                    metric: definition.name.clone(),
                    came: value.kind(),
                    is: definition.kind,
                }),
            }
        };
        window.series.iter().map(check).collect()
    }

    fn push(&mut self, definition: Definition) {
        if let Ok(number) = u16::try_from(self.definitions.len()) {
            self.ids.insert(definition.name.clone(), MetricId(number));
            self.definitions.push(definition);
        }
    }
}

/// The built-in metrics alone.
impl Default for Catalog {
    fn default() -> Self {
        let mut catalog = Self {
            definitions: Vec::new(),
            ids: SortedMap::new(),
        };
        for (name, kind, contains, origin) in BUILT_IN {
            catalog.push(Definition {
                name: name.to_owned(),
                kind,
                contains,
                origin,
            });
        }
        catalog
    }
}

/// k6's rule, which is that of OpenTelemetry without its separators.
fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    first
        && (1..=128).contains(&bytes.len())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

const NAME_CHARS_SHOWN: usize = 64;

const BUILT_IN: [(&str, MetricKind, Contains, Origin); 56] = [
    // k6's, with k6's types. What a driver cannot tell apart, as the edge the phases of a connection, has no
    // data, which a threshold on it says.
    ("vus", Gauge, Plain, Run),
    ("vus_max", Gauge, Plain, Run),
    ("iterations", Counter, Plain, Batch),
    ("iteration_duration", Trend, Time, Batch),
    ("dropped_iterations", Counter, Plain, Batch),
    ("checks", Rate, Plain, Batch),
    ("group_duration", Trend, Time, Batch),
    ("http_reqs", Counter, Plain, Batch),
    ("http_req_failed", Rate, Plain, Batch),
    ("http_req_duration", Trend, Time, Batch), // without connecting, as in k6, where that can be told apart
    ("http_req_blocked", Trend, Time, Batch),
    ("http_req_looking_up", Trend, Time, Batch),
    ("http_req_connecting", Trend, Time, Batch),
    ("http_req_tls_handshaking", Trend, Time, Batch),
    ("http_req_sending", Trend, Time, Batch),
    ("http_req_waiting", Trend, Time, Batch),
    ("http_req_receiving", Trend, Time, Batch),
    ("ws_sessions", Counter, Plain, Batch),
    ("ws_msgs_sent", Counter, Plain, Batch),
    ("ws_msgs_received", Counter, Plain, Batch),
    ("ws_ping", Trend, Time, Batch),
    ("ws_session_duration", Trend, Time, Batch),
    ("ws_connecting", Trend, Time, Batch),
    ("grpc_req_duration", Trend, Time, Batch),
    ("data_sent", Counter, Data, Batch),
    ("data_received", Counter, Data, Batch),
    // Ours. Response time counts from the planned start, service time from the actual sending.
    ("response_time", Trend, Time, Batch),
    ("service_time", Trend, Time, Batch),
    ("slot_wait", Trend, Time, Batch),
    ("lateness", Trend, Time, Batch),
    ("interrupted_iterations", Counter, Plain, Batch),
    ("requests_cut_off", Counter, Plain, Batch),
    // Of answers that are read event by event; rates are those of each stream.
    ("sse_streams", Counter, Plain, Batch),
    ("sse_resumes", Counter, Plain, Batch),
    ("sse_time_to_headers", Trend, Time, Batch),
    ("sse_time_to_first_event", Trend, Time, Batch),
    ("sse_event_gap", Trend, Time, Batch),
    ("sse_events", Counter, Plain, Batch),
    ("sse_stalls", Counter, Plain, Batch),
    ("sse_duration", Trend, Time, Batch),
    ("sse_events_per_second", Trend, Plain, Batch),
    ("sse_tokens", Counter, Plain, Batch),
    ("sse_time_to_first_token", Trend, Time, Batch),
    ("sse_tokens_per_second", Trend, Plain, Batch),
    // Of messages over WebSockets: the rate is that of sessions in which something went wrong.
    ("ws_errors", Rate, Plain, Batch),
    ("ws_rtt", Trend, Time, Batch),
    ("ws_wait", Trend, Time, Batch),
    ("ws_msgs_timed_out", Counter, Plain, Batch),
    ("ws_msgs_cut_off", Counter, Plain, Batch),
    // Only the run knows what was lost: seconds of batches that arrived of those that were due.
    ("lost_iterations", Counter, Plain, Run),
    ("coverage", Rate, Plain, Run),
    // What the target tells through Server-Timing (docs/telemetry.md).
    ("do_wake_rate", Rate, Plain, Target),
    ("do_duration", Trend, Time, Target),
    ("d1_queue_depth", Trend, Whole, Target),
    ("d1_duration", Trend, Time, Target),
    ("storage_duration", Trend, Time, Target),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(name: &str) -> CustomMetric {
        CustomMetric {
            name: name.to_owned(),
            kind: Counter,
            contains: Plain,
        }
    }

    #[test]
    fn built_in_metrics_are_those_of_k6() {
        let catalog = Catalog::default();
        assert_eq!(catalog.iter().count(), BUILT_IN.len());
        for (names, kind, contains) in [
            ("vus vus_max", Gauge, Plain),
            (
                "iterations dropped_iterations http_reqs ws_sessions ws_msgs_sent ws_msgs_received",
                Counter,
                Plain,
            ),
            ("data_sent data_received", Counter, Data),
            ("checks http_req_failed", Rate, Plain),
            (
                "iteration_duration group_duration http_req_duration http_req_blocked http_req_looking_up \
                 http_req_connecting http_req_tls_handshaking http_req_sending http_req_waiting \
                 http_req_receiving ws_ping ws_session_duration ws_connecting grpc_req_duration",
                Trend,
                Time,
            ),
        ] {
            for name in names.split_whitespace() {
                let definition = catalog.definition(catalog.id(name).unwrap()).unwrap();
                assert_eq!(
                    (definition.kind, definition.contains),
                    (kind, contains),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn names_are_checked_and_all_problems_reported() {
        let long = "a".repeat(130);
        let names = [
            "ok_1",
            "_x",
            "1x",
            "x",
            "a-b",
            "iterations",
            "ok_1",
            "",
            &long,
            "ä1",
        ];
        let metrics: Vec<_> = names.into_iter().map(custom).collect();
        let errors = Catalog::new(&metrics).unwrap_err();
        let places: Vec<_> = errors.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(errors[3].1, CatalogError::BuiltIn("iterations".to_owned()));
        assert_eq!(errors[4].1, CatalogError::Twice("ok_1".to_owned()));
        let names = ["zz", &"a".repeat(129)].map(custom);
        assert_eq!(
            Catalog::new(&names).unwrap().iter().count(),
            BUILT_IN.len() + 2
        );
    }

    #[test]
    fn too_many_metrics_are_refused() {
        let metrics: Vec<_> = (0..=CUSTOM_METRICS_MAX)
            .map(|i| custom(&format!("m{i}")))
            .collect();
        let errors = Catalog::new(&metrics).unwrap_err();
        assert_eq!(errors, [(0, CatalogError::TooMany(CUSTOM_METRICS_MAX + 1))]);
    }
}
