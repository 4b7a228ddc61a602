//! Arrivals at random: a Poisson process with a constant rate.
//!
//! The number of arrivals is drawn first; then the time is halved again and again, and a number is drawn for
//! each half from coin tosses, until a piece holds few arrivals, which fall anywhere in it. All draws depend
//! on the seed and the place of the piece alone, so arrival n can be found without its predecessors, and all
//! shares see the same arrivals. No logarithm is needed, whose last digit would differ between machines.

use crate::random::Random;
use crate::tick::Span;

/// Arrivals that come independently of one another.
#[derive(Clone, Debug)]
pub struct Poisson {
    seed: u64,
    duration: Span,
    halvings: u32, // how often the time is halved
    count: u64,
    path: Vec<Piece>, // from the whole to the piece that was asked for last
    times: Vec<u64>,  // of that piece's arrivals, in microseconds, ascending
}

/// A piece of the time: piece `place` of the 2^`level` equal ones.
#[derive(Clone, Copy, Debug)]
struct Piece {
    level: u32,
    place: u64,
    first: u64, // the number of its first arrival
    count: u64,
}

impl Poisson {
    /// On average `millionths` of an arrival in each second, for `duration`. Equal seeds give equal arrivals.
    #[must_use]
    pub fn of_millionths(millionths: u64, duration: Span, seed: u64) -> Self {
        let expected = millionths as f64 / 1e6 * duration.as_secs_f64();
        let mut random = Random::for_purpose(seed, COUNT);
        let count = draw_count(expected, &mut random);
        let pieces = (expected / ARRIVALS_IN_PIECE).max(1.0);
        Self {
            seed,
            duration,
            halvings: halvings_for(pieces),
            count,
            path: Vec::new(),
            times: Vec::new(),
        }
    }

    /// How many arrivals there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// When arrival `number`, counted from 0, comes: the time since the beginning. Numbers that rise cost
    /// least.
    #[must_use]
    pub fn at(&mut self, number: u64) -> Option<Span> {
        if number >= self.count {
            return None;
        }
        self.go_to(number);
        let piece = self.path.last()?;
        let place = usize::try_from(number.checked_sub(piece.first)?).ok()?;
        self.times.get(place).copied().map(Span::from_us)
    }

    /// Makes the path lead to the piece that holds the arrival.
    fn go_to(&mut self, number: u64) {
        let holds = |piece: &Piece| (piece.first..piece.first + piece.count).contains(&number);
        let mut moved = self.path.is_empty();
        while self.path.last().is_some_and(|piece| !holds(piece)) {
            self.path.pop();
            moved = true;
        }
        if !moved {
            return;
        }
        let whole = Piece {
            level: 0,
            place: 0,
            first: 0,
            count: self.count,
        };
        let mut piece = self.path.last().copied().unwrap_or(whole);
        if self.path.is_empty() {
            self.path.push(piece);
        }
        while piece.level < self.halvings {
            piece = self.half_with(piece, number);
            self.path.push(piece);
        }
        self.times = self.times_in(piece);
    }

    /// The half of a piece that holds the arrival.
    fn half_with(&self, piece: Piece, number: u64) -> Piece {
        let left = heads(piece.count, &mut self.stream(piece));
        let (place, first, count) = if number < piece.first + left {
            (2 * piece.place, piece.first, left)
        } else {
            (2 * piece.place + 1, piece.first + left, piece.count - left)
        };
        Piece {
            level: piece.level + 1,
            place,
            first,
            count,
        }
    }

    fn times_in(&self, piece: Piece) -> Vec<u64> {
        let mut random = self.stream(piece);
        let pieces = (1_u64 << piece.level) as f64;
        let length_us = self.duration.as_us() as f64 / pieces;
        let mut times: Vec<u64> = (0..piece.count)
            .map(|_| {
                let us = (piece.place as f64 + random.fraction()) * length_us;
                (us as u64).min(self.duration.as_us()) // in range: positive, and clamped
            })
            .collect();
        times.sort_unstable();
        times
    }

    /// Random numbers of one piece.
    fn stream(&self, piece: Piece) -> Random {
        Random::for_purpose(self.seed, (1 << piece.level) + piece.place) // never COUNT, which is 0
    }
}

/// How many arrivals come when `expected` do on average.
fn draw_count(expected: f64, random: &mut Random) -> u64 {
    if expected >= NORMAL_FROM {
        let count = expected + expected.sqrt() * random.normal();
        return count.round() as u64; // positive: six deviations are far from 0
    }
    let mut count = 0;
    let mut waited = exponential(random);
    while waited < expected {
        count += 1;
        waited += exponential(random);
    }
    count
}

/// A waiting time with mean 1 (J. von Neumann's method, which only compares even random numbers).
fn exponential(random: &mut Random) -> f64 {
    let mut whole = 0.0;
    loop {
        let first = random.fraction();
        let mut last = first;
        let mut falls_odd = true; // whether the run of falling numbers has an odd length
        loop {
            let next = random.fraction();
            if next >= last {
                break;
            }
            last = next;
            falls_odd = !falls_odd;
        }
        if falls_odd {
            return whole + first;
        }
        whole += 1.0;
    }
}

/// How many of `tosses` coins show heads.
fn heads(tosses: u64, random: &mut Random) -> u64 {
    let whole: u64 = (0..tosses / 64)
        .map(|_| u64::from(random.bits().count_ones()))
        .sum();
    let rest = (1_u64 << (tosses % 64)) - 1;
    whole + u64::from((random.bits() & rest).count_ones())
}

/// How often the time is halved to get at least this many pieces.
fn halvings_for(pieces: f64) -> u32 {
    let pieces = pieces.ceil() as u64; // in range, or the largest
    let power = pieces.checked_next_power_of_two();
    power
        .map_or(HALVINGS_MAX, u64::trailing_zeros)
        .min(HALVINGS_MAX)
}

/// The purpose of the stream that draws the number of arrivals.
const COUNT: u64 = 0;

/// Little enough to be generated and sorted at once.
const ARRIVALS_IN_PIECE: f64 = 64.0;

/// So that numbers of pieces stay far below 2^64.
const HALVINGS_MAX: u32 = 40;

/// From here on the normal distribution is as good: the skewness is below 1 %.
const NORMAL_FROM: f64 = 10_000.0;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn times_s(mut poisson: Poisson) -> Vec<f64> {
        (0..poisson.count())
            .filter_map(|n| poisson.at(n))
            .map(Span::as_secs_f64)
            .collect()
    }

    fn process(rate: u64, seconds: u64, seed: u64) -> Poisson {
        Poisson::of_millionths(rate * 1_000_000, Span::from_secs(seconds), seed)
    }

    #[test]
    fn waiting_times_are_exponential() {
        let mut random = Random::for_purpose(1, 1);
        let drawn: Vec<f64> = (0..100_000).map(|_| exponential(&mut random)).collect();
        let mean = drawn.iter().sum::<f64>() / 1e5;
        let above_one = drawn.iter().filter(|x| **x > 1.0).count() as f64 / 1e5;
        let above_three = drawn.iter().filter(|x| **x > 3.0).count() as f64 / 1e5;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!((above_one - (-1_f64).exp()).abs() < 0.01, "{above_one}");
        assert!(
            (above_three - (-3_f64).exp()).abs() < 0.005,
            "{above_three}"
        );
    }

    #[test]
    fn counts_and_gaps_are_those_of_a_poisson_process() {
        let times = times_s(process(100, 1_000, 7));
        assert!((times.len() as f64 - 100_000.0).abs() < 4.0 * 100_000_f64.sqrt());
        let mut seconds = vec![0_f64; 1_000];
        for at in &times {
            seconds[(*at as usize).min(999)] += 1.0;
        }
        let mean = seconds.iter().sum::<f64>() / 1_000.0;
        let variance = seconds.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / 1_000.0;
        assert!(
            (variance / mean - 1.0).abs() < 0.15,
            "variance {variance}, mean {mean}"
        );
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let long = gaps.iter().filter(|gap| **gap > 0.01).count() as f64 / gaps.len() as f64;
        assert!((long - (-1_f64).exp()).abs() < 0.01, "{long}");
    }

    #[test]
    fn numbers_of_arrivals_spread_as_they_should() {
        for expected in [3, 20_000] {
            let counts: Vec<f64> = (0..2_000)
                .map(|seed| process(expected, 1, seed).count() as f64)
                .collect();
            let mean = counts.iter().sum::<f64>() / 2_000.0;
            let variance = counts.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / 2_000.0;
            let expected = expected as f64;
            assert!(
                (mean - expected).abs() < 4.0 * (expected / 2_000.0).sqrt(),
                "{mean}"
            );
            assert!((variance / expected - 1.0).abs() < 0.15, "{variance}");
        }
    }

    #[test]
    fn seeds_decide() {
        assert_eq!(times_s(process(50, 10, 1)), times_s(process(50, 10, 1)));
        assert_ne!(times_s(process(50, 10, 1)), times_s(process(50, 10, 2)));
        assert_eq!(process(0, 10, 1).count(), 0);
        assert_eq!(process(10, 0, 1).count(), 0);
    }

    proptest! {
        #[test]
        fn arrivals_rise_and_can_be_asked_for_in_any_order(
            rate in 0_u64..5_000, seconds in 1_u64..20, seed in any::<u64>(), wanted in prop::collection::vec(any::<u64>(), 20),
        ) {
            let poisson = process(rate, seconds, seed);
            let times = times_s(poisson.clone());
            prop_assert_eq!(times.len() as u64, poisson.count());
            prop_assert!(times.is_sorted());
            prop_assert!(times.iter().all(|at| (0.0..=seconds as f64).contains(at)));
            let mut jumping = poisson.clone();
            for number in wanted {
                let number = number % (poisson.count() + 1);
                let at = jumping.at(number).map(Span::as_secs_f64);
                prop_assert_eq!(at, times.get(number as usize).copied());
            }
        }
    }
}
