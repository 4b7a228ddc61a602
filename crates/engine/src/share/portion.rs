//! Which part of a plan somebody plays: a segment of the whole, a share of that, or both.

use super::equal::Share;
use super::segment::{Segment, SegmentError, SegmentSequence};
use super::split::Split;
use super::stripes::Stripes;

/// A part of a plan, possibly a part of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portion {
    levels: Vec<Level>, // the outermost first; without any, it is the whole
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Level {
    Share(Share),
    Part { split: Split, place: usize },
}

impl Portion {
    /// The whole plan.
    #[must_use]
    pub const fn whole() -> Self {
        Self { levels: Vec::new() }
    }

    /// The part of the plan in k6's execution segment; without a sequence, the segment's neighbours are what
    /// is before and what is behind it.
    ///
    /// # Errors
    /// The segment is not in the sequence, or the fractions have no small common denominator.
    pub fn segment(
        segment: &Segment,
        sequence: Option<&SegmentSequence>,
    ) -> Result<Self, SegmentError> {
        let (split, place) = segment.split(sequence)?;
        Ok(Self {
            levels: vec![Level::Part { split, place }],
        })
    }

    /// The part of this portion that is the share.
    #[must_use]
    pub fn share(mut self, share: Share) -> Self {
        if share != Share::WHOLE {
            self.levels.push(Level::Share(share));
        }
        self
    }

    /// The virtual users that belong to the portion.
    #[must_use]
    pub fn stripes(&self) -> Stripes {
        let levels = self.levels.iter();
        levels.fold(Stripes::whole(), |outer, level| {
            outer.within(level.stripes())
        })
    }

    /// The iterations or arrivals that belong to the portion when `users` virtual users play them all: as
    /// many as its users are of all users. Nothing when the portion has no user.
    #[must_use]
    pub fn scaled(&self, users: u64) -> Stripes {
        let mut stripes = Stripes::whole();
        let mut users = users;
        for level in &self.levels {
            stripes = stripes.within(level.scaled(users));
            users = level.stripes().count_of(users);
        }
        if users == 0 {
            return Stripes::new(1, []);
        }
        stripes
    }
}

impl From<Share> for Portion {
    fn from(share: Share) -> Self {
        Self::whole().share(share)
    }
}

impl From<&Portion> for Stripes {
    fn from(portion: &Portion) -> Self {
        portion.stripes()
    }
}

impl Level {
    fn stripes(&self) -> Stripes {
        match self {
            Self::Share(share) => Stripes::from(*share),
            Self::Part { split, place } => split.stripes(*place),
        }
    }

    fn scaled(&self, users: u64) -> Stripes {
        match self {
            Self::Share(share) if users.is_multiple_of(u64::from(share.of())) => {
                Stripes::from(*share)
            }
            Self::Share(share) => {
                match (Split::equal(share.of()), usize::try_from(share.index())) {
                    (Some(split), Ok(place)) => split.scaled(users).stripes(place),
                    _ => Stripes::from(*share),
                }
            }
            Self::Part { split, place } => split.scaled(users).stripes(*place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shares(of: u32) -> impl Iterator<Item = Share> {
        (0..of).filter_map(move |index| Share::new(index, of))
    }

    /// How often each of the first 400 numbers is owned.
    fn owners(parts: &[Stripes]) -> Vec<usize> {
        (0..400)
            .map(|n| parts.iter().filter(|part| part.owns(n)).count())
            .collect()
    }

    #[test]
    fn shares_without_users_get_no_arrivals() {
        let scaled: Vec<Stripes> = shares(30).map(|s| Portion::from(s).scaled(10)).collect();
        assert_eq!(owners(&scaled), vec![1; 400]);
        let with_work = scaled
            .iter()
            .filter(|part| part.count_of(400) == 40)
            .count();
        assert_eq!(with_work, 10);
        assert_eq!(
            Portion::whole().scaled(0).count_of(9),
            0,
            "nobody plays nothing"
        );
    }

    proptest! {
        #[test]
        fn shares_of_all_segments_make_up_the_whole(
            weights in prop::collection::vec(1_u64..20, 1..6),
            of in 1_u32..=30,
            users in 1_u64..200,
        ) {
            let split = Split::new(&weights).unwrap();
            let mut own_users = Vec::new();
            let mut arrivals = Vec::new();
            for place in 0..split.parts() {
                for share in shares(of) {
                    let level = Level::Part { split: split.clone(), place };
                    let portion = Portion { levels: vec![level] }.share(share);
                    let own = portion.stripes();
                    let scaled = portion.scaled(users);
                    prop_assert_eq!(own.count_of(users) == 0, scaled.count_of(1_000_000) == 0);
                    own_users.push(own);
                    arrivals.push(scaled);
                }
            }
            prop_assert_eq!(owners(&own_users), vec![1; 400]);
            prop_assert_eq!(owners(&arrivals), vec![1; 400]);
        }
    }
}
