//! A side panel: JSON-RPC 2.0 over a WebSocket, with sessions that outlive their connections.

mod calls;
mod metrics;
mod panel;
mod rpc;
mod session;
mod store;

pub(super) use panel::Panel;
pub(super) use store::{OPERATIONS, Sidepanel, operation};
