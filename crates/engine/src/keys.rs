//! Which of many keys comes next: evenly, by Zipf's law, or one hot key among cold ones.
//!
//! Invariant: a key depends on the user's random numbers alone, and is the same on every machine: logarithms
//! and exponentials are those of the crate `libm`, whose last digits do not differ between machines as those of
//! the platforms' libraries do. Nothing is allocated and no table is kept, whatever the number of keys.

use crate::random::Random;

/// A way to choose among keys, which are numbered from 0. The first one is the one that is chosen most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keys(Distribution);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Distribution {
    Uniform { last: u64 },
    Zipf(Zipf),
    Hot { last: u64, fraction: f64 },
}

impl Keys {
    /// How many keys there may be.
    pub const COUNT_MAX: u64 = 1_000_000_000;

    /// The largest exponent of Zipf's law that is accepted: beyond it nearly all that is drawn is the first key.
    pub const EXPONENT_MAX: f64 = 10.0;

    /// Each of `count` keys as often as the others; no keys count as one.
    #[must_use]
    pub const fn uniform(count: u64) -> Self {
        Self(Distribution::Uniform {
            last: count.saturating_sub(1),
        })
    }

    /// The nth of `count` keys in proportion to 1/n^`exponent`, `None` unless the count is from 1 to
    /// [`Self::COUNT_MAX`] and the exponent above 0 up to [`Self::EXPONENT_MAX`].
    #[must_use]
    pub fn zipf(count: u64, exponent: f64) -> Option<Self> {
        let known = (1..=Self::COUNT_MAX).contains(&count)
            && exponent > 0.0
            && exponent <= Self::EXPONENT_MAX;
        known.then(|| Self(Distribution::Zipf(Zipf::new(count, exponent))))
    }

    /// The first key for this fraction of all draws, the other `count - 1` evenly for the rest; `None` unless the
    /// fraction is from 0 to 1.
    #[must_use]
    pub fn hot(count: u64, fraction: f64) -> Option<Self> {
        let last = count.saturating_sub(1);
        (0.0..=1.0)
            .contains(&fraction)
            .then_some(Self(Distribution::Hot { last, fraction }))
    }

    /// The next key.
    pub fn draw(&self, random: &mut Random) -> u64 {
        match self.0 {
            Distribution::Uniform { last } => random.between(0, last),
            Distribution::Zipf(zipf) => zipf.draw(random),
            Distribution::Hot { last, fraction } => {
                if last == 0 || random.fraction() < fraction {
                    0
                } else {
                    random.between(1, last)
                }
            }
        }
    }
}

/// Zipf's law, drawn by rejection-inversion (W. Hörmann and G. Derflinger, "Rejection-inversion to generate
/// variates from monotone discrete distributions", 1996): a point under the curve `x^-exponent`, whose integral
/// can be inverted, and a second try for the few points that are not under the steps of the law itself.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Zipf {
    count: f64,
    exponent: f64,
    integral_first: f64,
    integral_last: f64,
    /// A draw that lies this close below a key belongs to it without a comparison.
    squeeze: f64,
}

impl Zipf {
    fn new(count: u64, exponent: f64) -> Self {
        let mut zipf = Self {
            count: count as f64,
            exponent,
            integral_first: 0.0,
            integral_last: 0.0,
            squeeze: 0.0,
        };
        zipf.integral_first = zipf.integral(1.5) - 1.0;
        zipf.integral_last = zipf.integral(zipf.count + 0.5);
        zipf.squeeze = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.curve(2.0));
        zipf
    }

    fn draw(&self, random: &mut Random) -> u64 {
        loop {
            let area =
                self.integral_last + random.fraction() * (self.integral_first - self.integral_last);
            let x = self.inverse(area);
            let key = (x + 0.5).floor().clamp(1.0, self.count);
            if key - x <= self.squeeze || area >= self.integral(key + 0.5) - self.curve(key) {
                return key as u64 - 1;
            }
        }
    }

    /// `x^-exponent`.
    fn curve(&self, x: f64) -> f64 {
        libm::exp(-self.exponent * libm::log(x))
    }

    /// The integral of the curve, up to a constant: `(x^(1-exponent) - 1) / (1-exponent)`, which is the logarithm
    /// where the exponent is 1.
    fn integral(&self, x: f64) -> f64 {
        let log = libm::log(x);
        let power = (1.0 - self.exponent) * log;
        // (e^p - 1) / p, by its series where both vanish.
        let growth = if power.abs() > SERIES_BELOW {
            libm::expm1(power) / power
        } else {
            1.0 + power * 0.5 * (1.0 + power / 3.0 * (1.0 + power * 0.25))
        };
        log * growth
    }

    /// The `x` of an integral.
    fn inverse(&self, area: f64) -> f64 {
        // Rounding may lead just below the least value that the integral has.
        let power = (area * (1.0 - self.exponent)).max(-1.0);
        // log(1 + p) / p, by its series where both vanish.
        let growth = if power.abs() > SERIES_BELOW {
            libm::log1p(power) / power
        } else {
            1.0 - power * (0.5 - power * (1.0 / 3.0 - power * 0.25))
        };
        libm::exp(area * growth)
    }
}

const SERIES_BELOW: f64 = 1e-8;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DRAWS: u32 = 100_000;

    fn counts(keys: Keys, count: usize, seed: u64) -> Vec<u32> {
        let mut random = Random::for_purpose(seed, 0);
        let mut counts = vec![0; count];
        for _ in 0..DRAWS {
            let key = usize::try_from(keys.draw(&mut random)).unwrap();
            counts[key] += 1;
        }
        counts
    }

    /// How far counts are from what was expected (Pearson's chi-squared), per degree of freedom: about 1 for
    /// draws of the distribution itself.
    fn chi_squared(counts: &[u32], expected: impl Fn(usize) -> f64) -> f64 {
        let sum: f64 = counts
            .iter()
            .enumerate()
            .map(|(key, count)| {
                let expected = expected(key) * f64::from(DRAWS);
                (f64::from(*count) - expected).powi(2) / expected
            })
            .sum();
        sum / (counts.len() - 1) as f64
    }

    #[test]
    fn all_keys_are_equal_when_nothing_else_is_said() {
        let counts = counts(Keys::uniform(50), 50, 1);
        let distance = chi_squared(&counts, |_| 1.0 / 50.0);
        assert!((0.5..1.6).contains(&distance), "{distance} {counts:?}");
    }

    #[test]
    fn the_nth_key_is_drawn_in_proportion_to_a_power_of_n() {
        for exponent in [0.5, 0.99, 1.0, 1.000_000_001, 1.5, 3.0] {
            // So many that the rarest one is still expected often enough for the test to mean something.
            let count = if exponent > 2.0 { 10 } else { 50 };
            let weight = |key: usize| ((key + 1) as f64).powf(-exponent);
            let sum: f64 = (0..count).map(weight).sum();
            let keys = Keys::zipf(count as u64, exponent).unwrap();
            let counts = counts(keys, count, 2);
            let distance = chi_squared(&counts, |key| weight(key) / sum);
            assert!(
                (0.2..2.0).contains(&distance),
                "{exponent} {distance} {counts:?}"
            );
        }
    }

    #[test]
    fn a_hot_key_gets_its_fraction_and_the_others_share_the_rest() {
        let counts = counts(Keys::hot(21, 0.8).unwrap(), 21, 3);
        let distance = chi_squared(&counts, |key| if key == 0 { 0.8 } else { 0.01 });
        assert!((0.2..2.0).contains(&distance), "{distance} {counts:?}");
    }

    #[test]
    fn the_same_numbers_give_the_same_keys_on_every_machine() {
        let mut random = Random::for_purpose(7, 0);
        let keys = Keys::zipf(1_000_000, 1.1).unwrap();
        let drawn: Vec<u64> = (0..12).map(|_| keys.draw(&mut random)).collect();
        assert_eq!(drawn, GOLDEN);
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        for (count, exponent) in [
            (0, 1.0),
            (Keys::COUNT_MAX + 1, 1.0),
            (5, 0.0),
            (5, -1.0),
            (5, 10.1),
            (5, f64::NAN),
        ] {
            assert_eq!(Keys::zipf(count, exponent), None, "{count} {exponent}");
        }
        for fraction in [-0.1, 1.1, f64::NAN] {
            assert_eq!(Keys::hot(5, fraction), None, "{fraction}");
        }
    }

    proptest! {
        #[test]
        fn every_key_is_one_of_them(
            seed in any::<u64>(),
            count in (0..30_u32, 1..=Keys::COUNT_MAX).prop_map(|(bits, n)| (n >> bits).max(1)),
            exponent in (any::<bool>(), 0.0..1.0_f64).prop_map(|(near_one, part)| {
                if near_one { 1.0 + (part - 0.5) * 1e-8 } else { 0.001 + part * 9.999 }
            }),
            fraction in 0.0..=1.0_f64,
        ) {
            let mut random = Random::for_purpose(seed, 0);
            let all = [
                Some(Keys::uniform(count)),
                Keys::zipf(count, exponent),
                Keys::hot(count, fraction),
            ];
            for keys in all.into_iter().flatten() {
                for _ in 0..20 {
                    prop_assert!(keys.draw(&mut random) < count);
                }
            }
        }
    }

    const GOLDEN: [u64; 12] = [
        2, 4_933, 12, 27_612, 12_683, 1_647, 19, 9, 13_355, 1, 9, 1_495,
    ];
}
