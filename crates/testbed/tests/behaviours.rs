//! Each path does what docs/testbed.md says, seen by a client on the network.

mod client;
mod raw;

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use client::{start, until};
use raw::Raw;
use testbed::Testbed;

fn get(testbed: &Testbed, path: &str) -> ureq::http::Response<ureq::Body> {
    client::agent()
        .get(format!("{}{path}", testbed.url()))
        .call()
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text(testbed: &Testbed, path: &str) -> (u16, String) {
    let mut answer = get(testbed, path);
    let text = answer.body_mut().read_to_string().expect("a text");
    (answer.status().as_u16(), text)
}

#[test]
fn a_delay_passes_before_the_head() {
    let testbed = start();
    let begun = Instant::now();
    assert_eq!(text(&testbed, "/delay?ms=40").0, 200);
    assert!(begun.elapsed() >= Duration::from_millis(40));
    assert_eq!(text(&testbed, "/json?lognormal=5,0.5&seed=3").0, 200);
    let stats = testbed.stats();
    assert!(stats.paths["/delay"].held.min_us >= 40_000, "{stats:?}");
    assert!(stats.paths["/json"].held.min_us > 0);
}

#[test]
fn a_frozen_target_answers_when_it_is_thawed() {
    let testbed = start();
    testbed.freeze();
    let mut waiting = Raw::get(&testbed, "/freeze");
    until("it waits", || testbed.stats().path("/freeze").waiting == 1);
    assert_eq!(text(&testbed, "/ok").0, 200, "others do not wait");
    testbed.thaw();
    assert!(waiting.head().starts_with("HTTP/1.1 200"));
    let begun = Instant::now();
    testbed.freeze_for(Duration::from_millis(60));
    assert_eq!(text(&testbed, "/freeze").0, 200);
    assert!(begun.elapsed() >= Duration::from_millis(60));
}

#[test]
fn a_capacity_is_slots_and_a_queue() {
    let testbed = start();
    let path = "/capacity?slots=2&queue=1&ms=3600000";
    let inside: Vec<Raw> = (1..=3)
        .map(|number| {
            let client = Raw::get(&testbed, path);
            until("it is in", || {
                testbed.stats().path("/capacity").waiting == number
            });
            client
        })
        .collect();
    // Two are served and one waits: the next one is turned away at once.
    assert_eq!(
        text(&testbed, path),
        (503, "the queue is full\n".to_owned())
    );
    drop(inside);
    until("they are gone", || {
        testbed.stats().path("/capacity").aborted == 3
    });
    // Their slots are free again, one after the other.
    let begun = Instant::now();
    let clients: Vec<Raw> = (0..6)
        .map(|_| Raw::get(&testbed, "/capacity/line?slots=1&queue=5&ms=10"))
        .collect();
    for mut client in clients {
        assert!(client.head().starts_with("HTTP/1.1 200"));
    }
    assert!(begun.elapsed() >= Duration::from_millis(60));
}

#[test]
fn errors_come_as_often_as_asked_and_the_same_with_the_same_seed() {
    let statuses = || -> Vec<u16> {
        let testbed = start();
        let path = "/errors?rate=0.05&status=502&seed=9";
        (0..400).map(|_| text(&testbed, path).0).collect()
    };
    let first = statuses();
    let errors = first.iter().filter(|status| **status == 502).count();
    assert!((8..=35).contains(&errors), "{errors} of 400");
    assert!(first.iter().all(|status| [200, 502].contains(status)));
    assert_eq!(first, statuses());
}

#[test]
fn cloudflares_pages_look_as_it_sends_them() {
    let testbed = start();
    let answer = get(&testbed, "/cloudflare?error=1042&status=404");
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.headers()["server"], "cloudflare");
    assert_eq!(
        text(&testbed, "/cloudflare"),
        (429, "error code: 1015".to_owned())
    );
}

#[test]
fn hanging_lasts_until_the_client_gives_up() {
    let testbed = start();
    let head = Raw::get(&testbed, "/hang");
    let mut body = Raw::get(&testbed, "/hang-body?n=5");
    assert!(body.head().contains("content-length: 6\r\n"));
    assert_eq!(body.bytes(5), b"xxxxx");
    until("both hang", || {
        let stats = testbed.stats();
        (stats.total.waiting, stats.total.sending) == (1, 1)
    });
    drop((head, body));
    until("both are gone", || testbed.stats().total.aborted == 2);
}

#[test]
fn a_reset_is_a_reset() {
    let testbed = start();
    let mut head = Raw::get(&testbed, "/reset");
    let error = head.stream.read(&mut [0]).expect_err("no answer");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let mut body = Raw::get(&testbed, "/reset?at=body");
    assert!(body.head().starts_with("HTTP/1.1 200"));
    let error = body
        .stream
        .read_to_end(&mut Vec::new())
        .expect_err("no end of the answer");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    until("both are told", || testbed.stats().total.broken == 2);
}

#[test]
fn large_bodies_have_their_size() {
    let testbed = start();
    let mut answer = get(&testbed, "/bytes?n=10485760");
    let body = answer
        .body_mut()
        .with_config()
        .limit(20_000_000)
        .read_to_vec()
        .expect("a body");
    assert_eq!(body.len(), 10_485_760);
    let tally = testbed.stats().path("/bytes");
    assert_eq!((tally.completed, tally.bytes_sent), (1, 10_485_760));
    assert_eq!(text(&testbed, "/bytes?n=0"), (200, String::new()));
}

#[test]
fn an_endless_body_ends_with_the_client() {
    let testbed = start();
    let mut client = Raw::get(&testbed, "/endless");
    client.head();
    client.bytes(200_000);
    drop(client);
    until("it ends", || testbed.stats().path("/endless").aborted == 1);
}

#[test]
fn a_redirect_names_the_address() {
    let testbed = start();
    let answer = get(
        &testbed,
        "/redirect?to=http%3A%2F%2Felsewhere.invalid%2Fa&status=307",
    );
    assert_eq!(answer.status().as_u16(), 307);
    assert_eq!(answer.headers()["location"], "http://elsewhere.invalid/a");
}

#[test]
fn broken_answers_are_sent_as_they_are() {
    let testbed = start();
    for (kind, has) in [
        ("name", "\r\nnot a name: value\r\n"),
        ("value", "before\0after"),
        ("line", "\r\na line without"),
        ("status", "HTTP/1.1 fine OK"),
        ("length", "Content-Length: 5\r\nContent-Length: 2\r\n"),
        ("chunk", "\r\n\r\nlots\r\nok"),
        ("huge", "X-Huge: xxxxxxxx"),
        ("garbage", "this is not HTTP"),
    ] {
        let mut client = Raw::get(&testbed, &format!("/broken-header?kind={kind}"));
        let mut bytes = Vec::new();
        client.stream.read_to_end(&mut bytes).expect("an end");
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains(has), "{kind}: {:.200}", text);
    }
    assert_eq!(testbed.stats().path("/broken-header").broken, 8);
}

#[test]
fn connections_are_closed_after_the_answer_or_instead_of_it() {
    let testbed = start();
    let mut after = Raw::get(&testbed, "/close");
    assert!(after.head().contains("connection: close\r\n"));
    after.stream.read_to_end(&mut Vec::new()).expect("an end");
    let mut instead = Raw::get(&testbed, "/close?answer=no");
    let mut bytes = Vec::new();
    instead.stream.read_to_end(&mut bytes).expect("an end");
    assert_eq!(bytes, b"");
    let tally = testbed.stats().path("/close");
    assert_eq!((tally.completed, tally.broken), (1, 1));
}

#[test]
fn echo_and_json_answer_what_they_should() {
    let testbed = start();
    let mut answer = client::agent()
        .post(format!("{}/echo", testbed.url()))
        .content_type("application/x-own")
        .send("what was sent")
        .expect("an answer");
    assert_eq!(answer.headers()["content-type"], "application/x-own");
    assert_eq!(
        answer.body_mut().read_to_string().expect("a text"),
        "what was sent"
    );
    assert_eq!(testbed.stats().path("/echo").bytes_received, 13);
    let (_, json) = text(&testbed, "/json?n=3");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json, serde_json::json!({"ok": true, "n": 1, "text": "xxx"}));
}

#[test]
fn what_is_not_understood_is_refused() {
    let testbed = start();
    assert_eq!(text(&testbed, "/unknown").0, 404);
    let (status, message) = text(&testbed, "/delay?m=20");
    assert_eq!(status, 400);
    assert!(message.starts_with("unknown parameter m"), "{message}");
    assert_eq!(text(&testbed, "/delay?_user=7").0, 200);
}
