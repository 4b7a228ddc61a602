//! A chat runtime: answers at once or token by token, conversations that it remembers, and chimes, which are words
//! that it adds of its own accord.

mod conversations;
mod metrics;
mod routes;
mod stream;

pub(super) use routes::{Chat, OPERATIONS, operation};
