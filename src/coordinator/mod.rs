//! The RunCoordinator: a Durable Object for each run, which drives the engine's `Run` slice by slice.
//!
//! Invariant: what the run depends on is in the object's SQLite before it happens, so that the object can be
//! lost at any moment and goes on from there; and its alarm is set as long as the run is not over.

mod drive;
mod event;
mod object;
mod order;
mod publish;
mod store;
mod stub;

pub(crate) use order::{Allowance, RunOrder};
pub(crate) use stub::{Known, Seen, Stub};
