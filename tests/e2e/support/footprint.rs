//! Everything that a refused request must leave as it was.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::Lab;

/// The five tables of the spec.
pub(crate) const TABLES: [&str; 5] = [
    "load_test_runs",
    "load_test_metrics",
    "load_test_app_results",
    "load_test_bottlenecks",
    "load_test_assertions",
];

/// All rows, all keys of KV, and what Grove received.
#[derive(Debug, PartialEq)]
pub(crate) struct Footprint {
    tables: BTreeMap<String, Vec<Value>>,
    kv_keys: Vec<String>,
    grove_total: u64,
}

impl Footprint {
    /// Takes the footprint of a stack on which nothing is running.
    pub(crate) fn take(lab: &Lab) -> Self {
        let tables = table_names(lab)
            .into_iter()
            .map(|table| {
                let rows = lab.rows(&format!("SELECT * FROM \"{table}\""));
                (table, rows)
            })
            .collect();
        Self {
            tables,
            kv_keys: kv_keys(&lab.state_dir().join("loadtest/state/v3/kv")),
            grove_total: lab.grove.total(),
        }
    }

    /// Everything that D1 holds, as one text.
    pub(crate) fn d1_text(&self) -> String {
        serde_json::to_string(&self.tables).expect("JSON")
    }

    /// The keys of KV.
    pub(crate) fn kv_keys(&self) -> &[String] {
        &self.kv_keys
    }
}

/// The tables of the load tester's database, the five of the spec and any others.
fn table_names(lab: &Lab) -> Vec<String> {
    let rows = lab.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    let names: Vec<String> = rows
        .iter()
        .map(|row| row["name"].as_str().expect("a name").to_owned())
        .collect();
    for table in TABLES {
        assert!(
            names.iter().any(|name| name == table),
            "{table} is not in {names:?}"
        );
    }
    names
}

/// The keys and their values' blobs, straight from the local runtime's database: wrangler takes a second for
/// a look that must be cheap.
fn kv_keys(folder: &Path) -> Vec<String> {
    let mut keys = Vec::new();
    let objects = folder.join("miniflare-KVNamespaceObject");
    // There is no folder before the first key.
    let Ok(entries) = fs::read_dir(objects) else {
        return keys;
    };
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        let is_database = path
            .extension()
            .is_some_and(|extension| extension == "sqlite");
        if !is_database || path.file_stem().is_some_and(|stem| stem == "metadata") {
            continue;
        }
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .expect("the database of KV");
        let mut statement = connection
            .prepare("SELECT key || ' ' || blob_id FROM _mf_entries ORDER BY key")
            .expect("the table of KV");
        let found = statement.query_map([], |row| row.get(0)).expect("keys");
        keys.extend(found.map(|key| key.expect("a text")));
    }
    keys
}
