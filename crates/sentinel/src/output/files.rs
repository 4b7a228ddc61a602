//! Files about a whole run: opened before it, written after it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use sentinel_engine::summary::TestRunResult;

use super::destination::{Destination, FileKind, OutputArguments};
use super::metrics::Metrics;
use super::report::Report;
use super::{csv, html, junit, k6, prometheus};
use crate::exit::Stopped;

/// The files of a run.
#[derive(Default)]
pub(super) struct Files(Vec<(Destination, FileKind, File)>);

/// The outputs of a run that is played elsewhere, of which there will be a summary.
pub(crate) struct SummaryOutputs(Files);

impl Files {
    /// Creates a file.
    ///
    /// # Errors
    /// When it cannot be.
    pub(super) fn open(
        &mut self,
        destination: &Destination,
        kind: FileKind,
        path: &Path,
    ) -> Result<(), Stopped> {
        let file = create(path)?;
        self.0.push((destination.clone(), kind, file));
        Ok(())
    }

    /// Writes all of them, and answers what is incomplete, in words.
    pub(super) fn write(self, report: &Report<'_>) -> Vec<String> {
        let written = self.0.into_iter().map(|(destination, kind, file)| {
            let written = kind.write(BufWriter::new(file), report);
            written.map_err(|error| format!("{destination} is incomplete: {error}"))
        });
        written.filter_map(Result::err).collect()
    }
}

impl SummaryOutputs {
    /// Creates all of them.
    ///
    /// # Errors
    /// When one cannot be, or is of a kind that is made of more than a summary.
    pub(crate) fn open(arguments: &OutputArguments) -> Result<Self, Stopped> {
        let mut files = Files::default();
        for destination in arguments.destinations() {
            match &destination {
                Destination::File(kind, path) if kind.is_of_summary() => {
                    files.open(&destination, *kind, path)?;
                }
                _ => {
                    let accepted = FileKind::ALL
                        .into_iter()
                        .filter(|kind| kind.is_of_summary());
                    let accepted: Vec<_> = accepted
                        .map(|kind| format!("{}=FILE", kind.name()))
                        .collect();
                    return Err(Stopped::invalid(format_args!(
                        "--out {destination}: of a run at the edge there is no more than its summary: accepted are {}",
                        accepted.join(", ")
                    )));
                }
            }
        }
        Ok(Self(files))
    }

    /// Whether nothing was asked for.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }

    /// Writes them, and answers what is incomplete, in words; all of them are without a summary.
    pub(crate) fn finish(self, result: Option<&TestRunResult>) -> Vec<String> {
        let Some(result) = result else {
            let files = self.0.0.into_iter();
            return files
                .map(|(destination, ..)| format!("{destination} is empty: the run has no summary"))
                .collect();
        };
        let metrics = &Metrics::default();
        self.0.write(&Report { result, metrics })
    }
}

impl FileKind {
    fn write(self, mut file: impl Write, report: &Report<'_>) -> io::Result<()> {
        match self {
            Self::Csv => csv::write(&mut file, report.result)?,
            Self::Html => file.write_all(html::page(report)?.as_bytes())?,
            Self::Json => serde_json::to_writer_pretty(&mut file, report.result)?,
            Self::Junit => junit::write(&mut file, report.result)?,
            Self::K6Data => serde_json::to_writer_pretty(&mut file, &k6::data(report))?,
            Self::K6Export => serde_json::to_writer_pretty(&mut file, &k6::export(report))?,
            Self::K6Summary => serde_json::to_writer_pretty(&mut file, &k6::machine(report))?,
            Self::Prometheus => file.write_all(prometheus::text(report).as_bytes())?,
        }
        file.flush()
    }
}

/// Creates a file.
///
/// # Errors
/// When it cannot be.
pub(super) fn create(path: &Path) -> Result<File, Stopped> {
    File::create(path).map_err(|e| Stopped::invalid(format_args!("{}: {e}", path.display())))
}
