//! What a test does with a running stack besides HTTP: what somebody with rights on the account
//! could do (query D1, write KV), and what the platform would do (fire a cron).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value, json};

use crate::outage::only_database;
use crate::readiness::agent;
use crate::stack::{DevStack, Service};

impl DevStack {
    /// The rows of a query on the load tester's D1 database, as objects from column to value.
    ///
    /// # Errors
    /// When the query is refused. Writing is.
    pub fn d1_query(&self, sql: &str) -> Result<Vec<Value>> {
        self.d1_query_of(Service::LoadTest, sql)
    }

    /// The rows of a query on the D1 database of either Worker.
    ///
    /// # Errors
    /// When the query is refused. Writing is.
    pub fn d1_query_of(&self, service: Service, sql: &str) -> Result<Vec<Value>> {
        query(&database_file(&self.persist(service))?, sql)
            .with_context(|| format!("query D1 of {}: {sql}", self.config(service).name))
    }

    /// Changes the load tester's D1 database from outside; answers how many rows were changed.
    ///
    /// # Errors
    /// When the statement is refused.
    pub fn d1_execute(&self, sql: &str) -> Result<usize> {
        let connection = open(&database_file(&self.persist(Service::LoadTest))?)?;
        let changed = connection.execute(sql, []);
        changed.with_context(|| format!("change D1: {sql}"))
    }

    /// Writes a key of the load tester's `MONITOR_KV` from outside, with wrangler.
    ///
    /// # Errors
    /// When wrangler fails; with what it printed.
    pub fn kv_put(&self, key: &str, value: &str) -> Result<()> {
        self.kv(&["put", key, value]).map(drop)
    }

    /// Reads a key of the load tester's `MONITOR_KV` from outside; `None` if there is no such key.
    ///
    /// # Errors
    /// When wrangler fails; with what it printed.
    pub fn kv_get(&self, key: &str) -> Result<Option<String>> {
        // `kv key get` prints the same for a missing key as for one with that text as its value.
        let keys: Vec<Value> = serde_json::from_str(&self.kv(&["list", "--prefix", key])?)
            .context("parse the list of keys")?;
        if !keys
            .iter()
            .any(|entry| entry.get("name").and_then(Value::as_str) == Some(key))
        {
            return Ok(None);
        }
        self.kv(&["get", key]).map(Some)
    }

    /// Fires a cron trigger of the load tester now and returns when its handler has ended.
    ///
    /// # Errors
    /// When the handler failed or the runtime does not answer.
    pub fn trigger_cron(&self, expression: &str) -> Result<()> {
        let url = format!("{}/cdn-cgi/local/scheduled", self.url());
        let mut answer = agent(Duration::from_secs(60))
            .get(&url)
            .query("cron", expression)
            .query("format", "json")
            .call()
            .with_context(|| format!("fire the cron {expression}"))?;
        let body = answer
            .body_mut()
            .read_to_string()
            .context("read the cron's outcome")?;
        let outcome: Value = serde_json::from_str(&body).unwrap_or_default();
        if outcome.get("outcome").and_then(Value::as_str) != Some("ok") {
            bail!("the cron {expression} answered {} {body}", answer.status());
        }
        Ok(())
    }

    fn kv(&self, arguments: &[&str]) -> Result<String> {
        let output = self
            .tools
            .wrangler()
            .args(["kv", "key"])
            .args(arguments)
            .args(["--binding", "MONITOR_KV", "--local", "--config"])
            .arg(&self.config(Service::LoadTest).file)
            .arg("--persist-to")
            .arg(self.persist(Service::LoadTest))
            .stdin(Stdio::null())
            .output()
            .context("run wrangler")?;
        if !output.status.success() {
            let (out, err) = (&output.stdout, &output.stderr);
            bail!(
                "{}{}",
                String::from_utf8_lossy(out),
                String::from_utf8_lossy(err)
            );
        }
        String::from_utf8(output.stdout).context("wrangler printed something that is not UTF-8")
    }
}

/// The file of the only D1 database below a `--persist-to` folder.
fn database_file(persist: &Path) -> Result<PathBuf> {
    only_database(&persist.join("v3/d1/miniflare-D1DatabaseObject"))
}

fn open(file: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    Ok(connection)
}

fn query(file: &Path, sql: &str) -> Result<Vec<Value>> {
    // Opened for writing because a reader of a write-ahead log needs to lock it; the pragma keeps
    // the query from changing anything.
    let connection = open(file)?;
    connection.pragma_update(None, "query_only", true)?;
    let mut statement = connection.prepare(sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let mut objects = Vec::new();
    while let Some(row) = rows.next()? {
        let mut object = Map::new();
        for (index, name) in names.iter().enumerate() {
            object.insert(name.clone(), to_json(row.get_ref(index)?));
        }
        objects.push(Value::Object(object));
    }
    Ok(objects)
}

fn to_json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => json!(number),
        ValueRef::Real(number) => json!(number),
        ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => json!(bytes),
    }
}
