//! What one batch measured in one second of one phase: the unit that travels and is merged.
//!
//! Invariant: a window is bounded whatever the load. It holds sparse histograms and counters keyed by the
//! plan's steps, by the closed set of error classes and by at most [`COMPONENTS_MAX`] component names.

use serde::{Deserialize, Serialize};

use crate::check::CheckId;
use crate::error_class::ErrorClass;
use crate::histogram::SparseHistogram;
use crate::ledger::Ledger;
use crate::metric::MetricWindow;
use crate::monitor::PollCounts;
use crate::parts::PartTimes;
use crate::phase::Phase;
use crate::popularity::Popularity;
use crate::scenario::DurableObject;
use crate::socket::SessionWindow;
use crate::sorted::SortedMap;
use crate::stream::StreamWindow;

/// How many differently named components of the target a window keeps apart; further ones share the name
/// [`OTHER_COMPONENT`].
pub const COMPONENTS_MAX: usize = 32;

/// The name under which components beyond [`COMPONENTS_MAX`] are counted together.
pub const OTHER_COMPONENT: &str = "other";

/// The number of a step in the plan: steps are numbered through all applications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u16);

/// The measurements of one second, or of the part of it that lies in one phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// The second of the run, from 0.
    pub second: u32,
    /// The phase; a second in which the phase changes has a window for each.
    pub phase: Phase,
    /// Virtual users that were active when the window closed.
    pub active_users: u32,
    /// What was planned, started, sent and ended in this window.
    pub ledger: Ledger,
    /// Per scenario, by its place in the plan, only those with something to tell.
    #[serde(default)]
    pub scenarios: SortedMap<u16, ScenarioWindow>,
    /// Per step, only steps with something to tell.
    pub steps: SortedMap<StepId, StepWindow>,
    /// Per check, how often it passed and how often it failed; only checks with something to tell.
    #[serde(default, skip_serializing_if = "SortedMap::is_empty")]
    pub checks: SortedMap<CheckId, (u64, u64)>,
    /// Time that requests waited for one of the batch's connection slots, in microseconds.
    pub slot_wait_us: SparseHistogram,
    /// How late after its planned start each iteration and timed request began for reasons of the generator
    /// other than slots, in microseconds.
    pub lateness_us: SparseHistogram,
    /// What the target told about its insides through `Server-Timing`, by component name.
    pub components: SortedMap<String, ComponentWindow>,
    /// Per class, the Durable Objects that requests were sent to; empty unless the run is on the objects
    /// themselves.
    #[serde(default, skip_serializing_if = "SortedMap::is_empty")]
    pub objects: SortedMap<DurableObject, ObjectWindow>,
    /// Series of metrics that all of the above does not tell; see [`metering`](crate::metering).
    #[serde(default, skip_serializing_if = "MetricWindow::is_empty")]
    pub metrics: MetricWindow,
    /// How often the target was asked about itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub polls: PollCounts,
    /// Values for the scenario's own metrics that could not be recorded: no numbers, or below zero for a
    /// Counter.
    #[serde(default, skip_serializing_if = "is_default")]
    pub samples_refused: u64,
}

/// What the users of one scenario did in one window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ScenarioWindow {
    /// Iterations that were begun.
    pub started: u64,
    /// Iterations that were due when no user was free.
    pub dropped: u64,
    /// Iterations among the dropped ones for which no row of data was left.
    #[serde(skip_serializing_if = "is_default")]
    pub out_of_data: u64,
    /// How long finished iterations took from their planned start, in microseconds.
    pub iteration_us: SparseHistogram,
}

/// The measurements of one step in one window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct StepWindow {
    /// Requests sent.
    pub sent: u64,
    /// Requests that ended as the step expects.
    pub succeeded: u64,
    /// Requests that did not, by class.
    pub errors: SortedMap<ErrorClass, u64>,
    /// From the planned start to the end of the answer, in microseconds, of all answers and time-outs.
    pub response_us: SparseHistogram,
    /// From the actual sending to the end of the answer, in microseconds, of the same requests.
    pub service_us: SparseHistogram,
    /// The parts of the service times, where the driver tells them.
    #[serde(skip_serializing_if = "PartTimes::is_empty")]
    pub parts: PartTimes,
    /// Bytes of answer bodies, as they travelled.
    pub bytes_received: u64,
    /// Bytes of request bodies.
    pub bytes_sent: u64,
    /// Of a step whose answers are streams: what came of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<Box<StreamWindow>>,
    /// Of a step that opens WebSockets: what came of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<Box<SessionWindow>>,
    /// What of it requests came to that ended alike, where the driver asks for it. It neither travels nor adds up.
    #[serde(skip)]
    pub outcomes: SortedMap<Outcome, Self>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// The status of its answer, none without one.
    pub status: Option<u16>,
    /// What was wrong, none when it went as expected.
    pub class: Option<ErrorClass>,
}

/// The Durable Objects of one class that requests were sent to in one window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ObjectWindow {
    /// Their names.
    pub names: Popularity,
    /// From the sending to the end of the answer, in microseconds, of calls that woke their object.
    pub woken_us: SparseHistogram,
    /// The same, of calls that found their object in memory.
    pub warm_us: SparseHistogram,
}

/// What the target told about one of its components in one window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ComponentWindow {
    /// The kind of component.
    pub kind: ComponentKind,
    /// Calls to the component.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Time spent in the component, in microseconds.
    pub duration_us: SparseHistogram,
    /// Calls that had to wake the object.
    pub wakes: u64,
    /// Queries in these calls.
    pub queries: u64,
    /// Calls that were batched writes.
    pub batched_writes: u64,
    /// Rows read.
    pub rows_read: u64,
    /// Rows written.
    pub rows_written: u64,
    /// Read operations on storage.
    pub reads: u64,
    /// Write operations on storage.
    pub writes: u64,
    /// Bytes moved to or from storage.
    pub bytes: u64,
    /// Calls already in flight when each call started.
    pub queue: SparseHistogram,
}

/// The kinds of component that `Server-Timing` tells about (docs/telemetry.md).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ComponentKind {
    /// A Durable Object class.
    DurableObject,
    /// A D1 database.
    D1,
    /// R2 or KV.
    Storage,
    /// Anything else that reports a duration.
    #[default]
    Other,
}

impl Window {
    /// An empty window.
    #[must_use]
    pub fn new(second: u32, phase: Phase) -> Self {
        Self {
            second,
            phase,
            active_users: 0,
            ledger: Ledger::default(),
            scenarios: SortedMap::new(),
            steps: SortedMap::new(),
            checks: SortedMap::new(),
            slot_wait_us: SparseHistogram::default(),
            lateness_us: SparseHistogram::default(),
            components: SortedMap::new(),
            objects: SortedMap::new(),
            metrics: MetricWindow::default(),
            polls: PollCounts::default(),
            samples_refused: 0,
        }
    }

    /// Adds the measurements of another batch for the same second and phase: users and counts add up,
    /// histograms merge.
    pub fn merge(&mut self, other: &Self) {
        self.active_users = self.active_users.saturating_add(other.active_users);
        self.ledger += other.ledger;
        for (place, scenario) in &other.scenarios {
            self.scenarios.entry(*place).or_default().merge(scenario);
        }
        for (id, step) in &other.steps {
            self.steps.entry(*id).or_default().merge(step);
        }
        self.merge_checks(other);
        self.slot_wait_us.merge(&other.slot_wait_us);
        self.lateness_us.merge(&other.lateness_us);
        for (name, component) in &other.components {
            self.component_mut(name, component.kind).merge(component);
        }
        self.merge_objects(other);
        self.merge_metrics(other);
    }

    /// Adds the objects of another window. Their names are not bounded here: which of them are kept must not
    /// depend on who came first. Each batch keeps to the bound, and the totals do.
    pub fn merge_objects(&mut self, other: &Self) {
        for (class, object) in &other.objects {
            self.objects.entry(*class).or_default().merge(object);
        }
    }

    /// Adds the metrics and polls of another window. A metric of another kind, which no batch of the same plan records, is
    /// left out.
    pub fn merge_metrics(&mut self, other: &Self) {
        let merged = self.metrics.merge(&other.metrics);
        debug_assert!(merged.is_ok(), "kinds are checked when a frame comes in");
        self.polls.merge(&other.polls);
        self.samples_refused = self.samples_refused.saturating_add(other.samples_refused);
    }

    /// Adds the counts of another window's checks.
    pub fn merge_checks(&mut self, other: &Self) {
        for (id, (passed, failed)) in &other.checks {
            let counts = self.checks.entry(*id).or_default();
            *counts = (
                counts.0.saturating_add(*passed),
                counts.1.saturating_add(*failed),
            );
        }
    }

    /// Counts a check that passed or failed.
    pub fn count_check(&mut self, id: CheckId, passed: bool) {
        let (passes, fails) = self.checks.entry(id).or_default();
        *(if passed { passes } else { fails }) += 1;
    }

    /// The entry for the component `name`, the shared overflow entry when there are already too many.
    pub fn component_mut(&mut self, name: &str, kind: ComponentKind) -> &mut ComponentWindow {
        let fits = self.components.len() < COMPONENTS_MAX || self.components.contains_key(name);
        let key = if fits { name } else { OTHER_COMPONENT };
        let entry = self.components.entry(key.to_owned()).or_default();
        entry.kind = kind;
        entry
    }
}

/// Whether a field says nothing, so that it need not travel or be stored.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl ScenarioWindow {
    /// Adds the measurements of another window.
    pub fn merge(&mut self, other: &Self) {
        self.started += other.started;
        self.dropped += other.dropped;
        self.out_of_data += other.out_of_data;
        self.iteration_us.merge(&other.iteration_us);
    }
}

impl StepWindow {
    /// Adds the measurements of another window, but for its outcomes.
    pub fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.succeeded += other.succeeded;
        for (class, count) in &other.errors {
            *self.errors.entry(*class).or_insert(0) += count;
        }
        self.response_us.merge(&other.response_us);
        self.service_us.merge(&other.service_us);
        self.parts.merge(&other.parts);
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
        if let Some(stream) = &other.stream {
            self.stream.get_or_insert_default().merge(stream);
        }
        if let Some(socket) = &other.socket {
            self.socket.get_or_insert_default().merge(socket);
        }
    }

    /// Adds up what was recorded by outcome only.
    pub(crate) fn add_outcomes(&mut self) {
        let outcomes = std::mem::take(&mut self.outcomes);
        outcomes.values().for_each(|outcome| self.merge(outcome));
        self.outcomes = outcomes;
    }

    /// How many requests ended as errors of any class.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

impl ObjectWindow {
    /// Adds the measurements of another window.
    pub fn merge(&mut self, other: &Self) {
        self.names.add(&other.names);
        self.woken_us.merge(&other.woken_us);
        self.warm_us.merge(&other.warm_us);
    }
}

impl ComponentWindow {
    /// Adds the measurements of another window.
    pub fn merge(&mut self, other: &Self) {
        self.kind = other.kind;
        self.calls += other.calls;
        self.errors += other.errors;
        self.duration_us.merge(&other.duration_us);
        self.wakes += other.wakes;
        self.queries += other.queries;
        self.batched_writes += other.batched_writes;
        self.rows_read += other.rows_read;
        self.rows_written += other.rows_written;
        self.reads += other.reads;
        self.writes += other.writes;
        self.bytes += other.bytes;
        self.queue.merge(&other.queue);
    }
}
