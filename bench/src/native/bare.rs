//! What the machine adds by itself: the same requests, due at the same moments, over plain sockets.
//!
//! There is no HTTP library here, no engine and no books: a request is a text that is written, an answer is read until
//! its end. What lies between this and the target's own figures is the kernel, the runtime's way of waiting, and the
//! target, whose clock begins when it has read a request. A generator cannot add less.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use std::{num, thread};

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::thread::{CpuSet, sched_setaffinity};
use sentinel_system::Timer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::generators::Measured;
use crate::{DELAY_MS, ROUND_S};

/// How the target's answer ends.
const END: &[u8] = b"it is fine\n";

/// Sends so many requests a second to the target, on the generators' core.
///
/// # Errors
/// When the target cannot be reached, or breaks off.
pub(crate) fn measure(url: &str, rate: f64) -> Result<Measured> {
    let address = url.strip_prefix("http://").context("the target's URL")?;
    let address: SocketAddr = address.parse()?;
    let played = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            take_the_first_core()?;
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build()?;
            LocalSet::new().block_on(&runtime, play(address, rate))
        });
        thread.join()
    });
    let mut times = played.map_err(|_| anyhow!("it panicked"))??;
    ensure!(!times.is_empty(), "nothing was sent");
    times.sort_unstable();
    let percentile = |percent: usize| {
        let place = (times.len() - 1) * percent / 100;
        times
            .get(place)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    Ok(Measured {
        p50_ms: percentile(50),
        p99_ms: percentile(99),
    })
}

/// As `taskset` does it for the generators.
fn take_the_first_core() -> Result<()> {
    if thread::available_parallelism().map_or(1, num::NonZeroUsize::get) > 1 {
        let mut first = CpuSet::new();
        first.set(0);
        sched_setaffinity(None, &first)?;
    }
    Ok(())
}

async fn play(address: SocketAddr, rate: f64) -> Result<Vec<Duration>> {
    let idle = Rc::<RefCell<Vec<TcpStream>>>::default();
    let request = format!("GET /delay?ms={DELAY_MS} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let request: Rc<[u8]> = request.into_bytes().into();
    let timer = Timer::new()?;
    let begun = Instant::now();
    let mut exchanges = Vec::new();
    for number in 0..(rate * f64::from(ROUND_S)) as u32 {
        let due = begun + Duration::from_secs_f64(f64::from(number) / rate);
        timer.until(due).await?;
        let (idle, request) = (Rc::clone(&idle), Rc::clone(&request));
        exchanges.push(tokio::task::spawn_local(async move {
            let known = idle.borrow_mut().pop();
            let mut stream = match known {
                Some(stream) => stream,
                None => connect(address).await?,
            };
            let took = exchange(&mut stream, &request).await?;
            idle.borrow_mut().push(stream);
            anyhow::Ok(took)
        }));
    }
    let mut times = Vec::new();
    for exchange in exchanges {
        times.push(exchange.await??);
    }
    Ok(times)
}

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn exchange(stream: &mut TcpStream, request: &[u8]) -> Result<Duration> {
    let sent = Instant::now();
    stream.write_all(request).await?;
    let mut answer = Vec::with_capacity(512);
    while !answer.ends_with(END) {
        let read = stream.read_buf(&mut answer).await?;
        ensure!(read > 0, "the target broke off");
    }
    Ok(sent.elapsed())
}
