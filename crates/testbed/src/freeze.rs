//! A pause of the whole target, as that of a garbage collector: who comes meanwhile waits until it is over.
//!
//! Invariant: a pause with a length ends by itself, and never ends a later one.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Whether `/freeze` waits.
#[derive(Debug)]
pub(crate) struct Freezer(watch::Sender<Frozen>);

#[derive(Clone, Copy, Debug, Default)]
enum Frozen {
    #[default]
    No,
    Until(Instant),
    UntilThawed,
}

impl Default for Freezer {
    fn default() -> Self {
        Self(watch::Sender::new(Frozen::No))
    }
}

impl Freezer {
    /// Begins a pause without an end.
    pub(crate) fn freeze(&self) {
        self.0.send_replace(Frozen::UntilThawed);
    }

    /// Begins a pause of this length.
    pub(crate) fn freeze_for(&self, length: Duration) {
        self.0.send_replace(Frozen::Until(Instant::now() + length));
    }

    /// Ends the pause.
    pub(crate) fn thaw(&self) {
        self.0.send_replace(Frozen::No);
    }

    /// Waits until there is no pause.
    pub(crate) async fn wait(&self) {
        let mut changes = self.0.subscribe();
        loop {
            let frozen = *changes.borrow_and_update();
            let end = match frozen {
                Frozen::No => return,
                Frozen::Until(end) if end <= Instant::now() => return,
                Frozen::Until(end) => Some(end),
                Frozen::UntilThawed => None,
            };
            let over = async {
                match end {
                    Some(end) => tokio::time::sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => {}
                // The sender lives as long as `self`.
                _ = changes.changed() => {}
            }
        }
    }
}
