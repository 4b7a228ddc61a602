//! Running a program and finding out what it cost.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// What a program used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Time on processors, its own and the kernel's for it, in seconds.
    pub(crate) cpu_s: f64,
    /// The most memory that it held at once.
    pub(crate) memory_mib: f64,
}

/// A core of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Core {
    First,
    Second,
}

/// A program that runs on one core, if the machine has two and `taskset` is there.
pub(crate) fn on(core: Core, program: &Path) -> Command {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let found = Command::new("taskset").arg("--version").output().is_ok();
    if cores < 2 || !found {
        eprintln!("no core for each (`taskset` is needed): they wait for each other's turn");
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", if core == Core::First { "0" } else { "1" }]);
    command.arg(program);
    command
}

/// How often a program is looked at while it runs.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started or fails, with its status.
pub(crate) fn run(command: &mut Command) -> Result<Usage> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("start {program}"))?;
    let usage = watch(&child);
    let status = child.wait()?;
    ensure!(status.success(), "{program} ended with {status}");
    Ok(usage)
}

/// Looks at a program until it has ended: what it used is known as long as nobody has waited for it.
fn watch(child: &Child) -> Usage {
    let folder = format!("/proc/{}", child.id());
    let mut usage = Usage::default();
    loop {
        let status = fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        if let Some(kib) = line("VmHWM:").and_then(|text| text.split_whitespace().next()) {
            let kib: f64 = kib.parse().unwrap_or_default();
            usage.memory_mib = usage.memory_mib.max(kib / 1_024.0);
        }
        let stat = fs::read_to_string(format!("{folder}/stat")).unwrap_or_default();
        let Some((state, cpu_s)) = parse(&stat) else {
            return usage;
        };
        usage.cpu_s = cpu_s;
        if state == "Z" {
            return usage;
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// The state of a process, and its time on processors in seconds, from its `stat` (proc_pid_stat(5)).
fn parse(stat: &str) -> Option<(&str, f64)> {
    const TICKS_PER_SECOND: f64 = 100.0; // the kernel's interface, whatever its own clock does
    // The name before it may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((
        fields.first()?,
        (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
    ))
}
