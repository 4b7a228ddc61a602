//! What happens while a slice is played.

use futures::channel::oneshot;
use sentinel_engine::run::LiveReport;

use crate::links::LinkEvent;

/// Something that happened.
#[derive(Debug)]
pub(super) enum Event {
    /// Something on a line to a shard or batch.
    Link(LinkEvent),
    /// Somebody wants to have a look at the run.
    Look(Look),
    /// The run has to stop, for a reason in words, empty if none was given.
    Cancel(String),
}

/// A question about the run that is being played.
#[derive(Debug)]
pub(super) struct Look {
    /// Whether what costs more to find out is wanted too.
    pub(super) measured: bool,
    /// Where the answer goes.
    pub(super) answer: oneshot::Sender<LiveReport>,
}
