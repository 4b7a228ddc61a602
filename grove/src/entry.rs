//! The way of a request through Grove: counted, faulted if a test asked for it, served, timed.
//!
//! Invariant: every request that arrives is counted before anything can fail, and is served to
//! its end even if its client goes away, so that counters and places are given back.

use futures::channel::oneshot;
use worker::{Context, Env, Request, Response, Result, event};

use crate::app::{App, now_ms};
use crate::error::ApiError;
use crate::route::Endpoint;
use crate::{fault, handlers, stats};

#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    let method = request.method().to_string();
    let path = request.path();
    let label = Endpoint::find(&method, &path).label();
    if let Some(label) = label {
        stats::arrived(label);
    }
    let (sender, receiver) = oneshot::channel();
    // As a background task it goes on when the client does not.
    context.wait_until(async move {
        let app = App::new(env);
        let response = serve(&app, request, &method, &path, label).await;
        // Nobody listens any more if the client has gone; the work is done all the same.
        let _ = sender.send(response);
        if stats::needs_carrier() {
            stats::carry(&app).await;
        }
    });
    match receiver.await {
        Ok(response) => response,
        Err(_) => Response::error("the request was given up", 500),
    }
}

async fn serve(
    app: &App,
    mut request: Request,
    method: &str,
    path: &str,
    label: Option<&'static str>,
) -> Result<Response> {
    let started_ms = now_ms();
    let endpoint = Endpoint::find(method, path);
    let outcome = fault::serve(
        app,
        label,
        handlers::handle(app, &mut request, method, endpoint),
    )
    .await;
    let response = match outcome {
        Ok(response) => response,
        Err(error) => error_response(&error)?,
    };
    if label.is_some() {
        stats::answered(response.status_code());
    }
    response
        .headers()
        .set("Server-Timing", &app.timings.header(now_ms() - started_ms))?;
    Ok(response)
}

fn error_response(error: &ApiError) -> Result<Response> {
    let response = Response::from_json(&error.body())?.with_status(error.status);
    if error.status == 401 {
        response
            .headers()
            .set("WWW-Authenticate", "Bearer realm=\"grove\"")?;
    }
    Ok(response)
}
