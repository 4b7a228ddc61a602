//! `POST runs`.

use std::ops::RangeInclusive;

use sentinel_engine::plan::{Plan, Problem};
use sentinel_engine::schedule::vu_steps;
use sentinel_engine::tick::Tick;
use serde_json::{Number, Value};
use worker::{Env, Request, Response, Result};

use crate::api::body::{StartBody, read};
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::route::BASE;
use crate::config::{Config, RETENTION_DAYS_MAX};
use crate::json::document;
use crate::start::{Asked, Prepared, launch, prepare, random_seed};

/// Starts a run, or tells what would be run.
///
/// # Errors
/// What the caller has to change, or what did not do its part.
pub(super) async fn start(
    request: &mut Request,
    env: &Env,
    config: &Config,
) -> Result<Response, ApiError> {
    let body = read(request).await?;
    let own_hosts = own_hosts(request);
    let (asked, problems) = asked(StartBody::parse(&body)?, config.users_max, own_hosts);
    let dry_run = asked.dry_run;
    let prepared = prepare(config, asked, problems)?;
    if dry_run == Some(true) {
        return sent(reply::json(200, &dry(&prepared)));
    }
    let scenario = prepared.scenario_name.clone();
    let environment = prepared.environment.clone();
    let id = launch(env, config, prepared, dry_run).await?;
    let answer = document!({
        "id": id,
        "message": "Test started",
        "scenario": scenario,
        "environment": environment,
    });
    let location = format!("{BASE}/runs/{id}");
    sent(reply::with_headers(
        202,
        &answer,
        &[("location", &location)],
    ))
}

/// What the numbers of a body mean, and what is wrong with them.
fn asked(body: StartBody, users_max: u32, own_hosts: Vec<String>) -> (Asked, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut check =
        |path: &str, number: Option<Number>, accepted: RangeInclusive<u64>| -> Option<u64> {
            let number = number?;
            let whole = number.as_u64().filter(|n| accepted.contains(n));
            if whole.is_none() {
                problems.push(Problem {
                    path: path.to_owned(),
                    message: format!(
                        "{number} is not accepted: it takes a whole number from {} to {}",
                        accepted.start(),
                        accepted.end(),
                    ),
                });
            }
            whole
        };
    let users = check("users", body.users, 1..=users_max.into());
    let seed = check("seed", body.seed, 1..=SEED_MAX);
    let retention_days = check(
        "retentionDays",
        body.retention_days,
        0..=RETENTION_DAYS_MAX.into(),
    );
    let asked = Asked {
        scenario: body.scenario,
        applications: body.applications,
        environment: body.environment,
        via: body.via.unwrap_or_default(),
        dry_run: body.dry_run,
        users: users.and_then(|users| u32::try_from(users).ok()),
        duration: body.duration,
        profile: body.profile,
        seed: seed.unwrap_or_else(random_seed),
        regions: body.regions,
        retention_days: retention_days.and_then(|days| u32::try_from(days).ok()),
        own_hosts,
    };
    (asked, problems)
}

/// What would be run.
fn dry(prepared: &Prepared) -> Value {
    let plan = &prepared.plan;
    document!({
        "dryRun": true,
        "scenario": prepared.scenario_name,
        "environment": prepared.environment,
        "plan": document!({
            "baseUrl": plan.base_url(),
            "seed": plan.seed(),
            "model": "closed",
            "via": plan.via(),
            "bindings": plan.bindings(),
            "durationS": plan.duration().as_secs_f64(),
            "gracefulStopS": plan.graceful_stop().as_secs_f64(),
            "usersMax": plan.users_max(),
            "batches": prepared.spread.batches,
            "shards": prepared.spread.shards,
            "inFlight": prepared.spread.in_flight,
            "requestsPerSecond": prepared.spread.requests_per_second,
            "phases": phases(plan),
            "applications": applications(plan),
            "tenants": plan.tenants(),
            "hosts": plan.hosts(),
            "assertions": plan.assertions(),
            "warnings": plan.warnings(),
        }),
    })
}

/// The phases with the steps of the number of users in each: `[seconds, users]`.
fn phases(plan: &Plan) -> Vec<Value> {
    let steps = vu_steps(plan);
    let phases = plan.phases().iter();
    phases
        .map(|span| {
            let within = |at: Tick| span.from <= at && at < span.to;
            let steps: Vec<(f64, u32)> = steps
                .iter()
                .filter(|(at, _)| within(*at))
                .map(|(at, users)| (seconds(*at), *users))
                .collect();
            document!({
                "phase": span.phase,
                "fromS": seconds(span.from),
                "toS": seconds(span.to),
                "vuSteps": steps,
            })
        })
        .collect()
}

fn applications(plan: &Plan) -> Vec<Value> {
    let applications = plan.applications().iter();
    applications
        .map(|application| {
            let steps: Vec<&str> = application.steps.iter().map(|s| s.name.as_str()).collect();
            document!({
                "name": application.name,
                "weight": application.weight,
                "variants": application.variants,
                "steps": steps,
            })
        })
        .collect()
}

fn seconds(at: Tick) -> f64 {
    at.saturating_since(Tick::ZERO).as_secs_f64()
}

/// The host that this Worker was just reached at.
fn own_hosts(request: &Request) -> Vec<String> {
    let Ok(url) = request.url() else {
        return Vec::new();
    };
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) if !host.is_empty() => vec![format!("{host}:{port}")],
        _ => Vec::new(),
    }
}

fn sent(response: Result<Response>) -> Result<Response, ApiError> {
    response.map_err(|_| ApiError::new(500, "internal", "the answer could not be made"))
}

/// The largest number that every reader of JSON holds exactly.
const SEED_MAX: u64 = (1 << 53) - 1;
