//! The virtual users that play the iterations of an arrival rate.
//!
//! As in k6's arrival-rate executors, an arrival that finds no free user is dropped and never caught up, and
//! one more user is readied for later arrivals while there are fewer than the maximum. Invariant: a user is
//! either free or at work, and never more than the maximum exist.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::share::Stripes;
use crate::vu::VuId;

/// The users of one share.
#[derive(Clone, Debug)]
pub struct VuPool {
    stripes: Stripes,
    free: BinaryHeap<Reverse<u32>>, // by number, the lowest is taken first
    users: u64,
    users_max: u64,
    warned: bool,
}

/// What becomes of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// This user plays it.
    User(VuId),
    /// Nobody is free: it is dropped. A further user is ready from now on, unless all exist already.
    Dropped {
        /// The user that was readied.
        readied: Option<VuId>,
        /// Whether this is the first arrival that finds all users at work although no more may exist: the
        /// moment for the one warning that k6 gives too.
        exhausted_first: bool,
    },
}

impl VuPool {
    /// The part that `stripes` own of `pre_allocated` users at the start and `max` users at most.
    #[must_use]
    pub fn new(pre_allocated: u32, max: u32, stripes: impl Into<Stripes>) -> Self {
        let stripes = stripes.into();
        let users = stripes.count_of(u64::from(pre_allocated));
        let mut pool = Self {
            users: 0,
            users_max: stripes.count_of(u64::from(max)).max(users),
            free: BinaryHeap::new(),
            warned: false,
            stripes,
        };
        for _ in 0..users {
            pool.ready_another();
        }
        pool
    }

    /// Goes on from an earlier slice in which `users` users existed, of whom some are at work.
    pub fn resume(&mut self, users: u64, is_busy: impl Fn(VuId) -> bool) {
        while self.users < users && self.ready_another().is_some() {}
        self.free.retain(|Reverse(number)| !is_busy(VuId(*number)));
    }

    /// How many users exist.
    #[must_use]
    pub const fn users(&self) -> u64 {
        self.users
    }

    /// How many users are free.
    #[must_use]
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Finds a user for an arrival.
    pub fn take(&mut self) -> Taken {
        if let Some(Reverse(number)) = self.free.pop() {
            return Taken::User(VuId(number));
        }
        let readied = self.ready_another();
        let exhausted_first = readied.is_none() && !self.warned;
        self.warned |= exhausted_first;
        Taken::Dropped {
            readied,
            exhausted_first,
        }
    }

    /// Takes the user back after its iteration. Each user is given back once.
    pub fn give_back(&mut self, vu: VuId) {
        self.free.push(Reverse(vu.0));
    }

    fn ready_another(&mut self) -> Option<VuId> {
        if self.users >= self.users_max {
            return None;
        }
        let number = u32::try_from(self.stripes.global(self.users)?).ok()?;
        self.users += 1;
        self.free.push(Reverse(number));
        Some(VuId(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::Share;

    #[test]
    fn who_finds_nobody_is_dropped_and_warned_about_once() {
        // k6's CAR-2: five users that never come back play five of ten arrivals.
        let mut pool = VuPool::new(5, 5, Share::WHOLE);
        let taken: Vec<Taken> = (0..10).map(|_| pool.take()).collect();
        let started: Vec<u32> = taken
            .iter()
            .filter_map(|taken| match taken {
                Taken::User(vu) => Some(vu.0),
                Taken::Dropped { .. } => None,
            })
            .collect();
        assert_eq!(started, [0, 1, 2, 3, 4]);
        let warnings = taken.iter().filter(|taken| {
            matches!(
                taken,
                Taken::Dropped {
                    exhausted_first: true,
                    ..
                }
            )
        });
        assert_eq!(warnings.count(), 1);
        pool.give_back(VuId(3));
        assert_eq!(pool.take(), Taken::User(VuId(3)));
    }

    #[test]
    fn the_pool_grows_by_one_with_each_dropped_arrival() {
        let share = Share::new(1, 2).unwrap();
        let mut pool = VuPool::new(2, 6, share);
        assert_eq!((pool.users(), pool.free()), (1, 1));
        assert_eq!(pool.take(), Taken::User(VuId(1)));
        let readied = |vu| Taken::Dropped {
            readied: Some(VuId(vu)),
            exhausted_first: false,
        };
        assert_eq!(pool.take(), readied(3));
        assert_eq!(pool.take(), Taken::User(VuId(3)));
        assert_eq!(pool.take(), readied(5));
        assert_eq!(pool.take(), Taken::User(VuId(5)));
        assert_eq!(
            pool.take(),
            Taken::Dropped {
                readied: None,
                exhausted_first: true
            }
        );
        assert_eq!(pool.users(), 3);
    }

    #[test]
    fn the_lowest_free_number_works_first() {
        let mut pool = VuPool::new(3, 3, Share::WHOLE);
        for _ in 0..3 {
            pool.take();
        }
        for number in [2, 0, 1] {
            pool.give_back(VuId(number));
        }
        assert_eq!(pool.take(), Taken::User(VuId(0)));
    }
}
