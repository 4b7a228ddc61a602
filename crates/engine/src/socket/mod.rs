//! Sessions over a WebSocket: what is waited for on them, and what they measure.
//!
//! Invariant: whatever a target sends, a session keeps a bounded number of messages and of answers that it waits
//! for, and every one of these ends exactly once.

mod session;
mod window;

pub(crate) use session::{Late, Meaning, Session, exchange, json_of, key_of, text_at};
pub use window::{KINDS_MAX, MessageWindow, OTHER_KIND, SessionEnd, SessionWindow};
