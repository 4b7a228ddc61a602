//! Maps and sets as sorted lists, with the interface of `BTreeMap` and `BTreeSet`.
//!
//! A tree is compiled for each pair of types, and takes several times the code of a list: with the pairs of plans,
//! windows and reports that was a tenth of the Worker. Most maps here have few entries, or are filled in order, which
//! appends; there a list is quicker too. One that is large and changes in its middle remains a tree. Sorting has less
//! code here, too. Invariant: the
//! entries are in ascending order, and no key stands there twice.

mod iter;
mod map;
mod set;
mod sort;

pub use iter::{Iter, IterMut};
pub use map::{Entry, SortedMap};
pub use set::SortedSet;
pub use sort::sort_by;
