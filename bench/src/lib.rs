//! What several benchmarks do alike.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// Where a benchmark writes its figures, if it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures(Option<PathBuf>);

impl Figures {
    /// As the program's arguments say: `--json FILE` or nothing.
    ///
    /// # Errors
    /// When they say anything else.
    pub fn asked_for() -> Result<Self> {
        let mut arguments = env::args_os().skip(1);
        match (arguments.next(), arguments.next()) {
            (None, _) => Ok(Self(None)),
            (Some(option), Some(path)) if option == "--json" => Ok(Self(Some(path.into()))),
            _ => bail!("accepted is --json FILE"),
        }
    }

    /// Writes them.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, figures: &Value) -> Result<()> {
        let Some(path) = &self.0 else {
            return Ok(());
        };
        fs::write(path, format!("{figures:#}\n"))
            .with_context(|| format!("write {}", path.display()))
    }
}
