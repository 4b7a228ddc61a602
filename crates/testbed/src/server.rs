//! The server as a value: started on a listener, asked for its counts, stopped when it is dropped.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::capacity::Capacities;
use crate::connection;
use crate::freeze::Freezer;
use crate::ledger::Ledger;
use crate::services::{Platform, Service};
use crate::stats::Stats;

/// A running testbed. Dropping it closes its port and all of its connections.
#[derive(Debug)]
pub struct Testbed {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) freezer: Freezer,
    pub(crate) capacities: Capacities,
    /// What is served instead of the behaviours.
    pub(crate) platform: Option<Platform>,
}

/// An operation cannot be disturbed in this way; it says why and what is accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

impl Testbed {
    /// Serves on `listener` with this many threads, of its own, until it is dropped.
    ///
    /// # Errors
    /// When the listener has no address or the threads cannot be started.
    pub fn start(listener: TcpListener, threads: NonZeroUsize) -> io::Result<Self> {
        Self::begin(listener, threads, None)
    }

    /// As [`Self::start`], with a platform in place of the behaviours.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn serve(
        listener: TcpListener,
        threads: NonZeroUsize,
        service: Service,
    ) -> io::Result<Self> {
        Self::begin(listener, threads, Some(Platform::new(service)))
    }

    fn begin(
        listener: TcpListener,
        threads: NonZeroUsize,
        platform: Option<Platform>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        // The standard library lets 128 connections wait; those of a thousand users that begin at once would be
        // dropped, and tried again a second later.
        rustix::net::listen(&listener, WAITING_MAX)?;
        let runtime = runtime(threads)?;
        let shared = Arc::new(Shared {
            ledger: Arc::default(),
            freezer: Freezer::default(),
            capacities: Capacities::default(),
            platform,
        });
        let listener = {
            let _guard = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let sharing = Arc::clone(&shared);
        let serving = thread::Builder::new()
            .name("testbed".to_owned())
            .spawn(move || {
                runtime.block_on(connection::accept(listener, sharing, stopped));
                // Connections end now, whatever they wait for.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            address,
            shared,
            stop: Some(stop),
            serving: Some(serving),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a URL without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has received since it was started or since [`Self::reset`].
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.ledger.stats()
    }

    /// Begins to count anew. A request that is being answered meanwhile is counted no more.
    pub fn reset(&self) {
        self.shared.ledger.reset();
    }

    /// From now on an operation of the platform is slow or goes wrong, as a query such as `ms=300` or
    /// `share=0.5&how=fail` says (docs/testbed.md).
    ///
    /// # Errors
    /// When no platform is served, when it has no such operation, and when the query is not understood.
    pub fn disturb(&self, operation: &str, query: &str) -> Result<(), Refused> {
        let platform = self.shared.platform.as_ref();
        let platform = platform.ok_or_else(|| Refused("no platform is served".to_owned()))?;
        let told = platform.disturb(operation, query);
        told.map_err(|error| Refused(error.to_string()))
    }

    /// From now on all operations of the platform do what they promise.
    pub fn heal(&self) {
        if let Some(platform) = &self.shared.platform {
            platform.heal();
        }
    }

    /// Lets requests to `/freeze` wait from now on.
    pub fn freeze(&self) {
        self.shared.freezer.freeze();
    }

    /// Lets requests to `/freeze` wait for this long.
    pub fn freeze_for(&self, length: Duration) {
        self.shared.freezer.freeze_for(length);
    }

    /// Lets requests to `/freeze` go on.
    pub fn thaw(&self) {
        self.shared.freezer.thaw();
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        // If the thread is gone there is nobody to tell.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.serving.take().map(JoinHandle::join);
    }
}

/// How many connections may wait to be accepted; the system may allow fewer.
const WAITING_MAX: i32 = 65_535;

fn runtime(threads: NonZeroUsize) -> io::Result<Runtime> {
    let mut builder = match threads.get() {
        // Nothing has to be handed from thread to thread.
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(threads.get()).enable_all().build()
}
