//! Waiting for something to become true, by looking again and again, never longer than a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How long between two looks: short against what is waited for, long against what a look costs.
const EVERY: Duration = Duration::from_millis(50);

/// How many times as long as on a machine that does nothing else something may take.
const BUSY: u32 = 5;

/// Looks until `probe` finds something, for at most `limit` on an idle machine, and on a busy one a few times that.
pub(crate) fn until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit * BUSY;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {:?} in vain until {what}",
            limit * BUSY
        );
        thread::sleep(EVERY);
    }
}

/// Looks until `end` and returns everything that was seen, each with the time of the look. The last look is
/// not before `end`.
pub(crate) fn watch<T>(end: Instant, mut look: impl FnMut() -> T) -> Vec<(Instant, T)> {
    let mut seen = Vec::new();
    loop {
        let at = Instant::now();
        seen.push((at, look()));
        if at >= end {
            return seen;
        }
        thread::sleep(EVERY);
    }
}
