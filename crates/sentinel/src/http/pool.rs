//! The connections that wait for their user's next request.
//!
//! Invariant: of the connections of users who think, each keeps little more than its socket. Those of users who do
//! not are used again before they come to rest.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use sentinel_engine::batch::Request;

use super::connection::{Connection, Http2, Resting};
use super::origin::Origin;

/// A connection that nobody uses for so long comes to rest.
const AWAKE: Duration = Duration::from_millis(100);
/// How many connections are looked at when one is kept: more than are kept, so that none is forgotten, and few, so
/// that nobody waits for it.
const LOOKED_AT: usize = 4;

/// How long connections are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reuse {
    /// As long as the server likes.
    Always,
    /// Until their user's iteration ends.
    WithinIteration,
    /// Each request has its own.
    Never,
}

/// Whose connection it is, where to, and for which iteration. The origin is known by its address in memory,
/// which stays the same because origins are never forgotten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    vu: u32,
    origin: *const Origin,
    iteration: u32,
}

/// All connections that nobody uses, and those of HTTP/2.
pub(super) struct Pool {
    reuse: Reuse,
    kept: RefCell<HashMap<Key, Kept>>,
    awake: RefCell<VecDeque<Awake>>, // in the order in which they were kept
}

type Key = (u32, *const Origin);

#[derive(Default)]
struct Kept {
    iteration: u32,
    idle: Vec<Idle>,
    shared: Option<Http2>,
}

/// A connection of HTTP/1.1 that nobody uses.
enum Idle {
    /// Since then.
    Awake(Instant, Connection),
    Resting(Resting),
}

/// A connection that was not at rest when it was kept, and may have been used since.
struct Awake {
    key: Key,
    since: Instant,
}

impl Owner {
    /// Who sends a request.
    pub(super) fn new(request: &Request, origin: &Rc<Origin>) -> Self {
        Self {
            vu: request.vu,
            origin: Rc::as_ptr(origin),
            iteration: request.iteration,
        }
    }

    const fn key(&self) -> Key {
        (self.vu, self.origin)
    }
}

impl Pool {
    /// An empty pool.
    pub(super) fn new(reuse: Reuse) -> Self {
        Self {
            reuse,
            kept: RefCell::default(),
            awake: RefCell::default(),
        }
    }

    /// A connection that still stands.
    pub(super) async fn take(&self, owner: Owner) -> Option<Connection> {
        if let Some(shared) = self.shared(owner) {
            return Some(Connection::Http2(shared));
        }
        loop {
            match self.pop(owner)? {
                Idle::Awake(_, mut connection) => {
                    if connection.is_open() {
                        return Some(connection);
                    }
                }
                // Few requests need it, and all would carry it.
                Idle::Resting(resting) => {
                    let awake = Box::pin(resting.wake()).await;
                    if awake.is_some() {
                        return awake;
                    }
                }
            }
        }
    }

    fn shared(&self, owner: Owner) -> Option<Http2> {
        let mut kept = self.kept.borrow_mut();
        let kept = kept.get_mut(&owner.key())?;
        if self.reuse == Reuse::WithinIteration && kept.iteration != owner.iteration {
            *kept = Kept::default();
        }
        kept.shared.take_if(|shared| !shared.is_open());
        kept.shared.clone()
    }

    fn pop(&self, owner: Owner) -> Option<Idle> {
        let mut kept = self.kept.borrow_mut();
        kept.get_mut(&owner.key())?.idle.pop()
    }

    /// Takes a connection back after its exchange, which was over at `now`.
    pub(super) fn keep(&self, owner: Owner, mut connection: Connection, now: Instant) {
        let is_idle = matches!(connection, Connection::Http1(_));
        if is_idle && self.reuse != Reuse::Never && connection.is_open() {
            self.with(owner, |kept| kept.idle.push(Idle::Awake(now, connection)));
            let mut awake = self.awake.borrow_mut();
            awake.push_back(Awake {
                key: owner.key(),
                since: now,
            });
            for _ in 0..LOOKED_AT {
                match awake.front() {
                    Some(first) if first.since + AWAKE <= now => self.rest(first),
                    _ => break,
                }
                awake.pop_front();
            }
        }
    }

    /// Puts a connection to rest that nobody has used since.
    fn rest(&self, long: &Awake) {
        let mut kept = self.kept.borrow_mut();
        let Some(kept) = kept.get_mut(&long.key) else {
            return;
        };
        let is_it = |idle: &Idle| matches!(idle, Idle::Awake(since, _) if *since == long.since);
        if let Some(at) = kept.idle.iter().position(is_it)
            && let Idle::Awake(_, connection) = kept.idle.remove(at)
            && let Some(resting) = connection.rest()
        {
            kept.idle.insert(at, Idle::Resting(resting));
        }
    }

    /// Lets other requests of the user share a new connection while its first exchange goes on.
    pub(super) fn share(&self, owner: Owner, connection: &Connection) {
        if let Connection::Http2(connection) = connection
            && self.reuse != Reuse::Never
        {
            self.with(owner, |kept| kept.shared = Some(connection.clone()));
        }
    }

    fn with(&self, owner: Owner, change: impl FnOnce(&mut Kept)) {
        let mut kept = self.kept.borrow_mut();
        let kept = kept.entry(owner.key()).or_default();
        kept.iteration = owner.iteration;
        change(kept);
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// A connection, and what the server has of it.
    async fn connect() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let ours = TcpStream::connect(address).await.expect("a connection");
        let (theirs, _) = listener.accept().await.expect("a connection");
        let connection = Connection::begin(Box::new(ours), false).await;
        let Ok(connection) = connection else {
            panic!("HTTP/1.1 begins with nothing")
        };
        (connection, theirs)
    }

    const fn owner(vu: u32) -> Owner {
        Owner {
            vu,
            origin: std::ptr::null(),
            iteration: 0,
        }
    }

    fn is_resting(pool: &Pool, owner: Owner) -> bool {
        let kept = pool.kept.borrow();
        let idle = &kept.get(&owner.key()).expect("it was kept").idle;
        assert_eq!(idle.len(), 1);
        matches!(idle.first(), Some(Idle::Resting(_)))
    }

    #[tokio::test]
    async fn a_connection_that_nobody_uses_comes_to_rest_and_is_used_again() {
        let pool = Pool::new(Reuse::Always);
        let (thinking, busy) = (owner(1), owner(2));
        let (first, _server) = connect().await;
        let (second, _other_server) = connect().await;
        let begin = Instant::now();
        pool.keep(thinking, first, begin);
        pool.keep(busy, second, begin);
        // The busy user goes on, and only the other's connection stays where it is.
        for ms in [40, 80, 120] {
            assert!(!is_resting(&pool, thinking), "before {ms} ms");
            let connection = pool.take(busy).await.expect("it stands");
            pool.keep(busy, connection, begin + Duration::from_millis(ms));
        }
        assert!(is_resting(&pool, thinking));
        assert!(!is_resting(&pool, busy));
        let awake = pool.take(thinking).await.expect("it stands");
        pool.keep(thinking, awake, begin + Duration::from_millis(130));
        assert!(!is_resting(&pool, thinking));
        assert_eq!(
            pool.awake.borrow().len(),
            4,
            "what has been looked at is forgotten"
        );
    }

    #[tokio::test]
    async fn a_connection_that_is_closed_at_rest_is_given_to_nobody() {
        let pool = Pool::new(Reuse::Always);
        let (first, server) = connect().await;
        let (second, _other_server) = connect().await;
        let begin = Instant::now();
        pool.keep(owner(1), first, begin);
        pool.keep(owner(2), second, begin + Duration::from_secs(1));
        assert!(is_resting(&pool, owner(1)));
        drop(server);
        // What the server has closed is heard from the system, sooner or later.
        let mut taken = pool.take(owner(1)).await;
        while let Some(connection) = taken {
            tokio::task::yield_now().await;
            pool.keep(owner(1), connection, begin);
            taken = pool.take(owner(1)).await;
        }
    }
}
