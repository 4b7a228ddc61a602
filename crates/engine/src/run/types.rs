//! What goes into a run and what comes out of it.

use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, ShardOrder};
use crate::run::stored::Stored;
use crate::summary::Report;
use crate::tick::{Span, Tick};
use crate::timeline::TimelineRow;
use crate::vu::VuCarry;
use crate::wire::Assignment;

/// How a plan is spread over batches and slices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunConfig {
    /// The run's identifier.
    pub run: String,
    /// Unix time of the run's start in milliseconds.
    pub epoch_ms: u64,
    /// How many batches play the plan side by side; see [`Spread`](crate::run::Spread).
    pub batches: u32,
    /// Through which shards the batches are heard: the first shard has the first batches, and so on. None when
    /// each batch has a line of its own.
    pub shards: Vec<ShardPlan>,
    /// How long a slice is; less than a second counts as a second.
    pub slice: Span,
    /// How many requests of a batch may wait for response headers at once, `None` for no limit.
    #[serde(default)]
    pub slots: Option<NonZeroU16>,
    /// How long after its slice's end a batch may stay silent before it counts as lost.
    pub patience: Span,
    /// The smallest step of the clock that the batches measure with.
    pub clock_resolution: Span,
}

/// What a shard has of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShardPlan {
    /// How many batches it speaks for.
    pub batches: u32,
    /// Where it was asked to be, as the platform names its regions; `None` anywhere.
    #[serde(default)]
    pub region: Option<String>,
}

/// What a driver tells the run.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed, or the run begins.
    Wake,
    /// A line delivered a bundle.
    Bundle(Bundle),
    /// A line ended before all batches that are heard through it have, or could not be opened.
    LineLost {
        /// The slice it belonged to.
        slice: u32,
        /// The line.
        line: u32,
        /// What is known about the reason.
        reason: LossReason,
    },
    /// Stop the run. The first stop counts, later ones change nothing.
    Stop(StopReason),
}

/// Why a share of the plan was not played for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LossReason {
    /// The batch could not be started, or was started late.
    NotStarted,
    /// The batch's stream ended early.
    StreamEnded,
    /// The batch stayed silent for too long.
    Silent,
    /// The batch ended itself because nobody listened to it.
    LeaseExpired,
    /// The share's batch had ended, and waited for the other batches of its slice.
    Waited,
    /// The coordinator itself was restarted.
    CoordinatorRestarted,
    /// The shard was restarted between two slices, so that its users began afresh: an interval of no length,
    /// in which iterations were lost.
    ShardRestarted,
    /// The shard had too much to do to take the share.
    Overloaded,
}

/// Why a run was stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// Somebody cancelled it.
    Cancelled,
    /// It had to end for a reason outside of the run, such as a limit on its requests: it counts as cancelled,
    /// and these words appear in the report.
    Stopped(String),
    /// A threshold that aborts the run did not hold. Only the run itself can tell.
    ThresholdCrossed,
    /// It cannot go on, for the reason in these words, which appear in the report.
    Failed(String),
}

/// What the run asks of its driver.
#[derive(Clone, Debug)]
pub enum Output {
    /// Store this durably before going on; see [`Stored`].
    Persist(Stored),
    /// Rows of the time line that are final, in order and without gaps; each covers
    /// [`seconds_per_row`](crate::run::seconds_per_row) seconds. Within the life of one [`Run`] each row comes
    /// once. A restored run repeats the rows since its last checkpoint, so writing a row again must replace
    /// it, and all rows must be durable before the next [`Stored::Checkpoint`] is.
    ///
    /// [`Run`]: crate::run::Run
    Publish(Vec<TimelineRow>),
    /// Start the batch that plays this: a share of the load in a run without shards, or in any run what is played
    /// once. Its number, which is also that of its line, is the share's index.
    Assign(Box<Assignment>),
    /// Have this shard start its batches.
    AssignShard(Box<ShardOrder>),
    /// Tell the batch of this line that users have come in which were away when its slice began.
    Adopt {
        /// The slice it belongs to.
        slice: u32,
        /// The line.
        line: u32,
        /// The users.
        users: Vec<VuCarry>,
    },
    /// Tell the batches of this line to stop, if they can still be reached.
    StopLine {
        /// The slice it belongs to.
        slice: u32,
        /// The line.
        line: u32,
    },
    /// Nothing more to do before this point, unless a bundle arrives.
    WakeAt(Tick),
    /// The run is over, and this is its report. Asking again answers the same.
    Done(Box<Report>),
}

/// What is known of a run while it goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Whether the run is over.
    pub finished: bool,
    /// Whether a stop was asked for.
    pub stopping: bool,
    /// The slice that is played, from 0.
    pub slice: u32,
    /// How many batches play.
    pub batches_live: u32,
    /// How many seconds of the time line are published.
    pub seconds_published: u32,
    /// Requests sent, as far as the batches have told.
    pub requests_sent: u64,
    /// Iterations begun, as far as the batches have told.
    pub iterations_started: u64,
    /// How many holes the measurements have so far.
    pub holes: u32,
}

impl LossReason {
    /// Whether a batch was given up, so that frames of it may still come.
    #[must_use]
    pub const fn is_loss(self) -> bool {
        !matches!(
            self,
            Self::LeaseExpired | Self::Waited | Self::ShardRestarted
        )
    }
}

impl RunConfig {
    /// Where the batches of a line were asked to be, `None` anywhere.
    #[must_use]
    pub fn region_of(&self, line: u32) -> Option<&str> {
        let shard = self.shards.get(usize::try_from(line).ok()?)?;
        shard.region.as_deref()
    }

    /// The line through which a batch is heard. A batch beyond those of all shards belongs to the last one.
    #[must_use]
    pub fn line_of(&self, batch: u32) -> u32 {
        if self.shards.is_empty() {
            return batch;
        }
        let mut before = 0_u32;
        for (shard, plan) in (0..).zip(&self.shards) {
            before = before.saturating_add(plan.batches);
            if batch < before {
                return shard;
            }
        }
        u32::try_from(self.shards.len() - 1).unwrap_or(u32::MAX)
    }
}
