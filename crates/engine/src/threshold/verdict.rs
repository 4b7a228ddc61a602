//! What a threshold measures, and when there is nothing to measure.
//!
//! A Trend, Rate or Gauge without samples has no value: the verdict is "no data", which fails. (k6 takes the
//! value 0 of an empty Trend, and lets a threshold pass whose metric has no data.) A Counter is different: that
//! the batches never counted a thing is knowledge, so its value is 0, with any tags, as soon as the run itself
//! has produced data; in a run that produced nothing it has no value. Thus `iterations{scenario:x}: count==0`
//! passes as in k6 when other scenarios ran. A Counter that the target feeds has no value until it comes.
//! A rate per second has no value before time has passed.

use super::bind::Threshold;
use super::expression::Method;
use crate::assertion::Verdict;
use crate::metric::{Percentile, Selected, Value};
use crate::tick::Span;

impl Threshold {
    /// The measured value in the metric's unit, `None` without data.
    pub(super) fn measure(
        &self,
        selected: &Selected,
        elapsed: Span,
        run_has_data: bool,
    ) -> Option<f64> {
        let zero = Value::Counter(0);
        let silent_zero = (self.zero_when_silent && run_has_data).then_some(&zero);
        let value = selected.value.as_ref().or(silent_zero);
        let value = value.filter(|_| selected.complete)?;
        let steps = match (self.expression.method, value) {
            (Method::Count, Value::Counter(sum)) => *sum as f64,
            (Method::Rate, Value::Counter(sum)) => {
                (!elapsed.is_zero()).then(|| *sum as f64 / elapsed.as_secs_f64())?
            }
            (Method::Rate, Value::Rate(rate)) => return rate.fraction(),
            (Method::Value, Value::Gauge(gauge)) => gauge.value as f64,
            (Method::Lowest, Value::Gauge(gauge)) => gauge.lowest as f64,
            (Method::Highest, Value::Gauge(gauge)) => gauge.highest as f64,
            (Method::Average, Value::Trend(trend)) => trend.average()?,
            (Method::Lowest, Value::Trend(trend)) => trend.lowest()? as f64,
            (Method::Highest, Value::Trend(trend)) => trend.highest()? as f64,
            (Method::Median, Value::Trend(trend)) => trend.percentile(Percentile::MEDIAN)?,
            (Method::Percentile(percentile), Value::Trend(trend)) => {
                trend.percentile(percentile)?
            }
            _ => return None, // methods that do not fit the metric are refused when they are bound
        };
        Some(self.contains.in_unit(steps))
    }

    /// The verdict on a measured value.
    #[must_use]
    pub fn verdict(&self, actual: Option<f64>) -> Verdict {
        let expression = &self.expression;
        match actual {
            None => Verdict::NoData,
            Some(actual) if expression.operator.holds(actual, expression.limit) => {
                Verdict::Pass { actual }
            }
            Some(actual) => Verdict::Fail { actual },
        }
    }
}
