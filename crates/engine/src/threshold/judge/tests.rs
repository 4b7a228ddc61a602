//! k6's vectors, and whole runs second by second.

use proptest::prelude::*;

use super::*;
use crate::metric::{Catalog, Contains, CustomMetric, MetricKind, Recorder, TagSet};
use crate::phase::{Phase, PhaseSpan};
use crate::threshold::{ScenarioSpan, ThresholdMap, bind, queries};

/// Metrics of each kind, as k6's tests define them.
fn catalog() -> Catalog {
    let custom = |name: &str, kind| CustomMetric {
        name: name.to_owned(),
        kind,
        contains: Contains::Default,
    };
    Catalog::new(&[
        custom("counter", MetricKind::Counter),
        custom("gauge", MetricKind::Gauge),
        custom("rated", MetricKind::Rate),
        custom("trend", MetricKind::Trend),
    ])
    .unwrap()
}

/// Peak from 10 s to 30 s; scenario `b` from 20 s to 40 s.
fn timeline() -> Timeline {
    let span = |phase, from, to| PhaseSpan {
        phase,
        from: Tick::from_second(from),
        to: Tick::from_second(to),
    };
    let scenario = |name: &str, from, to| ScenarioSpan {
        name: name.to_owned(),
        from: Tick::from_second(from),
        to: Tick::from_second(to),
    };
    Timeline {
        phases: vec![
            span(Phase::RampUp, 0, 10),
            span(Phase::Peak, 10, 30),
            span(Phase::RampDown, 30, 40),
        ],
        scenarios: vec![scenario("a", 0, 40), scenario("b", 20, 40)],
    }
}

struct World {
    judge: Judge,
    store: MetricStore,
    recorder: Recorder,
}

impl World {
    fn new(json: &str) -> Self {
        let map: ThresholdMap = serde_json::from_str(json).unwrap();
        let thresholds = bind(&map, &catalog(), &["a", "b"]).unwrap();
        let queries = queries(&thresholds);
        Self {
            judge: Judge::new(thresholds, timeline()),
            store: MetricStore::new(catalog(), &queries),
            recorder: Recorder::new(catalog(), &queries),
        }
    }

    /// One sample in the metric's unit, at this second.
    fn sample(&mut self, second: u32, name: &str, tags: &[(&str, &str)], number: f64) {
        let catalog = catalog();
        let metric = catalog.id(name).unwrap();
        let tags: TagSet = tags.iter().copied().collect();
        let at = Tick::from_second(second);
        let amount = catalog.definition(metric).unwrap().contains.amount(number);
        let series = self.recorder.series(metric, &tags).unwrap();
        self.recorder.record(series, at, amount.unwrap()).unwrap();
        let phase = crate::phase::phase_at(&timeline().phases, at);
        let window = self.recorder.take_window();
        self.store.merge(second, phase, &window).unwrap();
    }

    fn advance(&mut self, closed_s: u32) -> Option<AbortDecision> {
        self.judge
            .advance(Tick::from_second(closed_s), &mut self.store)
    }

    fn finish(&mut self, ended: Tick) -> Vec<Verdict> {
        let outcomes = self.judge.finish(ended, &mut self.store);
        outcomes
            .into_iter()
            .map(|outcome| outcome.verdict)
            .collect()
    }
}

/// The verdict on one threshold after these samples in second 0 of a run of 10 s.
fn verdict(metric: &str, expression: &str, samples: &[(&str, f64)]) -> Verdict {
    let mut world = World::new(&format!(r#"{{"{metric}":["{expression}"]}}"#));
    for (name, number) in samples {
        world.sample(0, name, &[("scenario", "a")], *number);
    }
    world.finish(Tick::from_second(10)).remove(0)
}

const fn pass(actual: f64) -> Verdict {
    Verdict::Pass { actual }
}

const fn fail(actual: f64) -> Verdict {
    Verdict::Fail { actual }
}

#[test]
fn each_kind_is_measured_in_its_way() {
    let trend = [("trend", 10.0), ("trend", 15.0), ("trend", 20.0)];
    let rated = [
        ("rated", 1.0),
        ("rated", 0.0),
        ("rated", 2.0),
        ("rated", 0.0),
    ];
    let counter = [("counter", 4.0), ("counter", 1.5)];
    for (metric, expression, samples, expected) in [
        ("counter", "count==5.5", &counter[..], pass(5.5)),
        ("counter", "rate<0.55", &counter, fail(0.55)),
        (
            "gauge",
            "value>1",
            &[("gauge", 3.0), ("gauge", -2.0)],
            pass(3.0),
        ),
        ("rated", "rate>=0.5", &rated, pass(0.5)),
        ("trend", "avg===15", &trend, pass(15.0)),
        ("trend", "min!=10", &trend, fail(10.0)),
        ("trend", "max<=20", &trend, pass(20.0)),
        ("trend", "p(100)>20", &trend, fail(20.0)),
    ] {
        assert_eq!(
            verdict(metric, expression, samples),
            expected,
            "{expression}"
        );
    }
    for (expression, holds) in [
        ("p(90)<19.1", true),
        ("p(90)<19", false),
        ("p(95)<=19.55", true),
        ("p(99)>19.8", true),
        ("med<15.1", true),
        ("med<15", false),
    ] {
        assert_eq!(
            verdict("trend", expression, &trend).passed(),
            holds,
            "{expression}"
        );
    }
}

#[test]
fn without_samples_there_is_no_verdict_where_k6_would_pass() {
    let other = [("iterations", 1.0)];
    for (metric, expression) in [
        ("trend", "med<39"), // k6: the median of nothing is 0, which passes
        ("trend", "med>39"),
        ("rated", "rate<0.01"),
        ("gauge", "value==0"),
        ("response_time{status:500}", "p(95)<500"),
        ("do_wake_rate", "rate<0.3"),
    ] {
        let verdict = verdict(metric, expression, &other);
        assert_eq!(verdict, Verdict::NoData, "{metric}");
        assert!(!verdict.passed());
    }
}

#[test]
fn a_counter_that_never_came_is_zero_once_the_run_has_data() {
    let one = [("iterations", 1.0)];
    for (metric, expression, samples, expected) in [
        // k6's vectors: no such scenario passes, one iteration is not two.
        (
            "iterations{scenario:sc3}",
            "count == 0",
            &one[..],
            pass(0.0),
        ),
        ("iterations{scenario:a}", "count == 2", &one, fail(1.0)),
        ("counter", "count<10", &one, pass(0.0)),
        ("counter", "rate>0", &one, fail(0.0)),
        ("dropped_iterations", "count==0", &one, pass(0.0)),
        // A run that did nothing proves nothing.
        (
            "iterations{scenario:sc3}",
            "count == 0",
            &[],
            Verdict::NoData,
        ),
        ("dropped_iterations", "count==0", &[], Verdict::NoData),
        (
            "dropped_iterations",
            "count==0",
            &[("gauge", 1.0)],
            Verdict::NoData,
        ),
    ] {
        assert_eq!(verdict(metric, expression, samples), expected, "{metric}");
    }
}

#[test]
fn a_rate_per_second_needs_time() {
    let mut world = World::new(r#"{"counter":["rate>1"]}"#);
    world.sample(0, "counter", &[], 5.0);
    assert_eq!(world.finish(Tick::ZERO), [Verdict::NoData]);
    let mut world = World::new(r#"{"counter":["rate>1"]}"#);
    world.sample(0, "counter", &[], 5.0);
    assert_eq!(world.finish(Tick::from_ms(2_500)), [pass(2.0)]);
}

#[test]
fn a_run_is_aborted_strictly_after_the_delay() {
    for (delay, expected_s) in [("null", 2), ("\"1s\"", 2), ("\"2s\"", 4), ("9999", 10)] {
        let mut world = World::new(&format!(
            r#"{{"rated":["rate>0.9",{{"threshold":"rate>0.9","abortOnFail":true,"delayAbortEval":{delay}}}]}}"#
        ));
        for second in 0..20 {
            world.sample(second, "rated", &[], 0.0);
        }
        let decision = (1..=20).find_map(|second| world.advance(second)).unwrap();
        assert_eq!(
            (decision.threshold, decision.at, decision.actual),
            (1, Tick::from_second(expected_s), 0.0)
        );
        assert_eq!(world.judge.abort(), Some(decision));
        assert_eq!(world.advance(20), None); // said once
    }
}

#[test]
fn silence_and_success_abort_nothing() {
    let mut world = World::new(
        r#"{"trend":[{"threshold":"med<39","abortOnFail":true}],
            "rated":[{"threshold":"rate>0.9","abortOnFail":true}],
            "gauge":["value>5"]}"#,
    );
    world.sample(3, "rated", &[], 1.0);
    world.sample(3, "gauge", &[], 1.0); // fails, but does not ask for an abort
    assert_eq!(world.advance(20), None);
    assert_eq!(
        world.finish(Tick::from_second(20)),
        [Verdict::NoData, pass(1.0), fail(1.0)]
    );
}

#[test]
fn a_phase_or_scenario_has_its_own_samples_and_its_own_time() {
    let mut world = World::new(
        r#"{"counter":["rate==2 in peak", "rate==1 in b", "rate==1 in peak in b", "count==80"],
            "trend":["max<10 in peak", "max<10 in ramp_up", "max<10 in b"]}"#,
    );
    for second in 0..40 {
        world.sample(second, "counter", &[("scenario", "a")], 1.0);
        let b = if second < 20 { "a" } else { "b" };
        world.sample(second, "counter", &[("scenario", b)], 1.0);
    }
    world.sample(5, "trend", &[], 99.0);
    world.sample(15, "trend", &[], 9.0);
    assert_eq!(
        world.finish(Tick::from_second(50)),
        [
            pass(2.0),
            pass(1.0),
            pass(1.0),
            pass(80.0),
            pass(9.0),
            fail(99.0),
            Verdict::NoData
        ]
    );
}

#[test]
fn a_sliding_window_finds_what_the_whole_run_hides() {
    let mut world = World::new(
        r#"{"trend":["max<50 over 5s", "avg<50", "max<50 over 5s in peak", "max<100 over 5s"]}"#,
    );
    for second in 0..40 {
        let number = if second == 33 { 60.0 } else { 10.0 };
        world.sample(second, "trend", &[], number);
    }
    let outcomes = world.judge.finish(Tick::from_ms(40_400), &mut world.store);
    let verdicts: Vec<_> = outcomes.iter().map(|outcome| outcome.verdict).collect();
    assert_eq!(verdicts, [fail(60.0), pass(11.25), pass(10.0), pass(60.0)]);
    assert_eq!(outcomes[0].until, Some(Tick::from_second(34)));
    assert_eq!(outcomes[1].until, None);
}

#[test]
fn a_stall_is_no_throughput_in_a_sliding_window() {
    let mut world = World::new(
        r#"{"counter":[{"threshold":"rate>0.5 over 5s","abortOnFail":true,"delayAbortEval":"3s"}]}"#,
    );
    for second in (0..10).chain(20..30) {
        world.sample(second, "counter", &[], 1.0);
    }
    // At 12 s the last 5 s hold 3; at 14 s they hold 1.
    assert_eq!(world.advance(13), None);
    let decision = world.advance(14).unwrap();
    assert_eq!((decision.at, decision.actual), (Tick::from_second(14), 0.2));
    let outcomes = world.judge.finish(Tick::from_second(30), &mut world.store);
    assert_eq!(outcomes[0].verdict, fail(0.0)); // the worst stretch, not the first bad one
    assert_eq!(outcomes[0].until, Some(Tick::from_second(16)));
}

#[test]
fn windows_lie_within_their_scope() {
    // Everything outside the peak, and outside b, is bad: no window may reach there.
    let mut world = World::new(
        r#"{"trend":["max<50 over 7s in peak", "max<50 over 20s in b", "max<50 over 9s in peak in b", "max<50 over 10m in peak"]}"#,
    );
    for second in 0..50 {
        let in_peak = (10..30).contains(&second);
        let number = if in_peak { 10.0 } else { 90.0 };
        world.sample(second, "trend", &[("scenario", "a")], number);
        if second >= 20 {
            let number = if second < 40 { 20.0 } else { 90.0 };
            world.sample(second, "trend", &[("scenario", "b")], number);
        }
    }
    // The last one is longer than the peak, which is then judged as a whole.
    assert_eq!(
        world.finish(Tick::from_second(51)),
        [pass(20.0), pass(20.0), pass(20.0), pass(20.0)]
    );
}

#[test]
fn the_last_window_of_a_phase_ends_with_it() {
    let mut world = World::new(r#"{"trend":["max<50 over 3s in peak"]}"#);
    let Some(peak) = world.judge.timeline.phases.get_mut(1) else {
        panic!("no peak");
    };
    peak.to = Tick::from_second(29); // between two evaluations
    for second in 0..40 {
        let number = if second == 28 { 90.0 } else { 10.0 };
        world.sample(second, "trend", &[], number);
    }
    let outcomes = world.judge.finish(Tick::from_second(40), &mut world.store);
    assert_eq!(outcomes[0].verdict, fail(90.0));
    assert_eq!(outcomes[0].until, Some(Tick::from_second(29)));
}

#[test]
fn a_run_shorter_than_the_window_is_judged_as_a_whole() {
    let mut world = World::new(r#"{"counter":["rate>1 over 30s"],"trend":["p(95)<5 over 30s"]}"#);
    world.sample(0, "counter", &[], 5.0);
    assert_eq!(
        world.finish(Tick::from_ms(2_500)),
        [pass(2.0), Verdict::NoData]
    );
}

#[test]
fn outcome_format_unchanged() {
    let outcome = Outcome {
        metric: "http_req_duration{scenario:a}".to_owned(),
        threshold: "p(95)<500 over 30s".to_owned(),
        verdict: fail(612.5),
        until: Some(Tick::from_second(34)),
    };
    let json = r#"{"metric":"http_req_duration{scenario:a}","threshold":"p(95)<500 over 30s","verdict":{"verdict":"fail","actual":612.5},"untilUs":34000000}"#;
    assert_eq!(serde_json::to_string(&outcome).unwrap(), json);
    assert_eq!(serde_json::from_str::<Outcome>(json).unwrap(), outcome);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 5))] // each plays two runs

    #[test]
    fn how_often_the_judge_is_asked_changes_nothing(
        samples in prop::collection::vec((0..40_u32, 0..100_u32), 0..60),
        steps in prop::collection::vec(1..9_u32, 1..40),
        fail_below in 0..100_u32,
    ) {
        let json = format!(
            r#"{{"trend":[{{"threshold":"p(50)>{fail_below}","abortOnFail":true,"delayAbortEval":"3s"}},
                {{"threshold":"avg>{fail_below} over 4s in peak","abortOnFail":true}}],
                "counter":["rate>0.1 over 5s","count>3"]}}"#
        );
        let run = |closings: &[u32]| {
            let mut world = World::new(&json);
            for (second, number) in &samples {
                world.sample(*second, "trend", &[], f64::from(*number));
                world.sample(*second, "counter", &[], 1.0);
            }
            let mut decisions = Vec::new();
            let mut closed = 0;
            for step in closings {
                closed += step;
                decisions.extend(world.advance(closed.min(41)));
            }
            let outcomes = world.judge.finish(Tick::from_ms(41_300), &mut world.store);
            (world.judge.abort(), decisions.len() <= 1, outcomes)
        };
        prop_assert_eq!(run(&[1; 41]), run(&steps));
    }
}
