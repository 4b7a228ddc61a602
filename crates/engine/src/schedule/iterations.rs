//! Iterations by number: a common pile, or so many for each user.
//!
//! As in k6's `shared-iterations` and `per-vu-iterations`: what nobody has begun when the time is over is
//! dropped. Invariant: no iteration is handed out twice.

use crate::share::Stripes;

/// The iterations of one share that nobody has begun yet.
#[derive(Clone, Debug)]
pub struct SharedIterations {
    stripes: Stripes,
    planned: u64,
    begun: u64,
}

impl SharedIterations {
    /// The part of `iterations` that the stripes own: those of
    /// [`Portion::scaled`](crate::share::Portion::scaled), so that only shares with users have iterations.
    #[must_use]
    pub fn new(iterations: u64, stripes: Stripes) -> Self {
        Self {
            planned: stripes.count_of(iterations),
            begun: 0,
            stripes,
        }
    }

    /// Notes that iterations were begun earlier, up to all.
    #[must_use]
    pub fn with_begun(mut self, begun: u64) -> Self {
        self.begun = begun.min(self.planned);
        self
    }

    /// The number of the next iteration among those of all shares, `None` when all have been begun. Whoever
    /// is free first takes it.
    pub fn take(&mut self) -> Option<u64> {
        if self.begun >= self.planned {
            return None;
        }
        let number = self.stripes.global(self.begun)?;
        self.begun += 1;
        Some(number)
    }

    /// How many iterations the share has.
    #[must_use]
    pub const fn planned(&self) -> u64 {
        self.planned
    }

    /// How many have not been begun: dropped, if the time is over.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.planned - self.begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::{Portion, Share};

    #[test]
    fn all_shares_together_hand_out_each_iteration_once() {
        for of in 1..=30 {
            let mut taken = Vec::new();
            for index in 0..of {
                let portion = Portion::from(Share::new(index, of).unwrap());
                let mut shared = SharedIterations::new(100, portion.scaled(7));
                let users = portion.stripes().count_of(7);
                assert_eq!(shared.planned() == 0, users == 0, "{of} shares");
                while let Some(number) = shared.take() {
                    taken.push(number);
                }
                assert_eq!(shared.left(), 0);
            }
            taken.sort_unstable();
            assert_eq!(taken, (0..100).collect::<Vec<u64>>(), "{of} shares");
        }
    }

    #[test]
    fn a_later_slice_goes_on_where_the_last_one_ended() {
        let mut shared = SharedIterations::new(5, Stripes::whole()).with_begun(3);
        assert_eq!((shared.take(), shared.left()), (Some(3), 1));
        assert_eq!(
            SharedIterations::new(5, Stripes::whole())
                .with_begun(9)
                .left(),
            0
        );
    }
}
