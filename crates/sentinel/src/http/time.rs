//! From this machine's clock to the engine's lengths of time.

use std::time::Instant;

use sentinel_engine::tick::Span;

/// The time between two moments, zero when they come in the other order.
pub(super) fn span(from: Instant, to: Instant) -> Span {
    let us = to.saturating_duration_since(from).as_micros();
    Span::from_us(u64::try_from(us).unwrap_or(u64::MAX))
}
