//! Server-sent events come as the query says, and what was sent is counted.

mod client;
mod raw;

use std::io::Read;
use std::time::{Duration, Instant};

use client::{start, until};
use raw::Raw;
use testbed::Testbed;

fn body(testbed: &Testbed, path: &str, last_event: Option<&str>) -> String {
    let mut request = client::agent().get(format!("{}{path}", testbed.url()));
    if let Some(id) = last_event {
        request = request.header("last-event-id", id);
    }
    let mut answer = request
        .call()
        .unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    answer.body_mut().read_to_string().expect("a text")
}

#[test]
fn events_are_numbered_and_end_as_lines_do() {
    let testbed = start();
    let event = |number: u64, eol: &str| {
        let data = format!("{{\"n\":{number},\"text\":\"für 🌳\"}}");
        format!("event: tick{eol}id: {number}{eol}data: {data}{eol}{eol}")
    };
    for (name, eol) in [("lf", "\n"), ("cr", "\r"), ("crlf", "\r\n")] {
        let expected: String = (1..=2).map(|number| event(number, eol)).collect();
        for split in ["", "&split=1", "&split=7"] {
            let path = format!("/sse?n=2&eol={name}{split}");
            assert_eq!(body(&testbed, &path, None), expected, "{path}");
        }
    }
    let lines = body(&testbed, "/sse?n=1&data=lines&comments=yes", None);
    let expected =
        ": keep-alive\n\n: of event 1\nevent: tick\nid: 1\ndata: line 1\ndata: line 2\ndata\n\n";
    assert_eq!(lines, expected);
    let tokens = body(&testbed, "/sse?n=2&data=tokens", None);
    assert!(
        tokens.ends_with("\"token2 \"}}]}\n\ndata: [DONE]\n\n"),
        "{tokens}"
    );
    until("all are complete", || {
        testbed.stats().path("/sse").completed == 11
    });
}

#[test]
fn the_times_are_those_that_were_asked_for() {
    let testbed = start();
    let begun = Instant::now();
    body(
        &testbed,
        "/sse/slow?n=4&first=30&every=20&stall=3,100",
        None,
    );
    assert!(begun.elapsed() >= Duration::from_millis(30 + 3 * 20 + 100));
    let stats = testbed.stats();
    let stream = stats.paths["/sse/slow"].stream.expect("it streams");
    assert_eq!((stream.streams, stream.events, stream.resumed), (1, 4, 0));
    assert!(stream.first_event.min_us >= 29_900, "{stream:?}");
    assert_eq!(stream.gap.count, 3);
    assert!(stream.gap.max_us >= 99_000, "{stream:?}");
}

#[test]
fn a_stream_goes_on_behind_the_event_that_a_client_names() {
    let testbed = start();
    let ids = |text: &str| -> Vec<u64> {
        let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
        ids.map(|id| id.parse().expect("a number")).collect()
    };
    let path = "/sse?n=5&limit=2";
    assert_eq!(ids(&body(&testbed, path, None)), [1, 2]);
    assert_eq!(ids(&body(&testbed, path, Some("2"))), [3, 4]);
    assert_eq!(ids(&body(&testbed, path, Some("4"))), [5]);
    assert_eq!(ids(&body(&testbed, path, Some("5"))), Vec::<u64>::new());
    let stats = testbed.stats();
    let stream = stats.paths["/sse"].stream.expect("it streams");
    assert_eq!((stream.streams, stream.resumed, stream.events), (4, 3, 5));
}

#[test]
fn streams_without_an_end_are_let_go_of() {
    let testbed = start();
    for (path, bytes) in [("/sse?n=0", 10_000), ("/sse/line?n=1&end=line", 1_000_000)] {
        let mut raw = Raw::get(&testbed, path);
        raw.head();
        raw.bytes(bytes);
    }
    let mut hanging = Raw::get(&testbed, "/sse/hang?n=1&end=hang");
    hanging.head();
    hanging.bytes(40);
    assert_eq!(testbed.stats().path("/sse/hang").sending, 1);
    drop(hanging);
    until("they are gone", || testbed.stats().total.aborted == 3);
    let mut nothing = Vec::new();
    let closed = Raw::send(&testbed, "GET /sse?n=-1 HTTP/1.0\r\n\r\n")
        .stream
        .read_to_end(&mut nothing);
    assert!(closed.is_ok());
    let answer = String::from_utf8_lossy(&nothing);
    assert!(answer.contains("n=-1 is not a whole number"), "{answer}");
}
