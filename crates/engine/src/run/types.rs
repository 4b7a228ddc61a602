//! What goes into a run and what comes out of it.

use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

use crate::tick::{Span, Tick};
use crate::wire::{Assignment, Frame};

/// How a plan is spread over batches and slices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunConfig {
    /// The run's identifier.
    pub run: String,
    /// Unix time of the run's start in milliseconds.
    pub epoch_ms: u64,
    /// How many batches play the plan side by side.
    pub batches: u32,
    /// How long a slice is.
    pub slice: Span,
    /// How many requests of a batch may wait for response headers at once, `None` for no limit.
    pub slots: Option<NonZeroU16>,
    /// How long after its slice's end a batch may stay silent before it counts as lost.
    pub patience: Span,
}

/// What a driver tells the run.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed, or the run begins.
    Wake,
    /// A batch delivered a frame.
    Frame(Frame),
    /// A batch ended without its last frame, or could not be started.
    BatchLost {
        /// The slice it belonged to.
        slice: u32,
        /// The batch.
        batch: u32,
        /// What is known about the reason.
        reason: LossReason,
    },
    /// Stop the run.
    Stop(StopReason),
}

/// Why a batch was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossReason {
    /// It could not be started.
    NotStarted,
    /// Its stream ended early.
    StreamEnded,
    /// It stayed silent for too long.
    Silent,
    /// The coordinator itself was restarted.
    CoordinatorRestarted,
}

/// Why a run was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// Somebody cancelled it.
    Cancelled,
}

/// What the run asks of its driver.
#[derive(Clone, Debug)]
pub enum Output {
    /// Store this durably before going on.
    Persist(Stored),
    /// Start this batch.
    Assign(Assignment),
    /// Tell this batch to stop.
    StopBatch {
        /// The batch.
        batch: u32,
    },
    /// Nothing more to do before this point, unless a frame arrives.
    WakeAt(Tick),
    /// The run is over.
    Done,
}

/// What a run stores.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stored {
    /// A frame that was merged. Key: slice, batch, sequence.
    Frame(Frame),
}
