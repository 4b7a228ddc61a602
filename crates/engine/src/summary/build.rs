//! From the books of a run to its report.

use chrono::{DateTime, SecondsFormat};

use crate::bottleneck;
use crate::histogram::SparseHistogram;
use crate::json;
use crate::metric::{Trend, Value};
use crate::parts::Part;
use crate::phase::Phase;
use crate::plan::{Plan, Step};
use crate::run::{Book, Hole, Judging, LossReason, RunConfig, seconds_per_row};
use crate::share::Share;
use crate::sorted::SortedMap;
use crate::summary::judged::{Verdicts, metrics, values, verdicts};
use crate::summary::monitoring::MonitoringResult;
use crate::summary::sockets::SocketResult;
use crate::summary::streams::StreamResult;
use crate::summary::types::{
    ApplicationResult, CheckResult, ComponentResult, GeneratorLimited, MetricValues,
    PhaseSummaries, PhaseSummary, RunStatus, ScenarioResult, StepResult, TestRunResult,
};
use crate::summary::{late, objects, regions};
use crate::tick::{Span, Tick};
use crate::timeline::TimelineRow;
use crate::totals::{Aggregate, LatencyPercentiles, Totals, dense, mean_ms, quantile_ms};
use crate::window::{ComponentKind, ComponentWindow};

/// The generator is limited when the 95th percentile of the wait for a connection slot is above this many
/// milliseconds and above a tenth of the 95th percentile of the response time.
pub const GENERATOR_SLOT_WAIT_MS_MAX: f64 = 10.0;

/// The generator is limited when the 95th percentile of the lateness is above this many milliseconds.
pub const GENERATOR_LATENESS_MS_MAX: f64 = 50.0;

/// How much of the summary the time line may take. The column that holds the summary takes 2 MB in D1
/// (<https://developers.cloudflare.com/d1/platform/limits/>), and a usual row takes 500 bytes, but a target
/// that answers with ever other statuses can make it a hundred times longer.
const TIMELINE_BYTES_MAX: usize = 1_000_000;

/// A generator whose slot wait is more than this part of the response time distorts it.
const SLOT_WAIT_SHARE_MAX: f64 = 0.1;

/// The report of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The summary, as it is stored.
    pub result: TestRunResult,
    /// What the times of each step are the percentiles of, in the order of the summary's steps.
    pub histograms: Vec<StepHistograms>,
}

/// All times of one step, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepHistograms {
    /// Response times.
    pub response_us: SparseHistogram,
    /// Service times.
    pub service_us: SparseHistogram,
}

/// How a run came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything that could be played was played.
    PlanOver,
    /// It was cancelled, and why, if that was said.
    Cancelled(Option<String>),
    /// A threshold that aborts the run did not hold.
    ThresholdCrossed,
    /// It could not go on, for this reason.
    Failed(String),
}

impl Report {
    pub(crate) fn new(
        plan: &Plan,
        config: &RunConfig,
        book: &Book,
        judging: &Judging,
        ending: &Ending,
    ) -> Self {
        let overall = book.totals.overall();
        let (status, failure) = status_of(book, ending);
        let Verdicts {
            assertions,
            thresholds,
            failed: failed_assertions,
            aborted_by,
        } = verdicts(plan, book, judging, ending);
        let passed = status == RunStatus::Completed
            && *ending != Ending::ThresholdCrossed
            && failed_assertions.is_empty()
            && overall.finished() > 0;
        let duration = book.ended_at().saturating_since(Tick::ZERO);
        let (bottlenecks, bottleneck_analysis) =
            bottleneck::find(book.timeline.points(), plan.phases());
        let generator_limited = generator_limited(&book.totals, &overall, book.ledger().dropped);
        let watched = plan.monitoring.as_ref();
        let monitoring = watched.map(|watched| MonitoringResult::of(watched, judging.watch()));
        let told = monitoring.iter().flat_map(MonitoringResult::warnings);
        let (timeline, timeline_step_seconds) = timeline(book, config.epoch_ms);
        let result = TestRunResult {
            id: config.run.clone(),
            scenario_name: plan.name().to_owned(),
            start_time: iso_8601(config.epoch_ms),
            end_time: iso_8601(config.epoch_ms.saturating_add(book.ended_at().as_ms())),
            duration: book.ended_at().as_ms(),
            passed,
            failed_assertions,
            phases: phases(plan, book),
            latency_percentiles: LatencyPercentiles::of(&overall.response_us),
            bottlenecks,
            application_results: applications(plan, book),
            timeline,
            status,
            failure,
            warnings: warnings(plan, book, judging, &overall, generator_limited.as_ref())
                .into_iter()
                .chain(told)
                .collect(),
            assertions,
            thresholds,
            aborted_by,
            metrics: metrics(plan, judging),
            monitoring,
            ledger: book.ledger(),
            setup: None, // of what is played once the load knows nothing
            teardown: None,
            ledger_faults: book.faults.clone(),
            holes: holes(plan, config, book),
            holes_total: book.holes_total,
            coverage: coverage(book, judging),
            service_time: LatencyPercentiles::of(&overall.service_us),
            request_parts: request_parts(&overall),
            slot_wait: LatencyPercentiles::of(&book.totals.slot_wait_us()),
            lateness: LatencyPercentiles::of(&book.totals.lateness_us()),
            late: late::late(book),
            generator_limited,
            requests_per_sec: per_second(overall.finished(), duration),
            error_rate: overall.error_rate(),
            platform_errors: overall.platform_errors(),
            scenarios: scenarios(plan, book),
            steps: steps(plan, book),
            checks: checks(plan, book),
            components: components(book),
            durable_objects: objects::results(plan, book, duration),
            regions: regions::results(config, book, due_of_each(config, judging)),
            colos: book.places.colos(),
            bottleneck_analysis,
            timeline_step_seconds,
            metrics_step_seconds: seconds_per_row(plan),
            clock_resolution_ms: config.clock_resolution.as_ms_f64(),
            seed: plan.seed().to_string(),
            batches: config.batches,
            slices: book.slices(),
            frames_ignored: book.frames_ignored,
            samples: None, // kept by who plays the run, if there is room
        };
        Self {
            result,
            histograms: histograms(plan, book),
        }
    }
}

/// The rows of the time line with the seconds that each covers: as fine as fits the summary.
fn timeline(book: &Book, epoch_ms: u64) -> (Vec<TimelineRow>, u32) {
    let mut timeline = book.timeline.clone();
    loop {
        let points = timeline.points().iter();
        let rows: Vec<TimelineRow> = points.map(|point| point.to_row(epoch_ms)).collect();
        let bytes = json::to_string(&rows).map_or(0, |json| json.len());
        if bytes <= TIMELINE_BYTES_MAX || rows.len() <= 1 {
            return (rows, timeline.seconds_per_point());
        }
        timeline.coarsen();
    }
}

/// The holes, with what the plan had for the time that they cover.
fn holes(plan: &Plan, config: &RunConfig, book: &Book) -> Vec<Hole> {
    let with_arrivals = |hole: &Hole| {
        let share = Share::new(hole.batch, config.batches.max(1));
        Hole {
            arrivals_planned: share.and_then(|s| plan.arrivals_between(s, hole.from, hole.to)),
            ..hole.clone()
        }
    };
    book.holes.iter().map(with_arrivals).collect()
}

/// How long each share was to be played.
fn due_of_each(config: &RunConfig, judging: &Judging) -> Span {
    let all = judging.coverage().due;
    Span::from_us(all.as_us() / u64::from(config.batches.max(1)))
}

fn status_of(book: &Book, ending: &Ending) -> (RunStatus, Option<String>) {
    if let Some(fault) = book.faults.first() {
        return (RunStatus::Failed, Some(fault.to_string()));
    }
    match ending {
        Ending::Failed(why) => (RunStatus::Failed, Some(why.clone())),
        Ending::Cancelled(why) => (RunStatus::Cancelled, why.clone()),
        Ending::PlanOver if book.frames_merged == 0 => {
            let why = format!("{}: nothing was measured", why_nothing(book));
            (RunStatus::Failed, Some(why))
        }
        Ending::PlanOver | Ending::ThresholdCrossed => (RunStatus::Completed, None),
    }
}

/// What kept every batch from telling anything.
fn why_nothing(book: &Book) -> &'static str {
    let has = |reason| book.holes.iter().any(|hole| hole.reason == reason);
    if has(LossReason::CoordinatorRestarted) {
        "the load tester was restarted before any batch had told anything"
    } else if has(LossReason::Silent) || has(LossReason::StreamEnded) {
        "every batch was lost before it had told anything"
    } else {
        "no batch could be started"
    }
}

fn phases(plan: &Plan, book: &Book) -> PhaseSummaries {
    PhaseSummaries {
        ramp_up: phase(plan, book, Phase::RampUp),
        peak: phase(plan, book, Phase::Peak),
        steady_state: phase(plan, book, Phase::SteadyState),
        ramp_down: phase(plan, book, Phase::RampDown),
    }
}

fn phase(plan: &Plan, book: &Book, phase: Phase) -> PhaseSummary {
    let aggregate = book.totals.phase(phase);
    let played = played(plan, book.ended_at(), phase);
    PhaseSummary {
        avg_latency: mean_ms(&aggregate.response_us),
        p95_latency: quantile_ms(&aggregate.response_us, 0.95),
        error_rate: aggregate.error_rate(),
        throughput: per_second(aggregate.finished(), played),
        peak_users: book.totals.users_max(phase),
        duration_s: played.as_secs_f64(),
        requests: aggregate.finished(),
    }
}

/// How long a phase was played until the run ended. What comes after the plan's end belongs to the ramp-down.
fn played(plan: &Plan, ended_at: Tick, phase: Phase) -> Span {
    let mut played = Span::ZERO;
    for span in plan.phases().iter().filter(|span| span.phase == phase) {
        played = played + span.to.min(ended_at).saturating_since(span.from);
    }
    if phase == Phase::RampDown {
        let plan_end = plan.phases().last().map_or(Tick::ZERO, |span| span.to);
        played = played + ended_at.saturating_since(plan_end);
    }
    played
}

fn applications(plan: &Plan, book: &Book) -> SortedMap<String, ApplicationResult> {
    let result = |application: &crate::plan::Application| {
        let own = |id| application.steps.iter().any(|step| step.id == id);
        let sum = book.totals.steps(own);
        let success_rate = sum.error_rate().map(|rate| 1.0 - rate);
        let result = ApplicationResult {
            success_rate,
            avg_latency: mean_ms(&sum.response_us),
            p95_latency: quantile_ms(&sum.response_us, 0.95),
            p50_latency: quantile_ms(&sum.response_us, 0.5),
            p99_latency: quantile_ms(&sum.response_us, 0.99),
            total_requests: sum.sent,
            successful_requests: sum.succeeded,
            failed_requests: sum.errors_total(),
            bytes_received: sum.bytes_received,
            bytes_sent: sum.bytes_sent,
            error_breakdown: sum.errors,
        };
        (application.name.clone(), result)
    };
    SortedMap::from_iter(plan.applications().iter().map(result))
}

fn scenarios(plan: &Plan, book: &Book) -> Vec<ScenarioResult> {
    let numbered = (0_u16..).zip(&plan.scenarios);
    let result = |(place, scenario): (u16, &crate::plan::PlannedScenario)| {
        let sum = book.totals.scenario(place);
        ScenarioResult {
            name: scenario.name.clone(),
            iterations_started: sum.map_or(0, |sum| sum.started),
            iterations_dropped: sum.map_or(0, |sum| sum.dropped),
            iterations_out_of_data: sum.map_or(0, |sum| sum.out_of_data),
            iteration_time: LatencyPercentiles::of(&dense(sum.map(|sum| &sum.iteration_us))),
        }
    };
    numbered.map(result).collect()
}

fn steps(plan: &Plan, book: &Book) -> Vec<StepResult> {
    let steps = plan.applications().iter().flat_map(|application| {
        let name = &application.name;
        application.steps.iter().map(move |step| (name, step))
    });
    let result = |(application, step): (&String, &Step)| {
        let sum = book.totals.steps(|id| id == step.id);
        step_result(application, step, sum)
    };
    steps.map(result).collect()
}

fn histograms(plan: &Plan, book: &Book) -> Vec<StepHistograms> {
    let steps = plan.applications().iter().flat_map(|a| &a.steps);
    let histograms = steps.map(|step| {
        let sum = book.totals.steps(|id| id == step.id);
        StepHistograms {
            response_us: sum.response_us.to_sparse(),
            service_us: sum.service_us.to_sparse(),
        }
    });
    histograms.collect()
}

/// What was measured of one step.
pub(super) fn step_result(application: &str, step: &Step, sum: Aggregate) -> StepResult {
    let session = step.socket.as_deref().zip(sum.socket.as_ref());
    StepResult {
        application: application.to_owned(),
        step: step.name.clone(),
        total_requests: sum.sent,
        successful_requests: sum.succeeded,
        failed_requests: sum.errors_total(),
        avg_latency: mean_ms(&sum.response_us),
        latency: LatencyPercentiles::of(&sum.response_us),
        service_time: LatencyPercentiles::of(&sum.service_us),
        stream: sum.stream.as_ref().map(StreamResult::of),
        socket: session.map(|(plan, window)| SocketResult::of(plan, window)),
        error_breakdown: sum.errors,
    }
}

fn request_parts(overall: &Aggregate) -> SortedMap<Part, MetricValues> {
    let parts = overall.parts.iter();
    let values = parts.map(|(part, times)| {
        let trend = Value::Trend(Trend::of_buckets(times));
        (part, values(&trend, |us| us / 1_000.0))
    });
    SortedMap::from_iter(values)
}

fn checks(plan: &Plan, book: &Book) -> Vec<CheckResult> {
    let checks = plan.checks().map(|(application, step, check)| {
        let (passes, fails) = book.totals.check(check.id);
        CheckResult {
            application: application.name.clone(),
            step: step.name.clone(),
            check: check.name.clone(),
            passes,
            fails,
        }
    });
    checks.collect()
}

fn components(book: &Book) -> SortedMap<String, ComponentResult> {
    let result = |(name, component): (&String, &ComponentWindow)| {
        let durations = dense([&component.duration_us]);
        let of_calls =
            |count: u64| (component.calls > 0).then(|| count as f64 / component.calls as f64);
        let is_object = component.kind == ComponentKind::DurableObject;
        let result = ComponentResult {
            kind: component.kind,
            calls: component.calls,
            error_rate: of_calls(component.errors),
            wake_rate: of_calls(component.wakes).filter(|_| is_object),
            avg_latency: mean_ms(&durations),
            latency: LatencyPercentiles::of(&durations),
        };
        (name.clone(), result)
    };
    SortedMap::from_iter(book.totals.components().iter().map(result))
}

pub(crate) fn generator_limited(
    totals: &Totals,
    overall: &Aggregate,
    dropped: u64,
) -> Option<GeneratorLimited> {
    let slot_wait_p95 = quantile_ms(&totals.slot_wait_us(), 0.95);
    let lateness_p95 = quantile_ms(&totals.lateness_us(), 0.95);
    let response_p95 = quantile_ms(&overall.response_us, 0.95);
    let mut reasons = Vec::new();
    if let Some(wait) = slot_wait_p95.filter(|wait| *wait > GENERATOR_SLOT_WAIT_MS_MAX)
        && response_p95.is_none_or(|response| wait > response * SLOT_WAIT_SHARE_MAX)
    {
        reasons.push(format!(
            "one request in 20 waited {wait} ms or longer for a connection slot of its batch: use more batches"
        ));
    }
    if let Some(late) = lateness_p95.filter(|late| *late > GENERATOR_LATENESS_MS_MAX) {
        reasons.push(format!(
            "one iteration in 20 began {late} ms late or later: the generator could not keep up"
        ));
    }
    (!reasons.is_empty()).then(|| GeneratorLimited {
        reasons,
        slot_wait_p95,
        lateness_p95,
        response_p95,
        service_p95: quantile_ms(&overall.service_us, 0.95),
        dropped_iterations: dropped,
    })
}

fn warnings(
    plan: &Plan,
    book: &Book,
    judging: &Judging,
    overall: &Aggregate,
    limited: Option<&GeneratorLimited>,
) -> Vec<String> {
    let told = plan.warnings().iter();
    let mut warnings: Vec<String> = told
        .map(|problem| format!("{}: {}", problem.path, problem.message))
        .collect();
    if overall.finished() == 0 {
        warnings
            .push("no request came to an end: the run says nothing about the target".to_owned());
    }
    if book.holes_total > 0 {
        let percent = 100.0 * coverage(book, judging);
        let holes = book.holes_total;
        warnings.push(format!(
            "{percent:.1} % of the run was measured, {holes} times a share of the plan was not played"
        ));
    }
    let of_platform = overall.platform_errors();
    if !of_platform.is_empty() {
        let errors: u64 = of_platform.values().sum();
        let classes: Vec<String> = of_platform.keys().map(ToString::to_string).collect();
        let classes = classes.join(", ");
        warnings.push(format!(
            "{errors} requests failed because of Cloudflare, not of the target: {classes}"
        ));
    }
    if limited.is_some() {
        let text = "the generator was too slow for the plan: latencies contain its own delays";
        warnings.push(text.to_owned());
    }
    let overflow = overall.response_us.overflow();
    if overflow > 0 {
        warnings.push(format!("{overflow} response times were above one hour"));
    }
    let overflows = judging.store().warnings();
    warnings.extend(overflows.iter().map(ToString::to_string));
    let refused = judging.samples_refused();
    if refused > 0 {
        warnings.push(format!(
            "{refused} values for the scenario's metrics are not in them: they were no numbers, or below 0 for a counter"
        ));
    }
    if book.frames_ignored > 0 {
        let frames = book.frames_ignored;
        warnings.push(format!(
            "{frames} frames came too late to be counted, or made no sense"
        ));
    }
    warnings
}

/// The part of what was due that was measured. Where nothing was due, nothing is missing once a batch has told.
fn coverage(book: &Book, judging: &Judging) -> f64 {
    let nothing_due = if book.frames_merged > 0 { 1.0 } else { 0.0 };
    judging.coverage().fraction().unwrap_or(nothing_due)
}

pub(super) fn per_second(count: u64, time: Span) -> Option<f64> {
    (!time.is_zero()).then(|| count as f64 / time.as_secs_f64())
}

/// A point in time as ISO 8601 in UTC with milliseconds, such as `2026-01-04T04:00:00.000Z`; the latest that
/// can be written for times beyond it.
pub(super) fn iso_8601(unix_ms: u64) -> String {
    i64::try_from(unix_ms)
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .unwrap_or(DateTime::<chrono::Utc>::MAX_UTC)
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_class::ErrorClass;
    use crate::timeline::Second;
    use crate::window::{StepId, Window};

    #[test]
    fn times_are_written_as_iso_8601() {
        assert_eq!(iso_8601(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso_8601(1_767_499_200_123), "2026-01-04T04:00:00.123Z");
        assert!(iso_8601(u64::MAX).ends_with('Z'));
    }

    /// What is found when a hundred requests took `response_ms`, waited `wait_ms` for a slot, and their
    /// iterations were `late_ms` late.
    fn limited(response_ms: u64, wait_ms: u64, late_ms: u64) -> Option<GeneratorLimited> {
        let mut window = Window::new(0, Phase::Peak);
        let step = window.steps.entry(StepId(0)).or_default();
        step.response_us.record_n(response_ms * 1_000, 100);
        step.service_us
            .record_n((response_ms - wait_ms) * 1_000, 100);
        window.slot_wait_us.record_n(wait_ms * 1_000, 100);
        window.lateness_us.record_n(late_ms * 1_000, 100);
        let mut second = Second::default();
        second.add(&window);
        let mut totals = Totals::default();
        totals.add(&second);
        generator_limited(&totals, &totals.overall(), 3)
    }

    #[test]
    fn a_time_line_of_long_rows_is_made_coarser_until_it_fits() {
        let mut book = Book::default();
        for number in 0..600 {
            let mut window = Window::new(number, Phase::Peak);
            let errors = &mut window.steps.entry(StepId(0)).or_default().errors;
            errors.extend((100..600).map(|status| (ErrorClass::Status(status), 1)));
            let mut second = Second::default();
            second.add(&window);
            book.timeline.push(second.to_point(number, &[]));
        }
        let (rows, seconds) = timeline(&book, 0);
        assert!(serde_json::to_string(&rows).unwrap().len() <= TIMELINE_BYTES_MAX);
        assert_eq!((rows.len(), seconds), (75, 8));
        assert!(rows.iter().all(|row| row.requests_per_sec == 500.0));
    }

    #[test]
    fn a_generator_that_is_too_slow_says_so_with_evidence() {
        assert_eq!(limited(200, 0, 0), None);
        assert_eq!(limited(200, 9, 49), None, "below both limits");
        assert_eq!(
            limited(200, 15, 0),
            None,
            "less than a tenth of the response time"
        );
        let waited = limited(200, 40, 0).unwrap();
        assert_eq!(waited.reasons.len(), 1);
        assert!(waited.reasons[0].contains("slot"), "{:?}", waited.reasons);
        assert!(
            waited
                .slot_wait_p95
                .is_some_and(|ms| (ms - 40.0).abs() < 0.1)
        );
        assert!(waited.service_p95 < waited.response_p95);
        assert_eq!(waited.dropped_iterations, 3);
        let late = limited(200, 0, 60).unwrap();
        assert!(late.reasons[0].contains("late"), "{:?}", late.reasons);
        assert_eq!(limited(200, 40, 60).unwrap().reasons.len(), 2);
    }
}
