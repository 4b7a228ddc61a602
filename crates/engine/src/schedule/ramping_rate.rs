//! Arrivals at a rate that changes in straight lines.
//!
//! As in k6's `ramping-arrival-rate` (k6: lib/executor/ramping_arrival_rate.go), arrival n comes when the area
//! under the rate reaches n + 1, numbers counted from 0. Invariant: areas are compared as whole numbers, so
//! the count is exact, times are exact to the microsecond and never fall, however long or flat a stage is.

use crate::duration::DURATION_MAX;
use crate::plan::Stage;
use crate::tick::Span;

/// Arrivals whose rate moves from target to target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RampingRate {
    unit_us: u64,
    stages: Vec<Line>, // only those with an area
    count: u64,
}

/// A stage. Areas are measured in halves of (arrivals per unit) x microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    start_us: u64,
    duration_us: u64, // at least 1, at most DURATION_MAX
    from: u32,
    to: u32,
    before: u128,  // the area before the stage
    through: u128, // the area up to its end
}

impl RampingRate {
    /// The rate, in arrivals per `unit`, is `start` at first and the target of each stage at its end; a stage
    /// without duration jumps. Each stage lasts at most [`DURATION_MAX`].
    #[must_use]
    pub fn new(start: u32, unit: Span, stages: &[Stage]) -> Self {
        let mut lines = Vec::new();
        let (mut start_us, mut from, mut area) = (0_u64, start, 0_u128);
        for stage in stages {
            let duration_us = stage.duration.min(DURATION_MAX).as_us();
            let mean = u128::from(from) + u128::from(stage.target);
            let through = area.saturating_add(mean * u128::from(duration_us));
            if through > area {
                lines.push(Line {
                    start_us,
                    duration_us,
                    from,
                    to: stage.target,
                    before: area,
                    through,
                });
            }
            (start_us, from, area) = (start_us.saturating_add(duration_us), stage.target, through);
        }
        let unit_us = unit.as_us();
        let count = area.checked_div(2 * u128::from(unit_us)).unwrap_or(0);
        Self {
            unit_us,
            stages: lines,
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
        let area = 2 * u128::from(self.unit_us) * (u128::from(number) + 1);
        let place = self.stages.partition_point(|line| line.through < area);
        let line = self.stages.get(place)?;
        Some(Span::from_us(
            line.start_us
                .saturating_add(line.time_of(area - line.before)),
        ))
    }
}

impl Line {
    /// The microsecond of the stage in which the area since its beginning reaches `area`.
    fn time_of(&self, area: u128) -> u64 {
        let estimate = self.estimate(area).clamp(0.0, self.duration_us as f64);
        let mut us = estimate as u64; // in range: clamped
        // The estimate is off by one at most.
        while us < self.duration_us && self.has_reached(us + 1, area) {
            us += 1;
        }
        while us > 0 && !self.has_reached(us, area) {
            us -= 1;
        }
        us
    }

    /// The root of the stage's area, in the form that loses no digits when the slope is small. What is under
    /// the square root is computed in whole numbers, because its terms nearly cancel at the end of a ramp to 0.
    fn estimate(&self, area: u128) -> f64 {
        let (from, slope) = (
            i128::from(self.from),
            i128::from(self.to) - i128::from(self.from),
        );
        let duration = i128::from(self.duration_us);
        let signed = i128::try_from(area).unwrap_or(i128::MAX);
        let under_root = from * from * duration + slope.saturating_mul(signed);
        let root = (under_root.max(0) as f64 / self.duration_us as f64).sqrt();
        area as f64 / (f64::from(self.from) + root)
    }

    /// Whether the area after `us` microseconds is at most `area`: it has not passed it yet.
    fn has_reached(&self, us: u64, area: u128) -> bool {
        let (us, duration) = (u128::from(us), u128::from(self.duration_us));
        let linear = 2 * u128::from(self.from) * duration * us;
        let curve = u128::from(self.from.abs_diff(self.to)) * us * us;
        let limit = area.saturating_mul(duration);
        if self.to >= self.from {
            linear + curve <= limit
        } else {
            linear <= limit.saturating_add(curve)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stage(target: u32, seconds: u64) -> Stage {
        Stage {
            duration: Span::from_secs(seconds),
            target,
        }
    }

    fn times_s(rate: &RampingRate) -> Vec<f64> {
        let times = (0..rate.count()).filter_map(|n| rate.at(n));
        times.map(Span::as_secs_f64).collect()
    }

    fn assert_near(times: &[f64], expected: &[f64], what: &str) {
        assert_eq!(times.len(), expected.len(), "{what}: {times:?}");
        for (at, expected) in times.iter().zip(expected) {
            assert!(
                (at - expected).abs() <= expected * 0.001,
                "{what}: {at} for {expected}"
            );
        }
    }

    #[test]
    fn vectors_of_k6_and_jmeter() {
        let second = Span::from_secs(1);
        let up_and_down = [stage(1, 5), stage(1, 1), stage(0, 5)];
        let third_of_a_second = Span::from_us(333_333);
        type Case<'a> = (&'a str, Span, &'a [Stage], &'a [f64]);
        let cases: [Case<'_>; 3] = [
            (
                "RAR-2: a ramp to one a second, held and back, starts its six where the area is 1 to 6",
                second,
                &up_and_down,
                &[3.162, 4.472, 5.5, 6.527, 7.837, 11.0],
            ),
            (
                "the same three times as fast (k6: TestRampingArrivalRateCal)",
                third_of_a_second,
                &up_and_down,
                &[
                    1.825, 2.581, 3.162, 3.651, 4.082, 4.472, 4.830, 5.166, 5.499, 5.833, 6.169,
                    6.527, 6.917, 7.348, 7.837, 8.418, 9.174, 10.999,
                ],
            ),
            (
                "JM-1: JMeter's 0 to 4 a second over 4 s has these after a first one at 0",
                second,
                &[stage(4, 4)],
                &[
                    2_f64.sqrt(),
                    2.0,
                    2.4495,
                    2.8284,
                    3.1623,
                    3.4641,
                    3.7417,
                    4.0,
                ],
            ),
        ];
        for (what, unit, stages, expected) in cases {
            assert_near(&times_s(&RampingRate::new(0, unit, stages)), expected, what);
        }
    }

    #[test]
    fn counts_per_second_follow_the_rate() {
        // k6's RAR-1: 10 a second for 1 s, a ramp to 50 over 1 s, 50 for 1 s.
        let stages = [stage(10, 1), stage(50, 1), stage(50, 1)];
        let rate = RampingRate::new(10, Span::from_secs(1), &stages);
        let times = times_s(&rate);
        let in_second = |n: u32| times.iter().filter(|at| **at as u32 == n).count();
        for (second, expected, tolerance) in [(0, 10, 1), (1, 30, 2), (2, 50, 3)] {
            let count = in_second(second);
            assert!(
                count.abs_diff(expected) <= tolerance,
                "second {second}: {count}"
            );
        }
        assert_eq!(rate.count(), 90);
    }

    #[test]
    fn stages_that_jump_stand_still_or_are_idle() {
        let second = Span::from_secs(1);
        let jump = RampingRate::new(
            0,
            second,
            &[
                stage(2, 0),
                stage(2, 2),
                stage(0, 0),
                stage(0, 3),
                stage(1, 0),
                stage(1, 1),
            ],
        );
        assert_eq!(times_s(&jump), [0.5, 1.0, 1.5, 2.0, 6.0]);
        assert_eq!(RampingRate::new(0, second, &[stage(0, 5)]).count(), 0);
        assert_eq!(RampingRate::new(7, second, &[]).count(), 0);
        assert_eq!(RampingRate::new(7, Span::ZERO, &[stage(7, 5)]).count(), 0);
        // VEG-1: vegeta's pacer waits for the area too; hits are the arrivals already made.
        for (rate, elapsed_ms, hits, wait_ms) in [
            (1, 1_000, 1, 1_000),
            (1, 1_000, 10, 10_000),
            (1, 11_000, 10, 0),
            (2, 4_900, 9, 100),
        ] {
            let pacer = RampingRate::new(rate, second, &[stage(rate, 60)]);
            let wait = pacer
                .at(hits)
                .map(|at| at.as_us().saturating_sub(elapsed_ms * 1_000));
            assert_eq!(
                wait,
                Some(wait_ms * 1_000),
                "{rate}/s after {elapsed_ms} ms and {hits} hits"
            );
        }
        // GAT-2: Gatling's rampUsersPerSec(2 to 4) over 10 s has 30 users too; its second one, in steps, at 500 ms.
        let gatling = RampingRate::new(2, second, &[stage(4, 10)]);
        assert_eq!(gatling.count(), 30);
        assert_eq!(gatling.at(0), Some(Span::from_us(488_088)));
    }

    #[test]
    fn near_flat_stages_and_the_ends_of_ramps_to_nothing_are_exact() {
        let second = Span::from_secs(1);
        let day = 86_400;
        let flat = RampingRate::new(1_000_000, second, &[stage(1_000_000, day)]);
        let nearly = RampingRate::new(1_000_000, second, &[stage(1_000_001, day)]);
        let number = 86_399_999_999;
        assert_eq!(flat.at(number), Some(Span::from_secs(day)));
        let shift = flat.at(number).unwrap().as_us() - nearly.at(number).unwrap().as_us();
        assert_eq!(shift, 43_200, "half a part in a million less");
        // The last of a ramp from f to 0 over d comes at d; the k-th before it d·√(2k/(f·d)) earlier.
        let down = RampingRate::new(1_000, second, &[stage(0, day)]);
        assert_eq!(down.count(), 43_200_000);
        assert_eq!(down.at(43_199_999), Some(Span::from_secs(day)));
        for before in [1_u64, 2, 10, 1_000] {
            let exact = 86_400e6 * (1.0 - (2.0 * before as f64 / (1_000.0 * 86_400.0)).sqrt());
            let at = down.at(43_199_999 - before).unwrap().as_us() as f64;
            assert!((at - exact).abs() <= 1.0, "{at} {exact}");
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        let longest = Stage {
            duration: Span::from_us(u64::MAX),
            target: u32::MAX,
        };
        let zero = Stage {
            target: 0,
            ..longest
        };
        let rate = RampingRate::new(u32::MAX, Span::from_us(1), &[longest, zero, longest, zero]);
        for number in [0, 1, rate.count() / 3, rate.count() / 2, rate.count() - 1] {
            assert!(rate.at(number) <= rate.at(number + 1) || number + 1 == rate.count());
        }
        let slow = RampingRate::new(1, DURATION_MAX, &[stage(1, 1)]);
        assert_eq!(slow.count(), 0);
    }

    fn any_stages() -> impl Strategy<Value = Vec<Stage>> {
        let stage = (0_u32..50, 0..20_000_000_u64, any::<bool>());
        let stage = stage.prop_map(|(target, us, jumps)| Stage {
            duration: if jumps { Span::ZERO } else { Span::from_us(us) },
            target,
        });
        prop::collection::vec(stage, 0..8)
    }

    proptest! {
        #[test]
        fn the_count_is_the_integral_and_each_arrival_is_where_the_area_is(
            start in 0_u32..50, unit_ms in 1_u64..5_000, stages in any_stages(),
        ) {
            let rate = RampingRate::new(start, Span::from_ms(unit_ms), &stages);
            let area = |until_us: u64| {
                let (mut at, mut from, mut area) = (0_u64, f64::from(start), 0.0);
                for stage in &stages {
                    let (duration, to) = (stage.duration.as_us(), f64::from(stage.target));
                    let part = until_us.saturating_sub(at).min(duration) as f64;
                    if duration > 0 {
                        area += part * (from + (to - from) * part / duration as f64 / 2.0);
                    }
                    (at, from) = (at + duration, to);
                }
                area / (unit_ms as f64 * 1_000.0)
            };
            let whole = area(u64::MAX);
            prop_assert!((rate.count() as f64 - whole.floor()).abs() < 0.5 || (whole - whole.round()).abs() < 1e-6);
            let mut last = Span::ZERO;
            for number in 0..rate.count() {
                let at = rate.at(number).unwrap();
                prop_assert!(at >= last);
                let wanted = (number + 1) as f64;
                prop_assert!(area(at.as_us()) <= wanted + 1e-6 && area(at.as_us() + 1) >= wanted - 1e-6);
                last = at;
            }
            prop_assert_eq!(rate.at(rate.count()), None);
        }

        #[test]
        fn long_and_steep_ramps_lose_nothing(
            from in any::<u32>(), to in any::<u32>(), us in 1_u64..=DURATION_MAX.as_us(), part in 0.0_f64..1.0,
        ) {
            let stages = [Stage { duration: Span::from_us(us), target: to }];
            let rate = RampingRate::new(from, Span::from_secs(1), &stages);
            prop_assume!(rate.count() > 1);
            let number = ((rate.count() - 2) as f64 * part) as u64;
            let (at, next) = (rate.at(number).unwrap(), rate.at(number + 1).unwrap());
            prop_assert!(at <= next && next.as_us() <= us);
            let line = rate.stages[0];
            let area = 2_000_000 * (u128::from(number) + 1);
            prop_assert!(line.has_reached(at.as_us(), area));
            prop_assert!(at.as_us() == us || !line.has_reached(at.as_us() + 1, area));
        }
    }
}
