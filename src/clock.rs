//! The Worker's clock: the only place where time is read.
//!
//! At the edge it stands still while code runs and moves when input or output has happened, in steps of a
//! millisecond.

use chrono::{DateTime, SecondsFormat, Utc};
use sentinel_engine::tick::Tick;

/// Unix time in milliseconds.
pub(crate) fn now_ms() -> u64 {
    // The number itself: an object for it would be made and thrown away at each event.
    js_sys::Date::now() as u64
}

/// A point in Unix time as it is stored: `2026-11-21T04:00:00.000Z`.
pub(crate) fn iso(unix_ms: u64) -> String {
    i64::try_from(unix_ms)
        .ok()
        .and_then(DateTime::<Utc>::from_timestamp_millis)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The day of a point in Unix time, UTC: `2026-11-21`.
pub(crate) fn day(unix_ms: u64) -> String {
    iso(unix_ms).chars().take(10).collect()
}

/// The time line of a run. Never goes back, whatever the machine's clock does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunClock {
    epoch_ms: u64,
    latest: Tick,
}

impl RunClock {
    /// The time line of the run that started at this point.
    pub(crate) const fn new(epoch_ms: u64) -> Self {
        Self {
            epoch_ms,
            latest: Tick::ZERO,
        }
    }

    /// Now.
    pub(crate) fn now(&mut self) -> Tick {
        self.at(now_ms())
    }

    /// How long from now until the run starts, in milliseconds.
    pub(crate) fn ms_before_start(&self) -> u64 {
        self.epoch_ms.saturating_sub(now_ms())
    }

    /// How long from now until `tick`, in milliseconds, rounded up.
    pub(crate) fn ms_until(&mut self, tick: Tick) -> u64 {
        tick.saturating_since(self.now()).as_us().div_ceil(1_000)
    }

    fn at(&mut self, unix_ms: u64) -> Tick {
        let tick = Tick::from_ms(unix_ms.saturating_sub(self.epoch_ms));
        self.latest = self.latest.max(tick);
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_begins_at_zero_and_never_goes_back() {
        let mut clock = RunClock::new(1_000_000);
        assert_eq!(clock.at(999_000), Tick::ZERO);
        assert_eq!(clock.at(1_002_500), Tick::from_ms(2_500));
        assert_eq!(clock.at(1_001_000), Tick::from_ms(2_500));
    }

    #[test]
    fn times_are_stored_in_one_form() {
        assert_eq!(iso(1_795_257_861_625), "2026-11-21T10:44:21.625Z");
        assert_eq!(day(1_795_257_861_625), "2026-11-21");
    }
}
