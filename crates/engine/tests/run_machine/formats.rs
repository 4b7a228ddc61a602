//! What travels and what is stored, byte for byte. A format that changes cannot be read by the code that wrote
//! it: it needs a new version number, and a thought for the runs that are under way.

use sentinel_engine::bundle::{BatchNews, Bundle, ShardOrder};
use sentinel_engine::cookie::Jar;
use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::metric::{MetricWindow, TagSet, Value};
use sentinel_engine::phase::Phase;
use sentinel_engine::plan::RunPart;
use sentinel_engine::random::Random;
use sentinel_engine::run::{
    Input, LossReason, Record, Run, SliceStarted, Stop, StopReason, Stored,
};
use sentinel_engine::server_timing;
use sentinel_engine::share::Share;
use sentinel_engine::summary::TestRunResult;
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::vu::{Position, VuCarry, VuId};
use sentinel_engine::window::{StepId, Window};
use sentinel_engine::wire::{Assignment, BatchEnd, EndReason, Frame, WIRE_VERSION};

use crate::faults::{end, frame};
use crate::plans::{config, plan};
use crate::world::{Fate, World};

/// One second of two requests, of which one failed.
fn window() -> Window {
    let mut window = Window::new(0, Phase::RampUp);
    window.active_users = 2;
    (
        window.ledger.planned,
        window.ledger.started,
        window.ledger.finished,
    ) = (1, 1, 1);
    (window.ledger.sent, window.ledger.answered) = (2, 2);
    let step = window.steps.entry(StepId(1)).or_default();
    (step.sent, step.succeeded, step.bytes_received) = (2, 1, 300);
    step.errors.insert(ErrorClass::Status(503), 1);
    let tags = TagSet::new().with("status", "503");
    let series = window.metrics.series.entry("http_reqs".to_owned());
    series.or_default().insert(tags, Value::Counter(1_000));
    window.samples_refused = 1;
    let step = window.steps.entry(StepId(1)).or_default();
    for us in [1_000, 30_000] {
        step.response_us.record(us + 1_000);
        step.service_us.record(us);
    }
    window.slot_wait_us.record_n(0, 2);
    window.lateness_us.record(40);
    let scenario = window.scenarios.entry(0).or_default();
    scenario.started = 1;
    scenario.iteration_us.record(33_000);
    server_timing::record("do;desc=PostDO;dur=2;wake=1, d1;dur=1;queue=3", &mut window);
    window
}

fn carry() -> VuCarry {
    VuCarry {
        vu: VuId(4),
        iterations: 2,
        due: Tick::from_ms(3_100),
        variables: vec![None, Some("t0".to_owned())],
        cookies: Jar::default(),
        position: Some(Position {
            application: 0,
            variant: Some(1),
            next_op: 1,
            loops: vec![2],
            thinks_until: None,
            began: Tick::from_ms(2_900),
            pending: vec![(StepId(0), Tick::from_ms(2_990))],
            pending_background: Vec::new(),
            rows: Vec::new(),
            repetitions: Vec::new(),
            pause: None,
            socket: None,
            resumption: None,
            random: Random::for_purpose(7, 0),
        }),
    }
}

fn assert_unchanged(actual: &str, golden: &str) {
    assert_eq!(
        actual,
        golden.trim_end(),
        "the format has changed: see the head of this file"
    );
}

#[test]
fn frame_format_unchanged() {
    let end = BatchEnd {
        reason: EndReason::SliceOver,
        at: Tick::from_ms(3_010),
        carry: vec![carry()],
        iterations_open: 1,
        out: Vec::new(),
        missed: Vec::new(),
        handed_over: vec![Some("room-1".to_owned()), None],
        colo: "AMS".parse().ok(),
    };
    let frame = frame(1, 2, vec![window()], Tick::from_ms(3_010), Some(end));
    let json = serde_json::to_string_pretty(&frame).unwrap();
    assert_unchanged(&json, include_str!("golden/frame.json"));
    assert_eq!(serde_json::from_str::<Frame>(&json).unwrap(), frame);
}

#[test]
fn assignment_format_unchanged() {
    let assignment = Assignment {
        version: WIRE_VERSION,
        run: "run-1".to_owned(),
        part: RunPart::Load,
        epoch_ms: 1_767_499_200_000,
        slice: 1,
        share: Share::new(1, 3).unwrap(),
        from: Tick::from_ms(3_020),
        until: Tick::from_ms(6_020),
        played_through: Tick::from_second(3),
        carry: vec![carry()],
        away: Vec::new(),
        hands_over_after: None,
        begun: vec![17],
        handed_over: vec![Some("room-1".to_owned()), None],
        slots: std::num::NonZeroU16::new(6),
    };
    let json = serde_json::to_string_pretty(&assignment).unwrap();
    assert_unchanged(&json, include_str!("golden/assignment.json"));
    assert_eq!(
        serde_json::from_str::<Assignment>(&json).unwrap(),
        assignment
    );
}

#[test]
fn bundle_format_unchanged() {
    let mut frame = frame(1, 2, vec![window()], Tick::from_ms(3_010), None);
    frame.windows[0].metrics = MetricWindow::default();
    let lost = BatchNews {
        forgot: true,
        lost: Some(LossReason::StreamEnded),
        ..BatchNews::new(7, Tick::from_second(2))
    };
    let mut bundle = Bundle::from(frame);
    bundle.news.push(lost);
    bundle.ignored = 1;
    let json = serde_json::to_string(&bundle.news).unwrap();
    assert_unchanged(
        &json,
        concat!(
            r#"[{"batch":1,"closedThrough":3010000,"ledger":{"planned":1,"started":1,"dropped":0,"#,
            r#""finished":1,"interrupted":0,"lost":0,"sent":2,"answered":2,"failed":0,"cutOff":0},"#,
            r#""begun":{"0":1},"users":[[0,"ramp_up",2]]},"#,
            r#"{"batch":7,"closedThrough":2000000,"forgot":true,"lost":"stream_ended"}]"#
        ),
    );
    let json = serde_json::to_string(&bundle).unwrap();
    assert_eq!(serde_json::from_str::<Bundle>(&json).unwrap(), bundle);
    assert!(json.starts_with(r#"{"version":3,"slice":0,"line":1,"sequence":2,"windows":[{"#));
    assert!(json.ends_with(r#","ignored":1}"#), "{json}");
}

#[test]
fn shard_order_format_unchanged() {
    let order = ShardOrder {
        version: WIRE_VERSION,
        run: "run-1".to_owned(),
        slice: 1,
        shard: 2,
        from: Tick::from_ms(3_020),
        until: Tick::from_ms(6_020),
        patience: Span::from_secs(5),
        batches: Vec::new(),
    };
    let json = serde_json::to_string(&order).unwrap();
    assert_unchanged(
        &json,
        concat!(
            r#"{"version":3,"run":"run-1","slice":1,"shard":2,"from":3020000,"until":6020000,"#,
            r#""patience":5000000,"batches":[]}"#
        ),
    );
    assert_eq!(serde_json::from_str::<ShardOrder>(&json).unwrap(), order);
}

#[test]
fn small_records_format_unchanged() {
    let slice = Stored::SliceStarted(SliceStarted {
        slice: 2,
        from: Tick::from_ms(6_020),
        until: Tick::from_ms(9_020),
        batches: vec![0, 2],
    });
    let stop = |reason| {
        Stored::Stop(Stop {
            reason,
            at: Tick::from_ms(700),
        })
    };
    let records: Vec<(String, String)> = [
        slice,
        stop(StopReason::Cancelled),
        stop(StopReason::ThresholdCrossed),
        stop(StopReason::Stopped("why".to_owned())),
        stop(StopReason::Failed("why".to_owned())),
        Stored::Bundle(frame(1, 2, Vec::new(), Tick::from_second(3), None).into()),
    ]
    .iter()
    .flat_map(Stored::to_records)
    .map(|Record { key, body }| (key, body))
    .collect();
    let expected = [
        (
            "slice/0001-0001",
            r#"{"slice":2,"from":6020000,"until":9020000,"batches":[0,2]}"#,
        ),
        ("stop/0001-0001", r#"{"reason":"cancelled","at":700000}"#),
        (
            "stop/0001-0001",
            r#"{"reason":"threshold_crossed","at":700000}"#,
        ),
        (
            "stop/0001-0001",
            r#"{"reason":{"stopped":"why"},"at":700000}"#,
        ),
        (
            "stop/0001-0001",
            r#"{"reason":{"failed":"why"},"at":700000}"#,
        ),
        (
            "bundle/000000/000001/000002/0001-0001",
            concat!(
                r#"{"version":3,"slice":0,"line":1,"sequence":2,"windows":[],"#,
                r#""news":[{"batch":1,"closedThrough":3000000}]}"#
            ),
        ),
    ];
    let expected = expected.map(|(key, body)| (key.to_owned(), body.to_owned()));
    assert_eq!(records, expected);
}

/// A run of one frame and a lost batch.
fn short_run() -> (World, TestRunResult) {
    let mut world = World::new(plan(), config(2, 60));
    world.fate = Box::new(|assignment| match assignment.share.index() {
        0 => Fate::Vanishes(Tick::ZERO),
        _ => Fate::NotStarted,
    });
    world.input(Tick::ZERO, Input::Wake);
    let at = Tick::from_ms(900);
    let end = end(EndReason::PlanDone, at, 0);
    world.input(
        at,
        Input::Bundle(frame(0, 0, vec![window()], at, Some(end)).into()),
    );
    world.cancel_at = Some(Tick::from_ms(2_000));
    let result = world.play();
    (world, result)
}

#[test]
fn checkpoint_format_unchanged() {
    let (world, result) = short_run();
    let (key, body) = world.records.first_key_value().unwrap();
    assert_eq!(key, "checkpoint/0001-0001");
    let value: serde_json::Value = serde_json::from_str(body).unwrap();
    let json = serde_json::to_string_pretty(&value).unwrap();
    assert_unchanged(&json, include_str!("golden/checkpoint.json"));
    let records = world.records.iter().map(|(key, body)| Record {
        key: key.clone(),
        body: body.clone(),
    });
    let mut restored = Run::restore(plan(), config(2, 60), records, Tick::ZERO).unwrap();
    match restored.poll_output() {
        sentinel_engine::run::Output::Done(report) => assert_eq!(report.result, result),
        other => panic!("{other:?}"),
    }
}

#[test]
fn test_run_result_format_unchanged() {
    let (_, result) = short_run();
    let json = serde_json::to_string_pretty(&result).unwrap();
    assert_unchanged(&json, include_str!("golden/test_run_result.json"));
    assert_eq!(
        serde_json::from_str::<TestRunResult>(&json).unwrap(),
        result
    );
}
