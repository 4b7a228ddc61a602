//! Whether the runtime's memory stays flat: slices at full speed, one after the other, as in a long run.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};
use testbed::Testbed;

use crate::rounds::slice;
use crate::runtime::{Runtime, Serving};
use crate::work::Work;

/// The length of a slice: as the Worker's.
const SLICE: Duration = Duration::from_secs(60);

/// The time that the runtime has to reach its size.
const SETTLED: Duration = Duration::from_secs(120);

/// The most that a flat run grows by in an hour after that, in MiB.
const GROWTH_MIB_PER_H_MAX: f64 = 60.0;

/// Plays for `length` and answers whether the memory was flat, with the figures.
///
/// # Errors
/// When a slice does not end as it should.
pub(crate) fn run(root: &Path, target: &Testbed, length: Duration) -> Result<(bool, Value)> {
    let runtime = Runtime::start(root, Serving::Both(None))?;
    let begin = Instant::now();
    let samples = thread::scope(|scope| -> Result<Vec<(f64, f64)>> {
        let playing = scope.spawn(|| -> Result<u64> {
            let mut requests = 0;
            while let Some(left) = length
                .checked_sub(begin.elapsed())
                .filter(|left| !left.is_zero())
            {
                let (ledger, _) = slice(runtime.batch_port, target, Work::Full, left.min(SLICE))?;
                requests += ledger.sent;
            }
            Ok(requests)
        });
        let mut samples = Vec::new();
        while !playing.is_finished() {
            samples.push((begin.elapsed().as_secs_f64(), memory_mib(&runtime)));
            thread::sleep(Duration::from_secs(1));
        }
        let requests = playing
            .join()
            .map_err(|_| anyhow::anyhow!("a panic"))
            .flatten()?;
        println!(
            "{requests} requests in {:.0} s",
            begin.elapsed().as_secs_f64()
        );
        Ok(samples)
    })?;
    let at = |seconds: f64| {
        let sample = samples.iter().find(|(at, _)| *at >= seconds);
        sample.or(samples.last()).map_or(0.0, |(_, mib)| *mib)
    };
    let (first, minute, last) = (at(0.0), at(60.0), at(f64::INFINITY));
    let settled = SETTLED.min(length / 2).as_secs_f64();
    let growth = slope(samples.iter().filter(|(at, _)| *at >= settled)) * 3_600.0;
    let passed = growth <= GROWTH_MIB_PER_H_MAX;
    println!(
        "memory of the runtime: {first:.1} MiB at the start, {minute:.1} after a minute, {last:.1} at the end; \
         growth after {settled:.0} s, in MiB an hour: {growth:.1}"
    );
    let outcome = json!({
        "startMib": first, "minuteMib": minute, "endMib": last, "seconds": length.as_secs(),
        "growthMibPerH": growth, "growthMibPerHMax": GROWTH_MIB_PER_H_MAX, "passed": passed,
    });
    Ok((passed, outcome))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn memory_mib(runtime: &Runtime) -> f64 {
    runtime.memory_kib() as f64 / 1_024.0
}

/// The slope of the line that fits best, by least squares.
fn slope<'a>(points: impl Iterator<Item = &'a (f64, f64)> + Clone) -> f64 {
    let (mut count, mut sum) = (0.0, (0.0, 0.0));
    for (x, y) in points.clone() {
        count += 1.0;
        sum = (sum.0 + x, sum.1 + y);
    }
    let mean = (sum.0 / count, sum.1 / count);
    let (mut above, mut below) = (0.0, 0.0);
    for (x, y) in points {
        above += (x - mean.0) * (y - mean.1);
        below += (x - mean.0).powi(2);
    }
    if below == 0.0 { 0.0 } else { above / below }
}
