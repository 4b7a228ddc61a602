//! The kill switch: stops all runs and lets none start until it is lifted.
//!
//! Invariant: it is set in two places, D1 and KV, and either is enough: D1 is asked in the statement that
//! starts a run, KV is read by every coordinator and every batch while they play.

use futures::future::{join, join_all};
use serde::Serialize;
use serde_json::Value;
use worker::{Env, Result};

use crate::clock::{iso, now_ms};
use crate::coordinator::{Known, Stub};
use crate::json::document;
use crate::start::failed_summary;
use crate::store::{
    Database, Statement, end_run, forget_stop_key, lift_stop, note_stop_key, running_runs,
    stop_all, stop_in_force,
};
use crate::{flag, log};

/// A stop that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Stop {
    /// Why.
    pub(crate) reason: String,
    /// Since when, ISO 8601; not known of a stop that was set in KV alone.
    pub(crate) since: Option<String>,
}

/// What came of stopping everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Stopped {
    /// The runs that were running.
    pub(crate) runs: Vec<String>,
    /// What did not answer. The rest is enough, but may take longer.
    pub(crate) warnings: Vec<&'static str>,
}

/// What runs that are stopped say about it.
pub(crate) fn explain(reason: &str) -> String {
    format!("everything was stopped: {reason}")
}

/// The stop that is in force, if any.
///
/// # Errors
/// When D1 does not answer and KV knows of no stop.
pub(crate) async fn in_force(env: &Env) -> Result<Option<Stop>> {
    let (stored, sign) = join(stored(env), flag::stop_all(env)).await;
    let from_kv = || {
        sign.map(|reason| Stop {
            reason,
            since: None,
        })
    };
    match stored {
        Ok(Some(stop)) => Ok(Some(stop)),
        Ok(None) => Ok(from_kv()),
        Err(error) => from_kv().map(Some).ok_or(error),
    }
}

/// Stops everything.
///
/// # Errors
/// When neither D1 nor KV has taken it.
pub(crate) async fn stop(env: &Env, reason: &str) -> Result<Stopped> {
    let (noted, flagged) = join(
        change(env, &stop_all(reason, &iso(now_ms()))),
        flag::set_stop_all(env, Some(reason)),
    )
    .await;
    let mut warnings = Vec::new();
    for (failed, what) in [
        (noted.as_ref().err(), "the database did not answer"),
        (flagged.as_ref().err(), "KV did not answer"),
    ] {
        if let Some(error) = failed {
            log::event("stop_not_stored", "", log::brief(error).into());
            warnings.push(what);
        }
    }
    if let (Err(error), Err(_)) = (noted, flagged) {
        return Err(error);
    }
    let runs = match stop_runs(env, reason).await {
        Ok(runs) => runs,
        Err(error) => {
            log::event("stop_not_told", "", log::brief(&error).into());
            warnings.push("the running runs were not told at once and will see it in KV");
            Vec::new()
        }
    };
    log::event("stopped", "", document!({ "reason": reason, "runs": runs }));
    Ok(Stopped { runs, warnings })
}

/// Lets runs start again.
///
/// # Errors
/// When D1 or KV did not take it; everything stays stopped as long as one of them says so.
pub(crate) async fn lift(env: &Env) -> Result<()> {
    flag::set_stop_all(env, None).await?;
    change(env, &lift_stop(&iso(now_ms()))).await?;
    log::event("stop_lifted", "", document!({}));
    Ok(())
}

/// Creates the key in KV once in the life of the database, so that later writes to it are seen in time. Not
/// whenever it is missing: a look may still find it missing when somebody has just set it, and would take the
/// stop back.
pub(crate) async fn create_key(env: &Env) {
    let created: Result<()> = async {
        if change(env, &note_stop_key(&iso(now_ms()))).await? == 0 {
            return Ok(());
        }
        if let Err(error) = flag::create_stop_all(env).await {
            change(env, &forget_stop_key()).await?;
            return Err(error);
        }
        Ok(())
    }
    .await;
    if let Err(error) = created {
        log::event("stop_key_not_created", "", log::brief(&error).into());
    }
}

/// Tells all coordinators; answers which runs were running.
async fn stop_runs(env: &Env, reason: &str) -> Result<Vec<String>> {
    let database = Database::of(env)?;
    let rows = database.rows(&running_runs()).await?;
    let ids = rows.iter().filter_map(|row| row.get("id")?.as_str());
    let ids: Vec<String> = ids.map(str::to_owned).collect();
    let why = explain(reason);
    let told = ids.iter().map(|id| stop_run(env, &database, id, &why));
    let told = join_all(told).await;
    for (id, told) in ids.iter().zip(told) {
        if let Err(error) = told {
            log::event("cancel_failed", id, log::brief(&error).into());
        }
    }
    Ok(ids)
}

async fn stop_run(env: &Env, database: &Database, id: &str, why: &str) -> Result<()> {
    match Stub::of(env, id).cancel(Some(why)).await? {
        Known::Running | Known::Revived => Ok(()),
        // It is about to start, and its coordinator will see that it is over.
        Known::Nothing => {
            let summary = failed_summary(why);
            let ended = end_run(id, "cancelled", &iso(now_ms()), &summary);
            database.run(&ended).await.map(drop)
        }
    }
}

async fn stored(env: &Env) -> Result<Option<Stop>> {
    let rows = Database::of(env)?.rows(&stop_in_force()).await?;
    let text = |column: &str| {
        let value = rows.first().and_then(|row| row.get(column));
        value.and_then(Value::as_str).map(str::to_owned)
    };
    Ok(text("reason").map(|reason| Stop {
        reason,
        since: text("changed_at"),
    }))
}

async fn change(env: &Env, statement: &Statement) -> Result<usize> {
    Database::of(env)?.run(statement).await
}
