//! How long an answer takes: always the same, or drawn from a distribution.
//!
//! Invariant: the delay of the n-th request of a path depends on the seed and n alone.

use std::time::{Duration, Instant};

use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, LogNormal, Normal};
use rand_pcg::Pcg32;
use sentinel_system::Timer;

use crate::query::{BadQuery, Query};

/// A waiting time, and the seed of its random numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Delay {
    shape: Shape,
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    /// No delay.
    None,
    /// Always as many milliseconds.
    Fixed(f64),
    /// Evenly between two numbers of milliseconds.
    Uniform(f64, f64),
    /// Mean and deviation in milliseconds; what is below 0 counts as 0.
    Normal(Normal<f64>),
    /// Median in milliseconds and the deviation of the logarithm.
    LogNormal(LogNormal<f64>),
}

impl Delay {
    /// The delay that a query asks for; none if it says nothing.
    pub(crate) fn of(query: &mut Query<'_>) -> Result<Self, BadQuery> {
        let seed = query.number("seed")?.unwrap_or(0);
        let mut shapes = Vec::new();
        if let Some(ms) = query.positive("ms")? {
            shapes.push(Shape::Fixed(ms));
        }
        if let Some((low, high)) = query.pair("uniform")? {
            shapes.push(Shape::Uniform(low, high.max(low)));
        }
        if let Some((mean, deviation)) = query.pair("normal")? {
            let normal = Normal::new(mean, deviation);
            shapes.push(normal.map_or(Shape::Fixed(mean), Shape::Normal));
        }
        if let Some((median, sigma)) = query.pair("lognormal")? {
            let lognormal = LogNormal::new(median.max(f64::MIN_POSITIVE).ln(), sigma);
            shapes.push(lognormal.map_or(Shape::Fixed(median), Shape::LogNormal));
        }
        match shapes.as_slice() {
            [] => Ok(Self {
                shape: Shape::None,
                seed,
            }),
            [shape] => Ok(Self {
                shape: *shape,
                seed,
            }),
            _ => Err(BadQuery::TwoDelays),
        }
    }

    /// The seed that the query gave, for whatever else is random about the request.
    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    /// Waits as long as the `nth` request of its path has to.
    pub(crate) async fn wait(&self, nth: u64) {
        if let Some(length) = self.length(nth) {
            hold(length).await;
        }
    }

    fn length(&self, nth: u64) -> Option<Duration> {
        let mut random = random(self.seed, nth);
        let ms = match self.shape {
            Shape::None => return None,
            Shape::Fixed(ms) => ms,
            Shape::Uniform(low, high) => low + (high - low) * random.random::<f64>(),
            Shape::Normal(normal) => normal.sample(&mut random),
            Shape::LogNormal(lognormal) => lognormal.sample(&mut random),
        };
        Some(Duration::from_secs_f64(ms.clamp(0.0, MS_MAX) / 1e3))
    }
}

/// Waits to within a fraction of a millisecond: tokio's timers move in steps of one, so that what had come one by one
/// would be answered in bursts, of which each request waits for those before it.
async fn hold(length: Duration) {
    let due = Instant::now() + length;
    let waited = match Timer::new() {
        Ok(timer) => timer.until(due).await,
        Err(error) => Err(error), // no further file may be open
    };
    if waited.is_err() {
        tokio::time::sleep_until(due.into()).await;
    }
}

/// The random numbers of the `nth` request of a path.
pub(crate) fn random(seed: u64, nth: u64) -> impl Rng {
    // Spread over all bits, so that neighbours have nothing in common.
    Pcg32::seed_from_u64(seed ^ nth.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// An hour: longer is what `/hang` is for.
const MS_MAX: f64 = 3_600_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths_ms(query: &str) -> Vec<f64> {
        let mut query = Query::parse(query);
        let delay = Delay::of(&mut query).expect("a delay");
        let ms = |nth| delay.length(nth).expect("a delay").as_secs_f64() * 1e3;
        (1..=20_000).map(ms).collect()
    }

    fn quantile(lengths: &[f64], quantile: f64) -> f64 {
        let mut sorted = lengths.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[(quantile * (sorted.len() - 1) as f64) as usize]
    }

    #[test]
    fn the_distributions_are_what_they_are_called() {
        assert!(lengths_ms("ms=20").iter().all(|ms| *ms == 20.0));
        let uniform = lengths_ms("uniform=10,30");
        assert!(uniform.iter().all(|ms| (10.0..=30.0).contains(ms)));
        assert!((quantile(&uniform, 0.25) - 15.0).abs() < 0.5);
        let normal = lengths_ms("normal=20,5&seed=1");
        assert!((quantile(&normal, 0.5) - 20.0).abs() < 0.3);
        assert!((quantile(&normal, 0.8413) - 25.0).abs() < 0.4);
        let lognormal = lengths_ms("lognormal=20,0.5");
        assert!((quantile(&lognormal, 0.5) - 20.0).abs() < 0.5);
        let sigma = (quantile(&lognormal, 0.8413) / 20.0).ln();
        assert!((sigma - 0.5).abs() < 0.03, "{sigma}");
    }

    #[test]
    fn the_seed_decides() {
        let first = lengths_ms("normal=20,5&seed=1");
        assert_eq!(first, lengths_ms("normal=20,5&seed=1"));
        assert_ne!(first, lengths_ms("normal=20,5&seed=2"));
    }

    #[test]
    fn two_delays_are_refused() {
        let refused = Delay::of(&mut Query::parse("ms=1&uniform=1,2"));
        assert_eq!(refused, Err(BadQuery::TwoDelays));
    }
}
