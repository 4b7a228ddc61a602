//! HTTP for virtual users: each keeps connections of its own, as its browser would.
//!
//! Invariant: a request is sent at most once, unless the connection that it was given to had been closed before
//! anything of it was sent.

mod arguments;
mod client;
mod connect;
mod connection;
mod content;
mod failure;
mod gauge;
mod names;
mod origin;
mod pool;
mod proxy;
mod stream;
mod time;
mod tls;

pub(crate) use arguments::HttpArguments;
pub(crate) use client::{Answer, Client, Identity, pick};
pub(crate) use connect::Stream;
pub(crate) use stream::Heard;
