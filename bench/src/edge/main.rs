//! What a batch costs against the runtime's own limit: our Worker's batch and a bare JavaScript loop of `fetch`, in
//! one plain `workerd` on one core, against one target on another, with as many requests at once, in alternating
//! rounds. Prints the ratios of requests per second last.
//!
//! `edge memory` instead plays slices at full speed for ten minutes and tells how the runtime's memory grows.

mod lines;
mod memory;
mod rounds;
mod runtime;
mod startup;
mod work;

use std::env;
use std::fs;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::{Value, json};
use testbed::Testbed;

use crate::rounds::Measured;
use crate::runtime::{Runtime, Serving};
use crate::work::Work;

/// The length of a memory run when none is given.
const MEMORY_S: u64 = 600;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether what must hold holds.
fn run() -> Result<bool> {
    let mut json_to = None;
    let mut memory_s = None;
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "memory" => memory_s = Some(MEMORY_S),
            "--seconds" if memory_s.is_some() => {
                memory_s = Some(arguments.next().context("--seconds N")?.parse()?);
            }
            "--json" => json_to = Some(PathBuf::from(arguments.next().context("--json FILE")?)),
            other => {
                bail!("unknown argument {other:?}: accepted are memory, --seconds N, --json FILE")
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // The target and the coordinator keep off the runtime's core.
    let mut others = CpuSet::new();
    (1..thread_count()).for_each(|core| others.set(core));
    let _ = sched_setaffinity(None, &others);
    let target = Testbed::start(TcpListener::bind("127.0.0.1:0")?, NonZeroUsize::MIN)
        .context("start the target")?;
    println!("load of the machine at the start: {}", machine_load());
    let (passed, outcome) = match memory_s {
        Some(seconds) => memory::run(&root, &target, Duration::from_secs(seconds))?,
        None => compare(&root, &target)?,
    };
    if let Some(file) = json_to {
        let text = serde_json::to_string_pretty(&outcome)?;
        fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(passed)
}

fn compare(root: &Path, target: &Testbed) -> Result<(bool, Value)> {
    let startup_ms = startup::measure(root)?;
    println!("start-up of the Worker: {startup_ms:.1} ms more than a Worker of nothing takes");
    let runtime = Runtime::start(root, Serving::Both)?;
    let mut all = Vec::new();
    for work in Work::ALL {
        all.push(rounds::run(&runtime, target, work)?);
    }
    let load = machine_load();
    println!("load of the machine at the end: {load}");
    for measured in &all {
        measured.print();
    }
    let passed = all.iter().all(Measured::passed);
    let outcome = json!({
        "startupMs": startup_ms, "machineLoad": load,
        "work": all.iter().map(Measured::json).collect::<Vec<_>>(),
    });
    Ok((passed, outcome))
}

/// The load averages of the machine: what else ran decides what the figures are worth.
fn machine_load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn thread_count() -> usize {
    std::thread::available_parallelism().map_or(2, NonZeroUsize::get)
}
