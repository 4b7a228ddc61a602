//! Assertions: what must hold for a run to pass. They are judged as [thresholds](crate::threshold::threshold_of).
//!
//! Invariant: a metric that was never measured fails the assertion that asks for it. Silence is never
//! taken for zero.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far apart two numbers may be and still count as equal, relative to the larger of them and 1. Measured
/// values are quotients and percentiles: exact equality would fail on the last binary digit.
pub const EQUALITY_TOLERANCE: f64 = 1e-9;

/// What `actual_value` holds in the database when nothing was measured: the column must not be null, and no
/// metric can be negative.
pub const NO_DATA_VALUE: f64 = -1.0;

/// One assertion of a scenario (the spec's `Assertion`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Assertion {
    /// What is compared.
    pub metric: MetricType,
    /// How.
    pub operator: Operator,
    /// What it is compared with, in the metric's unit.
    pub value: f64,
}

/// What an assertion can be about (the spec's `MetricType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum MetricType {
    /// Requests that ended per second of the steady state; of the whole run when the plan has no steady state.
    #[serde(rename = "throughput_requests_per_sec")]
    ThroughputRequestsPerSec,
    /// The median response time of the whole run, in milliseconds.
    #[serde(rename = "p50_latency_ms")]
    P50LatencyMs,
    /// The 95th percentile of the response time of the whole run, in milliseconds.
    #[serde(rename = "p95_latency_ms")]
    P95LatencyMs,
    /// The 99th percentile of the response time of the whole run, in milliseconds.
    #[serde(rename = "p99_latency_ms")]
    P99LatencyMs,
    /// Failed requests as a fraction of those that ended in the steady state; of the whole run when the plan
    /// has no steady state.
    #[serde(rename = "error_rate")]
    ErrorRate,
    /// Calls that had to wake a Durable Object as a fraction of all reported calls to Durable Objects.
    #[serde(rename = "do_wake_rate")]
    DoWakeRate,
    /// The 95th percentile of the number of D1 calls that were already in flight when a call started.
    #[serde(rename = "d1_queue_depth")]
    D1QueueDepth,
}

/// How an assertion compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Operator {
    /// Above.
    #[serde(rename = ">")]
    Above,
    /// Below.
    #[serde(rename = "<")]
    Below,
    /// Equal to within [`EQUALITY_TOLERANCE`].
    #[serde(rename = "=")]
    Equal,
    /// At or above.
    #[serde(rename = ">=")]
    AtLeast,
    /// At or below.
    #[serde(rename = "<=")]
    AtMost,
}

/// What became of an assertion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// It holds.
    Pass {
        /// The measured value.
        actual: f64,
    },
    /// It does not hold.
    Fail {
        /// The measured value.
        actual: f64,
    },
    /// The metric was never measured, which fails the run.
    NoData,
}

impl Assertion {
    /// The assertion with its outcome in words, as in the spec: `error_rate < 0.01 (actual: 0.2)`.
    #[must_use]
    pub fn explain(&self, verdict: Verdict) -> String {
        match verdict.actual() {
            Some(actual) => format!("{self} (actual: {actual})"),
            None => format!("{self} (no data)"),
        }
    }
}

impl Verdict {
    /// Whether the assertion holds.
    #[must_use]
    pub const fn passed(self) -> bool {
        matches!(self, Self::Pass { .. })
    }

    /// The measured value, `None` without data.
    #[must_use]
    pub const fn actual(self) -> Option<f64> {
        match self {
            Self::Pass { actual } | Self::Fail { actual } => Some(actual),
            Self::NoData => None,
        }
    }

    /// `pass`, `fail` or `no_data`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass { .. } => "pass",
            Self::Fail { .. } => "fail",
            Self::NoData => "no_data",
        }
    }
}

impl MetricType {
    /// All metrics.
    pub const ALL: [Self; 7] = [
        Self::ThroughputRequestsPerSec,
        Self::P50LatencyMs,
        Self::P95LatencyMs,
        Self::P99LatencyMs,
        Self::ErrorRate,
        Self::DoWakeRate,
        Self::D1QueueDepth,
    ];

    /// The name in the scenario and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ThroughputRequestsPerSec => "throughput_requests_per_sec",
            Self::P50LatencyMs => "p50_latency_ms",
            Self::P95LatencyMs => "p95_latency_ms",
            Self::P99LatencyMs => "p99_latency_ms",
            Self::ErrorRate => "error_rate",
            Self::DoWakeRate => "do_wake_rate",
            Self::D1QueueDepth => "d1_queue_depth",
        }
    }
}

impl Operator {
    /// All operators.
    pub const ALL: [Self; 5] = [
        Self::Above,
        Self::Below,
        Self::Equal,
        Self::AtLeast,
        Self::AtMost,
    ];

    /// The sign in the scenario and in the database.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::Below => "<",
            Self::Equal => "=",
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
        }
    }

    /// Whether `actual` compares to `expected` in this way. Nothing compares to a value that is not a number.
    #[must_use]
    pub fn holds(self, actual: f64, expected: f64) -> bool {
        match self {
            Self::Above => actual > expected,
            Self::Below => actual < expected,
            Self::Equal => {
                let scale = actual.abs().max(expected.abs()).max(1.0);
                (actual - expected).abs() <= EQUALITY_TOLERANCE * scale
            }
            Self::AtLeast => actual >= expected,
            Self::AtMost => actual <= expected,
        }
    }
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.metric, self.operator, self.value)
    }
}

impl fmt::Display for MetricType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sign())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_spec() {
        for metric in MetricType::ALL {
            let json = serde_json::to_string(&metric).unwrap();
            assert_eq!(json, format!("\"{metric}\""));
        }
        for operator in Operator::ALL {
            let json = serde_json::to_string(&operator).unwrap();
            assert_eq!(json, format!("\"{operator}\""));
        }
    }

    #[test]
    fn each_operator_compares_as_it_reads() {
        let held = |actual: f64, expected: f64| {
            Operator::ALL
                .into_iter()
                .filter(|operator| operator.holds(actual, expected))
                .map(Operator::sign)
                .collect::<Vec<_>>()
        };
        assert_eq!(held(1.0, 2.0), ["<", "<="]);
        assert_eq!(held(2.0, 1.0), [">", ">="]);
        assert_eq!(held(2.0, 2.0), ["=", ">=", "<="]);
        assert_eq!(held(0.1 + 0.2, 0.3), [">", "=", ">="]);
        assert!(held(f64::NAN, 1.0).is_empty());
        assert!(held(1.0, f64::NAN).is_empty());
    }

    #[test]
    fn outcomes_read_as_in_the_spec() {
        let assertion: Assertion =
            serde_json::from_str(r#"{"metric":"error_rate","operator":"<","value":0.01}"#).unwrap();
        assert_eq!(
            assertion.explain(Verdict::Fail { actual: 0.2 }),
            "error_rate < 0.01 (actual: 0.2)"
        );
        assert_eq!(
            assertion.explain(Verdict::NoData),
            "error_rate < 0.01 (no data)"
        );
    }

    #[test]
    fn unknown_names_and_signs_are_refused() {
        for json in [
            r#"{"metric":"p42_latency_ms","operator":"<","value":1}"#,
            r#"{"metric":"error_rate","operator":"!=","value":1}"#,
            r#"{"metric":"error_rate","operator":"<","value":1,"extra":0}"#,
        ] {
            assert!(serde_json::from_str::<Assertion>(json).is_err(), "{json}");
        }
    }
}
