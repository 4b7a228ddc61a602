//! What the triggers do: the runs of the night, and the watchdog.

use sentinel_engine::plan::Via;
use serde_json::Value;
use worker::{Env, Result, ScheduledEvent};

use crate::alert::{Alert, Occasion};
use crate::api::{ApiError, ScenarioChoice};
use crate::clock::{iso, now_ms};
use crate::config::{Config, Nightly};
use crate::coordinator::{Known, Stub};
use crate::json::document;
use crate::start::{Asked, failed_summary, launch, prepare, random_seed};
use crate::store::{Database, Row, end_run, running_runs};
use crate::{alert, kill_switch, log, retention};

/// Every day at 4 AM UTC, as in `wrangler.toml`.
const NIGHTLY: &str = "0 4 * * *";

/// Answers a trigger. Nobody hears of errors but the log.
pub(crate) async fn fired(event: &ScheduledEvent, env: &Env) {
    let config = match Config::of(env) {
        Ok(config) => config,
        Err(problems) => {
            log::event("misconfigured", "", document!(problems.0));
            return;
        }
    };
    if event.cron() == NIGHTLY {
        for night in &config.nightly {
            start(env, &config, night).await;
        }
        if let Err(error) = retention::remove_old(env, &config).await {
            log::event("retention_failed", "", log::brief(&error).into());
        }
        return;
    }
    kill_switch::create_key(env).await;
    if let Err(error) = watch(env).await {
        log::event("watchdog_failed", "", log::brief(&error).into());
    }
}

async fn start(env: &Env, config: &Config, night: &Nightly) {
    let asked = Asked {
        scenario: ScenarioChoice::Named(night.scenario.clone()),
        applications: Vec::new(),
        environment: Some(night.environment.clone()),
        // Whoever wrote the environment into the configuration has confirmed it.
        dry_run: Some(false),
        users: None,
        duration: None,
        profile: None,
        seed: random_seed(),
        regions: Vec::new(),
        retention_days: None,
        via: Via::Host,
        own_hosts: Vec::new(),
    };
    let started: std::result::Result<String, ApiError> = async {
        let prepared = prepare(config, asked, Vec::new())?;
        launch(env, config, prepared, Some(false)).await
    }
    .await;
    let details = document!({ "scenario": night.scenario, "environment": night.environment });
    match started {
        Ok(id) => log::event("nightly_started", &id, details),
        Err(error) if error.code == "already_running" => {
            let other = error.details.get("id").and_then(Value::as_str);
            log::event("nightly_skipped", other.unwrap_or_default(), details);
        }
        Err(error) => {
            let details =
                document!({ "nightly": details, "code": error.code, "error": error.message });
            log::event("nightly_failed", "", details);
            let (scenario, environment) = (&night.scenario, &night.environment);
            let alert = Alert {
                alert: Occasion::NightlyNotStarted,
                run: None,
                scenario: Some(scenario.clone()),
                environment: Some(environment.clone()),
                text: format!(
                    "the nightly run of {scenario} on {environment} did not start: {}",
                    error.message
                ),
            };
            alert::send(env, &alert).await;
        }
    }
}

/// Sees to it that no run is `running` for ever.
async fn watch(env: &Env) -> Result<()> {
    let database = Database::of(env)?;
    let now = now_ms();
    let young = iso(now.saturating_sub(YOUNG_MS));
    for row in database.rows(&running_runs()).await? {
        let text = |column| row.get(column).and_then(Value::as_str).unwrap_or_default();
        let (id, started_at) = (text("id"), text("started_at"));
        match Stub::of(env, id).check().await {
            // A run that was inserted just now may not have its coordinator yet.
            Ok(Known::Nothing) if started_at < young.as_str() => {
                let summary = failed_summary("the coordinator of the run knows nothing of it");
                let ended = end_run(id, "failed", &iso(now), &summary);
                if database.run(&ended).await? > 0 {
                    log::event("orphan_failed", id, document!({}));
                    stepped_in(env, &row, "had no coordinator and was ended as failed").await;
                }
            }
            Ok(Known::Revived) => {
                stepped_in(env, &row, "had come to a standstill and goes on again").await;
            }
            Ok(_) => {}
            Err(error) => log::event("check_failed", id, log::brief(&error).into()),
        }
    }
    Ok(())
}

/// Tells that a run needed the watchdog.
async fn stepped_in(env: &Env, row: &Row, what: &str) {
    let text = |column| row.get(column).and_then(Value::as_str).map(str::to_owned);
    let alert = Alert {
        alert: Occasion::WatchdogStepped,
        run: text("id"),
        scenario: text("scenario_name"),
        environment: text("environment"),
        text: format!("run {} {what}", text("id").unwrap_or_default()),
    };
    alert::send(env, &alert).await;
}

/// How old a run has to be before the watchdog gives it up.
const YOUNG_MS: u64 = 120_000;
