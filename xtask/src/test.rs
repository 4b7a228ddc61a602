//! The whole test suite, end-to-end tests included.

use std::env;

use anyhow::Result;
use clap::Args;

use crate::{build, run, setup};

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
    /// When something does not build or a test fails.
    pub(crate) fn run(self) -> Result<()> {
        let project = setup::ensure()?;
        // The end-to-end tests run the Workers as they would be deployed.
        build::all(&project, build::Packing::ForDeployment)?;
        let mut command = project.command("cargo");
        // One run tells of every test that fails, not only of those in the first program.
        command.args(["test", "--no-fail-fast"]);
        // Not what clap parsed: it takes the first `--` for itself, and the test programs need it.
        let arguments: Vec<String> = env::args().skip(2).collect();
        let is_package = |word: &String| word.starts_with("-p") || word.starts_with("--package");
        if !arguments.iter().any(is_package) {
            command.arg("--workspace");
        }
        run::shown(command.args(arguments))
    }
}
