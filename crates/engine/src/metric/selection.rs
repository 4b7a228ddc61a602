//! What is asked of the metrics: which samples, and over which time.

use std::num::NonZeroU32;

use super::catalog::MetricId;
use super::limits::WINDOW_MAX_S;
use super::tags::TagSet;
use super::value::Value;
use crate::phase::Phase;
use crate::tick::Span;

/// Samples of one metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selection {
    /// The metric.
    pub metric: MetricId,
    /// The tags that a sample must bear; no tags mean all samples.
    pub filter: TagSet,
    /// Only samples of this phase.
    pub phase: Option<Phase>,
}

/// A selection that will be asked for, and how far back in time: stores and recorders are told in advance, so
/// that they keep what the answer needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Query {
    /// Which samples.
    pub selection: Selection,
    /// Only the last seconds; `None` for everything since the start.
    pub over: Option<WindowLength>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// What the samples add up to, `None` without samples.
    pub value: Option<Value>,
    /// Whether these are all samples of the selection: not when more tag sets came than are kept apart and
    /// the tags of the selection were not announced in a [`Query`].
    pub complete: bool,
}

/// The length of a sliding window: 1 to [`WINDOW_MAX_S`] seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowLength(NonZeroU32);

impl WindowLength {
    /// `None` unless the length is a whole number of seconds in range.
    #[must_use]
    pub fn new(length: Span) -> Option<Self> {
        let us = length.as_us();
        let seconds = u32::try_from(us / 1_000_000).ok()?;
        (us.is_multiple_of(1_000_000) && seconds <= WINDOW_MAX_S)
            .then(|| NonZeroU32::new(seconds).map(Self))
            .flatten()
    }

    /// The length in seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.0.get()
    }

    /// The length.
    #[must_use]
    pub const fn span(self) -> Span {
        Span::from_secs(self.0.get() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_whole_seconds_in_range() {
        for (us, seconds) in [
            (1_000_000, Some(1)),
            (600_000_000, Some(600)),
            (0, None),
            (999_999, None),
            (1_500_000, None),
            (601_000_000, None),
            (u64::MAX, None),
        ] {
            let length = WindowLength::new(Span::from_us(us));
            assert_eq!(length.map(WindowLength::seconds), seconds, "{us}");
        }
    }
}
