//! Removing old runs, every night.
//!
//! Invariant: the work of a night is bounded and can be broken off anywhere: a run is removed in one
//! transaction, and what is left is left for the next night.

use serde_json::Value;
use worker::{Env, Result};

use crate::clock::{day, iso, now_ms};
use crate::config::Config;
use crate::json::document;
use crate::log;
use crate::store::{Database, expired_runs, forget_days_before, remove_run};

/// Removes runs that are older than they, or else the configuration, are to be kept.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn remove_old(env: &Env, config: &Config) -> Result<()> {
    let database = Database::of(env)?;
    let now = now_ms();
    let days_ago = |days: u64| now.saturating_sub(days.saturating_mul(86_400_000));
    database
        .run(&forget_days_before(&day(days_ago(BUDGET_DAYS))))
        .await?;
    let expired = expired_runs(&iso(now), config.retention_days, RUNS_MAX);
    let rows = database.rows(&expired).await?;
    let ids = rows
        .iter()
        .filter_map(|row| row.get("id").and_then(Value::as_str));
    let mut removed = 0_u32;
    for id in ids {
        database.transaction(&remove_run(id)).await?;
        removed += 1;
    }
    log::event(
        "old_runs_removed",
        "",
        document!({ "runs": removed, "days": config.retention_days }),
    );
    Ok(())
}

/// Runs that are removed in one night at most: of each up to 3,600 rows.
const RUNS_MAX: u32 = 200;

/// For how many days the budget's accounts are kept.
const BUDGET_DAYS: u64 = 30;
