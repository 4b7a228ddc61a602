//! Set-up: everything that the project needs besides Rust, Node and a C compiler, installed into
//! the project's folder.
//!
//! A step looks first whether its work is done, so a repeated set-up takes no time and every
//! command begins with one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use devstack::Project;
use sha2::{Digest, Sha256};

use crate::progress::Step;
use crate::run;
use crate::tools::{CargoTool, NODE_MAJOR_MIN, Used, WASM_TARGET};

/// Installs what is missing and says so even if that is nothing.
///
/// # Errors
/// As [`ensure`].
pub(crate) fn verbose() -> Result<()> {
    let start = Instant::now();
    ensure()?;
    eprintln!(
        "everything is set up ({:.1} s)",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Installs what is missing.
///
/// # Errors
/// When a prerequisite is missing, with the command that installs it; when an installation fails.
pub(crate) fn ensure() -> Result<Project> {
    let project = Project::here();
    // Two commands at once must not install into the same folders.
    let _lock = lock(&project)?;
    npm_packages(&project)?;
    wasm_target()?;
    let missing: Vec<CargoTool> = CargoTool::for_workers(project.root())?
        .into_iter()
        .filter(|tool| !tool.is_installed_in(&project.tools_dir()))
        .collect();
    cargo_tools(&project, &missing)?;
    Ok(project)
}

/// Installs a tool that only some commands need.
///
/// # Errors
/// When the installation fails.
pub(crate) fn ensure_tool(project: &Project, tool: &CargoTool) -> Result<()> {
    if tool.is_installed_in(&project.tools_dir()) {
        return Ok(());
    }
    let _lock = lock(project)?;
    cargo_tools(project, std::slice::from_ref(tool))
}

fn lock(project: &Project) -> Result<File> {
    let folder = project.tools_dir();
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
    file.lock()
        .with_context(|| format!("lock {}", path.display()))?;
    Ok(file)
}

fn npm_packages(project: &Project) -> Result<()> {
    let root = project.root();
    let lock = fs::read(root.join("package-lock.json")).context("read package-lock.json")?;
    let wanted: String = Sha256::digest(&lock)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // Inside the folder, so that whoever removes the packages removes the stamp.
    let stamp = root.join("node_modules/.installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    require_node()?;
    let step = Step::start(
        "wrangler, Node, esbuild and binaryen from npm",
        "about 10 s",
    );
    let result = run::quiet(Command::new("npm").arg("ci").current_dir(root), &step)
        .and_then(|()| fs::write(&stamp, wanted).context("write node_modules/.installed"));
    step.end(result)
}

fn require_node() -> Result<()> {
    let hint = format!(
        "install Node {NODE_MAJOR_MIN} or newer with npm, with `nvm install 24`, `brew install node`, or \
         `sudo apt install nodejs npm` where that is new enough"
    );
    let Some(version) = run::output(Command::new("node").arg("--version")) else {
        bail!("Node is missing: {hint}");
    };
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|text| text.parse().ok());
    if major.is_none_or(|major: u32| major < NODE_MAJOR_MIN) {
        bail!("Node {version} is too old: {hint}");
    }
    if run::output(Command::new("npm").arg("--version")).is_none() {
        bail!("npm is missing: {hint}");
    }
    Ok(())
}

fn wasm_target() -> Result<()> {
    let folder = run::output(Command::new("rustc").args([
        "--print",
        "target-libdir",
        "--target",
        WASM_TARGET,
    ]));
    let folder = PathBuf::from(folder.context("rustc does not run: install Rust with rustup")?);
    if folder.is_dir() {
        return Ok(());
    }
    if run::output(Command::new("rustup").arg("--version")).is_none() {
        bail!(
            "Rust's target {WASM_TARGET} is missing, and so is rustup, which would add it: install \
             Rust with rustup, or the target with your system's packages, for example with \
             `sudo apt install libstd-rust-dev-wasm32`"
        );
    }
    let step = Step::start(format!("Rust's target {WASM_TARGET}"), "a few seconds");
    let result = run::quiet(
        Command::new("rustup").args(["target", "add", WASM_TARGET]),
        &step,
    );
    step.end(result)
}

fn cargo_tools(project: &Project, tools: &[CargoTool]) -> Result<()> {
    if tools.is_empty() {
        return Ok(());
    }
    if run::output(Command::new("cc").arg("--version")).is_none() {
        bail!(
            "a C compiler (`cc`) is missing: install one, for example with \
             `sudo apt install build-essential` or `xcode-select --install`"
        );
    }
    // Shared, so that what both need is compiled once.
    let objects = project.tools_dir().join("build");
    for tool in tools {
        let step = Step::start(
            format!("{} {}", tool.name, tool.version),
            "1 to 3 minutes, once",
        );
        // The locked dependencies of a tool may name a version that was withdrawn since.
        let result = install(project, tool, &objects, true, &step)
            .or_else(|_| install(project, tool, &objects, false, &step));
        step.end(result)?;
    }
    fs::remove_dir_all(&objects).with_context(|| format!("remove {}", objects.display()))
}

fn install(
    project: &Project,
    tool: &CargoTool,
    objects: &Path,
    locked: bool,
    step: &Step,
) -> Result<()> {
    let mut command = Command::new("cargo");
    command
        .args([
            "install",
            tool.name,
            "--force",
            "--version",
            &tool.version,
            "--root",
        ])
        .arg(project.tools_dir())
        .env("CARGO_TARGET_DIR", objects);
    if tool.used == Used::Briefly {
        // Used for seconds and compiled for minutes: little optimisation is the shortest sum.
        command
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    }
    if locked {
        command.arg("--locked");
    }
    run::quiet(&mut command, step)
}
