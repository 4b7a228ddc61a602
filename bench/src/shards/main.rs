//! What a large run costs its coordinator: 100,000 virtual users in 3,000 batches behind 100 shards, simulated.
//!
//! The coordinator is a process of its own that hears the bundles as the Durable Object does, as lines of JSON,
//! so that its CPU and its memory are its own. What is counted is all that it does with a line: reading it,
//! merging it, publishing, and writing the records that the object stores. Prints what each simulated second
//! cost, what a shard costs, and last the most expensive second as a part of the 50 ms that are promised.

mod coordinator;
mod cpu;
mod world;

use std::env;

/// The argument that makes this program the coordinator.
const COORDINATOR: &str = "--coordinator";

fn main() {
    if env::args().any(|argument| argument == COORDINATOR) {
        coordinator::serve();
    } else {
        world::play();
    }
}
