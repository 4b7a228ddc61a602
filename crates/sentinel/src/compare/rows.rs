//! The rows of a comparison.

use sentinel_engine::histogram::SparseHistogram;
use sentinel_engine::summary::SampleBlock;
use serde::Serialize;

use super::family::holm;
use super::ratio::{Blocks, Floor, p_value};
use super::subject::{Subject, failed, merged, slower, throughput};

/// How many requests have to lie beyond a percentile for it to be judged.
const BEYOND_MIN: f64 = 10.0;

/// A change of the error rate by less is neither better nor worse.
const ERROR_RATE_STEP: f64 = 0.001;

/// What counts as a change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// As a fraction of the value before.
    pub(super) tolerance: f64,
    /// The probability of any change in runs that do not differ.
    pub(super) alpha: f64,
}

/// What changed between two runs.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Comparison {
    pub(super) before: Run,
    pub(super) after: Run,
    pub(super) tolerance: f64,
    pub(super) confidence: f64,
    pub(super) rows: Vec<Row>,
    pub(super) better: usize,
    pub(super) worse: usize,
    pub(super) notes: Vec<String>,
}

/// A run that is compared.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) scenario_name: String,
    pub(super) start_time: String,
}

/// One number of both runs.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    /// The application and step, `None` of the whole run.
    pub(super) step: Option<(String, String)>,
    pub(super) metric: Metric,
    pub(super) before: Option<f64>,
    pub(super) after: Option<f64>,
    /// As a fraction of the value before; of the error rate the difference.
    pub(super) change: Option<f64>,
    /// How probable such a difference is without a change, all rows taken together.
    pub(super) p_value: Option<f64>,
    pub(super) verdict: Verdict,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Metric {
    P50Ms,
    P75Ms,
    P90Ms,
    P95Ms,
    P99Ms,
    ErrorRate,
    RequestsPerSec,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// It cannot be told from noise.
    Noise,
    /// It is more than noise and less than what is tolerated.
    Small,
    Better,
    Worse,
    /// There are too few seconds or requests to tell.
    NotEnoughSamples,
}

impl Comparison {
    /// Compares two runs.
    pub(super) fn new(before: &Subject, after: &Subject, settings: Settings) -> Self {
        let mut rows = whole_rows(before, after);
        rows.extend(step_rows(before, after));
        judge(&mut rows, before, after, settings);
        let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
        Self {
            before: Run::of(before),
            after: Run::of(after),
            tolerance: settings.tolerance,
            confidence: 1.0 - settings.alpha,
            better: count(Verdict::Better),
            worse: count(Verdict::Worse),
            rows,
            notes: notes(before, after),
        }
    }
}

impl Run {
    fn of(subject: &Subject) -> Self {
        let result = &subject.result;
        Self {
            id: result.id.clone(),
            scenario_name: result.scenario_name.clone(),
            start_time: result.start_time.clone(),
        }
    }
}

impl Metric {
    const PERCENTILES: [Self; 5] = [
        Self::P50Ms,
        Self::P75Ms,
        Self::P90Ms,
        Self::P95Ms,
        Self::P99Ms,
    ];

    /// Of a percentile, the fraction below it.
    const fn fraction(self) -> Option<f64> {
        match self {
            Self::P50Ms => Some(0.5),
            Self::P75Ms => Some(0.75),
            Self::P90Ms => Some(0.9),
            Self::P95Ms => Some(0.95),
            Self::P99Ms => Some(0.99),
            Self::ErrorRate | Self::RequestsPerSec => None,
        }
    }
}

/// The rows of the whole run.
fn whole_rows(before: &Subject, after: &Subject) -> Vec<Row> {
    let mut rows = sample_rows(None, &before.blocks, &after.blocks, &Metric::PERCENTILES);
    for row in &mut rows {
        // What the summaries tell anyway, in case they have no samples.
        (row.before, row.after) = (told(before, row.metric), told(after, row.metric));
    }
    let rate = |subject: &Subject| throughput(&subject.blocks, subject.block_seconds());
    rows.push(Row {
        before: before.result.requests_per_sec,
        after: after.result.requests_per_sec,
        p_value: p_value(&rate(before), &rate(after), Floor::None),
        ..Row::new(None, Metric::RequestsPerSec)
    });
    rows
}

fn told(subject: &Subject, metric: Metric) -> Option<f64> {
    let result = &subject.result;
    let latency = &result.latency_percentiles;
    match metric {
        Metric::P50Ms => latency.p50,
        Metric::P75Ms => latency.p75,
        Metric::P90Ms => latency.p90,
        Metric::P95Ms => latency.p95,
        Metric::P99Ms => latency.p99,
        Metric::ErrorRate => result.error_rate,
        Metric::RequestsPerSec => result.requests_per_sec,
    }
}

/// The rows of the steps that both runs have, when there is more than one.
fn step_rows(before: &Subject, after: &Subject) -> Vec<Row> {
    let samples = before.result.samples.iter();
    let steps: Vec<_> = samples.flat_map(|samples| &samples.steps).collect();
    if steps.len() < 2 {
        return Vec::new();
    }
    let rows = steps.into_iter().filter_map(|step| {
        let other = after.step(&step.application, &step.step)?;
        let name = (step.application.clone(), step.step.clone());
        let percentiles = [Metric::P50Ms, Metric::P95Ms, Metric::P99Ms];
        Some(sample_rows(
            Some(name),
            &step.blocks,
            &other.blocks,
            &percentiles,
        ))
    });
    rows.flatten().collect()
}

/// The rows of percentiles and of the error rate of some samples.
fn sample_rows(
    step: Option<(String, String)>,
    before: &[SampleBlock],
    after: &[SampleBlock],
    percentiles: &[Metric],
) -> Vec<Row> {
    let (own, other) = (merged(before), merged(after));
    let mut both = own.clone();
    both.merge(&other);
    let mut rows: Vec<Row> = Vec::new();
    for metric in percentiles {
        let Some(fraction) = metric.fraction() else {
            continue;
        };
        let limit_us = both.percentile(fraction);
        let enough = [&own, &other]
            .into_iter()
            .all(|histogram| histogram.count() as f64 * (1.0 - fraction) >= BEYOND_MIN);
        let p_value = limit_us.filter(|_| enough).and_then(|limit_us| {
            let (before, after) = (slower(before, limit_us), slower(after, limit_us));
            p_value(&before, &after, Floor::Binomial)
        });
        rows.push(Row {
            before: percentile_ms(&own, fraction),
            after: percentile_ms(&other, fraction),
            p_value,
            ..Row::new(step.clone(), *metric)
        });
    }
    let (before, after) = (failed(before), failed(after));
    let rate = |blocks: &Blocks| (blocks.sums().1 > 0.0).then(|| blocks.ratio());
    rows.push(Row {
        before: rate(&before),
        after: rate(&after),
        p_value: p_value(&before, &after, Floor::Binomial),
        ..Row::new(step, Metric::ErrorRate)
    });
    rows
}

fn percentile_ms(histogram: &SparseHistogram, fraction: f64) -> Option<f64> {
    histogram.percentile(fraction).map(|us| us / 1e3)
}

impl Row {
    const fn new(step: Option<(String, String)>, metric: Metric) -> Self {
        Self {
            step,
            metric,
            before: None,
            after: None,
            change: None,
            p_value: None,
            verdict: Verdict::NotEnoughSamples,
        }
    }

    /// The verdict on a difference that is more than noise.
    fn of_change(&self, change: f64, resolution_ms: f64, tolerance: f64) -> Verdict {
        let difference = self.after.unwrap_or(0.0) - self.before.unwrap_or(0.0);
        let small = match self.metric {
            Metric::ErrorRate => difference.abs() < ERROR_RATE_STEP,
            Metric::RequestsPerSec => change.abs() <= tolerance,
            _ => change.abs() <= tolerance || difference.abs() <= resolution_ms,
        };
        let less_is_better = self.metric != Metric::RequestsPerSec;
        if small {
            Verdict::Small
        } else if (difference < 0.0) == less_is_better {
            Verdict::Better
        } else {
            Verdict::Worse
        }
    }
}

/// Judges all rows together.
fn judge(rows: &mut [Row], before: &Subject, after: &Subject, settings: Settings) {
    let resolution_ms = before
        .result
        .clock_resolution_ms
        .max(after.result.clock_resolution_ms);
    let tested: Vec<f64> = rows.iter().filter_map(|row| row.p_value).collect();
    let mut adjusted = holm(&tested).into_iter();
    for row in rows {
        row.change = match (row.before, row.after) {
            (Some(before), Some(after)) if row.metric == Metric::ErrorRate => Some(after - before),
            (Some(before), Some(after)) if before > 0.0 => Some(after / before - 1.0),
            _ => None,
        };
        if row.p_value.is_none() {
            continue;
        }
        row.p_value = adjusted.next();
        row.verdict = match (row.p_value, row.change) {
            (Some(p_value), Some(change)) if p_value < settings.alpha => {
                row.of_change(change, resolution_ms, settings.tolerance)
            }
            _ => Verdict::Noise,
        };
    }
}

/// What a reader of the comparison should know.
fn notes(before: &Subject, after: &Subject) -> Vec<String> {
    let mut notes = before.doubts("before");
    notes.extend(after.doubts("after"));
    let (own, other) = (&before.result, &after.result);
    if own.scenario_name != other.scenario_name {
        notes.push(format!(
            "the runs are of different scenarios: {:?} and {:?}",
            own.scenario_name, other.scenario_name
        ));
    }
    let blocks = |subject: &Subject| (subject.blocks.len(), subject.block_seconds());
    let both = own.samples.is_some() && other.samples.is_some();
    if both && blocks(before) != blocks(after) {
        notes.push(
            "the runs took different times: what their plans had in common counts as noise"
                .to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests;
