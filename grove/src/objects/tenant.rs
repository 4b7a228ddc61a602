//! `TenantDO`, named `tenant:{tenant}`: settings, counters and the feed of one tenant.
//!
//! - `GET /`: settings and counters ([`TenantState`]).
//! - `GET /feed`: the newest posts with their reactions ([`Feed`]).
//! - `POST /seed` ([`Seed`]): the first posts; a second time changes nothing.
//! - `POST /posts` ([`NewPost`]): a post was written; told twice, it counts once.
//! - `POST /reactions` ([`NewReaction`]): a post's total has become this or more.
//! - `POST /media` ([`NewMedia`]): a picture was stored.
//!
//! Invariant: the counters only rise; the feed keeps the newest 50 posts; a total that arrives
//! late never replaces a higher one. What is in memory is a copy of the tables.

#![expect(
    missing_docs,
    reason = "the macro of the object class adds public methods without comments"
)]

use std::cell::RefCell;

use serde::{Deserialize, Serialize};
use worker::{DurableObject, Env, Method, Request, Response, Result, State, durable_object};

use crate::app::now_whole_ms;
use crate::error::ApiResult;
use crate::input::PostId;
use crate::objects::entries;
use crate::objects::host::{Answer, Call, Host, answer, number};
use crate::store::PostSummary;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS state (
  one INTEGER PRIMARY KEY CHECK (one = 1), created_ms INTEGER NOT NULL,
  seeded INTEGER NOT NULL DEFAULT 0, posts INTEGER NOT NULL DEFAULT 0,
  reactions INTEGER NOT NULL DEFAULT 0, media INTEGER NOT NULL DEFAULT 0,
  media_bytes INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS feed (
  id TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, summary TEXT NOT NULL,
  reactions INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS idx_feed_recent ON feed(created_ms DESC, id DESC);
";

/// Settings and counters of a tenant.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TenantState {
    /// When the tenant was first used, Unix ms.
    pub(crate) created_ms: u64,
    /// Whether the first posts were written.
    pub(crate) seeded: bool,
    /// Posts written.
    pub(crate) posts: u64,
    /// Reactions to all posts.
    pub(crate) reactions: u64,
    /// Pictures stored.
    pub(crate) media: u64,
    /// Their sum, in bytes.
    pub(crate) media_bytes: u64,
}

/// The newest posts of a tenant.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Feed {
    /// Whether the first posts were written; if not, the feed is empty.
    pub(crate) seeded: bool,
    /// Newest first.
    pub(crate) entries: Vec<FeedEntry>,
}

/// A post in the feed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FeedEntry {
    /// The post.
    pub(crate) post: PostSummary,
    /// Reactions of all kinds.
    pub(crate) reactions: u64,
}

/// The first posts of a tenant.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seed {
    /// The posts that every tenant starts with.
    pub(crate) posts: Vec<PostSummary>,
}

/// A post was written.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NewPost {
    /// The post.
    pub(crate) post: PostSummary,
}

/// Somebody reacted to a post.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NewReaction {
    /// To which one.
    pub(crate) id: PostId,
    /// Reactions to it, of all kinds.
    pub(crate) total: u64,
}

/// A picture was stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NewMedia {
    /// Its size.
    pub(crate) bytes: u64,
}

/// A change that was noted.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Noted {}

/// Holds one tenant.
#[durable_object]
pub struct TenantDO {
    host: Host,
    state: RefCell<Option<TenantState>>,
    feed: RefCell<Option<Vec<FeedEntry>>>,
}

impl DurableObject for TenantDO {
    fn new(state: State, _env: Env) -> Self {
        Self {
            host: Host::new(&state, "TenantDO", SCHEMA),
            state: RefCell::default(),
            feed: RefCell::default(),
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        self.host
            .serve(request, async |call| self.dispatch(&call))
            .await
    }
}

impl TenantDO {
    fn dispatch(&self, call: &Call) -> ApiResult<Answer> {
        match (&call.method, call.path.as_str()) {
            (Method::Get, "/") => answer(&self.state()?),
            (Method::Get, "/feed") => answer(&self.feed()?),
            (Method::Post, "/entries") => entries::append(&self.host, call),
            (Method::Post, "/seed") => answer(&self.seed(&call.json()?)?),
            (Method::Post, "/posts") => answer(&self.note_post(&call.json()?)?),
            (Method::Post, "/reactions") => answer(&self.note_reaction(&call.json()?)?),
            (Method::Post, "/media") => answer(&self.note_media(&call.json()?)?),
            _ => call.unknown(),
        }
    }

    fn state(&self) -> ApiResult<TenantState> {
        #[derive(Deserialize)]
        struct Row {
            created_ms: u64,
            seeded: u64,
            posts: u64,
            reactions: u64,
            media: u64,
            media_bytes: u64,
        }
        if let Some(state) = self.state.borrow().as_ref() {
            return Ok(state.clone());
        }
        let row: Option<Row> = self.host.row(
            "SELECT created_ms, seeded, posts, reactions, media, media_bytes FROM state",
            Vec::new(),
        )?;
        let state = row.map_or_else(TenantState::default, |row| TenantState {
            created_ms: row.created_ms,
            seeded: row.seeded == 1,
            posts: row.posts,
            reactions: row.reactions,
            media: row.media,
            media_bytes: row.media_bytes,
        });
        *self.state.borrow_mut() = Some(state.clone());
        Ok(state)
    }

    fn feed(&self) -> ApiResult<Feed> {
        #[derive(Deserialize)]
        struct Row {
            summary: String,
            reactions: u64,
        }
        let seeded = self.state()?.seeded;
        if let Some(entries) = self.feed.borrow().as_ref() {
            return Ok(Feed {
                seeded,
                entries: entries.clone(),
            });
        }
        let rows: Vec<Row> = self.host.rows(
            "SELECT summary, reactions FROM feed ORDER BY created_ms DESC, id DESC LIMIT 50",
            Vec::new(),
        )?;
        let entries = rows
            .into_iter()
            .map(|row| {
                Ok(FeedEntry {
                    post: serde_json::from_str(&row.summary).map_err(worker::Error::from)?,
                    reactions: row.reactions,
                })
            })
            .collect::<ApiResult<Vec<_>>>()?;
        *self.feed.borrow_mut() = Some(entries.clone());
        Ok(Feed { seeded, entries })
    }

    fn seed(&self, seed: &Seed) -> ApiResult<TenantState> {
        for post in &seed.posts {
            self.insert(post)?;
        }
        self.change("UPDATE state SET seeded = 1", Vec::new())?;
        self.state()
    }

    fn note_post(&self, new: &NewPost) -> ApiResult<Noted> {
        self.insert(&new.post)?;
        self.host.run(
            "DELETE FROM feed WHERE id NOT IN \
             (SELECT id FROM feed ORDER BY created_ms DESC, id DESC LIMIT 50)",
            Vec::new(),
        )?;
        Ok(Noted {})
    }

    fn insert(&self, post: &PostSummary) -> ApiResult<()> {
        #[derive(Deserialize)]
        struct Id {}
        let summary = serde_json::to_string(post).map_err(worker::Error::from)?;
        let inserted: Option<Id> = self.host.row(
            "INSERT OR IGNORE INTO feed (id, created_ms, summary) VALUES (?, ?, ?) RETURNING id",
            vec![
                post.id.as_str().into(),
                number(post.created_ms),
                summary.into(),
            ],
        )?;
        if inserted.is_some() {
            self.change("UPDATE state SET posts = posts + 1", Vec::new())?;
        }
        Ok(())
    }

    fn note_reaction(&self, new: &NewReaction) -> ApiResult<Noted> {
        self.host.run(
            "UPDATE feed SET reactions = max(reactions, ?) WHERE id = ?",
            vec![number(new.total), new.id.as_str().into()],
        )?;
        self.change("UPDATE state SET reactions = reactions + 1", Vec::new())?;
        Ok(Noted {})
    }

    fn note_media(&self, new: &NewMedia) -> ApiResult<Noted> {
        self.change(
            "UPDATE state SET media = media + 1, media_bytes = media_bytes + ?",
            vec![number(new.bytes)],
        )?;
        Ok(Noted {})
    }

    /// Changes the one row of `state`, which the first change makes, and forgets the copies.
    fn change(&self, sql: &str, values: Vec<worker::SqlStorageValue>) -> ApiResult<()> {
        self.host.run(
            "INSERT OR IGNORE INTO state (one, created_ms) VALUES (1, ?)",
            vec![number(now_whole_ms())],
        )?;
        self.host.run(sql, values)?;
        *self.state.borrow_mut() = None;
        *self.feed.borrow_mut() = None;
        Ok(())
    }
}
