//! Clients of a testbed: one that keeps the rules of HTTP, and one that only has a socket.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use testbed::Testbed;
use ureq::Agent;

/// Far longer than anything takes, so that a slow machine fails no test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A testbed on a free port.
pub(crate) fn start() -> Testbed {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    Testbed::start(listener, NonZeroUsize::MIN).expect("a testbed")
}

/// A client that follows no redirects and takes every status for an answer.
pub(crate) fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into()
}

/// Looks until something is so.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

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
