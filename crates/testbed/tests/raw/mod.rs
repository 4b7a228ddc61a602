//! A client of a testbed that only has a socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use testbed::Testbed;

/// Far longer than anything takes, so that a slow machine fails no test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection with one request on it.
pub(crate) struct Raw {
    /// What comes back.
    pub(crate) stream: TcpStream,
}

impl Raw {
    /// Asks for `path`.
    pub(crate) fn get(testbed: &Testbed, path: &str) -> Self {
        Self::send(
            testbed,
            &format!("GET {path} HTTP/1.1\r\nHost: testbed\r\n\r\n"),
        )
    }

    /// Sends anything.
    pub(crate) fn send(testbed: &Testbed, text: &str) -> Self {
        let mut stream = TcpStream::connect(testbed.address()).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(text.as_bytes()).expect("it is sent");
        Self { stream }
    }

    /// Reads the head of the answer and nothing beyond it.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.bytes(1));
        }
        String::from_utf8(head).expect("a text")
    }

    /// Reads so many bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).expect("bytes");
        bytes
    }
}
