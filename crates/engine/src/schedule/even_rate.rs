//! Arrivals at a rate that does not change.
//!
//! Invariant: arrival n lies at n times the interval, rounded down to the microsecond, however large n is.

use crate::tick::Span;

/// Arrivals that come `events` times in each `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvenRate {
    events: u64,
    per_us: u128, // at least 1
    from: First,
    count: u64,
}

/// When the first arrival comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// At once, as in k6's `constant-arrival-rate`; none comes at the very end.
    AtOnce,
    /// After one interval, as in Artillery; the last one may come at the very end.
    AfterInterval,
}

impl EvenRate {
    /// `events` arrivals in each `per`, for `duration`. Without events, or in no time, nobody comes.
    #[must_use]
    pub fn new(events: u64, per: Span, duration: Span, first: First) -> Self {
        Self::with_period(events, u128::from(per.as_us()), duration, first)
    }

    /// `millionths` of an arrival in each second, for `duration`.
    #[must_use]
    pub fn of_millionths(millionths: u64, duration: Span, first: First) -> Self {
        Self::with_period(millionths, 1_000_000_000_000, duration, first)
    }

    fn with_period(events: u64, per_us: u128, duration: Span, from: First) -> Self {
        let area = u128::from(duration.as_us()) * u128::from(events);
        let count = match from {
            _ if per_us == 0 => 0,
            First::AtOnce => area.div_ceil(per_us),
            First::AfterInterval => area / per_us,
        };
        Self {
            events,
            per_us: per_us.max(1),
            from,
            count: u64::try_from(count).unwrap_or(u64::MAX),
        }
    }

    /// How many arrivals there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// When arrival `number`, counted from 0, comes: the time since the beginning.
    #[must_use]
    pub fn at(&self, number: u64) -> Option<Span> {
        if number >= self.count {
            return None;
        }
        let intervals = match self.from {
            First::AtOnce => u128::from(number),
            First::AfterInterval => u128::from(number) + 1,
        };
        let us = intervals.checked_mul(self.per_us)? / u128::from(self.events.max(1));
        u64::try_from(us).ok().map(Span::from_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn times_ms(rate: &EvenRate) -> Vec<f64> {
        let times = (0..rate.count()).filter_map(|n| rate.at(n));
        times.map(|at| at.as_ms_f64()).collect()
    }

    #[test]
    fn k6_counts_from_the_start() {
        // k6's CAR-1: 50 a second for 5 s are 250, 50 in each second, the first at 0.
        let rate = EvenRate::new(50, Span::from_secs(1), Span::from_secs(5), First::AtOnce);
        assert_eq!(rate.count(), 250);
        let times = times_ms(&rate);
        for second in 0..5 {
            let in_second = times
                .iter()
                .filter(|at| (**at / 1_000.0) as u32 == second)
                .count();
            assert_eq!(in_second, 50, "second {second}");
        }
        // GAT-1: Gatling's rampUsers(5).during(1 s) is the same schedule.
        let rate = EvenRate::new(5, Span::from_secs(1), Span::from_secs(1), First::AtOnce);
        assert_eq!(times_ms(&rate), [0.0, 200.0, 400.0, 600.0, 800.0]);
        // 20 per 950 ms for 1 s: the 22nd is due at 997.5 ms and still comes.
        let rate = EvenRate::new(20, Span::from_ms(950), Span::from_secs(1), First::AtOnce);
        assert_eq!(
            (rate.count(), rate.at(21)),
            (22, Some(Span::from_us(997_500)))
        );
    }

    #[test]
    fn artillery_waits_one_interval_first() {
        // ART-3: 5 a second for 1 s are 5 users.
        let rate = EvenRate::of_millionths(5_000_000, Span::from_secs(1), First::AfterInterval);
        assert_eq!(times_ms(&rate), [200.0, 400.0, 600.0, 800.0, 1_000.0]);
        let slow = EvenRate::of_millionths(400_000, Span::from_secs(10), First::AfterInterval);
        assert_eq!(times_ms(&slow), [2_500.0, 5_000.0, 7_500.0, 10_000.0]);
    }

    #[test]
    fn a_day_later_the_time_is_still_exact() {
        let day = Span::from_secs(86_400);
        let rate = EvenRate::new(3, Span::from_secs(1), day, First::AtOnce);
        assert_eq!(rate.count(), 259_200);
        assert_eq!(rate.at(259_199), Some(Span::from_us(86_399_666_666)));
        assert_eq!(rate.at(259_200), None);
    }

    #[test]
    fn nothing_comes_where_nothing_is_asked_for() {
        let second = Span::from_secs(1);
        for (events, per, duration) in [
            (0, second, second),
            (5, Span::ZERO, second),
            (5, second, Span::ZERO),
        ] {
            assert_eq!(
                EvenRate::new(events, per, duration, First::AtOnce).count(),
                0
            );
        }
        let huge = Span::from_us(u64::MAX);
        let rate = EvenRate::new(u64::MAX, Span::from_us(1), huge, First::AfterInterval);
        assert_eq!(rate.count(), u64::MAX);
        assert_eq!(rate.at(0), Some(Span::ZERO));
    }

    proptest! {
        #[test]
        fn the_count_is_the_integral_and_times_are_exact(
            events in 1_u64..100_000, per_us in 1_u64..10_000_000, duration_us in 0_u64..10_000_000, late in any::<bool>(),
        ) {
            let first = if late { First::AfterInterval } else { First::AtOnce };
            let duration = Span::from_us(duration_us);
            let rate = EvenRate::new(events, Span::from_us(per_us), duration, first);
            let integral = u128::from(events) * u128::from(duration_us) / u128::from(per_us);
            prop_assert!((u128::from(rate.count())).abs_diff(integral) <= 1);
            for number in [0, rate.count() / 2, rate.count().saturating_sub(1)] {
                let Some(at) = rate.at(number) else { continue };
                let exact = (number + u64::from(late)) as f64 * per_us as f64 / events as f64;
                prop_assert!((at.as_us() as f64 - exact).abs() <= 1.0);
                prop_assert!(at < duration || (late && at == duration));
            }
            prop_assert_eq!(rate.at(rate.count()), None);
        }
    }
}
