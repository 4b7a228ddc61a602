//! Requests written byte by byte, for what no well-behaved client sends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// Sends a request and closes the connection without waiting for a single byte of the answer.
pub(crate) fn send_and_go(base: &str, request: &[u8]) {
    let mut stream = connect(base);
    stream.write_all(request).expect("the request is sent");
}

/// How often a request is sent whose answer does not arrive.
const ATTEMPTS: usize = 5;

/// What wrangler's local proxy says when a reset has overtaken the Worker's answer.
const OVERTAKEN: &str = "Error: Network connection lost.";

/// Sends a request and reads the answer at the same time, because a server may refuse a request before it has
/// read all of it. Returns the answer's status and the text after its head. A server that closes the connection
/// while bytes of the request are still on their way resets it, and the reset may overtake the answer (RFC 9112,
/// section 9.6): then the request is sent again. The same may happen between wrangler's local proxy and the Worker, which
/// the proxy then tells in an answer of its own.
pub(crate) fn exchange(base: &str, request: &[u8]) -> (u16, String) {
    let mut answers = (0..ATTEMPTS).map(|_| answer(base, request));
    let text = answers
        .find(|answer| !answer.is_empty() && !answer.contains(OVERTAKEN))
        .unwrap_or_default();
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_else(|| panic!("no HTTP answer but {text:?}"));
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

/// What arrived before the connection was closed or cut.
fn answer(base: &str, request: &[u8]) -> String {
    let stream = connect(base);
    let patience = Some(Duration::from_secs(30));
    stream.set_read_timeout(patience).expect("a time limit");
    let mut answer = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            // Whoever refuses the request may stop reading it.
            let _ = (&stream).write_all(request);
        });
        let _ = (&stream).read_to_end(&mut answer);
    });
    String::from_utf8_lossy(&answer).into_owned()
}

fn connect(base: &str) -> TcpStream {
    let address = base.strip_prefix("http://").expect("an http address");
    TcpStream::connect(address).expect("the stack listens")
}
