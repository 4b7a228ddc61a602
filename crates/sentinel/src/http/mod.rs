//! HTTP for virtual users: each keeps connections of its own, as its browser would.
//!
//! Invariant: a request is sent at most once, unless the connection that it was given to had been closed before
//! anything of it was sent.

mod client;
mod connect;
mod origin;
mod stream;

pub(crate) use client::Client;
pub(crate) use connect::{Connector, Trust};
pub(crate) use stream::Heard;
