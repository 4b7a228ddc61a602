//! From windows to metrics: what the run knows without any series.

use super::builtin::{BuiltIn, COMPONENT, Event, Measure, built_in};
use super::tags::{scenario_tags, scenarios_of, with_check, with_outcome, with_step};
use crate::check::CheckId;
use crate::error_class::ErrorClass;
use crate::histogram::SparseHistogram;
use crate::metric::{Catalog, Contains, MetricId, Rate, TagSet, Trend, Value};
use crate::parts::Part;
use crate::plan::Plan;
use crate::socket::SessionWindow;
use crate::sorted::SortedMap;
use crate::stream::StreamWindow;
use crate::totals;
use crate::window::{ComponentKind, ComponentWindow, ScenarioWindow, StepId, StepWindow, Window};

/// The metrics of a plan that are derived, with the tags of their series.
#[derive(Clone, Debug)]
pub(crate) struct Derivation {
    steps: Vec<Derived<StepId>>,
    checks: Vec<Derived<CheckId>>,
    scenarios: Vec<Derived<u16>>,
    wholes: Vec<(MetricId, Event, Measure)>,
    components: Vec<(MetricId, Told)>,
    by_outcome: bool, // where windows tell it
}

/// A metric that each step or scenario feeds.
#[derive(Clone, Debug)]
struct Derived<K> {
    metric: MetricId,
    event: Event,
    measure: Measure,
    tags: SortedMap<K, TagSet>,
}

/// What the target tells.
#[derive(Clone, Copy, Debug)]
enum Told {
    Wakes,
    Queue,
    Duration(ComponentKind),
}

/// Takes a sample of a derived metric.
pub(crate) trait Take: FnMut(MetricId, &TagSet, Value) {}
impl<F: FnMut(MetricId, &TagSet, Value)> Take for F {}

impl Derivation {
    /// What a plan's thresholds ask for.
    pub(crate) fn new(plan: &Plan) -> Self {
        let metering = plan.metering();
        let built_in = metering.built_in();
        let derived = built_in.filter(|(metric, _)| !metering.is_recorded(*metric));
        let reduce = |metric, tags: &TagSet| metering.reduce(metric, tags);
        let told = told_by_target(metering.catalog(), |metric| metering.is_wanted(metric));
        Self::of(plan, derived, told, reduce)
    }

    /// Everything that windows tell, with all tags.
    pub(super) fn of_everything(plan: &Plan) -> Self {
        let catalog = plan.metering().catalog();
        let told = told_by_target(catalog, |_| true);
        Self {
            by_outcome: true,
            ..Self::of(plan, built_in(catalog), told, |_, tags| tags.clone())
        }
    }

    fn of(
        plan: &Plan,
        derived: impl Iterator<Item = (MetricId, &'static BuiltIn)>,
        components: Vec<(MetricId, Told)>,
        reduce: impl Fn(MetricId, &TagSet) -> TagSet,
    ) -> Self {
        let mut derivation = Self {
            steps: Vec::new(),
            checks: Vec::new(),
            scenarios: Vec::new(),
            wholes: Vec::new(),
            components,
            by_outcome: false,
        };
        for (metric, built_in) in derived {
            let (event, measure) = (built_in.event, built_in.measure);
            if event == Event::Checked {
                derivation.checks.push(Derived {
                    metric,
                    event,
                    measure,
                    tags: check_tags(plan, |tags| reduce(metric, tags)),
                });
            } else if !built_in.told.is_empty() {
                let tags = step_tags(plan, |tags| reduce(metric, tags));
                derivation.steps.push(Derived {
                    metric,
                    event,
                    measure,
                    tags,
                });
            } else if built_in.by_scenario {
                let scenarios = (0..).zip(&plan.scenarios);
                let tags = scenarios
                    .map(|(place, scenario)| (place, reduce(metric, &scenario_tags(scenario))));
                derivation.scenarios.push(Derived {
                    metric,
                    event,
                    measure,
                    tags: SortedMap::from_iter(tags),
                });
            } else {
                derivation.wholes.push((metric, event, measure));
            }
        }
        derivation
    }

    /// Takes what a window tells; `reduce` leaves of the tags of the target's components what is asked for.
    pub(crate) fn derive(
        &self,
        window: &Window,
        reduce: impl Fn(MetricId, &TagSet) -> TagSet,
        mut take: impl Take,
    ) {
        for derived in &self.steps {
            for (id, step) in &window.steps {
                let Some(tags) = derived.tags.get(id) else {
                    continue;
                };
                let of = |step| of_step(derived.event, derived.measure, step);
                if self.by_outcome && derived.event == Event::Ended && !step.outcomes.is_empty() {
                    for (outcome, step) in &step.outcomes {
                        let tags = with_outcome(tags.clone(), *outcome);
                        of(step)
                            .into_iter()
                            .for_each(|value| take(derived.metric, &tags, value));
                    }
                } else if let Some(value) = of(step) {
                    take(derived.metric, tags, value);
                }
            }
        }
        for derived in &self.checks {
            for (id, (passed, failed)) in &window.checks {
                let value = rate(*passed, passed.saturating_add(*failed));
                if let (Some(tags), Some(value)) = (derived.tags.get(id), value) {
                    take(derived.metric, tags, value);
                }
            }
        }
        for derived in &self.scenarios {
            for (place, scenario) in &window.scenarios {
                let value = of_scenario(derived.event, derived.measure, scenario);
                if let (Some(tags), Some(value)) = (derived.tags.get(place), value) {
                    take(derived.metric, tags, value);
                }
            }
        }
        for (metric, event, measure) in &self.wholes {
            if let Some(value) = of_whole(*event, *measure, window) {
                take(*metric, &TagSet::new(), value);
            }
        }
        for (metric, told) in &self.components {
            for (name, component) in &window.components {
                if let Some(value) = of_component(*told, component) {
                    let tags = TagSet::new().with(COMPONENT, name);
                    take(*metric, &reduce(*metric, &tags), value);
                }
            }
        }
    }
}

fn step_tags(plan: &Plan, reduce: impl Fn(&TagSet) -> TagSet) -> SortedMap<StepId, TagSet> {
    let steps = plan.applications.iter().flat_map(|app| &app.steps);
    let tags = steps.map(|step| {
        let tags = whole_tags(plan, step.id);
        (step.id, reduce(&tags))
    });
    SortedMap::from_iter(tags)
}

fn check_tags(plan: &Plan, reduce: impl Fn(&TagSet) -> TagSet) -> SortedMap<CheckId, TagSet> {
    let tags = plan.checks().map(|(_, step, check)| {
        let tags = with_check(whole_tags(plan, step.id), plan, check.id);
        (check.id, reduce(&tags))
    });
    SortedMap::from_iter(tags)
}

/// The tags of a step, with its scenario where it belongs to one only.
fn whole_tags(plan: &Plan, step: StepId) -> TagSet {
    let scenario = match scenarios_of(plan, step).as_slice() {
        [only] => plan.scenarios.get(usize::from(*only)),
        _ => None,
    };
    let tags = scenario.map(scenario_tags).unwrap_or_default();
    with_step(tags, plan, step)
}

fn of_step(event: Event, measure: Measure, step: &StepWindow) -> Option<Value> {
    let failed = totals::failed(&step.errors);
    let ended = step.succeeded + failed;
    match (event, measure) {
        (Event::Ended, Measure::Count) => count(ended),
        (Event::Ended, Measure::Failed) => rate(failed, ended),
        (Event::Ended, Measure::Service) => trend(Trend::of_buckets(&step.service_us)),
        (Event::Ended, Measure::Response) => trend(Trend::of_buckets(&step.response_us)),
        (Event::Ended, Measure::Part(part)) => {
            // A driver that cannot tell the parts apart knows the whole.
            let whole = (part == Part::Exchange).then_some(&step.service_us);
            let times = step.parts.get(part).or(whole)?;
            trend(Trend::of_buckets(times))
        }
        (Event::Ended, Measure::Bytes) => bytes(step.bytes_received),
        (Event::Sent, Measure::Bytes) => bytes(step.bytes_sent),
        (Event::CutOff, Measure::Count) => {
            count(step.errors.get(&ErrorClass::CutOff).copied().unwrap_or(0))
        }
        _ => {
            let stream = step.stream.as_deref();
            let socket = step.socket.as_deref();
            let of_stream = stream.and_then(|stream| of_stream(event, measure, stream));
            of_stream.or_else(|| of_socket(event, measure, socket?))
        }
    }
}

fn of_socket(event: Event, measure: Measure, socket: &SessionWindow) -> Option<Value> {
    let times = |times| trend(Trend::of_buckets(times));
    let messages = || socket.messages.values();
    match (event, measure) {
        (Event::SocketOpened, Measure::Count) => count(socket.opened),
        (Event::SocketOpened, Measure::Service) => times(&socket.connecting_us),
        (Event::SocketEnded, Measure::Service) => times(&socket.duration_us),
        (Event::SocketEnded, Measure::Failed) => rate(socket.faulty, socket.judged),
        (Event::MessageSent, Measure::Count) => count(socket.sent),
        (Event::MessageReceived, Measure::Count) => count(socket.received),
        (Event::MessageTimedOut, Measure::Count) => {
            count(messages().map(|message| message.timed_out).sum())
        }
        (Event::MessageCutOff, Measure::Count) => {
            count(messages().map(|message| message.cut_off).sum())
        }
        (Event::MessageAnswered, Measure::Service) => {
            let mut all = SparseHistogram::default();
            messages().for_each(|message| all.merge(&message.rtt_us));
            times(&all)
        }
        (Event::MessageCame, Measure::Service) => {
            let mut all = SparseHistogram::default();
            messages().for_each(|message| all.merge(&message.wait_us));
            times(&all)
        }
        (Event::Pong, Measure::Service) => times(&socket.ping_us),
        _ => None,
    }
}

fn of_stream(event: Event, measure: Measure, stream: &StreamWindow) -> Option<Value> {
    let times = |times| trend(Trend::of_buckets(times));
    match (event, measure) {
        (Event::StreamEnded, Measure::Count) => count(stream.streams()),
        (Event::StreamEnded, Measure::Service) => times(&stream.duration_us),
        (Event::StreamEnded, Measure::EventRate) => times(&stream.event_rate),
        (Event::StreamEnded, Measure::TokenRate) => times(&stream.token_rate),
        (Event::StreamResumed, Measure::Count) => count(stream.resumed),
        (Event::StreamBegan, Measure::Service) => times(&stream.headers_us),
        (Event::StreamItem, Measure::Count) => count(stream.events),
        (Event::StreamItem, Measure::FirstEvent) => times(&stream.first_event_us),
        (Event::StreamItem, Measure::Gap) => times(&stream.gap_us),
        (Event::StreamItem, Measure::Stalls) => count(stream.stalls),
        (Event::StreamItem, Measure::Tokens) => count(stream.tokens),
        (Event::StreamItem, Measure::FirstToken) => times(&stream.first_token_us),
        _ => None,
    }
}

fn of_scenario(event: Event, measure: Measure, scenario: &ScenarioWindow) -> Option<Value> {
    match (event, measure) {
        (Event::Finished, Measure::Count) => count(scenario.iteration_us.count()),
        (Event::Finished, Measure::Response) => trend(Trend::of_buckets(&scenario.iteration_us)),
        (Event::Dropped, Measure::Count) => count(scenario.dropped),
        _ => None,
    }
}

fn of_whole(event: Event, measure: Measure, window: &Window) -> Option<Value> {
    match (event, measure) {
        (Event::Sent, Measure::Wait) => trend(Trend::of_buckets(&window.slot_wait_us)),
        (Event::Late, Measure::Wait) => trend(Trend::of_buckets(&window.lateness_us)),
        (Event::Interrupted, Measure::Count) => count(window.ledger.interrupted),
        _ => None,
    }
}

/// What the target tells through `Server-Timing`, as far as it is asked for.
fn told_by_target(
    catalog: &Catalog,
    is_wanted: impl Fn(MetricId) -> bool,
) -> Vec<(MetricId, Told)> {
    let all = [
        ("do_wake_rate", Told::Wakes),
        ("do_duration", Told::Duration(ComponentKind::DurableObject)),
        ("d1_queue_depth", Told::Queue),
        ("d1_duration", Told::Duration(ComponentKind::D1)),
        ("storage_duration", Told::Duration(ComponentKind::Storage)),
    ];
    let wanted = all.into_iter().filter_map(|(name, told)| {
        let metric = catalog.id(name)?;
        is_wanted(metric).then_some((metric, told))
    });
    wanted.collect()
}

fn of_component(told: Told, component: &ComponentWindow) -> Option<Value> {
    match told {
        Told::Wakes if component.kind == ComponentKind::DurableObject => {
            rate(component.wakes, component.calls)
        }
        Told::Queue if component.kind == ComponentKind::D1 => {
            trend(Trend::of_buckets(&component.queue))
        }
        Told::Duration(kind) if component.kind == kind => {
            trend(Trend::of_buckets(&component.duration_us))
        }
        Told::Wakes | Told::Queue | Told::Duration(_) => None,
    }
}

fn count(count: u64) -> Option<Value> {
    let steps = Contains::Default.whole(count).steps();
    (count > 0).then(|| Value::Counter(u64::try_from(steps).unwrap_or_default()))
}

fn bytes(bytes: u64) -> Option<Value> {
    (bytes > 0).then_some(Value::Counter(bytes))
}

fn rate(matches: u64, total: u64) -> Option<Value> {
    (total > 0).then_some(Value::Rate(Rate { matches, total }))
}

fn trend(trend: Trend) -> Option<Value> {
    (!trend.is_empty()).then_some(Value::Trend(trend))
}
