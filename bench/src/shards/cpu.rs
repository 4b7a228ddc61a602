//! CPU time and memory of this process, as the operating system tells them.

use std::fs;

use rustix::time::{ClockId, clock_gettime};

/// CPU time that this thread has used, in nanoseconds.
pub(crate) fn used_ns() -> u64 {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    part(used.tv_sec) * 1_000_000_000 + part(used.tv_nsec)
}

/// The most memory that the process has held, in KiB; 0 where Linux does not tell.
pub(crate) fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
