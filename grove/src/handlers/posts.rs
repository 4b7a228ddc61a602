//! Posts: listing, reading, writing, reacting, and the feed.
//!
//! Invariant: D1 is the truth about posts, `PostDO` about their reactions; `TenantDO` is told
//! after them, and may be told twice.

use serde::Serialize;
use worker::{Request, Response};

use crate::app::{App, ObjectClass, Operation, now_whole_ms, random_bytes};
use crate::auth;
use crate::body;
use crate::error::{ApiError, ApiResult};
use crate::handlers::tenants::{seed, state, tenant_object};
use crate::input::{
    JSON_BYTES_MAX, Page, PostDraft, PostId, Query, ReactionDraft, TenantName, parse_json,
};
use crate::objects::{Feed, Known, NewPost, NewReaction, Noted, React, Reacted, Reactions};
use crate::seed::is_seed;
use crate::store::{Post, PostPage, PostSummary, Store};

const TAG_CHARS_MAX: usize = 40;

/// A post as clients see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownPost<'a> {
    id: &'a str,
    slug: &'a str,
    tenant: &'a str,
    title: &'a str,
    excerpt: &'a str,
    author: &'a str,
    tags: &'a [String],
    /// RFC 3339, UTC.
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reactions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reactions_by_kind: Option<&'a std::collections::BTreeMap<String, u64>>,
}

impl<'a> ShownPost<'a> {
    fn new(tenant: &'a TenantName, post: &'a PostSummary) -> Self {
        Self {
            id: post.id.as_str(),
            slug: &post.slug,
            tenant: tenant.as_str(),
            title: &post.title,
            excerpt: &post.excerpt,
            author: &post.author,
            tags: &post.tags,
            created_at: timestamp(post.created_ms),
            body: None,
            reactions: None,
            reactions_by_kind: None,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownPosts<'a> {
    posts: Vec<ShownPost<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// `GET /api/tenants/:tenant/posts?limit&cursor&tag`
pub(super) async fn list(app: &App, tenant: &TenantName, query: &Query) -> ApiResult<Response> {
    let page = Page::parse(query)?;
    let tag = query.value("tag");
    if tag.is_some_and(|tag| tag.chars().count() > TAG_CHARS_MAX) {
        return Err(ApiError::bad_request(
            "invalid_tag",
            format!("a tag has at most {TAG_CHARS_MAX} characters"),
        ));
    }
    let store = Store::open(app)?;
    // The two do not depend on each other once a tenant is in use.
    let (state, found) = futures::join!(state(app, tenant), store.posts(tenant, &page, tag));
    let found = if state?.seeded {
        found?
    } else {
        seed(app, tenant).await?;
        store.posts(tenant, &page, tag).await?
    };
    let PostPage { posts, next } = found;
    Ok(Response::from_json(&ShownPosts {
        posts: posts
            .iter()
            .map(|post| ShownPost::new(tenant, post))
            .collect(),
        next_cursor: next.map(|cursor| cursor.encode()),
    })?)
}

/// `GET /api/tenants/:tenant/posts/:id`
pub(super) async fn show(app: &App, tenant: &TenantName, id: &PostId) -> ApiResult<Response> {
    let post = find(app, tenant, id).await?;
    let reactions: Reactions = app
        .call(
            ObjectClass::Post,
            &post_object(tenant, id),
            Operation::get("/"),
        )
        .await?;
    Ok(Response::from_json(&ShownPost {
        body: Some(&post.body),
        reactions: Some(reactions.total),
        reactions_by_kind: Some(&reactions.counts),
        ..ShownPost::new(tenant, &post.summary)
    })?)
}

/// `POST /api/tenants/:tenant/posts`
pub(super) async fn create(
    app: &App,
    request: &mut Request,
    tenant: &TenantName,
) -> ApiResult<Response> {
    expect_json(request)?;
    let author = auth::signed_in_to(app, request, tenant).await?.user;
    let draft = PostDraft::parse(&body::read(request, JSON_BYTES_MAX).await?)?;
    let created_ms = now_whole_ms();
    let id = uuid::Builder::from_unix_timestamp_millis(created_ms, &random_bytes()?)
        .into_uuid()
        .simple()
        .to_string();
    let post = Post {
        summary: PostSummary {
            // The end of the id is its random part.
            slug: draft.slug(id.get(20..).unwrap_or(&id)),
            id: PostId::parse(&id)?,
            excerpt: draft.excerpt(),
            title: draft.title,
            author: author.as_str().to_owned(),
            tags: draft.tags,
            created_ms,
        },
        body: draft.body,
    };
    Store::open(app)?.insert(tenant, &post).await?;
    tell_tenant(app, tenant, &post.summary).await;
    let response = Response::from_json(&ShownPost::new(tenant, &post.summary))?.with_status(201);
    response.headers().set(
        "Location",
        &format!("/api/tenants/{}/posts/{id}", tenant.as_str()),
    )?;
    Ok(response)
}

/// `POST /api/tenants/:tenant/posts/:id/reactions`
pub(super) async fn react(
    app: &App,
    request: &mut Request,
    tenant: &TenantName,
    id: &PostId,
) -> ApiResult<Response> {
    expect_json(request)?;
    auth::signed_in_to(app, request, tenant).await?;
    let draft: ReactionDraft = parse_json(&body::read(request, JSON_BYTES_MAX).await?)?;
    let object = post_object(tenant, id);
    let react = || {
        app.call::<Reacted>(
            ObjectClass::Post,
            &object,
            Operation::post("/reactions", React { kind: draft.kind }),
        )
    };
    let reacted = match react().await {
        // The first reaction to a post makes sure that the post exists.
        Err(error) if error.code == "post_unknown" => {
            find(app, tenant, id).await?;
            let _: Known = app
                .call(
                    ObjectClass::Post,
                    &object,
                    Operation::post("/known", Known {}),
                )
                .await?;
            react().await?
        }
        outcome => outcome?,
    };
    let note = NewReaction {
        id: id.clone(),
        total: reacted.total,
    };
    let _: Noted = app
        .call(
            ObjectClass::Tenant,
            &tenant_object(tenant),
            Operation::post("/reactions", note),
        )
        .await?;
    Ok(Response::from_json(&reacted)?.with_status(201))
}

/// `GET /api/tenants/:tenant/feed?limit`
pub(super) async fn feed(app: &App, tenant: &TenantName, query: &Query) -> ApiResult<Response> {
    let page = Page::parse(query)?;
    let object = tenant_object(tenant);
    let read = || app.call::<Feed>(ObjectClass::Tenant, &object, Operation::get("/feed"));
    let mut feed = read().await?;
    if !feed.seeded {
        seed(app, tenant).await?;
        feed = read().await?;
    }
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    Ok(Response::from_json(&ShownPosts {
        posts: feed
            .entries
            .iter()
            .take(limit)
            .map(|entry| ShownPost {
                reactions: Some(entry.reactions),
                ..ShownPost::new(tenant, &entry.post)
            })
            .collect(),
        next_cursor: None,
    })?)
}

/// The post, or 404. The first posts of a tenant are written when they are first asked for.
async fn find(app: &App, tenant: &TenantName, id: &PostId) -> ApiResult<Post> {
    let store = Store::open(app)?;
    let mut post = store.post(tenant, id).await?;
    if post.is_none() && is_seed(id) {
        seed(app, tenant).await?;
        post = store.post(tenant, id).await?;
    }
    post.ok_or_else(|| {
        ApiError::not_found(format!(
            "the tenant \"{}\" has no post \"{}\"",
            tenant.as_str(),
            id.as_str()
        ))
    })
}

/// Tells the tenant's object about a new post, twice if need be. The post is stored already,
/// so a failure costs its place in the feed, not the post: it is logged by the call.
async fn tell_tenant(app: &App, tenant: &TenantName, post: &PostSummary) {
    for _ in 0..2 {
        let told: ApiResult<Noted> = app
            .call(
                ObjectClass::Tenant,
                &tenant_object(tenant),
                Operation::post("/posts", NewPost { post: post.clone() }),
            )
            .await;
        if told.is_ok() {
            return;
        }
    }
}

fn post_object(tenant: &TenantName, id: &PostId) -> String {
    format!("post:{}:{}", tenant.as_str(), id.as_str())
}

/// 415 for a body that says it is something else than JSON.
pub(super) fn expect_json(request: &Request) -> ApiResult<()> {
    match request.headers().get("Content-Type")? {
        Some(kind) if !kind.to_ascii_lowercase().starts_with("application/json") => {
            Err(ApiError::new(
                415,
                "unsupported_media_type",
                "send the body as application/json",
            ))
        }
        _ => Ok(()),
    }
}

fn timestamp(unix_ms: u64) -> String {
    i64::try_from(unix_ms)
        .ok()
        .and_then(chrono::DateTime::from_timestamp_millis)
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(timestamp(1_795_000_000_123), "2026-11-18T11:06:40.123Z");
        assert_eq!(timestamp(u64::MAX), "1970-01-01T00:00:00.000Z");
    }
}
