//! The run machine: hands out the shares of a plan slice by slice, merges what comes back, judges it.
//!
//! **After every [`Run::handle_input`], call [`Run::poll_output`] until it answers [`Output::WakeAt`] or
//! [`Output::Done`].** A wake that comes too early, or twice, changes nothing. [`Output::Persist`] comes
//! before whatever depends on it, so that a driver that obeys the order survives a crash at any point: it
//! gives what it stored to [`Run::restore`] and goes on with [`Run::poll_output`].
//!
//! | state | input | next state | puts out |
//! | --- | --- | --- | --- |
//! | new | wake | in setup, if the plan has one | how far it is, its assignment |
//! | in setup | frame | in setup | how far it is |
//! | in setup | it succeeded | playing slice 0 | how far it is, slice started, assignments |
//! | in setup | it failed, or stop | finished | how far it is, the stop to persist, checkpoint, report |
//! | new | wake | playing slice 0 | slice started, assignments |
//! | playing | bundle | playing | the bundle to persist, rows that became final |
//! | playing | last batch ended or lost | playing the next slice | checkpoint, slice started, assignments |
//! | playing | no batch could be started | waiting, longer each time | checkpoint |
//! | playing | nothing left to play | in teardown, if the plan has one | rows, checkpoint, how far it is, its assignment |
//! | in teardown | its end, or its loss | finished | how far it is, report |
//! | playing | nothing left to play | finished | rows, checkpoint, report |
//! | waiting | wake when the wait is over | playing the next slice | slice started, assignments |
//! | any | stop | playing until the last bundles are in | the stop to persist, a stop for each line |
//!
//! A run hears its batches through lines, and each line tells a [`Bundle`](crate::bundle::Bundle) a second: in
//! a small run each batch has a line of its own, in a large one a [`Shard`](crate::shard::Shard) speaks for up
//! to some thirty.
//!
//! Invariant: a line's bundles are merged in the order of their sequence and never twice, so that neither
//! duplicates nor reordering change a result, and what is known of a lost batch is always a whole beginning
//! of its story.

mod assign;
mod book;
mod coverage;
mod finish;
mod hear;
mod judging;
mod live;
mod machine;
mod once;
mod out;
mod places;
mod publish;
mod restore;
mod share_book;
mod sizing;
mod slice;
mod stages;
mod stored;
mod types;

pub use assign::HANDS_OVER_AFTER;
pub(crate) use book::Book;
pub use book::{FAULTS_MAX, HOLES_MAX, Hole, LedgerFault, PAUSE_MAX};
pub(crate) use judging::Judging;
pub use live::{LiveMeasured, LiveReport, LiveStep};
pub(crate) use once::{OnceBook, OnceState};
pub use publish::{ROWS_MAX, seconds_per_row};
pub use sizing::{Capacity, Spread, TooLarge};
pub use stages::Run;
pub use stored::{
    CHECKPOINT_VERSION, Checkpoint, OnceRecord, RECORD_BYTES_MAX, Record, RestoreError,
    SliceStarted, Stop, Stored,
};
pub use types::{Input, LossReason, Output, Progress, RunConfig, ShardPlan, StopReason};
