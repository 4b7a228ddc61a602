//! The cancel flag in KV: whoever can write this key can stop a run, even when the API is down.
//!
//! Invariant: the key exists from the start of a run, because KV also remembers for a while that a key does
//! not exist, and a flag that was set later would not be seen in time.

use worker::{Env, Result};

use crate::limits::KV_TTL_S_MIN;

const RUNNING: &str = "running";
const CANCELLED: &str = "cancelled";

/// Says that the run may go on. To be called before anybody can know the run's identifier.
///
/// # Errors
/// When KV refuses.
pub(crate) async fn raise(env: &Env, run: &str, duration_s: u64) -> Result<()> {
    put(env, run, RUNNING, duration_s).await
}

/// Says that the run is to stop.
///
/// # Errors
/// When KV refuses.
pub(crate) async fn cancel(env: &Env, run: &str) -> Result<()> {
    put(env, run, CANCELLED, 0).await
}

/// Whether the run is to stop. When KV does not answer, the run goes on.
pub(crate) async fn is_cancelled(env: &Env, run: &str) -> bool {
    let Ok(kv) = env.kv(BINDING) else {
        return false;
    };
    let value = kv.get(&key(run)).text().await;
    value.is_ok_and(|text| text.is_some_and(|text| text.trim() == CANCELLED))
}

async fn put(env: &Env, run: &str, value: &str, duration_s: u64) -> Result<()> {
    env.kv(BINDING)?
        .put(&key(run), value)?
        .expiration_ttl(duration_s.saturating_add(LEFTOVER_S))
        .execute()
        .await?;
    Ok(())
}

fn key(run: &str) -> String {
    format!("loadtest:cancel:{run}")
}

const BINDING: &str = "MONITOR_KV";

/// How long the key outlives its run: far more than a run can be late.
const LEFTOVER_S: u64 = 24 * 3_600;
const _: () = assert!(LEFTOVER_S >= KV_TTL_S_MIN);
