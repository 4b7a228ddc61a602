//! What a batch costs against the runtime's own limit: our Worker's batch and a bare JavaScript loop of `fetch`, in
//! one plain `workerd` on one core, against one target on another, with as many requests at once, in short alternating
//! rounds. Prints the ratios of requests per second last.
//!
//! `edge --against FOLDER` compares with another build of the Worker as well, in the same runtime.
//!
//! `edge memory` instead plays slices at full speed for ten minutes and tells how the runtime's memory grows.

mod contenders;
mod lines;
mod memory;
mod ratios;
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

use crate::ratios::Measured;
use crate::runtime::{Runtime, Serving};
use crate::work::Work;

/// The length of a memory run when none is given.
const MEMORY_S: u64 = 600;

/// The rounds of a comparison when their number is not given.
const ROUNDS: usize = 40;

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

/// What the command line asks for.
#[derive(Default)]
struct Arguments {
    json_to: Option<PathBuf>,
    memory_s: Option<u64>,
    against: Option<PathBuf>,
    rounds: Option<usize>,
    work: Option<Work>,
}

impl Arguments {
    fn read() -> Result<Self> {
        let mut own = Self::default();
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().context(argument.clone());
            match argument.as_str() {
                "memory" => own.memory_s = Some(MEMORY_S),
                "--seconds" if own.memory_s.is_some() => own.memory_s = Some(value()?.parse()?),
                "--json" => own.json_to = Some(PathBuf::from(value()?)),
                "--against" => own.against = Some(PathBuf::from(value()?)),
                "--rounds" => own.rounds = Some(value()?.parse()?),
                "--work" => own.work = Some(Work::named(&value()?)?),
                other => bail!(
                    "unknown argument {other:?}: accepted are memory, --seconds N, --json FILE, --against FOLDER, \
                     --rounds N, --work NAME"
                ),
            }
        }
        Ok(own)
    }
}

/// Whether what must hold holds.
fn run() -> Result<bool> {
    let arguments = Arguments::read()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // The target and the coordinator keep off the runtime's core.
    let mut others = CpuSet::new();
    (1..thread_count()).for_each(|core| others.set(core));
    let _ = sched_setaffinity(None, &others);
    let target = Testbed::start(TcpListener::bind("127.0.0.1:0")?, NonZeroUsize::MIN)
        .context("start the target")?;
    println!("load of the machine at the start: {}", machine_load());
    let (passed, outcome) = match arguments.memory_s {
        Some(seconds) => memory::run(&root, &target, Duration::from_secs(seconds))?,
        None => compare(&root, &target, &arguments)?,
    };
    if let Some(file) = arguments.json_to {
        let text = serde_json::to_string_pretty(&outcome)?;
        fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(passed)
}

fn compare(root: &Path, target: &Testbed, arguments: &Arguments) -> Result<(bool, Value)> {
    let startup_ms = startup::measure(root)?;
    println!("start-up of the Worker: {startup_ms:.1} ms more than a Worker of nothing takes");
    let runtime = Runtime::start(root, Serving::Both(arguments.against.as_deref()))?;
    let rounds = arguments.rounds.unwrap_or(ROUNDS);
    let chosen = |work: &Work| arguments.work.is_none_or(|only| only == *work);
    let mut all = Vec::new();
    for work in Work::ALL.into_iter().filter(chosen) {
        all.push(rounds::run(&runtime, target, work, rounds)?);
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
