//! What must hold of a run, judged second by second as they become final.
//!
//! Invariant: a second counts when it is published, which is when every share has told about it, and seconds
//! are published in order. So what is decided depends neither on how frames were delayed or reordered nor on
//! how often the coordinator came back: the state goes into every checkpoint.

use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::metering::{Derivation, timeline};
use crate::metric::{Amount, Contains, MetricId, MetricStore, StoreState, TagSet, Value};
use crate::monitor::Watch;
use crate::phase::Phase;
use crate::plan::Plan;
use crate::run::coverage::Coverage;
use crate::threshold::{AbortDecision, Judge, JudgeState, Outcome};
use crate::tick::Tick;
use crate::timeline::{Second, is_active};
use crate::window::is_default;

/// The metrics of a run, and the judge of its thresholds.
#[derive(Debug)]
pub(crate) struct Judging {
    derivation: Derivation,
    store: MetricStore,
    judge: Judge,
    own: OwnMetrics,
    told: Told,
    watch: Watch,
}

/// The metrics that only the run can know, as far as they are in the catalogue.
#[derive(Debug)]
struct OwnMetrics {
    vus: Option<MetricId>,
    vus_max: Option<MetricId>,
    lost_iterations: Option<MetricId>,
    coverage: Option<MetricId>,
}

/// What of the running sums has been told to the metrics already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Told {
    coverage: Coverage,
    lost: u64, // iterations
    samples_refused: u64,
}

/// Everything that the judging knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct JudgingState {
    metrics: StoreState,
    judge: JudgeState,
    told: Told,
    #[serde(default, skip_serializing_if = "is_default")]
    watch: Watch,
}

/// A second of the run that is final.
#[derive(Clone, Copy, Debug)]
pub(super) struct Final<'a> {
    pub(super) number: u32,
    pub(super) second: &'a Second,
    /// Its last phase.
    pub(super) phase: Phase,
    /// Of the run up to the end of this second.
    pub(super) coverage: Coverage,
    /// The ledger of all batches, as far as it is known.
    pub(super) ledger: Ledger,
}

impl Judging {
    pub(super) fn new(plan: &Plan) -> Self {
        let metering = plan.metering();
        let catalog = metering.catalog();
        Self {
            derivation: Derivation::new(plan),
            store: MetricStore::new(catalog.clone(), &metering.queries()),
            judge: Judge::new(metering.thresholds(), timeline(plan)),
            own: OwnMetrics {
                vus: catalog.id("vus"),
                vus_max: catalog.id("vus_max"),
                lost_iterations: catalog.id("lost_iterations"),
                coverage: catalog.id("coverage"),
            },
            told: Told::default(),
            watch: Watch::default(),
        }
    }

    /// The judging of a run that comes back.
    pub(super) fn restored(plan: &Plan, state: JudgingState) -> Self {
        let metering = plan.metering();
        let catalog = metering.catalog().clone();
        let new = Self::new(plan);
        Self {
            store: MetricStore::restore(catalog, &metering.queries(), state.metrics),
            judge: new.judge.restored(state.judge),
            told: state.told,
            watch: state.watch,
            ..new
        }
    }

    pub(super) fn state(&self) -> JudgingState {
        JudgingState {
            metrics: self.store.state(),
            judge: self.judge.state(),
            told: self.told,
            watch: self.watch.clone(),
        }
    }

    /// Takes in a second that is final.
    pub(super) fn add(&mut self, plan: &Plan, of: Final<'_>) {
        self.add_windows(plan, of.number, of.second);
        let at = Tick::from_second(of.number);
        let users = of.second.active_users_in(of.phase);
        for (metric, users) in [(self.own.vus, users), (self.own.vus_max, plan.users_max())] {
            if let Some(metric) = metric {
                let amount = Contains::Default.whole(users.into());
                self.store.record(of.phase, metric, at, amount);
            }
        }
        let lost = of.ledger.lost.saturating_sub(self.told.lost);
        self.told.lost = of.ledger.lost;
        if let Some(metric) = self.own.lost_iterations.filter(|_| lost > 0) {
            let amount: Amount = Contains::Default.whole(lost);
            self.store.record(of.phase, metric, at, amount);
        }
        self.add_coverage(of.number, of.phase, of.coverage);
    }

    /// Takes in measurements that came for a second that had been final.
    pub(super) fn add_windows(&mut self, plan: &Plan, number: u32, second: &Second) {
        for (phase, window) in second.windows() {
            if is_active(window) {
                self.store.note_activity(number);
            }
            let store = &mut self.store;
            self.derivation.derive(
                window,
                |metric, tags| plan.metering().reduce(metric, tags),
                |metric, tags, value| store.record_value(number, *phase, metric, tags, &value),
            );
            if let Some(monitoring) = &plan.monitoring {
                let grown = self.watch.add(monitoring, &window.polls, &window.metrics);
                for (metric, amount) in grown {
                    store.record(*phase, metric, Tick::from_second(number), amount);
                }
            }
            let merged = self.store.merge(number, *phase, &window.metrics);
            debug_assert!(merged.is_ok(), "metrics are checked when a frame comes in");
            self.told.samples_refused = self
                .told
                .samples_refused
                .saturating_add(window.samples_refused);
        }
    }

    /// Takes in what has become known of the coverage by the end of this second.
    pub(super) fn add_coverage(&mut self, number: u32, phase: Phase, coverage: Coverage) {
        let more = coverage.since(self.told.coverage);
        self.told.coverage = coverage;
        if let (Some(metric), Some(rate)) = (self.own.coverage, more.rate()) {
            let value = Value::Rate(rate);
            self.store
                .record_value(number, phase, metric, &TagSet::new(), &value);
        }
    }

    /// Judges what is due now that everything before `closed` is final. Answers once, when the run must be
    /// aborted.
    pub(super) fn advance(&mut self, closed: Tick) -> Option<AbortDecision> {
        self.judge.advance(closed, &mut self.store)
    }

    /// Everything has been merged.
    pub(super) fn finish(&mut self, ended: Tick) {
        self.judge.finish(ended, &mut self.store);
    }

    /// What becomes of the thresholds as far as it is known, in their order.
    pub(crate) fn outcomes(&self, now: Tick) -> Vec<Outcome> {
        self.judge.outcomes(now, &self.store)
    }

    /// The decision to abort the run, if it was made.
    pub(crate) const fn abort(&self) -> Option<AbortDecision> {
        self.judge.abort()
    }

    /// The merged metrics.
    pub(crate) const fn store(&self) -> &MetricStore {
        &self.store
    }

    /// What the target told about itself.
    pub(crate) const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Which part of the run was measured, as far as it was told.
    pub(crate) const fn coverage(&self) -> Coverage {
        self.told.coverage
    }

    /// How many values for the scenario's own metrics could not be recorded.
    pub(crate) const fn samples_refused(&self) -> u64 {
        self.told.samples_refused
    }
}
