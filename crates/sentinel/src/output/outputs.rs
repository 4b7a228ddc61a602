//! All outputs of one run, from before its load to after its end.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, BufWriter};
use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::sync::Arc;

use sentinel_engine::plan::Plan;
use sentinel_engine::run::RunConfig;
use sentinel_engine::summary::{SampleRecorder, TestRunResult};
use sentinel_engine::timeline::TimelineRow;
use sentinel_engine::window::Window;

use super::destination::{Destination, OutputArguments, StreamKind};
use super::files::{Files, create};
use super::metrics::Metrics;
use super::ndjson::Ndjson;
use super::otlp::Otlp;
use super::points::{Points, Second};
use super::prometheus::RemoteWrite;
use super::push::Push;
use super::report::Report;
use super::statsd::Statsd;
use super::stream::Stream;
use super::summary::{self, SummaryArguments};
use crate::exit::Stopped;

/// The outputs of a run, which are told what it measures.
pub(crate) struct Outputs {
    files: Files,
    streams: Vec<Stream>,
    points: Points,
    metrics: Metrics,
    samples: SampleRecorder,
}

impl Outputs {
    /// Opens all of them.
    ///
    /// # Errors
    /// When a file cannot be created, a name cannot be resolved, or two outputs go to the same place.
    pub(crate) fn open(
        arguments: &OutputArguments,
        plan: &Plan,
        config: &RunConfig,
    ) -> Result<Self, Stopped> {
        let mut outputs = Self {
            files: Files::default(),
            streams: Vec::new(),
            points: Points::new(plan),
            metrics: Metrics::default(),
            samples: SampleRecorder::new(plan),
        };
        let mut paths = BTreeSet::new();
        for destination in arguments.destinations() {
            let path = match &destination {
                Destination::File(_, path) | Destination::Stream(StreamKind::Ndjson(path)) => path,
                Destination::Stream(_) => {
                    outputs.start(&destination, plan, config)?;
                    continue;
                }
            };
            if !paths.insert(path.clone()) {
                let path = path.display();
                return Err(Stopped::invalid(format_args!(
                    "{path}: written to by two outputs"
                )));
            }
            outputs.start(&destination, plan, config)?;
        }
        Ok(outputs)
    }

    /// Takes what a batch measured of the load; `epoch_ms` is the Unix time at which its time line begins.
    pub(crate) fn window(&mut self, window: &Window, epoch_ms: u64) {
        self.samples.add(window);
        let second = self.points.of_window(window, epoch_ms);
        self.take(second);
    }

    /// Takes a row of the run's time line.
    pub(crate) fn row(&mut self, row: &TimelineRow) {
        let second = self.points.of_row(row);
        self.take(second);
    }

    /// Writes what is left, and answers what is incomplete, in words. The summary gets the samples of the run.
    pub(crate) fn finish(&mut self, result: &mut TestRunResult) -> Vec<String> {
        result.samples = Some(self.samples.clone().finish());
        let report = Report {
            result,
            metrics: &self.metrics,
        };
        let mut incomplete = std::mem::take(&mut self.files).write(&report);
        let streams = std::mem::take(&mut self.streams);
        incomplete.extend(streams.into_iter().filter_map(Stream::finish));
        incomplete
    }

    /// The summary for reading, as a user of k6 knows it.
    pub(crate) fn summary(&self, result: &TestRunResult, arguments: &SummaryArguments) -> String {
        let metrics = &self.metrics;
        summary::text(&Report { result, metrics }, arguments)
    }

    fn take(&mut self, second: Second) {
        for point in &second.points {
            self.metrics
                .add(&point.definition, &point.tags, &point.value);
        }
        let second = Arc::new(second);
        for stream in &mut self.streams {
            stream.send(&second);
        }
    }

    fn start(
        &mut self,
        destination: &Destination,
        plan: &Plan,
        config: &RunConfig,
    ) -> Result<(), Stopped> {
        let kind = match destination {
            Destination::File(kind, path) => {
                return self.files.open(destination, *kind, path);
            }
            Destination::Stream(kind) => kind,
        };
        let refused =
            |error: &dyn Display| Stopped::invalid(format_args!("{destination}: {error}"));
        let stream = match kind {
            StreamKind::Ndjson(path) => {
                let out = BufWriter::new(create(path)?);
                Stream::start(destination, Ndjson::new(out, plan))
            }
            StreamKind::Otlp(url) => {
                let push = Push::new(url.clone()).map_err(|error| refused(&error))?;
                let otlp = Otlp::new(push, &config.run, plan.name(), config.epoch_ms);
                Stream::start(destination, otlp)
            }
            StreamKind::RemoteWrite(url) => {
                let push = Push::new(url.clone()).map_err(|error| refused(&error))?;
                Stream::start(destination, RemoteWrite::new(push, &config.run))
            }
            StreamKind::Statsd(to) => {
                let socket = socket(to)
                    .map_err(|error| Stopped::invalid(format_args!("{destination}: {error}")))?;
                Stream::start(destination, Statsd::new(socket))
            }
        };
        self.streams.push(stream);
        Ok(())
    }
}

/// A socket that sends there.
fn socket(to: &str) -> io::Result<UdpSocket> {
    let to = to.to_socket_addrs()?.next();
    let to = to.ok_or_else(|| io::Error::other("the name has no address"))?;
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => ([0; 4], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to)?;
    Ok(socket)
}
