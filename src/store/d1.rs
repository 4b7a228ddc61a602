//! Asking D1.

use js_sys::futures::JsFuture;
use js_sys::{JSON, Reflect};
use serde_json::{Map, Value};
use wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement, Env, Result};

use super::statement::Statement;
use crate::json;

/// A row as an object from column to value.
pub(crate) type Row = Map<String, Value>;

/// The results database.
#[derive(Debug)]
pub(crate) struct Database(D1Database);

impl Database {
    /// The database that is bound as `DB`.
    ///
    /// # Errors
    /// When there is no such binding.
    pub(crate) fn of(env: &Env) -> Result<Self> {
        env.d1("DB").map(Self)
    }

    /// The rows that a statement finds.
    ///
    /// # Errors
    /// When D1 refuses or does not answer.
    pub(crate) async fn rows(&self, statement: &Statement) -> Result<Vec<Row>> {
        // One crossing for the whole result: value by value would cost a hundred times as much.
        let answer = JsFuture::from(self.prepare(statement)?.inner().all()?).await?;
        let results = Reflect::get(&answer, &JsValue::from("results"))?;
        let text = JSON::stringify(&results)?;
        json::read(&String::from(text))
    }

    /// Runs a statement and tells how many rows it changed.
    ///
    /// # Errors
    /// When D1 refuses or does not answer.
    pub(crate) async fn run(&self, statement: &Statement) -> Result<usize> {
        let answer = JsFuture::from(self.prepare(statement)?.inner().run()?).await?;
        let meta = Reflect::get(&answer, &JsValue::from("meta"))?;
        let changes = Reflect::get(&meta, &JsValue::from("changes"))?;
        Ok(changes.as_f64().map_or(0, |changes| changes as usize))
    }

    /// Runs statements as one transaction: all or none.
    ///
    /// # Errors
    /// When D1 refuses or does not answer; whether they were run is not known then.
    pub(crate) async fn transaction(&self, statements: &[Statement]) -> Result<()> {
        if statements.is_empty() {
            return Ok(());
        }
        let prepared: Result<Vec<_>> = statements.iter().map(|s| self.prepare(s)).collect();
        self.0.batch(prepared?).await.map(drop)
    }

    fn prepare(&self, statement: &Statement) -> Result<D1PreparedStatement> {
        let values: Vec<JsValue> = statement.params.iter().map(param).collect();
        self.0.prepare(&statement.sql).bind(&values)
    }
}

fn param(value: &Value) -> JsValue {
    match value {
        Value::Null => JsValue::NULL,
        Value::Bool(flag) => JsValue::from(u8::from(*flag)),
        Value::Number(number) => number.as_f64().map_or(JsValue::NULL, JsValue::from),
        Value::String(text) => JsValue::from(text.as_str()),
        other @ (Value::Array(_) | Value::Object(_)) => {
            JsValue::from(json::write(other).unwrap_or_default())
        }
    }
}
