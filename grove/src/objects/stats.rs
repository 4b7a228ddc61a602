//! `StatsDO`, named `stats`: the requests that Grove received.
//!
//! - `GET /`: the counts.
//! - `POST /add`: adds a parcel; a number that was already added changes nothing.
//! - `POST /reset`: starts again at zero.

#![expect(
    missing_docs,
    reason = "the macro of the object class adds public methods without comments"
)]

use serde::Deserialize;
use worker::{DurableObject, Env, Method, Request, Response, Result, State, durable_object};

use crate::error::ApiResult;
use crate::objects::host::{Host, answer, number};
use crate::stats::{Counts, Parcel, Stored};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS counts (
  kind TEXT NOT NULL, name TEXT NOT NULL, requests INTEGER NOT NULL, PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parcels (isolate TEXT PRIMARY KEY, number INTEGER NOT NULL);
";

/// Counts requests across isolates and restarts.
#[durable_object]
pub struct StatsDO {
    host: Host,
}

impl DurableObject for StatsDO {
    fn new(state: State, _env: Env) -> Self {
        Self {
            host: Host::new(&state, "StatsDO", SCHEMA),
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        self.host
            .serve(request, async |call| {
                match (&call.method, call.path.as_str()) {
                    (Method::Get, "/") => answer(&self.counts()?),
                    (Method::Post, "/add") => answer(&self.add(&call.json()?)?),
                    (Method::Post, "/reset") => answer(&self.reset()?),
                    _ => call.unknown(),
                }
            })
            .await
    }
}

impl StatsDO {
    fn counts(&self) -> ApiResult<Counts> {
        #[derive(Deserialize)]
        struct Row {
            kind: String,
            name: String,
            requests: u64,
        }
        let mut counts = Counts::default();
        let rows: Vec<Row> = self
            .host
            .rows("SELECT kind, name, requests FROM counts", Vec::new())?;
        for row in rows {
            match row.kind.as_str() {
                "route" => {
                    counts.total += row.requests;
                    counts.routes.insert(row.name, row.requests);
                }
                _ => {
                    counts.statuses.insert(row.name, row.requests);
                }
            }
        }
        Ok(counts)
    }

    fn add(&self, parcel: &Parcel) -> ApiResult<Stored> {
        #[derive(Deserialize)]
        struct Row {
            number: u64,
        }
        let last: Option<Row> = self.host.row(
            "SELECT number FROM parcels WHERE isolate = ?",
            vec![parcel.isolate.as_str().into()],
        )?;
        if last.is_some_and(|last| last.number >= parcel.number) {
            return Ok(Stored { applied: false });
        }
        self.host.run(
            "INSERT INTO parcels (isolate, number) VALUES (?1, ?2) \
             ON CONFLICT (isolate) DO UPDATE SET number = excluded.number",
            vec![parcel.isolate.as_str().into(), number(parcel.number)],
        )?;
        let routes = parcel.counts.routes.iter().map(|entry| ("route", entry));
        let statuses = parcel.counts.statuses.iter().map(|entry| ("status", entry));
        for (kind, (name, requests)) in routes.chain(statuses) {
            self.host.run(
                "INSERT INTO counts (kind, name, requests) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (kind, name) DO UPDATE SET requests = requests + excluded.requests",
                vec![kind.into(), name.as_str().into(), number(*requests)],
            )?;
        }
        Ok(Stored { applied: true })
    }

    fn reset(&self) -> ApiResult<Stored> {
        self.host.run("DELETE FROM counts", Vec::new())?;
        Ok(Stored { applied: true })
    }
}
