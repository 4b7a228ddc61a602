//! Filling ordered maps and sets, with little code.
//!
//! `collect` sorts all entries before it makes a map of them, which brings a whole sort for each pair of types: five
//! times the code of a loop that inserts. For many entries it would be quicker; here they are few.

use std::collections::{BTreeMap, BTreeSet};

/// A map of the entries; the last one of equal keys stays.
pub fn map<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    for (key, value) in entries {
        map.insert(key, value);
    }
    map
}

/// A set of the items.
pub fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    for item in items {
        set.insert(item);
    }
    set
}
