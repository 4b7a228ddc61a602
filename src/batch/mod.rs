//! A batch: one share of a run's users, playing one slice in an invocation of its own.
//!
//! Invariant: a batch plays only what a coordinator has signed, answers its headers at once, and ends by itself
//! when nobody listens: when its coordinator is gone, silent for longer than the lease, or the cancel flag is
//! set.

mod body;
mod callbacks;
mod driver;
mod endpoint;
mod failure;
mod message;
mod order;
mod told;

pub(crate) use endpoint::answer;
pub(crate) use order::BatchOrder;
