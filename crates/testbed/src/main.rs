//! The command `testbed`: serves until it is told to stop, and prints where.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::num::NonZeroUsize;

use anyhow::{Context, Result};
use clap::Parser;
use testbed::{Service, Testbed};
use tokio::signal::unix::{SignalKind, signal};

/// A target with known behaviour for load testers. Prints its URL and serves until SIGINT or SIGTERM.
#[derive(Parser)]
#[command(name = "testbed", version)]
struct Arguments {
    /// The address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    ip: IpAddr,
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How many threads serve
    #[arg(long, default_value = "1")]
    threads: NonZeroUsize,
    /// Which platform to serve instead of the behaviours
    #[arg(long)]
    service: Option<Service>,
}

fn main() -> Result<()> {
    sentinel_system::allow_many(); // each connection is one
    let Arguments {
        ip,
        port,
        threads,
        service,
    } = Arguments::parse();
    let listener =
        TcpListener::bind((ip, port)).with_context(|| format!("listen on {ip}:{port}"))?;
    let testbed = match service {
        Some(service) => Testbed::serve(listener, threads, service),
        None => Testbed::start(listener, threads),
    };
    let testbed = testbed.context("serve")?;
    // The reader may be waiting for this line, and may be gone when it has it.
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{}", testbed.url()).and_then(|()| out.flush());
    wait_for_signal()
}

fn wait_for_signal() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}
