//! Where a coordinator reaches its batches.

use js_sys::futures::JsFuture;
use worker::{Context, Env, Request, Response, ResponseBuilder, Result};

use crate::batch::driver::{BatchPermit, Driver};
use crate::clock::now_ms;
use crate::config::Config;
use crate::token;

/// Starts the batch that a request asks for, `None` unless its coordinator has signed the request.
///
/// # Errors
/// When the runtime refuses to make a response.
pub(crate) fn answer(
    request: &Request,
    env: &Env,
    context: &Context,
    config: &Config,
) -> Result<Option<Response>> {
    let Some(permit) = permit(request, config)? else {
        return Ok(None);
    };
    let Some(body) = request.inner().body() else {
        return Ok(None);
    };
    let signal = request.inner().signal();
    let driver = Driver::new(env.clone(), permit, &body, &signal);
    let response = ResponseBuilder::new()
        .with_header("content-type", "application/x-ndjson")?
        .with_header("cache-control", "no-store")?
        .stream(driver.port().readable());
    context.wait_until(async move {
        // Keeps the driver, and the invocation, until the batch is over.
        let _ = JsFuture::from(driver.port().finished()).await;
        let _ = JsFuture::from(driver.sockets_gone()).await;
        drop(driver);
    });
    Ok(Some(response))
}

fn permit(request: &Request, config: &Config) -> Result<Option<BatchPermit>> {
    let header = request.headers().get("authorization")?;
    let token = header
        .as_deref()
        .and_then(|value| value.strip_prefix("Batch "));
    let key = config.batch_key.expose();
    let permit = token.and_then(|token| token::verify(token, key, now_ms()));
    Ok(permit.map(|permit| BatchPermit {
        run: permit.run.to_owned(),
        slice: permit.slice,
        batch: permit.batch,
    }))
}
