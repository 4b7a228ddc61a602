//! The benchmarks, each a program in `bench/` that prints a ratio.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use devstack::Project;

use crate::build::{self, Packing, Worker};
use crate::tools::OHA;
use crate::{run, setup};

/// A program in `bench/`.
struct Benchmark {
    name: &'static str,
    what: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    needs: Needs,
    /// Too long to be run unless it is asked for.
    only_by_name: bool,
}

/// What has to be there before a benchmark runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// The Worker as it is deployed.
    Worker,
    /// The command, its target, and another load generator to compare with.
    Programs,
    /// Both Workers as they are deployed.
    Workers,
    /// Both Workers as they are deployed, and the command.
    Both,
}

/// The benchmarks that there are.
const BENCHMARKS: [Benchmark; 8] = [
    Benchmark {
        name: "coordinator",
        what: "what a frame costs the coordinator, and how much it stores, with 30 batches of 20 steps",
        program: "coordinator",
        arguments: &[],
        needs: Needs::Nothing,
        only_by_name: false,
    },
    Benchmark {
        name: "engine",
        what: "what an event costs the engine with 1,000, 10,000 and 100,000 simulated users",
        program: "engine",
        arguments: &[],
        needs: Needs::Nothing,
        only_by_name: false,
    },
    Benchmark {
        name: "edge",
        what: "a batch against a bare JavaScript fetch loop, in one plain workerd",
        program: "edge",
        arguments: &[],
        needs: Needs::Worker,
        only_by_name: false,
    },
    Benchmark {
        name: "edge-memory",
        what: "the runtime's memory in ten minutes at full speed",
        program: "edge",
        arguments: &["memory"],
        needs: Needs::Worker,
        only_by_name: true,
    },
    Benchmark {
        name: "native",
        what: "sentinel beside oha and wrk: requests per CPU-second, memory, the error that they add",
        program: "native",
        arguments: &[],
        needs: Needs::Programs,
        only_by_name: true,
    },
    Benchmark {
        name: "shards",
        what: "what 100,000 users in 3,000 batches behind 100 shards cost the run's coordinator",
        program: "shards",
        arguments: &[],
        needs: Needs::Nothing,
        only_by_name: false,
    },
    Benchmark {
        name: "streams",
        what: "1,000 WebSockets natively and 200 at the edge: nothing lost, times as the target tells them",
        program: "streams",
        arguments: &[],
        needs: Needs::Both,
        only_by_name: true,
    },
    Benchmark {
        name: "ways",
        what: "one operation of a Durable Object through the public host, a service binding, and the object itself",
        program: "ways",
        arguments: &[],
        needs: Needs::Workers,
        only_by_name: true,
    },
];

/// Run a benchmark, or all of them
#[derive(Args)]
pub(crate) struct Bench {
    /// Which one; all that are short when absent
    name: Option<String>,
    /// Write the figures of `edge`, `edge-memory`, `native`, `streams` or `ways` as JSON
    #[arg(long, value_name = "FILE", requires = "name")]
    json: Option<PathBuf>,
}

impl Bench {
    /// Runs the benchmarks.
    ///
    /// # Errors
    /// When there is none of this name, or one fails.
    pub(crate) fn run(self) -> Result<()> {
        let chosen: Vec<_> = BENCHMARKS
            .iter()
            .filter(|benchmark| match &self.name {
                Some(wanted) => benchmark.name == wanted,
                None => !benchmark.only_by_name,
            })
            .collect();
        if chosen.is_empty() {
            let known = BENCHMARKS.map(|benchmark| benchmark.name).join(", ");
            bail!(
                "unknown benchmark {:?}: there are {known}",
                self.name.unwrap_or_default()
            );
        }
        let project = setup::ensure()?;
        for benchmark in chosen {
            println!("{}: {}", benchmark.name, benchmark.what);
            benchmark.needs.provide(&project)?;
            let mut command = project.command("cargo");
            command.args(["run", "--release", "--quiet", "--package", "bench", "--bin"]);
            command
                .args([benchmark.program, "--"])
                .args(benchmark.arguments);
            if let Some(file) = &self.json {
                if !matches!(benchmark.program, "edge" | "native" | "streams" | "ways") {
                    bail!("the benchmark {} has no figures as JSON", benchmark.name);
                }
                command.arg("--json").arg(file);
            }
            run::shown(&mut command).with_context(|| format!("benchmark {}", benchmark.name))?;
        }
        Ok(())
    }
}

impl Needs {
    fn provide(self, project: &Project) -> Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::Worker => Worker::Loadtest.build(project, Packing::ForDeployment),
            Self::Programs => {
                setup::ensure_tool(project, &OHA)?;
                programs(project, &["sentinel", "testbed"])
            }
            Self::Workers => build::all(project, Packing::ForDeployment),
            Self::Both => {
                build::all(project, Packing::ForDeployment)?;
                programs(project, &["sentinel"])
            }
        }
    }
}

/// Builds programs as they are published.
fn programs(project: &Project, packages: &[&str]) -> Result<()> {
    let mut command = project.command("cargo");
    command.args(["build", "--release", "--quiet"]);
    for package in packages {
        command.args(["--package", package]);
    }
    run::shown(&mut command)
}
