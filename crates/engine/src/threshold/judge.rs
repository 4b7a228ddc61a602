//! Evaluation: during the run to abort it in time, and at its end for the verdicts.
//!
//! Invariant: what the judge decides at a point of the run depends on the seconds closed by then, and neither
//! on how often it is asked nor on the order in which shares delivered their metrics.

use serde::{Deserialize, Serialize};

use super::bind::Threshold;
use super::timeline::Timeline;
use crate::assertion::Verdict;
use crate::metric::{MetricStore, WindowLength};
use crate::tick::{Span, Tick};

/// How often thresholds are evaluated: k6's period.
pub const EVALUATION_PERIOD: Span = Span::from_secs(2);

/// Judges the thresholds of a run.
///
/// A threshold with a sliding window must hold for each stretch of that length that ends at an evaluation, or
/// at the end of its phase or scenario; stretches reach neither before its start nor beyond its end, and those
/// without data are passed over. When no stretch had data, as in a phase shorter than the window, the whole
/// scope is judged.
#[derive(Clone, Debug)]
pub struct Judge {
    thresholds: Vec<Judged>,
    timeline: Timeline,
    evaluated_through: Tick, // a multiple of the period
    abort: Option<AbortDecision>,
}

#[derive(Clone, Debug)]
struct Judged {
    threshold: Threshold,
    worst: Option<Stretch>, // of those judged; only with a sliding window
}

/// One evaluated stretch of a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stretch {
    actual: f64,
    until: Tick,
}

/// What a judge has seen, so that a run which comes back judges the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JudgeState {
    evaluated_through: Tick,
    #[serde(default)]
    abort: Option<AbortDecision>,
    worst: Vec<Option<Stretch>>, // in the order of the thresholds
}

/// The decision that the run must be aborted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AbortDecision {
    /// Which threshold, by its place.
    pub threshold: usize,
    /// The evaluation at which it failed.
    pub at: Tick,
    /// What was measured.
    pub actual: f64,
}

/// What became of a threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Outcome {
    /// The metric with its tags, as written.
    pub metric: String,
    /// The expression, as written.
    pub threshold: String,
    /// The verdict. With a sliding window the value is that of the worst stretch.
    pub verdict: Verdict,
    /// Where the worst stretch of a sliding window ends, in microseconds since the run's start.
    #[serde(default, rename = "untilUs")]
    pub until: Option<Tick>,
}

impl Judge {
    /// A judge for a run that has not begun.
    #[must_use]
    pub fn new(thresholds: Vec<Threshold>, timeline: Timeline) -> Self {
        let judged = |threshold| Judged {
            threshold,
            worst: None,
        };
        Self {
            thresholds: thresholds.into_iter().map(judged).collect(),
            timeline,
            evaluated_through: Tick::ZERO,
            abort: None,
        }
    }

    /// What the judge has seen so far.
    #[must_use]
    pub fn state(&self) -> JudgeState {
        JudgeState {
            evaluated_through: self.evaluated_through,
            abort: self.abort,
            worst: self.thresholds.iter().map(|judged| judged.worst).collect(),
        }
    }

    /// The judge as it was when it gave this state; the thresholds have to be the same.
    #[must_use]
    pub fn restored(mut self, state: JudgeState) -> Self {
        self.evaluated_through = state.evaluated_through;
        self.abort = state.abort;
        for (judged, worst) in self.thresholds.iter_mut().zip(state.worst) {
            judged.worst = worst;
        }
        self
    }

    /// The thresholds in order.
    pub fn thresholds(&self) -> impl Iterator<Item = &Threshold> {
        self.thresholds.iter().map(|judged| &judged.threshold)
    }

    /// When the next evaluation is due.
    #[must_use]
    pub fn next_evaluation(&self) -> Tick {
        self.evaluated_through + EVALUATION_PERIOD
    }

    /// Does all evaluations that are due now that every share has told about everything before
    /// `closed_through`, and closes those seconds in the store. Answers once, when a threshold that aborts the
    /// run has failed after its delay; without data nothing is aborted.
    pub fn advance(
        &mut self,
        closed_through: Tick,
        store: &mut MetricStore,
    ) -> Option<AbortDecision> {
        let decided = self.abort.is_some();
        while self.next_evaluation() <= closed_through {
            let now = self.next_evaluation();
            store.close_through(now);
            self.slide(self.evaluated_through, now, store);
            self.evaluated_through = now;
            if self.abort.is_none() {
                self.abort = self.due_abort(now, store);
            }
        }
        self.abort.filter(|_| !decided)
    }

    /// The decision to abort the run, if it was made.
    #[must_use]
    pub const fn abort(&self) -> Option<AbortDecision> {
        self.abort
    }

    /// The outcomes at the end of the run; all metrics must have been merged. Closes everything in the store.
    pub fn finish(&mut self, ended: Tick, store: &mut MetricStore) -> Vec<Outcome> {
        self.advance(ended, store);
        store.close_through(ended);
        let last_whole_second = Tick::from_second(ended.second());
        self.slide(self.evaluated_through, last_whole_second, store);
        store.close_all();
        self.outcomes(ended, store)
    }

    /// The outcomes as they stand after what is closed in the store, for showing progress.
    #[must_use]
    pub fn outcomes(&self, now: Tick, store: &MetricStore) -> Vec<Outcome> {
        let outcome = |judged: &Judged| {
            let threshold = &judged.threshold;
            let actual = match judged.worst {
                Some(stretch) => Some(stretch.actual),
                None => self.measure_all(threshold, now, store),
            };
            Outcome {
                metric: threshold.key.clone(),
                threshold: threshold.source.clone(),
                verdict: threshold.verdict(actual),
                until: judged.worst.map(|stretch| stretch.until),
            }
        };
        self.thresholds.iter().map(outcome).collect()
    }

    fn due_abort(&self, now: Tick, store: &MetricStore) -> Option<AbortDecision> {
        let elapsed = now.saturating_since(Tick::ZERO);
        let fails = |(place, judged): (usize, &Judged)| {
            let threshold = &judged.threshold;
            threshold.abort.filter(|abort| abort.is_due(elapsed))?;
            let actual = match (threshold.query.over, judged.worst) {
                (Some(_), worst) => worst.map(|stretch| stretch.actual),
                (None, _) => self.measure_all(threshold, now, store),
            };
            match threshold.verdict(actual) {
                Verdict::Fail { actual } => Some(AbortDecision {
                    threshold: place,
                    at: now,
                    actual,
                }),
                Verdict::Pass { .. } | Verdict::NoData => None,
            }
        };
        self.thresholds.iter().enumerate().find_map(fails)
    }

    fn measure_all(&self, threshold: &Threshold, now: Tick, store: &MetricStore) -> Option<f64> {
        let selected = store.select(&threshold.query.selection);
        let elapsed = self.timeline.elapsed(&threshold.expression.scope, now);
        threshold.measure(&selected, elapsed, store.has_data())
    }

    /// Judges the stretches that end after `from` and not after `now`, at most one per threshold and part of
    /// its scope.
    fn slide(&mut self, from: Tick, now: Tick, store: &MetricStore) {
        for judged in &mut self.thresholds {
            let threshold = &judged.threshold;
            let Some(length) = threshold.query.over else {
                continue;
            };
            let ends = self
                .timeline
                .stretches(&threshold.expression.scope)
                .into_iter()
                .filter_map(|stretch| end_within(stretch, length, from, now));
            for until in ends {
                let actual = store
                    .select_recent(&threshold.query.selection, length, until)
                    .and_then(|s| threshold.measure(&s, length.span(), store.has_data()));
                let expression = &threshold.expression;
                let badness = |actual| expression.operator.badness(actual, expression.limit);
                judged.worst = match (actual, judged.worst) {
                    (Some(actual), worst)
                        if worst.is_none_or(|w| badness(actual) > badness(w.actual)) =>
                    {
                        Some(Stretch { actual, until })
                    }
                    (_, worst) => worst,
                };
            }
        }
    }
}

/// The end of the last window that ends after `from`, not after `now`, and lies in the stretch: at a whole
/// second.
fn end_within(
    (start, end): (Tick, Tick),
    length: WindowLength,
    from: Tick,
    now: Tick,
) -> Option<Tick> {
    let until = Tick::from_second(end.min(now).second());
    (until > from && until >= start + length.span()).then_some(until)
}

#[cfg(test)]
mod tests;
