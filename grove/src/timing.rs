//! `Server-Timing`: what a request cost inside the platform, per part that it used.
//!
//! The contract with whoever reads it is docs/telemetry.md.
//! Invariant: one entry per call, bounded by `ENTRIES_MAX`, so that the header stays far below
//! the 128 KiB that a response's headers may have.

use std::cell::RefCell;
use std::fmt;

/// More calls than any route makes; what comes after is not listed.
const ENTRIES_MAX: usize = 64;

/// One call of a part of the platform, durations in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    /// A call of a Durable Object.
    Object {
        class: &'static str,
        duration_ms: f64,
        woke: bool,
        failed: bool,
    },
    /// One round trip to D1, which may carry several statements.
    Database {
        duration_ms: f64,
        queries: usize,
        rows_read: usize,
        rows_written: usize,
        batched_write: bool,
        queue: u32,
    },
    /// One operation on R2.
    Bucket {
        duration_ms: f64,
        operation: StorageOperation,
        bytes: u64,
    },
    /// The whole stay of the request in the Worker.
    Total { duration_ms: f64 },
}

/// Whether bytes went into a store or came out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StorageOperation {
    Read,
    Write,
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object {
                class,
                duration_ms,
                woke,
                failed,
            } => write!(
                formatter,
                "do;desc=\"{class}\";dur={duration_ms};wake={};err={}",
                u8::from(*woke),
                u8::from(*failed)
            ),
            Self::Database {
                duration_ms,
                queries,
                rows_read,
                rows_written,
                batched_write,
                queue,
            } => write!(
                formatter,
                "d1;dur={duration_ms};queries={queries};rows_read={rows_read};\
                 rows_written={rows_written};batch={};queue={queue}",
                u8::from(*batched_write)
            ),
            Self::Bucket {
                duration_ms,
                operation,
                bytes,
            } => write!(
                formatter,
                "r2;dur={duration_ms};op={};bytes={bytes}",
                match operation {
                    StorageOperation::Read => "read",
                    StorageOperation::Write => "write",
                }
            ),
            Self::Total { duration_ms } => write!(formatter, "total;dur={duration_ms}"),
        }
    }
}

/// The entries of one request, in the order in which the calls ended.
#[derive(Debug, Default)]
pub(crate) struct Timings {
    entries: RefCell<Vec<Entry>>,
}

impl Timings {
    /// Adds one call.
    pub(crate) fn push(&self, entry: Entry) {
        // No caller holds the borrow over an await, so this never fails; a lost entry would be
        // better than a lost request.
        if let Ok(mut entries) = self.entries.try_borrow_mut()
            && entries.len() < ENTRIES_MAX
        {
            entries.push(entry);
        }
    }

    /// The value of the header, ending in the request's whole duration.
    pub(crate) fn header(&self, total_ms: f64) -> String {
        let mut text = String::new();
        if let Ok(entries) = self.entries.try_borrow() {
            for entry in entries.iter() {
                text.push_str(&entry.to_string());
                text.push_str(", ");
            }
        }
        text.push_str(
            &Entry::Total {
                duration_ms: total_ms,
            }
            .to_string(),
        );
        text
    }
}

/// What an object says about the call that it answers: whether it was constructed for it.
pub(crate) fn object_header(class: &str, woke: bool) -> String {
    format!("do;desc=\"{class}\";wake={}", u8::from(woke))
}

/// Reads back what `object_header` wrote.
pub(crate) fn object_woke(header: &str) -> bool {
    header
        .split(';')
        .any(|parameter| parameter.trim() == "wake=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_the_documented_format() {
        let timings = Timings::default();
        timings.push(Entry::Object {
            class: "SessionDO",
            duration_ms: 3.0,
            woke: true,
            failed: false,
        });
        timings.push(Entry::Database {
            duration_ms: 2.0,
            queries: 1,
            rows_read: 3,
            rows_written: 0,
            batched_write: false,
            queue: 2,
        });
        timings.push(Entry::Bucket {
            duration_ms: 4.5,
            operation: StorageOperation::Write,
            bytes: 123,
        });
        assert_eq!(
            timings.header(11.0),
            "do;desc=\"SessionDO\";dur=3;wake=1;err=0, \
             d1;dur=2;queries=1;rows_read=3;rows_written=0;batch=0;queue=2, \
             r2;dur=4.5;op=write;bytes=123, total;dur=11"
        );
    }

    #[test]
    fn the_list_is_bounded() {
        let timings = Timings::default();
        for _ in 0..10_000 {
            timings.push(Entry::Total { duration_ms: 0.0 });
        }
        assert_eq!(timings.header(0.0).split(", ").count(), ENTRIES_MAX + 1);
    }

    #[test]
    fn an_object_tells_whether_it_woke() {
        assert!(object_woke(&object_header("PostDO", true)));
        assert!(!object_woke(&object_header("PostDO", false)));
        assert!(!object_woke("do;desc=\"wake=1x\""));
    }
}
