//! The files that a run leaves behind.
//!
//! Invariant: all of them are opened before any load is sent, and one that cannot be written loses neither the
//! run nor the others.

mod csv;
mod junit;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::str::FromStr;

use sentinel_engine::summary::TestRunResult;

use crate::exit::Stopped;

/// What is written where, as on the command line: `junit=report.xml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    kind: Kind,
    path: PathBuf,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The summary, with the fields of `summary_json` in D1.
    Json,
    /// The time line.
    Csv,
    /// What had to hold, as test cases.
    Junit,
}

/// Files that wait for the end of the run.
pub(crate) struct Outputs<'a>(Vec<(&'a Destination, File)>);

impl<'a> Outputs<'a> {
    /// Creates the files.
    ///
    /// # Errors
    /// When one cannot be created, or is named twice.
    pub(crate) fn create(destinations: &'a [Destination]) -> Result<Self, Stopped> {
        let mut files = Vec::new();
        for (at, destination) in destinations.iter().enumerate() {
            let path = &destination.path;
            let earlier = destinations.iter().take(at);
            if earlier.map(|other| &other.path).any(|other| other == path) {
                let message = format_args!("{}: written to by two outputs", path.display());
                return Err(Stopped::invalid(message));
            }
            let file = File::create(path)
                .map_err(|e| Stopped::invalid(format_args!("{}: {e}", path.display())))?;
            files.push((destination, file));
        }
        Ok(Self(files))
    }

    /// Writes all of them, and answers what went wrong with each that is incomplete.
    pub(crate) fn write(self, result: &TestRunResult) -> Vec<String> {
        let written = self.0.into_iter().map(|(destination, file)| {
            let written = destination.kind.write(BufWriter::new(file), result);
            written.map_err(|e| format!("{} is incomplete: {e}", destination.path.display()))
        });
        written.filter_map(Result::err).collect()
    }
}

impl Kind {
    const NAMES: [(Self, &'static str); 3] = [
        (Self::Csv, "csv"),
        (Self::Json, "json"),
        (Self::Junit, "junit"),
    ];

    fn write(self, mut file: impl Write, result: &TestRunResult) -> io::Result<()> {
        match self {
            Self::Json => serde_json::to_writer_pretty(&mut file, result)?,
            Self::Csv => csv::write(&mut file, result)?,
            Self::Junit => junit::write(&mut file, result)?,
        }
        file.flush()
    }
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, path) = text.split_once('=').unwrap_or((text, ""));
        let known = Kind::NAMES.into_iter().find(|(_, known)| *known == name);
        match known {
            Some((kind, _)) if !path.is_empty() => Ok(Self {
                kind,
                path: path.into(),
            }),
            Some(_) => Err(format!("where to? Accepted is {name}=FILE")),
            None => {
                let names = Kind::NAMES.map(|(_, name)| format!("{name}=FILE"));
                Err(format!("accepted are {}", names.join(", ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_read_or_refused_with_what_is_accepted() {
        let read: Destination = "junit=a=b.xml".parse().unwrap();
        assert_eq!((read.kind, read.path), (Kind::Junit, "a=b.xml".into()));
        for text in ["junit", "junit=", "influxdb=x", "=x", ""] {
            let error = text.parse::<Destination>().unwrap_err();
            assert!(error.contains("junit=FILE"), "{text}: {error}");
        }
    }
}
