//! Alerts: a small JSON to a webhook when somebody should look.
//!
//! Invariant: an alert never delays a run and never fails one; its address, which may hold a secret, is in no
//! log line.

use std::time::Duration;

use sentinel_engine::summary::{RunStatus, TestRunResult};
use serde::{Deserialize, Serialize};
use web_sys::{AbortSignal, Headers, RequestInit, RequestRedirect};
use worker::{Delay, Env, Fetch, Result};

use crate::config::Config;
use crate::json::document;
use crate::log;
use crate::outgoing::post_with;

/// What somebody should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Occasion {
    /// A run of the night could not be started.
    NightlyNotStarted,
    /// A run broke: its numbers are worth nothing.
    RunFailed,
    /// A run went to its end, and something that had to hold does not.
    AssertionsFailed,
    /// A run needed the watchdog.
    WatchdogStepped,
}

/// An alert, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alert {
    /// Why it is sent.
    pub(crate) alert: Occasion,
    /// The run's identifier, if there is a run.
    #[serde(default)]
    pub(crate) run: Option<String>,
    /// The scenario, if known.
    #[serde(default)]
    pub(crate) scenario: Option<String>,
    /// The environment, if known.
    #[serde(default)]
    pub(crate) environment: Option<String>,
    /// What happened, for people: chat systems show this field.
    pub(crate) text: String,
}

impl Alert {
    /// The alert that the end of a run asks for, if any. A run that was cancelled asks for none.
    pub(crate) fn of_result(result: &TestRunResult, environment: &str) -> Option<Self> {
        let scenario = &result.scenario_name;
        let (alert, text) = match result.status {
            RunStatus::Failed => {
                let why = result.failure.as_deref().unwrap_or("for an unknown reason");
                let text = format!("the run of {scenario} on {environment} failed: {why}");
                (Occasion::RunFailed, text)
            }
            RunStatus::Completed if !result.passed => {
                let mut failed = result.failed_assertions.clone();
                failed.truncate(ASSERTIONS_MAX);
                let failed = failed.join("; ");
                let text = format!("the run of {scenario} on {environment} did not pass: {failed}");
                (Occasion::AssertionsFailed, text)
            }
            RunStatus::Completed | RunStatus::Cancelled => return None,
        };
        Some(Self {
            alert,
            run: Some(result.id.clone()),
            scenario: Some(scenario.clone()),
            environment: Some(environment.to_owned()),
            text: text.chars().take(TEXT_CHARS_MAX).collect(),
        })
    }
}

/// Sends an alert, if there is an address for alerts. Tries again when nobody answers, and then gives up.
pub(crate) async fn send(env: &Env, alert: &Alert) {
    let Ok(config) = Config::of(env) else { return };
    let Some(address) = &config.alert_webhook else {
        return;
    };
    let run = alert.run.as_deref().unwrap_or_default();
    for wait_s in WAITS_S {
        if wait_s > 0 {
            Delay::from(Duration::from_secs(wait_s)).await;
        }
        // The text of an error may hold the address.
        let status = post(address.expose(), alert).await.unwrap_or_default();
        if (200..300).contains(&status) {
            log::event("alert_sent", run, document!({ "alert": alert.alert }));
            return;
        }
        let details = document!({ "alert": alert.alert, "status": status });
        log::event("alert_not_sent", run, details);
    }
}

/// The status of the answer.
async fn post(address: &str, alert: &Alert) -> Result<u16> {
    let headers = Headers::new()?;
    headers.set("content-type", "application/json")?;
    let init = RequestInit::new();
    init.set_headers(&headers);
    // What is told here is meant for this address only.
    init.set_redirect(RequestRedirect::Manual);
    let request = post_with(address, Some(&crate::json::write(alert)?), &init)?;
    let patience = AbortSignal::timeout_with_u32(PATIENCE_MS).into();
    let answer = Fetch::Request(request).send_with_signal(&patience).await?;
    Ok(answer.status_code())
}

/// How long to wait before each try, in seconds.
const WAITS_S: [u64; 3] = [0, 1, 5];

/// How long an answer may take.
const PATIENCE_MS: u32 = 10_000;

/// How many of the assertions that do not hold are named.
const ASSERTIONS_MAX: usize = 10;

/// The longest text, in characters.
const TEXT_CHARS_MAX: usize = 1_000;
