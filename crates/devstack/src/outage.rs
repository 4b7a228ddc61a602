//! Databases that refuse: what a test does to find out what a Worker makes of it.
//!
//! Invariant: an outage ends when its value is dropped, and nothing that was stored is lost by it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rusqlite::{Connection, OpenFlags};

use crate::stack::{DevStack, Service};

/// A database of the load tester that refuses, until this is dropped.
#[derive(Debug)]
pub struct Outage {
    connection: Connection,
    end: &'static str,
}

impl DevStack {
    /// Lets D1 refuse all writes of the load tester: another connection holds the lock on the database.
    ///
    /// # Errors
    /// When there is no database or it cannot be locked.
    pub fn refuse_d1(&self) -> Result<Outage> {
        self.refuse(D1, "BEGIN IMMEDIATE", "ROLLBACK")
    }

    /// Lets D1 refuse all reads and writes of runs and their results: their tables have other names. What SQLite
    /// says about the tables is not the same to the letter afterwards.
    ///
    /// # Errors
    /// When there is no database or its tables cannot be renamed.
    pub fn hide_d1_tables(&self) -> Result<Outage> {
        self.refuse(D1, HIDE, SHOW)
    }

    /// Lets KV refuse all reads and writes of the load tester: its table lacks a column. A table that was missing
    /// would be made anew.
    ///
    /// # Errors
    /// When nothing was ever asked of KV, or the table cannot be changed.
    pub fn refuse_kv(&self) -> Result<Outage> {
        self.refuse(
            "v3/kv/miniflare-KVNamespaceObject",
            "ALTER TABLE _mf_entries RENAME COLUMN blob_id TO blob_id_gone",
            "ALTER TABLE _mf_entries RENAME COLUMN blob_id_gone TO blob_id",
        )
    }

    fn refuse(&self, folder: &str, begin: &str, end: &'static str) -> Result<Outage> {
        let file = only_database(&self.persist(Service::LoadTest).join(folder))?;
        let connection = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection
            .execute_batch(begin)
            .with_context(|| format!("{begin} on {}", file.display()))?;
        Ok(Outage { connection, end })
    }
}

impl Drop for Outage {
    fn drop(&mut self) {
        if let Err(error) = self.connection.execute_batch(self.end) {
            eprintln!("the outage could not be ended: {}: {error}", self.end);
        }
    }
}

/// Where the local runtime keeps D1's databases.
const D1: &str = "v3/d1/miniflare-D1DatabaseObject";

const HIDE: &str = "
    ALTER TABLE load_test_runs RENAME TO hidden_runs;
    ALTER TABLE load_test_metrics RENAME TO hidden_metrics;
    ALTER TABLE load_test_app_results RENAME TO hidden_app_results;
    ALTER TABLE load_test_bottlenecks RENAME TO hidden_bottlenecks;
    ALTER TABLE load_test_assertions RENAME TO hidden_assertions;
    ALTER TABLE load_test_histograms RENAME TO hidden_histograms
";

const SHOW: &str = "
    ALTER TABLE hidden_runs RENAME TO load_test_runs;
    ALTER TABLE hidden_metrics RENAME TO load_test_metrics;
    ALTER TABLE hidden_app_results RENAME TO load_test_app_results;
    ALTER TABLE hidden_bottlenecks RENAME TO load_test_bottlenecks;
    ALTER TABLE hidden_assertions RENAME TO load_test_assertions;
    ALTER TABLE hidden_histograms RENAME TO load_test_histograms
";

/// The only database in a folder of the local runtime.
pub(crate) fn only_database(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "sqlite")
        })
        .filter(|path| path.file_stem().is_some_and(|stem| stem != "metadata"))
        .collect();
    match (files.pop(), files.len()) {
        (Some(file), 0) => Ok(file),
        (_, others) => bail!(
            "{} holds {} databases instead of one",
            folder.display(),
            others
        ),
    }
}
