//! What the side panel tells Prometheus.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::services::process;

/// Counts of everything since the start.
#[derive(Debug, Default)]
pub(super) struct Meter {
    connections: AtomicU64,
    messages: AtomicU64,
    errors: AtomicU64,
    /// How many answers took at most as long as each bound, and the rest.
    latency: [AtomicU64; BOUNDS_S.len() + 1],
    latency_us: AtomicU64,
}

impl Meter {
    /// A connection was opened.
    pub(super) fn opened(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection ended.
    pub(super) fn closed(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// A message was answered after so long.
    pub(super) fn answered(&self, took: Duration, is_error: bool) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.errors
            .fetch_add(u64::from(is_error), Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        let at = BOUNDS_S.partition_point(|bound| *bound < seconds);
        if let Some(bucket) = self.latency.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latency_us.fetch_add(us, Ordering::Relaxed);
    }

    /// The page that Prometheus reads.
    pub(super) fn page(&self, sessions: usize, bytes: usize) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut page = String::new();
        for (name, kind, value) in [
            ("ws_active_connections", "gauge", count(&self.connections)),
            ("ws_messages_total", "counter", count(&self.messages)),
            ("ws_errors_total", "counter", count(&self.errors)),
            ("sidepanel_sessions", "gauge", sessions as u64),
            ("sidepanel_memory_bytes", "gauge", bytes as u64),
        ] {
            // Writing into a text does not fail.
            let _ = writeln!(page, "# TYPE {name} {kind}\n{name} {value}");
        }
        let _ = writeln!(page, "# TYPE ws_latency histogram");
        let mut so_far = 0;
        let bounds = BOUNDS_S.iter().map(ToString::to_string);
        for (bucket, bound) in self.latency.iter().zip(bounds.chain(["+Inf".to_owned()])) {
            so_far += count(bucket);
            let _ = writeln!(page, "ws_latency_bucket{{le=\"{bound}\"}} {so_far}");
        }
        let sum = Duration::from_micros(count(&self.latency_us)).as_secs_f64();
        let _ = writeln!(page, "ws_latency_sum {sum}\nws_latency_count {so_far}");
        process::tell(&mut page);
        page
    }
}

/// The upper bounds of the buckets.
const BOUNDS_S: [f64; 8] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0];
