//! The error that a generator adds: what it tells of a target that holds each request for a while, beside what the
//! target itself tells.
//!
//! Generator and target have a core each where there are two, so that neither waits for the other's turn. The rate is
//! half of what `sentinel` reaches against this very target, and a tenth of it.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::generators::{Generator, Load, Measured};
use crate::process::Core;
use crate::scenarios::Scenarios;
use crate::target::Target;
use crate::{ROUND_S, ROUNDS, bare, median, process};

/// What a generator says beside what the target says, in milliseconds.
pub(crate) struct Added {
    pub(crate) name: &'static str,
    pub(crate) rate: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Added {
    /// For tools.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "generator": self.name,
            "rate": self.rate,
            "p50Ms": self.p50_ms,
            "p99Ms": self.p99_ms,
        })
    }
}

/// The errors of the machine alone and of all generators that keep to a rate.
///
/// # Errors
/// When one of the programs fails.
pub(crate) fn errors(generators: &[Generator], scenarios: &Scenarios) -> Result<Vec<Added>> {
    let target = Target::start_on(Core::Second)?;
    let top = top_rate(&target, scenarios)?;
    let mut added = Vec::new();
    for rate in [top / 2.0, top / 10.0] {
        let alone = || bare::measure(target.url(), rate).map(Some);
        added.extend(of("machine", &target, rate, alone)?);
        for generator in generators {
            let measured = || {
                let command = generator.at_rate(target.url(), scenarios, rate);
                command
                    .map(|command| generator.measured(command, scenarios))
                    .transpose()
            };
            added.extend(of(generator.name, &target, rate, measured)?);
        }
    }
    Ok(added)
}

/// The rate that `sentinel` reaches with this target and this delay.
fn top_rate(target: &Target, scenarios: &Scenarios) -> Result<f64> {
    let generator = Generator::sentinel()?;
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        target.reset()?;
        let mut command = generator.at_full_speed(target.url(), scenarios, Load::Delayed);
        process::run(&mut command)?;
        rates.push(target.stats()?.total.completed as f64 / f64::from(ROUND_S));
    }
    Ok(median(rates.into_iter()))
}

/// The error of one generator at a rate; `None` if it keeps to none.
fn of(
    name: &'static str,
    target: &Target,
    rate: f64,
    measured: impl Fn() -> Result<Option<Measured>>,
) -> Result<Option<Added>> {
    let mut differences = Vec::new();
    for _ in 0..ROUNDS {
        target.reset()?;
        let Some(told) = measured()? else {
            return Ok(None);
        };
        let truth = target.stats()?;
        let path = truth.paths.get("/delay");
        let held = path.context("the target was not asked for /delay")?.held;
        differences.push((
            told.p50_ms - held.p50_us as f64 / 1e3,
            told.p99_ms - held.p99_us as f64 / 1e3,
        ));
    }
    Ok(Some(Added {
        name,
        rate,
        p50_ms: median(differences.iter().map(|one| one.0)),
        p99_ms: median(differences.iter().map(|one| one.1)),
    }))
}
