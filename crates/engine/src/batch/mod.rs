//! The batch machine: plays one share of the plan's virtual users for one slice.
//!
//! **After every [`Batch::handle_input`], call [`Batch::poll_output`] until it answers
//! [`Output::WakeAt`] or [`Output::Done`].** A wake that comes too early, or twice, changes nothing.

mod machine;
mod types;

pub use machine::Batch;
pub use types::{Failure, Input, Output, Request, RequestId, WakeReason};
