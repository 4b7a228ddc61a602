//! Alternating rounds of the batch and of the bare loop.
//!
//! Invariant: the target's count decides, for both; what the batch says that it sent must be the same number.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::num::NonZeroU16;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sentinel_engine::ledger::Ledger;
use sentinel_engine::plan::RunPart;
use sentinel_engine::share::Share;
use sentinel_engine::tick::Tick;
use sentinel_engine::vu::VuCarry;
use sentinel_engine::wire::{Assignment, Frame, WIRE_VERSION};
use serde_json::{Value, json};
use testbed::Testbed;

use crate::lines::{now_ms, play};
use crate::runtime::{BATCH_KEY, Runtime, cpu};
use crate::work::{CONCURRENCY, Order, RUN, Work};

/// Pairs of rounds that count; one more warms both up.
const PAIRS: usize = 10;

/// Before the measuring: connections, compilation, the plan.
const WARM_UP: Duration = Duration::from_millis(600);

/// What is measured of a round.
const MEASURED: Duration = Duration::from_millis(2_500);

/// Between the end of the measuring and that of the round.
const COOL_DOWN: Duration = Duration::from_millis(400);

/// What a round achieved.
#[derive(Clone, Copy, Debug)]
struct Rate {
    per_s: f64,
    per_cpu_s: f64,
    target_cpu: f64,
}

/// The outcome of all rounds of a kind of work.
#[derive(Debug)]
pub(crate) struct Measured {
    work: Work,
    pairs: Vec<(Rate, Rate)>,
}

/// Plays the rounds.
///
/// # Errors
/// When a side does not do what it is asked for, or the counts do not agree.
pub(crate) fn run(runtime: &Runtime, target: &Testbed, work: Work) -> Result<Measured> {
    let mut pairs = Vec::new();
    for pair in 0..=PAIRS {
        // Each begins as often as the other.
        let (ours, bare) = if pair % 2 == 0 {
            let ours = batch_round(runtime, target, work)?;
            (ours, bare_round(runtime, target, work)?)
        } else {
            let bare = bare_round(runtime, target, work)?;
            (batch_round(runtime, target, work)?, bare)
        };
        println!(
            "{:>6} {pair:>2}: batch {:>6.0}/s, bare {:>6.0}/s, ratio {:.3}; per CPU second {:.3}",
            work.name(),
            ours.per_s,
            bare.per_s,
            ours.per_s / bare.per_s,
            ours.per_cpu_s / bare.per_cpu_s,
        );
        if pair > 0 {
            pairs.push((ours, bare));
        }
    }
    Ok(Measured { work, pairs })
}

/// Plays one slice as the coordinator does, and answers how it ended.
///
/// # Errors
/// When the batch is refused, ends early or loses count.
pub(crate) fn slice(
    runtime: &Runtime,
    target: &Testbed,
    work: Work,
    length: Duration,
) -> Result<(Ledger, Vec<VuCarry>)> {
    let seconds = length.as_secs() + 60;
    let source = work.source(&target.url(), seconds)?;
    let assignment = Assignment {
        version: WIRE_VERSION,
        run: RUN.to_owned(),
        part: RunPart::Load,
        epoch_ms: now_ms(),
        slice: 0,
        share: Share::WHOLE,
        from: Tick::ZERO,
        until: Tick::from_ms(u64::try_from(length.as_millis())?),
        played_through: Tick::ZERO,
        carry: Vec::new(),
        begun: Vec::new(),
        handed_over: Vec::new(),
        slots: NonZeroU16::new(CONCURRENCY),
    };
    let order = Order {
        assignment: &assignment,
        source: &source,
    };
    let order = serde_json::to_string(&order)?;
    let frames = play(runtime.batch_port, BATCH_KEY, &assignment, &order)?;
    let mut ledger = Ledger::default();
    for window in frames.iter().flat_map(|frame| &frame.windows) {
        ledger += window.ledger;
    }
    ensure!(
        ledger.failed == 0 && ledger.sent == ledger.answered + ledger.cut_off,
        "requests failed: {ledger:?}"
    );
    let carry = frames.into_iter().filter_map(|frame: Frame| frame.end);
    Ok((ledger, carry.flat_map(|end| end.carry).collect()))
}

fn batch_round(runtime: &Runtime, target: &Testbed, work: Work) -> Result<Rate> {
    target.reset();
    let length = WARM_UP + MEASURED + COOL_DOWN;
    thread::scope(|scope| {
        let playing = scope.spawn(|| slice(runtime, target, work, length));
        let rate = watch(runtime, target);
        let (ledger, _) = playing
            .join()
            .map_err(|_| anyhow::anyhow!("a panic"))
            .flatten()?;
        let arrived = target.stats().total.arrived;
        ensure!(
            arrived == ledger.sent,
            "the batch says that it sent {}, the target received {arrived}",
            ledger.sent
        );
        Ok(rate)
    })
}

fn bare_round(runtime: &Runtime, target: &Testbed, work: Work) -> Result<Rate> {
    target.reset();
    let length = WARM_UP + MEASURED + COOL_DOWN;
    let until = now_ms() + u64::try_from(length.as_millis())?;
    let url = format!("{}{}", target.url(), work.path())
        .replace('?', "%3F")
        .replace('&', "%26");
    let request = format!(
        "GET /?url={url}&until={until}&loops={CONCURRENCY} HTTP/1.1\r\nhost: bare\r\nx-fields: {}\r\nconnection: close\r\n\r\n",
        work.fields()
    );
    thread::scope(|scope| {
        let playing = scope.spawn(move || -> Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", runtime.bare_port))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        });
        let rate = watch(runtime, target);
        let answer = playing
            .join()
            .map_err(|_| anyhow::anyhow!("a panic"))
            .flatten()?;
        let sent: u64 = answer
            .lines()
            .next_back()
            .and_then(|line| line.trim().parse().ok())
            .with_context(|| format!("the bare loop says {answer:?}"))?;
        let arrived = target.stats().total.arrived;
        ensure!(
            arrived == sent,
            "the bare loop says that it sent {sent}, the target received {arrived}"
        );
        Ok(rate)
    })
}

/// What arrives at the target in the middle of a round.
fn watch(runtime: &Runtime, target: &Testbed) -> Rate {
    let look = || {
        (
            Instant::now(),
            target.stats().total.completed,
            runtime.cpu(),
            cpu("self"),
        )
    };
    thread::sleep(WARM_UP);
    let (begin, count_before, cpu_before, target_before) = look();
    thread::sleep(MEASURED);
    let (end, count, cpu, target_cpu) = look();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let requests = (count - count_before) as f64;
    let seconds = (end - begin).as_secs_f64();
    Rate {
        per_s: requests / seconds,
        per_cpu_s: requests / (cpu.saturating_sub(cpu_before)).as_secs_f64(),
        target_cpu: target_cpu.saturating_sub(target_before).as_secs_f64() / seconds,
    }
}

impl Measured {
    /// Whether the ratio is what it must be.
    pub(crate) fn passed(&self) -> bool {
        self.ratio() >= self.work.ratio_min()
    }

    /// The median of the pairs' ratios of requests per second.
    fn ratio(&self) -> f64 {
        self.median(|ours, bare| ours.per_s / bare.per_s)
    }

    fn sorted(&self, value: impl Fn(&Rate, &Rate) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = self
            .pairs
            .iter()
            .map(|(ours, bare)| value(ours, bare))
            .collect();
        values.sort_by(f64::total_cmp);
        values
    }

    fn median(&self, value: impl Fn(&Rate, &Rate) -> f64) -> f64 {
        let values = self.sorted(value);
        let middle = values.len() / 2;
        let pair = [
            values.get(middle),
            values.get(middle - usize::from(values.len().is_multiple_of(2))),
        ];
        pair.into_iter().flatten().sum::<f64>() / 2.0
    }

    /// For machines.
    pub(crate) fn json(&self) -> Value {
        let ratios = self.sorted(|ours, bare| ours.per_s / bare.per_s);
        json!({
            "name": self.work.name(), "concurrency": CONCURRENCY, "rounds": self.pairs.len(),
            "batchPerS": self.median(|ours, _| ours.per_s), "barePerS": self.median(|_, bare| bare.per_s),
            "batchPerCpuS": self.median(|ours, _| ours.per_cpu_s), "barePerCpuS": self.median(|_, bare| bare.per_cpu_s),
            "runtimeCpuShare": self.median(|ours, _| ours.per_s / ours.per_cpu_s),
            "targetCpuShare": self.median(|ours, _| ours.target_cpu),
            "ratioPerCpu": self.median(|ours, bare| ours.per_cpu_s / bare.per_cpu_s),
            "ratioLeast": ratios.first(), "ratioMost": ratios.last(),
            "ratioMin": self.work.ratio_min(), "ratio": self.ratio(), "passed": self.passed(),
        })
    }

    /// For people, the ratio last.
    pub(crate) fn print(&self) {
        let ratios = self.sorted(|ours, bare| ours.per_s / bare.per_s);
        let least = ratios.first().copied().unwrap_or(0.0);
        let most = ratios.last().copied().unwrap_or(0.0);
        println!(
            "{}: batch {:.0}/s, bare {:.0}/s; the runtime had {:.0} % of its core, the target used {:.0} % of its; \
             ratio per CPU second {:.3}; ratio of requests per second (from {least:.3} to {most:.3}, at least {}): {:.3}",
            self.work.name(),
            self.median(|ours, _| ours.per_s),
            self.median(|_, bare| bare.per_s),
            100.0 * self.median(|ours, _| ours.per_s / ours.per_cpu_s),
            100.0 * self.median(|ours, _| ours.target_cpu),
            self.median(|ours, bare| ours.per_cpu_s / bare.per_cpu_s),
            self.work.ratio_min(),
            self.ratio(),
        );
    }
}
