//! What the chat runtime tells Prometheus.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::services::process;

/// Counts of everything since the start.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) answers: AtomicU64,
    pub(super) refusals: AtomicU64,
    pub(super) streams: AtomicU64,
    pub(super) streaming: AtomicU64,
    pub(super) tokens: AtomicU64,
    pub(super) chimes: AtomicU64,
}

impl Meter {
    /// Adds to a counter.
    pub(super) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// The page that Prometheus reads.
    pub(super) fn page(&self, conversations: usize, bytes: usize) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut page = String::new();
        for (name, kind, value) in [
            ("vi_chat_total", "counter", count(&self.answers)),
            ("vi_refused_total", "counter", count(&self.refusals)),
            ("vi_streams_total", "counter", count(&self.streams)),
            ("vi_streams_active", "gauge", count(&self.streaming)),
            ("vi_tokens_total", "counter", count(&self.tokens)),
            ("vi_autonomy_chimes_total", "counter", count(&self.chimes)),
            ("vi_conversations", "gauge", conversations as u64),
            ("vi_memory_bytes", "gauge", bytes as u64),
        ] {
            // Writing into a text does not fail.
            let _ = writeln!(page, "# TYPE {name} {kind}\n{name} {value}");
        }
        process::tell(&mut page);
        page
    }
}
