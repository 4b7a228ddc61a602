//! Posts in D1.
//!
//! Invariant: every statement binds its values, reads through an index and is bounded by a
//! limit; every round trip is timed, with the number of D1 calls that were already under way
//! in this isolate when it started.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement, D1Result};

use crate::app::{App, now_ms, now_whole_ms};
use crate::error::{ApiError, ApiResult};
use crate::fault::{self, Component};
use crate::input::{Cursor, Page, PostId, Slug, TenantName};
use crate::seed;
use crate::timing::Entry;

const TENANTS_MAX: u32 = 100;

static CALLS_IN_FLIGHT: AtomicU32 = AtomicU32::new(0);

/// A post as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PostSummary {
    pub(crate) id: PostId,
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) excerpt: String,
    pub(crate) author: String,
    pub(crate) tags: Vec<String>,
    /// Unix milliseconds.
    pub(crate) created_ms: u64,
}

/// A whole post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Post {
    pub(crate) summary: PostSummary,
    /// Markdown.
    pub(crate) body: String,
}

/// A row of `posts`; `body` only where it was asked for.
#[derive(Debug, Deserialize)]
struct PostRow {
    id: String,
    slug: String,
    title: String,
    excerpt: String,
    author: String,
    tags: String,
    created_ms: f64,
    #[serde(default)]
    body: String,
}

impl PostRow {
    fn into_post(self) -> ApiResult<Post> {
        Ok(Post {
            summary: PostSummary {
                id: PostId::parse(&self.id)?,
                slug: self.slug,
                title: self.title,
                excerpt: self.excerpt,
                author: self.author,
                tags: serde_json::from_str(&self.tags).unwrap_or_default(),
                created_ms: whole(self.created_ms),
            },
            body: self.body,
        })
    }
}

/// One page of posts.
pub(crate) struct PostPage {
    pub(crate) posts: Vec<PostSummary>,
    /// Where the next page starts, unless this was the last.
    pub(crate) next: Option<Cursor>,
}

/// The posts, as one request uses them.
pub(crate) struct Store<'a> {
    app: &'a App,
    database: D1Database,
}

impl<'a> Store<'a> {
    /// Opens the database of the request's platform.
    pub(crate) fn open(app: &'a App) -> ApiResult<Self> {
        Ok(Self {
            app,
            database: app.database()?,
        })
    }

    /// The tenants that were ever used, by name, at most 100.
    pub(crate) async fn tenants(&self) -> ApiResult<Vec<String>> {
        #[derive(Deserialize)]
        struct Row {
            name: String,
        }
        let statement = self.statement(
            "SELECT name FROM tenants ORDER BY name LIMIT ?1",
            &[f64::from(TENANTS_MAX).into()],
        )?;
        let rows: Vec<Row> = self.query(statement).await?;
        Ok(rows.into_iter().map(|row| row.name).collect())
    }

    /// A page of a tenant's posts, newest first, all or those with one tag.
    pub(crate) async fn posts(
        &self,
        tenant: &TenantName,
        page: &Page,
        tag: Option<&str>,
    ) -> ApiResult<PostPage> {
        // The first page continues behind a post that is newer than any.
        let (before_ms, before_id) = match &page.after {
            Some(cursor) => (real(cursor.created_ms), cursor.id.as_str()),
            None => (f64::from(u32::MAX) * 1e6, ""),
        };
        let mut values: Vec<JsValue> = vec![
            tenant.as_str().into(),
            before_ms.into(),
            before_id.into(),
            f64::from(page.limit + 1).into(),
        ];
        let sql = if let Some(tag) = tag {
            values.push(tag.into());
            "SELECT p.id, p.slug, p.title, p.excerpt, p.author, p.tags, p.created_ms \
             FROM post_tags t JOIN posts p ON p.tenant = t.tenant AND p.id = t.post_id \
             WHERE t.tenant = ?1 AND t.tag = ?5 AND (t.created_ms, t.post_id) < (?2, ?3) \
             ORDER BY t.created_ms DESC, t.post_id DESC LIMIT ?4"
        } else {
            "SELECT id, slug, title, excerpt, author, tags, created_ms FROM posts \
             WHERE tenant = ?1 AND (created_ms, id) < (?2, ?3) \
             ORDER BY created_ms DESC, id DESC LIMIT ?4"
        };
        let rows: Vec<PostRow> = self.query(self.statement(sql, &values)?).await?;
        let mut posts = rows
            .into_iter()
            .map(|row| row.into_post().map(|post| post.summary))
            .collect::<ApiResult<Vec<_>>>()?;
        // One row more than asked for tells whether there is a next page.
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let more = posts.len() > limit;
        posts.truncate(limit);
        let next = posts.last().filter(|_| more).map(|post| Cursor {
            created_ms: post.created_ms,
            id: post.id.clone(),
        });
        Ok(PostPage { posts, next })
    }

    /// One post by its id.
    pub(crate) async fn post(&self, tenant: &TenantName, id: &PostId) -> ApiResult<Option<Post>> {
        self.one(
            "SELECT id, slug, title, excerpt, author, tags, created_ms, body FROM posts \
             WHERE tenant = ?1 AND id = ?2",
            tenant,
            id.as_str(),
        )
        .await
    }

    /// One post by its address.
    pub(crate) async fn post_by_slug(
        &self,
        tenant: &TenantName,
        slug: &Slug,
    ) -> ApiResult<Option<Post>> {
        self.one(
            "SELECT id, slug, title, excerpt, author, tags, created_ms, body FROM posts \
             WHERE tenant = ?1 AND slug = ?2",
            tenant,
            slug.as_str(),
        )
        .await
    }

    /// Writes a post and its tags in one transaction.
    pub(crate) async fn insert(&self, tenant: &TenantName, post: &Post) -> ApiResult<()> {
        self.write(self.insert_statements("INSERT", tenant, post)?)
            .await
    }

    /// Writes the tenant and its first posts, in one transaction; a second time changes nothing.
    pub(crate) async fn seed(&self, tenant: &TenantName) -> ApiResult<Vec<PostSummary>> {
        let posts = seed::posts(tenant)?;
        let mut statements = vec![self.statement(
            "INSERT OR IGNORE INTO tenants (name, created_ms) VALUES (?1, ?2)",
            &[tenant.as_str().into(), real(now_whole_ms()).into()],
        )?];
        for post in &posts {
            statements.extend(self.insert_statements("INSERT OR IGNORE", tenant, post)?);
        }
        self.write(statements).await?;
        Ok(posts.into_iter().map(|post| post.summary).collect())
    }

    fn insert_statements(
        &self,
        insert: &'static str,
        tenant: &TenantName,
        post: &Post,
    ) -> ApiResult<Vec<D1PreparedStatement>> {
        let summary = &post.summary;
        let tags = serde_json::to_string(&summary.tags)
            .map_err(|error| ApiError::from(worker::Error::from(error)))?;
        let insert_post = self.statement(
            &format!(
                "{insert} INTO posts \
                 (tenant, id, slug, title, excerpt, author, tags, created_ms, body) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
            ),
            &[
                tenant.as_str().into(),
                summary.id.as_str().into(),
                summary.slug.as_str().into(),
                summary.title.as_str().into(),
                summary.excerpt.as_str().into(),
                summary.author.as_str().into(),
                tags.as_str().into(),
                real(summary.created_ms).into(),
                post.body.as_str().into(),
            ],
        )?;
        // From the stored row, so that a post that was already there keeps its own time.
        let insert_tags = self.statement(
            "INSERT OR IGNORE INTO post_tags (tenant, tag, created_ms, post_id) \
             SELECT p.tenant, t.value, p.created_ms, p.id FROM posts p, json_each(p.tags) t \
             WHERE p.tenant = ?1 AND p.id = ?2",
            &[tenant.as_str().into(), summary.id.as_str().into()],
        )?;
        Ok(vec![insert_post, insert_tags])
    }

    async fn one(&self, sql: &str, tenant: &TenantName, key: &str) -> ApiResult<Option<Post>> {
        let statement = self.statement(sql, &[tenant.as_str().into(), key.into()])?;
        let rows: Vec<PostRow> = self.query(statement).await?;
        rows.into_iter().next().map(PostRow::into_post).transpose()
    }

    fn statement(&self, sql: &str, values: &[JsValue]) -> ApiResult<D1PreparedStatement> {
        self.database
            .prepare(sql)
            .bind(values)
            .map_err(|error| unavailable(&error))
    }

    async fn query<Row: for<'de> Deserialize<'de>>(
        &self,
        statement: D1PreparedStatement,
    ) -> ApiResult<Vec<Row>> {
        let result = self
            .timed(1, false, async || Ok(vec![statement.all().await?]))
            .await?;
        match result.first() {
            Some(result) => result.results().map_err(|error| unavailable(&error)),
            None => Ok(Vec::new()),
        }
    }

    async fn write(&self, statements: Vec<D1PreparedStatement>) -> ApiResult<()> {
        let count = statements.len();
        self.timed(count, true, async || {
            self.database.batch(statements.clone()).await
        })
        .await
        .map(|_| ())
    }

    async fn timed<F, Fut>(
        &self,
        queries: usize,
        batched_write: bool,
        run: F,
    ) -> ApiResult<Vec<D1Result>>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = worker::Result<Vec<D1Result>>>,
    {
        let started_ms = now_ms();
        let (queue, _in_flight) = InFlight::enter();
        let outcome = fault::slow_down(self.app, Component::D1, run).await;
        let (mut rows_read, mut rows_written) = (0, 0);
        for result in outcome.iter().flatten() {
            if let Ok(Some(meta)) = result.meta() {
                rows_read += meta.rows_read.unwrap_or(0);
                rows_written += meta.rows_written.unwrap_or(0);
            }
        }
        self.app.timings.push(Entry::Database {
            duration_ms: now_ms() - started_ms,
            queries,
            rows_read,
            rows_written,
            batched_write,
            queue,
        });
        outcome.map_err(|error| unavailable(&error))
    }
}

/// One D1 call under way; gone when dropped, also when its request is.
struct InFlight;

impl InFlight {
    /// Counts the call, and tells how many were there before it.
    fn enter() -> (u32, Self) {
        (CALLS_IN_FLIGHT.fetch_add(1, Ordering::Relaxed), Self)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        CALLS_IN_FLIGHT.fetch_sub(1, Ordering::Relaxed);
    }
}

fn unavailable(error: &worker::Error) -> ApiError {
    ApiError::unavailable("the database", "database_unavailable", error)
}

/// D1 speaks doubles; times and counts are far below 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "Unix milliseconds are far below 2^53"
)]
fn real(value: u64) -> f64 {
    value as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and the column holds what `real` made"
)]
fn whole(value: f64) -> u64 {
    value as u64
}
