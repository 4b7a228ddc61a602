//! What must hold besides the tests: formatting, lints for both targets, documentation, licences.

use std::process::Command;

use anyhow::Result;
use clap::Args;
use devstack::Project;

use crate::tools::{CARGO_DENY, WASM_TARGET};
use crate::{run, setup};

/// Check formatting, lints for both targets, documentation, licences and advisories
#[derive(Args)]
pub(crate) struct Check {}

impl Check {
    /// Runs every check; stops at the first that fails.
    ///
    /// # Errors
    /// When a check fails.
    pub(crate) fn run(self) -> Result<()> {
        let project = setup::ensure()?;
        let cargo = |arguments: &[&str]| -> Command {
            let mut command = project.command("cargo");
            command.args(arguments);
            command
        };
        run::shown(&mut cargo(&["fmt", "--all", "--check"]))?;
        run::shown(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))?;
        let workers = [
            "clippy",
            "-p",
            "vista-loadtest",
            "-p",
            "grove",
            "--target",
            WASM_TARGET,
        ];
        run::shown(cargo(&workers).args(["--", "-D", "warnings"]))?;
        run::shown(
            cargo(&[
                "doc",
                "--workspace",
                "--no-deps",
                "--document-private-items",
            ])
            .env("RUSTDOCFLAGS", "-D warnings"),
        )?;
        run::shown(&mut cargo(&[
            "test", "--quiet", "-p", "xtask", "--test", "tidy",
        ]))?;
        dependencies(&project)
    }
}

fn dependencies(project: &Project) -> Result<()> {
    setup::ensure_tool(project, &CARGO_DENY)?;
    let deny = project.tools_dir().join("bin/cargo-deny");
    run::shown(
        project
            .command(&deny)
            .args(["check", "bans", "licenses", "sources"]),
    )?;
    // The advisories come from a database on the internet.
    let fetched = run::output(project.command(&deny).args(["fetch", "db"])).is_some();
    if !fetched {
        eprintln!("the advisory database cannot be fetched: advisories were NOT checked");
        return Ok(());
    }
    run::shown(project.command(&deny).args(["check", "advisories"]))
}
