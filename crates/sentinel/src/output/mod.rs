//! What a run leaves behind besides what it prints.
//!
//! Files about the whole run are written at its end from a [`Report`](report::Report); what is told while it goes
//! on is written by threads, each fed by a bounded [`Stream`](stream::Stream). Invariant: all outputs are opened
//! before any load is sent, and one that fails loses neither the run nor the others.

mod csv;
mod destination;
mod files;
mod html;
mod junit;
mod k6;
mod metrics;
mod ndjson;
mod otlp;
mod outputs;
mod points;
mod prometheus;
mod push;
mod report;
mod statsd;
mod stream;
mod summary;

pub(crate) use destination::OutputArguments;
pub(crate) use files::SummaryOutputs;
pub(crate) use outputs::Outputs;
pub(crate) use summary::SummaryArguments;
