//! Measurements that are pushed to a server over HTTP.

use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::{Client, Url, redirect, retry};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::rustls::crypto::ring;

/// How long one push may take.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Where pushes go. They are made one after the other, by the thread that asks for them.
pub(super) struct Push {
    runtime: Runtime,
    client: Client,
    to: Url,
}

impl Push {
    /// Pushes to this address.
    ///
    /// # Errors
    /// When this machine has no certificates to trust, or cannot do anything at all.
    pub(super) fn new(to: Url) -> Result<Self> {
        // Fails only when there is one already, which is as good.
        let _ = ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("vista-loadtest/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .timeout(TIME_LIMIT)
            .build()?;
        Ok(Self {
            runtime: Builder::new_current_thread().enable_all().build()?,
            client,
            to,
        })
    }

    /// Pushes once.
    ///
    /// # Errors
    /// When the server could not be reached or did not take it: why, in words without the address.
    pub(super) fn post(&self, fields: &[(&str, &str)], body: Vec<u8>) -> Result<(), String> {
        let mut request = self.client.post(self.to.clone());
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        // Inside of the runtime, because a request looks for its timers when it is made.
        let sent = self
            .runtime
            .block_on(async { request.body(body).send().await });
        let answered = sent.and_then(|answer| {
            answer.error_for_status_ref()?;
            Ok(answer.status())
        });
        let status = answered
            .map_err(reqwest::Error::without_url)
            .context("not delivered");
        match status {
            Ok(status) if status.is_success() => Ok(()),
            Ok(status) => Err(format!("the server answers {status}")),
            Err(error) => Err(format!("{error:#}")),
        }
    }
}
