//! Streams, read by the command and held against what the target says it sent.

use serde_json::{Value, json};

use crate::lab::{Ended, Lab};

/// Reads streams as `stream` says: by 5 users, 4 times each.
fn read(lab: &Lab, url: &str, stream: Value, thresholds: Value) -> Ended {
    let scenario = lab.scenario(url, |scenario| {
        scenario["load"] = json!({"vus": 5, "iterations": 20});
        scenario["requestTimeout"] = json!("60s");
        scenario["thresholds"] = thresholds;
    });
    lab.write(
        "applications/visit.json",
        &json!({
            "name": "visit",
            "steps": [{"name": "get", "request": {"method": "GET", "url": url}, "stream": stream}],
        }),
    );
    let ended = lab.run(&scenario, &[]);
    ended.assert_balanced();
    ended
}

fn of_stream<'a>(ended: &'a Ended, field: &str) -> &'a Value {
    &ended.summary["steps"][0]["stream"][field]
}

fn ms(ended: &Ended, field: &str, percentile: &str) -> f64 {
    let value = &of_stream(ended, field)[percentile];
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{field} in {}", ended.summary["steps"][0]))
}

#[test]
fn events_and_their_times_are_those_that_the_target_sent() {
    let lab = Lab::new();
    let url = "/sse?n=6&first=30&every=20&stall=4,1000&split=5&eol=crlf";
    let stream = json!({
        "format": "sse", "stallAfter": "200ms",
        "checks": [{"name": "is whole", "on": "$.text", "equals": "für 🌳"}],
    });
    let thresholds = json!({
        "sse_streams{end:server}": ["count==20"], "sse_events": ["count==120"], "sse_stalls": ["count>=20"],
        "sse_time_to_first_event": ["min>=29"], "sse_event_gap": ["max>=900"], "checks": ["rate==1"],
        "sse_events_per_second": ["max<200"], "sse_duration": ["min>=300"],
    });
    let ended = read(&lab, url, stream, thresholds);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let stats = lab.target.stats();
    let truth = stats.paths["/sse"].stream.expect("it streamed");
    assert_eq!((truth.streams, truth.events), (20, 120));
    assert_eq!(stats.path("/sse").completed, 20);
    assert_eq!(of_stream(&ended, "events"), &json!(120));
    assert_eq!(of_stream(&ended, "ended"), &json!({"server": 20}));
    // The pause of a second leaves a busy machine 800 ms to be late in, and the other bounds are wider still.
    let first = ms(&ended, "timeToFirstEvent", "p50");
    let sent = truth.first_event.p50_us as f64 / 1_000.0;
    assert!(
        first >= sent * 0.99 && first < sent + 5_000.0,
        "{first} against {sent}"
    );
    assert!(ms(&ended, "eventGap", "max") >= 900.0);
}

#[test]
fn a_stream_goes_on_where_the_one_before_it_ended() {
    let lab = Lab::new();
    let stream = json!({"format": "sse", "resume": "last", "minEvents": 0});
    let scenario = lab.scenario("/", |scenario| {
        scenario["load"] = json!({"vus": 3, "iterations": 3});
    });
    let step = json!({
        "name": "get", "request": {"method": "GET", "url": "/sse?n=5&limit=2"}, "stream": stream,
    });
    lab.write(
        "applications/visit.json",
        &json!({
            "name": "visit", "steps": [{"loop": {"times": 3, "steps": [step]}}],
        }),
    );
    let ended = lab.run(&scenario, &[]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    ended.assert_balanced();
    let truth = lab.target.stats().paths["/sse"]
        .stream
        .expect("it streamed");
    assert_eq!((truth.streams, truth.resumed, truth.events), (9, 6, 15));
    assert_eq!(of_stream(&ended, "resumed"), &json!(6));
    assert_eq!(of_stream(&ended, "events"), &json!(15));
}

#[test]
fn what_has_no_end_is_read_as_long_as_is_wanted() {
    let lab = Lab::new();
    for (url, stream, end) in [
        (
            "/sse/a?n=0&every=1",
            json!({"format": "sse", "maxEvents": 7}),
            "max_events",
        ),
        (
            "/sse/b?n=2&end=hang",
            json!({"format": "sse", "maxDuration": "300ms"}),
            "max_duration",
        ),
        (
            "/sse/c?n=0&data=tokens",
            json!({"format": "tokens", "maxEvents": 20}),
            "max_events",
        ),
        (
            "/sse/d?n=9&data=tokens",
            json!({"format": "tokens", "token": "$.choices[0].delta.content"}),
            "until",
        ),
        (
            "/endless",
            json!({"format": "chunks", "maxEvents": 5}),
            "max_events",
        ),
    ] {
        let ended = read(&lab, url, stream, json!({"http_req_failed": ["rate==0"]}));
        assert_eq!(ended.code, 0, "{url}: {}", ended.err);
        assert_eq!(of_stream(&ended, "ended"), &json!({end: 20}), "{url}");
    }
    let stats = lab.target.stats();
    assert_eq!(
        stats.paths["/sse/d"].stream.map(|truth| truth.events),
        Some(9 * 20)
    );
}

#[test]
fn what_breaks_is_counted_and_nothing_hangs() {
    let lab = Lab::new();
    let sse = |max_ms: u64| json!({"format": "sse", "maxDuration": format!("{max_ms}ms"), "minEvents": 2});
    for (url, stream, class) in [
        ("/sse?n=1&end=line", sse(60_000), "event_too_large"),
        ("/sse?n=1", sse(60_000), "too_few_events"),
        ("/sse?n=1&end=hang", sse(200), "too_few_events"),
        ("/hang", sse(200), "timeout"),
        ("/ok", sse(60_000), "too_few_events"),
        ("/errors", sse(60_000), "status_503"),
        ("/reset?at=body", sse(60_000), "reset"),
        ("/broken-header?kind=chunk", sse(60_000), "protocol"),
    ] {
        let ended = read(&lab, url, stream, json!({}));
        assert_eq!(ended.code, 0, "{url}: {}", ended.err);
        assert_eq!(
            ended.errors(class),
            20,
            "{url}: {}",
            ended.summary["steps"][0]
        );
        assert_eq!(of_stream(&ended, "streams"), &json!(20), "{url}");
    }
}
