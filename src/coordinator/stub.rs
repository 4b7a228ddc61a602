//! How the rest of the Worker reaches the coordinator of a run.
//!
//! Invariant: whatever is asked may be asked twice, so that it is asked again when the platform says that it may.

use std::time::Duration;

use sentinel_engine::run::LiveReport;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use worker::{Delay, Env, Error, Result};

use crate::coordinator::order::RunOrder;
use crate::outgoing::post;
use crate::retry::{is_retryable, retrying};

/// The coordinator of one run.
#[derive(Debug)]
pub(crate) struct Stub<'a> {
    env: &'a Env,
    run: &'a str,
}

/// What a coordinator knows about its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Known {
    /// Nothing: it was never started, or everything is written and forgotten.
    Nothing,
    /// The run goes on.
    Running,
    /// The run had come to a standstill, and goes on again.
    Revived,
}

/// What a look at a run has shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Seen {
    /// Whether the coordinator knows anything of its run.
    pub(crate) known: Known,
    /// Unix time of the run's start in milliseconds, `None` before it.
    #[serde(default)]
    pub(crate) epoch_ms: Option<u64>,
    /// How many users were active in the second that was published last.
    pub(crate) users: u32,
    /// How the run stands, `None` before it begins and when it has just ended.
    #[serde(default)]
    pub(crate) report: Option<LiveReport>,
}

impl Seen {
    /// Nothing is known.
    pub(crate) const NOTHING: Self = Self {
        known: Known::Nothing,
        epoch_ms: None,
        users: 0,
        report: None,
    };
}

impl<'a> Stub<'a> {
    /// The coordinator of `run`.
    pub(crate) const fn of(env: &'a Env, run: &'a str) -> Self {
        Self { env, run }
    }

    /// Starts the run. When this returns, the coordinator has stored what it needs and set its alarm.
    ///
    /// # Errors
    /// When the coordinator does not answer; whether it has started is not known then.
    pub(crate) async fn start(&self, order: &RunOrder) -> Result<()> {
        let body = crate::json::write(order)?;
        self.ask::<Known>("start", Some(&body)).await.map(drop)
    }

    /// Stops the run, for the reason that its summary is to tell.
    ///
    /// # Errors
    /// When the coordinator does not answer.
    pub(crate) async fn cancel(&self, reason: Option<&str>) -> Result<Known> {
        self.ask("cancel", reason).await
    }

    /// Has the coordinator look after itself, and asks what it knows.
    ///
    /// # Errors
    /// When the coordinator does not answer.
    pub(crate) async fn check(&self) -> Result<Known> {
        self.ask("check", None).await
    }

    /// A look at the run while it goes on; `measured` asks also for what costs more to find out.
    ///
    /// # Errors
    /// When the coordinator does not answer.
    pub(crate) async fn look(&self, measured: bool) -> Result<Seen> {
        let what = if measured { "look/measured" } else { "look/" };
        self.ask(what, None).await
    }

    async fn ask<T: DeserializeOwned>(&self, what: &str, body: Option<&str>) -> Result<T> {
        retrying(
            || self.ask_once(what, body),
            is_retryable,
            |ms| Delay::from(Duration::from_millis(ms)),
        )
        .await
    }

    async fn ask_once<T: DeserializeOwned>(&self, what: &str, body: Option<&str>) -> Result<T> {
        // A stub that has failed once is broken, so that each attempt gets its own.
        let stub = self.env.durable_object("RUNS")?.get_by_name(self.run)?;
        let request = post(&format!("https://coordinator/{what}"), body)?;
        let mut response = stub.fetch_with_request(request).await?;
        if response.status_code() != 200 {
            let status = response.status_code();
            return Err(Error::RustError(format!(
                "the coordinator answered {status}"
            )));
        }
        crate::json::read(&response.text().await?)
    }
}
