//! How often the comparison is wrong: of runs that do not differ, and of runs that do.

use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, StandardNormal};
use rand_pcg::Pcg64Mcg;
use sentinel_engine::summary::{Samples, StepSamples, TestRunResult};
use sentinel_engine::totals::LatencyPercentiles;

use super::*;

/// A target as real ones are: what slows one request slows those after it.
#[derive(Clone, Copy)]
struct Target {
    /// How much slower or faster it is than usual.
    factor: f64,
    failing: f64,
    /// The correlation between the levels of neighbouring seconds.
    correlation: f64,
}

const USUAL: Target = Target {
    factor: 1.0,
    failing: 0.01,
    correlation: 0.6,
};

const BLOCKS: u32 = 30;
const SECONDS_PER_BLOCK: u32 = 2;
const REQUESTS_PER_SECOND: u32 = 30;

/// A run whose load rises, so that its latency does.
fn run(target: Target, seed: u64) -> Subject {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let mut level: f64 = StandardNormal.sample(&mut random);
    let innovation = (1.0 - target.correlation * target.correlation).sqrt();
    let blocks = (0..BLOCKS).map(|number| {
        let mut block = SampleBlock::default();
        let load = 1.0 + f64::from(number) / f64::from(BLOCKS);
        for _ in 0..SECONDS_PER_BLOCK {
            let shock: f64 = StandardNormal.sample(&mut random);
            level = level * target.correlation + shock * innovation;
            for _ in 0..REQUESTS_PER_SECOND {
                let own: f64 = StandardNormal.sample(&mut random);
                let ms = 40.0 * target.factor * load * (0.15 * level + 0.4 * own).exp();
                block.response_us.record((ms * 1e3) as u64);
                block.requests += 1;
                block.failed += u64::from(random.random_bool(target.failing));
            }
        }
        block
    });
    let golden = include_str!("../../../../engine/tests/run_machine/golden/test_run_result.json");
    let mut result: TestRunResult = serde_json::from_str(golden).unwrap();
    let step = StepSamples {
        application: "shop".to_owned(),
        step: "search".to_owned(),
        blocks: blocks.collect(),
    };
    result.samples = Some(Samples {
        block_seconds: SECONDS_PER_BLOCK,
        steps: vec![step],
    });
    let mut subject = Subject::new(result);
    let all = merged(&subject.blocks);
    subject.result.latency_percentiles = LatencyPercentiles::of_sparse(&all);
    subject.result.error_rate = Some(failed(&subject.blocks).ratio());
    subject
}

const STRICT: Settings = Settings {
    tolerance: 0.0,
    alpha: 0.05,
};

/// In how many of `pairs` comparisons something is said to have become better, and worse.
fn findings(before: Target, after: Target, pairs: u64) -> (u64, u64) {
    let mut found = (0, 0);
    for pair in 0..pairs {
        let comparison = Comparison::new(&run(before, 2 * pair), &run(after, 2 * pair + 1), STRICT);
        found.0 += u64::from(comparison.better > 0);
        found.1 += u64::from(comparison.worse > 0);
    }
    found
}

#[test]
fn runs_that_do_not_differ_seldom_show_a_change() {
    const PAIRS: u64 = 200;
    for correlation in [0.0, 0.6, 0.8] {
        let target = Target {
            correlation,
            ..USUAL
        };
        let (better, worse) = findings(target, target, PAIRS);
        println!("correlation {correlation}: {better} better, {worse} worse of {PAIRS}");
        // 5 % are promised: of 200 pairs with that rate, more than 18 come in one of 100 tries.
        assert!(
            better + worse <= 18,
            "{better} + {worse} of {PAIRS} at {correlation}"
        );
    }
}

#[test]
fn independent_requests_would_be_a_false_promise() {
    const PAIRS: u64 = 100;
    let mut alarms = 0;
    for pair in 0..PAIRS {
        let (before, after) = (run(USUAL, 2 * pair), run(USUAL, 2 * pair + 1));
        let (own, other) = (merged(&before.blocks), merged(&after.blocks));
        let mut both = own.clone();
        both.merge(&other);
        let limit_us = both.percentile(0.5).unwrap();
        let of = |subject: &Subject| slower(&subject.blocks, limit_us);
        let (own, other) = (of(&before).sums(), of(&after).sums());
        let share = (own.0 + other.0) / (own.1 + other.1);
        let error = (share * (1.0 - share) * (1.0 / own.1 + 1.0 / other.1)).sqrt();
        alarms += u64::from(((own.0 / own.1 - other.0 / other.1) / error).abs() > 1.96);
    }
    println!("{alarms} of {PAIRS}");
    assert!(
        alarms > PAIRS / 5,
        "{alarms}: the simulated runs are too tame"
    );
}

#[test]
fn runs_that_differ_are_told_and_in_the_right_direction() {
    const PAIRS: u64 = 50;
    let slower = Target {
        factor: 1.5,
        ..USUAL
    };
    let (better, worse) = findings(USUAL, slower, PAIRS);
    assert!(worse >= PAIRS * 9 / 10 && better <= 3, "{better}, {worse}");
    let (better, worse) = findings(slower, USUAL, PAIRS);
    assert!(better >= PAIRS * 9 / 10 && worse <= 3, "{better}, {worse}");
    let failing = Target {
        failing: 0.05,
        ..USUAL
    };
    let (_, worse) = findings(USUAL, failing, PAIRS);
    assert!(worse >= PAIRS * 9 / 10, "{worse}");
}

#[test]
fn what_is_tolerated_is_neither_better_nor_worse() {
    let slower = Target {
        factor: 1.3,
        ..USUAL
    };
    let tolerant = Settings {
        tolerance: 0.6,
        ..STRICT
    };
    let comparison = Comparison::new(&run(USUAL, 1), &run(slower, 2), tolerant);
    assert_eq!((comparison.better, comparison.worse), (0, 0));
    let small = comparison
        .rows
        .iter()
        .filter(|row| row.verdict == Verdict::Small);
    assert!(small.count() > 0);
}

#[test]
fn summaries_without_samples_are_compared_without_a_verdict() {
    let mut before = run(USUAL, 1);
    before.result.samples = None;
    let before = Subject::new(before.result);
    let comparison = Comparison::new(&before, &run(USUAL, 2), STRICT);
    assert!(
        comparison
            .rows
            .iter()
            .all(|row| row.verdict == Verdict::NotEnoughSamples)
    );
    assert!(comparison.rows[0].change.is_some());
    assert!(
        comparison.notes[0].contains("no samples"),
        "{:?}",
        comparison.notes
    );
}
