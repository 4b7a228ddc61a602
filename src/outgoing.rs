//! Requests that the Worker itself sends.
//!
//! `worker::Request::new_with_init` would bring all that Cloudflare lets a request ask for: 15 KB of the Worker.

use wasm_bindgen::JsValue;
use web_sys::RequestInit;
use worker::{Request, Result};

/// A request with the method `POST` and this body.
///
/// # Errors
/// When the URL is none.
pub(crate) fn post(url: &str, body: Option<&str>) -> Result<Request> {
    post_with(url, body, &RequestInit::new())
}

/// As [`post`], with what else `init` says.
///
/// # Errors
/// As [`post`].
pub(crate) fn post_with(url: &str, body: Option<&str>, init: &RequestInit) -> Result<Request> {
    init.set_method("POST");
    if let Some(body) = body {
        init.set_body(&JsValue::from(body));
    }
    let request = web_sys::Request::new_with_str_and_init(url, init)?;
    Ok(Request::from(request))
}
