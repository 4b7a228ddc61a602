//! A target with known behaviour: what a load tester must measure right and must survive.
//!
//! Each path is a behaviour (delays, a queue of known capacity, errors, hanging, resets, broken answers) that
//! the query describes in full, so that many tests can use one testbed at once. It counts by itself what it
//! received, by path, by connection and by the batch that a request says it comes from, and answers the counts
//! as JSON under `/__testbed/`. Instead of the behaviours it can serve a platform with state, of which each
//! operation can be made slow or broken. docs/testbed.md has the tables of paths.
//!
//! Invariant: every request that arrives ends in exactly one column of each of its tallies, and what is random
//! depends on the seed and on the request's number on its path alone.

mod admin;
mod answer;
mod behaviour;
mod body;
mod capacity;
mod connection;
mod delay;
mod freeze;
mod ledger;
mod query;
mod server;
mod services;
mod socket;
mod sse;
mod stats;
mod visit;
mod wire;

pub use server::{Refused, Testbed};
pub use services::Service;
pub use stats::{
    BatchStats, ConnectionStats, Held, PathStats, SocketStats, Stats, StreamStats, Tally,
};
