//! What a run measured, added up.
//!
//! Each number is kept once, per phase and step; phases, applications, steps and the whole run are sums of
//! these, made when they are asked for, so that no two views of a run can disagree. Invariant: percentiles
//! come from merged histograms, never from other percentiles. Memory is bounded by the plan's steps, the
//! closed set of error classes and [`COMPONENTS_MAX`] component names.

use serde::{Deserialize, Serialize};

use crate::check::CheckId;
use crate::error_class::ErrorClass;
use crate::histogram::Histogram;
use crate::histogram::SparseHistogram;
use crate::parts::PartTimes;
use crate::phase::Phase;
use crate::scenario::DurableObject;
use crate::socket::SessionWindow;
use crate::sorted::SortedMap;
use crate::stream::StreamWindow;
use crate::timeline::Second;
use crate::window::{
    COMPONENTS_MAX, ComponentKind, ComponentWindow, OTHER_COMPONENT, ObjectWindow, ScenarioWindow,
    StepId, StepWindow,
};

/// The sums of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Totals {
    phases: SortedMap<Phase, PhaseTotals>,
    components: SortedMap<String, ComponentWindow>,
    scenarios: SortedMap<u16, ScenarioWindow>,
    checks: SortedMap<CheckId, (u64, u64)>,
    #[serde(default, skip_serializing_if = "SortedMap::is_empty")]
    objects: SortedMap<DurableObject, ObjectWindow>,
    slot_wait_us: SparseHistogram,
    lateness_us: SparseHistogram,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PhaseTotals {
    users_max: u32,
    steps: SortedMap<StepId, StepWindow>,
}

impl Totals {
    /// Adds one second of the run.
    pub fn add(&mut self, second: &Second) {
        for (phase, window) in second.windows() {
            let totals = self.phases.entry(*phase).or_default();
            totals.users_max = totals.users_max.max(second.active_users_in(*phase));
            for (id, step) in &window.steps {
                totals.steps.entry(*id).or_default().merge(step);
            }
            for (place, scenario) in &window.scenarios {
                self.scenarios.entry(*place).or_default().merge(scenario);
            }
            for (id, (passed, failed)) in &window.checks {
                let counts = self.checks.entry(*id).or_default();
                counts.0 = counts.0.saturating_add(*passed);
                counts.1 = counts.1.saturating_add(*failed);
            }
            for (class, object) in &window.objects {
                let sum = self.objects.entry(*class).or_default();
                sum.merge(object);
                sum.names.shrink();
            }
            self.slot_wait_us.merge(&window.slot_wait_us);
            self.lateness_us.merge(&window.lateness_us);
            for (name, component) in &window.components {
                let fits =
                    self.components.len() < COMPONENTS_MAX || self.components.contains_key(name);
                let key = if fits { name.as_str() } else { OTHER_COMPONENT };
                let total = self.components.entry(key.to_owned()).or_default();
                total.merge(component);
                if !fits {
                    total.kind = ComponentKind::Other; // of several kinds, so of none
                }
            }
        }
    }

    /// The whole run.
    #[must_use]
    pub fn overall(&self) -> Aggregate {
        Aggregate::of(self.phases.values().flat_map(|phase| phase.steps.values()))
    }

    /// One phase.
    #[must_use]
    pub fn phase(&self, phase: Phase) -> Aggregate {
        Aggregate::of(
            self.phases
                .get(&phase)
                .into_iter()
                .flat_map(|phase| phase.steps.values()),
        )
    }

    /// The steps for which `belongs` holds, over all phases.
    #[must_use]
    pub fn steps(&self, belongs: impl Fn(StepId) -> bool) -> Aggregate {
        Aggregate::of(
            self.phases
                .values()
                .flat_map(|phase| &phase.steps)
                .filter(|(id, _)| belongs(**id))
                .map(|(_, step)| step),
        )
    }

    /// The highest number of users that were active at the end of a second of the phase.
    #[must_use]
    pub fn users_max(&self, phase: Phase) -> u32 {
        self.phases.get(&phase).map_or(0, |phase| phase.users_max)
    }

    /// One scenario, by its place in the plan; `None` when none of its iterations was due.
    #[must_use]
    pub fn scenario(&self, place: u16) -> Option<&ScenarioWindow> {
        self.scenarios.get(&place)
    }

    /// How often a check passed and how often it failed.
    #[must_use]
    pub fn check(&self, id: CheckId) -> (u64, u64) {
        self.checks.get(&id).copied().unwrap_or_default()
    }

    /// What the target told about its components, by name.
    #[must_use]
    pub const fn components(&self) -> &SortedMap<String, ComponentWindow> {
        &self.components
    }

    /// The Durable Objects that requests were sent to, by class.
    #[must_use]
    pub const fn objects(&self) -> &SortedMap<DurableObject, ObjectWindow> {
        &self.objects
    }

    /// How long requests waited for a connection slot of their batch, in microseconds.
    #[must_use]
    pub fn slot_wait_us(&self) -> Histogram {
        dense([&self.slot_wait_us])
    }

    /// How late iterations and timed requests began for reasons of the generator, in microseconds.
    #[must_use]
    pub fn lateness_us(&self) -> Histogram {
        dense([&self.lateness_us])
    }

    /// Calls that had to wake a Durable Object as a fraction of all calls, `None` without calls.
    #[must_use]
    pub fn do_wake_rate(&self) -> Option<f64> {
        let (mut calls, mut wakes) = (0_u64, 0_u64);
        for component in self.of_kind(ComponentKind::DurableObject) {
            calls += component.calls;
            wakes += component.wakes;
        }
        (calls > 0).then(|| wakes as f64 / calls as f64)
    }

    /// The 95th percentile of D1's queue as the target reported it, `None` when it did not.
    #[must_use]
    pub fn d1_queue_depth(&self) -> Option<f64> {
        let queue = dense(self.of_kind(ComponentKind::D1).map(|d1| &d1.queue));
        queue.percentile(0.95)
    }

    fn of_kind(&self, kind: ComponentKind) -> impl Iterator<Item = &ComponentWindow> {
        self.components
            .values()
            .filter(move |component| component.kind == kind)
    }
}

/// The sum of some steps.
#[derive(Clone, Debug, Default)]
pub struct Aggregate {
    /// Requests sent.
    pub sent: u64,
    /// Requests that ended as their step expects.
    pub succeeded: u64,
    /// Requests that did not, by class.
    pub errors: SortedMap<ErrorClass, u64>,
    /// From the planned start to the end of the answer, in microseconds.
    pub response_us: Histogram,
    /// From the sending to the end of the answer, in microseconds.
    pub service_us: Histogram,
    /// The parts of the service times, where the driver told them.
    pub parts: PartTimes,
    /// Bytes of answer bodies.
    pub bytes_received: u64,
    /// Bytes of request bodies.
    pub bytes_sent: u64,
    /// What came of their streams.
    pub stream: Option<StreamWindow>,
    /// What came of their WebSockets.
    pub socket: Option<SessionWindow>,
}

impl Aggregate {
    /// Adds some steps up.
    pub fn of<'a>(steps: impl Iterator<Item = &'a StepWindow>) -> Self {
        let mut sum = Self::default();
        for step in steps {
            sum.sent += step.sent;
            sum.succeeded += step.succeeded;
            for (class, count) in &step.errors {
                *sum.errors.entry(*class).or_insert(0) += count;
            }
            sum.response_us.merge(&step.response_us);
            sum.service_us.merge(&step.service_us);
            sum.parts.merge(&step.parts);
            sum.bytes_received += step.bytes_received;
            sum.bytes_sent += step.bytes_sent;
            if let Some(stream) = &step.stream {
                sum.stream.get_or_insert_default().merge(stream);
            }
            if let Some(socket) = &step.socket {
                sum.socket.get_or_insert_default().merge(socket);
            }
        }
        sum
    }

    /// Requests that did not end as their step expects, for whatever reason.
    #[must_use]
    pub fn errors_total(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Requests that the target failed: all errors but those that the generator cut off itself.
    #[must_use]
    pub fn failed(&self) -> u64 {
        failed(&self.errors)
    }

    /// Errors that are not the target's but Cloudflare's, by class.
    #[must_use]
    pub fn platform_errors(&self) -> SortedMap<ErrorClass, u64> {
        let errors = self.errors.iter().map(|(class, count)| (*class, *count));
        SortedMap::from_iter(errors.filter(|(class, _)| class.is_of_platform()))
    }

    /// Requests that came to an end of their own, well or badly.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.succeeded + self.failed()
    }

    /// Failed requests as a fraction of finished ones, `None` when none finished.
    #[must_use]
    pub fn error_rate(&self) -> Option<f64> {
        let finished = self.finished();
        (finished > 0).then(|| self.failed() as f64 / finished as f64)
    }
}

/// Requests that the target failed, out of errors by class: those that the generator gave up itself say
/// nothing about the target.
#[must_use]
pub fn failed(errors: &SortedMap<ErrorClass, u64>) -> u64 {
    errors
        .iter()
        .filter(|(class, _)| **class != ErrorClass::CutOff)
        .map(|(_, count)| count)
        .sum()
}

/// Percentiles in milliseconds by k6's rule (the spec's `LatencyPercentiles`), `None` where nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LatencyPercentiles {
    /// The median.
    #[serde(default)]
    pub p50: Option<f64>,
    /// The 75th percentile.
    #[serde(default)]
    pub p75: Option<f64>,
    /// The 90th percentile.
    #[serde(default)]
    pub p90: Option<f64>,
    /// The 95th percentile.
    #[serde(default)]
    pub p95: Option<f64>,
    /// The 99th percentile.
    #[serde(default)]
    pub p99: Option<f64>,
    /// The largest value.
    #[serde(default)]
    pub max: Option<f64>,
}

impl LatencyPercentiles {
    /// The percentiles of a histogram of microseconds.
    #[must_use]
    pub fn of(histogram_us: &Histogram) -> Self {
        Self::at(|fraction| histogram_us.percentile(fraction))
    }

    /// The percentiles of a sparse histogram of microseconds.
    #[must_use]
    pub fn of_sparse(histogram_us: &SparseHistogram) -> Self {
        Self::at(|fraction| histogram_us.percentile(fraction))
    }

    fn at(percentile_us: impl Fn(f64) -> Option<f64>) -> Self {
        let at = |fraction| percentile_us(fraction).map(|us| us / 1_000.0);
        Self {
            p50: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            max: at(1.0),
        }
    }
}

/// A percentile of a histogram of microseconds, from a fraction of 0 to 1, in milliseconds: by k6's rule, as
/// thresholds are judged, so that no verdict contradicts what is told.
#[must_use]
pub fn quantile_ms(histogram_us: &Histogram, fraction: f64) -> Option<f64> {
    histogram_us.percentile(fraction).map(|us| us / 1_000.0)
}

/// The mean of a histogram of microseconds, in milliseconds.
#[must_use]
pub fn mean_ms(histogram_us: &Histogram) -> Option<f64> {
    histogram_us.mean().map(|us| us / 1_000.0)
}

/// The histograms' sum, ready to be asked.
pub fn dense<'a>(histograms: impl IntoIterator<Item = &'a SparseHistogram>) -> Histogram {
    let mut sum = Histogram::new();
    for histogram in histograms {
        sum.merge(histogram);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Window;

    fn step(succeeded: u64, errors: &[(ErrorClass, u64)], response_us: &[u64]) -> StepWindow {
        let mut step = StepWindow {
            sent: succeeded + errors.iter().map(|(_, n)| n).sum::<u64>(),
            succeeded,
            errors: errors.iter().copied().collect(),
            ..StepWindow::default()
        };
        for us in response_us {
            step.response_us.record(*us);
        }
        step
    }

    fn second(windows: &[(Phase, u16, StepWindow)]) -> Second {
        let mut second = Second::default();
        for (phase, id, step) in windows {
            let mut window = Window::new(0, *phase);
            window.steps.insert(StepId(*id), step.clone());
            second.add(&window);
            second.set_users(0, window.phase, window.active_users);
        }
        second
    }

    #[test]
    fn every_view_is_a_sum_of_the_same_numbers() {
        let mut totals = Totals::default();
        totals.add(&second(&[(Phase::RampUp, 0, step(3, &[], &[1_000]))]));
        totals.add(&second(&[
            (Phase::RampUp, 1, step(2, &[(ErrorClass::Timeout, 1)], &[])),
            (
                Phase::Peak,
                0,
                step(5, &[(ErrorClass::Status(500), 4)], &[]),
            ),
        ]));
        assert_eq!(totals.overall().sent, 15);
        assert_eq!(totals.phase(Phase::RampUp).sent, 6);
        assert_eq!(totals.phase(Phase::Peak).error_rate(), Some(4.0 / 9.0));
        assert_eq!(totals.phase(Phase::SteadyState).error_rate(), None);
        assert_eq!(totals.steps(|id| id == StepId(0)).sent, 12);
        assert_eq!(totals.overall().errors_total(), 5);
    }

    #[test]
    fn what_the_generator_cut_off_is_no_failure_of_the_target() {
        let aggregate = Aggregate::of([step(1, &[(ErrorClass::CutOff, 3)], &[])].iter());
        assert_eq!((aggregate.sent, aggregate.finished()), (4, 1));
        assert_eq!(aggregate.error_rate(), Some(0.0));
    }

    #[test]
    fn percentiles_come_from_all_values_together() {
        let slow = step(1, &[], &[900_000]);
        let fast = step(199, &[], &[1_000; 199]);
        let aggregate = Aggregate::of([slow, fast].iter());
        let percentiles = LatencyPercentiles::of(&aggregate.response_us);
        assert_eq!(percentiles.p99, Some(1.0));
        assert!(percentiles.max.is_some_and(|max| (max - 900.0).abs() < 1.0));
    }

    #[test]
    fn component_names_are_bounded() {
        let mut totals = Totals::default();
        for i in 0..COMPONENTS_MAX * 2 {
            let mut window = Window::new(0, Phase::Peak);
            window
                .component_mut(&format!("c{i}"), ComponentKind::Other)
                .calls = 1;
            let mut second = Second::default();
            second.add(&window);
            second.set_users(0, window.phase, window.active_users);
            totals.add(&second);
        }
        assert_eq!(totals.components().len(), COMPONENTS_MAX + 1);
        let calls: u64 = totals.components().values().map(|c| c.calls).sum();
        assert_eq!(calls, COMPONENTS_MAX as u64 * 2);
    }

    #[test]
    fn rates_without_data_are_unknown() {
        let mut totals = Totals::default();
        assert_eq!(
            (totals.do_wake_rate(), totals.d1_queue_depth()),
            (None, None)
        );
        let mut window = Window::new(0, Phase::Peak);
        let object = window.component_mut("SessionDO", ComponentKind::DurableObject);
        (object.calls, object.wakes) = (8, 2);
        window
            .component_mut("D1", ComponentKind::D1)
            .queue
            .record_n(7, 10);
        let mut second = Second::default();
        second.add(&window);
        second.set_users(0, window.phase, window.active_users);
        totals.add(&second);
        assert_eq!(
            (totals.do_wake_rate(), totals.d1_queue_depth()),
            (Some(0.25), Some(7.0))
        );
    }
}
