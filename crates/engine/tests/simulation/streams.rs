//! Answers that are read event by event, under a virtual clock: what they measure, how they end.

use crate::lab::{Answer, Lab, Part, hold, plan, slice, whole};
use crate::{quantile_ms, step_totals};
use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::histogram::SparseHistogram;
use sentinel_engine::plan::Plan;
use sentinel_engine::share::Share;
use sentinel_engine::stream::{StreamEnd, StreamWindow};
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::window::StepWindow;
use serde_json::{Value, json};

const HEAD: Part = Part::Head(200);

/// One user who reads a stream once a minute, for a second more than one minute.
fn reading(stream: Value) -> Plan {
    let step =
        json!({"name": "read", "request": {"method": "GET", "url": "/events"}, "stream": stream});
    playing(json!([step]))
}

fn playing(steps: Value) -> Plan {
    let applications = json!([{"name": "reads", "steps": steps}]);
    plan(
        hold(1, 50),
        applications,
        json!({"pause": "1h", "gracefulStop": "10m"}),
    )
}

/// What the only step measured of one stream with these parts.
fn read(stream: Value, parts: &[(u64, Part)]) -> (Lab, StepWindow) {
    let plan = reading(stream);
    let mut lab = Lab::new(&plan, whole(&plan));
    lab.play(|_, _| Answer::streams(parts));
    let ledger = lab.ledger();
    assert_eq!(ledger.imbalances(), []);
    assert_eq!(ledger.sent, 1);
    let step = step_totals(&lab, 0);
    (lab, step)
}

fn stream(step: &StepWindow) -> &StreamWindow {
    step.stream.as_ref().expect("a stream was read")
}

fn ended(step: &StepWindow) -> StreamEnd {
    let ended: Vec<_> = stream(step).ended.iter().collect();
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(ended[0].1, &1);
    *ended[0].0
}

/// A histogram of so many times, from the lowest to the highest in milliseconds, to three digits.
#[track_caller]
fn assert_times(times: &SparseHistogram, count: u64, lowest: f64, highest: f64) {
    let ends = [(0.0, lowest), (1.0, highest)];
    let right = ends.map(|(quantile, ms)| (quantile_ms(times, quantile) - ms).abs() <= ms / 500.0);
    assert_eq!((times.count(), right), (count, [true, true]), "{times:?}");
}

#[test]
fn each_event_is_measured_from_the_sending_and_from_the_one_before() {
    let parts = [
        (10, HEAD),
        (50, Part::Piece("data: a\n\n: nothing\n\nda")),
        (80, Part::Piece("ta: b\n\n")),
        (130, Part::Piece("data: c\r\n\r\n")),
        (2_130, Part::Piece("data: d\r\r")),
        (2_200, Part::End),
    ];
    let (lab, step) = read(json!({"format": "sse"}), &parts);
    assert_eq!((step.succeeded, lab.ledger().answered), (1, 1));
    assert_times(&step.service_us, 1, 2_200.0, 2_200.0);
    let stream = stream(&step);
    assert_eq!((stream.events, stream.stalls, stream.streams()), (4, 1, 1));
    assert_eq!(ended(&step), StreamEnd::Server);
    assert_times(&stream.headers_us, 1, 10.0, 10.0);
    assert_times(&stream.first_event_us, 1, 50.0, 50.0);
    assert_times(&stream.gap_us, 3, 30.0, 2_000.0);
    assert_times(&stream.duration_us, 1, 2_200.0, 2_200.0);
    // Three further events in 2.08 s.
    assert_times(&stream.event_rate, 1, 3.0 / 2.08, 3.0 / 2.08);
    assert_eq!(lab.aborted, []);
}

#[test]
fn a_stream_that_has_been_read_long_enough_has_been_read_well() {
    let events = [
        (10, HEAD),
        (20, Part::Piece("data: a\n\ndata: b\n\n")),
        (30, Part::Piece("data: enough\n\ndata: c\n\n")),
    ];
    for (bound, end, took, counted) in [
        (
            json!({"format": "sse", "maxEvents": 2}),
            StreamEnd::MaxEvents,
            20.0,
            2,
        ),
        (
            json!({"format": "sse", "maxEvents": 3}),
            StreamEnd::MaxEvents,
            30.0,
            3,
        ),
        (
            json!({"format": "sse", "until": "enough"}),
            StreamEnd::Until,
            30.0,
            2,
        ),
        (
            json!({"format": "sse", "maxDuration": "5s"}),
            StreamEnd::MaxDuration,
            5_000.0,
            4,
        ),
        (
            json!({"format": "chunks", "maxDuration": "5s"}),
            StreamEnd::MaxDuration,
            5_000.0,
            2,
        ),
        (
            json!({"format": "sse"}),
            StreamEnd::MaxDuration,
            60_000.0,
            4,
        ),
    ] {
        let (lab, step) = read(bound.clone(), &events);
        assert_eq!(step.succeeded, 1, "{bound} {step:?}");
        assert_eq!(ended(&step), end, "{bound}");
        assert_times(&step.service_us, 1, took, took);
        assert_eq!(stream(&step).events, counted, "{bound}");
        let silent = end == StreamEnd::MaxDuration;
        assert_eq!(stream(&step).stalls, u64::from(silent), "{bound}");
        assert_eq!(lab.aborted.len(), 1, "the target is let go of");
        assert_eq!(lab.ledger().finished, 1);
    }
}

#[test]
fn what_goes_wrong_is_counted_under_its_class() {
    let long: &'static str = "x".repeat(300 * 1024).leak();
    let a = Part::Piece("data: a\n\n");
    for (more, parts, class) in [
        (
            json!({}),
            vec![(5, HEAD), (9, Part::End)],
            ErrorClass::TooFewEvents,
        ),
        (
            json!({"minEvents": 2}),
            vec![(5, HEAD), (6, a), (9, Part::End)],
            ErrorClass::TooFewEvents,
        ),
        (
            json!({"minEvents": 2, "maxDuration": "1s"}),
            vec![(5, HEAD), (6, a)],
            ErrorClass::TooFewEvents,
        ),
        (
            json!({"types": ["x"]}),
            vec![(5, HEAD), (6, a), (9, Part::End)],
            ErrorClass::TooFewEvents,
        ),
        (
            json!({}),
            vec![
                (5, HEAD),
                (6, Part::Piece("data: ")),
                (7, Part::Piece(long)),
            ],
            ErrorClass::EventTooLarge,
        ),
        (
            json!({}),
            vec![(5, Part::Head(503))],
            ErrorClass::Status(503),
        ),
        (
            json!({"maxDuration": "2s"}),
            vec![(5_000, HEAD)],
            ErrorClass::Timeout,
        ),
        (json!({}), vec![], ErrorClass::Timeout),
        (
            json!({"checks": [{"name": "is b", "on": "body", "equals": "b", "required": true}]}),
            vec![(5, HEAD), (6, a), (9, Part::End)],
            ErrorClass::Check,
        ),
        (
            json!({"extract": {"token": "$.id"}}),
            vec![(5, HEAD), (6, a), (9, Part::End)],
            ErrorClass::Extraction,
        ),
    ] {
        let mut config = json!({"format": "sse"});
        let fields = more.as_object().expect("fields");
        fields
            .iter()
            .for_each(|(name, value)| config[name] = value.clone());
        let (lab, step) = read(config.clone(), &parts);
        assert_eq!(step.succeeded, 0, "{config}");
        assert_eq!(
            step.errors.get(&class),
            Some(&1),
            "{config} {:?}",
            step.errors
        );
        let answered = u64::from(class.has_answer());
        assert_eq!(
            (lab.ledger().answered, lab.ledger().failed),
            (answered, 1 - answered)
        );
        assert_eq!(stream(&step).streams(), 1, "{config}");
    }
}

#[test]
fn a_connection_that_breaks_is_no_end_of_a_stream() {
    let plan = reading(json!({"format": "sse"}));
    let mut lab = Lab::new(&plan, whole(&plan));
    lab.play(|_, _| Answer::Reset(Span::from_ms(7)));
    let step = step_totals(&lab, 0);
    assert_eq!(step.errors.get(&ErrorClass::Reset), Some(&1));
    assert_eq!(ended(&step), StreamEnd::Error);
}

#[test]
fn what_events_say_is_checked_and_used() {
    let read = json!({
        "name": "read", "request": {"method": "GET", "url": "/events"},
        "stream": {
            "format": "sse", "types": ["tick"], "maxEvents": 3, "resume": "last",
            "checks": [
                {"name": "has a number", "on": "$.n", "type": "integer"},
                {"name": "is a tick", "on": "header:event", "equals": "tick"},
                {"name": "is even", "on": "header:id", "matches": "[02468]$"},
            ],
            "extract": {"number": "$.n"},
        },
    });
    let use_it =
        json!({"name": "use", "request": {"method": "GET", "url": "/number/{{number}}/{{last}}"}});
    let plan = playing(json!([{"loop": {"times": 2, "steps": [read]}}, use_it]));
    let mut lab = Lab::new(&plan, whole(&plan));
    let text = "event: tick\nid: 1\ndata: {\"n\": 7}\n\nevent: other\nid: 2\ndata: {\"n\": 8}\n\n\
                event: tick\nid: 3\ndata: none\n\nevent: tick\nid: 4\ndata: {\"n\": 9}\n\n";
    lab.play(|_, request| match request.url.ends_with("/events") {
        true => Answer::streams(&[(5, HEAD), (6, Part::Piece(text))]),
        false => Answer::ok(5),
    });
    let urls: Vec<&str> = lab
        .sent
        .iter()
        .map(|(_, request)| request.url.as_str())
        .collect();
    assert_eq!(urls[2], "http://127.0.0.1:9/number/9/4");
    let field = |at: usize, name: &str| {
        let fields = &lab.sent[at].1.headers;
        let found = fields.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(field(0, "accept"), Some("text/event-stream"));
    assert_eq!(
        (field(0, "last-event-id"), field(1, "last-event-id")),
        (None, Some("4"))
    );
    assert_eq!(stream(&step_totals(&lab, 0)).resumed, 1);
    let counts = |id: u16| {
        let counted = lab
            .windows()
            .filter_map(|w| w.checks.get(&sentinel_engine::check::CheckId(id)));
        counted.fold((0, 0), |sum, (passed, failed)| {
            (sum.0 + passed, sum.1 + failed)
        })
    };
    assert_eq!([counts(0), counts(1), counts(2)], [(4, 2), (6, 0), (2, 4)]);
}

#[test]
fn tokens_are_counted_up_to_the_end_that_models_send() {
    let text = |text: &str| -> &'static str {
        format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n").leak()
    };
    let parts = [
        (100, HEAD),
        (
            150,
            Part::Piece("data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n"),
        ),
        (400, Part::Piece(text("one"))),
        (500, Part::Piece(text("two"))),
        (600, Part::Piece(text("three"))),
        (650, Part::Piece("data: [DONE]\n\n")),
    ];
    let path = "$.choices[0].delta.content";
    let (_, step) = read(json!({"format": "tokens", "token": path}), &parts);
    let read_well = stream(&step);
    assert_eq!((read_well.events, read_well.tokens), (4, 3));
    assert_eq!(ended(&step), StreamEnd::Until);
    assert_times(&read_well.first_event_us, 1, 150.0, 150.0);
    assert_times(&read_well.first_token_us, 1, 400.0, 400.0);
    assert_times(&read_well.token_rate, 1, 10.0, 10.0);
}

#[test]
fn a_stream_at_the_end_of_a_slice_is_ended_and_no_error() {
    let after = json!({"name": "after", "request": {"method": "GET", "url": "/after"}});
    let read = json!({
        "name": "read", "request": {"method": "GET", "url": "/events"},
        "stream": {"format": "sse", "minEvents": 5, "maxDuration": "40s"},
    });
    let plan = playing(json!([read, after]));
    let parts = [(10, HEAD), (20, Part::Piece("data: a\n\n"))];
    let target = |request: &sentinel_engine::batch::Request| match request.url.ends_with("/events")
    {
        true => Answer::streams(&parts),
        false => Answer::ok(5),
    };
    let first = slice(
        Share::WHOLE,
        0,
        Tick::ZERO,
        Tick::from_second(20),
        Vec::new(),
    );
    let mut lab = Lab::new(&plan, first);
    lab.play(|_, request| target(request));
    let step = step_totals(&lab, 0);
    assert_eq!((step.succeeded, ended(&step)), (1, StreamEnd::Slice));
    assert_eq!(
        lab.end().at,
        Tick::from_second(20),
        "nobody waits for its end"
    );
    assert_eq!(
        lab.ledger().imbalances().len(),
        1,
        "the iteration goes on: {:?}",
        lab.ledger()
    );
    let carry = lab.end().carry.clone();
    let end = Tick::ZERO + plan.duration() + plan.graceful_stop();
    let second = slice(Share::WHOLE, 1, Tick::from_second(20), end, carry);
    let mut next = Lab::new(&plan, second);
    next.play(|_, request| target(request));
    assert_eq!(step_totals(&next, 1).succeeded, 1, "its user goes on");
    assert_eq!(next.ledger().finished, 1);
}

#[test]
fn a_slot_is_free_when_the_header_is_here() {
    let steps = json!([
        {"name": "read", "request": {"method": "GET", "url": "/events"}, "background": true,
         "stream": {"format": "sse", "maxDuration": "10s"}},
        {"name": "other", "request": {"method": "GET", "url": "/other"}},
    ]);
    let plan = playing(steps);
    let mut assignment = whole(&plan);
    assignment.slots = std::num::NonZeroU16::new(1);
    let mut lab = Lab::new(&plan, assignment);
    lab.play(|_, request| match request.url.ends_with("/events") {
        true => Answer::streams(&[(30, HEAD), (35, Part::Piece("data: a\n\n"))]),
        false => Answer::ok(5),
    });
    assert_eq!(lab.sent[1].0, Tick::from_ms(30));
    assert_eq!(lab.ledger().answered, 2);
}
