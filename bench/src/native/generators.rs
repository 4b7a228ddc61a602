//! The generators, and how each is told what to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::process::{self, Core, on};
use crate::scenarios::Scenarios;
use crate::{DELAY_MS, ROUND_S, THINKERS, THINKING_S, USERS, USERS_OF_DELAYS};

/// How many requests a second are due to a target that will stand still.
pub(crate) const FREEZE_RATE: u32 = 2_000;
/// How long they are, in seconds.
pub(crate) const FREEZE_S: u32 = 10;

/// What is played at full speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// The same GET again and again.
    Plain,
    /// Requests that are made of earlier answers, which only `sentinel` is asked for.
    Flow,
    /// Requests that the target holds for a while, on a core of the generator's own; only `sentinel` again.
    Delayed,
}

/// A program that puts load on a target.
pub(crate) struct Generator {
    /// Its name.
    pub(crate) name: &'static str,
    kind: Kind,
    path: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sentinel,
    Oha,
    Wrk,
}

/// Service times as a generator tells them.
pub(crate) struct Measured {
    /// The median.
    pub(crate) p50_ms: f64,
    /// The 99th percentile.
    pub(crate) p99_ms: f64,
}

impl Generator {
    /// Those that are installed, `sentinel` first, and the names of those that are not.
    pub(crate) fn find() -> (Vec<Self>, Vec<&'static str>) {
        let mut present: Vec<Self> = Self::sentinel().into_iter().collect();
        let mut absent = Vec::new();
        for (name, kind) in [("oha", Kind::Oha), ("wrk", Kind::Wrk)] {
            match on_search_path(name) {
                Some(path) => present.push(Self { name, kind, path }),
                None => absent.push(name),
            }
        }
        (present, absent)
    }

    /// Ourselves.
    ///
    /// # Errors
    /// When it was not built.
    pub(crate) fn sentinel() -> Result<Self> {
        Ok(Self {
            name: "sentinel",
            kind: Kind::Sentinel,
            path: beside_us("sentinel")?,
        })
    }

    /// As many requests as it can send.
    pub(crate) fn at_full_speed(&self, url: &str, scenarios: &Scenarios, load: Load) -> Command {
        let mut command = match load {
            Load::Plain | Load::Flow => Command::new(&self.path),
            Load::Delayed => on(Core::First, &self.path),
        };
        let (users, name) = match load {
            Load::Plain => (USERS, "plain"),
            Load::Flow => (USERS, "flow"),
            Load::Delayed => (USERS_OF_DELAYS, "delay"),
        };
        let (users, duration) = (users.to_string(), format!("{ROUND_S}s"));
        match self.kind {
            Kind::Sentinel => {
                command.arg("run").arg(scenarios.path(name));
                command.args(["--base-url", url, "--quiet", "--vus", &users]);
                command.args(["--duration", &duration]);
            }
            Kind::Oha => {
                command.args(["--no-tui", "-z", &duration, "-c", &users]);
                command.arg(format!("{url}/ok"));
            }
            Kind::Wrk => {
                command.args(["-t", "1", "-c", &users, "-d", &duration]);
                command.arg(format!("{url}/ok"));
            }
        }
        command
    }

    /// So many requests a second to a target that holds each for a while; `None` when it has no such mode.
    pub(crate) fn at_rate(&self, url: &str, scenarios: &Scenarios, rate: f64) -> Option<Command> {
        let mut command = on(Core::First, &self.path);
        let rate = format!("{rate:.0}");
        let (users, duration) = (USERS_OF_DELAYS.to_string(), format!("{ROUND_S}s"));
        match self.kind {
            Kind::Sentinel => {
                command.arg("run").arg(scenarios.path("delay"));
                command.args(["--base-url", url, "--quiet", "--rate", &rate]);
                command.args(["--vus", &users, "--duration", &duration]);
                command.arg("--out");
                command.arg(format!("json={}", scenarios.summary().display()));
            }
            Kind::Oha => {
                command.args(["--no-tui", "-z", &duration, "-c", &users, "-q", &rate]);
                command.args(["--output-format", "json"]);
                command.arg(format!("{url}/delay?ms={DELAY_MS}"));
            }
            Kind::Wrk => return None,
        }
        Some(command)
    }

    /// Many users who think for a second after each request.
    pub(crate) fn thinking(&self, url: &str, scenarios: &Scenarios) -> Command {
        let mut command = Command::new(&self.path);
        command.arg("run").arg(scenarios.path("think"));
        command.args(["--base-url", url, "--quiet"]);
        command.args(["--vus", &THINKERS.to_string()]);
        command.args(["--duration", &format!("{THINKING_S}s")]);
        command
    }

    /// A rate of requests over a few connections, as wrk2 sends them, to a target that can be made to stand still.
    pub(crate) fn through_a_freeze(&self, url: &str, scenarios: &Scenarios) -> Command {
        let mut command = Command::new(&self.path);
        command.arg("run").arg(scenarios.path("freeze"));
        command.args(["--base-url", url, "--quiet"]);
        command.args(["--rate", &FREEZE_RATE.to_string()]);
        // Enough that none is dropped while the target stands still.
        command.args(["--vus", &(FREEZE_RATE * 3).to_string()]);
        command.args(["--max-in-flight", "20"]);
        command.args(["--duration", &format!("{FREEZE_S}s")]);
        command.arg("--out");
        command.arg(format!("json={}", scenarios.summary().display()));
        command
    }

    /// Runs such a command and reads what it measured.
    ///
    /// # Errors
    /// When it fails, or tells nothing.
    pub(crate) fn measured(&self, mut command: Command, scenarios: &Scenarios) -> Result<Measured> {
        let (text, places, unit_ms) = if self.kind == Kind::Sentinel {
            process::run(&mut command)?;
            let text = fs::read(scenarios.summary())?;
            (text, ["/serviceTime/p50", "/serviceTime/p99"], 1.0)
        } else {
            let output = command.stdin(Stdio::null()).output();
            let output = output.with_context(|| format!("run {}", self.name))?;
            let places = ["/latencyPercentiles/p50", "/latencyPercentiles/p99"];
            (output.stdout, places, 1e3)
        };
        let told: Value = serde_json::from_slice(&text)
            .with_context(|| format!("read what {} told", self.name))?;
        let [p50, p99] = places.map(|place| told.pointer(place).and_then(Value::as_f64));
        let (p50, p99) = p50.zip(p99).context("no percentiles are told")?;
        Ok(Measured {
            p50_ms: p50 * unit_ms,
            p99_ms: p99 * unit_ms,
        })
    }
}

/// A program that was built together with this one.
///
/// # Errors
/// When it is not there.
pub(crate) fn beside_us(name: &str) -> Result<PathBuf> {
    let us = std::env::current_exe()?;
    let path = us.with_file_name(name);
    ensure!(
        path.is_file(),
        "{} is missing: build it first",
        path.display()
    );
    Ok(path)
}

fn on_search_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(name));
    files.find(|file: &PathBuf| Path::is_file(file))
}
