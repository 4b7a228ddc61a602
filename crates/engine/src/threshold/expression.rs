//! The expressions of `thresholds`: `p(95)<500`, and beyond k6 `p(95)<500 over 30s in peak`.
//!
//! ```text
//! expression := method operator number clause*
//! method     := count | rate | value | avg | min | max | med | p(number from 0 to 100)
//! operator   := <= | < | >= | > | === | == | !=        looked for in this order, as in k6
//! clause     := over DURATION | in PHASE | in SCENARIO  each at most once, in any order
//! ```

use std::fmt;
use std::str::FromStr;

use super::key::shown;
use crate::duration;
use crate::metric::{MetricKind, Percentile, WINDOW_MAX_S, WindowLength};
use crate::phase::Phase;

/// What must hold for a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// What is asked of the metric.
    pub method: Method,
    /// How it is compared.
    pub operator: Operator,
    /// What it is compared with, in the metric's unit; finite.
    pub limit: f64,
    /// Which samples.
    pub scope: Scope,
}

/// What is asked of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// The sum of a Counter.
    Count,
    /// The sum of a Counter per second, or the fraction of a Rate.
    Rate,
    /// The latest value of a Gauge.
    Value,
    /// The average of a Trend.
    Average,
    /// The lowest sample of a Trend.
    Lowest,
    /// The highest sample of a Trend.
    Highest,
    /// The median of a Trend.
    Median,
    /// A percentile of a Trend.
    Percentile(Percentile),
}

/// How a value is compared with the limit. Equality allows for the last binary digits of a quotient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<=`
    AtMost,
    /// `<`
    Below,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
    /// `===`, which means the same as `==`.
    StrictlyEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

/// Which samples an expression is about; by default all of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Every stretch of this length, instead of the whole.
    pub over: Option<WindowLength>,
    /// Only this phase.
    pub phase: Option<Phase>,
    /// Only this scenario. Whether there is such a scenario is not known here.
    pub scenario: Option<String>,
}

/// An expression that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// Compare with something.
    #[error("{0:?} has no operator: accepted are <= < >= > === == and !=")]
    Operator(String),
    /// Ask for something else.
    #[error("unknown method {0:?}: accepted are count, rate, value, avg, min, max, med and p(N)")]
    Method(String),
    /// Ask for a percentile from 0 to 100.
    #[error("{0:?} is not a percentile: accepted is p(N) with N from 0 to 100, such as p(99.9)")]
    Percentile(String),
    /// Compare with a number.
    #[error("{0:?} is not a number to compare with: accepted are finite decimal numbers")]
    Limit(String),
    /// Leave it out, or say it otherwise.
    #[error(
        "{0:?} after the number is not understood: accepted are \"over 30s\" and \"in\" with a phase or a scenario"
    )]
    Clause(String),
    /// Say it once.
    #[error("{0:?} stands twice")]
    Twice(String),
    /// Choose a length in range.
    #[error(
        "{0:?} is not the length of a window: accepted are whole seconds from 1s to {WINDOW_MAX_S}s, such as 30s or 1m30s"
    )]
    Window(String),
    /// Name a phase or a scenario.
    #[error(
        "{0:?} is neither a phase (ramp_up, peak, steady_state, ramp_down) nor the name of a scenario (letters, digits, _ and -)"
    )]
    ScopeName(String),
}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let (method, operator, rest) = Operator::ALL
            .into_iter()
            .find_map(|operator| {
                let (method, rest) = text.split_once(operator.symbol())?;
                Some((method, operator, rest))
            })
            .ok_or_else(|| ExpressionError::Operator(shown(text)))?;
        let mut words = rest.split_whitespace();
        let limit = words.next().unwrap_or_default();
        Ok(Self {
            method: method.trim().parse()?,
            operator,
            limit: number(limit).ok_or_else(|| ExpressionError::Limit(shown(limit)))?,
            scope: scope(words)?,
        })
    }
}

/// Without spaces around the operator, `over` first: reads back as the same expression.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            method,
            operator,
            limit,
            scope,
        } = self;
        write!(f, "{method}{}{limit}", operator.symbol())?;
        if let Some(over) = scope.over {
            write!(f, " over {}", duration::Written(over.span()))?;
        }
        if let Some(phase) = scope.phase {
            write!(f, " in {}", phase.name())?;
        }
        if let Some(scenario) = &scope.scenario {
            write!(f, " in {scenario}")?;
        }
        Ok(())
    }
}

impl FromStr for Method {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        if let Some(rest) = text.strip_prefix("p(") {
            return rest
                .strip_suffix(')')
                .and_then(number)
                .and_then(Percentile::new)
                .map(Self::Percentile)
                .ok_or_else(|| ExpressionError::Percentile(shown(text)));
        }
        Self::NAMED
            .into_iter()
            .find(|(name, _)| *name == text)
            .map(|(_, method)| method)
            .ok_or_else(|| ExpressionError::Method(shown(text)))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Percentile(percentile) = self {
            return percentile.fmt(f);
        }
        let named = Self::NAMED.into_iter().find(|(_, method)| method == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

impl Method {
    const NAMED: [(&str, Self); 7] = [
        ("count", Self::Count),
        ("rate", Self::Rate),
        ("value", Self::Value),
        ("avg", Self::Average),
        ("min", Self::Lowest),
        ("max", Self::Highest),
        ("med", Self::Median),
    ];

    /// Whether a metric of this kind can be asked so.
    #[must_use]
    pub const fn fits(self, kind: MetricKind) -> bool {
        match self {
            Self::Count => matches!(kind, MetricKind::Counter),
            Self::Rate => matches!(kind, MetricKind::Counter | MetricKind::Rate),
            Self::Value => matches!(kind, MetricKind::Gauge),
            Self::Lowest | Self::Highest => matches!(kind, MetricKind::Gauge | MetricKind::Trend),
            Self::Average | Self::Median | Self::Percentile(_) => {
                matches!(kind, MetricKind::Trend)
            }
        }
    }

    /// What a metric of this kind can be asked, in words.
    #[must_use]
    pub const fn accepted(kind: MetricKind) -> &'static str {
        match kind {
            MetricKind::Counter => "count and rate",
            MetricKind::Gauge => "value, min and max",
            MetricKind::Rate => "rate",
            MetricKind::Trend => "avg, min, max, med and p(N)",
        }
    }
}

impl Operator {
    /// In the order in which they are looked for: a longer one before its own beginning.
    const ALL: [Self; 7] = [
        Self::AtMost,
        Self::Below,
        Self::AtLeast,
        Self::Above,
        Self::StrictlyEqual,
        Self::Equal,
        Self::NotEqual,
    ];

    /// The symbol.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::AtMost => "<=",
            Self::Below => "<",
            Self::AtLeast => ">=",
            Self::Above => ">",
            Self::StrictlyEqual => "===",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }

    /// Whether the comparison holds.
    #[must_use]
    pub fn holds(self, actual: f64, limit: f64) -> bool {
        match self {
            Self::AtMost => actual <= limit,
            Self::Below => actual < limit,
            Self::AtLeast => actual >= limit,
            Self::Above => actual > limit,
            Self::StrictlyEqual | Self::Equal => is_equal(actual, limit),
            Self::NotEqual => !is_equal(actual, limit),
        }
    }

    /// How bad a value is: of two values the one with the higher number is nearer to failing, or fails by more.
    pub(super) fn badness(self, actual: f64, limit: f64) -> f64 {
        match self {
            Self::AtMost | Self::Below => actual,
            Self::AtLeast | Self::Above => -actual,
            Self::StrictlyEqual | Self::Equal => (actual - limit).abs(),
            Self::NotEqual => -(actual - limit).abs(),
        }
    }
}

/// Counts are compared exactly: the tolerance never reaches 1.
fn is_equal(a: f64, b: f64) -> bool {
    let tolerance = (1e-9 * a.abs().max(b.abs()).max(1.0)).min(1e-6);
    (a - b).abs() <= tolerance
}

/// A finite decimal number; neither `inf` nor `NaN`, which Rust would read as well.
fn number(text: &str) -> Option<f64> {
    let decimal = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
    let number: f64 = text.bytes().all(decimal).then(|| text.parse().ok())??;
    number.is_finite().then_some(number)
}

fn scope<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Scope, ExpressionError> {
    let mut scope = Scope::default();
    while let Some(word) = words.next() {
        let what = words.next();
        let twice = || ExpressionError::Twice(shown(word));
        match (word, what) {
            ("over", Some(length)) => {
                let window = Some(length)
                    .filter(|text| text.bytes().any(|b| b.is_ascii_alphabetic()))
                    .and_then(|text| duration::parse(text).ok())
                    .and_then(WindowLength::new)
                    .ok_or_else(|| ExpressionError::Window(shown(length)))?;
                if scope.over.replace(window).is_some() {
                    return Err(twice());
                }
            }
            ("in", Some(name)) => {
                let known = if let Some(phase) = phase(name) {
                    scope.phase.replace(phase).is_some()
                } else if is_scenario_name(name) {
                    scope.scenario.replace(name.to_owned()).is_some()
                } else {
                    return Err(ExpressionError::ScopeName(shown(name)));
                };
                if known {
                    return Err(twice());
                }
            }
            _ => {
                let clause = what.map_or_else(|| word.to_owned(), |what| format!("{word} {what}"));
                return Err(ExpressionError::Clause(shown(&clause)));
            }
        }
    }
    Ok(scope)
}

/// The phase of this name, in the spelling of the database or of the scenario's `userProfile`.
pub(super) fn phase(name: &str) -> Option<Phase> {
    let camel_case = match name {
        "rampUp" => Some(Phase::RampUp),
        "steadyState" => Some(Phase::SteadyState),
        "rampDown" => Some(Phase::RampDown),
        _ => None,
    };
    camel_case.or_else(|| Phase::ALL.into_iter().find(|phase| phase.name() == name))
}

/// k6's rule for names of scenarios.
fn is_scenario_name(name: &str) -> bool {
    let accepted = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    !name.is_empty() && name.bytes().all(accepted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Expression, ExpressionError> {
        text.parse()
    }

    #[test]
    fn all_methods_and_operators_are_read() {
        for (text, written) in [
            ("count>20", "count>20"),
            ("  rate  <=  0.01  ", "rate<=0.01"),
            ("value>=-1", "value>=-1"),
            ("avg<.5", "avg<0.5"),
            ("min===+1.", "min===1"),
            ("max==1e3", "max==1000"),
            ("med!=0", "med!=0"),
            ("p(0)<1", "p(0)<1"),
            ("p(100)<1", "p(100)<1"),
            ("p(99.9)<1\t", "p(99.9)<1"),
            ("p(9.5e1)<1", "p(95)<1"),
            ("p(95)<500 over 30s", "p(95)<500 over 30s"),
            ("p(95)<500 over 90s in peak", "p(95)<500 over 1m30s in peak"),
            ("p(95)<500 in peak over 10m", "p(95)<500 over 10m in peak"),
            ("p(95)<500   in  steadyState", "p(95)<500 in steady_state"),
            (
                "rate>5 in check-out in ramp_up",
                "rate>5 in ramp_up in check-out",
            ),
        ] {
            let expression = parse(text).expect(text);
            assert_eq!(expression.to_string(), written);
            assert_eq!(parse(written), Ok(expression));
        }
    }

    #[test]
    fn other_expressions_are_refused() {
        use ExpressionError::{
            Clause, Limit, Method, Operator, Percentile, ScopeName, Twice, Window,
        };
        fn own(error: fn(String) -> ExpressionError, text: &str) -> ExpressionError {
            error(text.to_owned())
        }
        for (text, error) in [
            ("count!20", own(Operator, "count!20")),
            ("count=20", own(Operator, "count=20")),
            ("", own(Operator, "")),
            ("foo>20", own(Method, "foo")),
            (">20", own(Method, "")),
            ("p>20", own(Method, "p")),
            ("p95>20", own(Method, "p95")),
            ("Count>20", own(Method, "Count")),
            ("count>1<=2", own(Method, "count>1")), // the first operator in order decides
            ("count=>2", own(Method, "count=")),
            ("count>abc", own(Limit, "abc")),
            ("count>", own(Limit, "")),
            ("count!==1", own(Method, "count!")),
            ("count>NaN", own(Limit, "NaN")),
            ("count>inf", own(Limit, "inf")),
            ("count>1e999", own(Limit, "1e999")),
            ("count>1_000", own(Limit, "1_000")),
            ("count>0x10", own(Limit, "0x10")),
            ("p()<1", own(Percentile, "p()")),
            ("p(99<1", own(Percentile, "p(99")),
            ("p(foo)<1", own(Percentile, "p(foo)")),
            ("p(-1)<1", own(Percentile, "p(-1)")),
            ("p(101)<1", own(Percentile, "p(101)")),
            ("p(NaN)<1", own(Percentile, "p(NaN)")),
            ("p(+Inf)<1", own(Percentile, "p(+Inf)")),
            ("p( 95 )<1", own(Percentile, "p( 95 )")),
            ("count>1 2", own(Clause, "2")),
            ("count>1 over", own(Clause, "over")),
            ("count>1 during peak", own(Clause, "during peak")),
            ("count>1 over 5", own(Window, "5")), // seconds or milliseconds?
            ("count>1 over 0s", own(Window, "0s")),
            ("count>1 over 500ms", own(Window, "500ms")),
            ("count>1 over 601s", own(Window, "601s")),
            ("count>1 over 1s over 2s", own(Twice, "over")),
            ("count>1 in peak in peak", own(Twice, "in")),
            ("count>1 in a in b", own(Twice, "in")),
            ("count>1 in a:b", own(ScopeName, "a:b")),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn each_kind_has_its_methods() {
        use MetricKind::{Counter, Gauge, Rate, Trend};
        for (method, kinds) in [
            ("count", &[Counter][..]),
            ("rate", &[Counter, Rate]),
            ("value", &[Gauge]),
            ("avg", &[Trend]),
            ("min", &[Gauge, Trend]),
            ("max", &[Gauge, Trend]),
            ("med", &[Trend]),
            ("p(99)", &[Trend]),
        ] {
            let method: Method = method.parse().unwrap();
            for kind in [Counter, Gauge, Rate, Trend] {
                assert_eq!(
                    method.fits(kind),
                    kinds.contains(&kind),
                    "{method} {kind:?}"
                );
            }
        }
    }

    #[test]
    fn comparisons_hold_as_in_k6() {
        for (operator, actual, limit, holds) in [
            (Operator::Above, 1.0, 0.01, true),
            (Operator::AtLeast, 0.01, 0.01, true),
            (Operator::AtMost, 0.01, 0.01, true),
            (Operator::Below, 0.00001, 0.01, true),
            (Operator::Below, 0.01, 0.01, false),
            (Operator::Equal, 0.1 + 0.2, 0.3, true),
            (Operator::StrictlyEqual, 0.01, 0.01, true),
            (Operator::NotEqual, 0.02, 0.01, true),
            (Operator::Above, 0.00001, 0.01, false),
            // Counts that differ by one are different, however large.
            (Operator::Equal, 1e15, 1e15 + 1.0, false),
        ] {
            assert_eq!(
                operator.holds(actual, limit),
                holds,
                "{actual} {} {limit}",
                operator.symbol()
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_written_reads_back(
            text in "(count|rate|value|avg|min|max|med|p\\([0-9.e-]{1,6}\\)) ?(<=|<|>=|>|===|==|!=) ?-?[0-9]{1,20}(\\.[0-9]{0,20})?(e-?[0-9]{1,3})?( over [0-9]{1,3}(s|m))?( in (peak|ramp_up|a-1))?"
        ) {
            if let Ok(expression) = parse(&text) {
                prop_assert_eq!(parse(&expression.to_string()), Ok(expression));
            }
        }

        #[test]
        fn a_higher_badness_never_passes_where_a_lower_one_fails(
            a in -1e6..1e6_f64, b in -1e6..1e6_f64, limit in -1e6..1e6_f64,
        ) {
            for operator in Operator::ALL {
                let (better, worse) = if operator.badness(a, limit) <= operator.badness(b, limit) { (a, b) } else { (b, a) };
                prop_assert!(operator.holds(better, limit) || !operator.holds(worse, limit));
            }
        }
    }
}
