//! How many calls each object received, for tests of whoever calls them.
//!
//! The isolate counts, in memory, and forgets it when it ends: in local development it holds all
//! objects, so that the counts are exact. Invariant: a bounded number of objects is told apart.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;
use worker::Method;

/// Objects beyond so many are counted together, under the name `others` of their class.
const OBJECTS_MAX: usize = 10_000;
const OTHERS: &str = "others";

/// The calls that one object received.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Calls {
    /// With the method GET.
    reads: u64,
    /// With any other.
    writes: u64,
}

/// Calls by the names of classes and objects.
pub(crate) type Received = BTreeMap<&'static str, BTreeMap<String, Calls>>;

thread_local! {
    static RECEIVED: RefCell<Received> = const { RefCell::new(BTreeMap::new()) };
}

/// Counts a call that has just arrived.
pub(super) fn arrived(class: &'static str, name: &str, method: &Method) {
    RECEIVED.with_borrow_mut(|received| count(received, class, name, method));
}

/// The calls of all objects since the isolate began.
pub(crate) fn received() -> Received {
    RECEIVED.with_borrow(Clone::clone)
}

fn count(received: &mut Received, class: &'static str, name: &str, method: &Method) {
    let known: usize = received.values().map(BTreeMap::len).sum();
    let objects = received.entry(class).or_default();
    let is_full = known >= OBJECTS_MAX && !objects.contains_key(name);
    let name = if is_full { OTHERS } else { name };
    let calls = match objects.get_mut(name) {
        Some(calls) => calls,
        None => objects.entry(name.to_owned()).or_default(),
    };
    match method {
        Method::Get => calls.reads += 1,
        _ => calls.writes += 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_object_in_bounded_memory() {
        let mut received = Received::new();
        for at in 0..OBJECTS_MAX + 5 {
            count(&mut received, "PostDO", &format!("post:{at}"), &Method::Get);
        }
        count(&mut received, "PostDO", "post:1", &Method::Post);
        let posts = &received["PostDO"];
        let calls = |reads, writes| Calls { reads, writes };
        assert_eq!(posts["post:1"], calls(1, 1));
        assert_eq!(posts[OTHERS], calls(5, 0));
        assert_eq!(posts.len(), OBJECTS_MAX + 1);
    }
}
