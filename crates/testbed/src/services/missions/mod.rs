//! A server of missions and specs: an HTTP API behind a key, and a WebSocket that tells what becomes of missions.

mod board;
mod routes;
mod specs;
mod subscriber;

pub(super) use routes::{Missions, OPERATIONS, operation};
pub(super) use subscriber::Subscriber;
