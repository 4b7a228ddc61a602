//! The progress of a watched run: one line that changes on a terminal, a line now and then elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::Value;

use super::trouble::bounded;

/// A line every so many seconds of the run where there is no terminal.
const LINE_EVERY_MS: u64 = 5_000;
/// How often the line on a terminal shows that it is alive.
const TICK: Duration = Duration::from_millis(200);

/// What is shown of a running test, on the standard error.
pub(super) struct Live {
    shown: Shown,
    first_ms: Option<u64>,
    newest_ms: Option<u64>,
}

enum Shown {
    Nothing,
    Lines { due_ms: u64 },
    Line(ProgressBar),
}

impl Live {
    /// A display.
    pub(super) fn new(quiet: bool) -> Self {
        let shown = if quiet {
            Shown::Nothing
        } else if std::io::stderr().is_terminal() {
            let line = ProgressBar::new_spinner();
            line.enable_steady_tick(TICK);
            line.set_message("waiting for the first second");
            Shown::Line(line)
        } else {
            Shown::Lines { due_ms: 0 }
        };
        Self {
            shown,
            first_ms: None,
            newest_ms: None,
        }
    }

    /// Shows a row of the time line, unless it was shown before.
    pub(super) fn show(&mut self, row: &Value) {
        let Some(at_ms) = row.get("timestamp").and_then(Value::as_u64) else {
            return;
        };
        if self.newest_ms.is_some_and(|newest| at_ms <= newest) {
            return;
        }
        self.newest_ms = Some(at_ms);
        let since_ms = at_ms.saturating_sub(*self.first_ms.get_or_insert(at_ms));
        match &mut self.shown {
            Shown::Nothing => {}
            Shown::Lines { due_ms } if since_ms >= *due_ms => {
                *due_ms = since_ms.saturating_add(LINE_EVERY_MS);
                note!("{}", line(since_ms, row));
            }
            Shown::Lines { .. } => {}
            Shown::Line(shown) => shown.set_message(line(since_ms, row)),
        }
    }

    /// Says something about the watching itself.
    pub(super) fn note(&self, text: &str) {
        match &self.shown {
            Shown::Nothing => {}
            Shown::Lines { .. } => note!("{text}"),
            Shown::Line(line) => line.println(text),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Shown::Line(line) = &self.shown {
            line.finish_and_clear();
        }
    }
}

fn line(since_ms: u64, row: &Value) -> String {
    let number = |field| row.get(field).and_then(Value::as_f64);
    let whole = |field| number(field).map_or_else(|| "–".to_owned(), |n| format!("{n:.0}"));
    let p95 = number("latency_p95").map_or_else(|| "–".to_owned(), |ms| format!("{ms:.1} ms"));
    let phase = row.get("phase").and_then(Value::as_str).unwrap_or_default();
    format!(
        "{:>5} s  {:<12}  {} users, {} requests/s, p95 {p95}, {:.1} % errors",
        since_ms / 1_000,
        bounded(phase),
        whole("active_users"),
        whole("requests_per_sec"),
        number("error_rate").unwrap_or_default() * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_second_without_an_answer_has_no_latency() {
        let row = json!({
            "timestamp": 0, "phase": "ramp_up", "active_users": 3, "requests_per_sec": 12.4, "latency_p95": null,
            "error_rate": 0.25,
        });
        assert_eq!(
            line(7_999, &row),
            "    7 s  ramp_up       3 users, 12 requests/s, p95 –, 25.0 % errors"
        );
    }
}
