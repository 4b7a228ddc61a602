//! One line for each step, with the time it took; while a step runs, a terminal shows what it is
//! doing.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// A step that is running.
pub(crate) struct Step {
    name: String,
    start: Instant,
    line: ProgressBar,
}

impl Step {
    /// Announces a step and how long it may take.
    pub(crate) fn start(name: impl Into<String>, expectation: &str) -> Self {
        let name = name.into();
        let line = if std::io::stderr().is_terminal() {
            let line = ProgressBar::new_spinner();
            if let Ok(style) =
                ProgressStyle::with_template("  {spinner} {prefix} [{elapsed}] {wide_msg}")
            {
                line.set_style(style);
            }
            line.set_prefix(name.clone());
            line.set_message(expectation.to_owned());
            line.enable_steady_tick(Duration::from_millis(120));
            line
        } else {
            eprintln!("  … {name} ({expectation})");
            ProgressBar::hidden()
        };
        Self {
            name,
            start: Instant::now(),
            line,
        }
    }

    /// Shows on a terminal what the step is doing.
    pub(crate) fn doing(&self, what: &str) {
        self.line.set_message(what.trim().to_owned());
    }

    /// Ends the step with its outcome and the time it took.
    pub(crate) fn end<T>(self, result: Result<T>) -> Result<T> {
        self.line.finish_and_clear();
        let mark = if result.is_ok() { "✓" } else { "✗" };
        eprintln!(
            "  {mark} {} ({:.1} s)",
            self.name,
            self.start.elapsed().as_secs_f64()
        );
        result
    }
}
