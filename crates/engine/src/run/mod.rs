//! The run machine: hands out the shares of a plan slice by slice, merges what comes back, judges it.
//!
//! **After every [`Run::handle_input`], call [`Run::poll_output`] until it answers [`Output::WakeAt`] or
//! [`Output::Done`].** A wake that comes too early, or twice, changes nothing. [`Output::Persist`] comes
//! before whatever depends on it, so that a driver that obeys the order survives a crash at any point.

mod types;

pub use types::{Input, LossReason, Output, RunConfig, StopReason, Stored};
