//! What must hold of every run.

use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::sorted::SortedMap;
use sentinel_engine::summary::{RunStatus, TestRunResult};
use sentinel_engine::tick::Span;
use sentinel_engine::timeline::TimelineRow;

use crate::world::{EPOCH_MS, World};

/// Everything that must hold of every run, whatever happened to it.
pub(crate) fn check(world: &World, result: &TestRunResult) {
    assert_eq!(result.ledger_faults, [], "{:?}", result.failure);
    assert_eq!(result.ledger.imbalances(), []);
    let seconds_per_row = u64::from(result.metrics_step_seconds);
    let seconds = u64::from(world.run.progress().seconds_published);
    let setup_ms = result.setup.as_ref().map_or(0, |setup| setup.end_ms);
    let gapless: Vec<u64> = (0..seconds.div_ceil(seconds_per_row))
        .map(|row| EPOCH_MS + setup_ms + row * seconds_per_row * 1_000)
        .collect();
    let times: Vec<u64> = world.rows.keys().copied().collect();
    assert_eq!(times, gapless, "each second has a row");
    assert!(
        world.published.is_sorted_by(|a, b| a < b),
        "each row once and in order: {:?}",
        world.published
    );
    let timeline: Vec<&TimelineRow> = world.rows.values().collect();
    if result.metrics_step_seconds == result.timeline_step_seconds {
        assert_eq!(result.timeline.iter().collect::<Vec<_>>(), timeline);
    }
    let of_rows: f64 = (0..)
        .zip(&timeline)
        .map(|(i, row)| {
            let covered = seconds_per_row.min(seconds - i * seconds_per_row);
            row.requests_per_sec * covered as f64
        })
        .sum();
    let cut_off =
        |errors: &SortedMap<ErrorClass, u64>| errors.get(&ErrorClass::CutOff).copied().unwrap_or(0);
    let applications = result.application_results.values();
    let of_applications: u64 = applications
        .clone()
        .map(|app| app.successful_requests + app.failed_requests - cut_off(&app.error_breakdown))
        .sum();
    assert_eq!(of_rows.round(), of_applications as f64, "rows add up");
    let once = [&result.setup, &result.teardown].into_iter().flatten();
    let sent_once: u64 = once.clone().map(|once| once.ledger.sent).sum();
    for once in once {
        assert_eq!(once.ledger.imbalances(), [], "{once:?}");
        let steps: u64 = once.steps.iter().map(|step| step.total_requests).sum();
        assert_eq!(steps, once.ledger.sent, "{once:?}");
    }
    let of_load = result.ledger.sent - sent_once;
    let total: u64 = applications.map(|app| app.total_requests).sum();
    assert_eq!(total, of_load, "applications add up");
    let steps: u64 = result.steps.iter().map(|step| step.total_requests).sum();
    assert_eq!(steps, of_load, "steps add up");
    assert!(
        world.sent >= result.ledger.sent,
        "nothing is counted that was not sent"
    );
    check_coverage(world, result);
}

/// The part of the run that was measured is what the holes leave of it, and what a threshold judges.
fn check_coverage(world: &World, result: &TestRunResult) {
    let mut judged = result.thresholds.iter().filter(|t| t.metric == "coverage");
    if let Some(actual) = judged.next().and_then(|t| t.verdict.actual()) {
        let coverage = result.coverage;
        assert!((actual - coverage).abs() < 1e-9, "{actual} {coverage}");
    }
    if result.status != RunStatus::Cancelled && result.holes.len() == result.holes_total as usize {
        let holes = result.holes.iter();
        let missing: u64 = holes.map(|h| h.to.saturating_since(h.from).as_us()).sum();
        let setup_ms = result.setup.as_ref().map_or(0, |setup| setup.end_ms);
        let played = Span::from_ms(result.duration - setup_ms).min(world.plan.duration());
        let due = played.as_us() * u64::from(result.batches);
        let expected = 1.0 - missing as f64 / due as f64;
        let coverage = result.coverage;
        assert!(
            (coverage - expected).abs() < 1e-3 || due == 0,
            "{coverage} {expected}"
        );
    }
}
