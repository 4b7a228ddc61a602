//! The run machine, played with real batches under a virtual clock: whole runs, and runs to which things
//! happen. See `world.rs` for how the world works.

mod endurance;
mod faults;
mod formats;
mod hand_over;
mod holds;
mod honest;
mod judging;
mod mail;
mod monitoring;
mod objects;
mod once;
mod parity;
mod places;
mod plans;
mod restore;
mod shards;
mod store;
mod world;

use holds::check;
use plans::{config, plan};
use sentinel_engine::summary::RunStatus;
use sentinel_engine::tick::{Span, Tick};
use world::World;

#[test]
fn a_run_in_slices_accounts_for_every_request() {
    let mut world = World::new(plan(), config(3, 2));
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Completed);
    assert!(result.passed, "{:?}", result.failed_assertions);
    assert_eq!(result.ledger.sent, world.sent, "what the target saw");
    assert!(world.sent > 100, "{}", world.sent);
    assert_eq!((result.holes_total, result.coverage), (0, 1.0));
    assert_eq!(result.timeline.len(), 9, "a row for each planned second");
    assert!(result.slices >= 4, "{}", result.slices);
    assert_eq!(result.applications_sent(), result.ledger.sent);
    assert_eq!(result.phases.peak.peak_users, 8);
    assert_eq!(world.records.len(), 1, "{:?}", world.records.keys());
}

#[test]
fn an_assignment_continues_where_the_slice_before_ended() {
    let mut world = World::new(plan(), config(2, 3));
    world.play();
    let mut through = [Tick::ZERO; 2];
    let mut carried = 0;
    for assignment in &world.assignments {
        let share = assignment.share.index() as usize;
        assert_eq!(assignment.played_through, through[share]);
        assert!(assignment.from >= through[share]);
        through[share] = assignment.until;
        carried += assignment.carry.len();
    }
    assert!(carried > 0);
}

#[test]
fn how_the_plan_is_split_changes_little() {
    let results = [1, 2, 4].map(|batches| {
        let mut world = World::new(plan(), config(batches, 60));
        let result = world.play();
        check(&world, &result);
        result
    });
    for result in &results {
        assert_eq!(result.slices, 1);
        let sent = result.ledger.sent.abs_diff(results[0].ledger.sent);
        assert!(sent * 20 < results[0].ledger.sent, "{sent}");
        assert_eq!(result.phases.peak.peak_users, 8);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let play = || World::new(plan(), config(2, 3)).play();
    assert_eq!(play(), play());
}

#[test]
fn a_wake_that_comes_too_early_changes_nothing() {
    let mut world = World::new(plan(), config(2, 3));
    let expected = world.play();
    let mut disturbed = World::new(plan(), config(2, 3));
    disturbed.spurious_wakes = true;
    assert_eq!(disturbed.play(), expected);
    assert_eq!(disturbed.rows, world.rows);
}

#[test]
fn rows_are_published_while_the_run_goes_on() {
    let mut world = World::new(plan(), config(2, 60));
    world.cancel_at = Some(Tick::from_ms(5_500));
    let mut early = World::new(plan(), config(2, 60));
    early.fate = Box::new(|_| world::Fate::Vanishes(Tick::from_ms(5_500)));
    early.play();
    let from_the_stream = early.published.iter();
    assert!(from_the_stream.count() >= 5);
    let result = world.play();
    assert_eq!(result.status, RunStatus::Cancelled);
    assert_eq!(result.timeline.len(), 6);
}

#[test]
fn a_run_that_starts_after_its_end_fails_at_once() {
    let mut world = World::new(plan(), config(2, 3));
    let late = Tick::ZERO + Span::from_secs(100);
    world.input(late, sentinel_engine::run::Input::Wake);
    let result = world.play();
    assert_eq!(result.status, RunStatus::Failed);
    assert_eq!((result.timeline.len(), result.coverage), (9, 0.0));
    assert_eq!(result.holes_total, 2);
    assert!(world.assignments.is_empty());
}

trait Sums {
    fn applications_sent(&self) -> u64;
}

impl Sums for sentinel_engine::summary::TestRunResult {
    fn applications_sent(&self) -> u64 {
        let applications = self.application_results.values();
        applications
            .map(|app| app.successful_requests + app.failed_requests)
            .sum()
    }
}
