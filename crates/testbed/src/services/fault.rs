//! What goes wrong on purpose: operations that are slow, that fail, or that answer something else than they promise.
//!
//! Invariant: whether the n-th call of an operation is struck depends on the seed and on n alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::RngExt as _;

use crate::delay::{self, Delay};
use crate::query::{BadQuery, Query};

/// The faults of a platform, by operation.
#[derive(Debug)]
pub(crate) struct Faults {
    operations: &'static [&'static str],
    told: Mutex<BTreeMap<&'static str, Arc<Fault>>>,
}

#[derive(Debug)]
struct Fault {
    delay: Delay,
    share: f64,
    how: How,
    calls: AtomicU64,
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It is refused: 500, or an error in the protocol's own words.
    Fail,
    /// What it answers lacks what it promises.
    Garble,
    /// It is never answered.
    Mute,
    /// Its connection ends.
    Drop,
}

/// Why there is no such fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoFault {
    /// The platform has no such operation.
    #[error("{asked:?} is no operation: there are {}", .known.join(", "))]
    Operation {
        asked: String,
        known: &'static [&'static str],
    },
    /// A parameter is not understood.
    #[error(transparent)]
    Query(#[from] BadQuery),
}

impl Faults {
    /// None yet, for a platform with these operations.
    pub(crate) fn new(operations: &'static [&'static str]) -> Self {
        Self {
            operations,
            told: Mutex::default(),
        }
    }

    /// From now on the operation is as slow as a delay of the query says, and the `share` of its calls goes wrong as
    /// `how` says.
    pub(crate) fn set(&self, operation: &str, query: &str) -> Result<(), NoFault> {
        let mut known = self.operations.iter();
        let operation = known.find(|known| **known == operation).ok_or_else(|| {
            let asked = operation.chars().take(SHOWN_CHARS_MAX).collect();
            NoFault::Operation {
                asked,
                known: self.operations,
            }
        })?;
        let mut query = Query::parse(query);
        let ways = [
            ("fail", How::Fail),
            ("garble", How::Garble),
            ("mute", How::Mute),
            ("drop", How::Drop),
        ];
        let delay = Delay::of(&mut query)?;
        let how = query.word("how", "fail, garble, mute or drop", &ways)?;
        let share = query.share("share")?;
        query.finish()?;
        let fault = Fault {
            delay,
            share: share.unwrap_or(if how.is_some() { 1.0 } else { 0.0 }),
            how: how.unwrap_or(How::Fail),
            calls: AtomicU64::new(0),
        };
        self.told().insert(operation, Arc::new(fault));
        Ok(())
    }

    /// From now on everything does what it promises.
    pub(crate) fn clear(&self) {
        self.told().clear();
    }

    /// Waits as long as a call of the operation has to, and says whether it goes wrong.
    pub(crate) async fn strike(&self, operation: &str) -> Option<How> {
        let fault = self.told().get(operation).cloned()?;
        let nth = fault.calls.fetch_add(1, Ordering::Relaxed) + 1;
        fault.delay.wait(nth).await;
        let drawn = delay::random(fault.delay.seed(), nth).random::<f64>();
        (drawn < fault.share).then_some(fault.how)
    }

    fn told(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<Fault>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much of an unknown name is shown.
const SHOWN_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_share_of_the_calls_goes_wrong_until_it_is_cleared() {
        let faults = Faults::new(&["list"]);
        assert_eq!(faults.strike("list").await, None);
        faults.set("list", "share=0.25&how=garble").unwrap();
        let mut struck = 0;
        for _ in 0..4_000 {
            struck += u32::from(faults.strike("list").await == Some(How::Garble));
        }
        assert!((900..1_100).contains(&struck), "{struck}");
        faults.clear();
        assert_eq!(faults.strike("list").await, None);
    }

    #[test]
    fn what_is_not_known_is_refused_with_what_is() {
        let faults = Faults::new(&["list", "get"]);
        let told = |operation, query| faults.set(operation, query).unwrap_err().to_string();
        assert_eq!(
            told("lost", ""),
            "\"lost\" is no operation: there are list, get"
        );
        assert_eq!(
            told("list", "how=badly"),
            "how=badly is not fail, garble, mute or drop"
        );
    }
}
