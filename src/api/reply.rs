//! Answers of the API.

use serde::Serialize;
use serde_json::{Map, Value};
use worker::{Response, Result};

use crate::api::error::ApiError;
use crate::json::document;

/// An answer with a JSON body.
///
/// # Errors
/// When the runtime refuses to make a response.
pub(crate) fn json<T: Serialize>(status: u16, body: &T) -> Result<Response> {
    with_headers(status, body, &[])
}

/// An answer with a JSON body and further header fields.
///
/// # Errors
/// When the runtime refuses to make a response.
pub(crate) fn with_headers<T: Serialize>(
    status: u16,
    body: &T,
    headers: &[(&str, &str)],
) -> Result<Response> {
    let text = crate::json::write(body)?;
    let mut response = Response::from_bytes(text.into_bytes())?.with_status(status);
    let fields = response.headers_mut();
    fields.set("content-type", "application/json; charset=utf-8")?;
    fields.set("cache-control", "no-store")?;
    fields.set("x-content-type-options", "nosniff")?;
    for (name, value) in headers {
        fields.set(name, value)?;
    }
    Ok(response)
}

/// The answer to a request that cannot be met.
///
/// # Errors
/// When the runtime refuses to make a response.
pub(crate) fn error(error: &ApiError) -> Result<Response> {
    let mut body: Map<String, Value> = error.details.clone();
    body.insert("error".to_owned(), document!(error.message));
    body.insert("code".to_owned(), document!(error.code));
    let header = error
        .header
        .as_ref()
        .map(|(name, value)| (*name, value.as_str()));
    with_headers(error.status, &body, header.as_slice())
}
