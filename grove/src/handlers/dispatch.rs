//! From an endpoint to its handler, with the raw parts of the path parsed on the way.

use worker::{Request, Response};

use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::handlers::{control, media, oauth, posts, reader, tenants};
use crate::input::{MediaKey, PostId, Query, Slug, TenantName};
use crate::route::Endpoint;

/// Serves a request.
pub(crate) async fn handle(
    app: &App,
    request: &mut Request,
    method: &str,
    endpoint: Endpoint<'_>,
) -> ApiResult<Response> {
    match endpoint {
        Endpoint::Health => control::health(app),
        Endpoint::Stats => control::stats(app).await,
        Endpoint::StatsReset => control::reset_stats(app).await,
        Endpoint::Objects => control::objects(app),
        Endpoint::FaultsShow => control::show_faults(app),
        Endpoint::FaultsSet => control::set_faults(app, request).await,
        Endpoint::FaultsClear => control::clear_faults(app),
        Endpoint::Authorize => oauth::authorize(app, request).await,
        Endpoint::Callback => oauth::callback(app, request),
        Endpoint::Token => oauth::token(app, request).await,
        Endpoint::Session => oauth::session(app, request).await,
        Endpoint::Refresh => oauth::refresh(app, request).await,
        Endpoint::Logout => oauth::logout(app, request).await,
        Endpoint::Tenants => tenants::list(app).await,
        Endpoint::Tenant(tenant) => tenants::show(app, &TenantName::parse(tenant)?).await,
        Endpoint::Posts(tenant) => {
            posts::list(app, &TenantName::parse(tenant)?, &query(request)?).await
        }
        Endpoint::PostCreate(tenant) => {
            posts::create(app, request, &TenantName::parse(tenant)?).await
        }
        Endpoint::Post(tenant, id) => {
            posts::show(app, &TenantName::parse(tenant)?, &PostId::parse(id)?).await
        }
        Endpoint::React(tenant, id) => {
            let (tenant, id) = (TenantName::parse(tenant)?, PostId::parse(id)?);
            posts::react(app, request, &tenant, &id).await
        }
        Endpoint::Feed(tenant) => {
            posts::feed(app, &TenantName::parse(tenant)?, &query(request)?).await
        }
        Endpoint::MediaUpload(tenant) => {
            media::upload(app, request, &TenantName::parse(tenant)?).await
        }
        Endpoint::Media(tenant, key) => {
            media::download(app, &TenantName::parse(tenant)?, &MediaKey::parse(key)?).await
        }
        Endpoint::Read(tenant, slug) => {
            reader::read(app, &TenantName::parse(tenant)?, &Slug::parse(slug)?).await
        }
        Endpoint::WrongMethod => Err(ApiError::new(
            405,
            "method_not_allowed",
            format!("the path does not take {method}"),
        )),
        Endpoint::NotFound => Err(ApiError::not_found("there is no such path")),
    }
}

/// The query part of a request's address.
pub(super) fn query(request: &Request) -> ApiResult<Query> {
    Ok(Query::parse(request.url()?.query().unwrap_or_default()))
}
