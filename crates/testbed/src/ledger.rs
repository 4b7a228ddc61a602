//! The testbed's books.
//!
//! Invariant: every change is made to all tallies of a request at once, under one lock, so that whoever looks
//! sees sums that add up; and their number is bounded whatever clients send.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hdrhistogram::Histogram;

use crate::stats::{
    BatchStats, ConnectionStats, Held, PathStats, SocketStats, Stats, StreamStats, Tally,
};

/// Counts what arrives and what becomes of it.
#[derive(Debug)]
pub(crate) struct Ledger {
    start: Instant,
    books: Mutex<Books>,
}

/// Where a request is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    /// Its number on its path, from 1.
    pub(crate) nth: u64,
    arrived_us: u64,
    reset: u64, // how often the books had been reset
    path: usize,
    batch: Option<usize>,
    connection: u64,
}

#[derive(Debug, Default)]
struct Books {
    resets: u64,
    total: Tally,
    path_names: BTreeMap<String, usize>,
    paths: Vec<PathBook>,
    batch_names: BTreeMap<(String, String), usize>,
    batches: Vec<Tally>,
    connections: BTreeMap<u64, ConnectionStats>,
    closed: VecDeque<u64>, // the connections that may be forgotten, oldest first
    connections_open: u64,
    connections_open_max: u64,
    connections_opened: u64,
    connection_last: u64,
}

#[derive(Debug)]
struct PathBook {
    tally: Tally,
    held_us: Histogram<u64>,
    stream: Option<Box<StreamBook>>,
    socket: Option<Box<SocketBook>>,
}

/// What happened on the WebSockets of a path.
#[derive(Debug)]
pub(crate) struct SocketBook {
    pub(crate) sessions: u64,
    pub(crate) ended: u64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) pushed: u64,
    pub(crate) pings: u64,
    pub(crate) pongs: u64,
    pub(crate) pings_received: u64,
    pub(crate) closed_by_client: BTreeMap<u16, u64>,
    reply_us: Histogram<u64>,
}

/// What was sent on the streams of a path.
#[derive(Debug)]
pub(crate) struct StreamBook {
    pub(crate) streams: u64,
    pub(crate) resumed: u64,
    events: u64,
    first_us: Histogram<u64>,
    gap_us: Histogram<u64>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            books: Mutex::default(),
        }
    }
}

impl Ledger {
    /// Takes note of a new connection and gives it a number.
    pub(crate) fn connected(&self, peer: SocketAddr) -> u64 {
        let opened_us = self.now_us();
        let mut books = self.books();
        books.connection_last += 1;
        books.connections_opened += 1;
        books.connections_open += 1;
        books.connections_open_max = books.connections_open_max.max(books.connections_open);
        let id = books.connection_last;
        let connection = ConnectionStats {
            id,
            peer: peer.to_string(),
            opened_us,
            closed_us: None,
            tally: Tally::default(),
        };
        books.connections.insert(id, connection);
        id
    }

    /// Takes note that a connection is gone.
    pub(crate) fn disconnected(&self, id: u64) {
        let now_us = self.now_us();
        let mut books = self.books();
        books.connections_open -= 1;
        if let Some(connection) = books.connections.get_mut(&id) {
            connection.closed_us = Some(now_us);
        }
        books.closed.push_back(id);
        if books.closed.len() > CLOSED_MAX
            && let Some(oldest) = books.closed.pop_front()
        {
            books.connections.remove(&oldest);
        }
    }

    /// Opens the account of a request that has just arrived.
    pub(crate) fn arrived(&self, path: &str, batch: Option<(&str, &str)>, id: u64) -> Account {
        let now_us = self.now_us();
        let mut books = self.books();
        let path = books.path(path);
        let batch = batch.map(|(run, batch)| books.batch(run, batch));
        let mut account = Account {
            nth: 0,
            arrived_us: now_us,
            reset: books.resets,
            path,
            batch,
            connection: id,
        };
        books.change(account, |tally| {
            tally.arrived += 1;
            tally.waiting += 1;
            tally.waiting_max = tally.waiting_max.max(tally.waiting);
            tally.first_arrival_us.get_or_insert(now_us);
            tally.last_arrival_us = Some(now_us);
        });
        account.nth = books.paths.get(path).map_or(0, |book| book.tally.arrived);
        account
    }

    /// Takes note that the head of the answer goes out.
    pub(crate) fn answered(&self, account: Account) {
        let held_us = self.now_us().saturating_sub(account.arrived_us);
        let mut books = self.books();
        books.change(account, |tally| {
            tally.waiting -= 1;
            tally.sending += 1;
            tally.answered += 1;
        });
        if books.resets == account.reset
            && let Some(book) = books.paths.get_mut(account.path)
        {
            book.held_us.saturating_record(held_us);
        }
    }

    /// Changes what is counted of the streams of a request's path.
    pub(crate) fn streams(&self, account: Account, change: impl FnOnce(&mut StreamBook)) {
        let mut books = self.books();
        if books.resets == account.reset
            && let Some(book) = books.paths.get_mut(account.path)
        {
            change(book.stream.get_or_insert_with(Box::default));
        }
    }

    /// Changes what is counted of the WebSockets of a request's path.
    pub(crate) fn sockets(&self, account: Account, change: impl FnOnce(&mut SocketBook)) {
        let mut books = self.books();
        if books.resets == account.reset
            && let Some(book) = books.paths.get_mut(account.path)
        {
            change(book.socket.get_or_insert_with(Box::default));
        }
    }

    /// Takes note that an event goes out, and answers when; `before` is when the one before it did.
    pub(crate) fn event(&self, account: Account, before: Option<u64>) -> u64 {
        let now_us = self.now_us();
        self.streams(account, |stream| {
            stream.events += 1;
            match before {
                None => {
                    let since = now_us.saturating_sub(account.arrived_us);
                    stream.first_us.saturating_record(since);
                }
                Some(before) => {
                    let since = now_us.saturating_sub(before);
                    stream.gap_us.saturating_record(since);
                }
            }
        });
        now_us
    }

    /// Changes all tallies of a request, unless the books were reset since it arrived.
    pub(crate) fn change(&self, account: Account, change: impl Fn(&mut Tally)) {
        self.books().change(account, change);
    }

    /// Everything but the connections one by one.
    pub(crate) fn stats(&self) -> Stats {
        let now_us = self.now_us();
        let books = self.books();
        let path = |(name, index): (&String, &usize)| {
            let book = books.paths.get(*index)?;
            let stats = PathStats {
                tally: book.tally,
                held: held(&book.held_us),
                stream: book.stream.as_ref().map(|stream| stream.stats()),
                socket: book.socket.as_ref().map(|socket| socket.stats()),
            };
            Some((name.clone(), stats))
        };
        let batch = |((run, batch), index): (&(String, String), &usize)| {
            Some(BatchStats {
                run: run.clone(),
                batch: batch.clone(),
                tally: *books.batches.get(*index)?,
            })
        };
        Stats {
            now_us,
            connections_open: books.connections_open,
            connections_open_max: books.connections_open_max,
            connections_opened: books.connections_opened,
            total: books.total,
            paths: books.path_names.iter().filter_map(path).collect(),
            batches: books.batch_names.iter().filter_map(batch).collect(),
        }
    }

    /// The open connections, and those that were closed last.
    pub(crate) fn connections(&self) -> Vec<ConnectionStats> {
        self.books().connections.values().cloned().collect()
    }

    /// Begins anew. Connections that are open stay, with nothing received.
    pub(crate) fn reset(&self) {
        let mut books = self.books();
        let before = std::mem::take(&mut *books);
        let open = before.connections.into_iter();
        *books = Books {
            resets: before.resets + 1,
            connections: open
                .filter(|(_, connection)| connection.closed_us.is_none())
                .map(|(id, connection)| {
                    let tally = Tally::default();
                    (
                        id,
                        ConnectionStats {
                            tally,
                            ..connection
                        },
                    )
                })
                .collect(),
            connections_open: before.connections_open,
            connections_open_max: before.connections_open,
            connection_last: before.connection_last,
            ..Books::default()
        };
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn path(&mut self, name: &str) -> usize {
        let known = self.path_names.get(name).copied();
        known.unwrap_or_else(|| {
            let name = if self.path_names.len() < PATHS_MAX {
                name
            } else {
                MORE
            };
            *self.path_names.entry(name.to_owned()).or_insert_with(|| {
                self.paths.push(PathBook {
                    tally: Tally::default(),
                    held_us: histogram(),
                    stream: None,
                    socket: None,
                });
                self.paths.len() - 1
            })
        })
    }

    fn batch(&mut self, run: &str, batch: &str) -> usize {
        let name = if self.batch_names.len() < BATCHES_MAX {
            (run.to_owned(), batch.to_owned())
        } else {
            (run.to_owned(), MORE.to_owned())
        };
        *self.batch_names.entry(name).or_insert_with(|| {
            self.batches.push(Tally::default());
            self.batches.len() - 1
        })
    }

    fn change(&mut self, account: Account, change: impl Fn(&mut Tally)) {
        if account.reset != self.resets {
            return;
        }
        change(&mut self.total);
        if let Some(book) = self.paths.get_mut(account.path) {
            change(&mut book.tally);
        }
        let batch = account.batch.and_then(|batch| self.batches.get_mut(batch));
        if let Some(tally) = batch {
            change(tally);
        }
        if let Some(connection) = self.connections.get_mut(&account.connection) {
            change(&mut connection.tally);
        }
    }
}

impl Default for SocketBook {
    fn default() -> Self {
        Self {
            sessions: 0,
            ended: 0,
            received: 0,
            sent: 0,
            pushed: 0,
            pings: 0,
            pongs: 0,
            pings_received: 0,
            closed_by_client: BTreeMap::new(),
            reply_us: histogram(),
        }
    }
}

impl SocketBook {
    /// A message was answered so many microseconds after it came.
    pub(crate) fn replied(&mut self, us: u64) {
        self.reply_us.saturating_record(us);
    }

    fn stats(&self) -> SocketStats {
        SocketStats {
            sessions: self.sessions,
            ended: self.ended,
            received: self.received,
            sent: self.sent,
            pushed: self.pushed,
            pings: self.pings,
            pongs: self.pongs,
            pings_received: self.pings_received,
            closed_by_client: self.closed_by_client.clone(),
            reply: held(&self.reply_us),
        }
    }
}

impl Default for StreamBook {
    fn default() -> Self {
        Self {
            streams: 0,
            resumed: 0,
            events: 0,
            first_us: histogram(),
            gap_us: histogram(),
        }
    }
}

impl StreamBook {
    fn stats(&self) -> StreamStats {
        StreamStats {
            streams: self.streams,
            resumed: self.resumed,
            events: self.events,
            first_event: held(&self.first_us),
            gap: held(&self.gap_us),
        }
    }
}

fn histogram() -> Histogram<u64> {
    // Microseconds up to an hour; what is longer counts as an hour.
    Histogram::new_with_max(3_600_000_000, 3).unwrap_or_else(|_| unreachable!("valid bounds"))
}

fn held(held_us: &Histogram<u64>) -> Held {
    if held_us.is_empty() {
        return Held::default();
    }
    Held {
        count: held_us.len(),
        min_us: held_us.min(),
        mean_us: held_us.mean(),
        p50_us: held_us.value_at_quantile(0.5),
        p95_us: held_us.value_at_quantile(0.95),
        p99_us: held_us.value_at_quantile(0.99),
        max_us: held_us.max(),
    }
}

/// What is beyond the limits is counted under this name.
const MORE: &str = "(more)";

/// Paths that are counted each by itself.
const PATHS_MAX: usize = 1_000;

/// Batches that are counted each by itself.
const BATCHES_MAX: usize = 100_000;

/// Closed connections that are remembered.
const CLOSED_MAX: usize = 1_000;
