//! The test of one question: whether a ratio of sums over blocks of time differs between two runs.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// With fewer blocks than this nothing can be said about noise.
pub(super) const BLOCKS_MIN: usize = 5;

/// However alike neighbouring blocks are, they count for a tenth of their number at least.
const CORRELATION_MAX: f64 = 0.8;

/// The blocks of a run: what is counted in each, and out of what.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Blocks(pub(super) Vec<(f64, f64)>);

/// How large the variance is at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Floor {
    /// What is counted is a part of independent requests.
    Binomial,
    /// Nothing is known of it.
    None,
}

impl Blocks {
    /// The ratio of the sums, 0 of nothing.
    pub(super) fn ratio(&self) -> f64 {
        let (counted, all) = self.sums();
        if all > 0.0 { counted / all } else { 0.0 }
    }

    /// What is counted, and out of what.
    pub(super) fn sums(&self) -> (f64, f64) {
        let blocks = self.0.iter();
        blocks.fold((0.0, 0.0), |sum, block| (sum.0 + block.0, sum.1 + block.1))
    }

    /// What each block adds to the error of the ratio: the linear part of its expansion.
    fn influences(&self) -> Vec<f64> {
        let ratio = self.ratio();
        let all = self.sums().1.max(f64::MIN_POSITIVE);
        let blocks = self.0.iter();
        blocks
            .map(|(counted, of)| (counted - ratio * of) / all)
            .collect()
    }
}

/// How probable a difference as large as this would be if there were none; `None` of too few blocks.
pub(super) fn p_value(before: &Blocks, after: &Blocks, floor: Floor) -> Option<f64> {
    if before.0.len().min(after.0.len()) < BLOCKS_MIN {
        return None;
    }
    let difference = after.ratio() - before.ratio();
    let (own, other) = (before.influences(), after.influences());
    let spread = if own.len() == other.len() {
        let pairs = own.iter().zip(&other);
        Spread::of(&pairs.map(|(own, other)| other - own).collect::<Vec<_>>())
    } else {
        Spread::of(&own).and(Spread::of(&other))
    };
    let variance = spread.variance.max(match floor {
        Floor::Binomial => binomial(before, after),
        Floor::None => 0.0,
    });
    if difference == 0.0 || variance <= 0.0 {
        return Some(if difference == 0.0 { 1.0 } else { 0.0 });
    }
    let t = StudentsT::new(0.0, 1.0, spread.freedom).ok()?;
    Some((2.0 * t.sf(difference.abs() / variance.sqrt())).min(1.0))
}

/// The variance of a sum, and the degrees of freedom of its estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    variance: f64,
    freedom: f64,
}

impl Spread {
    /// Of the sum of values that add up to 0.
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let squares: f64 = values.iter().map(|value| value * value).sum();
        let neighbours = values.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>();
        let correlation = if squares > 0.0 {
            neighbours / squares
        } else {
            0.0
        };
        // The estimate is too low by about (1 + 4ρ)/n (F. H. C. Marriott and J. A. Pope, Biometrika 41, 1954).
        let correlation = correlation + (1.0 + 4.0 * correlation.max(0.0)) / n;
        let correlation = correlation.clamp(0.0, CORRELATION_MAX);
        let inflation = (1.0 + correlation) / (1.0 - correlation);
        Self {
            variance: squares * n / (n - 1.0) * inflation,
            freedom: (n / inflation - 1.0).max(1.0),
        }
    }

    /// Of the difference of two independent sums, with Welch's degrees of freedom.
    fn and(self, other: Self) -> Self {
        let variance = self.variance + other.variance;
        let each = |spread: Self| spread.variance * spread.variance / spread.freedom;
        let freedom = variance * variance / (each(self) + each(other));
        Self {
            variance,
            freedom: if freedom.is_finite() {
                freedom
            } else {
                self.freedom.min(other.freedom)
            },
        }
    }
}

/// The variance of the difference if requests were independent.
fn binomial(before: &Blocks, after: &Blocks) -> f64 {
    let (before, after) = (before.sums(), after.sums());
    let share = (before.0 + after.0) / (before.1 + after.1).max(f64::MIN_POSITIVE);
    let per_request = share * (1.0 - share);
    per_request / before.1.max(1.0) + per_request / after.1.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_runs_do_not_differ_and_others_do() {
        let blocks =
            |failed: &[f64]| Blocks(failed.iter().map(|failed| (*failed, 100.0)).collect());
        let calm = blocks(&[1.0, 2.0, 1.0, 0.0, 1.0, 2.0, 1.0, 1.0]);
        let bad = blocks(&[10.0, 12.0, 11.0, 9.0, 10.0, 13.0, 10.0, 11.0]);
        assert_eq!(p_value(&calm, &calm, Floor::Binomial), Some(1.0));
        assert!(p_value(&calm, &bad, Floor::Binomial).unwrap() < 1e-4);
        // One block in which everything failed is as many failures, but may be chance.
        let spike = blocks(&[1.0, 2.0, 1.0, 80.0, 1.0, 0.0, 1.0, 1.0]);
        assert!(p_value(&calm, &spike, Floor::Binomial).unwrap() > 0.05);
    }

    #[test]
    fn few_blocks_and_no_variance_are_no_numbers_out_of_nothing() {
        let blocks = |n| Blocks(vec![(1.0, 1.0); n]);
        assert_eq!(p_value(&blocks(4), &blocks(9), Floor::Binomial), None);
        assert_eq!(p_value(&blocks(5), &blocks(9), Floor::None), Some(1.0));
        let none = Blocks(vec![(0.0, 0.0); 9]);
        assert_eq!(p_value(&none, &none, Floor::Binomial), Some(1.0));
        let faster = Blocks(vec![(2.0, 1.0); 5]);
        assert_eq!(p_value(&blocks(5), &faster, Floor::None), Some(0.0));
    }
}
