//! Shares, seconds and phases merged in every order, and what is then told.

use proptest::prelude::*;

use super::*;
use crate::metric::recorder::Recorder;
use crate::tick::Span;

fn id(name: &str) -> MetricId {
    Catalog::default().id(name).unwrap()
}

fn selection(name: &str, filter: Tags, phase: Option<Phase>) -> Selection {
    Selection {
        metric: id(name),
        filter: filter.iter().copied().collect(),
        phase,
    }
}

fn length(seconds: u64) -> WindowLength {
    WindowLength::new(Span::from_secs(seconds)).unwrap()
}

/// Tags as a test writes them.
type Tags<'a> = &'a [(&'a str, &'a str)];

fn counted(series: &[(&str, Tags, u64)]) -> MetricWindow {
    let mut recorder = Recorder::new(Catalog::default(), &[]);
    for (name, tags, count) in series {
        let tags = tags.iter().copied().collect();
        let series = recorder.series(id(name), &tags).unwrap();
        let steps = i64::try_from(*count).unwrap();
        recorder
            .record(series, Tick::ZERO, Amount::from_steps(steps))
            .unwrap();
    }
    recorder.take_window()
}

fn count(selected: Selected) -> u64 {
    match selected.value {
        Some(Value::Counter(sum)) => sum,
        None => 0,
        Some(other) => panic!("{other:?}"),
    }
}

#[test]
fn only_closed_seconds_count() {
    let mut store = MetricStore::new(Catalog::default(), &[]);
    let all = selection("http_reqs", &[], None);
    let one = counted(&[("http_reqs", &[], 1)]);
    for second in 0..3 {
        store.merge(second, Phase::Peak, &one).unwrap();
    }
    assert_eq!(count(store.select(&all)), 0);
    assert!(!store.has_data());
    store.close_through(Tick::from_ms(1_999));
    assert_eq!(count(store.select(&all)), 1);
    assert!(store.has_data());
    store.close_through(Tick::from_ms(500)); // earlier: no change
    store.merge(0, Phase::Peak, &one).unwrap(); // late
    assert_eq!(count(store.select(&all)), 2);
    store.close_all();
    assert_eq!(count(store.select(&all)), 4);
}

#[test]
fn tags_and_phases_select() {
    let mut store = MetricStore::new(Catalog::default(), &[]);
    let a: Tags = &[("scenario", "a"), ("status", "200")];
    let b: Tags = &[("scenario", "b"), ("status", "200")];
    let window = counted(&[
        ("http_reqs", a, 1),
        ("http_reqs", b, 10),
        ("iterations", a, 100),
    ]);
    store.merge(0, Phase::RampUp, &window).unwrap();
    store.merge(1, Phase::RampUp, &window).unwrap();
    store.merge(1, Phase::Peak, &window).unwrap();
    store.close_all();
    for (filter, phase, expected) in [
        (&[][..], None, 33),
        (&[("scenario", "a")], None, 3),
        (&[("scenario", "b")], Some(Phase::RampUp), 20),
        (&[("status", "200")], Some(Phase::Peak), 11),
        (b, Some(Phase::Peak), 10),
        (&[("scenario", "c")], None, 0),
        (&[], Some(Phase::RampDown), 0),
    ] {
        let selected = store.select(&selection("http_reqs", filter, phase));
        assert!(selected.complete);
        assert_eq!(count(selected), expected, "{filter:?} {phase:?}");
    }
    assert_eq!(store.series().count(), 3);
}

#[test]
fn sliding_windows_hold_the_last_seconds() {
    let peak = selection("http_reqs", &[("scenario", "a")], Some(Phase::Peak));
    let queries = [2, 3].map(|seconds| Query {
        selection: peak.clone(),
        over: Some(length(seconds)),
    });
    let mut store = MetricStore::new(Catalog::default(), &queries);
    let tags: Tags = &[("scenario", "a")];
    for second in 0..10_u32 {
        let window = counted(&[
            ("http_reqs", tags, 10_u64.pow(second)),
            ("http_reqs", &[], 7),
        ]);
        store.merge(second, Phase::Peak, &window).unwrap();
        store.merge(second, Phase::RampUp, &window).unwrap();
    }
    let recent = |store: &MetricStore, seconds, until| {
        store
            .select_recent(&peak, length(seconds), Tick::from_second(until))
            .map(count)
    };
    store.close_through(Tick::from_second(4));
    assert_eq!(recent(&store, 2, 4), Some(1_100));
    assert_eq!(recent(&store, 3, 4), Some(1_110));
    assert_eq!(recent(&store, 2, 3), Some(110));
    assert_eq!(recent(&store, 3, 2), Some(11)); // the run has no second before its first
    assert_eq!(recent(&store, 4, 4), None); // not announced
    store
        .merge(3, Phase::Peak, &counted(&[("http_reqs", tags, 5)]))
        .unwrap(); // late
    assert_eq!(recent(&store, 2, 4), Some(1_105));
    store.close_all();
    assert_eq!(recent(&store, 3, 10), Some(1_110_000_000));
    assert_eq!(recent(&store, 3, 8), Some(11_100_000));
    assert_eq!(recent(&store, 3, 7), None); // its first second is forgotten
}

#[test]
fn what_no_batch_records_is_refused_as_a_whole() {
    let mut store = MetricStore::new(Catalog::default(), &[]);
    for (json, message) in [
        (
            r#"{"tags":[{}],"series":{"http_reqs":[[0,{"c":1}]],"nonsense":[[0,{"c":1}]]}}"#,
            "metric \"nonsense\" is not one that batches record",
        ),
        (
            r#"{"tags":[{}],"series":{"http_reqs":[[0,{"c":1}]],"vus":[[0,{"g":[0,1,1,1]}]]}}"#,
            "metric \"vus\" is not one that batches record",
        ),
        (
            r#"{"tags":[{}],"series":{"checks":[[0,{"c":1}]]}}"#,
            "metric checks came as a counter: it is a rate",
        ),
    ] {
        let window = serde_json::from_str(json).unwrap();
        let error = store.merge(0, Phase::Peak, &window).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    store.close_all();
    assert_eq!(store.series().count(), 0);
}

#[test]
fn the_number_of_users_is_for_the_run_to_say() {
    let mut store = MetricStore::new(Catalog::default(), &[]);
    for (second, users) in [(0, 5), (1, 9), (2, 4)] {
        let amount = Amount::from_steps(users * 1_000);
        store.record(Phase::Peak, id("vus"), Tick::from_second(second), amount);
    }
    store.close_all();
    let Some(Value::Gauge(users)) = store.select(&selection("vus", &[], None)).value else {
        panic!("no gauge");
    };
    assert_eq!(
        (users.value, users.lowest, users.highest),
        (4_000, 4_000, 9_000)
    );
    assert!(!store.has_data()); // nothing of what the target did
}

#[test]
fn a_share_that_hangs_does_not_fill_the_memory() {
    let mut store = MetricStore::new(Catalog::default(), &[]);
    let one = counted(&[("http_reqs", &[], 1)]);
    for second in 0..2_000 {
        store.merge(second, Phase::Peak, &one).unwrap();
    }
    store.merge(u32::MAX, Phase::Peak, &one).unwrap();
    assert_eq!(store.pending.len(), PENDING_SECONDS_MAX);
    store.close_all();
    assert_eq!(
        count(store.select(&selection("http_reqs", &[], None))),
        2_001
    );
}

#[test]
fn announced_tags_are_exact_beyond_all_limits() {
    let failed = selection("http_reqs", &[("status", "500")], None);
    let query = Query {
        selection: failed.clone(),
        over: None,
    };
    let mut store = MetricStore::new(Catalog::default(), std::slice::from_ref(&query));
    for share in 0..8_u32 {
        let mut recorder = Recorder::new(Catalog::default(), std::slice::from_ref(&query));
        for i in 0..2_000_u32 {
            let status = if i % 10 == 3 { "500" } else { "200" };
            let tags = TagSet::new()
                .with("status", status)
                .with("url", &(share * 2_000 + i).to_string());
            let series = recorder.series(id("http_reqs"), &tags).unwrap();
            recorder
                .record(series, Tick::ZERO, Amount::from_steps(1))
                .unwrap();
        }
        store
            .merge(0, Phase::Peak, &recorder.take_window())
            .unwrap();
    }
    store.close_all();
    let selected = store.select(&failed);
    assert!(selected.complete);
    assert_eq!(count(selected), 1_600);
    assert_eq!(
        count(store.select(&selection("http_reqs", &[], None))),
        16_000
    );
    // A tag that nobody announced is not answered as if the kept series were all.
    let unannounced = selection("http_reqs", &[("status", "200")], None);
    assert!(!store.select(&unannounced).complete);
    assert_eq!(store.warnings().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 5))] // each builds many stores

    #[test]
    fn order_and_grouping_of_frames_change_nothing(
        samples in prop::collection::vec((0..8_u32, 0..3_usize, 0..4_usize, 0..5_000_i64), 0..120),
        shards in 1..9_usize,
        order in any::<prop::sample::Index>(),
    ) {
        let sel = selection("response_time", &[("s", "1")], None);
        let query = Query { selection: sel.clone(), over: Some(length(3)) };
        let answer = |shards: usize, rotate: usize| {
            let mut frames = Vec::new();
            for shard in 0..shards {
                for second in 0..8 {
                    let mut recorder = Recorder::new(Catalog::default(), &[]);
                    let mine = samples.iter().enumerate().filter(|(i, s)| i % shards == shard && s.0 == second);
                    for (_, (_, tag, _, steps)) in mine {
                        let tags = TagSet::new().with("s", &tag.to_string());
                        let series = recorder.series(id("response_time"), &tags).unwrap();
                        recorder.record(series, Tick::ZERO, Amount::from_steps(*steps)).unwrap();
                    }
                    frames.push((second, recorder.take_window()));
                }
            }
            let middle = rotate % frames.len();
            frames.rotate_left(middle);
            let mut store = MetricStore::new(Catalog::default(), std::slice::from_ref(&query));
            for (second, window) in &frames {
                store.merge(*second, Phase::Peak, window).unwrap();
            }
            store.close_through(Tick::from_second(5));
            let early = (store.select(&sel), store.select_recent(&sel, length(3), Tick::from_second(5)));
            store.close_all();
            (early, store.select(&sel), store.select(&selection("response_time", &[], None)))
        };
        prop_assert_eq!(answer(1, 0), answer(shards, order.index(1_000)));
    }
}

/// Any number, often a small one.
fn number() -> impl Strategy<Value = u64> {
    (any::<bool>(), any::<u64>())
        .prop_map(|(small, number)| if small { number % 5 } else { number })
}

proptest! {
    #[test]
    fn frames_from_outside_do_no_harm(
        numbers in prop::collection::vec(number(), 12),
        name in "(http_reqs|checks|response_time|data_sent|x)",
        kind in "[cgrtz]",
        second in any::<u32>(),
    ) {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = numbers.as_slice() else {
            return Ok(());
        };
        let value = match kind.as_str() {
            "c" | "z" => format!("{a}"),
            "g" => format!("[{a},{b},-{c},{d}]"),
            "r" => format!("[{a},{b}]"),
            _ => format!("[{a},-{b},{c},[{d},{e},{f},{g},{h}],[{i},{j},{k}]]"),
        };
        let place = l % 3;
        let json = format!(
            r#"{{"tags":[{{}},{{"overflow":"unattributed"}}],"series":{{"{name}":[[{place},{{"{kind}":{value}}}]]}}}}"#
        );
        let sel = selection("response_time", &[], None);
        let query = Query { selection: sel.clone(), over: Some(length(600)) };
        let mut store = MetricStore::new(Catalog::default(), &[query]);
        if let Ok(window) = serde_json::from_str::<MetricWindow>(&json) {
            for _ in 0..3 {
                let _ = store.merge(second, Phase::Peak, &window);
            }
            store.close_through(Tick::from_second(second.saturating_add(1)));
            let recent = store.select_recent(&sel, length(600), Tick::from_second(second));
            store.close_all();
            for selected in [recent, Some(store.select(&sel))].into_iter().flatten() {
                if let Some(Value::Trend(trend)) = selected.value {
                    let _ = (trend.average(), trend.percentile(crate::metric::Percentile::MEDIAN));
                }
            }
        }
    }
}

#[test]
fn a_restored_store_answers_as_the_one_that_was_stored() {
    let peak = selection("http_reqs", &[("scenario", "a")], Some(Phase::Peak));
    let queries = [Query {
        selection: peak.clone(),
        over: Some(length(40)),
    }];
    let mut store = MetricStore::new(Catalog::default(), &queries);
    let play = |store: &mut MetricStore, seconds: std::ops::Range<u32>| {
        for second in seconds {
            let tags: Tags = &[("scenario", "a")];
            let window = counted(&[
                ("http_reqs", tags, u64::from(second)),
                ("http_reqs", &[], 7),
            ]);
            store.merge(second, Phase::Peak, &window).unwrap();
            store.close_through(Tick::from_second(second));
        }
    };
    play(&mut store, 0..100);
    for url in 0..300 {
        let url = url.to_string();
        let window = counted(&[("iterations", &[("url", url.as_str())], 1)]);
        store.merge(99, Phase::RampUp, &window).unwrap();
    }
    let json = serde_json::to_string(&store.state()).unwrap();
    let state: StoreState = serde_json::from_str(&json).unwrap();
    assert_eq!(state, store.state());
    let mut restored = MetricStore::restore(Catalog::default(), &queries, state);
    assert_eq!(restored.state(), store.state());
    for store in [&mut store, &mut restored] {
        play(store, 100..130);
    }
    assert_eq!(restored.state(), store.state());
    assert_eq!(restored.select(&peak), store.select(&peak));
    assert_eq!(restored.warnings(), store.warnings());
    for seconds in [1, 7, 40] {
        let recent = |store: &MetricStore| {
            store.select_recent(&peak, length(seconds), Tick::from_second(129))
        };
        assert!(recent(&store).is_some());
        assert_eq!(recent(&restored), recent(&store), "{seconds} s");
    }
}

#[test]
fn activity_makes_silence_mean_zero_once_its_second_is_closed() {
    let mut store = MetricStore::new(Catalog::default(), &[]);
    store.note_activity(3);
    store.note_activity(7);
    store.close_through(Tick::from_second(3));
    assert!(!store.has_data());
    store.close_through(Tick::from_second(4));
    assert!(store.has_data());
}
