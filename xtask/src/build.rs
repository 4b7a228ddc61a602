//! Building the Workers: cargo compiles, worker-build makes of the result what wrangler deploys.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use devstack::Project;
use sha2::{Digest, Sha256};

use crate::progress::Step;
use crate::tools::{CargoTool, WASM_TARGET};
use crate::{run, setup};

/// Build the Workers for deployment
#[derive(Args)]
pub(crate) struct Build {
    /// Only this one
    worker: Option<Worker>,
}

/// One of the two Workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Worker {
    /// The load tester
    Loadtest,
    /// The reference platform
    Grove,
}

impl Build {
    /// Builds what was asked for.
    ///
    /// # Errors
    /// When a Worker does not compile.
    pub(crate) fn run(self) -> Result<()> {
        let project = setup::ensure()?;
        match self.worker {
            Some(worker) => worker.build(&project, Packing::ForDeployment),
            None => all(&project, Packing::ForDeployment),
        }
    }
}

/// Builds both Workers.
///
/// # Errors
/// When a Worker does not compile.
pub(crate) fn all(project: &Project, packing: Packing) -> Result<()> {
    Worker::Loadtest.build(project, packing)?;
    Worker::Grove.build(project, packing)
}

/// How a compiled Worker is made into what wrangler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// As small as it gets.
    ForDeployment,
    /// As soon as it gets: without wasm-opt, which takes longer than compiling.
    ForDevelopment,
}

impl Worker {
    /// Compiles the Worker, and packs it if the outcome is another than last time.
    ///
    /// # Errors
    /// When it does not compile.
    pub(crate) fn build(self, project: &Project, packing: Packing) -> Result<()> {
        let folder = self.folder(project);
        let what = format!("the Worker {}", self.script());
        run::shown(&mut cargo(project, &folder)).with_context(|| format!("compile {what}"))?;

        let stamp = folder.join("build/.packed");
        let wanted = format!("{packing:?} {}", self.fingerprint(project)?);
        if fs::read_to_string(&stamp).is_ok_and(|packed| packed == wanted) {
            return Ok(());
        }
        let step = Step::start(format!("pack {what}"), "up to half a minute");
        let mut command = project.command(project.tools_dir().join("bin/worker-build"));
        command
            .args(["--release", "--no-opt"])
            .env(OPT_LEVEL.0, OPT_LEVEL.1)
            .current_dir(&folder);
        let result = run::quiet(&mut command, &step)
            .and_then(|()| match packing {
                Packing::ForDeployment => self.shrink(project, &folder, &step),
                Packing::ForDevelopment => Ok(()),
            })
            .and_then(|()| fs::write(&stamp, wanted).context("write build/.packed"));
        step.end(result)
    }

    /// Packs the wasm, and takes the functions' names out of what is deployed: a sixth of it, and needed only by who
    /// reads a stack trace. They stay beside it, in `build/functions.txt`.
    ///
    /// In one go, and not by worker-build: that keeps the names, and what wasm-opt writes of a Worker that it has read
    /// again for taking them out is 1 % larger.
    fn shrink(self, project: &Project, folder: &Path, step: &Step) -> Result<()> {
        let wasm = folder.join("build/index_bg.wasm");
        let names = folder.join("build/functions.txt");
        let mut command = project.command(project.node_bin_dir().join("wasm-opt"));
        command
            .arg(&wasm)
            .args(WASM_OPT)
            .arg(format!("--symbolmap={}", names.display()))
            .arg("--strip-debug")
            .arg("-o")
            .arg(&wasm);
        run::quiet(&mut command, step)?;
        let size = fs::metadata(&wasm).context("look at the wasm")?.len();
        println!(
            "  {}: {size} bytes of wasm, of at most {}",
            self.script(),
            self.wasm_bytes_max()
        );
        if size > self.wasm_bytes_max() {
            bail!(
                "{} holds {size} bytes of wasm, more than the {} that it may",
                self.script(),
                self.wasm_bytes_max()
            );
        }
        Ok(())
    }

    /// How large a Worker's wasm may be when it is deployed, in bytes.
    const fn wasm_bytes_max(self) -> u64 {
        match self {
            Self::Loadtest => 1_866_000,
            Self::Grove => 1_572_864,
        }
    }

    /// Where its configuration stands.
    pub(crate) fn folder(self, project: &Project) -> PathBuf {
        match self {
            Self::Loadtest => project.root().to_owned(),
            Self::Grove => project.root().join("grove"),
        }
    }

    /// Its name when it is deployed.
    pub(crate) fn script(self) -> &'static str {
        match self {
            Self::Loadtest => "grove-loadtest",
            Self::Grove => "grove-lattice",
        }
    }

    fn library(self) -> &'static str {
        match self {
            Self::Loadtest => "vista_loadtest",
            Self::Grove => "grove",
        }
    }

    /// Everything that the packed Worker depends on, as one word.
    fn fingerprint(self, project: &Project) -> Result<String> {
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| project.root().join("target"), PathBuf::from);
        let wasm = target
            .join(WASM_TARGET)
            .join("release")
            .join(self.library())
            .with_extension("wasm");
        let mut hash = Sha256::new();
        hash.update(fs::read(&wasm).with_context(|| format!("read {}", wasm.display()))?);
        hash.update(
            fs::read(project.root().join("package-lock.json")).context("read package-lock.json")?,
        );
        for tool in CargoTool::for_workers(project.root())? {
            hash.update(format!("{} {}\n", tool.name, tool.version));
        }
        hash.update(WASM_OPT.join(" "));
        Ok(hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect())
    }
}

/// What worker-build itself runs, so that it finds everything compiled.
fn cargo(project: &Project, folder: &Path) -> Command {
    let mut command = project.command("cargo");
    command
        .current_dir(folder)
        .args(["build", "--lib", "--release", "--target", WASM_TARGET])
        .env("WASM_BINDGEN_USE_JS_SYS", "1")
        .env(OPT_LEVEL.0, OPT_LEVEL.1);
    command
}

/// Workers are optimised for size before all; native programs, which share the profile, are not.
const OPT_LEVEL: (&str, &str) = ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "z");

/// What wasm-opt is asked for. The lowest kilobyte is the end of the stack, which no pointer that is moved afterwards
/// leads to unless the stack is about to overflow. What the compiler may use stands in the wasm; that wasm-bindgen
/// catches what JavaScript throws does not.
const WASM_OPT: [&str; 3] = ["-Oz", "--low-memory-unused", "--enable-exception-handling"];
