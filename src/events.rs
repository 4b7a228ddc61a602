//! The Worker's entry points.

use worker::{Context, Env, Request, Response, Result, ScheduleContext, ScheduledEvent, event};

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
    api::handle(request, &env, &config).await
}

#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    cron::fired(&event, &env).await;
}
