//! `sentinel remote cancel`.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::client::Client;
use super::trouble::Trouble;
use crate::exit::{Exit, Stopped};

/// How often it is asked for: cancelling twice is cancelling once.
const ATTEMPTS: u32 = 4;
/// How long between two of them.
const BETWEEN: Duration = Duration::from_secs(1);

/// Cancels a run and says so.
///
/// # Errors
/// When it is over already, or nobody could be told.
pub(super) async fn command(client: &Client, run: Uuid) -> Result<Exit, Stopped> {
    cancel(client, run).await?;
    say!("run {run} is told to end; `sentinel remote show {run}` says what it measured")?;
    Ok(Exit::Passed)
}

/// Cancels a run.
///
/// # Errors
/// When it is over already, or nobody could be told.
pub(super) async fn cancel(client: &Client, run: Uuid) -> Result<(), Trouble> {
    let path = format!("/runs/{run}/cancel");
    let mut attempt = 1;
    loop {
        match client.post(&path, &json!({})).await {
            Ok(_) => return Ok(()),
            Err(trouble) if trouble.is_passing() && attempt < ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(BETWEEN).await;
            }
            Err(trouble) => return Err(trouble),
        }
    }
}
