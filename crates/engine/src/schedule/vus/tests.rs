//! Users over time. Expected numbers are k6's: lib/executor/ramping_vus_test.go.

use super::*;
use crate::share::{Portion, Segment, SegmentSequence, Share, Split};
use proptest::prelude::*;

fn stages(stages: &[(u32, u64)]) -> Vec<Stage> {
    let stage = |&(target, seconds): &(u32, u64)| Stage {
        duration: Span::from_secs(seconds),
        target,
    };
    stages.iter().map(stage).collect()
}

/// k6's example: TestRampingVUsConfigExecutionPlanExample.
fn example() -> Vec<Stage> {
    stages(&[
        (6, 2),
        (1, 5),
        (5, 4),
        (1, 4),
        (4, 3),
        (4, 2),
        (1, 0),
        (1, 3),
    ])
}

fn part(sequence: Option<&str>, segment: &str) -> Stripes {
    let sequence: Option<SegmentSequence> = sequence.map(|s| s.parse().expect("sequence"));
    let segment: Segment = segment.parse().expect("segment");
    let portion = Portion::segment(&segment, sequence.as_ref()).expect("portion");
    portion.stripes()
}

fn graces(ramp_down_s: u64, stop_s: u64) -> Graces {
    Graces {
        ramp_down: Span::from_secs(ramp_down_s),
        stop: Span::from_secs(stop_s),
    }
}

fn seconds(steps: &[(Tick, u64)]) -> Vec<(u64, u64)> {
    let second = |(at, users): &(Tick, u64)| {
        assert_eq!(at.as_us() % 1_000_000, 0);
        (at.as_us() / 1_000_000, *users)
    };
    steps.iter().map(second).collect()
}

#[test]
fn users_step_as_in_k6() {
    let raw = [
        (0, 4),
        (1, 5),
        (2, 6),
        (3, 5),
        (4, 4),
        (5, 3),
        (6, 2),
        (7, 1),
        (8, 2),
        (9, 3),
        (10, 4),
        (11, 5),
        (12, 4),
        (13, 3),
        (14, 2),
        (15, 1),
        (16, 2),
        (17, 3),
        (18, 4),
        (20, 1),
        (23, 0),
    ];
    assert_eq!(
        seconds(&active_steps(4, &example(), Share::WHOLE)),
        raw,
        "RVU-2"
    );
    let third = [
        (0, 1),
        (1, 2),
        (4, 1),
        (7, 0),
        (8, 1),
        (11, 2),
        (12, 1),
        (15, 0),
        (16, 1),
        (20, 0),
    ];
    assert_eq!(
        seconds(&active_steps(4, &example(), part(None, "0:1/3"))),
        third
    );
}

#[test]
fn users_are_kept_ready_as_in_k6() {
    let up = [(0, 4), (1, 5), (2, 6)];
    type Case<'a> = (&'a str, Graces, &'a [(u64, u64)]);
    let whole: [Case<'_>; 5] = [
        (
            "RVU-2: both graces 30 s",
            graces(30, 30),
            &[(33, 5), (42, 4), (50, 1), (53, 0)],
        ),
        (
            "a long stop",
            graces(30, 80),
            &[(33, 5), (42, 4), (50, 1), (103, 0)],
        ),
        (
            "RVU-2: a stop of 3 s cuts the ramp-down short",
            graces(30, 3),
            &[(26, 0)],
        ),
        ("no stop", graces(30, 0), &[(23, 0)]),
        (
            "a ramp-down of 1 s",
            graces(1, 0),
            &[
                (4, 5),
                (5, 4),
                (6, 3),
                (7, 2),
                (9, 3),
                (10, 4),
                (11, 5),
                (13, 4),
                (14, 3),
                (15, 2),
                (17, 3),
                (18, 4),
                (21, 1),
                (23, 0),
            ],
        ),
    ];
    for (what, graces, expected) in whole {
        let steps = reserved_steps(4, &example(), graces, Share::WHOLE);
        assert_eq!(seconds(&steps), [&up, expected].concat(), "{what}");
    }
    let none = reserved_steps(4, &example(), graces(0, 0), Share::WHOLE);
    assert_eq!(
        none,
        active_steps(4, &example(), Share::WHOLE),
        "no grace at all"
    );

    let third = part(None, "0:1/3");
    for (graces, expected) in [
        (graces(30, 30), [(42, 1), (50, 0)].as_slice()),
        (graces(30, 80), &[(42, 1), (50, 0)]),
        (graces(30, 3), &[(26, 0)]),
        (graces(30, 0), &[(23, 0)]),
    ] {
        let steps = reserved_steps(4, &example(), graces, third.clone());
        assert_eq!(seconds(&steps), [&[(0, 1), (1, 2)], expected].concat());
    }
}

#[test]
fn a_jump_down_keeps_users_ready_although_the_number_rises_again() {
    let steps = reserved_steps(
        6,
        &stages(&[(6, 3), (1, 0), (3, 2), (3, 10)]),
        graces(5, 5),
        Share::WHOLE,
    );
    assert_eq!(seconds(&steps), [(0, 6), (8, 3), (20, 0)]);
}

#[test]
fn segments_step_as_in_k6() {
    // k6: TestRampingVUsExecutionTupleTests; the last change of each list is the end, which k6 leaves out.
    let up_and_down = [
        (6, 2),
        (1, 5),
        (5, 4),
        (1, 4),
        (4, 3),
        (4, 2),
        (1, 0),
        (1, 3),
        (5, 0),
        (5, 3),
        (0, 0),
        (2, 2),
        (0, 2),
        (4, 4),
    ];
    let one_third: &[(u64, u64)] = &[
        (0, 1),
        (1, 2),
        (4, 1),
        (7, 0),
        (8, 1),
        (11, 2),
        (12, 1),
        (15, 0),
        (16, 1),
        (20, 0),
        (23, 2),
        (26, 0),
        (28, 1),
        (29, 0),
        (32, 1),
        (34, 0),
    ];
    let thirds = Some("0,1/3,2/3,1");
    let first: &[(u64, u64)] = &[
        (0, 2),
        (5, 1),
        (10, 2),
        (13, 1),
        (18, 2),
        (20, 1),
        (23, 2),
        (26, 0),
        (27, 1),
        (30, 0),
        (31, 1),
        (34, 0),
    ];
    let last: &[(u64, u64)] = &[
        (0, 1),
        (2, 2),
        (3, 1),
        (6, 0),
        (9, 1),
        (14, 0),
        (17, 1),
        (20, 0),
        (23, 1),
        (26, 0),
        (33, 1),
        (34, 0),
    ];
    for (sequence, segment, expected) in [
        (None, "0:1/3", one_third),
        (Some("0,1/3,1"), "0:1/3", one_third),
        (None, "1/3:2/3", one_third),
        (None, "2/3:1", one_third),
        (thirds, "0:1/3", first),
        (thirds, "1/3:2/3", one_third),
        (thirds, "2/3:1", last),
    ] {
        let steps = active_steps(4, &stages(&up_and_down), part(sequence, segment));
        assert_eq!(seconds(&steps), expected, "{sequence:?} {segment}");
    }
}

#[test]
fn corner_cases_step_as_in_k6() {
    // k6: TestRampingVUsGetRawExecutionStepsCornerCases.
    let twice: &[(u32, u64)] = &[(2, 2), (0, 2), (2, 2), (0, 2)];
    let funky = Some("0,1/3,1/2,2/3,1");
    type Case<'a> = (&'a str, u32, &'a [(u32, u64)], Stripes, &'a [(u64, u64)]);
    let cases: [Case<'_>; 7] = [
        (
            "up then down straight away",
            2,
            &[(5, 0), (3, 2)],
            Stripes::whole(),
            &[(0, 5), (1, 4), (2, 0)],
        ),
        (
            "jump up then go up again",
            3,
            &[(5, 2)],
            Stripes::whole(),
            &[(0, 3), (1, 4), (2, 0)],
        ),
        (
            "one half",
            0,
            twice,
            part(None, "0:1/2"),
            &[(0, 0), (1, 1), (4, 0), (5, 1), (8, 0)],
        ),
        (
            "the other half",
            0,
            twice,
            part(None, "1/2:1"),
            &[(0, 0), (2, 1), (3, 0), (6, 1), (7, 0)],
        ),
        (
            "nothing",
            0,
            twice,
            part(Some("0,1/3,2/3,1"), "2/3:1"),
            &[(0, 0)],
        ),
        (
            "a funky sequence",
            0,
            twice,
            part(funky, "0:1/3"),
            &[(0, 0), (1, 1), (4, 0), (5, 1), (8, 0)],
        ),
        (
            "strange",
            0,
            &[(20, 20), (30, 30)],
            part(Some("0,0.3,0.6,0.9,1"), "0:0.3"),
            &[
                (0, 0),
                (1, 1),
                (5, 2),
                (8, 3),
                (11, 4),
                (15, 5),
                (18, 6),
                (23, 7),
                (35, 8),
                (44, 9),
                (50, 0),
            ],
        ),
    ];
    for (what, start, list, stripes, expected) in cases {
        assert_eq!(
            seconds(&active_steps(start, &stages(list), stripes)),
            expected,
            "{what}"
        );
    }
}

#[test]
fn each_stop_says_until_when_its_user_may_finish() {
    // Two users up in 10 ms, down to none in 40 ms, 30 ms for the ramp-down: 60 and 80 ms; 50 ms for the stop.
    let ms = |ms| Span::from_ms(ms);
    let short = [
        Stage {
            duration: ms(10),
            target: 2,
        },
        Stage {
            duration: ms(40),
            target: 0,
        },
    ];
    let short_graces = Graces {
        ramp_down: ms(30),
        stop: ms(50),
    };
    let deadlines = |mut schedule: VuSchedule| {
        let events = std::iter::from_fn(move || schedule.pop(Tick::NEVER));
        let deadline = |(at, event): (Tick, VuEvent)| match event {
            VuEvent::Start(_) => None,
            VuEvent::Stop { vu, deadline } => Some((vu.0, at.as_ms(), deadline.as_ms())),
        };
        events.filter_map(deadline).collect::<Vec<_>>()
    };
    let ramp = VuSchedule::new(0, &short, short_graces, Span::ZERO, Share::WHOLE);
    assert_eq!(deadlines(ramp), [(1, 30, 60), (0, 50, 80)]);
    let later = VuSchedule::new(0, &short, short_graces, ms(1_000), Share::WHOLE);
    assert_eq!(deadlines(later), [(1, 1_030, 1_060), (0, 1_050, 1_080)]);
    // GS-1: who is stopped by the end has the grace of the end, whatever the ramp-down's is.
    let constant = VuSchedule::new(
        1,
        &stages(&[(1, 1)]),
        graces(0, 1),
        Span::ZERO,
        Share::WHOLE,
    );
    assert_eq!(deadlines(constant), [(0, 1_000, 2_000)]);
    let no_grace = VuSchedule::new(
        2,
        &stages(&[(1, 4), (1, 1)]),
        graces(30, 0),
        Span::ZERO,
        Share::WHOLE,
    );
    assert_eq!(deadlines(no_grace), [(1, 4_000, 5_000), (0, 5_000, 5_000)]);
}

fn any_stages() -> impl Strategy<Value = Vec<Stage>> {
    let stage =
        (0_u32..80, 0..20_000_000_u64, any::<bool>()).prop_map(|(target, us, jumps)| Stage {
            duration: if jumps { Span::ZERO } else { Span::from_us(us) },
            target,
        });
    prop::collection::vec(stage, 1..8)
}

proptest! {
    #[test]
    fn all_parts_together_have_the_users_of_the_plan(
        start in 0_u32..80, stages in any_stages(), weights in prop::collection::vec(1_u64..40, 1..15),
    ) {
        let events = |stripes: Stripes| {
            let mut changes = RampingVus::new(start, &stages, stripes);
            std::iter::from_fn(move || changes.pop(Tick::NEVER)).collect::<Vec<_>>()
        };
        let key = |(at, change): &(Tick, VuChange)| match change {
            VuChange::Start(vu) => (*at, vu.0, 0),
            VuChange::Stop(vu) => (*at, vu.0, 1),
        };
        let whole = events(Stripes::whole());
        prop_assert!(whole.is_sorted_by_key(|(at, _)| *at));
        let mut whole: Vec<_> = whole.iter().map(key).collect();
        let split = Split::new(&weights).unwrap();
        let mut union = Vec::new();
        for part in 0..split.parts() {
            let events = events(split.stripes(part));
            prop_assert!(events.is_sorted_by_key(|(at, _)| *at));
            union.extend(events.iter().map(key));
        }
        whole.sort_unstable();
        union.sort_unstable();
        prop_assert_eq!(union, whole);
    }

    #[test]
    fn as_many_are_ready_as_were_active_within_the_grace(
        start in 0_u32..10, stages in any_stages(), ramp_down_us in 0_u64..10_000_000, stop_us in 0_u64..10_000_000,
        probes in prop::collection::vec(0.0_f64..1.1, 30),
    ) {
        let graces = Graces { ramp_down: Span::from_us(ramp_down_us), stop: Span::from_us(stop_us) };
        let reserved = reserved_steps(start, &stages, graces, Share::WHOLE);
        let regular_end = end_of(&stages);
        let end = regular_end + graces.stop;
        prop_assert!(reserved.is_sorted_by(|a, b| a.0 < b.0 && a.1 != b.1));
        let at_or_before = |steps: &[(Tick, u64)], at: Tick| {
            steps.iter().rev().find(|(from, _)| *from <= at).map_or(0, |(_, users)| *users)
        };
        // All changes, also those that last no time: who starts may begin an iteration, even if he stops at once.
        let mut changes = RampingVus::new(start, &stages, Share::WHOLE);
        let planned: Vec<(Tick, u64)> = std::iter::from_fn(|| {
            let (at, _) = changes.pop(Tick::NEVER)?;
            Some((at, changes.active()))
        })
        .filter(|(at, _)| *at < regular_end)
        .collect();
        for probe in probes {
            let at = Tick::from_us((end.as_us() as f64 * probe) as u64);
            if at >= regular_end && at < end {
                continue; // told by the table above
            }
            let expected = if at >= end {
                0
            } else {
                let from = at.as_us().checked_sub(ramp_down_us).map(Tick::from_us);
                let within = planned.iter().filter(|(begin, _)| Some(*begin) > from && *begin <= at);
                let before = from.map_or(0, |from| at_or_before(&planned, from));
                within.map(|(_, users)| *users).max().unwrap_or(0).max(before)
            };
            prop_assert_eq!(at_or_before(&reserved, at), expected, "at {}", at);
        }
    }
}
