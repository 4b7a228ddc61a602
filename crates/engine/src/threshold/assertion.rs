//! The spec's assertions as thresholds.

use super::bind::{Threshold, ThresholdError};
use super::expression::{Expression, Method, Operator, Scope};
use super::key::MetricKey;
use crate::assertion::{Assertion, MetricType, Operator as Sign};
use crate::metric::{Catalog, Percentile, TagSet};
use crate::phase::Phase;

/// The threshold that says what an assertion says: latency is the response time, from the planned start; as
/// in the spec, throughput and error rate are those of the steady state, of the whole run when the plan has no
/// steady state.
///
/// # Errors
/// The assertion's value is not a finite number.
pub fn threshold_of(
    assertion: &Assertion,
    has_steady_state: bool,
    catalog: &Catalog,
) -> Result<Threshold, ThresholdError> {
    let percentile = |percent| Percentile::new(percent).map_or(Method::Median, Method::Percentile);
    let (metric, method, steady) = match assertion.metric {
        MetricType::ThroughputRequestsPerSec => ("http_reqs", Method::Rate, true),
        MetricType::P50LatencyMs => ("response_time", Method::Median, false),
        MetricType::P95LatencyMs => ("response_time", percentile(95.0), false),
        MetricType::P99LatencyMs => ("response_time", percentile(99.0), false),
        MetricType::ErrorRate => ("http_req_failed", Method::Rate, true),
        MetricType::DoWakeRate => ("do_wake_rate", Method::Rate, false),
        MetricType::D1QueueDepth => ("d1_queue_depth", percentile(95.0), false),
    };
    let operator = match assertion.operator {
        Sign::Above => Operator::Above,
        Sign::Below => Operator::Below,
        Sign::Equal => Operator::Equal,
        Sign::AtLeast => Operator::AtLeast,
        Sign::AtMost => Operator::AtMost,
    };
    if !assertion.value.is_finite() {
        let limit = assertion.value.to_string();
        return Err(super::expression::ExpressionError::Limit(limit).into());
    }
    let key = MetricKey {
        name: metric.to_owned(),
        filter: TagSet::new(),
    };
    let expression = Expression {
        method,
        operator,
        limit: assertion.value,
        scope: Scope {
            phase: (steady && has_steady_state).then_some(Phase::SteadyState),
            ..Scope::default()
        },
    };
    Threshold::new(&key, expression, catalog, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assertions_are_thresholds_underneath() {
        for (json, key, source) in [
            (
                r#"{"metric":"throughput_requests_per_sec","operator":">=","value":100}"#,
                "http_reqs",
                "rate>=100 in steady_state",
            ),
            (
                r#"{"metric":"p50_latency_ms","operator":"<","value":50}"#,
                "response_time",
                "med<50",
            ),
            (
                r#"{"metric":"p95_latency_ms","operator":"<=","value":200.5}"#,
                "response_time",
                "p(95)<=200.5",
            ),
            (
                r#"{"metric":"p99_latency_ms","operator":"<","value":500}"#,
                "response_time",
                "p(99)<500",
            ),
            (
                r#"{"metric":"error_rate","operator":"=","value":0}"#,
                "http_req_failed",
                "rate==0 in steady_state",
            ),
            (
                r#"{"metric":"do_wake_rate","operator":"<","value":0.3}"#,
                "do_wake_rate",
                "rate<0.3",
            ),
            (
                r#"{"metric":"d1_queue_depth","operator":">","value":1}"#,
                "d1_queue_depth",
                "p(95)>1",
            ),
        ] {
            let assertion: Assertion = serde_json::from_str(json).unwrap();
            let threshold = threshold_of(&assertion, true, &Catalog::default()).unwrap();
            assert_eq!((threshold.key(), threshold.source()), (key, source));
            let reread: Expression = source.parse().unwrap();
            assert_eq!(*threshold.expression(), reread);
            let whole = threshold_of(&assertion, false, &Catalog::default()).unwrap();
            let source = source.trim_end_matches(" in steady_state");
            assert_eq!(whole.source(), source);
        }
    }

    #[test]
    fn a_value_that_is_no_number_is_refused() {
        let assertion = Assertion {
            metric: MetricType::ErrorRate,
            operator: Sign::Below,
            value: f64::NAN,
        };
        assert!(threshold_of(&assertion, true, &Catalog::default()).is_err());
    }
}
