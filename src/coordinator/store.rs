//! The coordinator's own SQLite.
//!
//! Invariant: writes between two awaits are one transaction of the platform, so that each method here, none of
//! which awaits, is done completely or not at all.

use sentinel_engine::run::{Record, Stored};
use serde::Deserialize;
use worker::{Result, SqlStorage, SqlStorageValue, Storage};

use crate::coordinator::order::RunOrder;
use crate::store::Statement;

/// The tables `facts` (single values by name), `records` (what the engine stores) and `outbox` (transactions
/// that D1 has not confirmed yet).
#[derive(Clone, Debug)]
pub(super) struct Store(SqlStorage);

/// A transaction for D1.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    /// Its place in the outbox.
    pub(super) id: i64,
    /// Its statements.
    pub(super) statements: Vec<Statement>,
}

#[derive(Deserialize)]
struct KeyBody {
    key: String,
    body: String,
}

#[derive(Deserialize)]
struct IdBody {
    id: f64,
    body: String,
}

impl Store {
    /// The store of an object, with its tables.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn open(storage: &Storage) -> Result<Self> {
        let store = Self(storage.sql());
        for table in [
            "CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, body TEXT NOT NULL)",
            "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, body TEXT NOT NULL)",
            "CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL)",
        ] {
            store.write(table, Vec::new())?;
        }
        Ok(store)
    }

    /// What the coordinator was asked to do, `None` if nothing was asked.
    ///
    /// # Errors
    /// When SQLite refuses, or another version of this code wrote it.
    pub(super) fn order(&self) -> Result<Option<RunOrder>> {
        match self.fact("order")? {
            Some(text) => Ok(Some(serde_json::from_str(&text)?)),
            None => Ok(None),
        }
    }

    /// Stores what the coordinator was asked to do.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn set_order(&self, order: &RunOrder) -> Result<()> {
        self.set_fact("order", serde_json::to_string(order)?)
    }

    /// Unix time of the run's start in milliseconds, `None` before it.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn epoch_ms(&self) -> Result<Option<u64>> {
        Ok(self.fact("epoch_ms")?.and_then(|text| text.parse().ok()))
    }

    /// Stores when the run started.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn set_epoch_ms(&self, epoch_ms: u64) -> Result<()> {
        self.set_fact("epoch_ms", epoch_ms.to_string())
    }

    /// Whether somebody has cancelled the run.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn is_cancelled(&self) -> Result<bool> {
        Ok(self.fact("cancelled")?.is_some())
    }

    /// Stores that somebody has cancelled the run.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn set_cancelled(&self) -> Result<()> {
        self.set_fact("cancelled", String::new())
    }

    /// Whether the run is over, and only the outbox is left.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn is_over(&self) -> Result<bool> {
        Ok(self.fact("over")?.is_some())
    }

    /// Puts the run's outcome into the outbox and forgets everything that only the run needed.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn set_over(&self, outcome: &[Statement]) -> Result<()> {
        self.post(outcome)?;
        self.set_fact("over", String::new())?;
        self.write("DELETE FROM records", Vec::new())
    }

    /// Stores what the engine wants to be stored.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn persist(&self, stored: &Stored) -> Result<()> {
        for prefix in stored.supersedes() {
            let length = i64::try_from(prefix.len()).unwrap_or(i64::MAX);
            self.write(
                "DELETE FROM records WHERE substr(key, 1, ?) = ?",
                vec![length.into(), (*prefix).into()],
            )?;
        }
        for Record { key, body } in stored.to_records() {
            self.write(
                "INSERT OR REPLACE INTO records (key, body) VALUES (?, ?)",
                vec![key.into(), body.into()],
            )?;
        }
        Ok(())
    }

    /// Everything that the engine has stored.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn records(&self) -> Result<Vec<Record>> {
        let rows: Vec<KeyBody> = self
            .0
            .exec("SELECT key, body FROM records", None)?
            .to_array()?;
        let records = rows.into_iter();
        Ok(records
            .map(|KeyBody { key, body }| Record { key, body })
            .collect())
    }

    /// Puts a transaction for D1 into the outbox.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn post(&self, statements: &[Statement]) -> Result<()> {
        let body = serde_json::to_string(statements)?;
        self.write("INSERT INTO outbox (body) VALUES (?)", vec![body.into()])
    }

    /// The oldest transactions of the outbox.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn oldest(&self, count: u32) -> Result<Vec<Parcel>> {
        let cursor = self.0.exec(
            "SELECT id, body FROM outbox ORDER BY id LIMIT ?",
            vec![i64::from(count).into()],
        )?;
        let rows: Vec<IdBody> = cursor.to_array()?;
        rows.into_iter()
            .map(|IdBody { id, body }| {
                Ok(Parcel {
                    id: id as i64,
                    statements: serde_json::from_str(&body)?,
                })
            })
            .collect()
    }

    /// Forgets the transactions up to this one: D1 has them.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn delivered(&self, through: i64) -> Result<()> {
        self.write("DELETE FROM outbox WHERE id <= ?", vec![through.into()])
    }

    fn fact(&self, key: &str) -> Result<Option<String>> {
        let cursor = self.0.exec(
            "SELECT key, body FROM facts WHERE key = ?",
            vec![key.into()],
        )?;
        let rows: Vec<KeyBody> = cursor.to_array()?;
        Ok(rows.into_iter().next().map(|row| row.body))
    }

    fn set_fact(&self, key: &str, body: String) -> Result<()> {
        self.write(
            "INSERT OR REPLACE INTO facts (key, body) VALUES (?, ?)",
            vec![key.into(), body.into()],
        )
    }

    fn write(&self, sql: &str, values: Vec<SqlStorageValue>) -> Result<()> {
        self.0.exec(sql, values).map(drop)
    }
}
