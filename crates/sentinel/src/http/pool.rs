//! The connections that wait for their user's next request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use sentinel_engine::batch::Request;

use super::connection::{Connection, Http2};
use super::origin::Origin;

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
    kept: RefCell<HashMap<(u32, *const Origin), Kept>>,
}

#[derive(Default)]
struct Kept {
    iteration: u32,
    idle: Vec<Connection>, // of HTTP/1.1
    shared: Option<Http2>,
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
}

impl Pool {
    /// An empty pool.
    pub(super) fn new(reuse: Reuse) -> Self {
        Self {
            reuse,
            kept: RefCell::default(),
        }
    }

    /// A connection that still stands.
    pub(super) async fn take(&self, owner: Owner) -> Option<Connection> {
        loop {
            let mut connection = self.pop(owner)?;
            if connection.is_open().await {
                return Some(connection);
            }
        }
    }

    fn pop(&self, owner: Owner) -> Option<Connection> {
        let mut kept = self.kept.borrow_mut();
        let kept = kept.get_mut(&(owner.vu, owner.origin))?;
        if self.reuse == Reuse::WithinIteration && kept.iteration != owner.iteration {
            *kept = Kept::default();
        }
        match &kept.shared {
            Some(shared) if shared.is_open() => Some(Connection::Http2(shared.clone())),
            _ => {
                kept.shared = None;
                kept.idle.pop()
            }
        }
    }

    /// Takes a connection back after its exchange.
    pub(super) async fn keep(&self, owner: Owner, mut connection: Connection) {
        let is_idle = matches!(connection, Connection::Http1(_));
        if is_idle && self.reuse != Reuse::Never && connection.is_open().await {
            self.with(owner, |kept| kept.idle.push(connection));
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
        let kept = kept.entry((owner.vu, owner.origin)).or_default();
        kept.iteration = owner.iteration;
        change(kept);
    }
}
