//! Request bodies, never longer than their limit.
//!
//! Invariant: no more than the limit is kept in memory, whatever `Content-Length` claims.

use futures::StreamExt;
use worker::Request;

use crate::error::{ApiError, ApiResult};

/// What the client says about the body's length, in bytes. 413 if that is above the limit.
pub(crate) fn announced_bytes(request: &Request, limit_bytes: usize) -> ApiResult<Option<usize>> {
    let Some(text) = request.headers().get("Content-Length")? else {
        return Ok(None);
    };
    let bytes: usize = text.parse().map_err(|_| {
        ApiError::bad_request("invalid_length", "the Content-Length is not a number")
    })?;
    if bytes > limit_bytes {
        return Err(ApiError::too_large(limit_bytes));
    }
    Ok(Some(bytes))
}

/// Reads a body to its end; 413 as soon as it is longer than the limit.
pub(crate) async fn read(request: &mut Request, limit_bytes: usize) -> ApiResult<Vec<u8>> {
    // With a length that was checked the runtime reads the body in one go.
    if announced_bytes(request, limit_bytes)?.is_some() {
        return request.bytes().await.map_err(|error| broken(&error));
    }
    if request.inner().body().is_none() {
        return Ok(Vec::new());
    }
    let mut stream = request.stream()?;
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| broken(&error))?;
        if bytes.len() + chunk.len() > limit_bytes {
            return Err(ApiError::too_large(limit_bytes));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn broken(error: &worker::Error) -> ApiError {
    ApiError::bad_request("broken_body", format!("the body ended early: {error}"))
}
