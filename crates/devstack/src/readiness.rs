//! Waiting until a Worker answers, over HTTP, with a deadline and the reason when it does not.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::group::Group;

/// How long a Worker may take until it answers; a busy machine needs minutes.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The code by which a Worker says in its health that it was configured wrongly.
const MISCONFIGURED: &str = "\"misconfigured\"";

/// What is waited for, and how long.
pub(crate) struct Wait<'a> {
    /// The Worker's name, for the error text.
    pub(crate) name: &'a str,
    /// The address that must answer with status 200.
    pub(crate) url: String,
    /// Where the Worker's runtime prints.
    pub(crate) log: &'a Path,
    /// Set from outside to give up early.
    pub(crate) interrupted: Option<&'a AtomicBool>,
}

/// Polls until the address answers with 200.
///
/// # Errors
/// When the runtime ended, the Worker says that it is misconfigured, the deadline passed, or the wait was
/// interrupted; with the last answer and the end of the log.
pub(crate) fn wait_until_ready(group: &mut Group, wait: &Wait<'_>) -> Result<()> {
    let agent = agent(Duration::from_secs(2));
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let last = match agent.get(&wait.url).call() {
            Ok(mut answer) if answer.status() == 200 => {
                // The body says nothing that the status does not; it is read to free the connection.
                let _ = answer.body_mut().read_to_string();
                return Ok(());
            }
            Ok(mut answer) => {
                let body = answer.body_mut().read_to_string().unwrap_or_default();
                let body: String = body.chars().take(500).collect();
                // No waiting changes its configuration.
                if body.contains(MISCONFIGURED) {
                    bail!("{}: {body}\n{}", wait.name, log_tail(wait.log));
                }
                format!("{} {body}", answer.status())
            }
            Err(error) => error.to_string(),
        };
        if let Some(status) = group.ended() {
            bail!(
                "{}: wrangler ended with {status}\n{}",
                wait.name,
                log_tail(wait.log)
            );
        }
        if wait
            .interrupted
            .is_some_and(|flag| flag.load(Ordering::Relaxed))
        {
            bail!("interrupted while {} was starting", wait.name);
        }
        if Instant::now() > deadline {
            bail!(
                "{} was not ready after {} s; the last answer of {} was: {last}\n{}",
                wait.name,
                TIMEOUT.as_secs(),
                wait.url,
                log_tail(wait.log)
            );
        }
        thread::sleep(Duration::from_millis(25));
    }
}

/// A client that reports every status as an answer instead of an error.
pub(crate) fn agent(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(timeout))
        .build()
        .into()
}

/// The last lines of a log, under a heading that names the file.
pub(crate) fn log_tail(log: &Path) -> String {
    const LINES: usize = 40;
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines
        .get(lines.len().saturating_sub(LINES)..)
        .unwrap_or_default();
    format!("the end of {}:\n{}", log.display(), tail.join("\n"))
}
