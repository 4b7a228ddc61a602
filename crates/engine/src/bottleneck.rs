//! Bottlenecks: where the target left the level that it had at the start of the ramp.
//!
//! The method is simple on purpose. The *baseline* is what the first seconds of the run's first phase show:
//! at least [`BASELINE_SECONDS_MIN`] seconds and [`BASELINE_REQUESTS_MIN`] requests. From there on a window of
//! [`WINDOW_SECONDS`] seconds slides over the time line; its 95th percentile comes from the merged histograms
//! of these seconds. The target has left its level at the first second from which the window stays above the
//! limit for [`SUSTAINED_SECONDS`] seconds beyond the window's own length, so that one slow second, which
//! shows in several windows, is no finding. Invariant: below the sample floors the answer is "not enough
//! samples", never a guess.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::histogram::SparseHistogram;
use crate::phase::PhaseSpan;
use crate::server_timing::TOTAL_ENTRY;
use crate::sorted::sort_by;
use crate::summary::{Bottleneck, Severity, Symptom};
use crate::timeline::{Point, Sums};

/// How many seconds the baseline covers at least.
pub const BASELINE_SECONDS_MIN: u32 = 5;

/// How many requests the baseline rests on at least.
pub const BASELINE_REQUESTS_MIN: u64 = 30;

/// How many seconds are looked at together.
pub const WINDOW_SECONDS: u32 = 3;

/// How many requests must have ended in a window for it to count: below 20, one request is more than 5 %.
pub const WINDOW_REQUESTS_MIN: u64 = 20;

/// How long the level must be left.
pub const SUSTAINED_SECONDS: u32 = 3;

/// Latency has left its level above this multiple of the baseline …
pub const LATENCY_FACTOR: f64 = 2.0;

/// … and above the baseline by this many milliseconds, so that a fast target may double without notice.
pub const LATENCY_STEP_MS: f64 = 50.0;

/// Errors have left their level above the baseline by this much, as a fraction of requests.
pub const ERROR_STEP: f64 = 0.05;

/// Latency is critical above this multiple of the baseline …
pub const LATENCY_CRITICAL_FACTOR: f64 = 5.0;

/// … and above the baseline by this many milliseconds.
pub const LATENCY_CRITICAL_STEP_MS: f64 = 1_000.0;

/// Errors are critical from this fraction of requests on.
pub const ERROR_CRITICAL: f64 = 0.25;

/// A component is named when it explains at least this part of the growth.
pub const COMPONENT_SHARE_MIN: f64 = 0.2;

/// The component when none explains the growth, or the target tells nothing about itself.
pub const TARGET: &str = "target";

/// How many components the evidence lists.
const COMPONENTS_LISTED_MAX: usize = 5;

/// How bottlenecks were looked for, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Analysis {
    /// What came of it.
    pub outcome: Outcome,
    /// What everything was compared with; absent without enough samples.
    #[serde(default)]
    pub baseline: Option<Level>,
    /// The response time, in milliseconds, above which the 95th percentile has left its level.
    #[serde(default)]
    pub latency_limit_ms: Option<f64>,
    /// The error rate above which errors have left their level.
    #[serde(default)]
    pub error_limit: Option<f64>,
}

/// What came of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// At least one bottleneck was found.
    Found,
    /// The target kept its level.
    None,
    /// The start of the ramp has too few seconds or requests to compare with.
    NotEnoughSamples,
}

/// What some seconds of the run show.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Level {
    /// The first second.
    pub from_second: u32,
    /// How many seconds.
    pub seconds: u32,
    /// How many requests ended in them.
    pub requests: u64,
    /// The 95th percentile of the response time in milliseconds, `None` when no request was timed.
    #[serde(default)]
    pub p95_ms: Option<f64>,
    /// Failed requests as a fraction of those that ended.
    pub error_rate: f64,
}

/// Looks for the points from which latency and errors leave their level.
#[must_use]
pub fn find(points: &[Point], phases: &[PhaseSpan]) -> (Vec<Bottleneck>, Analysis) {
    let nothing = Analysis {
        outcome: Outcome::NotEnoughSamples,
        baseline: None,
        latency_limit_ms: None,
        error_limit: None,
    };
    let Some(search) = Search::new(points, phases) else {
        return (Vec::new(), nothing);
    };
    let found: Vec<Bottleneck> = [search.latency(), search.errors()]
        .into_iter()
        .flatten()
        .collect();
    let outcome = if found.is_empty() {
        Outcome::None
    } else {
        Outcome::Found
    };
    let analysis = Analysis {
        outcome,
        baseline: Some(search.baseline.level),
        latency_limit_ms: Some(search.latency_limit_ms),
        error_limit: Some(search.error_limit),
    };
    (found, analysis)
}

/// Some neighbouring points, added up.
#[derive(Debug)]
struct Stretch {
    level: Level,
    sums: Sums,
}

#[derive(Debug)]
struct Search<'a> {
    points: &'a [Point], // from the end of the baseline on
    windows: Vec<Level>, // the window that ends with each of them
    baseline: Stretch,
    baseline_p95_ms: f64,
    latency_limit_ms: f64,
    error_limit: f64,
}

impl<'a> Search<'a> {
    /// `None` when the baseline has too few samples.
    fn new(points: &'a [Point], phases: &[PhaseSpan]) -> Option<Self> {
        let first = phases.iter().find(|span| span.from < span.to)?.phase;
        let ramp = points
            .iter()
            .take_while(|point| point.phase == first)
            .count();
        let enough = |count: &usize| {
            let level = Stretch::of(points.get(..*count).unwrap_or_default()).level;
            level.seconds >= BASELINE_SECONDS_MIN && level.requests >= BASELINE_REQUESTS_MIN
        };
        let count = (1..=ramp).find(enough)?;
        let (before, after) = points.split_at_checked(count)?;
        let baseline = Stretch::of(before);
        let baseline_p95_ms = baseline.level.p95_ms?;
        let widest = |end: usize| {
            let mut seconds = 0;
            let wanted = after.get(..=end).unwrap_or_default().iter().rev();
            let count = wanted
                .take_while(|point| {
                    let wanted = seconds < WINDOW_SECONDS;
                    seconds += point.seconds;
                    wanted
                })
                .count();
            let from = end + 1 - count;
            Stretch::of(after.get(from..=end).unwrap_or_default()).level
        };
        let windows = (0..after.len()).map(widest).collect();
        let step_limit = baseline_p95_ms + LATENCY_STEP_MS;
        Some(Self {
            points: after,
            windows,
            latency_limit_ms: step_limit.max(baseline_p95_ms * LATENCY_FACTOR),
            error_limit: baseline.level.error_rate + ERROR_STEP,
            baseline,
            baseline_p95_ms,
        })
    }

    fn latency(&self) -> Option<Bottleneck> {
        let above = |level: &Level| level.p95_ms.map(|p95| p95 > self.latency_limit_ms);
        let run = self.first_sustained(above)?;
        let worst = |sum: f64, level: &Level| level.p95_ms.unwrap_or(0.0).max(sum);
        let worst_ms = self.windows.get(run.clone())?.iter().fold(0.0, worst);
        let base = self.baseline_p95_ms;
        let critical_ms = (base * LATENCY_CRITICAL_FACTOR).max(base + LATENCY_CRITICAL_STEP_MS);
        let severity = severity(worst_ms > critical_ms);
        let duration = |sums: &Sums, name: &str| {
            sums.components.get(name).map_or(0, |c| c.duration_us) as f64 / 1_000.0
        };
        let whole = |sums: &Sums| sum_us(&sums.response_us.unpack()) / 1_000.0;
        let growth = self.growth(&run, &whole, &duration);
        let measure = json!({ "worstP95Ms": worst_ms, "limitP95Ms": self.latency_limit_ms });
        self.finding(&run, Symptom::LatencySpike, severity, &growth, &measure)
    }

    fn errors(&self) -> Option<Bottleneck> {
        let above = |level: &Level| Some(level.error_rate > self.error_limit);
        let run = self.first_sustained(above)?;
        let rates = self
            .windows
            .get(run.clone())?
            .iter()
            .map(|level| level.error_rate);
        let worst = rates.fold(0.0, f64::max);
        let errors =
            |sums: &Sums, name: &str| sums.components.get(name).map_or(0, |c| c.errors) as f64;
        let growth = self.growth(&run, &|sums| sums.failed() as f64, &errors);
        let measure = json!({ "worstErrorRate": worst, "limitErrorRate": self.error_limit });
        let severity = severity(worst >= ERROR_CRITICAL);
        self.finding(&run, Symptom::ErrorIncrease, severity, &growth, &measure)
    }

    /// The first windows in a row that are above the limit for long enough, up to where they no longer are.
    /// Windows with too few requests neither count nor interrupt.
    fn first_sustained(
        &self,
        above: impl Fn(&Level) -> Option<bool>,
    ) -> Option<std::ops::Range<usize>> {
        let needed = WINDOW_SECONDS + SUSTAINED_SECONDS - 1;
        let mut begun: Option<usize> = None;
        let mut seconds = 0;
        let mut sustained = false;
        for (i, (level, point)) in self.windows.iter().zip(self.points).enumerate() {
            if level.requests < WINDOW_REQUESTS_MIN {
                continue;
            }
            match above(level) {
                Some(true) => {
                    begun.get_or_insert(i);
                    seconds += point.seconds;
                    sustained |= seconds >= needed;
                }
                Some(false) if sustained => return begun.map(|from| from..i),
                Some(false) => (begun, seconds) = (None, 0),
                None => {}
            }
        }
        begun
            .filter(|_| sustained)
            .map(|from| from..self.points.len())
    }

    /// How much the whole and each component grew per request since the baseline.
    fn growth(
        &self,
        run: &std::ops::Range<usize>,
        whole: &dyn Fn(&Sums) -> f64,
        of_component: &dyn Fn(&Sums, &str) -> f64,
    ) -> Growth {
        let level = Stretch::of(self.points.get(run.clone()).unwrap_or_default());
        let before = self.baseline.level.requests.max(1) as f64;
        let after = level.level.requests.max(1) as f64;
        let (old, new) = (&self.baseline.sums, &level.sums);
        let total = whole(new) / after - whole(old) / before;
        let names = new.components.keys().filter(|name| *name != TOTAL_ENTRY);
        let mut components: Vec<(String, f64)> = names
            .map(|name| {
                let grown = of_component(new, name) / after - of_component(old, name) / before;
                (name.clone(), grown)
            })
            .collect();
        sort_by(&mut components, |(a, grown_a), (b, grown_b)| {
            grown_b.total_cmp(grown_a).then_with(|| a.cmp(b)).is_lt()
        });
        components.truncate(COMPONENTS_LISTED_MAX);
        Growth {
            level: level.level,
            total,
            components,
        }
    }

    fn finding(
        &self,
        run: &std::ops::Range<usize>,
        symptom: Symptom,
        severity: Severity,
        growth: &Growth,
        measure: &serde_json::Value,
    ) -> Option<Bottleneck> {
        let start = self.points.get(run.start)?;
        let share = |grown: f64| {
            if growth.total > 0.0 {
                grown / growth.total
            } else {
                0.0
            }
        };
        let largest = growth.components.first();
        let named = largest.filter(|(_, grown)| share(*grown) >= COMPONENT_SHARE_MIN);
        let components = growth.components.iter();
        let components: Vec<serde_json::Value> = components
            .map(|(name, grown)| json!({ "component": name, "growthPerRequest": grown, "share": share(*grown) }))
            .collect();
        Some(Bottleneck {
            component: named.map_or(TARGET, |(name, _)| name).to_owned(),
            saturation_point: start.active_users,
            symptom,
            severity,
            details: json!({
                "second": start.second,
                "sustainedSeconds": growth.level.seconds,
                "measure": measure,
                "baseline": self.baseline.level,
                "level": growth.level,
                "growthPerRequest": growth.total,
                "components": components,
            }),
        })
    }
}

/// What grew, per request: milliseconds for latency, failures for errors.
#[derive(Debug)]
struct Growth {
    level: Level,
    total: f64,
    components: Vec<(String, f64)>, // the largest first
}

impl Stretch {
    fn of(points: &[Point]) -> Self {
        let mut sums = Sums::default();
        let mut seconds = 0;
        for point in points {
            seconds += point.seconds;
            sums.merge(&point.sums);
        }
        let requests = sums.finished();
        let response_us = sums.response_us.unpack();
        let level = Level {
            from_second: points.first().map_or(0, |point| point.second),
            seconds,
            requests,
            p95_ms: response_us.percentile(0.95).map(|us| us / 1_000.0),
            error_rate: sums.failed() as f64 / requests.max(1) as f64,
        };
        Self { level, sums }
    }
}

const fn severity(critical: bool) -> Severity {
    if critical {
        Severity::Critical
    } else {
        Severity::Warning
    }
}

fn sum_us(histogram: &SparseHistogram) -> f64 {
    let buckets = histogram.buckets();
    buckets
        .map(|(value, count)| value as f64 * count as f64)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_class::ErrorClass;
    use crate::phase::Phase;
    use crate::random::Random;
    use crate::tick::Tick;
    use crate::timeline::{POINTS_MAX, Second, Timeline};
    use crate::window::{ComponentKind, StepId, Window};

    const PHASES: [PhaseSpan; 1] = [PhaseSpan {
        phase: Phase::RampUp,
        from: Tick::ZERO,
        to: Tick::from_second(1_000_000),
    }];

    /// One second of a target: what it answers, and how long its parts took for it.
    #[derive(Clone, Default)]
    struct Answers {
        latencies_ms: Vec<f64>,
        errors: u64,
        session_ms: f64, // per answer
        d1_ms: f64,
    }

    fn timeline(seconds: impl IntoIterator<Item = Answers>) -> Timeline {
        let mut timeline = Timeline::default();
        for (number, answers) in (0..).zip(seconds) {
            let mut window = Window::new(number, Phase::RampUp);
            window.active_users = number + 1;
            let step = window.steps.entry(StepId(0)).or_default();
            let count = answers.latencies_ms.len() as u64;
            step.succeeded = count - answers.errors;
            if answers.errors > 0 {
                step.errors.insert(ErrorClass::Status(500), answers.errors);
            }
            for ms in &answers.latencies_ms {
                step.response_us.record((ms * 1_000.0) as u64);
            }
            for (name, kind, ms) in [
                (
                    "SessionDO",
                    ComponentKind::DurableObject,
                    answers.session_ms,
                ),
                ("D1", ComponentKind::D1, answers.d1_ms),
                (
                    "total",
                    ComponentKind::Other,
                    answers.session_ms + answers.d1_ms,
                ),
            ] {
                let component = window.component_mut(name, kind);
                component.calls = count;
                component.duration_us.record_n((ms * 1_000.0) as u64, count);
            }
            let mut second = Second::default();
            second.add(&window);
            second.set_users(0, window.phase, window.active_users);
            timeline.push(second.to_point(number, &PHASES));
        }
        timeline
    }

    fn steady(ms: f64) -> Answers {
        Answers {
            latencies_ms: vec![ms; 20],
            session_ms: 1.0,
            d1_ms: 2.0,
            ..Answers::default()
        }
    }

    fn search(seconds: impl IntoIterator<Item = Answers>) -> (Vec<Bottleneck>, Analysis) {
        find(timeline(seconds).points(), &PHASES)
    }

    #[test]
    fn a_knee_is_found_at_its_second_with_the_component_that_grew() {
        let knee = |second: u32| {
            let ms = if second < 20 { 10.0 } else { 110.0 };
            Answers {
                d1_ms: if second < 20 { 2.0 } else { 90.0 },
                ..steady(ms)
            }
        };
        let (found, analysis) = search((0..40).map(knee));
        assert_eq!(analysis.outcome, Outcome::Found);
        let [bottleneck] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(bottleneck.component, "D1");
        assert_eq!(bottleneck.saturation_point, 21);
        assert_eq!(bottleneck.symptom, Symptom::LatencySpike);
        assert_eq!(bottleneck.severity, Severity::Warning);
        assert_eq!(bottleneck.details["second"], 20);
        assert_eq!(bottleneck.details["sustainedSeconds"], 20);
        let share = bottleneck.details["components"][0]["share"]
            .as_f64()
            .unwrap();
        assert!((share - 0.88).abs() < 0.02, "{share}");
    }

    #[test]
    fn a_growth_that_no_component_explains_is_the_targets() {
        let (found, _) = search((0..40).map(|s| steady(if s < 20 { 10.0 } else { 1_500.0 })));
        assert_eq!(found[0].component, TARGET);
        assert_eq!(found[0].severity, Severity::Critical);
    }

    #[test]
    fn errors_are_found_apart_from_latency() {
        let failing = |second: u32| Answers {
            errors: if second < 15 { 0 } else { 6 },
            ..steady(10.0)
        };
        let (found, _) = search((0..30).map(failing));
        let [bottleneck] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(bottleneck.symptom, Symptom::ErrorIncrease);
        assert_eq!(bottleneck.severity, Severity::Critical);
        assert_eq!(bottleneck.saturation_point, 16);
    }

    #[test]
    fn noise_is_no_bottleneck() {
        for seed in 0..20 {
            let mut random = Random::for_purpose(seed, 0);
            let noisy = (0..120).map(|_| {
                // Nearly all between 8 and 40 ms, one in a hundred up to half a second, one in 200 an error.
                let latencies_ms: Vec<f64> = (0..30)
                    .map(|_| {
                        let slow = random.fraction() < 0.01;
                        let spread = if slow { 500.0 } else { 32.0 };
                        8.0 + spread * random.fraction()
                    })
                    .collect();
                Answers {
                    latencies_ms,
                    errors: u64::from(random.fraction() < 0.15),
                    ..steady(0.0)
                }
            });
            let (found, analysis) = search(noisy.collect::<Vec<_>>());
            assert_eq!(found, [], "seed {seed}");
            assert_eq!(analysis.outcome, Outcome::None);
        }
    }

    #[test]
    fn a_single_slow_second_is_no_bottleneck() {
        let (found, _) = search((0..60).map(|s| steady(if s == 30 { 900.0 } else { 10.0 })));
        assert_eq!(found, []);
    }

    #[test]
    fn three_slow_seconds_are_one() {
        let (found, _) =
            search((0..60).map(|s| steady(if (30..33).contains(&s) { 900.0 } else { 10.0 })));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].details["second"], 30);
    }

    #[test]
    fn a_fast_target_may_double_unnoticed() {
        let (found, _) = search((0..60).map(|s| steady(if s < 30 { 5.0 } else { 40.0 })));
        assert_eq!(found, []);
    }

    #[test]
    fn too_few_samples_are_said_to_be_too_few() {
        let (found, analysis) = search((0..4).map(|_| steady(10.0)));
        assert_eq!(
            (found.len(), analysis.outcome),
            (0, Outcome::NotEnoughSamples)
        );
        let sparse = |_| Answers {
            latencies_ms: vec![10.0],
            ..Answers::default()
        };
        let (found, analysis) = search((0..29).map(sparse));
        assert_eq!(
            (found.len(), analysis.outcome),
            (0, Outcome::NotEnoughSamples)
        );
        assert_eq!(search([]).1.outcome, Outcome::NotEnoughSamples);
    }

    #[test]
    fn the_baseline_waits_for_enough_requests() {
        let slow_start = |second: u32| Answers {
            latencies_ms: vec![10.0; if second < 10 { 1 } else { 20 }],
            ..Answers::default()
        };
        let (_, analysis) = search((0..40).map(slow_start));
        let baseline = analysis.baseline.unwrap();
        assert_eq!(
            (baseline.from_second, baseline.seconds, baseline.requests),
            (0, 11, 30)
        );
    }

    #[test]
    fn a_long_run_is_analysed_at_its_coarser_resolution() {
        let seconds = u32::try_from(POINTS_MAX).unwrap() * 3;
        let knee = seconds / 2;
        let (found, _) = search((0..seconds).map(|s| steady(if s < knee { 10.0 } else { 500.0 })));
        let [bottleneck] = found.as_slice() else {
            panic!("{found:?}")
        };
        let second = bottleneck.details["second"].as_u64().unwrap();
        assert!(
            second.abs_diff(u64::from(knee)) <= 4,
            "{second} instead of {knee}"
        );
    }
}
