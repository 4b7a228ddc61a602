//! The bars on a terminal: one for each scenario, and below them what all do together.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use sentinel_engine::plan::{Plan, PlannedScenario};
use sentinel_engine::window::{StepId, StepWindow, Window};

/// The bars of a run.
pub(super) struct Bars {
    scenarios: Vec<ScenarioBar>,
    together: ProgressBar,
}

/// How far a scenario is.
struct ScenarioBar {
    bar: ProgressBar,
    starts_s: u64,
    /// The steps that it plays; none if others play some of them too, because nobody tells theirs apart.
    steps: Vec<StepId>,
    dropped: u64, // iterations
}

impl Bars {
    /// Bars for a run of `plan`.
    pub(super) fn new(plan: &Plan) -> Self {
        let all = MultiProgress::new();
        let scenarios = plan.scenarios();
        let names = scenarios.iter().map(|own| own.name.chars().count());
        let longest = names.max().unwrap_or(0);
        let scenarios = scenarios.iter().map(|scenario| {
            let seconds = scenario.duration().as_us().div_ceil(1_000_000);
            let bar = all.add(ProgressBar::new(seconds.max(1)));
            bar.set_style(look(
                "  {prefix} {bar:20.green} {pos:>4} of {len} s  {wide_msg}",
            ));
            bar.set_prefix(format!("{:longest$}", scenario.name));
            bar.tick();
            ScenarioBar {
                bar,
                starts_s: scenario.starts_at.as_ms() / 1_000,
                steps: own_steps(plan, scenario),
                dropped: 0,
            }
        });
        let scenarios = scenarios.collect();
        let together = all.add(ProgressBar::new_spinner());
        together.set_style(look("  {wide_msg}"));
        Self {
            scenarios,
            together,
        }
    }

    /// Takes in what a second told, at whose end the scenarios had these numbers of users.
    pub(super) fn take(&mut self, window: &Window, users: &[u32]) {
        for (place, own) in (0..).zip(&mut self.scenarios) {
            let told = window.scenarios.get(&place);
            own.dropped += told.map_or(0, |told| told.dropped);
            let played_s = (u64::from(window.second) + 1).saturating_sub(own.starts_s);
            // Iterations may go on after the scenario's time.
            own.bar
                .set_position(played_s.min(own.bar.length().unwrap_or(played_s)));
            let users = users.get(usize::from(place)).copied().unwrap_or(0);
            let begun = told.map_or(0, |told| told.started);
            own.bar.set_message(own.message(window, users, begun));
        }
    }

    /// Tells what all scenarios do together.
    pub(super) fn tell(&self, message: String) {
        self.together.set_message(message);
    }

    /// Leaves the terminal as it was before.
    pub(super) fn clear(&self) {
        let own = self.scenarios.iter().map(|scenario| &scenario.bar);
        for bar in own.chain([&self.together]) {
            bar.finish_and_clear();
        }
    }
}

impl ScenarioBar {
    /// What matters most comes first: a narrow terminal cuts off the rest.
    fn message(&self, window: &Window, users: u32, begun: u64) -> String {
        let mut message = format!("{users} users, {begun}/s");
        let mut sum = StepWindow::default();
        let steps = self.steps.iter().filter_map(|step| window.steps.get(step));
        steps.for_each(|step| sum.merge(step));
        if let Some(us) = sum.response_us.percentile(0.95) {
            message += &format!(", p95 {:.1} ms", us / 1e3);
        }
        let (failed, ended) = (sum.failed(), sum.failed() + sum.succeeded);
        if ended > 0 {
            message += &format!(", {:.1} % errors", failed as f64 * 100.0 / ended as f64);
        }
        if self.dropped > 0 {
            message += &format!(", {} dropped", self.dropped);
        }
        message
    }
}

fn own_steps(plan: &Plan, scenario: &PlannedScenario) -> Vec<StepId> {
    let plays = |scenario: &PlannedScenario, place: u16| {
        let mut played = scenario.applications.iter();
        played.any(|(own, _)| *own == place)
    };
    let players = |place| plan.scenarios().iter().filter(move |own| plays(own, place));
    let places = scenario.applications.iter().map(|(place, _)| *place);
    if places.clone().any(|place| players(place).count() > 1) {
        return Vec::new();
    }
    let applications = places.filter_map(|place| plan.applications().get(usize::from(place)));
    let steps = applications.flat_map(|application| &application.steps);
    steps.map(|step| step.id).collect()
}

fn look(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("█▉▊▋▌▍▎▏ ")
}
