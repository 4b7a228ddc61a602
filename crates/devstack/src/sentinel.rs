//! The native command, for tests that run it against the local Worker.
//!
//! **Invariant:** it is built as `cargo test --workspace` builds it, so that nothing of it is built twice.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::Project;

/// The variable that names a `sentinel` that is there already.
pub const SENTINEL: &str = "SENTINEL_EXECUTABLE";

impl Project {
    /// The command `sentinel`: what the environment names, or else built now.
    ///
    /// # Errors
    /// When it does not build.
    pub fn sentinel(&self) -> Result<PathBuf> {
        if let Some(path) = env::var_os(SENTINEL) {
            return Ok(path.into());
        }
        let output = self
            .command("cargo")
            .args(["test", "--workspace", "--no-run"])
            .args(["--bin", "sentinel", "--test", "command"])
            .args(["--message-format", "json"])
            .stderr(Stdio::inherit())
            .output()
            .context("run cargo")?;
        if !output.status.success() {
            bail!("sentinel does not build");
        }
        let lines = output.stdout.split(|byte| *byte == b'\n');
        let messages = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let mut paths = messages.filter_map(|message| {
            let is_command = message["target"]["name"] == "sentinel"
                && message["profile"]["test"] == json!(false);
            let path = message["executable"].as_str()?;
            is_command.then(|| PathBuf::from(path))
        });
        paths.next_back().context("cargo told of no sentinel")
    }
}
