//! What was judged, and the scenario's own metrics, as the summary tells them.

use crate::assertion::Verdict;
use crate::metering::RequirementSource;
use crate::metric::{Percentile, TagSet, Value};
use crate::plan::Plan;
use crate::run::{Book, Judging};
use crate::summary::build::Ending;
use crate::summary::types::{AbortedBy, AssertionResult, MetricResult, MetricValues};
use crate::threshold::Outcome;

/// Everything that had to hold.
#[derive(Debug)]
pub(super) struct Verdicts {
    pub(super) assertions: Vec<AssertionResult>,
    pub(super) thresholds: Vec<Outcome>,
    /// What does not hold, in words.
    pub(super) failed: Vec<String>,
    pub(super) aborted_by: Option<AbortedBy>,
}

/// The verdicts at the run's end.
pub(super) fn verdicts(plan: &Plan, book: &Book, judging: &Judging, ending: &Ending) -> Verdicts {
    let outcomes = judging.outcomes(book.ended_at());
    let aborted_by = judging
        .abort()
        .filter(|_| *ending == Ending::ThresholdCrossed)
        .and_then(|decision| {
            let outcome = outcomes.get(decision.threshold)?;
            Some(AbortedBy {
                metric: outcome.metric.clone(),
                threshold: outcome.threshold.clone(),
                actual: decision.actual,
                at_ms: decision.at.as_ms(),
            })
        });
    let mut verdicts = Verdicts {
        assertions: Vec::new(),
        thresholds: Vec::new(),
        failed: Vec::new(),
        aborted_by,
    };
    for (requirement, outcome) in plan.metering().requirements().iter().zip(outcomes) {
        let assertion = match requirement.source {
            RequirementSource::Assertion(place) => plan.assertions().get(place),
            RequirementSource::Threshold
            | RequirementSource::LatencyLimit
            | RequirementSource::Monitoring => None,
        };
        let failed = !outcome.verdict.passed();
        if let Some(assertion) = assertion {
            if failed {
                verdicts.failed.push(assertion.explain(outcome.verdict));
            }
            verdicts.assertions.push(AssertionResult {
                assertion: *assertion,
                outcome: outcome.verdict,
            });
        } else {
            if failed {
                verdicts.failed.push(explain(&outcome));
            }
            verdicts.thresholds.push(outcome);
        }
    }
    // What aborted the run may hold again in the seconds that it took to stop.
    if let Some(by) = &verdicts.aborted_by {
        let AbortedBy {
            metric,
            threshold,
            actual,
            at_ms,
        } = by;
        verdicts.failed.push(format!(
            "{metric}: {threshold} aborted the run after {} s (actual: {actual})",
            at_ms / 1_000
        ));
    }
    verdicts
}

/// A threshold with its outcome in words: `http_req_failed: rate<0.01 (actual: 0.2)`.
fn explain(outcome: &Outcome) -> String {
    let Outcome {
        metric,
        threshold,
        verdict,
        until,
    } = outcome;
    let outcome = match (verdict, until) {
        (Verdict::NoData, _) => "no data".to_owned(),
        (Verdict::Pass { actual } | Verdict::Fail { actual }, None) => format!("actual: {actual}"),
        (Verdict::Pass { actual } | Verdict::Fail { actual }, Some(until)) => {
            format!("actual: {actual} up to {} s", until.second())
        }
    };
    format!("{metric}: {threshold} ({outcome})")
}

/// The metrics that the scenario defines, over all their series.
pub(super) fn metrics(plan: &Plan, judging: &Judging) -> Vec<MetricResult> {
    let catalog = plan.metering().catalog();
    let custom = catalog.iter().filter(|(id, _)| catalog.is_custom(*id));
    let result = |(metric, definition): (_, &crate::metric::Definition)| {
        let selection = crate::metric::Selection {
            metric,
            filter: TagSet::new(),
            phase: None,
        };
        let value = judging.store().select(&selection).value;
        let in_unit = |steps: f64| definition.contains.in_unit(steps);
        MetricResult {
            name: definition.name.clone(),
            kind: definition.kind,
            contains: definition.contains,
            values: value.map(|value| values(&value, in_unit)),
        }
    };
    custom.map(result).collect()
}

/// The names are those of k6.
pub(super) fn values(value: &Value, in_unit: impl Fn(f64) -> f64) -> MetricValues {
    let number = |number: Option<f64>| number.map(&in_unit);
    let mut values = MetricValues::default();
    match value {
        Value::Counter(sum) => values.count = number(Some(*sum as f64)),
        Value::Gauge(gauge) => {
            values.value = number(Some(gauge.value as f64));
            values.min = number(Some(gauge.lowest as f64));
            values.max = number(Some(gauge.highest as f64));
        }
        Value::Rate(rate) => {
            values.matches = Some(rate.matches);
            values.total = Some(rate.total);
            values.rate = rate.fraction();
        }
        Value::Trend(trend) => {
            let percentile = |percent| trend.percentile(Percentile::new(percent)?);
            values.total = Some(trend.count());
            values.avg = number(trend.average());
            values.min = number(trend.lowest().map(|steps| steps as f64));
            values.max = number(trend.highest().map(|steps| steps as f64));
            values.p50 = number(percentile(50.0));
            values.p90 = number(percentile(90.0));
            values.p95 = number(percentile(95.0));
            values.p99 = number(percentile(99.0));
        }
    }
    values
}
