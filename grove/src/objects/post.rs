//! `PostDO`, named `post:{tenant}:{id}`: the reactions to one post.
//!
//! - `GET /`: the counts ([`Reactions`]).
//! - `POST /known` ([`Known`]): tells the object that its post exists.
//! - `POST /reactions` ([`React`]): counts one reaction ([`Reacted`]); 404 with the code
//!   `post_unknown` as long as the object was not told that its post exists.
//!
//! Invariant: no reaction is lost or counted twice, however many come at once.

#![expect(
    missing_docs,
    reason = "the macro of the object class adds public methods without comments"
)]

use std::cell::Cell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use worker::{DurableObject, Env, Method, Request, Response, Result, State, durable_object};

use crate::app::now_whole_ms;
use crate::error::{ApiError, ApiResult};
use crate::input::ReactionKind;
use crate::objects::entries;
use crate::objects::host::{Answer, Call, Host, answer, number};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS reactions (kind TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS known (one INTEGER PRIMARY KEY CHECK (one = 1), since_ms INTEGER NOT NULL);
";

/// The post exists.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Known {}

/// One reaction.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct React {
    /// Which one.
    pub(crate) kind: ReactionKind,
}

/// The counts after a reaction.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reacted {
    /// Which one it was.
    pub(crate) kind: ReactionKind,
    /// Reactions of this kind.
    pub(crate) count: u64,
    /// Reactions of all kinds.
    pub(crate) total: u64,
}

/// The counts of a post.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reactions {
    /// Reactions per kind; a kind nobody used is absent.
    pub(crate) counts: BTreeMap<String, u64>,
    /// Reactions of all kinds.
    pub(crate) total: u64,
}

#[derive(Debug, Deserialize)]
struct CountRow {
    kind: String,
    count: u64,
}

/// Holds the reactions to one post.
#[durable_object]
pub struct PostDO {
    host: Host,
    /// A copy of what the table says, once it said yes.
    known: Cell<bool>,
}

impl DurableObject for PostDO {
    fn new(state: State, _env: Env) -> Self {
        Self {
            host: Host::new(&state, "PostDO", SCHEMA),
            known: Cell::new(false),
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        self.host
            .serve(request, async |call| self.dispatch(&call))
            .await
    }
}

impl PostDO {
    fn dispatch(&self, call: &Call) -> ApiResult<Answer> {
        match (&call.method, call.path.as_str()) {
            (Method::Get, "/") => answer(&self.reactions()?),
            (Method::Post, "/entries") => entries::append(&self.host, call),
            (Method::Post, "/known") => answer(&self.learn(&call.json()?)?),
            (Method::Post, "/reactions") => answer(&self.react(&call.json()?)?),
            _ => call.unknown(),
        }
    }

    fn reactions(&self) -> ApiResult<Reactions> {
        let rows: Vec<CountRow> = self
            .host
            .rows("SELECT kind, count FROM reactions", Vec::new())?;
        Ok(Reactions {
            total: rows.iter().map(|row| row.count).sum(),
            counts: rows.into_iter().map(|row| (row.kind, row.count)).collect(),
        })
    }

    fn learn(&self, _known: &Known) -> ApiResult<Known> {
        self.host.run(
            "INSERT OR IGNORE INTO known (one, since_ms) VALUES (1, ?)",
            vec![number(now_whole_ms())],
        )?;
        self.known.set(true);
        Ok(Known {})
    }

    fn react(&self, react: &React) -> ApiResult<Reacted> {
        #[derive(Deserialize)]
        struct One {}
        if !self.known.get() {
            let known: Option<One> = self.host.row("SELECT one FROM known", Vec::new())?;
            if known.is_none() {
                return Err(ApiError::new(
                    404,
                    "post_unknown",
                    "the object does not know whether its post exists",
                ));
            }
            self.known.set(true);
        }
        self.host.run(
            "INSERT INTO reactions (kind, count) VALUES (?, 1) \
             ON CONFLICT (kind) DO UPDATE SET count = count + 1",
            vec![react.kind.as_str().into()],
        )?;
        let reactions = self.reactions()?;
        Ok(Reacted {
            kind: react.kind,
            count: reactions
                .counts
                .get(react.kind.as_str())
                .copied()
                .unwrap_or(0),
            total: reactions.total,
        })
    }
}
