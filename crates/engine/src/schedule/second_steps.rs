//! Artillery's ramp: a number of arrivals for each second, in even steps from the first to the last.
//!
//! As in Artillery (art: packages/artillery/lib/core/phases.ts), second i of n has `from + (to − from)·i/(n−1)`
//! arrivals, both ends included; a ramp of one second has the mean. Artillery gives each of its workers the
//! whole part and as many workers one more as the rounded remainder says; over all workers that is the
//! number rounded half up, which is what is played here. Invariant: sums over seconds are exact and found
//! without adding them up.

use crate::tick::Span;

/// Arrivals in steps of one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondSteps {
    from: u64, // millionths of an arrival in a second
    to: u64,
    seconds: u64, // at least 1
    count: u64,
    last: Second, // the second that was asked for last
}

/// A second and its arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Second {
    number: u64,
    first: u64,  // the number of its first arrival
    behind: u64, // the number of the first arrival after it
}

impl SecondSteps {
    /// `from` and `to` are millionths of an arrival in a second; there is at least one second.
    #[must_use]
    pub fn of_millionths(from: u64, to: u64, seconds: u64) -> Self {
        let mut steps = Self {
            from,
            to,
            seconds: seconds.clamp(1, SECONDS_MAX),
            count: 0,
            last: Second {
                number: 0,
                first: 0,
                behind: 0,
            },
        };
        steps.count = steps.before(steps.seconds);
        steps.last.behind = steps.before(1);
        steps
    }

    /// How many arrivals there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// When arrival `number`, counted from 0, comes: the time since the beginning. A second's arrivals are
    /// spread evenly over it, the last one at its end.
    #[must_use]
    pub fn at(&mut self, number: u64) -> Option<Span> {
        if number >= self.count {
            return None;
        }
        if !(self.last.first..self.last.behind).contains(&number) {
            self.last = self.second_of(number);
        }
        let Second {
            number: second,
            first,
            behind,
        } = self.last;
        let place = u128::from(number.checked_sub(first)?) + 1;
        let us = place * 1_000_000 / u128::from(behind.checked_sub(first)?.max(1));
        let us = u64::try_from(us).ok()?;
        Some(Span::from_us(
            second.saturating_mul(1_000_000).saturating_add(us),
        ))
    }

    fn second_of(&self, number: u64) -> Second {
        let (mut low, mut high) = (0, self.seconds); // the second is in [low, high)
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.before(middle) <= number {
                low = middle;
            } else {
                high = middle;
            }
        }
        Second {
            number: low,
            first: self.before(low),
            behind: self.before(low + 1),
        }
    }

    /// How many arrivals come in the first `seconds` seconds.
    fn before(&self, seconds: u64) -> u64 {
        let (from, to) = (u128::from(self.from), u128::from(self.to));
        if self.seconds == 1 {
            let count = (from + to + MILLION) / (2 * MILLION);
            return if seconds == 0 { 0 } else { narrow(count) };
        }
        // Second i has ⌊(2·(from·steps + (to − from)·i) + million·steps) / (2·million·steps)⌋.
        let steps = u128::from(self.seconds - 1);
        let divisor = 2 * MILLION * steps;
        let offset = 2 * from * steps + MILLION * steps;
        let slope = 2 * to.abs_diff(from);
        let seconds = u128::from(seconds);
        if to >= from || seconds == 0 {
            return narrow(floor_sum(seconds, divisor, slope, offset));
        }
        // The same seconds in reverse order rise.
        let lowest = offset.saturating_sub(slope * (seconds - 1));
        narrow(floor_sum(seconds, divisor, slope, lowest))
    }
}

/// The sum of ⌊(slope·i + offset) / divisor⌋ over i from 0 to n − 1, in as many steps as Euclid's algorithm has.
fn floor_sum(n: u128, divisor: u128, slope: u128, offset: u128) -> u128 {
    let (mut n, mut divisor, mut slope, mut offset) = (n, divisor, slope, offset);
    let mut sum: u128 = 0;
    while n > 0 && divisor > 0 {
        let pairs = n * (n - 1) / 2;
        sum = sum
            .saturating_add(pairs.saturating_mul(slope / divisor))
            .saturating_add(n.saturating_mul(offset / divisor));
        (slope, offset) = (slope % divisor, offset % divisor);
        let top = slope.saturating_mul(n).saturating_add(offset);
        if top < divisor {
            break;
        }
        (n, offset) = (top / divisor, top % divisor);
        (slope, divisor) = (divisor, slope);
    }
    sum
}

fn narrow(count: u128) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

const MILLION: u128 = 1_000_000;

/// A year and a day: more than any duration that is accepted.
const SECONDS_MAX: u64 = 366 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ramp(from: u64, to: u64, seconds: u64) -> SecondSteps {
        SecondSteps::of_millionths(from * 1_000_000, to * 1_000_000, seconds)
    }

    fn times_ms(mut steps: SecondSteps) -> Vec<f64> {
        (0..steps.count())
            .filter_map(|n| steps.at(n))
            .map(Span::as_ms_f64)
            .collect()
    }

    #[test]
    fn totals_are_those_of_artillery() {
        for (from, to, seconds, total, what) in [
            (1, 20, 15, 158, "157.5 is ideal, half up is 158"),
            (5, 50, 60, 1_650, "5 to 50 in a minute"),
            (20, 1, 15, 158, "down is as many as up"),
            (0, 10, 1, 5, "one second has the mean"),
            (1, 2, 1, 2, "a mean of 1.5 is rounded up"),
            (0, 0, 10, 0, "nobody"),
            (3, 3, 10, 30, "flat"),
        ] {
            assert_eq!(ramp(from, to, seconds).count(), total, "{what}");
        }
    }

    #[test]
    fn each_second_has_its_step_spread_evenly() {
        assert_eq!(
            times_ms(ramp(1, 3, 3)),
            [1_000.0, 1_500.0, 2_000.0, 2_333.333, 2_666.666, 3_000.0]
        );
        assert_eq!(times_ms(ramp(2, 0, 3)), [500.0, 1_000.0, 2_000.0]);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut steps = SecondSteps::of_millionths(u64::MAX, 0, u64::MAX);
        assert!(steps.count() > 0);
        assert!(steps.at(steps.count() - 1).is_some());
        assert_eq!(SecondSteps::of_millionths(0, 0, 0).count(), 0);
    }

    proptest! {
        #[test]
        fn sums_are_those_of_the_single_seconds(
            from in 0_u64..5_000_000, to in 0_u64..5_000_000, seconds in 1_u64..200,
        ) {
            let mut steps = SecondSteps::of_millionths(from, to, seconds);
            let mut expected = Vec::new();
            for second in 0..seconds {
                let exact = if seconds == 1 {
                    (from + to) as f64 / 2.0
                } else {
                    from as f64 + (to as f64 - from as f64) * second as f64 / (seconds - 1) as f64
                };
                let count = steps.before(second + 1) - steps.before(second);
                prop_assert!((count as f64 - exact / 1e6).abs() <= 0.5 + 1e-9);
                expected.extend((1..=count).map(|n| second * 1_000_000 + n * 1_000_000 / count));
            }
            prop_assert_eq!(steps.count(), expected.len() as u64);
            for (number, us) in (0..).zip(&expected) {
                prop_assert_eq!(steps.at(number), Some(Span::from_us(*us)));
            }
            let middle = steps.count() / 2;
            prop_assert_eq!(steps.at(middle).map(Span::as_us), expected.get(middle as usize).copied());
        }

        #[test]
        fn floor_sums_are_sums(n in 0_u128..60, divisor in 1_u128..50, slope in 0_u128..200, offset in 0_u128..200) {
            let sum: u128 = (0..n).map(|i| (slope * i + offset) / divisor).sum();
            prop_assert_eq!(floor_sum(n, divisor, slope, offset), sum);
        }
    }
}
