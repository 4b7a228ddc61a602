//! The benchmarks, each a program in `bench/` that prints a ratio.

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{run, setup};

/// The benchmarks that there are, with what each measures.
const NAMES: [(&str, &str); 3] = [
    (
        "coordinator",
        "what a frame costs the coordinator, and how much it stores, with 30 batches of 20 steps",
    ),
    (
        "engine",
        "what an event costs the engine with 1,000, 10,000 and 100,000 simulated users",
    ),
    (
        "shards",
        "what 100,000 users in 3,000 batches behind 100 shards cost the run's coordinator",
    ),
];

/// Run a benchmark, or all of them
#[derive(Args)]
pub(crate) struct Bench {
    /// Which one; all when absent
    name: Option<String>,
}

impl Bench {
    /// Runs the benchmarks.
    ///
    /// # Errors
    /// When there is none of this name, or one fails.
    pub(crate) fn run(self) -> Result<()> {
        let chosen: Vec<_> = NAMES
            .into_iter()
            .filter(|(name, _)| self.name.as_deref().is_none_or(|wanted| wanted == *name))
            .collect();
        if chosen.is_empty() {
            let known = NAMES.map(|(name, _)| name).join(", ");
            bail!(
                "unknown benchmark {:?}: there are {known}",
                self.name.unwrap_or_default()
            );
        }
        let project = setup::ensure()?;
        for (name, what) in chosen {
            println!("{name}: {what}");
            let mut command = project.command("cargo");
            command.args([
                "run",
                "--release",
                "--quiet",
                "--package",
                "bench",
                "--bin",
                name,
            ]);
            run::shown(&mut command).with_context(|| format!("benchmark {name}"))?;
        }
        Ok(())
    }
}
