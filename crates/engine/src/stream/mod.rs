//! Reading the answer of a request event by event, while it arrives.
//!
//! Invariant: whatever bytes come, in whatever pieces, reading them needs bounded memory and time in proportion to
//! their number, and every stream ends for exactly one of the reasons of [`StreamEnd`].

mod decoder;
mod reader;
mod window;

pub(crate) use reader::{Observed, Reader};
pub use window::{StreamEnd, StreamWindow};
