//! What goes into a shard, what comes out of it, and what it keeps between two slices.

use crate::bundle::Bundle;
use crate::run::LossReason;
use crate::sorted::SortedMap;
use crate::tick::Tick;
use crate::vu::VuCarry;
use crate::wire::{Assignment, Frame};

/// What a driver tells the shard.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed, or the slice begins.
    Wake,
    /// A batch delivered a frame.
    Frame(Frame),
    /// A batch ended without its last frame, or could not be started.
    BatchLost {
        /// The batch.
        batch: u32,
        /// What is known about the reason.
        reason: LossReason,
    },
    /// Stop the batches.
    Stop,
    /// Nobody listens any more.
    LeaseExpired,
}

/// What the shard asks of its driver.
#[derive(Clone, Debug)]
pub enum Output {
    /// Start the batch that plays this. Its number is the share's index.
    Assign(Box<Assignment>),
    /// Tell this batch to stop, if it can still be reached.
    StopBatch(u32),
    /// Tell the run.
    Ship(Box<Bundle>),
    /// Nothing more to do before this point, unless a frame arrives.
    WakeAt(Tick),
    /// The slice is over for this shard. Asking again answers the same.
    Done,
}

/// The users that batches have handed over to their shard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    run: String,
    users: SortedMap<u32, (u32, Vec<VuCarry>)>, // by batch, with the slice
}

impl Kept {
    /// What is left of these for a run: nothing if they are another run's.
    pub(super) fn for_run(self, run: &str) -> Self {
        if self.run == run {
            return self;
        }
        Self {
            run: run.to_owned(),
            users: SortedMap::new(),
        }
    }

    /// Keeps the users of a batch at the end of a slice.
    pub(super) fn keep(&mut self, batch: u32, slice: u32, users: Vec<VuCarry>) {
        self.users.insert(batch, (slice, users));
    }

    /// The users that a batch handed over at the end of this slice, if they are still there.
    pub(super) fn take(&mut self, batch: u32, slice: u32) -> Option<Vec<VuCarry>> {
        let (kept_in, users) = self.users.remove(&batch)?;
        (kept_in == slice).then_some(users)
    }
}
