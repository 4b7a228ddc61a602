//! What is told of a Trend: `avg`, `min`, `med`, `max`, `count`, `p(99.9)`.

use std::fmt;
use std::str::FromStr;

use sentinel_engine::metric::{Contains, Percentile, Trend};

use super::human::{TimeUnit, amount};

/// A number that a Trend has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::output) enum Statistic {
    Avg,
    Min,
    Med,
    Max,
    Count,
    Percentile(f64),
}

impl Statistic {
    /// Its value for reading; `None` without samples.
    pub(super) fn told(
        self,
        trend: &Trend,
        contains: Contains,
        unit: Option<TimeUnit>,
    ) -> Option<String> {
        let percentile = |percent| trend.percentile(Percentile::new(percent)?);
        let steps = match self {
            Self::Count => return Some(trend.count().to_string()),
            Self::Avg => trend.average(),
            Self::Min => trend.lowest().map(|steps| steps as f64),
            Self::Max => trend.highest().map(|steps| steps as f64),
            Self::Med => percentile(50.0),
            Self::Percentile(percent) => percentile(percent),
        };
        Some(amount(contains.in_unit(steps?), contains, unit))
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Avg => f.write_str("avg"),
            Self::Min => f.write_str("min"),
            Self::Med => f.write_str("med"),
            Self::Max => f.write_str("max"),
            Self::Count => f.write_str("count"),
            Self::Percentile(percent) => write!(f, "p({percent})"),
        }
    }
}

impl FromStr for Statistic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = || {
            let number = text.strip_prefix("p(")?.strip_suffix(')')?;
            let percent: f64 = number.parse().ok()?;
            Percentile::new(percent).map(|_| percent)
        };
        match text {
            "avg" => Ok(Self::Avg),
            "min" => Ok(Self::Min),
            "med" => Ok(Self::Med),
            "max" => Ok(Self::Max),
            "count" => Ok(Self::Count),
            _ => percent().map(Self::Percentile).ok_or_else(|| {
                "accepted are avg, min, med, max, count and percentiles such as p(99.9)".to_owned()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_read_back_and_others_are_refused() {
        for text in ["avg", "min", "med", "max", "count", "p(0)", "p(99.9)"] {
            assert_eq!(text.parse::<Statistic>().unwrap().to_string(), text);
        }
        for text in ["", "mean", "p95", "p(101)", "p(x)", "p(NaN)"] {
            assert!(text.parse::<Statistic>().is_err(), "{text}");
        }
    }
}
