//! What must hold besides the tests: formatting, lints for both targets, documentation, what would be deployed,
//! licences.

use std::process::Command;
use std::{fs, iter};

use anyhow::{Context, Result};
use clap::Args;
use devstack::Project;
use toml::Table;

use crate::build::{Packing, Worker};
use crate::progress::Step;
use crate::tools::{CARGO_DENY, WASM_TARGET};
use crate::{run, setup};

/// Check formatting, lints for both targets, documentation, deployments, licences and advisories
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
        for worker in [Worker::Loadtest, Worker::Grove] {
            deployments(&project, worker)?;
        }
        dependencies(&project)
    }
}

/// Packs the Worker for each of its environments exactly as `wrangler deploy` would, and sends it nowhere.
fn deployments(project: &Project, worker: Worker) -> Result<()> {
    worker.build(project, Packing::ForDeployment)?;
    let config = worker.folder(project).join("wrangler.toml");
    let text = fs::read_to_string(&config).with_context(|| format!("read {}", config.display()))?;
    let settings: Table = text
        .parse()
        .with_context(|| format!("parse {}", config.display()))?;
    let named = settings.get("env").and_then(|value| value.as_table());
    // The top level is an environment without a name.
    let environments =
        iter::once("").chain(named.into_iter().flat_map(Table::keys).map(String::as_str));
    for environment in environments {
        let step = Step::start(
            format!(
                "wrangler deploy --dry-run of {} {environment:?}",
                worker.script()
            ),
            "a few seconds",
        );
        let mut command = project.wrangler();
        command
            .args(["deploy", "--dry-run", "--env", environment, "--config"])
            .arg(&config)
            .arg("--outdir")
            .arg(
                project
                    .root()
                    .join("target/deployment")
                    .join(worker.script()),
            );
        let result = run::quiet(&mut command, &step);
        step.end(result)?;
    }
    Ok(())
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
