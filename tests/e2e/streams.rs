//! Streams at the edge: each event that the target sent is read and counted once, in whatever form it came; what
//! is broken or has no end is counted in its class, and everything is let go of.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::{Stats, StreamStats, Testbed};

use crate::support::{Lab, Played, Run, let_go, steps_of_each, until};

/// How many streams each application of the record asks for.
const EACH: u64 = 6;

/// Streams that are read to the end that is told: the application, what it asks of the testbed, the stream, how it
/// ends, and how many events each has.
const READ: [(&str, &str, &str, &str, u64); 13] = [
    ("lf", "/sse/lf?n=9", SSE, "server", 9),
    ("cr", "/sse/cr?n=9&eol=cr", SSE, "server", 9),
    ("crlf", "/sse/crlf?n=9&eol=crlf&split=3", SSE, "server", 9),
    ("split", "/sse/split?n=9&split=1", SSE, "server", 9),
    (
        "comments",
        "/sse/comments?n=9&comments=yes&eol=crlf",
        SSE,
        "server",
        9,
    ),
    (
        "lines",
        "/sse/lines?n=9&data=lines",
        r#"{"format": "sse"}"#,
        "server",
        9,
    ),
    (
        "paced",
        "/sse/paced?n=5&first=100&every=50&stall=4,3000",
        r#"{"format": "sse", "stallAfter": "200ms"}"#,
        "server",
        5,
    ),
    (
        "other-type",
        "/sse/other?n=9",
        r#"{"format": "sse", "types": ["other"], "minEvents": 0}"#,
        "server",
        0,
    ),
    (
        "tokens",
        "/sse/tokens?n=20&data=tokens",
        TOKENS,
        "until",
        20,
    ),
    (
        "endless-tokens",
        "/sse/endless-tokens?n=0&every=1&data=tokens",
        r#"{"format": "tokens", "maxEvents": 30}"#,
        "max_events",
        30,
    ),
    (
        "endless",
        "/sse/endless?n=0&every=1",
        r#"{"format": "sse", "maxEvents": 7}"#,
        "max_events",
        7,
    ),
    (
        "hang",
        "/sse/hang?n=2&end=hang",
        r#"{"format": "sse", "maxDuration": "3s"}"#,
        "max_duration",
        2,
    ),
    (
        "chunks",
        "/endless",
        r#"{"format": "chunks", "maxEvents": 5}"#,
        "max_events",
        5,
    ),
];

/// Streams that break: the application, what it asks of the testbed, the stream, and the class of its errors.
///
/// The runtime does not tell a broken answer from a broken connection: both are "Network connection lost.".
const BROKEN: [(&str, &str, &str, &str); 8] = [
    (
        "endless-line",
        "/sse/line?n=1&end=line",
        r#"{"format": "sse"}"#,
        "event_too_large",
    ),
    (
        "too-few",
        "/sse/few?n=1",
        r#"{"format": "sse", "minEvents": 2}"#,
        "too_few_events",
    ),
    (
        "silent",
        "/sse/silent?n=1&end=hang",
        r#"{"format": "sse", "minEvents": 2, "maxDuration": "3s"}"#,
        "too_few_events",
    ),
    (
        "no-header",
        "/hang",
        r#"{"format": "sse", "maxDuration": "200ms"}"#,
        "timeout",
    ),
    ("no-events", "/ok", r#"{"format": "sse"}"#, "too_few_events"),
    ("refused", "/errors", r#"{"format": "sse"}"#, "status_503"),
    ("reset", "/reset?at=body", r#"{"format": "sse"}"#, "reset"),
    (
        "broken-chunk",
        "/broken-header?kind=chunk",
        r#"{"format": "sse"}"#,
        "reset",
    ),
];

/// Each event is whole, also where its characters were cut in two.
const SSE: &str =
    r#"{"format": "sse", "checks": [{"name": "is whole", "on": "$.text", "equals": "für 🌳"}]}"#;

const TOKENS: &str = r#"{"format": "tokens", "token": "$.choices[0].delta.content"}"#;

/// The run, which is played when the first test asks for it. When it fails, all of them do.
static RECORD: LazyLock<Played> = LazyLock::new(play);

fn play() -> Played {
    // Of slices that end no stream.
    let lab = Lab::own_with(|options| options.var("SLICE_SECONDS", "120"));
    let testbed = lab.testbed();
    let read = READ
        .iter()
        .map(|(app, path, stream, ..)| (*app, *path, *stream));
    let broken = BROKEN
        .iter()
        .map(|(app, path, stream, _)| (*app, *path, *stream));
    let apps: Vec<(&str, Value)> = read
        .chain(broken)
        .map(|(app, path, stream)| (app, step(&testbed, path, stream)))
        .collect();
    Played::on(&lab, &testbed, &steps_of_each(&apps, (2, 3), "60s"))
}

fn step(testbed: &Testbed, path: &str, stream: &str) -> Value {
    let stream: Value = serde_json::from_str(stream).expect("a stream");
    let url = format!("{}{path}", testbed.url());
    json!({"name": "follow", "request": {"method": "GET", "url": url}, "stream": stream})
}

fn truth(stats: &Stats, path: &str) -> StreamStats {
    let path = path.split('?').next().unwrap_or(path);
    let stream = stats.paths.get(path).and_then(|path| path.stream);
    stream.unwrap_or_else(|| panic!("no streams on {path}"))
}

#[test]
fn a_run_with_broken_streams_ends_with_a_balanced_ledger_and_no_hole() {
    let Played {
        summary, status, ..
    } = &*RECORD;
    assert_eq!(status, "completed");
    summary.assert_balanced();
    assert_eq!(summary.losses(), [] as [Value; 0]);
    let streams = (READ.len() + BROKEN.len()) as u64 * EACH;
    assert_eq!(summary.ledger("sent"), streams);
    assert_eq!(summary.ledger("finished"), streams);
}

#[test]
fn every_form_of_events_is_read_as_the_target_wrote_it() {
    let Played { summary, stats, .. } = &*RECORD;
    for (app, path, _, end, events) in READ {
        let step = summary.step(app);
        let stream = &step["stream"];
        assert_eq!(step["failedRequests"], 0, "{app}: {step}");
        assert_eq!(stream["ended"], json!({end: EACH}), "{app}: {step}");
        assert_eq!(stream["events"], events * EACH, "{app}: {step}");
        if end == "server" && events > 0 {
            assert_eq!(truth(stats, path).events, events * EACH, "{app}");
        }
    }
    let tokens = summary.step("tokens");
    assert_eq!(tokens["stream"]["tokens"]["tokens"], 20 * EACH);
    // The runtime's clock tells whole milliseconds, of both ends of a time.
    let paced = &summary.step("paced")["stream"];
    assert!(
        paced["timeToFirstEvent"]["p50"].as_f64() >= Some(98.0),
        "{paced}"
    );
    // The pause leaves a busy machine almost three seconds to be late in.
    assert!(
        paced["eventGap"]["max"].as_f64() >= Some(1_500.0),
        "{paced}"
    );
    assert!(paced["stalls"].as_u64() >= Some(EACH), "{paced}");
}

#[test]
fn each_broken_stream_has_its_class_and_is_let_go_of() {
    let Played { summary, stats, .. } = &*RECORD;
    for (app, path, _, class) in BROKEN {
        let step = summary.step(app);
        assert_eq!(
            step["errorBreakdown"],
            json!({class: EACH}),
            "{app}: {step}"
        );
        assert_eq!(step["stream"]["streams"], EACH, "{app}: {step}");
        let tally = stats.path(path.split('?').next().unwrap_or(path));
        assert_eq!((tally.waiting, tally.sending), (0, 0), "{app}: {tally:?}");
    }
}

#[test]
fn a_stream_without_an_end_is_let_go_of_at_the_end_of_each_slice_and_goes_on_in_the_next() {
    let lab = Lab::shared();
    let testbed = lab.testbed();
    let stream = r#"{"format": "sse", "maxDuration": "1m", "minEvents": 0, "resume": "last"}"#;
    let apps = [("endless", step(&testbed, "/sse?n=0&every=20", stream))];
    // Slices of four seconds, each of which ends the streams of its users.
    let run = Run::start(&lab, &steps_of_each(&apps, (3, 2), "60s"));
    assert_eq!(run.ended(Duration::from_secs(90)), "completed");
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.losses(), [] as [Value; 0]);
    let stream = &summary.step("endless")["stream"];
    assert_eq!(summary.step("endless")["failedRequests"], 0, "{stream}");
    assert_eq!(stream["ended"], json!({"slice": 6}), "{stream}");
    assert_eq!(
        stream["resumed"], 3,
        "each user goes on where it was: {stream}"
    );
    let truth = truth(&let_go(&testbed), "/sse");
    assert_eq!((truth.streams, truth.resumed), (6, 3));
    let events = stream["events"].as_u64().expect("a count");
    assert!(events <= truth.events, "{events} of {}", truth.events);
}

#[test]
fn a_cancelled_run_cuts_its_streams_off() {
    let lab = Lab::shared();
    let testbed = lab.testbed();
    let stream = r#"{"format": "sse", "maxDuration": "1h"}"#;
    let apps = [("endless", step(&testbed, "/sse?n=0&every=20", stream))];
    let run = Run::start(&lab, &steps_of_each(&apps, (3, 100), "60s"));
    until("streams are being read", Duration::from_secs(60), || {
        (testbed.stats().total.sending == 3).then_some(())
    });
    run.cancel();
    assert_eq!(run.ended(Duration::from_secs(60)), "cancelled");
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(let_go(&testbed).total.aborted, summary.ledger("sent"));
    let ended = &summary.step("endless")["stream"]["ended"];
    let of = |end: &str| ended[end].as_u64().unwrap_or(0);
    assert_eq!(of("cut_off"), summary.ledger("cutOff"), "{ended}");
    assert_eq!(
        of("cut_off") + of("slice"),
        summary.ledger("sent"),
        "{ended}"
    );
}
