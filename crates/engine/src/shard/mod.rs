//! The shard machine: starts the batches of one slice that are its own, merges what they measure, and tells
//! the run one [`Bundle`](crate::bundle::Bundle) a second.
//!
//! **After every [`Shard::handle_input`], call [`Shard::poll_output`] until it answers [`Output::WakeAt`] or
//! [`Output::Done`].** A wake that comes too early, or twice, changes nothing.
//!
//! | input | what it does |
//! | --- | --- |
//! | frame | merges it; once every batch has told a second, ships what is merged |
//! | batch lost | states it in the next bundle; the other batches play on |
//! | stop | stops its batches, and waits a little for their last frames |
//! | lease expired | stops its batches: nobody hears what they would tell |
//!
//! The users that a batch hands over at the end of a slice stay with the shard ([`Kept`]): the next slice goes
//! on with them, and they need not travel.
//!
//! Invariant: a batch's frames are merged in the order of their sequence and never twice, and a bundle holds
//! whole frames only, so that a run hears the same through a shard as without one.

mod machine;
mod types;

pub use machine::Shard;
pub use types::{Input, Kept, Output};
