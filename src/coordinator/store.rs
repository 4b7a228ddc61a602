//! The coordinator's own SQLite.
//!
//! Invariant: writes between two awaits are one transaction of the platform, so that each method here, none of
//! which awaits, is done completely or not at all.

use js_sys::{Array, JSON};
use sentinel_engine::run::{Record, Stored};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use worker::{Result, Storage};

use crate::alert::Alert;
use crate::coordinator::order::RunOrder;
use crate::store::Statement;

/// The tables `facts` (single values by name), `records` (what the engine stores) and `outbox` (transactions
/// that D1 has not confirmed yet).
#[derive(Clone, Debug)]
pub(super) struct Store(Sql);

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
        let store = Self(storage.sql().as_ref().clone().unchecked_into());
        for table in [
            "CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, body TEXT NOT NULL)",
            "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, body TEXT NOT NULL)",
            "CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL)",
        ] {
            store.write(table, &[])?;
        }
        Ok(store)
    }

    /// The store of an object that has one. An object that was never used, or has forgotten everything, costs
    /// nothing, and a question about it must not change that.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn existing(storage: &Storage) -> Result<Option<Self>> {
        let store = Self(storage.sql().as_ref().clone().unchecked_into());
        let sql = "SELECT name AS key, '' AS body FROM sqlite_master WHERE name = 'facts'";
        let tables: Vec<KeyBody> = store.rows(sql, &[])?;
        Ok(if tables.is_empty() { None } else { Some(store) })
    }

    /// What the coordinator was asked to do, `None` if nothing was asked.
    ///
    /// # Errors
    /// When SQLite refuses, or another version of this code wrote it.
    pub(super) fn order(&self) -> Result<Option<RunOrder>> {
        match self.fact("order")? {
            Some(text) => Ok(Some(crate::json::read(&text)?)),
            None => Ok(None),
        }
    }

    /// Stores what the coordinator was asked to do.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn set_order(&self, order: &RunOrder) -> Result<()> {
        self.set_fact("order", crate::json::write(order)?)
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

    /// Why somebody has cancelled the run, empty if that was not said; `None` if nobody has.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn cancelled(&self) -> Result<Option<String>> {
        self.fact("cancelled")
    }

    /// Stores that somebody has cancelled the run, and why. The first reason stays.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn set_cancelled(&self, reason: &str) -> Result<()> {
        if self.cancelled()?.is_some() {
            return Ok(());
        }
        self.set_fact("cancelled", reason.to_owned())
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
        self.write("DELETE FROM records", &[])
    }

    /// The alert that is to be sent.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn alert(&self) -> Result<Option<Alert>> {
        let text = self.fact("alert")?.filter(|text| !text.is_empty());
        text.map(|text| crate::json::read(&text)).transpose()
    }

    /// Stores the alert that is to be sent.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn set_alert(&self, alert: &Alert) -> Result<()> {
        self.set_fact("alert", crate::json::write(alert)?)
    }

    /// Takes note that no alert is to be sent any more.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn clear_alert(&self) -> Result<()> {
        self.set_fact("alert", String::new())
    }

    /// Stores what the engine wants to be stored.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn persist(&self, stored: &Stored) -> Result<()> {
        for prefix in stored.supersedes() {
            self.write(
                "DELETE FROM records WHERE substr(key, 1, ?) = ?",
                &[(prefix.len() as f64).into(), (*prefix).into()],
            )?;
        }
        for Record { key, body } in stored.to_records() {
            self.write(
                "INSERT OR REPLACE INTO records (key, body) VALUES (?, ?)",
                &[key.into(), body.into()],
            )?;
        }
        Ok(())
    }

    /// Everything that the engine has stored.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn records(&self) -> Result<Vec<Record>> {
        let rows: Vec<KeyBody> = self.rows("SELECT key, body FROM records", &[])?;
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
        let body = crate::json::write(statements)?;
        self.write("INSERT INTO outbox (body) VALUES (?)", &[body.into()])
    }

    /// The oldest transactions of the outbox.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn oldest(&self, count: u32) -> Result<Vec<Parcel>> {
        let sql = "SELECT id, body FROM outbox ORDER BY id LIMIT ?";
        let rows: Vec<IdBody> = self.rows(sql, &[count.into()])?;
        rows.into_iter()
            .map(|IdBody { id, body }| {
                Ok(Parcel {
                    id: id as i64,
                    statements: crate::json::read(&body)?,
                })
            })
            .collect()
    }

    /// Forgets the transactions up to this one: D1 has them.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(super) fn delivered(&self, through: i64) -> Result<()> {
        self.write(
            "DELETE FROM outbox WHERE id <= ?",
            &[(through as f64).into()],
        )
    }

    fn fact(&self, key: &str) -> Result<Option<String>> {
        let sql = "SELECT key, body FROM facts WHERE key = ?";
        let rows: Vec<KeyBody> = self.rows(sql, &[key.into()])?;
        Ok(rows.into_iter().next().map(|row| row.body))
    }

    fn set_fact(&self, key: &str, body: String) -> Result<()> {
        self.write(
            "INSERT OR REPLACE INTO facts (key, body) VALUES (?, ?)",
            &[key.into(), body.into()],
        )
    }

    fn rows<T: DeserializeOwned>(&self, sql: &str, values: &[JsValue]) -> Result<Vec<T>> {
        // One crossing for all rows; and what SQLite throws meanwhile is an error, not the end of the Worker.
        let rows = self.0.exec(sql, &Array::from_iter(values))?.to_array()?;
        crate::json::read(&String::from(JSON::stringify(&rows)?))
    }

    fn write(&self, sql: &str, values: &[JsValue]) -> Result<()> {
        self.0
            .exec(sql, &Array::from_iter(values))
            .map(drop)
            .map_err(Into::into)
    }
}

#[wasm_bindgen]
extern "C" {
    /// SQLite of a Durable Object.
    #[derive(Clone, Debug)]
    type Sql;

    #[derive(Debug)]
    type SqlCursor;

    #[wasm_bindgen(method, catch, variadic)]
    fn exec(this: &Sql, query: &str, values: &Array) -> std::result::Result<SqlCursor, JsValue>;

    #[wasm_bindgen(method, catch, js_name = toArray)]
    fn to_array(this: &SqlCursor) -> std::result::Result<Array, JsValue>;
}
