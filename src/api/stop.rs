//! The kill switch: `GET`, `POST` and `DELETE stop`.

use serde_json::Value;
use worker::{Env, Request};

use crate::api::body::{StopBody, read};
use crate::api::error::ApiError;
use crate::json::document;
use crate::{flag, kill_switch};

/// Whether everything is stopped, and why.
///
/// # Errors
/// 503 when that is not known.
pub(super) async fn state(env: &Env) -> Result<Value, ApiError> {
    let unavailable = |_| ApiError::unavailable("the database");
    let stop = kill_switch::in_force(env).await.map_err(unavailable)?;
    Ok(document!({
        "stopped": stop.is_some(),
        "reason": stop.as_ref().map(|stop| &stop.reason),
        "since": stop.as_ref().and_then(|stop| stop.since.as_ref()),
    }))
}

/// Stops everything.
///
/// # Errors
/// What is wrong with the body, or 503 when nothing took the stop.
pub(super) async fn stop(request: &mut Request, env: &Env) -> Result<Value, ApiError> {
    let reason = flag::shortened(&StopBody::parse(&read(request).await?)?.reason);
    let unavailable = |_| ApiError::unavailable("neither the database nor KV");
    let stopped = kill_switch::stop(env, &reason).await.map_err(unavailable)?;
    Ok(document!({
        "message": "Everything is being stopped",
        "stopped": true,
        "reason": reason,
        "runs": stopped.runs,
        "warnings": stopped.warnings,
    }))
}

/// Lets runs start again.
///
/// # Errors
/// 503 when everything stays stopped.
pub(super) async fn lift(env: &Env) -> Result<Value, ApiError> {
    let unavailable = |_| ApiError::unavailable("the database or KV");
    kill_switch::lift(env).await.map_err(unavailable)?;
    Ok(document!({ "message": "Runs may start again", "stopped": false }))
}
