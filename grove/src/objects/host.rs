//! What all object classes share: reading a request, answering it, and SQL on their storage.
//!
//! Invariant: an object changes its state only between reading a request's body and building
//! its answer, without an await between, so that each request is atomic.

use std::cell::Cell;

use serde::{Serialize, de::DeserializeOwned};
use worker::{Method, Request, Response, ResponseBuilder, SqlStorage, SqlStorageValue, State};

use crate::body;
use crate::error::{ApiError, ApiResult};
use crate::input::{JSON_BYTES_MAX, parse_json};
use crate::objects::received;
use crate::timing;

/// The storage of one object, and whether it has just been constructed.
pub(super) struct Host {
    class: &'static str,
    name: String,
    schema: &'static str,
    sql: SqlStorage,
    constructed: Cell<bool>,
    schema_ready: Cell<bool>,
}

/// A request to an object, read to its end.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    body: Vec<u8>,
}

/// The JSON of an answer.
pub(super) struct Answer(Vec<u8>);

/// Turns a value into an answer.
pub(super) fn answer(value: &impl Serialize) -> ApiResult<Answer> {
    Ok(Answer(
        serde_json::to_vec(value).map_err(worker::Error::from)?,
    ))
}

impl Call {
    /// The JSON body.
    pub(super) fn json<T: DeserializeOwned>(&self) -> ApiResult<T> {
        parse_json(&self.body)
    }

    /// What to answer when the path is none of the object's.
    pub(super) fn unknown(&self) -> ApiResult<Answer> {
        Err(ApiError::not_found(format!(
            "the object has no operation {} {:.80}",
            self.method, self.path
        )))
    }
}

impl Host {
    /// Wraps the object's state; the tables are made when the first request comes.
    pub(super) fn new(state: &State, class: &'static str, schema: &'static str) -> Self {
        Self {
            class,
            name: name_of(state),
            schema,
            sql: state.storage().sql(),
            constructed: Cell::new(true),
            schema_ready: Cell::new(false),
        }
    }

    /// Reads a request and answers with what `serve` makes of it.
    pub(super) async fn serve(
        &self,
        mut request: Request,
        serve: impl AsyncFnOnce(Call) -> ApiResult<Answer>,
    ) -> worker::Result<Response> {
        let woke = self.constructed.replace(false);
        received::arrived(self.class, &self.name, &request.method());
        let outcome = match self.read(&mut request).await {
            Ok(call) => serve(call).await,
            Err(error) => Err(error),
        };
        let response = ResponseBuilder::new()
            .with_header("Server-Timing", &timing::object_header(self.class, woke))?;
        match outcome {
            Ok(Answer(json)) => Ok(response
                .with_header("Content-Type", "application/json")?
                .fixed(json)),
            Err(error) => response.with_status(error.status).from_json(&error.body()),
        }
    }

    async fn read(&self, request: &mut Request) -> ApiResult<Call> {
        if !self.schema_ready.get() {
            if !self.schema.is_empty() {
                self.run(self.schema, Vec::new())?;
            }
            self.schema_ready.set(true);
        }
        let method = request.method();
        let body = if matches!(method, Method::Get | Method::Delete) {
            Vec::new()
        } else {
            body::read(request, JSON_BYTES_MAX).await?
        };
        Ok(Call {
            method,
            path: request.path(),
            body,
        })
    }

    /// Runs a statement for its effect.
    pub(super) fn run(&self, sql: &str, values: Vec<SqlStorageValue>) -> ApiResult<()> {
        self.sql.exec(sql, values)?;
        Ok(())
    }

    /// Runs a statement for its rows.
    pub(super) fn rows<Row: DeserializeOwned>(
        &self,
        sql: &str,
        values: Vec<SqlStorageValue>,
    ) -> ApiResult<Vec<Row>> {
        Ok(self.sql.exec(sql, values)?.to_array()?)
    }

    /// Runs a statement for its first row.
    pub(super) fn row<Row: DeserializeOwned>(
        &self,
        sql: &str,
        values: Vec<SqlStorageValue>,
    ) -> ApiResult<Option<Row>> {
        Ok(self.rows(sql, values)?.into_iter().next())
    }
}

/// The object's name; its identifier where the runtime does not tell the name, as between two
/// local processes.
fn name_of(state: &State) -> String {
    let id = state.id();
    id.name().unwrap_or_else(|| id.to_string())
}

/// A whole number for a statement; times and counts are far below 2^53.
pub(super) fn number(value: u64) -> SqlStorageValue {
    SqlStorageValue::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}
