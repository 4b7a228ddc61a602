//! Platforms with state that scenarios are played against: a server of missions and specs, a side panel that speaks
//! JSON-RPC over WebSockets, a chat runtime that streams its answers. docs/testbed.md has their interfaces.
//!
//! Invariant: what they keep is bounded whatever clients send, and each of their operations does what it promises
//! unless it was told to be slow or to fail.

mod chat;
mod fault;
mod missions;
mod platform;
mod process;
mod reply;
mod sidepanel;
mod talk;

pub(crate) use platform::Platform;
pub use platform::Service;
pub(crate) use reply::{Call, Reply};
pub(crate) use talk::converse;
