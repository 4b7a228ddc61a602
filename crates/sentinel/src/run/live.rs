//! The progress of a run while it lasts: a bar for each scenario on a terminal, a line now and then elsewhere.

use std::io::IsTerminal as _;

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use sentinel_engine::plan::Plan;
use sentinel_engine::run::Progress;
use sentinel_engine::timeline::TimelineRow;
use sentinel_engine::window::Window;

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

/// A bar for each scenario, and below them what all do together.
struct Bars {
    scenarios: Vec<ScenarioBar>,
    together: ProgressBar,
}

/// How far a scenario is.
struct ScenarioBar {
    bar: ProgressBar,
    starts_s: u64,
    started: u64, // iterations
    dropped: u64,
}

impl Live {
    /// A display for a run of `plan`.
    pub(crate) fn new(plan: &Plan, quiet: bool) -> Self {
        let planned_s = plan.duration().as_us().div_ceil(1_000_000);
        if !quiet {
            let hosts: Vec<String> = plan.hosts().into_iter().collect();
            eprintln!(
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

    /// Takes in what a second of the load told of each scenario.
    pub(crate) fn take(&mut self, window: &Window) {
        if let Shown::Bars(bars) = &mut self.shown {
            bars.take(window);
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
                eprintln!(
                    "{:>5} of {} s  {}",
                    seconds,
                    self.planned_s,
                    line(row, progress)
                );
            }
            Shown::Lines => {}
            Shown::Bars(bars) => bars.together.set_message(line(row, progress)),
        }
    }

    /// The run is over.
    pub(crate) fn end(&self) {
        if let Shown::Bars(bars) = &self.shown {
            let own = bars.scenarios.iter().map(|scenario| &scenario.bar);
            for bar in own.chain([&bars.together]) {
                bar.finish_and_clear();
            }
        }
    }
}

impl Bars {
    fn new(plan: &Plan) -> Self {
        let all = MultiProgress::new();
        let names = plan
            .scenarios()
            .iter()
            .map(|scenario| scenario.name.chars().count());
        let longest = names.max().unwrap_or(0);
        let scenarios = plan.scenarios().iter().map(|scenario| {
            let seconds = scenario.duration().as_us().div_ceil(1_000_000);
            let bar = all.add(ProgressBar::new(seconds.max(1)));
            bar.set_style(look("  {prefix} {bar:30.green} {pos:>4} of {len} s  {msg}"));
            bar.set_prefix(format!("{:longest$}", scenario.name));
            bar.set_message(counts(0, 0, 0));
            ScenarioBar {
                bar,
                starts_s: scenario.starts_at.as_ms() / 1_000,
                started: 0,
                dropped: 0,
            }
        });
        let scenarios = scenarios.collect();
        let together = all.add(ProgressBar::new_spinner());
        together.set_style(look("  {msg}"));
        Self {
            scenarios,
            together,
        }
    }

    fn take(&mut self, window: &Window) {
        for (place, own) in (0..).zip(&mut self.scenarios) {
            let told = window.scenarios.get(&place);
            let begun = told.map_or(0, |told| told.started);
            own.started += begun;
            own.dropped += told.map_or(0, |told| told.dropped);
            let played_s = (u64::from(window.second) + 1).saturating_sub(own.starts_s);
            // Iterations may go on after the scenario's time.
            own.bar
                .set_position(played_s.min(own.bar.length().unwrap_or(played_s)));
            own.bar.set_message(counts(begun, own.started, own.dropped));
        }
    }
}

fn look(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("█▉▊▋▌▍▎▏ ")
}

fn counts(per_s: u64, started: u64, dropped: u64) -> String {
    let dropped = match dropped {
        0 => String::new(),
        dropped => format!(", {dropped} dropped"),
    };
    format!("{per_s}/s, {started} iterations{dropped}")
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
