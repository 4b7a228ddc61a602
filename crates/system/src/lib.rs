//! What the native programs ask of the operating system beyond what tokio gives them: timers whose steps are those of
//! the clock, and as many open files as they may have.

mod files;
mod timer;

pub use files::allow_many;
pub use timer::Timer;
