//! A request written byte by byte, by a client that does not wait.

use std::io::Write;
use std::net::TcpStream;

/// Sends a request and closes the connection without waiting for a single byte of the answer.
pub(crate) fn send_and_go(base: &str, request: &[u8]) {
    let address = base.strip_prefix("http://").expect("an http address");
    let mut stream = TcpStream::connect(address).expect("the stack listens");
    stream.write_all(request).expect("the request is sent");
}
