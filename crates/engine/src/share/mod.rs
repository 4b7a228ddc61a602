//! How a plan is split: who owns which virtual user, iteration or arrival.
//!
//! A [`Share`] is one of several equal parts. A [`Segment`] is k6's execution segment: a part of any size, cut
//! out of the whole by a [`SegmentSequence`]. Both become a [`Portion`], and a portion becomes [`Stripes`]: the
//! numbers that it owns, interleaved with those of the other parts.
//!
//! Invariant: over all parts of one split, each number belongs to exactly one part.

mod equal;
mod portion;
mod segment;
mod split;
mod stripes;

pub use equal::Share;
pub use portion::Portion;
pub use segment::{Segment, SegmentError, SegmentSequence};
pub use split::{CYCLE_MAX, Split};
pub use stripes::Stripes;
