//! Where the load of a run came from, and what was planned in the time that nobody played.

use sentinel_engine::run::{LossReason, RunConfig, ShardPlan};
use sentinel_engine::summary::TestRunResult;
use sentinel_engine::tick::{Span, Tick};
use serde_json::{Value, json};

use crate::holds::check;
use crate::plans::{config, plan, plan_of};
use crate::shards::sharded;
use crate::world::{Fate, World};

/// Five batches, of which the third and the fourth are those of the region `weur`.
fn regional(slice_s: u64) -> RunConfig {
    let shard = |(batches, region): (u32, &str)| ShardPlan {
        batches,
        region: Some(region.to_owned()),
    };
    RunConfig {
        shards: [(2, "enam"), (2, "weur"), (1, "enam")].map(shard).to_vec(),
        ..sharded(&[2, 2, 1], slice_s)
    }
}

/// Batches say that they run in Amsterdam, or in New York those with an even number.
fn with_colos(mut world: World) -> World {
    world.tamper = Box::new(|frame| {
        let colo = ["EWR", "AMS"][frame.batch as usize % 2];
        if let Some(end) = &mut frame.end {
            end.colo = colo.parse().ok();
        }
    });
    world
}

fn requests(result: &TestRunResult) -> u64 {
    result.steps.iter().map(|step| step.total_requests).sum()
}

#[test]
fn each_region_is_told_apart_and_together_they_are_the_run() {
    let mut world = with_colos(World::new(plan(), regional(3)));
    let result = world.play();
    check(&world, &result);
    let names: Vec<&String> = result.regions.keys().collect();
    assert_eq!(names, ["enam", "weur"]);
    let (enam, weur) = (&result.regions["enam"], &result.regions["weur"]);
    assert_eq!((enam.batches, weur.batches), (3, 2));
    for region in [enam, weur] {
        assert!(region.total_requests > 0);
        let ended = region.successful_requests + region.failed_requests;
        assert_eq!(region.total_requests, ended);
        assert!(region.latency.p50.is_some() && region.service_time.p99.is_some());
        assert_eq!((region.holes, region.coverage), (0, Some(1.0)));
    }
    assert_eq!(enam.total_requests + weur.total_requests, requests(&result));
    let failed: u64 = result.steps.iter().map(|step| step.failed_requests).sum();
    assert_eq!(enam.failed_requests + weur.failed_requests, failed);

    // Of each slice, every batch says where it ran.
    let slices = u64::from(result.slices);
    let (ams, ewr) = ("AMS".parse().unwrap(), "EWR".parse().unwrap());
    assert!(result.colos[&ams] <= 2 * slices && result.colos[&ewr] <= 3 * slices);
    for colo in [ams, ewr] {
        let of_regions = [enam, weur].map(|region| region.colos[&colo]);
        assert!(of_regions.iter().all(|count| *count > 0));
        assert_eq!(of_regions.iter().sum::<u64>(), result.colos[&colo]);
    }
}

#[test]
fn a_region_whose_shard_is_lost_tells_what_is_missing_and_the_others_miss_nothing() {
    let mut world = World::new(plan(), regional(3));
    world.shard_fate = Box::new(|order| match (order.slice, order.shard) {
        (1, 1) => Fate::Dies(order.from + Span::from_ms(1_200)),
        _ => Fate::Plays,
    });
    let result = world.play();
    check(&world, &result);
    let (enam, weur) = (&result.regions["enam"], &result.regions["weur"]);
    assert_eq!((enam.holes, enam.coverage), (0, Some(1.0)));
    assert_eq!(weur.holes, 2, "one for each batch");
    assert!(weur.coverage.is_some_and(|part| part > 0.1 && part < 1.0));
    // Three shares that miss nothing, and two that do.
    let whole = (3.0 + 2.0 * weur.coverage.unwrap()) / 5.0;
    assert!(
        (result.coverage - whole).abs() < 1e-9,
        "{}",
        result.coverage
    );
}

#[test]
fn what_is_known_of_the_regions_outlives_the_coordinator() {
    let expected = with_colos(World::new(plan(), regional(3))).play();
    let mut world = with_colos(World::new(plan(), regional(3)));
    world.play_until(Tick::from_ms(4_000));
    let sent = world.run.progress().requests_sent;
    world.restart(Span::from_ms(200));
    let result = world.play();
    check(&world, &result);
    let told = |result: &TestRunResult| {
        let regions = result.regions.values();
        regions.map(|region| region.total_requests).sum::<u64>()
    };
    assert!(sent > 0 && told(&result) >= sent);
    assert_eq!(told(&result), requests(&result));
    assert_eq!(expected.regions.len(), result.regions.len());
    assert!(result.regions.values().all(|region| region.holes > 0));
}

#[test]
fn a_run_without_regions_tells_of_none_but_of_its_data_centres() {
    let mut world = with_colos(World::new(plan(), config(2, 60)));
    let result = world.play();
    assert!(result.regions.is_empty());
    let colos: Value = serde_json::to_value(&result.colos).unwrap();
    assert_eq!(colos, json!({"AMS": 1, "EWR": 1}));
}

/// Twenty arrivals a second for nine seconds, played by three batches in slices of three seconds.
fn arrivals() -> World {
    let fields = json!({
        "userProfile": null,
        "load": {"executor": "constant-arrival-rate", "rate": 20, "duration": "9s", "preAllocatedVUs": 40},
        "thresholds": {},
        "metrics": {},
    });
    let step = json!({"name": "a", "request": {"method": "GET", "url": "/a"}, "expect": {}});
    let applications = json!([
        {"name": "reads", "steps": [step]},
        {"name": "writes", "steps": [step]},
    ]);
    World::new(plan_of(fields, applications), config(3, 3))
}

#[test]
fn a_hole_tells_how_many_arrivals_were_planned_in_it() {
    let mut world = arrivals();
    world.fate = Box::new(
        |assignment| match (assignment.slice, assignment.share.index()) {
            (1, 2) => Fate::Dies(assignment.from + Span::from_ms(1_500)),
            _ => Fate::Plays,
        },
    );
    let result = world.play();
    check(&world, &result);
    let [hole] = result.holes.as_slice() else {
        panic!("{:?}", result.holes);
    };
    assert_eq!(hole.reason, LossReason::StreamEnded);
    let planned = hole.arrivals_planned.expect("an open model");
    assert!(planned > 0);
    // Every arrival of the plan is in the ledger or in the hole.
    assert_eq!(result.ledger.planned + planned, 180);
}

#[test]
fn a_hole_of_a_closed_model_has_no_arrivals() {
    let mut world = World::new(plan(), config(2, 3));
    world.fate = Box::new(
        |assignment| match (assignment.slice, assignment.share.index()) {
            (0, 1) => Fate::Dies(Tick::from_ms(1_500)),
            _ => Fate::Plays,
        },
    );
    let result = world.play();
    assert_eq!(result.holes.len(), 1);
    assert_eq!(result.holes[0].arrivals_planned, None);
}
