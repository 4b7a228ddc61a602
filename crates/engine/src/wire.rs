//! What travels between a run and its batches.
//!
//! Invariant: every message carries the version of its format and the key (run, slice, batch, sequence)
//! that makes merging it twice impossible.

use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

use crate::cloudflare::Colo;
use crate::plan::RunPart;
use crate::share::Share;
use crate::tick::{Span, Tick};
use crate::vu::{Away, VuCarry, VuId};
use crate::window::Window;

/// The version of [`Frame`] and [`Assignment`] that this code writes and reads.
pub const WIRE_VERSION: u32 = 3;

/// What one batch is to do in one slice of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Assignment {
    /// The format's version: [`WIRE_VERSION`].
    pub version: u32,
    /// The run's identifier.
    pub run: String,
    /// Which part of the run this is. What is played once is one slice of share 1 of 1, on a time line of its own
    /// that begins when it is handed out.
    #[serde(default)]
    pub part: RunPart,
    /// Unix time in milliseconds at which the part's time line begins: zero of all ticks here and in the frames.
    pub epoch_ms: u64,
    /// The slice, from 0; of what is played once, [`RunPart::slice`].
    pub slice: u32,
    /// Which part of the plan this batch plays. The batch's number is the share's index.
    pub share: Share,
    /// When the slice starts.
    pub from: Tick,
    /// When the slice ends: no request starts at or after this point.
    pub until: Tick,
    /// Up to where the share has been played: the end of its previous slice, the start of this one when that
    /// was lost, zero in the first slice. Users that became due before this point and are not in `carry`
    /// begin at `from`; those that became due later are late, and count as such.
    pub played_through: Tick,
    /// Virtual users that the previous slice handed over. Users that are due and not in here start afresh.
    pub carry: Vec<VuCarry>,
    /// Virtual users that still wait for an answer in an earlier slice. They come in while this one is played.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub away: Vec<Away>,
    /// How long after the slice's end the batch waits for all of its users before it hands over those that wait for
    /// no answer, and stays for the others. `None`: until all have been answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hands_over_after: Option<Span>,
    /// How many iterations of each scenario the share has begun in earlier slices, in the plan's order; missing
    /// ones have begun none.
    #[serde(default)]
    pub begun: Vec<u64>,
    /// What the setup hands over, in the order of [`Plan::handed_over`](crate::plan::Plan::handed_over). Every
    /// user begins with these values, and the users in `carry` have them where they have no other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handed_over: Vec<Option<String>>,
    /// How many requests of the batch may wait for response headers at once, `None` for no limit.
    #[serde(default)]
    pub slots: Option<NonZeroU16>,
}

/// What a batch sends once a second, and when it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Frame {
    /// The format's version: [`WIRE_VERSION`].
    pub version: u32,
    /// The slice that this belongs to.
    pub slice: u32,
    /// The batch that sends it.
    pub batch: u32,
    /// Counts up from 0 within the slice and batch.
    pub sequence: u32,
    /// Everything before this point is told: later frames of the batch hold only later windows.
    pub closed_through: Tick,
    /// The measurements.
    pub windows: Vec<Window>,
    /// Users that have come in after the others were handed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<VuCarry>,
    /// Present in a batch's last frame, and in the one with which it hands over users while others stay.
    #[serde(default)]
    pub end: Option<BatchEnd>,
}

/// How a batch ended its slice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BatchEnd {
    /// Why it ended.
    pub reason: EndReason,
    /// When it ended.
    pub at: Tick,
    /// The virtual users to go on with in the next slice.
    pub carry: Vec<VuCarry>,
    /// How many of them are in the middle of an iteration: the batch's own count, held against the ledger.
    pub iterations_open: u64,
    /// Users that still wait for an answer. As long as there are any, the batch goes on telling, and ends again when
    /// the last of them has come in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub out: Vec<Away>,
    /// Users that were away when the slice began and have not come in here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<VuId>,
    /// Of the setup: the values that it hands over, in the order of
    /// [`Plan::handed_over`](crate::plan::Plan::handed_over).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handed_over: Vec<Option<String>>,
    /// The data centre in which it ran, if an answer of the target told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colo: Option<Colo>,
}

/// Why a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The slice is over and the plan goes on.
    SliceOver,
    /// Everything that the plan has for this share is done.
    PlanDone,
    /// A stop was asked for.
    Stopped,
    /// The batch's lease ran out: nobody listened any more.
    LeaseExpired,
}
