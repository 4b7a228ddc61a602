//! The command on this machine.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::Player;
use crate::scenarios::Scenarios;

/// The command `sentinel`.
pub(crate) struct Native {
    program: PathBuf,
}

impl Native {
    /// The one that was built together with this program.
    ///
    /// # Errors
    /// When it is not there.
    pub(crate) fn find() -> Result<Self> {
        let program = sentinel()?;
        Ok(Self { program })
    }
}

/// The command that was built together with this program.
///
/// # Errors
/// When it is not there.
pub(crate) fn sentinel() -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("sentinel");
    ensure!(
        program.is_file(),
        "{} is missing: build it first",
        program.display()
    );
    Ok(program)
}

impl Player for Native {
    const NAME: &'static str = "native";
    const SESSIONS: u32 = 1_000;
    const ERROR_MS_MAX: f64 = 1.0;

    fn play(&self, scenarios: &Scenarios, name: &str) -> Result<Value> {
        let summary = scenarios.path("summary");
        let mut command = Command::new(&self.program);
        command.arg("run").arg(scenarios.path(name));
        command.args(["--quiet", "--seed", "1", "--base-url", scenarios.target()]);
        command
            .arg("--out")
            .arg(format!("json={}", summary.display()));
        let ended = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        ensure!(ended.success(), "sentinel ended with {ended}");
        let text = fs::read(&summary).context("read the summary")?;
        Ok(serde_json::from_slice(&text)?)
    }
}
