//! Runs whose batches are heard through shards: the same as without them, and what is lost with a shard.

use sentinel_engine::bundle::{Bundle, ShardOrder};
use sentinel_engine::run::{LossReason, RunConfig, ShardPlan};
use sentinel_engine::shard::{self, Output, Shard};
use sentinel_engine::summary::{RunStatus, TestRunResult};
use sentinel_engine::tick::{Span, Tick};

use crate::holds::check;
use crate::mail::Mail;
use crate::plans::{config, plan};
use crate::world::{Crash, Fate, World};

/// A shard that plays in the world.
pub(crate) struct ShardPlayer {
    shard: Shard,
    wake_at: Tick,
    dies_at: Tick,
    tells: bool,
}

impl World {
    pub(crate) fn start_shard(&mut self, order: ShardOrder) {
        let key = (order.slice, order.shard);
        let (dies_at, tells) = match (self.shard_fate)(&order) {
            Fate::NotStarted => {
                let lost = Mail::LineLost(key.0, key.1, LossReason::NotStarted);
                return self.post(Span::from_ms(1), lost);
            }
            Fate::Dies(at) => (at, true),
            Fate::Vanishes(at) => (at, false),
            Fate::Plays | Fate::Deaf => (Tick::NEVER, true),
        };
        let kept = self.kept.remove(&key.1).unwrap_or_default();
        let player = ShardPlayer {
            shard: Shard::new(self.plan.clone(), order, kept),
            wake_at: self.now,
            dies_at,
            tells,
        };
        self.shards.insert(key, player);
        self.tell_shard(key, shard::Input::Wake);
    }

    pub(crate) fn stop_shard(&mut self, key: (u32, u32)) {
        self.tell_shard(key, shard::Input::Stop);
    }

    /// When the next shard wants to be woken, or dies.
    pub(crate) fn next_shard(&self) -> (Tick, (u32, u32)) {
        let shards = self.shards.iter();
        let next = shards.map(|(key, player)| (player.wake_at.min(player.dies_at), *key));
        next.min().unwrap_or((Tick::NEVER, (0, 0)))
    }

    pub(crate) fn wake_shard(&mut self, key: (u32, u32)) {
        let dies = |player: &ShardPlayer| player.dies_at <= self.now;
        if !self.shards.get(&key).is_some_and(dies) {
            return self.tell_shard(key, shard::Input::Wake);
        }
        let Some(player) = self.shards.remove(&key) else {
            return;
        };
        // Its batches notice that nobody hears them.
        let of_shard = |batch: u32| self.config.line_of(batch) == key.1;
        let batches: Vec<(u32, u32)> = self.players.keys().copied().collect();
        for batch in batches {
            if batch.0 == key.0 && of_shard(batch.1) {
                self.players.remove(&batch);
            }
        }
        if player.tells {
            let lost = Mail::LineLost(key.0, key.1, LossReason::StreamEnded);
            self.post(Span::from_ms(20), lost);
        }
    }

    pub(crate) fn tell_shard(&mut self, key: (u32, u32), input: shard::Input) {
        let Some(mut player) = self.shards.remove(&key) else {
            return;
        };
        player.shard.handle_input(self.now, input);
        loop {
            match player.shard.poll_output() {
                Output::Assign(assignment) => self.start(*assignment),
                Output::StopBatch(batch) => self.stop_batch((key.0, batch)),
                Output::Ship(bundle) => {
                    for delay in (self.shard_network)(&bundle) {
                        self.post(delay, Mail::Bundle((*bundle).clone()));
                    }
                }
                Output::WakeAt(at) => {
                    player.wake_at = at;
                    self.shards.insert(key, player);
                    return;
                }
                Output::Done => {
                    self.kept.insert(key.1, player.shard.into_kept());
                    return;
                }
            }
        }
    }
}

pub(crate) fn sharded(shards: &[u32], slice_s: u64) -> RunConfig {
    let plan = |batches: &u32| ShardPlan {
        batches: *batches,
        region: None,
    };
    RunConfig {
        shards: shards.iter().map(plan).collect(),
        ..config(shards.iter().sum(), slice_s)
    }
}

/// Delays that differ from message to message, of which some come twice and some overtake others.
fn unreliable(seed: u32) -> impl FnMut(u32, u32) -> Vec<Span> {
    let mut state = seed;
    move |sender, sequence| {
        state = state
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223)
            .wrapping_add(sender ^ sequence);
        let first = Span::from_ms(u64::from(state >> 8) % 1_400);
        if state.is_multiple_of(3) {
            vec![first, Span::from_ms(u64::from(state >> 12) % 900)]
        } else {
            vec![first]
        }
    }
}

/// A run whose frames and bundles come late, twice and out of order.
fn disturbed(config: RunConfig, seed: u32) -> (World, TestRunResult) {
    let mut world = World::new(plan(), config);
    let (mut frames, mut bundles) = (unreliable(seed), unreliable(seed ^ 77));
    world.network = Box::new(move |frame| frames(frame.batch, frame.sequence));
    world.shard_network = Box::new(move |bundle: &Bundle| bundles(bundle.line, bundle.sequence));
    let result = world.play();
    check(&world, &result);
    (world, result)
}

#[test]
fn a_run_through_shards_tells_the_same_as_without() {
    let mut alone = World::new(plan(), config(8, 60));
    let expected = alone.play();
    assert_eq!(expected.status, RunStatus::Completed);
    for seed in 0..12 {
        for shards in [&[][..], &[8], &[2, 2, 2, 2], &[1, 5, 2]] {
            let of = if shards.is_empty() {
                config(8, 60)
            } else {
                sharded(shards, 60)
            };
            let (world, result) = disturbed(of, seed);
            assert_eq!(result, expected, "{shards:?}, seed {seed}");
            assert_eq!(world.rows, alone.rows, "{shards:?}, seed {seed}");
        }
    }
}

#[test]
fn users_go_on_in_the_next_slice_without_travelling() {
    let mut world = World::new(plan(), sharded(&[2, 2], 2));
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Completed);
    assert_eq!((result.holes_total, result.coverage), (0, 1.0));
    assert_eq!(result.ledger.sent, world.sent, "what the target saw");
    assert!(result.slices >= 4, "{}", result.slices);
    assert_eq!(result.ledger.lost, 0);
    let carried = world
        .assignments
        .iter()
        .map(|assignment| assignment.carry.len());
    assert!(carried.sum::<usize>() > 4, "the shard gives them back");
    let records = world.records.values();
    assert!(records.clone().all(|body| !body.contains("\"carry\":[{")));
}

#[test]
fn a_shard_that_forgot_its_users_says_what_was_lost() {
    let mut world = World::new(plan(), sharded(&[2, 2], 3));
    world.shard_network = Box::new(|bundle| {
        let ended = bundle.slice == 0 && bundle.news.iter().any(|news| news.end.is_some());
        vec![Span::from_ms(if ended { 100 } else { 5 })]
    });
    world.play_until(Tick::from_ms(3_080));
    assert!(world.kept.remove(&1).is_some());
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Completed);
    let reasons: Vec<_> = result
        .holes
        .iter()
        .map(|hole| (hole.batch, hole.reason))
        .collect();
    assert_eq!(
        reasons,
        [
            (2, LossReason::ShardRestarted),
            (3, LossReason::ShardRestarted)
        ]
    );
    let lost: u64 = result.holes.iter().map(|hole| hole.iterations_lost).sum();
    assert_eq!(result.ledger.lost, lost);
    assert!(lost > 0);
}

#[test]
fn a_lost_shard_is_a_stated_hole_and_stops_nobody_else() {
    for (tells, reason) in [(true, LossReason::StreamEnded), (false, LossReason::Silent)] {
        let mut world = World::new(plan(), sharded(&[2, 2, 2], 3));
        let dies = Tick::from_ms(4_500);
        world.shard_fate = Box::new(move |order| match (order.slice, order.shard, tells) {
            (1, 1, true) => Fate::Dies(dies),
            (1, 1, false) => Fate::Vanishes(dies),
            _ => Fate::Plays,
        });
        let result = world.play();
        check(&world, &result);
        assert_eq!(result.status, RunStatus::Completed);
        let lost = result.holes.iter().filter(|hole| hole.reason == reason);
        let lost: Vec<_> = lost
            .map(|hole| (hole.slice, hole.batch, hole.from))
            .collect();
        let told = Tick::from_second(4);
        assert_eq!(lost, [(1, 2, told), (1, 3, told)]);
        let next = world.assignments.iter().find(|next| next.from > dies);
        assert_eq!(
            next.is_some(),
            tells,
            "the share is played again, unless the plan is over"
        );
        assert!(result.coverage < 1.0, "{}", result.coverage);
    }
}

#[test]
fn a_shard_that_cannot_be_reached_is_tried_again() {
    let mut world = World::new(plan(), sharded(&[2, 2], 2));
    world.shard_fate = Box::new(|order| match (order.slice, order.shard) {
        (0 | 1, 1) => Fate::NotStarted,
        _ => Fate::Plays,
    });
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Completed);
    assert_eq!(result.holes_total, 4, "for each batch and slice");
    assert_eq!(result.ledger.sent, world.sent);
}

#[test]
fn a_lost_batch_does_not_cost_the_others_of_its_shard() {
    let mut world = World::new(plan(), sharded(&[3, 1], 3));
    world.fate = Box::new(
        |assignment| match (assignment.slice, assignment.share.index()) {
            (0, 1) => Fate::Dies(Tick::from_ms(1_500)),
            (1, 2) => Fate::Vanishes(Tick::from_ms(4_500)),
            _ => Fate::Plays,
        },
    );
    let result = world.play();
    check(&world, &result);
    let lost = result.holes.iter().filter(|hole| hole.reason.is_loss());
    let lost: Vec<_> = lost
        .map(|hole| (hole.batch, hole.reason, hole.from))
        .collect();
    assert_eq!(
        lost,
        [
            (1, LossReason::StreamEnded, Tick::from_second(1)),
            (2, LossReason::Silent, Tick::from_second(4)),
        ]
    );
}

#[test]
fn a_cancelled_run_stops_its_shards() {
    for at_ms in [0, 999, 3_001, 5_500] {
        let mut world = World::new(plan(), sharded(&[2, 2], 3));
        world.cancel_at = Some(Tick::from_ms(at_ms));
        let result = world.play();
        check(&world, &result);
        assert_eq!(result.status, RunStatus::Cancelled, "at {at_ms} ms");
        assert_eq!(result.ledger.sent, world.sent, "at {at_ms} ms");
        assert!(world.now <= Tick::from_ms(at_ms + 100), "{}", world.now);
    }
}

#[test]
fn the_coordinator_of_shards_may_be_lost_at_any_point() {
    let outputs = {
        let mut world = World::new(plan(), sharded(&[2, 2], 3));
        world.play();
        world.outputs
    };
    for output in 0..outputs {
        for effect in [true, false] {
            let mut world = World::new(plan(), sharded(&[2, 2], 3));
            world.crash = Some(Crash {
                output,
                effect,
                outage: Span::from_ms(700),
            });
            let result = world.play();
            check(&world, &result);
            assert_ne!(
                result.status,
                RunStatus::Failed,
                "{output} {:?}",
                result.failure
            );
        }
    }
}
