//! The time line as comma-separated values, a row for each of its points.

use std::io::{self, Write};

use csv::Writer;
use sentinel_engine::summary::TestRunResult;

/// The columns: latencies are response times in milliseconds, empty where nothing was answered.
const COLUMNS: [&str; 12] = [
    "timestamp_ms",
    "second",
    "phase",
    "active_users",
    "requests_per_sec",
    "error_rate",
    "latency_p50_ms",
    "latency_p75_ms",
    "latency_p90_ms",
    "latency_p95_ms",
    "latency_p99_ms",
    "latency_max_ms",
];

/// Writes the time line of a run.
///
/// # Errors
/// When `out` refuses.
pub(super) fn write(out: impl Write, result: &TestRunResult) -> io::Result<()> {
    let mut writer = Writer::from_writer(out);
    writer.write_record(COLUMNS)?;
    let start_ms = result.timeline.first().map_or(0, |row| row.timestamp);
    for row in &result.timeline {
        let latency = &row.latency;
        let latencies = [
            latency.p50,
            latency.p75,
            latency.p90,
            latency.p95,
            latency.p99,
            latency.max,
        ];
        let numbers = [
            row.timestamp.to_string(),
            (row.timestamp.saturating_sub(start_ms) / 1_000).to_string(),
            row.phase.name().to_owned(),
            row.active_users.to_string(),
            row.requests_per_sec.to_string(),
            row.error_rate.to_string(),
        ];
        let latencies = latencies.map(|ms| ms.map_or_else(String::new, |ms| ms.to_string()));
        writer.write_record(numbers.into_iter().chain(latencies))?;
    }
    writer.flush()
}
