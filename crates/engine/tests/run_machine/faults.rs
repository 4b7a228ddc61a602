//! Runs to which things happen: frames twice, late or never, batches that die, and somebody who cancels.

use sentinel_engine::assertion::Verdict;
use sentinel_engine::phase::Phase;
use sentinel_engine::random::Random;
use sentinel_engine::run::{Hole, Input, LossReason, StopReason};
use sentinel_engine::summary::RunStatus;
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::window::Window;
use sentinel_engine::wire::{BatchEnd, EndReason, Frame, WIRE_VERSION};

use crate::holds::check;
use crate::plans::{config, plan};
use crate::world::{Fate, World};

#[test]
fn frames_twice_late_and_out_of_order_change_nothing() {
    let mut calm = World::new(plan(), config(3, 60));
    let expected = calm.play();
    for seed in 0..20 {
        let mut random = Random::for_purpose(seed, 0);
        let mut world = World::new(plan(), config(3, 60));
        world.network = Box::new(move |_| {
            let times = random.between(1, 3);
            (0..times)
                .map(|_| Span::from_ms(random.between(1, 2_500)))
                .collect()
        });
        let result = world.play();
        check(&world, &result);
        assert_eq!(result, expected, "seed {seed}");
        assert_eq!(world.rows, calm.rows, "seed {seed}");
    }
}

#[test]
fn delays_over_slices_lose_nothing() {
    for seed in 0..20 {
        let mut random = Random::for_purpose(seed, 1);
        let mut world = World::new(plan(), config(3, 2));
        world.network = Box::new(move |_| {
            let times = random.between(1, 2);
            (0..times)
                .map(|_| Span::from_ms(random.between(1, 2_500)))
                .collect()
        });
        let result = world.play();
        check(&world, &result);
        assert_eq!(result.status, RunStatus::Completed);
        assert_eq!(result.ledger.sent, world.sent, "seed {seed}");
        assert_eq!(result.frames_ignored, 0);
        let waited = |hole: &Hole| hole.reason == LossReason::Waited;
        assert!(result.holes.iter().all(waited), "{:?}", result.holes);
    }
}

#[test]
fn a_batch_that_dies_leaves_a_stated_hole_and_its_share_goes_on() {
    let mut world = World::new(plan(), config(2, 3));
    world.fate = Box::new(|assignment| {
        let dies = assignment.slice == 1 && assignment.share.index() == 1;
        if dies {
            Fate::Dies(Tick::from_ms(4_500))
        } else {
            Fate::Plays
        }
    });
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Completed);
    let [hole] = result.holes.as_slice() else {
        panic!("{:?}", result.holes)
    };
    assert_eq!(
        (hole.slice, hole.batch, hole.reason),
        (1, 1, LossReason::StreamEnded)
    );
    assert_eq!(
        hole.from,
        Tick::from_second(4),
        "the last second that was told"
    );
    let next = world
        .assignments
        .iter()
        .find(|a| a.slice == 2 && a.share.index() == 1);
    let next = next.expect("the share is played again");
    assert_eq!((hole.to, next.played_through), (next.from, next.from));
    assert_eq!(next.carry, [], "afresh");
    assert!(
        hole.iterations_lost > 0 && hole.active_users > 0,
        "{hole:?}"
    );
    assert_eq!(result.ledger.lost, hole.iterations_lost);
    assert_eq!(result.ledger.cut_off, hole.requests_cut_off);
    assert!(
        result.coverage < 1.0 && result.coverage > 0.8,
        "{}",
        result.coverage
    );
    assert!(
        result
            .warnings
            .iter()
            .any(|warning| warning.contains("measured"))
    );
}

#[test]
fn a_batch_that_vanishes_is_noticed_by_its_silence() {
    let mut world = World::new(plan(), config(2, 3));
    world.fate = Box::new(|assignment| {
        let vanishes = assignment.slice == 0 && assignment.share.index() == 0;
        if vanishes {
            Fate::Vanishes(Tick::from_ms(1_500))
        } else {
            Fate::Plays
        }
    });
    let result = world.play();
    check(&world, &result);
    let [lost, waited] = result.holes.as_slice() else {
        panic!("{:?}", result.holes)
    };
    let noticed = Tick::from_second(6); // the slice's end and the patience
    assert_eq!(
        (lost.batch, lost.reason, lost.to),
        (0, LossReason::Silent, noticed)
    );
    assert_eq!(
        (waited.batch, waited.reason, waited.to),
        (1, LossReason::Waited, noticed)
    );
    assert_eq!(world.stopped, [(0, 0)]);
}

#[test]
fn a_frame_that_never_comes_makes_the_batch_lost_from_there_on() {
    let mut world = World::new(plan(), config(2, 60));
    world.network = Box::new(|frame| {
        let lost = frame.batch == 1 && frame.sequence == 2;
        if lost {
            Vec::new()
        } else {
            vec![Span::from_ms(5)]
        }
    });
    let result = world.play();
    check(&world, &result);
    let hole = &result.holes[0];
    assert_eq!((hole.batch, hole.from), (1, Tick::from_second(2)));
    assert_eq!(hole.reason, LossReason::Silent);
    let last = result.timeline.last().expect("rows");
    assert!(last.requests_per_sec > 0.0, "{last:?}");
}

#[test]
fn frames_of_a_lost_batch_are_counted_and_change_nothing() {
    let mut world = World::new(plan(), config(2, 3));
    world.network = Box::new(|frame| {
        let held_up = frame.slice == 0 && frame.batch == 1 && frame.sequence >= 1;
        let delay = if held_up { 5_000 } else { 5 };
        vec![Span::from_ms(delay)]
    });
    let result = world.play();
    check(&world, &result);
    let lost = result
        .holes
        .iter()
        .find(|hole| hole.reason == LossReason::Silent);
    assert_eq!(lost.map(|hole| hole.from), Some(Tick::from_second(1)));
    assert!(result.frames_ignored > 0);
    assert_eq!(result.late.frames, result.frames_ignored);
}

#[test]
fn a_run_of_which_no_batch_starts_gives_up_and_says_so() {
    let mut world = World::new(plan(), config(2, 3));
    world.fate = Box::new(|_| Fate::NotStarted);
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Failed);
    assert!(
        result
            .failure
            .is_some_and(|why| why.contains("no batch could be started"))
    );
    assert!(!result.passed);
    let no_data =
        |judged: &sentinel_engine::summary::AssertionResult| judged.outcome == Verdict::NoData;
    assert!(
        result.assertions.iter().all(no_data),
        "{:?}",
        result.assertions
    );
    assert_eq!(result.coverage, 0.0);
    let starts: Vec<u64> = world
        .assignments
        .iter()
        .step_by(2)
        .map(|a| a.from.as_ms())
        .collect();
    assert_eq!(
        starts.len(),
        4,
        "waits grow, until the plan is over: {starts:?}"
    );
    assert!(
        starts.windows(3).all(|s| s[2] - s[1] >= s[1] - s[0]),
        "{starts:?}"
    );
}

#[test]
fn a_share_that_does_not_start_at_first_is_played_later() {
    let mut world = World::new(plan(), config(2, 2));
    world.fate = Box::new(|assignment| {
        let refused = assignment.slice < 2 && assignment.share.index() == 0;
        if refused {
            Fate::NotStarted
        } else {
            Fate::Plays
        }
    });
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Completed);
    assert_eq!(result.holes_total, 2);
    assert_eq!(result.ledger.sent, world.sent);
}

#[test]
fn a_cancelled_run_keeps_what_was_measured() {
    for at_ms in [0, 1, 999, 2_000, 3_001, 5_500, 8_999] {
        let mut world = World::new(plan(), config(2, 3));
        world.cancel_at = Some(Tick::from_ms(at_ms));
        let result = world.play();
        check(&world, &result);
        assert_eq!(result.status, RunStatus::Cancelled, "at {at_ms} ms");
        assert!(!result.passed);
        assert_eq!(result.ledger.sent, world.sent, "at {at_ms} ms");
        assert!(world.now <= Tick::from_ms(at_ms + 100), "{}", world.now);
        assert_eq!(result.holes_total, 0);
    }
}

#[test]
fn a_cancelled_run_does_not_wait_for_batches_that_do_not_hear() {
    let mut world = World::new(plan(), config(2, 60));
    world.fate = Box::new(|assignment| {
        let deaf = assignment.share.index() == 1;
        if deaf {
            Fate::Vanishes(Tick::from_ms(4_000))
        } else {
            Fate::Plays
        }
    });
    world.cancel_at = Some(Tick::from_ms(5_500));
    let result = world.play();
    check(&world, &result);
    assert_eq!(result.status, RunStatus::Cancelled);
    assert_eq!(world.now, Tick::from_ms(7_500), "two seconds later");
    let hole = &result.holes[0];
    assert_eq!((hole.batch, hole.reason), (1, LossReason::Silent));
    assert_eq!(
        hole.to,
        Tick::from_ms(5_500),
        "the plan ended with the stop"
    );
    assert!(result.ledger.lost > 0);
}

#[test]
fn a_batch_that_does_not_stop_is_given_up() {
    let mut world = World::new(plan(), config(2, 60));
    world.fate = Box::new(|_| Fate::Deaf);
    world.cancel_at = Some(Tick::from_ms(3_500));
    let result = world.play();
    check(&world, &result);
    assert_eq!(world.now, Tick::from_ms(5_500));
    assert_eq!(result.holes_total, 2);
}

#[test]
fn a_batch_that_stops_by_itself_stops_the_run() {
    let mut world = World::new(plan(), config(2, 60));
    world.input(Tick::ZERO, Input::Wake);
    let at = Tick::from_ms(50);
    let end = end(EndReason::Stopped, at, 0);
    world.input(
        at,
        Input::Bundle(frame(0, 0, Vec::new(), at, Some(end)).into()),
    );
    assert_eq!(world.stopped, [(0, 1)], "the other batch is told");
    let result = world.play();
    assert_eq!(result.status, RunStatus::Cancelled);
}

#[test]
fn why_a_run_had_to_end_is_told_in_its_own_words() {
    let why = "the store is full".to_owned();
    for (reason, status) in [
        (StopReason::Failed(why.clone()), RunStatus::Failed),
        (StopReason::Stopped(why.clone()), RunStatus::Cancelled),
    ] {
        let mut world = World::new(plan(), config(1, 60));
        world.input(Tick::ZERO, Input::Wake);
        world.input(Tick::from_ms(1_200), Input::Stop(reason));
        world.input(Tick::from_ms(1_210), Input::Stop(StopReason::Cancelled));
        let result = world.play();
        check(&world, &result);
        assert_eq!(result.status, status);
        assert_eq!(result.failure.as_ref(), Some(&why));
        assert!(!result.passed);
    }
}

#[test]
fn accounts_that_do_not_add_up_fail_the_run() {
    let mut window = Window::new(0, Phase::RampUp);
    (window.ledger.planned, window.ledger.started) = (2, 1);
    window.ledger.sent = 1;
    let at = Tick::from_ms(500);
    let mut world = World::new(plan(), config(1, 60));
    world.fate = Box::new(|_| Fate::Vanishes(Tick::ZERO));
    world.input(Tick::ZERO, Input::Wake);
    let end = end(EndReason::PlanDone, at, 3);
    world.input(
        at,
        Input::Bundle(frame(0, 0, vec![window], at, Some(end)).into()),
    );
    let result = world.play();
    assert_eq!(result.status, RunStatus::Failed);
    let faults: Vec<String> = result
        .ledger_faults
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        faults,
        [
            "batch 0 ended slice 0 with 3 open iterations, its ledger says 1",
            "batch 0 ended slice 0 with 1 requests under way",
            "in total, planned 2 is not started 1 + dropped 0",
            "in total, started 1 is not finished 0 + interrupted 0 + lost 0",
            "in total, sent 1 is not answered 0 + failed 0 + cut off 0",
            "in batch 0, planned 2 is not started 1 + dropped 0",
            "in batch 0, started 1 is not finished 0 + interrupted 0 + lost 0",
            "in batch 0, sent 1 is not answered 0 + failed 0 + cut off 0",
        ]
    );
    assert_eq!(result.failure.as_ref(), faults.first());
}

#[test]
fn frames_that_make_no_sense_are_refused() {
    let far = Tick::from_second(4_000_000);
    let huge = {
        let mut window = Window::new(0, Phase::RampUp);
        window.ledger.sent = u64::MAX;
        window
    };
    let at = Tick::from_second(1);
    let senseless = [
        Frame {
            version: WIRE_VERSION + 1,
            ..frame(0, 0, Vec::new(), at, None)
        },
        Frame {
            slice: 1,
            ..frame(0, 0, Vec::new(), at, None)
        },
        Frame {
            batch: 9,
            ..frame(0, 0, Vec::new(), at, None)
        },
        frame(0, 0, Vec::new(), far, None),
        frame(0, 0, vec![Window::new(u32::MAX, Phase::Peak)], at, None),
        frame(0, 0, vec![huge], at, None),
        frame(0, 0, Vec::new(), at, Some(end(EndReason::PlanDone, far, 0))),
        frame(0, 70, Vec::new(), at, None),
    ];
    let mut world = World::new(plan(), config(1, 60));
    world.fate = Box::new(|_| Fate::Vanishes(Tick::ZERO));
    world.input(Tick::ZERO, Input::Wake);
    let stored = world.records.len();
    let (last, refused) = senseless.split_last().expect("not empty");
    for frame in refused {
        world.input(at, Input::Bundle(frame.clone().into()));
    }
    assert_eq!(world.records.len(), stored, "nothing is stored of them");
    // An early frame waits for those before it, but not any number of them.
    for sequence in 1..=70 {
        world.input(
            at,
            Input::Bundle(
                Frame {
                    sequence,
                    ..last.clone()
                }
                .into(),
            ),
        );
    }
    assert_eq!(world.records.len(), stored + 64);
    let result = world.play();
    assert_eq!(result.frames_ignored, refused.len() as u64 + 6);
    assert_eq!(result.late.frames, 0);
    assert_eq!(result.status, RunStatus::Failed, "nothing was measured");
}

#[test]
fn a_clock_that_is_ahead_does_not_make_slices_overlap() {
    let mut world = World::new(plan(), config(1, 3));
    world.fate = Box::new(|_| Fate::Vanishes(Tick::ZERO));
    world.input(Tick::ZERO, Input::Wake);
    let ahead = Tick::from_ms(3_050);
    let end = end(EndReason::SliceOver, ahead, 0);
    let told = vec![Window::new(3, Phase::Peak)];
    let frame = frame(0, 0, told, ahead, Some(end));
    world.input(Tick::from_ms(2_900), Input::Bundle(frame.into()));
    let next = world.assignments.last().expect("the next slice");
    assert_eq!((next.slice, next.from), (1, ahead));
    assert_eq!(
        world.rows.len(),
        3,
        "the second that both slices share is still open"
    );
}

#[test]
fn any_number_of_duplicates_leaves_room_for_what_is_new() {
    let mut world = World::new(plan(), config(1, 60));
    world.fate = Box::new(|_| Fate::Vanishes(Tick::ZERO));
    world.input(Tick::ZERO, Input::Wake);
    let at = Tick::from_second(1);
    for sequence in 0..200 {
        let frame = frame(0, sequence, Vec::new(), at, None);
        world.input(at, Input::Bundle(frame.clone().into()));
        world.input(at, Input::Bundle(frame.into()));
    }
    assert_eq!(world.records.len(), 201, "the slice and each frame once");
    assert_eq!(world.rows.len(), 1);
}

pub(crate) fn frame(
    batch: u32,
    sequence: u32,
    windows: Vec<Window>,
    closed_through: Tick,
    end: Option<BatchEnd>,
) -> Frame {
    Frame {
        version: WIRE_VERSION,
        slice: 0,
        batch,
        sequence,
        closed_through,
        windows,
        late: Vec::new(),
        end,
    }
}

pub(crate) fn end(reason: EndReason, at: Tick, iterations_open: u64) -> BatchEnd {
    BatchEnd {
        reason,
        at,
        carry: Vec::new(),
        iterations_open,
        out: Vec::new(),
        missed: Vec::new(),
        handed_over: Vec::new(),
        colo: None,
    }
}
