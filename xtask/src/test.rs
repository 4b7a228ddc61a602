//! The whole test suite, end-to-end tests included.
//!
//! Many tests run real Workers, objects and sockets, on a machine whose speed nobody knows. A few that fail in a
//! run of the whole suite are therefore run once more, with nothing beside them, and whoever passes then is named
//! at the end: it is unstable, and to be mended, but it does not hide what all the others have shown.

use std::env;

use anyhow::{Result, bail};
use clap::Args;
use devstack::SENTINEL;

use crate::failures::Failures;
use crate::{build, run, setup};

/// More failures than these are no accident of the machine.
const RUN_AGAIN_MAX: usize = 3;

/// Build everything and run all tests, end to end ones included
#[derive(Args)]
pub(crate) struct Test {
    /// Passed on to `cargo test`: a filter, `-p CRATE`, `--test NAME`, `-- --nocapture`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Test {
    /// Runs the tests.
    ///
    /// # Errors
    /// When something does not build or a test fails: twice, if the whole suite is run.
    pub(crate) fn run(self) -> Result<()> {
        let project = setup::ensure()?;
        // The end-to-end tests run the Workers as they would be deployed.
        build::all(&project, build::Packing::ForDeployment)?;
        // One run tells of every test that fails, not only of those in the first program.
        let cargo = || {
            let mut command = project.command("cargo");
            command.args(["test", "--no-fail-fast"]);
            command
        };
        // Not what clap parsed: it takes the first `--` for itself, and the test programs need it.
        let arguments: Vec<String> = env::args().skip(2).collect();
        // Who picks tests is looking at them, and sees each failure.
        if !arguments.is_empty() {
            let is_package =
                |word: &String| word.starts_with("-p") || word.starts_with("--package");
            let mut command = cargo();
            if !arguments.iter().any(is_package) {
                command.arg("--workspace");
            }
            return run::shown(command.args(arguments));
        }
        // Tests that run the command would otherwise wait for a compiler in the middle of the suite.
        let sentinel = project.sentinel()?;
        let suite = || {
            let mut command = cargo();
            command.arg("--workspace").env(SENTINEL, &sentinel);
            command
        };
        let mut failures = Failures::default();
        if run::overheard(&mut suite(), |line| failures.read(line))? {
            return Ok(());
        }
        let names = failures.names();
        if names.is_empty() || names.len() > RUN_AGAIN_MAX {
            bail!("tests failed");
        }
        println!("\nrun once more, alone: {}", names.join(", "));
        let alone = ["--", "--exact", "--test-threads", "1"];
        run::shown(suite().args(alone).args(&names))?;
        println!(
            "\nunstable: {} failed and passed when run alone",
            names.join(", ")
        );
        Ok(())
    }
}
