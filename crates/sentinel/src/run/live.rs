//! The progress of a run while it lasts: a bar for each scenario on a terminal, a line now and then elsewhere.

use std::io::IsTerminal as _;

use console::style;
use sentinel_engine::plan::Plan;
use sentinel_engine::run::Progress;
use sentinel_engine::timeline::TimelineRow;
use sentinel_engine::window::Window;

use super::bars::Bars;

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
    Bars(Bars),
}

impl Live {
    /// A display for a run of `plan`.
    pub(crate) fn new(plan: &Plan, quiet: bool) -> Self {
        let planned_s = plan.duration().as_us().div_ceil(1_000_000);
        if !quiet {
            let hosts: Vec<String> = plan.hosts().into_iter().collect();
            note!(
                "{}: {planned_s} s, up to {} users, on {}",
                style(plan.name()).bold(),
                plan.users_max(),
                hosts.join(", ")
            );
        }
        let shown = if quiet {
            Shown::Nothing
        } else if std::io::stderr().is_terminal() {
            Shown::Bars(Bars::new(plan))
        } else {
            Shown::Lines
        };
        Self { shown, planned_s }
    }

    /// Takes in what a second of the load told of each scenario; `users` answers how many each has by now.
    pub(crate) fn take(&mut self, window: &Window, users: impl FnOnce() -> Vec<u32>) {
        if let Shown::Bars(bars) = &mut self.shown {
            bars.take(window, &users());
        }
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
                note!(
                    "{:>5} of {} s  {}",
                    seconds,
                    self.planned_s,
                    line(row, progress)
                );
            }
            Shown::Lines => {}
            Shown::Bars(bars) => bars.tell(line(row, progress)),
        }
    }

    /// The run is over.
    pub(crate) fn end(&self) {
        if let Shown::Bars(bars) = &self.shown {
            bars.clear();
        }
    }
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
