//! Short rounds of the contenders in turn.
//!
//! Invariant: the target's count decides, for all; what a contender says that it sent must be the same number.

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
use testbed::Testbed;

use crate::contenders::Contender;
use crate::lines::{now_ms, play};
use crate::ratios::{Measured, Rate};
use crate::runtime::{BATCH_KEY, Runtime, cpu};
use crate::work::{CONCURRENCY, Order, RUN, Work};

/// Rounds that warm all up: compilation, caches, the runtime's heaps.
const WARM_UP_ROUNDS: usize = 4;

/// Before the measuring of a round: connections, the plan.
const WARM_UP: Duration = Duration::from_millis(250);

/// What is measured of a round. A batch ships a frame each second, so that each round has one of them.
const MEASURED: Duration = Duration::from_millis(1_000);

/// Between the end of the measuring and that of the round.
const COOL_DOWN: Duration = Duration::from_millis(100);

/// Plays `rounds` that count.
///
/// # Errors
/// When a contender does not do what it is asked for, or the counts do not agree.
pub(crate) fn run(
    runtime: &Runtime,
    target: &Testbed,
    work: Work,
    rounds: usize,
) -> Result<Measured> {
    let mut contenders = Contender::of(work, runtime);
    let mut measured = Measured::new(work);
    for nth in 0..WARM_UP_ROUNDS + rounds {
        let mut rates = Vec::new();
        for contender in &contenders {
            let rate = round(runtime, target, work, *contender)
                .with_context(|| format!("a round of {}", contender.name()))?;
            rates.push((*contender, rate));
        }
        // Those that are compared stay neighbours, and each comes first as often as last.
        contenders.reverse();
        if nth >= WARM_UP_ROUNDS {
            measured.add(rates);
            println!("{:>6} {nth:>3}: {}", work.name(), measured.last());
        }
    }
    Ok(measured)
}

/// Plays one slice as the coordinator does, and answers how it ended.
///
/// # Errors
/// When the batch is refused, ends early or loses count.
pub(crate) fn slice(
    port: u16,
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
        away: Vec::new(),
        hands_over_after: None,
        begun: Vec::new(),
        handed_over: Vec::new(),
        slots: NonZeroU16::new(CONCURRENCY),
    };
    let order = Order {
        assignment: &assignment,
        source: &source,
    };
    let order = serde_json::to_string(&order)?;
    let frames = play(port, BATCH_KEY, &assignment, &order)?;
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

fn round(runtime: &Runtime, target: &Testbed, work: Work, contender: Contender) -> Result<Rate> {
    target.reset();
    let length = WARM_UP + MEASURED + COOL_DOWN;
    thread::scope(|scope| {
        let playing = scope.spawn(move || match contender.batch_port(runtime) {
            Some(port) => slice(port, target, work, length).map(|(ledger, _)| ledger.sent),
            None => loops(
                runtime,
                target,
                work,
                length,
                contender == Contender::Filling,
            ),
        });
        let rate = watch(runtime, target);
        let sent = playing
            .join()
            .map_err(|_| anyhow::anyhow!("a panic"))
            .flatten()?;
        let arrived = target.stats().total.arrived;
        ensure!(
            arrived == sent,
            "it says that it sent {sent}, the target received {arrived}"
        );
        Ok(rate)
    })
}

/// Lets the bare loops run, and answers how much they sent.
fn loops(
    runtime: &Runtime,
    target: &Testbed,
    work: Work,
    length: Duration,
    fills: bool,
) -> Result<u64> {
    let until = now_ms() + u64::try_from(length.as_millis())?;
    let url = format!("{}{}", target.url(), work.path())
        .replace('?', "%3F")
        .replace('&', "%26");
    let fills = if fills { "&fills=1" } else { "" };
    let request = format!(
        "GET /?url={url}&until={until}&loops={CONCURRENCY}{fills} HTTP/1.1\r\nhost: bare\r\nx-fields: {}\r\n\
         connection: close\r\n\r\n",
        work.fields()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", runtime.bare_port))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let sent = answer.lines().next_back();
    sent.and_then(|line| line.trim().parse().ok())
        .with_context(|| format!("the loop says {answer:?}"))
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
    let cpu_s = cpu.saturating_sub(cpu_before).as_secs_f64();
    Rate {
        per_s: requests / seconds,
        cpu_us: cpu_s * 1e6 / requests,
        cpu_share: cpu_s / seconds,
        target_cpu: target_cpu.saturating_sub(target_before).as_secs_f64() / seconds,
    }
}
