//! `POST /entries` of an object ([`NewEntries`]): notes what somebody did, the newest 100.
//!
//! Invariant: what was answered for is stored, in the order of arrival, and an object holds a
//! bounded number of entries whatever it is sent.

use serde::{Deserialize, Serialize};

use crate::app::now_whole_ms;
use crate::error::{ApiError, ApiResult};
use crate::objects::host::{Answer, Call, Host, answer, number};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS entries (
  number INTEGER PRIMARY KEY, author TEXT NOT NULL, text TEXT NOT NULL, at_ms INTEGER NOT NULL
);
";
const ENTRIES_MAX: usize = 100;
const AUTHOR_BYTES_MAX: usize = 200;
const TEXT_BYTES_MAX: usize = 2_000;

/// What somebody did.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEntries {
    entries: Vec<NewEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEntry {
    by: String,
    text: String,
}

/// How much is noted.
#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    /// Entries that the object ever took.
    total: u64,
}

/// Serves a call.
pub(super) fn append(host: &Host, call: &Call) -> ApiResult<Answer> {
    let NewEntries { entries } = call.json()?;
    check(&entries)?;
    host.run(SCHEMA, Vec::new())?;
    let now = now_whole_ms();
    for entry in entries {
        host.run(
            "INSERT INTO entries (author, text, at_ms) VALUES (?, ?, ?)",
            vec![entry.by.into(), entry.text.into(), number(now)],
        )?;
    }
    // The newest one always stays, so that numbers never come again.
    host.run(
        "DELETE FROM entries WHERE number <= (SELECT max(number) FROM entries) - 100",
        Vec::new(),
    )?;
    let noted: Option<Noted> = host.row("SELECT max(number) AS total FROM entries", Vec::new())?;
    answer(&noted.unwrap_or(Noted { total: 0 }))
}

fn check(entries: &[NewEntry]) -> ApiResult<()> {
    let refuse = |message: String| Err(ApiError::new(422, "invalid_entries", message));
    if entries.is_empty() || entries.len() > ENTRIES_MAX {
        let count = entries.len();
        return refuse(format!("{count} entries: accepted are 1 to {ENTRIES_MAX}"));
    }
    let too_long =
        |entry: &NewEntry| entry.by.len() > AUTHOR_BYTES_MAX || entry.text.len() > TEXT_BYTES_MAX;
    if entries.iter().any(too_long) {
        return refuse(format!(
            "an entry is too long: accepted are {AUTHOR_BYTES_MAX} bytes by, {TEXT_BYTES_MAX} bytes text"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_not_fit_is_refused() {
        let entries = |count: usize, text: usize| {
            let entry = || NewEntry {
                by: "user-000001".to_owned(),
                text: "x".repeat(text),
            };
            (0..count).map(|_| entry()).collect::<Vec<_>>()
        };
        assert!(check(&entries(1, 0)).is_ok());
        assert!(check(&entries(ENTRIES_MAX, TEXT_BYTES_MAX)).is_ok());
        for (count, text) in [(0, 0), (ENTRIES_MAX + 1, 0), (1, TEXT_BYTES_MAX + 1)] {
            let refused = check(&entries(count, text)).map_err(|error| error.status);
            assert_eq!(refused, Err(422), "{count} {text}");
        }
    }
}
