//! Time inside the engine: points ([`Tick`]) and lengths ([`Span`]), both in whole microseconds.
//!
//! The engine owns no clock. Only drivers create ticks from a clock; everything else is arithmetic on
//! the run's own time line, which begins at zero when the run starts.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// A point on the run's time line: microseconds since the run started.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Tick(u64);

/// A length of time in microseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Span(u64);

impl Tick {
    /// The start of the run.
    pub const ZERO: Self = Self(0);
    /// Later than every tick of every run.
    pub const NEVER: Self = Self(u64::MAX);

    /// The point `us` microseconds after the start of the run.
    #[must_use]
    pub const fn from_us(us: u64) -> Self {
        Self(us)
    }

    /// The point `ms` milliseconds after the start of the run, the latest tick if that overflows.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000))
    }

    /// The beginning of the run's second number `second`, counted from 0.
    #[must_use]
    pub const fn from_second(second: u32) -> Self {
        Self(second as u64 * 1_000_000)
    }

    /// Microseconds since the start of the run.
    #[must_use]
    pub const fn as_us(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the start of the run, rounded down.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.0 / 1_000
    }

    /// The number of the second that this point lies in, counted from 0.
    #[must_use]
    pub fn second(self) -> u32 {
        u32::try_from(self.0 / 1_000_000).unwrap_or(u32::MAX)
    }

    /// The time from `earlier` to this point, `None` if `earlier` is in fact later.
    #[must_use]
    pub fn checked_since(self, earlier: Self) -> Option<Span> {
        self.0.checked_sub(earlier.0).map(Span)
    }

    /// The time from `earlier` to this point, zero if `earlier` is in fact later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A length of `us` microseconds.
    #[must_use]
    pub const fn from_us(us: u64) -> Self {
        Self(us)
    }

    /// A length of `ms` milliseconds, the longest length if that overflows.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000))
    }

    /// A length of `s` seconds, the longest length if that overflows.
    #[must_use]
    pub const fn from_secs(s: u64) -> Self {
        Self(s.saturating_mul(1_000_000))
    }

    /// The length in microseconds.
    #[must_use]
    pub const fn as_us(self) -> u64 {
        self.0
    }

    /// The length in milliseconds with fractions.
    #[must_use]
    pub fn as_ms_f64(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// The length in seconds with fractions.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1_000_000.0
    }

    /// Whether this is no time at all.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl Add<Span> for Tick {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Tick {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Tick {
    type Output = Self;

    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Span(self.0))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0 as f64 / 1_000_000.0)
    }
}
