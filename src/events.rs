//! The Worker's entry points.

use futures::channel::oneshot;
use worker::{
    Context, Env, Error, Method, Request, Response, Result, ScheduleContext, ScheduledEvent, event,
};

use crate::api::BATCH_PATH;
use crate::config::Config;
use crate::{api, batch, cron};

#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    let config = Config::of(&env);
    if request.path() == BATCH_PATH
        && let Ok(config) = &config
        && let Some(response) = batch::answer(&request, &env, &context, config)?
    {
        return Ok(response);
    }
    if request.method() != Method::Post {
        return api::handle(request, &env, &config).await;
    }
    // What was begun is done, also when the caller goes away meanwhile.
    let (sender, receiver) = oneshot::channel();
    context.wait_until(async move {
        let _ = sender.send(api::handle(request, &env, &config).await);
    });
    receiver
        .await
        .map_err(|_| Error::RustError("the request was given up".to_owned()))?
}

#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    cron::fired(&event, &env).await;
}
