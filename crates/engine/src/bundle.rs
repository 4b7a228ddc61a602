//! What a run hears of its batches: one message a second for each line, whether the line leads to one batch
//! or to a shard that speaks for several, and up to ten while users come in late.
//!
//! Invariant: the sums of the windows are the sums of the news, so that neither has to be computed from the
//! other, and what is told twice has the same key (slice, line, sequence).

use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::phase::Phase;
use crate::run::LossReason;
use crate::sorted::SortedMap;
use crate::tick::{Span, Tick};
use crate::vu::VuCarry;
use crate::window::{Window, is_default};
use crate::wire::{Assignment, BatchEnd, Frame};

/// What one line tells since its last message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    /// The format's version: [`WIRE_VERSION`](crate::wire::WIRE_VERSION).
    pub version: u32,
    /// The slice that this belongs to.
    pub slice: u32,
    /// The line: the number of the shard, or that of the batch in a run without shards.
    pub line: u32,
    /// Counts up from 0 within the slice and line.
    pub sequence: u32,
    /// What all batches of the line measured together, one window for each second and phase. Their active
    /// users are not those of the windows but those of the news: users of one batch replace each other, those
    /// of several add up.
    pub windows: Vec<Window>,
    /// What each batch adds to the books, only batches with something to tell.
    pub news: Vec<BatchNews>,
    /// Frames that could not be used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ignored: u64,
    /// Of these, the ones that came after their batch was given up.
    #[serde(default, skip_serializing_if = "is_default")]
    pub late: u64,
}

/// What a run books for one batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BatchNews {
    /// The batch.
    pub batch: u32,
    /// Everything before this point is told.
    pub closed_through: Tick,
    /// What was planned, started, sent and ended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ledger: Ledger,
    /// Iterations begun, by scenario.
    #[serde(default, skip_serializing_if = "SortedMap::is_empty")]
    pub begun: SortedMap<u16, u64>,
    /// Users that were active at the end of each window, in the windows' order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<(u32, Phase, u32)>,
    /// Users that have come in after the others were handed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<VuCarry>,
    /// The batch began afresh, because its shard no longer had the users of the slice before.
    #[serde(default, skip_serializing_if = "is_default")]
    pub forgot: bool,
    /// How the batch ended its slice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<BatchEnd>,
    /// The batch is lost: it will tell nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<LossReason>,
}

/// What a shard is to do in one slice of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShardOrder {
    /// The format's version: [`WIRE_VERSION`](crate::wire::WIRE_VERSION).
    pub version: u32,
    /// The run's identifier.
    pub run: String,
    /// The slice, from 0.
    pub slice: u32,
    /// The shard, from 0.
    pub shard: u32,
    /// When the slice starts.
    pub from: Tick,
    /// When it ends.
    pub until: Tick,
    /// How long after the slice's end a batch may stay silent before it counts as lost.
    pub patience: Span,
    /// The batches that the shard starts.
    pub batches: Vec<ShardBatch>,
}

/// A batch of a shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShardBatch {
    /// What it plays, without the users that the shard has kept.
    pub assignment: Assignment,
    /// The slice at whose end the shard kept the users that go on in this one.
    #[serde(default)]
    pub resumes: Option<u32>,
}

impl BatchNews {
    /// Nothing yet about a batch that has told everything before `closed_through`.
    #[must_use]
    pub fn new(batch: u32, closed_through: Tick) -> Self {
        Self {
            batch,
            closed_through,
            ..Self::default()
        }
    }

    /// Whether the batch itself has told something.
    pub(crate) fn is_told(&self) -> bool {
        !self.users.is_empty() || self.end.is_some() || (self.lost.is_none() && !self.forgot)
    }

    /// Adds what a frame of the batch says beside its measurements.
    pub fn add(&mut self, frame: &mut Frame) {
        self.closed_through = self.closed_through.max(frame.closed_through);
        for window in &frame.windows {
            self.ledger += window.ledger;
            for (place, scenario) in &window.scenarios {
                if scenario.started > 0 {
                    *self.begun.entry(*place).or_default() += scenario.started;
                }
            }
            let users = (window.second, window.phase, window.active_users);
            self.users.push(users);
        }
        self.late.append(&mut frame.late);
        self.end = frame.end.take().or(self.end.take());
    }
}

impl From<Frame> for Bundle {
    /// The line of a batch that no shard speaks for: its number is the batch's.
    fn from(mut frame: Frame) -> Self {
        let mut news = BatchNews::new(frame.batch, frame.closed_through);
        news.add(&mut frame);
        Self {
            version: frame.version,
            slice: frame.slice,
            line: frame.batch,
            sequence: frame.sequence,
            windows: frame.windows,
            news: vec![news],
            ignored: 0,
            late: 0,
        }
    }
}
