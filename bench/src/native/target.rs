//! The testbed in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use testbed::Stats;

use crate::generators::beside_us;
use crate::process::{Core, on};

/// The target of all generators.
pub(crate) struct Target {
    child: Child,
    url: String,
}

impl Target {
    /// A testbed of its own.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start() -> Result<Self> {
        let path = beside_us("testbed")?;
        Self::spawn(Command::new(path))
    }

    /// One that has a core of its own.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) fn start_on(core: Core) -> Result<Self> {
        Self::spawn(on(core, &beside_us("testbed")?))
    }

    fn spawn(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .context("start the testbed")?;
        let mut url = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out)
                .read_line(&mut url)
                .context("read the testbed's address")?;
        }
        let url = url.trim().to_owned();
        Ok(Self { child, url })
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Begins to count anew.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) fn reset(&self) -> Result<()> {
        ureq::delete(self.stats_url()).call()?;
        Ok(())
    }

    /// Lets requests to `/freeze` wait for this long.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) fn freeze(&self, length: Duration) -> Result<()> {
        let url = format!("{}/__testbed/freeze?ms={}", self.url, length.as_millis());
        ureq::post(url).send_empty()?;
        Ok(())
    }

    /// What it received.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) fn stats(&self) -> Result<Stats> {
        Ok(ureq::get(self.stats_url()).call()?.body_mut().read_json()?)
    }

    fn stats_url(&self) -> String {
        format!("{}/__testbed/stats", self.url)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It holds nothing that could be lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
