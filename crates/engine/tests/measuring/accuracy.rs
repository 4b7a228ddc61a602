//! Percentiles of known distributions against the sorted samples, and shards against the whole.

use sentinel_engine::histogram::{Histogram, SparseHistogram};
use sentinel_engine::metric::{Amount, Percentile, Trend};

const SAMPLES: usize = 100_000;
const PERCENTS: [f64; 10] = [0.0, 1.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0];

/// HdrHistogram's promise for three significant digits.
const ERROR_MAX: f64 = 0.001;

#[test]
fn histograms_are_near_the_exact_nearest_rank() {
    for (name, mut samples) in distributions() {
        let mut histogram = Histogram::new();
        samples.iter().for_each(|value| histogram.record(*value));
        samples.sort_unstable();
        for percent in PERCENTS {
            let rank = (percent / 100.0 * SAMPLES as f64).ceil().max(1.0) as usize;
            let exact = samples[rank - 1] as f64;
            let told = histogram.value_at_quantile(percent / 100.0).unwrap() as f64;
            assert!(
                exact <= told && told <= exact * (1.0 + ERROR_MAX),
                "{name} p({percent}): {told}, not {exact}"
            );
        }
    }
}

#[test]
fn trends_are_near_the_exact_interpolation() {
    for (name, mut samples) in distributions() {
        let trend = trend_of(samples.iter());
        samples.sort_unstable();
        for percent in PERCENTS {
            let rank = percent / 100.0 * (SAMPLES - 1) as f64;
            let (low, high) = (
                samples[rank.floor() as usize],
                samples[rank.ceil() as usize],
            );
            let exact = low as f64 + (high - low) as f64 * rank.fract();
            let told = trend.percentile(Percentile::new(percent).unwrap()).unwrap();
            assert!(
                exact - 1e-6 <= told && told <= exact * (1.0 + ERROR_MAX),
                "{name} p({percent}): {told}, not {exact}"
            );
        }
        let sum: u64 = samples.iter().sum();
        assert_eq!(trend.average(), Some(sum as f64 / SAMPLES as f64), "{name}");
        assert_eq!(trend.lowest(), samples.first().map(|v| *v as i64), "{name}");
        assert_eq!(trend.highest(), samples.last().map(|v| *v as i64), "{name}");
    }
}

#[test]
fn merged_shards_are_the_whole() {
    for (name, samples) in distributions() {
        for shards in [2, 3, 8, 30] {
            let mut merged = SparseHistogram::default();
            let mut merged_trend = Trend::default();
            for shard in 0..shards {
                let mine = || samples.iter().skip(shard).step_by(shards);
                let mut histogram = SparseHistogram::default();
                mine().for_each(|value| histogram.record(*value));
                merged.merge(&histogram);
                merged_trend.merge(&trend_of(mine()));
            }
            let mut whole = SparseHistogram::default();
            samples.iter().for_each(|value| whole.record(*value));
            assert_eq!(merged, whole, "{name} in {shards}");
            assert_eq!(merged_trend, trend_of(samples.iter()), "{name} in {shards}");
        }
    }
}

fn trend_of<'a>(samples: impl Iterator<Item = &'a u64>) -> Trend {
    let mut trend = Trend::default();
    for value in samples {
        trend.record(Amount::from_steps(i64::try_from(*value).unwrap()));
    }
    trend
}

/// Response times in microseconds.
fn distributions() -> [(&'static str, Vec<u64>); 4] {
    let mut random = Random(7);
    let mut samples = |draw: &mut dyn FnMut(&mut Random) -> f64| {
        (0..SAMPLES).map(|_| draw(&mut random) as u64).collect()
    };
    [
        ("uniform", samples(&mut |r| r.fraction() * 2_000_000.0)),
        (
            "log-normal",
            samples(&mut |r| (10.0 + 1.5 * r.normal()).exp()),
        ),
        (
            "bimodal",
            samples(&mut |r| {
                let centre = if r.fraction() < 0.9 {
                    20_000.0
                } else {
                    900_000.0
                };
                (centre + 2_000.0 * r.normal()).max(0.0)
            }),
        ),
        ("constant", samples(&mut |_| 250_123.0)),
    ]
}

/// SplitMix64: a test needs no better, and the same numbers every time.
struct Random(u64);

impl Random {
    fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64
    }

    /// Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.fraction().max(1e-12).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.fraction()).cos()
    }
}
