//! What must hold for a run to pass, whoever asked for it.

use crate::metric::{Catalog, Percentile, TagSet};
use crate::plan::Plan;
use crate::scenario::LatencyLimits;
use crate::threshold::{Expression, Method, MetricKey, Operator, Scope, Threshold};

use super::builtin::{GROUP, NAME};

/// How many requirements a plan may have: each is asked of all series at the run's end.
pub const REQUIREMENTS_MAX: usize = 1_000;

/// A threshold, and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// What must hold.
    pub threshold: Threshold,
    /// Who asks for it.
    pub source: RequirementSource,
}

/// Where a requirement comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequirementSource {
    /// One of the scenario's `assertions`, by its place.
    Assertion(usize),
    /// The scenario's `thresholds`.
    Threshold,
    /// A step's `expect.latencyMs`.
    LatencyLimit,
    /// A bound of a series of the scenario's `monitoring`, or of its growth.
    Monitoring,
}

/// The limits that the steps of a plan set for their response times, as thresholds.
pub(crate) fn latency_limits(plan: &Plan, catalog: &Catalog) -> Vec<Requirement> {
    let mut requirements = Vec::new();
    for application in &plan.applications {
        for step in &application.steps {
            let filter = [(GROUP, &application.name), (NAME, &step.name)];
            let key = MetricKey {
                name: "response_time".to_owned(),
                filter: filter.into_iter().collect::<TagSet>(),
            };
            let limits = limits(step.latency_limits).into_iter();
            requirements.extend(limits.filter_map(|(method, limit)| {
                let expression = Expression {
                    method,
                    operator: Operator::AtMost,
                    limit: limit.filter(|limit| limit.is_finite())?,
                    scope: Scope::default(),
                };
                let threshold = Threshold::new(&key, expression, catalog, &[]).ok()?;
                Some(Requirement {
                    threshold,
                    source: RequirementSource::LatencyLimit,
                })
            }));
        }
    }
    requirements
}

fn limits(limits: LatencyLimits) -> [(Method, Option<f64>); 4] {
    let percentile = |percent| Percentile::new(percent).map_or(Method::Median, Method::Percentile);
    let LatencyLimits { p50, p95, p99, max } = limits;
    [
        (percentile(50.0), p50),
        (percentile(95.0), p95),
        (percentile(99.0), p99),
        (Method::Highest, max),
    ]
}
