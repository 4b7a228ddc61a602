//! wrk2's demonstration at its own scale: a target that stands still for 1.4 s while 2,000 requests a second are due.
//! Response time shows it; service time, which is what most generators tell, does not.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::generators::{FREEZE_RATE, FREEZE_S, Generator};
use crate::process;
use crate::scenarios::Scenarios;
use crate::target::Target;

/// How long the target stands still.
const STANDS_STILL: Duration = Duration::from_millis(1_400);

/// What was told of a target that stood still.
pub(crate) struct Frozen {
    response: [f64; 3], // p50, p90 and p99 in milliseconds
    service: [f64; 3],
}

/// Lets the target stand still in the middle of a run.
///
/// # Errors
/// When one of the programs fails.
pub(crate) fn demonstrate(
    target: &Target,
    generator: &Generator,
    scenarios: &Scenarios,
) -> Result<Frozen> {
    target.reset()?;
    let mut command = generator.through_a_freeze(target.url(), scenarios);
    let over = AtomicBool::new(false);
    thread::scope(|scope| -> Result<()> {
        let freezing = scope.spawn(|| -> Result<()> {
            let enough = u64::from(FREEZE_RATE); // a second of them
            while target.stats()?.total.completed < enough && !over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(10));
            }
            target.freeze(STANDS_STILL)
        });
        let ran = process::run(&mut command);
        over.store(true, Ordering::Relaxed);
        ran?;
        freezing.join().unwrap_or(Ok(()))
    })?;
    let told: Value = serde_json::from_slice(&fs::read(scenarios.summary())?)?;
    let of = |field: &str| -> Result<[f64; 3]> {
        let told = told.get(field).context("no such times are told")?;
        let ms = |name| told.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
        Ok(["p50", "p90", "p99"].map(ms))
    };
    Ok(Frozen {
        response: of("latencyPercentiles")?,
        service: of("serviceTime")?,
    })
}

impl Frozen {
    /// For people.
    pub(crate) fn show(&self) {
        println!(
            "  a target that stands still for {:.1} of {FREEZE_S} s at {FREEZE_RATE}/s, ms: p50, p90, p99",
            STANDS_STILL.as_secs_f64()
        );
        for (name, [p50, p90, p99]) in [("response", self.response), ("service", self.service)] {
            println!("  {name:<10} {p50:>10.1} {p90:>10.1} {p99:>10.1}");
        }
    }

    /// For tools.
    pub(crate) fn to_json(&self) -> Value {
        let told = |[p50, p90, p99]: [f64; 3]| json!({"p50Ms": p50, "p90Ms": p90, "p99Ms": p99});
        json!({"responseTime": told(self.response), "serviceTime": told(self.service)})
    }
}
