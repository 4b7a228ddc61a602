//! What all batches together tell about one second.

use serde::{Deserialize, Serialize};

use crate::histogram::SparseHistogram;
use crate::ledger::Ledger;
use crate::phase::{Phase, PhaseSpan, phase_at};
use crate::sorted::SortedMap;
use crate::tick::{Span, Tick};
use crate::timeline::history::{Point, Sums};
use crate::totals::LatencyPercentiles;
use crate::window::Window;

/// What the batches told about one second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Second {
    windows: SortedMap<Phase, Window>,
    users: SortedMap<Phase, SortedMap<u32, u32>>, // by batch: the latest window of a batch counts
}

impl Second {
    /// Takes note of how many users of a batch are active in a phase: what is said last counts.
    pub fn set_users(&mut self, batch: u32, phase: Phase, users: u32) {
        self.users.entry(phase).or_default().insert(batch, users);
    }

    /// Adds the measurements of one batch, or of several together.
    pub fn add(&mut self, window: &Window) {
        let sum = self
            .windows
            .entry(window.phase)
            .or_insert_with(|| Window::new(window.second, window.phase));
        sum.ledger += window.ledger;
        for (place, scenario) in &window.scenarios {
            sum.scenarios.entry(*place).or_default().merge(scenario);
        }
        for (id, step) in &window.steps {
            sum.steps.entry(*id).or_default().merge(step);
        }
        sum.merge_checks(window);
        sum.slot_wait_us.merge(&window.slot_wait_us);
        sum.lateness_us.merge(&window.lateness_us);
        sum.merge_objects(window);
        sum.merge_metrics(window);
        // No bound on the names here: which of them are kept apart must not depend on who came first. Each
        // batch keeps to its own bound, and the totals to theirs.
        for (name, component) in &window.components {
            let entry = sum.components.entry(name.clone()).or_default();
            entry.merge(component);
        }
    }

    /// The merged windows, in the order of their phases.
    pub(crate) fn into_windows(self) -> impl Iterator<Item = Window> {
        self.windows.into_values()
    }

    /// The merged windows, by phase.
    pub fn windows(&self) -> impl Iterator<Item = (&Phase, &Window)> {
        self.windows.iter()
    }

    /// Users of all batches that were active at the end of the second's part in this phase.
    #[must_use]
    pub fn active_users_in(&self, phase: Phase) -> u32 {
        self.users.get(&phase).map_or(0, |users| {
            users.values().fold(0, |sum, n| sum.saturating_add(*n))
        })
    }

    /// What is remembered of this second.
    #[must_use]
    pub fn to_point(&self, second: u32, phases: &[PhaseSpan]) -> Point {
        let phase = self.last_phase(second, phases);
        let mut response_us = SparseHistogram::default();
        self.merge_responses_into(&mut response_us);
        Point {
            second,
            seconds: 1,
            phase,
            active_users: self.active_users_in(phase),
            latency: LatencyPercentiles::of_sparse(&response_us),
            sums: Sums::of(self.windows.values()),
        }
    }

    /// Adds the response times of all requests of this second.
    pub(super) fn merge_responses_into(&self, response_us: &mut SparseHistogram) {
        for window in self.windows.values() {
            for step in window.steps.values() {
                response_us.merge(&step.response_us);
            }
        }
    }

    /// Of the phases that were told about, the one that comes last in the plan.
    fn last_phase(&self, second: u32, phases: &[PhaseSpan]) -> Phase {
        let end = Tick::from_second(second.saturating_add(1)) - Span::from_us(1);
        let planned = phase_at(phases, end);
        let place = |phase: Phase| {
            let found = phases.iter().rposition(|span| span.phase == phase);
            found.unwrap_or(usize::MAX)
        };
        if self.windows.is_empty() || self.windows.contains_key(&planned) {
            return planned;
        }
        let told = self.windows.keys().copied();
        told.max_by_key(|phase| place(*phase)).unwrap_or(planned)
    }
}

/// Whether anything happened in a window, beyond users being there.
#[must_use]
pub fn is_active(window: &Window) -> bool {
    window.ledger != Ledger::default() || !window.steps.is_empty()
}
