//! A server with a known capacity: so many slots, so many places in the queue before them.
//!
//! Invariant: at most `slots` are inside and at most `queue` wait, first come, first served; the next one is
//! turned away at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The servers that requests have named so far.
#[derive(Debug, Default)]
pub(crate) struct Capacities(Mutex<BTreeMap<(String, usize, usize), Arc<Capacity>>>);

/// A server with slots and a queue.
#[derive(Debug)]
pub(crate) struct Capacity {
    slots: Arc<Semaphore>,
    queue: usize,
    queued: AtomicUsize,
}

/// A place in the queue, given back when it is dropped.
struct Place<'a>(&'a AtomicUsize);

impl Capacities {
    /// The server of this path with this many slots and places; `None` if there are too many servers already.
    pub(crate) fn server(&self, path: &str, slots: usize, queue: usize) -> Option<Arc<Capacity>> {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (path.to_owned(), slots, queue);
        if servers.len() >= SERVERS_MAX && !servers.contains_key(&key) {
            return None;
        }
        let server = servers.entry(key).or_insert_with(|| {
            Arc::new(Capacity {
                slots: Arc::new(Semaphore::new(slots)),
                queue,
                queued: AtomicUsize::new(0),
            })
        });
        Some(Arc::clone(server))
    }
}

impl Capacity {
    /// Waits for a slot, which is free again when the permit is dropped; `None` if the queue is full.
    pub(crate) async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        // A slot that is given back goes to who waits, so that this overtakes nobody.
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return Some(permit);
        }
        let place = Place::take(&self.queued, self.queue)?;
        let permit = Arc::clone(&self.slots).acquire_owned().await.ok();
        drop(place);
        permit
    }
}

impl<'a> Place<'a> {
    fn take(queued: &'a AtomicUsize, queue: usize) -> Option<Self> {
        let taken = queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            (count < queue).then_some(count + 1)
        });
        taken.is_ok().then_some(Place(queued))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// More than any test names; a limit because a query can name any.
const SERVERS_MAX: usize = 1_000;
