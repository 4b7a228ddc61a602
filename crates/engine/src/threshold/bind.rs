//! From what a scenario says to thresholds that can be judged.

use std::fmt;

use super::entry::{ThresholdEntry, ThresholdMap};
use super::expression::{Expression, ExpressionError, Method, phase};
use super::key::{KeyError, MetricKey, shown};
use crate::duration::{self, DurationError};
use crate::metric::{
    Catalog, Contains, MetricKind, Origin, Query, Selection, WINDOWED_MAX, WINDOWED_SECONDS_MAX,
    WindowLength,
};
use crate::sorted::SortedMap;
use crate::tick::Span;

/// A threshold on a metric that exists and can be asked so.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    pub(super) key: String,
    pub(super) source: String,
    pub(super) expression: Expression,
    pub(super) query: Query,
    pub(super) contains: Contains,
    pub(super) zero_when_silent: bool, // a Counter of the batches
    pub(super) abort: Option<Abort>,
}

/// When a threshold that does not hold aborts the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort {
    /// The run goes on at least so long; `None` for no delay.
    pub delay: Option<Span>,
}

/// A threshold that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThresholdProblem {
    /// The key it stands under.
    pub key: String,
    /// Its place in the list of the key, `None` when the key itself is wrong.
    pub entry: Option<usize>,
    /// What is wrong.
    pub error: ThresholdError,
}

/// Why a threshold cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// The key cannot be understood.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The expression cannot be understood.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    /// Name a metric of k6, of ours or of the scenario.
    #[error("there is no metric {name:?}: accepted are {accepted}")]
    UnknownMetric {
        /// What was named.
        name: String,
        /// All metrics.
        accepted: String,
    },
    /// Ask the metric what its kind can answer.
    #[error("a {} has no {method}: accepted are {}", .kind.name(), Method::accepted(*.kind))]
    Method {
        /// What was asked.
        method: String,
        /// The metric's kind.
        kind: MetricKind,
    },
    /// Name a phase or a scenario of the plan.
    #[error("{name:?} is neither a phase nor a scenario of this plan: accepted are {accepted}")]
    UnknownScope {
        /// What was named.
        name: String,
        /// All phases and scenarios.
        accepted: String,
    },
    /// Rename the scenario, or select it by its tag.
    #[error(
        "{0:?} is a phase and a scenario: select the scenario by its tag, as in metric{{scenario:{0}}}"
    )]
    AmbiguousScope(String),
    /// Name one scenario.
    #[error("samples of scenario {0:?} are never of scenario {1:?}")]
    TwoScenarios(String, String),
    /// Leave the tags or the scenario out.
    #[error("metric {0} is of the whole run: it has neither tags nor scenarios")]
    WholeRun(String),
    /// `delayAbortEval` is not a duration.
    #[error("delayAbortEval: {0}")]
    Delay(DurationError),
    /// Use fewer or shorter sliding windows.
    #[error(
        "the sliding windows are too many or too long: accepted are those on {WINDOWED_MAX} different selections of samples, whose longest windows add up to {WINDOWED_SECONDS_MAX}s"
    )]
    TooManyWindows,
}

impl Threshold {
    /// The metric with its tags, as written.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The expression, as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The expression, as understood.
    #[must_use]
    pub const fn expression(&self) -> &Expression {
        &self.expression
    }

    /// What it asks of the metrics.
    #[must_use]
    pub const fn query(&self) -> &Query {
        &self.query
    }

    /// Whether and when it aborts the run.
    #[must_use]
    pub const fn abort(&self) -> Option<Abort> {
        self.abort
    }

    /// A threshold that never aborts the run.
    ///
    /// # Errors
    /// There is no such metric, or it cannot be asked so.
    pub fn new(
        key: &MetricKey,
        expression: Expression,
        catalog: &Catalog,
        scenarios: &[&str],
    ) -> Result<Self, ThresholdError> {
        let definition = |id| Some((id, catalog.definition(id)?));
        let (metric, definition) = catalog
            .id(&key.name)
            .and_then(definition)
            .ok_or_else(|| unknown_metric(&key.name, catalog))?;
        if !expression.method.fits(definition.kind) {
            return Err(ThresholdError::Method {
                method: expression.method.to_string(),
                kind: definition.kind,
            });
        }
        check_scope(&expression, scenarios)?;
        let mut filter = key.filter.clone();
        if let Some(scenario) = &expression.scope.scenario {
            if let Some(other) = filter.get(SCENARIO_TAG).filter(|other| other != scenario) {
                return Err(ThresholdError::TwoScenarios(shown(other), shown(scenario)));
            }
            filter = filter.with(SCENARIO_TAG, scenario);
        }
        if definition.origin == Origin::Run && !filter.is_empty() {
            return Err(ThresholdError::WholeRun(key.name.clone()));
        }
        Ok(Self {
            key: key.to_string(),
            source: expression.to_string(),
            query: Query {
                selection: Selection {
                    metric,
                    filter,
                    phase: expression.scope.phase,
                },
                over: expression.scope.over,
            },
            expression,
            contains: definition.contains,
            zero_when_silent: definition.kind == MetricKind::Counter
                && definition.origin != Origin::Target,
            abort: None,
        })
    }
}

impl Abort {
    /// Whether a failure at this point of the run aborts it: strictly after the delay.
    #[must_use]
    pub fn is_due(self, elapsed: Span) -> bool {
        self.delay.is_none_or(|delay| delay < elapsed)
    }
}

impl ThresholdProblem {
    /// Where, inside `thresholds`: `["http_req_duration{scenario:a}"][0]`.
    #[must_use]
    pub fn path(&self) -> String {
        let place = self.entry.map(|n| format!("[{n}]")).unwrap_or_default();
        format!("[{:?}]{place}", self.key)
    }
}

impl fmt::Display for ThresholdProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thresholds{}: {}", self.path(), self.error)
    }
}

/// Reads all thresholds of a scenario and binds them to the metrics of its plan. Scenarios are those that the
/// plan plays side by side.
///
/// # Errors
/// All that cannot be used.
pub fn bind(
    map: &ThresholdMap,
    catalog: &Catalog,
    scenarios: &[&str],
) -> Result<Vec<Threshold>, Vec<ThresholdProblem>> {
    let mut thresholds = Vec::new();
    let mut problems = Vec::new();
    let mut windows = SortedMap::new();
    for (written, entries) in &map.0 {
        let mut refuse = |entry, error| {
            let key = shown(written);
            problems.push(ThresholdProblem { key, entry, error });
        };
        let key: MetricKey = match written.parse() {
            Ok(key) => key,
            Err(error) => {
                refuse(None, KeyError::into(error));
                continue;
            }
        };
        if catalog.id(&key.name).is_none() {
            refuse(None, unknown_metric(&key.name, catalog)); // once, not for every entry
            continue;
        }
        for (place, entry) in entries.iter().enumerate() {
            let bound = bind_entry(&key, entry, catalog, scenarios).and_then(|threshold| {
                let query = &threshold.query;
                if let Some(length) = query.over {
                    let longest = windows.entry(query.selection.clone()).or_insert(length);
                    *longest = length.max(*longest);
                }
                let seconds = windows.values().copied().map(WindowLength::seconds);
                let seconds = seconds.fold(0, u32::saturating_add);
                if windows.len() > WINDOWED_MAX || seconds > WINDOWED_SECONDS_MAX {
                    return Err(ThresholdError::TooManyWindows);
                }
                Ok(threshold)
            });
            match bound {
                Ok(threshold) => thresholds.push(Threshold {
                    key: written.clone(),
                    ..threshold
                }),
                Err(error) => refuse(Some(place), error),
            }
        }
    }
    if problems.is_empty() {
        Ok(thresholds)
    } else {
        Err(problems)
    }
}

/// What these thresholds will ask of the metrics.
#[must_use]
pub fn queries(thresholds: &[Threshold]) -> Vec<Query> {
    thresholds.iter().map(|t| t.query.clone()).collect()
}

fn bind_entry(
    key: &MetricKey,
    entry: &ThresholdEntry,
    catalog: &Catalog,
    scenarios: &[&str],
) -> Result<Threshold, ThresholdError> {
    let expression = entry.threshold.parse()?;
    let delay = entry.delay_abort_eval.as_deref().map(delay).transpose()?;
    Ok(Threshold {
        source: entry.threshold.clone(),
        abort: entry.abort_on_fail.then_some(Abort { delay }),
        ..Threshold::new(key, expression, catalog, scenarios)?
    })
}

/// A number without a unit means milliseconds, as in k6.
fn delay(text: &str) -> Result<Span, ThresholdError> {
    let bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let span = if bare {
        duration::parse(&format!("{text}ms"))
    } else {
        duration::parse(text)
    };
    span.map_err(ThresholdError::Delay)
}

fn check_scope(expression: &Expression, scenarios: &[&str]) -> Result<(), ThresholdError> {
    let scope = &expression.scope;
    let namesake = |name: &&&str| phase(name).is_some_and(|phase| scope.phase == Some(phase));
    if let Some(name) = scenarios.iter().find(namesake) {
        return Err(ThresholdError::AmbiguousScope(shown(name)));
    }
    match &scope.scenario {
        Some(name) if !scenarios.contains(&name.as_str()) => {
            let phases = crate::phase::Phase::ALL.map(crate::phase::Phase::name);
            Err(ThresholdError::UnknownScope {
                name: shown(name),
                accepted: listed(phases.iter().chain(scenarios).copied()),
            })
        }
        _ => Ok(()),
    }
}

fn unknown_metric(name: &str, catalog: &Catalog) -> ThresholdError {
    ThresholdError::UnknownMetric {
        name: shown(name),
        accepted: listed(catalog.iter().map(|(_, metric)| metric.name.as_str())),
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// The tag that tells which scenario a sample is of.
const SCENARIO_TAG: &str = "scenario";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::CustomMetric;

    fn map(json: &str) -> ThresholdMap {
        serde_json::from_str(json).unwrap()
    }

    fn problems(json: &str) -> Vec<String> {
        let bound = bind(&map(json), &Catalog::default(), &["a", "b-2", "rampUp"]);
        let problems = bound.unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_fits_is_bound() {
        let custom = [CustomMetric {
            name: "queue".to_owned(),
            kind: MetricKind::Gauge,
            contains: Contains::Default,
        }];
        let catalog = Catalog::new(&custom).unwrap();
        let map = map(r#"{
            "http_req_duration{ status : '200' }": ["p(95) < 500 over 30s in a", "max<9e3"],
            "queue": [{"threshold":"value<5","abortOnFail":true,"delayAbortEval":"1500"}]
        }"#);
        let thresholds = bind(&map, &catalog, &["a"]).unwrap();
        let [first, second, third] = thresholds.as_slice() else {
            panic!("{thresholds:?}");
        };
        assert_eq!(first.key(), "http_req_duration{ status : '200' }");
        assert_eq!(first.source(), "p(95) < 500 over 30s in a");
        let filter = &first.query().selection.filter;
        assert_eq!(filter.to_string(), "scenario:a,status:200");
        assert_eq!(first.query().over.map(WindowLength::seconds), Some(30));
        assert_eq!(second.query().selection.filter.to_string(), "status:200");
        let abort = third.abort().unwrap();
        assert_eq!(abort.delay, Some(Span::from_ms(1_500))); // a bare number: milliseconds
        assert_eq!(queries(&thresholds).len(), 3);
    }

    #[test]
    fn an_abort_is_due_strictly_after_its_delay() {
        for (delay_ms, elapsed_ms, due) in [
            (None, 0, true),
            (Some(0), 0, false),
            (Some(1_000), 1_500, true),
            (Some(2_000), 1_500, false),
            (Some(1_500), 1_500, false),
        ] {
            let delay = delay_ms.map(Span::from_ms);
            let abort = Abort { delay };
            assert_eq!(abort.is_due(Span::from_ms(elapsed_ms)), due);
        }
    }

    #[test]
    fn all_problems_are_told_with_their_place() {
        let found = problems(
            r#"{
            "http_reqs": ["count>1", "p(95)<3", "foo>1", "rate>1 in peak in c"],
            "http_reqs{a": ["count>1"],
            "no_such": ["count>1", "rate>2"],
            "http_req_failed": ["count<1"],
            "vus": ["avg>1", {"threshold":"value>1","abortOnFail":true,"delayAbortEval":"soon"}],
            "checks{scenario:a}": ["rate>0.9 in b-2", "rate>0.9 in a"],
            "response_time": ["rate>0.9", "max<5 in ramp_up"],
            "vus{scenario:a}": ["value<5"], "vus_max": ["value<5 in peak in a"]
        }"#,
        );
        for (problem, (place, message)) in found.iter().zip([
            (
                r#"["http_reqs"][1]"#,
                "a counter has no p(95): accepted are count and rate",
            ),
            (r#"["http_reqs"][2]"#, "unknown method \"foo\""),
            (
                r#"["http_reqs"][3]"#,
                "accepted are ramp_up, peak, steady_state, ramp_down, a, b-2",
            ),
            (r#"["http_reqs{a"]"#, "unmatched curly brace"),
            (
                r#"["no_such"]"#,
                "there is no metric \"no_such\": accepted are vus, vus_max, iter",
            ),
            (
                r#"["http_req_failed"][0]"#,
                "a rate has no count: accepted are rate",
            ),
            (r#"["vus"][0]"#, "a gauge has no avg: accepted are value"),
            (
                r#"["vus"][1]"#,
                "delayAbortEval: \"soon\" is not a duration",
            ),
            (
                r#"["checks{scenario:a}"][0]"#,
                "samples of scenario \"a\" are never of scenario",
            ),
            (
                r#"["response_time"][0]"#,
                "a trend has no rate: accepted are avg, min, max, med",
            ),
            (
                r#"["response_time"][1]"#,
                "\"rampUp\" is a phase and a scenario",
            ),
            (
                r#"["vus{scenario:a}"][0]"#,
                "metric vus is of the whole run",
            ),
            (r#"["vus_max"][0]"#, "metric vus_max is of the whole run"),
        ]) {
            assert!(
                problem.starts_with(&format!("thresholds{place}: ")),
                "{problem}"
            );
            assert!(problem.contains(message), "{problem}");
        }
        assert_eq!(found.len(), 13);
    }

    #[test]
    fn sliding_windows_are_bounded() {
        let one =
            |i: usize| format!(r#""http_reqs{{t:{i}}}":["rate>1 over 5s","count>1 over 9s"]"#);
        let json = |n: usize| format!("{{{}}}", (0..n).map(one).collect::<Vec<_>>().join(","));
        let catalog = Catalog::default();
        assert!(bind(&map(&json(WINDOWED_MAX)), &catalog, &[]).is_ok());
        let problems = bind(&map(&json(WINDOWED_MAX + 1)), &catalog, &[]).unwrap_err();
        assert_eq!(problems[0].error, ThresholdError::TooManyWindows);
        let long = r#"{"checks":["rate>1 over 10m","rate>0 over 10m"],"vus":["value>1 over 10m"],"http_reqs":["count>1 over 1s"]}"#;
        let problems = bind(&map(long), &catalog, &[]).unwrap_err();
        assert_eq!(problems[0].path(), r#"["http_reqs"][0]"#);
    }
}
