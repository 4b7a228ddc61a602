//! All sessions, and the paths over which they are reached.
//!
//! Invariant: their number is bounded: the one that was created first goes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::{Method, StatusCode};
use serde_json::json;

use super::calls;
use super::metrics::Meter;
use super::panel::Panel;
use super::session::Session;
use crate::services::fault::Faults;
use crate::services::reply::{Call, Reply};
use crate::services::talk::Talk;

/// What can be made to go wrong: paths, and methods of JSON-RPC.
pub(crate) const OPERATIONS: &[&str] = &[
    HEALTH,
    METRICS,
    CONNECT,
    calls::PING,
    calls::OPEN,
    calls::MESSAGE,
    calls::CONTEXT,
    calls::FILE,
    calls::BALANCE,
    calls::SNAPSHOT,
    calls::RESTORE,
    calls::BRANCH,
    calls::TOOL,
];

const HEALTH: &str = "health";
const METRICS: &str = "metrics";
const CONNECT: &str = "ws.connect";

/// The side panel's state.
#[derive(Debug)]
pub(crate) struct Sidepanel {
    desk: Arc<Desk>,
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) faults: Arc<Faults>,
    pub(super) meter: Meter,
    sessions: Mutex<Sessions>,
}

#[derive(Debug, Default)]
struct Sessions {
    last: u64,
    sessions: BTreeMap<u64, Session>,
}

/// Which operation a request asks for.
///
/// # Errors
/// The refusal of what is none.
pub(crate) fn operation(call: &Call<'_>) -> Result<&'static str, Reply> {
    let operation = match call.path {
        "/health" => HEALTH,
        "/metrics" => METRICS,
        "/" | "/ws" => CONNECT,
        _ => return Err(Reply::not_found()),
    };
    if call.method == Method::GET {
        Ok(operation)
    } else {
        Err(Reply::wrong_method("GET"))
    }
}

impl Sidepanel {
    /// A side panel without sessions.
    pub(crate) fn new(faults: Arc<Faults>) -> Self {
        let desk = Desk {
            faults,
            meter: Meter::default(),
            sessions: Mutex::default(),
        };
        Self {
            desk: Arc::new(desk),
        }
    }

    /// Does what the operation of a request is.
    pub(crate) fn answer(&self, operation: &str, _call: &Call<'_>) -> Reply {
        match operation {
            HEALTH => {
                let sessions = self.desk.totals().0;
                let health = json!({ "status": "ok", "sessions": sessions });
                Reply::json(StatusCode::OK, &health)
            }
            METRICS => {
                let (sessions, bytes) = self.desk.totals();
                let page = self.desk.meter.page(sessions, bytes);
                Reply::whole(StatusCode::OK, "text/plain; version=0.0.4", page)
            }
            _ => Reply::Socket(Box::new(Talk::Sidepanel(Panel::new(Arc::clone(
                &self.desk,
            ))))),
        }
    }
}

impl Desk {
    /// Creates a session.
    pub(super) fn create(&self) -> u64 {
        let mut sessions = self.sessions();
        if sessions.sessions.len() >= SESSIONS_MAX {
            sessions.sessions.pop_first();
        }
        sessions.last += 1;
        let number = sessions.last;
        sessions.sessions.insert(number, Session::default());
        number
    }

    /// Does something with a session, if there still is one of this number.
    pub(super) fn with<T>(&self, number: u64, act: impl FnOnce(&mut Session) -> T) -> Option<T> {
        self.sessions().sessions.get_mut(&number).map(act)
    }

    /// How many sessions there are, and how many bytes they keep.
    fn totals(&self) -> (usize, usize) {
        let sessions = self.sessions();
        let bytes = sessions.sessions.values().map(Session::bytes).sum();
        (sessions.sessions.len(), bytes)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SESSIONS_MAX: usize = 1_000;
