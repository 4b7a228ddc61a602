//! A coordinator that the test itself plays: it starts one batch as the real one does, and can then do what no
//! real one is made to do on purpose: fall silent, or vanish.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpStream};
use std::num::NonZeroU16;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sentinel_engine::plan::{Plan, PlanSource, RunPart};
use sentinel_engine::share::Share;
use sentinel_engine::tick::Tick;
use sentinel_engine::wire::{Assignment, Frame, WIRE_VERSION};
use serde_json::json;

use super::target::read_chunks;
use super::{BATCH_KEY, Lab, sign};

/// The line to a batch.
pub(crate) struct Coordinator {
    stream: TcpStream,
    reading: JoinHandle<Vec<Frame>>,
}

impl Coordinator {
    /// Starts the only batch of the first slice of the run `id`, which plays `source` with so many slots.
    pub(crate) fn start(
        lab: &Lab,
        id: &str,
        source: &PlanSource,
        slots: Option<NonZeroU16>,
    ) -> Self {
        let assignment = assignment(id, source, slots);
        let expires = SystemTime::now() + Duration::from_secs(300);
        let token = sign(BATCH_KEY, id, 0, 0, expires);
        let url = lab.url();
        let authority = url.strip_prefix("http://").expect("an http address");
        let mut stream = TcpStream::connect(authority).expect("the stack listens");
        let head = format!(
            "POST /internal/batch HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Batch {token}\r\n\
             Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("it is sent");
        let answer = stream.try_clone().expect("another handle");
        let reading = thread::spawn(move || frames(&answer));
        let mut coordinator = Self { stream, reading };
        let order = json!({ "assignment": assignment, "source": source });
        coordinator.say(&order.to_string());
        coordinator
    }

    /// Tells the batch that somebody is still there.
    pub(crate) fn beat(&mut self) {
        self.say("beat");
    }

    /// Says nothing more but keeps listening; returns when the batch has ended, with what it told.
    pub(crate) fn fall_silent(self) -> Vec<Frame> {
        self.reading.join().expect("frames")
    }

    /// Is gone at once, as a coordinator whose machine is.
    pub(crate) fn vanish(self) {
        self.stream.shutdown(Shutdown::Both).expect("a connection");
        self.reading.join().expect("frames");
    }

    fn say(&mut self, line: &str) {
        let length = line.len() + 1;
        let chunk = format!("{length:x}\r\n{line}\n\r\n");
        self.stream.write_all(chunk.as_bytes()).expect("it is sent");
    }
}

/// All of the plan, in one slice.
fn assignment(id: &str, source: &PlanSource, slots: Option<NonZeroU16>) -> Assignment {
    let plan = Plan::parse(source).expect("a plan");
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_ms = now.expect("after 1970").as_millis();
    Assignment {
        version: WIRE_VERSION,
        run: id.to_owned(),
        part: RunPart::Load,
        epoch_ms: u64::try_from(now_ms).expect("a time of this age"),
        slice: 0,
        share: Share::WHOLE,
        from: Tick::ZERO,
        until: Tick::ZERO + plan.duration(),
        played_through: Tick::ZERO,
        carry: Vec::new(),
        away: Vec::new(),
        hands_over_after: None,
        begun: Vec::new(),
        handed_over: Vec::new(),
        slots,
    }
}

/// Everything that a batch says until its end; nothing if the answer has no end.
fn frames(answer: &TcpStream) -> Vec<Frame> {
    let mut reader = BufReader::new(answer);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return Vec::new();
        }
    }
    let body = read_chunks(&mut reader).unwrap_or_default();
    String::from_utf8_lossy(&body)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a frame"))
        .collect()
}
