//! WebSockets do what the query says, and what they did is counted.

mod client;
mod raw;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use client::{start, until};
use raw::Raw;
use testbed::{SocketStats, Testbed};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client as handshake};

fn open(testbed: &Testbed, path: &str) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(testbed.address()).expect("a connection");
    let patience = Some(Duration::from_secs(60));
    stream.set_read_timeout(patience).expect("a timeout");
    let url = format!("ws://{}{path}", testbed.address());
    let (socket, answer) = handshake(url, stream).expect("it is opened");
    assert_eq!(answer.status(), 101);
    socket
}

fn read(socket: &mut WebSocket<TcpStream>) -> String {
    let message = socket.read().expect("a message");
    message.into_text().expect("a text").as_str().to_owned()
}

fn stats(testbed: &Testbed, path: &str) -> SocketStats {
    let stats = testbed.stats();
    let path = stats.paths.get(path);
    path.and_then(|path| path.socket.clone())
        .unwrap_or_default()
}

#[test]
fn messages_are_answered_after_the_time_that_was_asked_for() {
    let testbed = start();
    let mut socket = open(&testbed, "/ws?after=30");
    let begun = Instant::now();
    socket.send(Message::text("hello")).expect("it is sent");
    assert_eq!(read(&mut socket), "hello");
    assert!(begun.elapsed() >= Duration::from_millis(30));
    socket
        .send(Message::binary(vec![1, 2, 3]))
        .expect("it is sent");
    assert_eq!(
        socket.read().expect("a message"),
        Message::binary(vec![1, 2, 3])
    );
    socket.close(None).expect("it is closed");
    until("it is over", || stats(&testbed, "/ws").ended == 1);
    let stats = stats(&testbed, "/ws");
    assert_eq!((stats.sessions, stats.received, stats.sent), (1, 2, 2));
    assert!(stats.reply.min_us >= 30_000, "{stats:?}");
    assert_eq!(
        stats.closed_by_client.into_iter().collect::<Vec<_>>(),
        [(1_005, 1)]
    );
    assert_eq!(
        testbed.stats().path("/ws").completed,
        1,
        "the handshake is a request"
    );
}

#[test]
fn calls_are_answered_by_their_id() {
    let testbed = start();
    let mut socket = open(&testbed, "/ws?replies=rpc");
    for (call, answer) in [
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#,
            r#"{"id":7,"jsonrpc":"2.0","result":{"method":"ping","params":null}}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":"a","method":"fail"}"#,
            r#"{"error":{"code":-32000,"message":"as you asked"},"id":"a","jsonrpc":"2.0"}"#,
        ),
    ] {
        socket.send(Message::text(call)).expect("it is sent");
        let answered: serde_json::Value = serde_json::from_str(&read(&mut socket)).expect("JSON");
        let expected: serde_json::Value = serde_json::from_str(answer).expect("JSON");
        assert_eq!(answered, expected);
    }
}

#[test]
fn unasked_messages_and_pings_come_and_a_session_is_closed_with_its_code() {
    let testbed = start();
    let mut socket = open(
        &testbed,
        "/ws?push=3,10&ping=15&close=4001,100&replies=none",
    );
    socket.send(Message::text("go")).expect("it is sent");
    for number in 1..=3 {
        let text = loop {
            match socket.read().expect("a message") {
                Message::Text(text) => break text.as_str().to_owned(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(text, format!("{{\"n\":{number},\"type\":\"tick\"}}"));
    }
    let code = loop {
        match socket.read().expect("a message") {
            Message::Close(frame) => break frame.map(|frame| u16::from(frame.code)),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, Some(4_001));
    let stats = stats(&testbed, "/ws");
    assert_eq!((stats.pushed, stats.sent), (3, 3));
    assert!(stats.pings >= 1 && stats.pongs <= stats.pings, "{stats:?}");
}

#[test]
fn what_is_to_go_wrong_goes_wrong() {
    let testbed = start();
    for (fault, is_right) in [
        (
            "malformed",
            (|error| matches!(error, Error::Protocol(_))) as fn(&Error) -> bool,
        ),
        ("dropped", |error| {
            matches!(error, Error::Protocol(_) | Error::Io(_))
        }),
    ] {
        let mut socket = open(&testbed, &format!("/ws/{fault}?fault={fault}"));
        socket.send(Message::text("go")).expect("it is sent");
        let error = socket.read().expect_err(fault);
        assert!(is_right(&error), "{error:?}");
    }
    let mut socket = open(&testbed, "/ws/large?fault=oversized&bytes=300000");
    socket.send(Message::text("go")).expect("it is sent");
    assert_eq!(read(&mut socket).len(), 300_000);
    let mut deaf = open(&testbed, "/ws/deaf?fault=deaf");
    deaf.send(Message::text("go")).expect("it is sent");
    until("it has heard", || stats(&testbed, "/ws/deaf").received == 1);
    assert_eq!(stats(&testbed, "/ws/deaf").ended, 0);
}

#[test]
fn a_request_without_a_handshake_is_refused() {
    let testbed = start();
    let mut raw = Raw::get(&testbed, "/ws");
    assert!(raw.head().starts_with("HTTP/1.1 400"));
    assert_eq!(raw.bytes(23), b"no WebSocket handshake\n");
    let answer = client::agent()
        .get(format!("{}/ws?fault=what", testbed.url()))
        .call();
    assert_eq!(answer.expect("an answer").status(), 400);
}
