//! What the testbed answers about what it received.
//!
//! Times are microseconds of a monotonic clock that begins with the testbed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything that was received since the start or the last reset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// When this was asked.
    pub now_us: u64,
    /// Connections that are open.
    pub connections_open: u64,
    /// The highest number of connections that were open at once.
    pub connections_open_max: u64,
    /// Connections that were opened.
    pub connections_opened: u64,
    /// All requests but those to `/__testbed/`.
    pub total: Tally,
    /// By path, without its query.
    pub paths: BTreeMap<String, PathStats>,
    /// By what a request says about where it comes from, as far as it does.
    pub batches: Vec<BatchStats>,
}

/// Counts of requests. `arrived` is the sum of `waiting`, `sending`, `completed`, `aborted` and `broken`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Requests whose head was received.
    pub arrived: u64,
    /// Requests that wait for the head of their answer.
    pub waiting: u64,
    /// The highest number that waited for the head of their answer at once.
    pub waiting_max: u64,
    /// Answers of which a part is still to be sent.
    pub sending: u64,
    /// Answers whose last byte was handed to the connection.
    pub completed: u64,
    /// Requests whose client went away before that.
    pub aborted: u64,
    /// Requests that the testbed did not answer properly, because they asked for that.
    pub broken: u64,
    /// Answers whose head was handed to the connection.
    pub answered: u64,
    /// Bytes of the requests' bodies.
    pub bytes_received: u64,
    /// Bytes of the answers' bodies that were handed to the connection.
    pub bytes_sent: u64,
    /// When the first request arrived.
    pub first_arrival_us: Option<u64>,
    /// When the last request arrived.
    pub last_arrival_us: Option<u64>,
}

/// A path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PathStats {
    /// Its requests.
    pub tally: Tally,
    /// How long they waited for the head of their answer.
    pub held: Held,
    /// What was sent on its streams, if its answers are streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamStats>,
    /// What happened on its WebSockets, if it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<SocketStats>,
}

/// What happened on the WebSockets of a path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SocketStats {
    /// Sessions that were opened.
    pub sessions: u64,
    /// Sessions that are over.
    pub ended: u64,
    /// Messages that arrived.
    pub received: u64,
    /// Messages that were sent, the unasked ones included.
    pub sent: u64,
    /// Messages that were sent unasked.
    pub pushed: u64,
    /// Pings that were sent.
    pub pings: u64,
    /// Pongs that arrived.
    pub pongs: u64,
    /// Pings that arrived.
    pub pings_received: u64,
    /// Close frames that arrived, by their code; 1005 without one.
    pub closed_by_client: BTreeMap<u16, u64>,
    /// How long after its message each answer was sent.
    pub reply: Held,
}

/// What was really sent on the streams of a path, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamStats {
    /// Answers that are streams.
    pub streams: u64,
    /// Of these, those whose request named the last event of an earlier one.
    pub resumed: u64,
    /// Events that were handed to the connection.
    pub events: u64,
    /// How long after the arrival of its request the first event of each stream was.
    pub first_event: Held,
    /// How long after the one before each other event was.
    pub gap: Held,
}

/// Lengths of time, with an error of at most 0.1 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// How many there were.
    pub count: u64,
    /// The shortest.
    pub min_us: u64,
    /// The mean.
    pub mean_us: f64,
    /// Half of them were not longer.
    pub p50_us: u64,
    /// 95 % of them were not longer.
    pub p95_us: u64,
    /// 99 % of them were not longer.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// A batch of a load test: one invocation, if it comes from Vista LoadTest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchStats {
    /// The header field `x-vista-run`.
    pub run: String,
    /// The header field `x-vista-batch`, empty if there was none.
    pub batch: String,
    /// Its requests.
    pub tally: Tally,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStats {
    /// Counts up from 1 over the life of the testbed.
    pub id: u64,
    /// The address of the client.
    pub peer: String,
    /// When it was opened.
    pub opened_us: u64,
    /// When it was closed, by either side.
    pub closed_us: Option<u64>,
    /// Its requests.
    pub tally: Tally,
}

impl Stats {
    /// The counts of a path, all zero if it was never asked for.
    #[must_use]
    pub fn path(&self, path: &str) -> Tally {
        self.paths
            .get(path)
            .map_or_else(Tally::default, |path| path.tally)
    }
}
