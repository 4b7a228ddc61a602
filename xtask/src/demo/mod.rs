//! The demo: a load test from end to end, as Grove DevOps would start one, with proof at the end
//! that its numbers are true.

mod api;
mod live;
mod verify;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use devstack::{DevStack, Options};
use sentinel_engine::summary::TestRunResult;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::dev::{on_interrupt, print_access};
use crate::progress::Step;
use crate::{build, setup};

use api::{Api, Outcome};
use live::Live;

/// Run a load test against Grove, everything on this machine
#[derive(Args)]
pub(crate) struct Demo {
    /// Virtual users at the peak
    #[arg(long, value_name = "N", default_value_t = 50)]
    users: u32,
    /// Length of the whole run, such as 30s or 2m
    #[arg(long, value_name = "TIME", default_value = "30s")]
    duration: String,
    /// Play grove-objects instead of grove-mix, through Grove's host, a service binding, or its Durable Objects
    /// themselves
    #[arg(long)]
    via: Option<Via>,
    /// Write everything that the API tells about the run into a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave everything running afterwards, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

impl Demo {
    /// Runs the demo.
    ///
    /// # Errors
    /// When something does not build or start, the run does not pass, or its numbers do not agree.
    pub(crate) fn run(self) -> Result<()> {
        let project = setup::ensure()?;
        build::all(&project, build::Packing::ForDeployment)?;
        let interrupted = on_interrupt()?;
        let step = Step::start("local workerd with both Workers, D1, KV, R2", "about 5 s");
        let stack = step.end(DevStack::start(
            Options::default().interrupted(interrupted.clone()),
        ))?;
        let result = self.load_test(&stack, &interrupted);
        if self.keep && !interrupted.load(Ordering::Relaxed) {
            if let Err(error) = &result {
                eprintln!("error: {error:#}");
            }
            keep(&stack, &interrupted);
        }
        result
    }

    fn load_test(&self, stack: &DevStack, interrupted: &AtomicBool) -> Result<()> {
        let api = Api::new(stack);
        let via = self.via.unwrap_or(Via::Host);
        let scenario = match self.via {
            Some(_) => "grove-objects",
            None => "grove-mix",
        };
        let arrived_before = verify::arrived(stack, via)?;
        let mut body = json!({
            "scenario": scenario,
            "environment": "staging",
            "via": via.name(),
            "users": self.users,
            "duration": self.duration,
            "dryRun": true,
        });
        let length = print_plan(scenario, &api.post("/runs", &body)?);
        body["dryRun"] = json!(false);
        let asked = Instant::now();
        let answer = api.post("/runs", &body)?;
        let answer_ms = asked.elapsed().as_secs_f64() * 1e3;
        let id = answer
            .get("id")
            .and_then(Value::as_str)
            .context("POST /runs answered no id")?;
        println!("run   {id}, accepted in {answer_ms:.0} ms");

        follow(&api, id, length, interrupted)?;
        let outcome = api.outcome(id)?;
        let summary = TestRunResult::deserialize(&outcome.summary);
        let summary = summary.context("summary_json is not the summary of a run")?;
        print!("{}", sentinel_terminal::text(&summary));
        let checks = verify::all(stack, &outcome, via, arrived_before)?;
        verify::print(&checks);
        if let Some(file) = &self.json {
            let text = format!("{:#}\n", to_json(&outcome, &checks, answer_ms));
            fs::write(file, text).with_context(|| format!("write {}", file.display()))?;
            println!("\neverything about the run is in {}", file.display());
        }
        print_where_to_look(scenario, id, self.keep);
        match checks.iter().filter(|check| !check.holds).count() {
            0 => Ok(()),
            failed => bail!("{failed} of {} checks failed", checks.len()),
        }
    }
}

/// What the demo's requests reach Grove through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Via {
    /// Its public host.
    Host,
    /// A service binding to its Worker.
    Binding,
    /// Bindings to its Durable Objects.
    Object,
}

impl Via {
    /// The name in the API.
    fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Binding => "binding",
            Self::Object => "object",
        }
    }
}

/// Prints what is going to happen and returns how long it takes.
fn print_plan(scenario: &str, dry_run: &Value) -> Duration {
    let plan = |field| dry_run.pointer(&format!("/plan/{field}"));
    let count = |field| plan(field).map_or_else(|| "?".to_owned(), Value::to_string);
    let seconds = plan("durationS")
        .and_then(Value::as_f64)
        .unwrap_or_default();
    println!(
        "plan  {scenario} against {}: up to {} users for {seconds:.0} s, batches: {}",
        plan("baseUrl").and_then(Value::as_str).unwrap_or("?"),
        count("usersMax"),
        count("batches"),
    );
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Shows the run's progress until it has ended.
fn follow(api: &Api, id: &str, length: Duration, interrupted: &AtomicBool) -> Result<()> {
    // Longer than the run by far: a coordinator that lost its batches still has to say so.
    let deadline = Instant::now() + length * 2 + Duration::from_secs(120);
    let mut live = Live::new(length);
    loop {
        if interrupted.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        let timeline = api.rows(&format!("/runs/{id}/metrics"))?;
        live.show(&timeline);
        if api.status(id)? != "running" {
            live.end();
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the run {id} is still running long after it should have ended");
        }
        thread::sleep(Duration::from_millis(500));
    }
}

fn to_json(outcome: &Outcome, checks: &[verify::Check], answer_ms: f64) -> Value {
    json!({
        "run": outcome.run,
        "summary": outcome.summary,
        "metrics": outcome.metrics,
        "apps": outcome.apps,
        "assertions": outcome.assertions,
        "bottlenecks": outcome.bottlenecks,
        "answerMs": answer_ms,
        "checks": checks.iter().map(verify::Check::to_json).collect::<Vec<_>>(),
    })
}

fn print_where_to_look(scenario: &str, id: &str, kept: bool) {
    println!("\nwhere to look");
    println!("  the same by API      GET /api/loadtest/runs/{id}, …/metrics, …/apps, …/assertions");
    println!("  the same in D1       table load_test_runs and its four neighbours");
    println!("  the scenario         scenarios/{scenario}.json");
    println!("  what happens inside  ARCHITECTURE.md");
    if !kept {
        println!("  `cargo xtask demo --keep` leaves everything running and prints the addresses");
    }
}

fn keep(stack: &DevStack, interrupted: &AtomicBool) {
    println!("\neverything is still running; Ctrl-C ends it");
    print_access(stack);
    println!(
        "try          curl -H 'Authorization: Bearer {}' {}/api/loadtest/runs",
        stack.token(),
        stack.url()
    );
    while !interrupted.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(100));
    }
}
