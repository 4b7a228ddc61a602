//! How fast a number grows.
//!
//! The growth is the slope of the line through the samples by Theil and Sen: the median of the slopes between all
//! pairs of them (P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", Journal of the American
//! Statistical Association 63, 1968). Unlike a line by least squares it does not follow single outliers: up to 29 % of
//! the samples may be anything, such as peaks before a garbage collection.

use std::str::FromStr;

use crate::duration::{self, DurationError};
use crate::sorted::sort_by;
use crate::tick::{Span, Tick};

/// Of fewer samples no growth is told.
pub const GROWTH_SAMPLES_MIN: usize = 10;

/// How a number grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// By how much in an hour.
    pub per_hour: f64,
    /// The same in percent of the value at the beginning of the line, `None` if that is not above zero.
    pub percent_per_hour: Option<f64>,
}

impl Growth {
    /// The growth of samples with their times, `None` of fewer than [`GROWTH_SAMPLES_MIN`].
    #[must_use]
    pub fn of(samples: &[(Tick, f64)]) -> Option<Self> {
        let (first, _) = samples.first()?;
        if samples.len() < GROWTH_SAMPLES_MIN {
            return None;
        }
        let hours = |at: &Tick| at.saturating_since(*first).as_secs_f64() / 3_600.0;
        let points: Vec<(f64, f64)> = samples.iter().map(|(at, y)| (hours(at), *y)).collect();
        let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
        for (later, (x, y)) in points.iter().enumerate() {
            let earlier = points.iter().take(later).filter(|(x0, _)| x0 < x);
            slopes.extend(earlier.map(|(x0, y0)| (y - y0) / (x - x0)));
        }
        let per_hour = median(&mut slopes)?;
        let mut starts: Vec<f64> = points.iter().map(|(x, y)| y - per_hour * x).collect();
        let start = median(&mut starts)?;
        let percent_per_hour = if per_hour == 0.0 {
            Some(0.0)
        } else {
            (start > 0.0).then(|| 100.0 * per_hour / start)
        };
        Some(Self {
            per_hour,
            percent_per_hour,
        })
    }
}

/// The middle of the values, between the two middle ones of an even number.
fn median(values: &mut [f64]) -> Option<f64> {
    sort_by(values, |a, b| a.total_cmp(b).is_lt());
    let half = values.len() / 2;
    let upper = values.get(half).copied()?;
    let before = half
        .checked_sub(1)
        .filter(|_| values.len().is_multiple_of(2));
    let lower = before.and_then(|before| values.get(before).copied());
    Some(lower.map_or(upper, |lower| f64::midpoint(lower, upper)))
}

/// How much a number may grow at most, written as `10%/hour`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GrowthLimit {
    /// In percent of the value at the beginning.
    pub percent_per_hour: f64,
}

/// A text that is no limit of a growth.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrowthError {
    /// It is written otherwise.
    #[error(
        "{0:?} is no growth: accepted are percents in a time, such as \"10%/hour\" or \"1%/10m\""
    )]
    Form(String),
    /// The time is not understood.
    #[error(transparent)]
    Time(#[from] DurationError),
}

impl FromStr for GrowthLimit {
    type Err = GrowthError;

    fn from_str(text: &str) -> Result<Self, GrowthError> {
        let refuse = || GrowthError::Form(text.chars().take(80).collect());
        let (percent, time) = text.split_once("%/").ok_or_else(refuse)?;
        let percent: f64 = percent.trim().parse().map_err(|_| refuse())?;
        let time = match time.trim() {
            "second" => Span::from_secs(1),
            "minute" => Span::from_secs(60),
            "hour" => Span::from_secs(3_600),
            "day" => Span::from_secs(86_400),
            other => duration::parse(other)?,
        };
        let percent_per_hour = percent * 3_600.0 / time.as_secs_f64();
        if percent < 0.0 || !percent_per_hour.is_finite() {
            return Err(refuse());
        }
        Ok(Self { percent_per_hour })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One sample a minute.
    fn growth(values: impl IntoIterator<Item = f64>) -> Option<Growth> {
        let samples: Vec<(Tick, f64)> = (0_u64..)
            .zip(values)
            .map(|(minute, value)| (Tick::from_ms(minute * 60_000), value))
            .collect();
        Growth::of(&samples)
    }

    fn percent(values: impl IntoIterator<Item = f64>) -> f64 {
        let growth = growth(values).expect("enough samples");
        growth.percent_per_hour.expect("a beginning above zero")
    }

    #[test]
    fn a_straight_line_has_its_slope() {
        // 1 % a minute is 60 % an hour.
        assert!((percent((0..20).map(|n| 100.0 + f64::from(n))) - 60.0).abs() < 1e-9);
        assert!((percent((0..20).map(|n| 100.0 - f64::from(n))) + 60.0).abs() < 1e-9);
        assert_eq!(percent([5.0; 10]), 0.0);
        assert_eq!(percent([0.0; 10]), 0.0);
    }

    #[test]
    fn peaks_before_a_collection_are_no_growth() {
        let values = (0..40).map(|n| {
            if n % 5 == 4 {
                300.0 + f64::from(n)
            } else {
                100.0
            }
        });
        assert!(percent(values).abs() < 1.0);
    }

    #[test]
    fn of_too_few_samples_nothing_is_told() {
        assert_eq!(growth((0..9).map(f64::from)), None);
        assert!(growth((0..10).map(f64::from)).is_some());
        let at_once = [(Tick::ZERO, 1.0); 20];
        assert_eq!(Growth::of(&at_once), None, "they have no slope");
    }

    #[test]
    fn from_nothing_there_are_no_percents() {
        let growth = growth((0..20).map(f64::from)).expect("samples");
        assert!((growth.per_hour - 60.0).abs() < 1e-9);
        assert_eq!(growth.percent_per_hour, None);
    }

    #[test]
    fn limits_are_read_by_the_hour() {
        for (text, limit) in [
            ("10%/hour", 10.0),
            ("0.5 %/minute", 30.0),
            ("24%/day", 1.0),
            ("1%/10m", 6.0),
            ("0%/hour", 0.0),
        ] {
            let read: Result<GrowthLimit, _> = text.replace(' ', "").parse();
            assert_eq!(read.unwrap().percent_per_hour, limit, "{text}");
        }
        for text in [
            "10",
            "10%",
            "x%/hour",
            "-1%/hour",
            "NaN%/hour",
            "1%/0s",
            "1%/often",
            "",
        ] {
            assert!(text.parse::<GrowthLimit>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_line_is_found_among_outliers(
            start in 1.0..1e9_f64, slope in -0.5..0.5_f64, wrong in prop::collection::btree_set(0_usize..50, 0..10),
        ) {
            let values = (0_u32..50).map(|n| {
                let value = start * (1.0 + slope * f64::from(n) / 60.0);
                if wrong.contains(&(n as usize)) { value * 10.0 + 1.0 } else { value }
            });
            let found = percent(values);
            // Outliers on one side move the median among the slopes, but not beyond those of the line.
            prop_assert!(wrong.is_empty() || found.is_finite());
            if wrong.is_empty() {
                prop_assert!((found - 100.0 * slope).abs() < 1e-3, "{found}");
            }
        }
    }
}
