//! The processor time of whole groups of processes.

use std::fs;

/// User and system time, in seconds, of all processes in these groups.
pub(crate) fn cpu_s(groups: &[i32]) -> f64 {
    let Ok(processes) = fs::read_dir("/proc") else {
        return f64::NAN;
    };
    let stats = processes
        .flatten()
        .filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
    stats.filter_map(|stat| of_process(&stat, groups)).sum()
}

/// The time of a process in one of the groups, from its `stat` (proc_pid_stat(5)).
fn of_process(stat: &str, groups: &[i32]) -> Option<f64> {
    const TICKS_PER_SECOND: f64 = 100.0; // the kernel's interface, whatever its own clock does
    // The name before it may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    if !groups.contains(&fields.get(2)?.parse().ok()?) {
        return None;
    }
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}
