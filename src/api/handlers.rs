//! From a request to the answer.

use sentinel_engine::batch::RUN_FIELD;
use sentinel_engine::scenario::{ApplicationProfile, LoadScenario};
use serde::Serialize;
use worker::{Env, Request, Response, Result};

use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::route::{BASE, NoRoute, Route, route};
use crate::api::{prometheus, runs, start, stop, stream};
use crate::config::{Config, ConfigProblems};
use crate::json::document;
use crate::token::same_secret;
use crate::{catalog, flag};

/// Answers a request.
///
/// # Errors
/// When the runtime refuses to make a response.
pub(crate) async fn handle(
    mut request: Request,
    env: &Env,
    config: &std::result::Result<Config, ConfigProblems>,
) -> Result<Response> {
    let answer = answer(&mut request, env, config).await;
    answer.or_else(|error| reply::error(&error))
}

async fn answer(
    request: &mut Request,
    env: &Env,
    config: &std::result::Result<Config, ConfigProblems>,
) -> std::result::Result<Response, ApiError> {
    let path = request.path();
    let Some(rest) = path.strip_prefix(BASE) else {
        return Err(ApiError::not_found());
    };
    if request.headers().has(RUN_FIELD).unwrap_or(false) {
        return Err(ApiError::new(
            403,
            "own_traffic",
            "this request comes from a load test, and the load tester does not test itself",
        ));
    }
    let found = route(request.method().as_ref(), rest);
    if found == Ok(Route::Health) {
        return json_or_500(health(env, config).await);
    }
    let config = config.as_ref().map_err(ApiError::from)?;
    authenticate(request, config)?;
    let found = found.map_err(|none| match none {
        NoRoute::Unknown => ApiError::not_found(),
        NoRoute::Method(accepted) => ApiError::method(accepted),
        NoRoute::Id => ApiError::new(
            400,
            "invalid_id",
            "a run is named by a UUID such as 0b9f8f4e-7c67-4c4e-9f6e-1d2b3c4d5e6f",
        ),
    })?;
    let url = request.url().ok();
    let query = url.as_ref().and_then(|url| url.query()).unwrap_or_default();
    let body = match found {
        Route::Health => return json_or_500(health(env, &Ok(config.clone())).await),
        Route::Start => return start::start(request, env, config).await,
        Route::Scenarios => return json_or_500((200, scenarios())),
        Route::Scenario(name) => return json_or_500((200, scenario(&name)?)),
        Route::Runs => runs::list(env, query).await?,
        Route::Run(id, view) => runs::view(env, &id, view, query).await?,
        Route::Cancel(id) => runs::cancel(env, &id).await?,
        Route::Stream(id) => {
            let last = request.headers().get("last-event-id").ok().flatten();
            return stream::stream(env, id, last.as_deref()).await;
        }
        Route::OpenApi => openapi()?,
        Route::Metrics => return prometheus::metrics(env).await,
        Route::StopState => stop::state(env).await?,
        Route::StopAll => stop::stop(request, env).await?,
        Route::LiftStop => stop::lift(env).await?,
    };
    json_or_500((200, body))
}

fn authenticate(request: &Request, config: &Config) -> std::result::Result<(), ApiError> {
    let header = request.headers().get("authorization").ok().flatten();
    let token = header.as_deref().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then_some(token.trim())
    });
    match token {
        Some(token) if same_secret(token, config.token.expose()) => Ok(()),
        _ => Err(ApiError::unauthorized()),
    }
}

/// Open to everybody, so that it does not say why everything is stopped.
async fn health(
    env: &Env,
    config: &std::result::Result<Config, ConfigProblems>,
) -> (u16, serde_json::Value) {
    let version = env!("CARGO_PKG_VERSION");
    let stopped = flag::stop_all(env).await.is_some();
    let (code, status, problems) = match config {
        Ok(_) => (200, "ok", serde_json::Value::Array(Vec::new())),
        Err(problems) => (503, "misconfigured", document!(problems.0)),
    };
    let body = document!({ "status": status, "version": version, "stopped": stopped, "problems": problems });
    (code, body)
}

/// The description of this API, written by hand and held against the routes by a test.
fn openapi() -> std::result::Result<serde_json::Value, ApiError> {
    let document = serde_json::from_str(include_str!(concat!(env!("OUT_DIR"), "/openapi.json")));
    document.map_err(|_| ApiError::new(500, "internal", "the answer could not be made"))
}

#[derive(Serialize)]
struct KnownScenarios {
    scenarios: Vec<LoadScenario>,
}

fn scenarios() -> KnownScenarios {
    let scenarios = catalog::names().into_iter().filter_map(catalog::scenario);
    KnownScenarios {
        scenarios: scenarios.collect(),
    }
}

#[derive(Serialize)]
struct KnownScenario {
    scenario: LoadScenario,
    applications: Vec<ApplicationProfile>,
}

fn scenario(name: &str) -> std::result::Result<KnownScenario, ApiError> {
    match catalog::scenario(name) {
        Some(scenario) => {
            let used = scenario.applications.iter();
            let applications = used.filter_map(|a| catalog::application(&a.name)).collect();
            Ok(KnownScenario {
                scenario,
                applications,
            })
        }
        None => Err(ApiError::no_scenario(&catalog::names())),
    }
}

fn json_or_500<T: Serialize>((status, body): (u16, T)) -> std::result::Result<Response, ApiError> {
    let internal = |_| ApiError::new(500, "internal", "the answer could not be made");
    reply::json(status, &body).map_err(internal)
}
