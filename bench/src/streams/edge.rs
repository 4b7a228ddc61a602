//! The Worker in local workerd, asked as Grove DevOps would.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use devstack::{DevStack, Options};
use serde_json::Value;

use crate::Player;
use crate::native::sentinel;
use crate::scenarios::Scenarios;

/// A stack of its own.
pub(crate) struct Edge {
    stack: DevStack,
    program: PathBuf,
}

impl Edge {
    /// Starts it; its load may go to this host.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start(host: &str) -> Result<Self> {
        let options = Options::default()
            .allowed_host(host)
            .var("MAX_USERS", "1000")
            .var("MAX_DURATION", "1h");
        Ok(Self {
            stack: DevStack::start(options)?,
            program: sentinel()?,
        })
    }

    /// Asks the API, and answers what was printed.
    fn ask(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.arg("remote").args(arguments);
        command.args(["--url", &self.stack.url()]);
        command.env("VISTA_TOKEN", self.stack.token());
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()?;
        let status = output.status;
        ensure!(
            status.success(),
            "sentinel remote {arguments:?} ended with {status}"
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}

impl Player for Edge {
    const NAME: &'static str = "edge";
    const SESSIONS: u32 = 200;
    const ERROR_MS_MAX: f64 = 2.0;

    fn play(&self, scenarios: &Scenarios, name: &str) -> Result<Value> {
        let path = scenarios.path(name);
        let path = path.to_str().context("a path that is text")?;
        let run = self.ask(&["run", path, "--detach", "--seed", "1"])?;
        let run = run.trim();
        self.ask(&["watch", run, "--quiet"])?;
        let told = self.ask(&["show", run, "--json"])?;
        let told: Value = serde_json::from_str(&told)?;
        let text = told["summary_json"].as_str();
        Ok(serde_json::from_str(
            text.context("the run has no summary")?,
        )?)
    }
}
