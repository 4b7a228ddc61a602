//! Arrivals of whole plans and of their parts. Expected numbers are k6's and Artillery's (sources at each).

use super::*;
use crate::plan::Stage;
use crate::share::{Portion, Segment, SegmentSequence, Share};
use proptest::prelude::*;

fn stage(target: u32, duration: Span) -> Stage {
    Stage { duration, target }
}

fn part(sequence: &str, segment: &str) -> Portion {
    let sequence: SegmentSequence = sequence.parse().expect("sequence");
    let segment: Segment = segment.parse().expect("segment");
    Portion::segment(&segment, Some(&sequence)).expect("portion")
}

fn schedule(model: &ArrivalModel, stripes: Stripes) -> ArrivalSchedule {
    ArrivalSchedule::new(Arrivals::new(model, Tick::ZERO, 1), stripes)
}

fn taken(model: &ArrivalModel, stripes: Stripes) -> Vec<Arrival> {
    let mut schedule = schedule(model, stripes);
    let planned = schedule.planned();
    let taken: Vec<Arrival> = std::iter::from_fn(|| schedule.pop(Tick::NEVER)).collect();
    assert_eq!((taken.len() as u64, schedule.left()), (planned, 0));
    taken
}

fn numbers(model: &ArrivalModel, stripes: Stripes) -> Vec<u64> {
    taken(model, stripes).iter().map(|a| a.number).collect()
}

/// 20 arrivals per 950 ms.
fn twenty_per_950_ms() -> ArrivalModel {
    ArrivalModel::ConstantRate {
        rate: 20,
        unit: Span::from_ms(950),
        duration: Span::from_secs(1),
    }
}

fn phases(phases: impl IntoIterator<Item = (u64, PhaseArrivals)>) -> ArrivalModel {
    let phase = |(seconds, arrivals)| ArrivalPhase {
        name: None,
        duration: Span::from_secs(seconds),
        max_users: None,
        arrivals,
    };
    ArrivalModel::Phases(phases.into_iter().map(phase).collect())
}

const MILLION: u64 = 1_000_000;

#[test]
fn segments_number_their_arrivals_as_in_k6() {
    let ramp = ArrivalModel::RampingRate {
        start: 0,
        unit: Span::from_ms(950),
        stages: vec![stage(20, Span::from_secs(1)), stage(0, Span::from_secs(1))],
    };
    let last_of_constant = [1, 6, 11, 16, 21];
    let cases: [(&str, &[u64], &[u64]); 3] = [
        // What it is: the segment, CAR-3's numbers, those of k6's TestRampingArrivalRateGlobalIters.
        ("0:1/4", &last_of_constant, &last_of_constant[..4]),
        (
            "1/4:3/4",
            &[0, 2, 4, 5, 7, 9, 10, 12, 14, 15, 17, 19, 20],
            &[0, 2, 4, 5, 7, 9, 10, 12, 14, 15, 17, 19, 20],
        ),
        ("3/4:1", &[3, 8, 13, 18], &[3, 8, 13, 18]),
    ];
    for (segment, constant, ramping) in cases {
        let stripes = part("0,1/4,3/4,1", segment).scaled(5);
        assert_eq!(
            numbers(&twenty_per_950_ms(), stripes.clone()),
            constant,
            "{segment}"
        );
        assert_eq!(numbers(&ramp, stripes), ramping, "{segment} of the ramp");
    }
    let whole = numbers(&twenty_per_950_ms(), Stripes::whole());
    assert_eq!(whole, (0..22).collect::<Vec<u64>>(), "no gap, no repeat");
}

#[test]
fn segments_of_a_constant_rate_arrive_when_they_do_in_k6() {
    // k6: TestConstantArrivalRateRunCorrectTiming. When the first arrives, and the intervals, over and over.
    let model = ArrivalModel::ConstantRate {
        rate: 50,
        unit: Span::from_secs(1),
        duration: Span::from_secs(5),
    };
    const MAX_USERS: u64 = 20;
    let thirds = Some("0,1/3,2/3,1");
    let cases: [(Option<&str>, &str, u64, &[u64]); 8] = [
        (None, "0:1/3", 20, &[40, 60, 60, 60, 60, 60, 60]),
        (None, "1/3:2/3", 20, &[60, 60, 60, 60, 60, 60, 40]),
        (None, "2/3:1", 20, &[40, 60, 60, 60, 60, 60, 60]),
        (None, "1/6:3/6", 20, &[40, 80, 40, 80, 40, 80, 40]),
        (
            Some("1/6,3/6"),
            "1/6:3/6",
            20,
            &[40, 80, 40, 80, 40, 80, 40],
        ),
        (thirds, "0:1/3", 0, &[60, 60, 60, 60, 60, 60, 40]),
        (thirds, "1/3:2/3", 20, &[60, 60, 60, 60, 60, 60, 40]),
        (thirds, "2/3:1", 40, &[60, 60, 60, 60, 60, 100]),
    ];
    for (sequence, segment, first_ms, intervals_ms) in cases {
        let sequence = sequence.map(|text| text.parse().expect("sequence"));
        let segment: Segment = segment.parse().expect("segment");
        let portion = Portion::segment(&segment, sequence.as_ref()).expect("portion");
        let stripes = portion.scaled(MAX_USERS);
        let times = taken(&model, stripes);
        let mut at_ms = first_ms;
        for (arrival, interval_ms) in times.iter().zip(intervals_ms.iter().cycle()) {
            assert_eq!(arrival.at, Tick::from_ms(at_ms), "{segment}: {times:?}");
            at_ms += interval_ms;
        }
        assert!(at_ms >= 5_000, "{segment} ends at {at_ms} ms");
    }
}

#[test]
fn segments_of_a_ramp_arrive_when_they_do_in_k6() {
    // k6: TestRampingArrivalRateCal; RAR-2 in parts, to 0.1 %.
    let model = ArrivalModel::RampingRate {
        start: 0,
        unit: Span::from_secs(1),
        stages: [(1, 5), (1, 1), (0, 5)]
            .map(|(target, seconds)| stage(target, Span::from_secs(seconds)))
            .to_vec(),
    };
    let thirds = "0,1/3,2/3,1";
    let cases: [(&str, &str, &[f64]); 7] = [
        ("0,1", "0:1", &[3.162, 4.472, 5.5, 6.527, 7.837, 11.0]),
        ("0,1/3", "0:1/3", &[4.472, 7.837]),
        ("1/3,2/3", "1/3:2/3", &[4.472, 7.837]),
        ("2/3,1", "2/3:1", &[4.472, 7.837]),
        (thirds, "0:1/3", &[3.162, 6.527]),
        (thirds, "1/3:2/3", &[4.472, 7.837]),
        (thirds, "2/3:1", &[5.5, 11.0]),
    ];
    for (sequence, segment, expected) in cases {
        let times: Vec<f64> = taken(&model, part(sequence, segment).stripes())
            .iter()
            .map(|arrival| arrival.at.as_us() as f64 / 1e6)
            .collect();
        assert_eq!(times.len(), expected.len(), "{sequence} {segment}");
        for (at, expected) in times.iter().zip(expected) {
            assert!((at - expected).abs() < expected * 0.001, "{segment}: {at}");
        }
    }
}

#[test]
fn phases_follow_one_another_as_in_artillery() {
    // ART-1: ten users in 10 s, nobody for 5 s, fifty in 10 s.
    let model = phases([
        (10, PhaseArrivals::Count(10)),
        (5, PhaseArrivals::Pause),
        (10, PhaseArrivals::Count(50)),
    ]);
    let arrivals = taken(&model, Stripes::whole());
    assert_eq!(arrivals.len(), 60);
    let times = |phase| {
        let of_phase = arrivals.iter().filter(move |a| a.phase == phase);
        of_phase.map(|a| a.at.as_ms()).collect::<Vec<u64>>()
    };
    assert_eq!(times(0), (1..=10).map(|n| n * 1_000).collect::<Vec<u64>>());
    assert!(times(1).is_empty());
    assert_eq!(
        times(2),
        (1..=50).map(|n| 15_000 + n * 200).collect::<Vec<u64>>()
    );
    // ART-3: five a second for a second.
    let five = phases([(1, PhaseArrivals::Even(5 * MILLION))]);
    assert_eq!(taken(&five, Stripes::whole()).len(), 5);
}

#[test]
fn ramps_of_artillery_keep_their_total_with_any_number_of_workers() {
    for (from, to, seconds, total) in [(1, 20, 15, 158), (5, 50, 60, 1_650)] {
        let model = phases([(seconds, PhaseArrivals::Ramp(from * MILLION, to * MILLION))]);
        for workers in 1..=10 {
            let shares = (0..workers).filter_map(|index| Share::new(index, workers));
            let sum: u64 = shares.map(|s| schedule(&model, s.into()).planned()).sum();
            assert_eq!(sum, total, "{from} to {to} with {workers} workers");
        }
    }
}

#[test]
fn nothing_is_taken_before_its_time_and_skipping_is_taking() {
    let model = twenty_per_950_ms();
    let mut schedule = ArrivalSchedule::new(
        Arrivals::new(&model, Tick::from_second(2), 1),
        Share::new(1, 3).unwrap().into(),
    );
    assert_eq!(schedule.next_at(), Some(Tick::from_us(2_047_500)));
    assert_eq!(schedule.pop(Tick::from_us(2_047_499)), None);
    assert_eq!(
        schedule.skip_before(Tick::from_us(2_332_500)),
        2,
        "1 and 4; 7 is due at it"
    );
    assert_eq!(schedule.pop(Tick::NEVER).map(|a| a.number), Some(7));
    assert_eq!(schedule.skip_before(Tick::NEVER), schedule.planned() - 3);
    assert_eq!((schedule.left(), schedule.next_at()), (0, None));
}

fn any_model() -> impl Strategy<Value = ArrivalModel> {
    let stages = prop::collection::vec(
        (0_u32..60, 0_u64..3_000).prop_map(|(target, ms)| stage(target, Span::from_ms(ms))),
        0..6,
    );
    let rates = [0_u64..60 * MILLION, 0_u64..60 * MILLION];
    let arrivals = (0_u8..5, rates).prop_map(|(kind, [rate, other])| match kind {
        0 => PhaseArrivals::Pause,
        1 => PhaseArrivals::Even(rate),
        2 => PhaseArrivals::Random(rate),
        3 => PhaseArrivals::Ramp(rate, other),
        _ => PhaseArrivals::Count(rate % 200),
    });
    let list = prop::collection::vec((1_u64..5, arrivals), 0..5);
    let numbers = (0_u8..3, 0_u32..60, 1_u64..3_000, 0_u64..3_000);
    (numbers, stages, list).prop_map(|((kind, rate, unit_ms, ms), stages, list)| {
        let unit = Span::from_ms(unit_ms);
        match kind {
            0 => ArrivalModel::ConstantRate {
                rate,
                unit,
                duration: Span::from_ms(ms),
            },
            1 => ArrivalModel::RampingRate {
                start: rate,
                unit,
                stages,
            },
            _ => phases(list),
        }
    })
}

/// Random parts of the whole: segments, and shares of each.
fn any_parts() -> impl Strategy<Value = Vec<Portion>> {
    (prop::collection::vec(1_u64..40, 1..7), 1_u32..=30).prop_map(|(lengths, of)| {
        let sum: u64 = lengths.iter().sum();
        let mut points = vec![0];
        for length in &lengths {
            points.push(points.last().unwrap_or(&0) + length);
        }
        let texts: Vec<String> = points.iter().map(|p| format!("{p}/{sum}")).collect();
        let segments = texts.windows(2).map(|pair| pair.join(":"));
        let portions = segments.map(|segment| part(&texts.join(","), &segment));
        let shares = move |portion: Portion| {
            (0..of).filter_map(move |index| Some(portion.clone().share(Share::new(index, of)?)))
        };
        portions.flat_map(shares).collect()
    })
}

proptest! {
    #[test]
    fn all_parts_together_are_the_plan(
        model in any_model(), parts in any_parts(), users in 1_u64..300,
    ) {
        let whole = taken(&model, Stripes::whole());
        prop_assert!(whole.iter().map(|a| a.number).eq(0..whole.len() as u64));
        prop_assert!(whole.is_sorted_by_key(|a| a.at));
        let end = Tick::ZERO + model.duration();
        prop_assert!(whole.iter().all(|a| a.at <= end));
        for scaled in [false, true] {
            let mut union: Vec<Arrival> = parts
                .iter()
                .flat_map(|part| {
                    let stripes = if scaled { part.scaled(users) } else { part.stripes() };
                    taken(&model, stripes)
                })
                .collect();
            union.sort_by_key(|arrival| arrival.number);
            prop_assert_eq!(&union, &whole);
        }
    }

    #[test]
    fn going_on_later_is_going_on_at_the_same_arrival(
        model in any_model(), at_ms in 0_u64..8_000, index in 0_u32..3,
    ) {
        let share = Share::new(index, 3).unwrap();
        let from = Tick::from_ms(at_ms);
        let mut going_on = schedule(&model, share.into());
        let skipped = going_on.skip_before(from);
        let rest: Vec<Arrival> = std::iter::from_fn(|| going_on.pop(Tick::NEVER)).collect();
        let mut expected = taken(&model, share.into());
        let before = expected.iter().filter(|a| a.at < from).count();
        prop_assert_eq!(skipped, before as u64);
        prop_assert_eq!(rest, expected.split_off(before));
    }
}
