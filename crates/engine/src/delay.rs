//! How long a virtual user waits: always the same time, a time between two, or one around a mean.
//!
//! As scenario files write it: `2s`, `30s-2m`, `2s~500ms`. Invariant: what is drawn depends on the user's own
//! random numbers alone, and is the same on every machine.

use std::fmt;

use crate::duration::{self, DurationError, Written};
use crate::random::Random;
use crate::tick::Span;

/// A waiting time, drawn anew each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Always this long.
    Constant(Span),
    /// Evenly distributed between the two, both included.
    Uniform {
        /// The shortest.
        from: Span,
        /// The longest, not below `from`.
        to: Span,
    },
    /// Normally distributed, never below zero.
    Normal {
        /// The mean.
        mean: Span,
        /// The standard deviation.
        deviation: Span,
    },
}

/// A text that is not an acceptable waiting time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DelayError {
    /// One of its durations is none.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// The range ends before it begins.
    #[error("{0:?} ends before it begins: write the shorter duration first, such as 30s-2m")]
    Reversed(String),
}

impl Delay {
    /// Reads a waiting time: a duration, `from-to`, or `mean~deviation`.
    ///
    /// # Errors
    /// A part of it is not a duration, or a range ends before it begins.
    pub fn parse(text: &str) -> Result<Self, DelayError> {
        if let Some((mean, deviation)) = text.split_once('~') {
            let mean = duration::parse(mean.trim())?;
            let deviation = duration::parse(deviation.trim())?;
            return Ok(Self::Normal { mean, deviation });
        }
        let range = text.split_once('-').filter(|(from, _)| !from.is_empty());
        let Some((from, to)) = range else {
            return Ok(Self::Constant(duration::parse(text)?));
        };
        let (from, to) = (duration::parse(from.trim())?, duration::parse(to.trim())?);
        if to < from {
            return Err(DelayError::Reversed(text.chars().take(64).collect()));
        }
        Ok(Self::Uniform { from, to })
    }

    /// Draws a waiting time.
    pub fn draw(&self, random: &mut Random) -> Span {
        match *self {
            Self::Constant(span) => span,
            Self::Uniform { from, to } => Span::from_us(random.between(from.as_us(), to.as_us())),
            Self::Normal { mean, deviation } => {
                let deviated = random.normal() * deviation.as_us() as f64;
                let us = mean.as_us() as f64 + deviated;
                // Above zero and far below 2⁶⁴: durations are at most a year, and `normal` at most 6.
                Span::from_us(us.max(0.0) as u64)
            }
        }
    }

    /// The time that is drawn on average.
    #[must_use]
    pub fn mean(&self) -> Span {
        match *self {
            Self::Constant(span) | Self::Normal { mean: span, .. } => span,
            Self::Uniform { from, to } => Span::from_us(from.as_us().midpoint(to.as_us())),
        }
    }

    /// The longest time that can be drawn.
    #[must_use]
    pub fn longest(&self) -> Span {
        match *self {
            Self::Constant(span) | Self::Uniform { to: span, .. } => span,
            Self::Normal { mean, deviation } => (0..6).fold(mean, |sum, _| sum + deviation),
        }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Constant(span) => write!(f, "{}", Written(span)),
            Self::Uniform { from, to } => write!(f, "{}-{}", Written(from), Written(to)),
            Self::Normal { mean, deviation } => {
                write!(f, "{}~{}", Written(mean), Written(deviation))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_reads_back_as_itself() {
        for text in ["2s", "0s", "100ms-1s", "30s-2m", "2s~500ms"] {
            assert_eq!(Delay::parse(text).unwrap().to_string(), text);
        }
        let spaced = Delay::parse("30s - 2m").unwrap();
        assert_eq!(spaced, Delay::parse("30s-2m").unwrap());
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "", "-", "-1s", "2m-30s", "1s-", "~", "1s~", "1s-2s-3s", "soon",
        ] {
            assert!(Delay::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_range_is_drawn_from_evenly_and_includes_its_ends() {
        let mut random = Random::for_purpose(1, 2);
        let delay = Delay::parse("1us-4us").unwrap();
        let mut seen = [0_u32; 5];
        for _ in 0..4_000 {
            seen[usize::try_from(delay.draw(&mut random).as_us()).unwrap()] += 1;
        }
        assert_eq!(seen[0], 0);
        assert!(
            seen[1..].iter().all(|n| (900..1_100).contains(n)),
            "{seen:?}"
        );
    }

    #[test]
    fn a_normal_delay_has_its_mean_and_deviation_and_is_never_negative() {
        let mut random = Random::for_purpose(1, 3);
        let delay = Delay::parse("2s~500ms").unwrap();
        let drawn: Vec<f64> = (0..20_000)
            .map(|_| delay.draw(&mut random).as_secs_f64())
            .collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!((mean - 2.0).abs() < 0.02, "{mean}");
        assert!((variance.sqrt() - 0.5).abs() < 0.02, "{}", variance.sqrt());
        let wide = Delay::parse("1ms~1s").unwrap();
        assert!((0..1_000).any(|_| wide.draw(&mut random).is_zero()));
    }
}
