//! Endpoints about Grove itself: health, counts and the knobs of the tests.

use serde::Serialize;
use worker::{Request, Response};

use crate::app::App;
use crate::body;
use crate::error::{ApiError, ApiResult};
use crate::fault::{self, Fault};
use crate::input::JSON_BYTES_MAX;
use crate::objects::received;
use crate::stats;

/// `GET /health`
pub(super) fn health(app: &App) -> ApiResult<Response> {
    #[derive(Serialize)]
    struct Health {
        status: &'static str,
        local: bool,
    }
    Ok(Response::from_json(&Health {
        status: "ok",
        local: app.is_local(),
    })?)
}

/// `GET /__stats`
pub(super) async fn stats(app: &App) -> ApiResult<Response> {
    Ok(Response::from_json(&stats::read(app).await?)?)
}

/// `POST /__stats/reset`
pub(super) async fn reset_stats(app: &App) -> ApiResult<Response> {
    only_local(app)?;
    stats::reset(app).await?;
    Ok(Response::empty()?.with_status(204))
}

/// `GET /__objects`: the calls that each object received.
pub(super) fn objects(app: &App) -> ApiResult<Response> {
    only_local(app)?;
    Ok(Response::from_json(&received())?)
}

/// `GET /__faults`
pub(super) fn show_faults(app: &App) -> ApiResult<Response> {
    only_local(app)?;
    Ok(Response::from_json(&fault::current().as_deref())?)
}

/// `POST /__faults`
pub(super) async fn set_faults(app: &App, request: &mut Request) -> ApiResult<Response> {
    only_local(app)?;
    let fault = Fault::parse(&body::read(request, JSON_BYTES_MAX).await?)?;
    let response = Response::from_json(&fault)?;
    fault::set(Some(fault));
    Ok(response)
}

/// `DELETE /__faults`
pub(super) fn clear_faults(app: &App) -> ApiResult<Response> {
    only_local(app)?;
    fault::set(None);
    Ok(Response::empty()?.with_status(204))
}

fn only_local(app: &App) -> ApiResult<()> {
    if app.is_local() {
        Ok(())
    } else {
        Err(ApiError::not_found("there is no such path"))
    }
}
