//! The tests of properties, with many more inputs than the test suite tries, and others each time.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Args;

use crate::{run, setup};

/// Try the engine's properties with many random inputs, others each time
#[derive(Args)]
pub(crate) struct Fuzz {
    /// How many inputs each property gets
    #[arg(long, default_value_t = 20_000)]
    cases: u32,
    /// The seed of the inputs, to repeat a failure; by default another one each time
    #[arg(long)]
    seed: Option<u64>,
    /// Only tests whose name contains this
    filter: Option<String>,
}

impl Fuzz {
    /// Runs the tests of the engine with the wanted number of inputs.
    ///
    /// # Errors
    /// When a property does not hold; the smallest input found is in the output, the seed before it.
    pub(crate) fn run(self) -> Result<()> {
        let project = setup::ensure()?;
        let seed = match self.seed {
            Some(seed) => seed,
            None => by_the_clock()?,
        };
        println!("{} inputs for each property, seed {seed}", self.cases);
        let mut command = project.command("cargo");
        command
            .args(["test", "--release", "--no-fail-fast", "--package"])
            .arg("sentinel-engine")
            .args(self.filter)
            .env("PROPTEST_CASES", self.cases.to_string())
            .env(
                "PROPTEST_MAX_GLOBAL_REJECTS",
                self.cases.saturating_mul(4).to_string(),
            )
            .env("PROPTEST_RNG_SEED", seed.to_string());
        run::shown(&mut command)
    }
}

fn by_the_clock() -> Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(now.context("the clock is before 1970")?.as_secs())
}
