//! The progress of a run while it lasts: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal as _;

use console::style;
use indicatif::{ProgressBar, ProgressStyle};
use sentinel_engine::plan::Plan;
use sentinel_engine::run::Progress;
use sentinel_engine::timeline::TimelineRow;

/// A line every so many seconds where there is no terminal.
const LINE_EVERY_S: u32 = 5;

/// What is shown of a running test, on the standard error.
pub(crate) struct Live {
    shown: Shown,
    planned_s: u64,
}

enum Shown {
    Nothing,
    Lines,
    Bar(ProgressBar),
}

impl Live {
    /// A display for a run of `plan`.
    pub(crate) fn new(plan: &Plan, quiet: bool) -> Self {
        let planned_s = plan.duration().as_us().div_ceil(1_000_000);
        let shown = if quiet {
            Shown::Nothing
        } else if std::io::stderr().is_terminal() {
            Shown::Bar(bar(planned_s))
        } else {
            Shown::Lines
        };
        if !quiet {
            let hosts: Vec<String> = plan.hosts().into_iter().collect();
            eprintln!(
                "{}: {planned_s} s, up to {} users, on {}",
                style(plan.name()).bold(),
                plan.users_max(),
                hosts.join(", ")
            );
        }
        Self { shown, planned_s }
    }

    /// Shows the newest of these seconds.
    pub(crate) fn show(&self, rows: &[TimelineRow], progress: &Progress) {
        let Some(row) = rows.last() else {
            return;
        };
        let seconds = progress.seconds_published;
        match &self.shown {
            Shown::Nothing => {}
            Shown::Lines if seconds.is_multiple_of(LINE_EVERY_S) => {
                eprintln!(
                    "{:>5} of {} s  {}",
                    seconds,
                    self.planned_s,
                    line(row, progress)
                );
            }
            Shown::Lines => {}
            Shown::Bar(bar) => {
                bar.set_position(seconds.into());
                bar.set_message(line(row, progress));
            }
        }
    }

    /// The run is over.
    pub(crate) fn end(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn bar(planned_s: u64) -> ProgressBar {
    let bar = ProgressBar::new(planned_s.max(1));
    if let Ok(style) = ProgressStyle::with_template("  {bar:30.green} {pos} of {len} s\n  {msg}") {
        bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
    }
    bar
}

fn line(row: &TimelineRow, progress: &Progress) -> String {
    let p95 = row.latency.p95;
    let p95 = p95.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.1} ms"));
    format!(
        "{} users, {:.0} requests/s, p95 {p95}, {:.1} % errors, {} iterations{}",
        row.active_users,
        row.requests_per_sec,
        row.error_rate * 100.0,
        progress.iterations_started,
        if progress.stopping { ", stopping" } else { "" }
    )
}
