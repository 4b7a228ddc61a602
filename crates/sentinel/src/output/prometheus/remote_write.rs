//! Prometheus remote write, version 1: protobuf, compressed with Snappy, once a second.
//! <https://prometheus.io/docs/specs/prw/remote_write_spec/>

use std::collections::BTreeMap;

use prost::Message;

use super::sample::families;
use super::text::label;
use crate::output::metrics::Metrics;
use crate::output::points::Second;
use crate::output::push::Push;
use crate::output::stream::Sink;

/// Sends what the run has measured so far.
pub(in crate::output) struct RemoteWrite {
    push: Push,
    run: String,
    so_far: Metrics,
}

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>, // in the order of names, as the receiver may demand
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64, // Unix time in milliseconds
}

impl RemoteWrite {
    /// Sends to this address what the run of this identifier measures.
    pub(in crate::output) fn new(push: Push, run: &str) -> Self {
        Self {
            push,
            run: run.to_owned(),
            so_far: Metrics::default(),
        }
    }

    fn request(&self, at_ms: u64) -> WriteRequest {
        let timestamp = i64::try_from(at_ms).unwrap_or(i64::MAX);
        let metrics = self.so_far.iter();
        let families = metrics.flat_map(families);
        let series = families.flat_map(|family| {
            let name = family.name;
            let samples = family.samples.into_iter();
            samples.map(move |(tags, value)| {
                let tags = tags.iter().map(|(name, value)| (label(name), value));
                let own = [("__name__", name.as_str()), ("testid", &self.run)];
                let own = own.map(|(name, value)| (name.to_owned(), value));
                let labels: BTreeMap<String, &str> = tags.chain(own).collect();
                let labels = labels.into_iter().map(|(name, value)| Label {
                    name,
                    value: value.to_owned(),
                });
                TimeSeries {
                    labels: labels.collect(),
                    samples: vec![Sample { value, timestamp }],
                }
            })
        });
        WriteRequest {
            timeseries: series.collect(),
        }
    }
}

impl Sink for RemoteWrite {
    fn write(&mut self, second: &Second) -> Result<(), String> {
        for point in &second.points {
            self.so_far
                .add(&point.definition, &point.tags, &point.value);
        }
        // All numbers of a second are of its end.
        let request = self.request(second.at_ms.saturating_add(1_000));
        let mut snappy = snap::raw::Encoder::new();
        let body = snappy
            .compress_vec(&request.encode_to_vec())
            .map_err(|error| error.to_string())?;
        let fields = [
            ("content-type", "application/x-protobuf"),
            ("content-encoding", "snappy"),
            ("x-prometheus-remote-write-version", "0.1.0"),
        ];
        self.push.post(&fields, body)
    }

    /// What comes next repeats everything that could not be told.
    fn recovers(&self) -> bool {
        true
    }
}
