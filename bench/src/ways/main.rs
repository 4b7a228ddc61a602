//! The three ways to a Durable Object, side by side: the public host, a service binding, and the object itself.
//!
//! One and the same operation, reading the counters of a tenant, is asked of one and the same object at one and the
//! same rate, in rounds that alternate between the ways. Through the host and the binding Grove's Worker asks the
//! object for it, so that what differs is what lies on the way. Prints the times, the rate, and the processor time
//! of both Workers' processes per request, and last what each way costs in parts of the public host.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use devstack::{DevStack, Options, cpu_in};
use serde_json::{Value, json};

/// The ways, the one that the others are compared with first.
const WAYS: [&str; 3] = ["host", "binding", "object"];

/// How often each way is measured.
const ROUNDS: usize = 5;

/// How many requests are due in a second, and for how many seconds.
const RATE: u32 = 50;
const SECONDS: u32 = 10;

/// How long a run may take that lasts [`SECONDS`].
const PATIENCE: Duration = Duration::from_secs(120);

/// What one run came to. Times are response times.
#[derive(Clone, Copy, Debug)]
struct Round {
    average_ms: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    per_second: f64,
    cpu_ms_per_request: f64,
}

/// A figure of a round, with its name.
type Figure = (&'static str, fn(&Round) -> f64);

const FIGURES: [Figure; 6] = [
    ("average ms", |round| round.average_ms),
    ("p50 ms", |round| round.p50_ms),
    ("p95 ms", |round| round.p95_ms),
    ("p99 ms", |round| round.p99_ms),
    ("requests/s", |round| round.per_second),
    ("CPU ms/request", |round| round.cpu_ms_per_request),
];

fn main() -> Result<()> {
    let json_path = json_path()?;
    let stack = DevStack::start(Options::default())?;
    // Creates the object, and wakes every part of the way.
    for way in WAYS {
        play(&stack, way, 2)?;
    }
    let mut rounds: [Vec<Round>; WAYS.len()] = Default::default();
    for _ in 0..ROUNDS {
        for (way, rounds) in WAYS.into_iter().zip(&mut rounds) {
            rounds.push(play(&stack, way, SECONDS)?);
        }
    }
    let medians = rounds.map(|rounds| FIGURES.map(|(_, figure)| median(rounds.iter().map(figure))));
    print(&medians);
    if let Some(path) = json_path {
        let told = WAYS.into_iter().zip(&medians).map(|(way, figures)| {
            let named = FIGURES.iter().zip(figures);
            let named = named.map(|((name, _), figure)| ((*name).to_owned(), json!(figure)));
            (way.to_owned(), Value::Object(named.collect()))
        });
        let text = format!("{:#}\n", Value::Object(told.collect()));
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

fn json_path() -> Result<Option<PathBuf>> {
    let mut arguments = env::args_os().skip(1);
    match (arguments.next(), arguments.next()) {
        (None, _) => Ok(None),
        (Some(option), Some(path)) if option == "--json" => Ok(Some(path.into())),
        _ => bail!("accepted is --json FILE"),
    }
}

/// Plays the operation one way for so many seconds.
fn play(stack: &DevStack, way: &str, seconds: u32) -> Result<Round> {
    let before = cpu_in(&stack.process_groups());
    let summary = run(stack, &body(way, seconds))?;
    let cpu = cpu_in(&stack.process_groups()).saturating_sub(before);
    let number = |value: &Value, name: &str| {
        let number = value[name].as_f64();
        number.with_context(|| format!("{way}: the summary has no {name}: {value}"))
    };
    let requests = number(&summary["ledger"], "sent")?;
    let failed = number(&summary["ledger"], "failed")?;
    ensure!(
        failed == 0.0,
        "{way}: not everything was answered: {summary}"
    );
    let times = &summary["latencyPercentiles"];
    Ok(Round {
        average_ms: number(&summary["applicationResults"]["tenant"], "avgLatency")?,
        p50_ms: number(times, "p50")?,
        p95_ms: number(times, "p95")?,
        p99_ms: number(times, "p99")?,
        per_second: requests / f64::from(seconds),
        cpu_ms_per_request: cpu.as_secs_f64() * 1_000.0 / requests,
    })
}

/// A run in which the state of one tenant is read again and again.
fn body(way: &str, seconds: u32) -> Value {
    let read = json!({"method": "GET", "url": "/"});
    json!({
        "scenario": {
            "name": "ways",
            "description": "one operation of one Durable Object",
            "applications": [{"name": "tenant", "weight": 1}],
            "load": {
                "executor": "constant-arrival-rate", "rate": RATE, "duration": format!("{seconds}s"),
                "preAllocatedVUs": 100,
            },
            "tenants": ["oak"],
            "assertions": [{"metric": "error_rate", "operator": "<=", "value": 0}],
        },
        "applications": [{
            "name": "tenant",
            "steps": [{
                "name": "tenant",
                "request": {"method": "GET", "url": "/api/tenants/{{tenant}}"},
                "expect": {"status": 200},
            }],
            "doInteractions": [{
                "do": "TenantDO", "pattern": "read-heavy", "id": "tenant:{{tenant}}",
                "operations": {"read": read, "write": read},
            }],
        }],
        "environment": "staging",
        "via": way,
    })
}

/// The summary of a run that has completed.
fn run(stack: &DevStack, body: &Value) -> Result<Value> {
    let url = format!("{}/api/loadtest/runs", stack.url());
    let token = format!("Bearer {}", stack.token());
    let mut answer = ureq::post(&url)
        .header("authorization", &token)
        .send_json(body)?;
    let started: Value = answer.body_mut().read_json()?;
    let id = started["id"].as_str().context("the run has no id")?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ureq::get(format!("{url}/{id}")).header("authorization", &token);
        let told: Value = answer.call()?.body_mut().read_json()?;
        let run = &told["run"];
        match run["status"].as_str() {
            Some("running") if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(200));
            }
            Some("completed") => {
                let summary = run["summary_json"].as_str();
                return Ok(serde_json::from_str(summary.context("no summary")?)?);
            }
            _ => bail!("the run did not complete: {run}"),
        }
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A table of the medians, and one of their ratios.
fn print(medians: &[[f64; FIGURES.len()]; WAYS.len()]) {
    let names = FIGURES.map(|(name, _)| format!("{name:>15}")).concat();
    let row = |way: &str, figures: [f64; FIGURES.len()]| {
        let figures = figures.map(|figure| format!("{figure:15.2}"));
        println!("{way:<8}{}", figures.concat());
    };
    println!("medians of {ROUNDS} rounds of {SECONDS} s with {RATE} requests a second");
    println!("{:<8}{names}", "");
    for (way, figures) in WAYS.into_iter().zip(medians) {
        row(way, *figures);
    }
    println!("in parts of the {}", WAYS[0]);
    for (way, figures) in WAYS.into_iter().zip(medians).skip(1) {
        let mut ratios = *figures;
        for (ratio, host) in ratios.iter_mut().zip(&medians[0]) {
            *ratio /= host;
        }
        row(way, ratios);
    }
}
