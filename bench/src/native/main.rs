//! `sentinel` beside other generators on the same target: requests per second of their CPU, their memory, and
//! the error that they add to what they measure.
//!
//! The target's own counts decide for all of them. Rounds alternate, and what is told is the median, so that
//! whatever else the machine does meets all of them alike.

mod added;
mod bare;
mod freeze;
mod generators;
mod process;
mod scenarios;
mod target;

use anyhow::Result;
use bench::Figures;
use serde_json::{Value, json};

use crate::added::Added;
use crate::generators::{Generator, Load};
use crate::process::Usage;
use crate::scenarios::Scenarios;
use crate::target::Target;

/// How many rounds each generator plays.
const ROUNDS: usize = 5;
/// How long a round takes, in seconds.
const ROUND_S: u32 = 5;
/// How many users, or connections, put on the load.
const USERS: u32 = 50;
/// How long the target holds each request while the generators' errors are measured, in milliseconds.
const DELAY_MS: u32 = 20;
/// How many users there are for that: so many requests are under way at 100,000 a second.
const USERS_OF_DELAYS: u32 = 2_000;
/// How many users think while memory is measured, each with a connection of its own.
const THINKERS: u32 = 10_000;
/// How long they do, in seconds: longer than it takes until each has sent some fifty requests.
const THINKING_S: u32 = 60;

/// The outcome of one round.
#[derive(Clone, Copy, Debug)]
struct Round {
    requests: u64,
    usage: Usage,
}

impl Round {
    fn per_cpu_second(&self) -> f64 {
        self.requests as f64 / self.usage.cpu_s
    }

    fn per_second(&self) -> f64 {
        self.requests as f64 / f64::from(ROUND_S)
    }
}

fn main() -> Result<()> {
    let figures = Figures::asked_for()?;
    let scenarios = Scenarios::write()?;
    let target = Target::start()?;
    let (present, absent) = Generator::find();
    for name in &absent {
        println!("  {name} is not installed, so it is left out");
    }
    let plain = throughput(&target, &present, &scenarios, Load::Plain)?;
    let flow = throughput(&target, &[Generator::sentinel()?], &scenarios, Load::Flow)?;
    let errors = added::errors(&present, &scenarios)?;
    let frozen = freeze::demonstrate(&target, &Generator::sentinel()?, &scenarios)?;
    let thinkers = memory_of_thinkers(&target, &scenarios)?;
    show(&plain, &flow, &errors);
    frozen.show();
    println!("  {THINKERS} users who think for a second take {thinkers:.0} MiB at most");
    let ratio = ratio_to(&plain, "oha");
    if let Some(ratio) = ratio {
        println!("  sentinel does {ratio:.2} of oha's requests per CPU-second");
    }
    figures.write(&json!({
        "rounds": ROUNDS,
        "roundSeconds": ROUND_S,
        "users": USERS,
        "plain": plain.iter().map(Row::to_json).collect::<Vec<_>>(),
        "flow": flow.iter().map(Row::to_json).collect::<Vec<_>>(),
        "ratioToOha": ratio,
        "addedError": errors.iter().map(Added::to_json).collect::<Vec<_>>(),
        "freeze": frozen.to_json(),
        "memoryOfThinkers": {"users": THINKERS, "peakMemoryMib": thinkers},
        "absent": absent,
    }))
}

/// What came of all rounds of one generator.
struct Row {
    name: &'static str,
    per_cpu_second: f64,
    per_second: f64,
    memory_mib: f64,
}

impl Row {
    fn to_json(&self) -> Value {
        json!({
            "generator": self.name,
            "requestsPerCpuSecond": self.per_cpu_second.round(),
            "requestsPerSecond": self.per_second.round(),
            "peakMemoryMib": self.memory_mib,
        })
    }
}

fn throughput(
    target: &Target,
    generators: &[Generator],
    scenarios: &Scenarios,
    load: Load,
) -> Result<Vec<Row>> {
    let mut rounds: Vec<Vec<Round>> = generators.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (generator, rounds) in generators.iter().zip(&mut rounds) {
            target.reset()?;
            let mut command = generator.at_full_speed(target.url(), scenarios, load);
            let usage = process::run(&mut command)?;
            let requests = target.stats()?.total.completed;
            rounds.push(Round { requests, usage });
        }
    }
    let rows = generators
        .iter()
        .zip(rounds)
        .map(|(generator, rounds)| Row {
            name: generator.name,
            per_cpu_second: median(rounds.iter().map(Round::per_cpu_second)),
            per_second: median(rounds.iter().map(Round::per_second)),
            memory_mib: median(rounds.iter().map(|round| round.usage.memory_mib)),
        });
    Ok(rows.collect())
}

/// The most memory that users with pauses take.
fn memory_of_thinkers(target: &Target, scenarios: &Scenarios) -> Result<f64> {
    let mut command = Generator::sentinel()?.thinking(target.url(), scenarios);
    Ok(process::run(&mut command)?.memory_mib)
}

fn show(plain: &[Row], flow: &[Row], errors: &[Added]) {
    for (what, rows) in [("plain GET", plain), ("flow", flow)] {
        println!("  {what:<10} requests/CPU-s   requests/s   peak MiB");
        for row in rows {
            println!(
                "  {:<10} {:>14.0} {:>12.0} {:>10.1}",
                row.name, row.per_cpu_second, row.per_second, row.memory_mib
            );
        }
    }
    println!("  error that is added, ms          p50          p99");
    for row in errors {
        println!(
            "  {:<18} {:>12.3} {:>12.3}   at {:.0}/s",
            row.name, row.p50_ms, row.p99_ms, row.rate
        );
    }
}

fn ratio_to(rows: &[Row], other: &str) -> Option<f64> {
    let of = |name: &str| rows.iter().find(|row| row.name == name);
    Some(of("sentinel")?.per_cpu_second / of(other)?.per_cpu_second)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
