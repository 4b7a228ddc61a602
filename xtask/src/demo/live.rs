//! The progress of a run while it lasts: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::api::{number, text};

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// What is shown of a running test.
pub(crate) struct Live {
    start: Instant,
    bar: Option<ProgressBar>,
    last_line: Option<Instant>,
}

impl Live {
    /// Begins a display for a run that is planned to last `length`.
    pub(crate) fn new(length: Duration) -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::new(length.as_secs().max(1));
            let template = "  {bar:30.green} {prefix}\n  {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
            }
            bar
        });
        Self {
            start: Instant::now(),
            bar,
            last_line: None,
        }
    }

    /// Shows the newest second of the timeline.
    pub(crate) fn show(&mut self, timeline: &[Value]) {
        let elapsed = self.start.elapsed();
        let now = timeline
            .last()
            .map_or_else(|| "waiting for the first second".to_owned(), line);
        if let Some(bar) = &self.bar {
            bar.set_position(elapsed.as_secs());
            bar.set_prefix(format!(
                "{} s of {} s",
                elapsed.as_secs(),
                bar.length().unwrap_or(0)
            ));
            bar.set_message(now);
            return;
        }
        if self
            .last_line
            .is_none_or(|last| last.elapsed() >= LINE_EVERY)
        {
            self.last_line = Some(Instant::now());
            println!("  {:>4} s  {now}", elapsed.as_secs());
        }
    }

    /// Clears the display.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(row: &Value) -> String {
    let whole = |field| number(row, field).map_or_else(|| "–".to_owned(), |n| format!("{n:.0}"));
    format!(
        "{:<12} {:>5} users  {:>6} rps  p95 {:>5} ms  errors {:>5.1} %",
        text(row, "phase"),
        whole("active_users"),
        whole("requests_per_sec"),
        whole("latency_p95"),
        number(row, "error_rate").unwrap_or(0.0) * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_second_without_an_answer_has_no_latency() {
        let row = json!({
            "phase": "ramp_up", "active_users": 3, "requests_per_sec": 12.4, "latency_p95": null,
            "error_rate": 0.25,
        });
        assert_eq!(
            line(&row),
            "ramp_up          3 users      12 rps  p95     – ms  errors  25.0 %"
        );
    }
}
