//! HdrHistogram's own vectors (tests/data_access.rs and tests/quantile.rs of HdrHistogram_rust): 10,000 values of
//! 1 ms, then one of 100 s, at an expected interval of 10 ms.
//!
//! The engine needs no such correction: it measures from the planned start, so that the values which the
//! correction has to invent are there. The vectors show that a histogram which holds them answers as it should.

use sentinel_engine::histogram::{Histogram, bucket_end};

const MS: u64 = 1_000;
const S: u64 = 1_000_000;

#[test]
fn raw_and_corrected_percentiles_are_those_of_hdrhistogram() {
    let (raw, corrected) = both();
    assert_eq!((raw.count(), corrected.count()), (10_001, 20_000));
    for (histogram, quantile, value) in [
        (&raw, 0.3, MS),
        (&raw, 0.99, MS),
        (&raw, 0.9999, MS),
        (&raw, 0.99999, 100 * S),
        (&raw, 1.0, 100 * S),
        (&corrected, 0.3, MS),
        (&corrected, 0.5, MS),
        (&corrected, 0.75, 50 * S),
        (&corrected, 0.9, 80 * S),
        (&corrected, 0.99, 98 * S),
        (&corrected, 0.99999, 100 * S),
        (&corrected, 1.0, 100 * S),
    ] {
        let told = histogram.value_at_quantile(quantile);
        assert!(
            told.is_some_and(|told| told >= value && told <= value + value / 1_000),
            "{quantile}: {told:?}, not {value}"
        );
    }
}

#[test]
fn raw_and_corrected_means_are_those_of_hdrhistogram() {
    let (raw, corrected) = both();
    let raw_mean = (10_000.0 * MS as f64 + 100.0 * S as f64) / 10_001.0;
    assert!((raw_mean - 10_998.0).abs() < 1.0);
    for (histogram, mean) in [(&raw, raw_mean), (&corrected, 25.0005 * S as f64)] {
        let told = histogram.mean().unwrap();
        assert!((told / mean - 1.0).abs() < 0.001, "{told}, not {mean}");
    }
}

#[test]
fn the_share_below_a_value_is_that_of_hdrhistogram() {
    let (raw, corrected) = both();
    for (histogram, value, share) in [
        (&raw, 5 * MS, 0.9999),
        (&corrected, 5 * MS, 0.5),
        (&corrected, 100 * S, 1.0),
    ] {
        let told = histogram.quantile_below(value).unwrap();
        assert!((told - share).abs() < 0.00005, "{told}, not {share}");
    }
}

#[test]
fn a_quantile_between_two_ranks_is_the_upper_one() {
    let two = of([1, 2]);
    assert_eq!(two.value_at_quantile(0.5), Some(1));
    assert_eq!(two.value_at_quantile(0.5_f64.next_up()), Some(2));
    let many = of(1..=20_000);
    assert_eq!(many.value_at_quantile(0.99805), Some(bucket_end(19_961)));
}

fn both() -> (Histogram, Histogram) {
    let mut raw = Histogram::new();
    raw.record_n(MS, 10_000);
    let mut corrected = raw.clone();
    raw.record(100 * S);
    record_corrected(&mut corrected, 100 * S, 10 * MS);
    (raw, corrected)
}

/// Records a value together with those that were not measured while it lasted (G. Tene's correction for
/// coordinated omission): one at each expected interval.
fn record_corrected(histogram: &mut Histogram, value: u64, interval: u64) {
    let mut missed = value;
    while missed >= interval {
        histogram.record(missed);
        missed -= interval;
    }
}

fn of(values: impl IntoIterator<Item = u64>) -> Histogram {
    let mut histogram = Histogram::new();
    for value in values {
        histogram.record(value);
    }
    histogram
}
