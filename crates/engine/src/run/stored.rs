//! What a run stores, as records of a key and a text, and how it is read back.
//!
//! A driver needs one table, `records (key TEXT PRIMARY KEY, body TEXT)`, and one transaction per
//! [`Output::Persist`](crate::run::Output::Persist): delete the keys that begin with one of
//! [`Stored::supersedes`], then put [`Stored::to_records`], replacing a record of the same key. After a crash it
//! gives all records, in any order, to [`Run::restore`](crate::run::Run::restore). Invariant: each record
//! stays below [`RECORD_BYTES_MAX`], and what the records hold together is bounded by the length of one slice.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::json;
use crate::ledger::Ledger;
use crate::plan::RunPart;
use crate::run::book::Book;
use crate::run::judging::JudgingState;
use crate::run::once::{OnceBook, OnceState};
use crate::run::types::StopReason;
use crate::sorted::SortedMap;
use crate::tick::Tick;
use crate::wire::WIRE_VERSION;

/// The version of [`Checkpoint`] that this code writes and reads.
pub const CHECKPOINT_VERSION: u32 = 3;

/// The longest body of a record. SQLite in a Durable Object takes 2 MB per row
/// (<https://developers.cloudflare.com/durable-objects/platform/limits/>); half of it leaves room for text
/// that is longer in the store's own encoding.
pub const RECORD_BYTES_MAX: usize = 1_000_000;

/// What a run stores.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// A slice began. Stored before any of its batches is started.
    SliceStarted(SliceStarted),
    /// A bundle that is merged. Key: slice, line, sequence.
    Bundle(Bundle),
    /// A stop was asked for.
    Stop(Stop),
    /// How far setup and teardown are. Stored before one of them is handed out, with everything that is told of
    /// it, and when it has ended.
    Once(Box<OnceRecord>),
    /// Everything up to the end of a slice. Makes all bundles before it superfluous.
    Checkpoint(Box<Checkpoint>),
}

/// The beginning of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SliceStarted {
    /// The slice, from 0.
    pub slice: u32,
    /// When it starts.
    pub from: Tick,
    /// When it ends.
    pub until: Tick,
    /// The batches that play in it.
    pub batches: Vec<u32>,
}

/// A stop that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stop {
    /// Why.
    pub reason: StopReason,
    /// When.
    pub at: Tick,
}

/// Everything that a run knows at the end of a slice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checkpoint {
    /// The format's version: [`CHECKPOINT_VERSION`].
    pub version: u32,
    /// When it was made.
    pub at: Tick,
    /// Whether the run is over.
    pub finished: bool,
    pub(super) book: Book,
    pub(super) judging: JudgingState,
}

/// How far what is played once is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OnceRecord {
    /// The format's version: [`CHECKPOINT_VERSION`].
    pub version: u32,
    #[serde(default)]
    pub(super) setup: Option<OnceBook>,
    #[serde(default)]
    pub(super) teardown: Option<OnceBook>,
}

impl OnceRecord {
    /// The part that is handed out with this record, which is the first of it. A driver that plays each slice in
    /// an invocation of its own does well to begin one here too.
    #[must_use]
    pub fn begins(&self) -> Option<RunPart> {
        let parts = [
            (RunPart::Setup, &self.setup),
            (RunPart::Teardown, &self.teardown),
        ];
        let begins = |book: &OnceBook| {
            book.state == OnceState::Playing && book.told.ledger == Ledger::default()
        };
        let mut begun = parts
            .into_iter()
            .filter(|(_, book)| book.as_ref().is_some_and(begins));
        begun.next().map(|(part, _)| part)
    }
}

/// A key with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Unique among the records of a run.
    pub key: String,
    /// At most [`RECORD_BYTES_MAX`] bytes.
    pub body: String,
}

/// Records from which no run can be restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The key is none of ours: the records belong to something else.
    #[error("record {key:?} has an unknown key")]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// A part of a stored value is missing: the transaction that wrote it was not atomic.
    #[error("record {key:?} is incomplete: {found} of {parts} parts")]
    Incomplete {
        /// The key without its part.
        key: String,
        /// How many parts there are.
        found: usize,
        /// How many there should be.
        parts: usize,
    },
    /// The text cannot be read.
    #[error("record {key:?} cannot be read: {problem}")]
    Unreadable {
        /// The key without its part.
        key: String,
        /// What the parser says.
        problem: String,
    },
    /// The text was written by another version of this code.
    #[error("record {key:?} has version {version}, this code reads {}", .readable)]
    Version {
        /// The key without its part.
        key: String,
        /// The version found.
        version: u32,
        /// The version that can be read.
        readable: u32,
    },
}

impl Stored {
    /// Beginnings of the keys that this replaces.
    #[must_use]
    pub const fn supersedes(&self) -> &'static [&'static str] {
        match self {
            Self::SliceStarted(_) => &["slice/"],
            Self::Bundle(_) | Self::Stop(_) => &[],
            Self::Once(_) => &["once/"],
            Self::Checkpoint(_) => &["checkpoint/", "bundle/", "slice/"],
        }
    }

    /// The records to put.
    #[must_use]
    pub fn to_records(&self) -> Vec<Record> {
        let (key, body) = match self {
            Self::SliceStarted(slice) => ("slice/".to_owned(), to_json(slice)),
            Self::Bundle(bundle) => {
                let Bundle {
                    slice,
                    line,
                    sequence,
                    ..
                } = bundle;
                (
                    format!("bundle/{slice:06}/{line:06}/{sequence:06}/"),
                    to_json(bundle),
                )
            }
            Self::Stop(stop) => ("stop/".to_owned(), to_json(stop)),
            Self::Once(once) => ("once/".to_owned(), to_json(once)),
            Self::Checkpoint(checkpoint) => ("checkpoint/".to_owned(), to_json(checkpoint)),
        };
        let parts = split(&body, RECORD_BYTES_MAX);
        let count = parts.len();
        let record = |(i, body): (usize, &str)| Record {
            key: format!("{key}{:04}-{count:04}", i + 1),
            body: body.to_owned(),
        };
        parts.into_iter().enumerate().map(record).collect()
    }
}

/// What records hold, read back.
#[derive(Debug, Default)]
pub(super) struct Restored {
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) slice: Option<SliceStarted>,
    pub(super) stop: Option<Stop>,
    pub(super) once: Option<OnceRecord>,
    pub(super) bundles: Vec<Bundle>, // by slice, line and sequence
}

impl Restored {
    /// Whether anything is known of the load.
    pub(super) const fn has_begun(&self) -> bool {
        self.checkpoint.is_some() || self.slice.is_some() || self.stop.is_some()
    }

    pub(super) fn read(records: impl IntoIterator<Item = Record>) -> Result<Self, RestoreError> {
        let mut restored = Self::default();
        for (key, body) in join(records)? {
            let kind = key.split('/').next().unwrap_or_default();
            match kind {
                "slice" => restored.slice = Some(from_json(&key, &body)?),
                "stop" => restored.stop = Some(from_json(&key, &body)?),
                "once" => {
                    let once: OnceRecord = from_json(&key, &body)?;
                    check_version(&key, once.version, CHECKPOINT_VERSION)?;
                    restored.once = Some(once);
                }
                "bundle" => {
                    let bundle: Bundle = from_json(&key, &body)?;
                    check_version(&key, bundle.version, WIRE_VERSION)?;
                    restored.bundles.push(bundle);
                }
                "checkpoint" => {
                    let checkpoint: Checkpoint = from_json(&key, &body)?;
                    check_version(&key, checkpoint.version, CHECKPOINT_VERSION)?;
                    restored.checkpoint = Some(checkpoint);
                }
                _ => return Err(RestoreError::UnknownKey { key }),
            }
        }
        Ok(restored)
    }
}

/// Puts the parts together again, by key.
fn join(
    records: impl IntoIterator<Item = Record>,
) -> Result<SortedMap<String, String>, RestoreError> {
    let mut parts: SortedMap<String, SortedMap<usize, String>> = SortedMap::new();
    let mut counts: SortedMap<String, usize> = SortedMap::new();
    for Record { key, body } in records {
        let parsed = key.rsplit_once('/').and_then(|(stem, part)| {
            let (number, count) = part.split_once('-')?;
            let (number, count) = (number.parse().ok()?, count.parse().ok()?);
            Some((format!("{stem}/"), number, count))
        });
        let Some((stem, number, count)) = parsed else {
            return Err(RestoreError::UnknownKey { key });
        };
        parts.entry(stem.clone()).or_default().insert(number, body);
        let largest = counts.entry(stem).or_insert(count);
        *largest = count.max(*largest);
    }
    let mut joined = SortedMap::new();
    for (key, bodies) in parts {
        let parts = counts.get(&key).copied().unwrap_or_default();
        if bodies.len() != parts {
            let found = bodies.len();
            return Err(RestoreError::Incomplete { key, found, parts });
        }
        joined.insert(key, bodies.into_values().collect());
    }
    Ok(joined)
}

/// Cuts a text into parts of at most `bytes_max` bytes, at least one part.
fn split(text: &str, bytes_max: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while rest.len() > bytes_max {
        let at = rest.floor_char_boundary(bytes_max).max(1);
        let Some((part, after)) = rest.split_at_checked(at) else {
            break;
        };
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
}

/// Our own types always serialize: their maps have text keys and their numbers are finite or optional.
fn to_json<T: Serialize>(value: &T) -> String {
    json::to_string(value).unwrap_or_default()
}

fn from_json<T: DeserializeOwned>(key: &str, body: &str) -> Result<T, RestoreError> {
    json::from_str(body).map_err(|error| RestoreError::Unreadable {
        key: key.to_owned(),
        problem: error.to_string(),
    })
}

fn check_version(key: &str, version: u32, readable: u32) -> Result<(), RestoreError> {
    if version == readable {
        return Ok(());
    }
    Err(RestoreError::Version {
        key: key.to_owned(),
        version,
        readable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters_and_joined_again() {
        let text = "aé☃😀".repeat(100);
        for bytes_max in 4..40 {
            let parts = split(&text, bytes_max);
            assert!(
                parts
                    .iter()
                    .all(|part| part.len() <= bytes_max && !part.is_empty())
            );
            let count = parts.len();
            let records = parts.iter().enumerate().rev().map(|(i, part)| Record {
                key: format!("x/{:04}-{count:04}", i + 1),
                body: (*part).to_owned(),
            });
            let joined = join(records).unwrap();
            assert_eq!(
                joined.into_iter().collect::<Vec<_>>(),
                [("x/".to_owned(), text.clone())]
            );
        }
        assert_eq!(split("", 4), [""]);
    }

    #[test]
    fn a_missing_part_is_noticed() {
        for missing in 0..3 {
            let records = (0..3).filter(|i| *i != missing).map(|i| Record {
                key: format!("x/{:04}-0003", i + 1),
                body: String::new(),
            });
            let (found, parts) = (2, 3);
            let key = "x/".to_owned();
            assert_eq!(
                join(records),
                Err(RestoreError::Incomplete { key, found, parts })
            );
        }
    }
}
