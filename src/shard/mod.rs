//! A shard: a Durable Object that speaks for some thirty batches of a large or regional run, so that the
//! coordinator hears one message a second of them, and so that they run in a region.
//!
//! Invariant: a shard plays only what a coordinator of this Worker orders, and stops its batches when nobody
//! hears it any more: when the coordinator is gone, or silent for longer than the lease.

mod driver;
mod name;
mod object;

pub(crate) use name::{ShardCall, ShardName};
pub(crate) use object::wait_until_ready;
