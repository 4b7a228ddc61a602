//! The closed model: a number of virtual users that changes in stages.
//!
//! As in k6's `ramping-vus` (k6: lib/executor/ramping_vus.go), a stage from `a` to `b` users over `d` changes
//! the number by one at `d·j/|b−a|` for j = 1, 2, …; a stage without duration jumps; after the last stage
//! everybody stops. Users form a stack: the one that started last stops first.

use crate::plan::Stage;
use crate::share::Stripes;
use crate::tick::{Span, Tick};
use crate::vu::VuId;

/// A user starts or stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VuChange {
    /// The user begins to repeat iterations.
    Start(VuId),
    /// The user begins no further iteration.
    Stop(VuId),
}

/// The changes of one share's users, in order of time.
#[derive(Clone, Debug)]
pub struct RampingVus {
    stripes: Stripes,
    segments: Vec<Segment>,
    segment: usize, // index of the segment that is played, in [0, segments.len()]
    active: u64,    // users of this share that are active
    upcoming: Upcoming,
}

/// The next change, which is asked for at each event and comes once in a while.
#[derive(Clone, Copy, Debug)]
enum Upcoming {
    Unknown,
    Known(Option<(Tick, VuChange)>),
}

/// A stage, or one of the jumps at the beginning and the end, with its place in time.
#[derive(Clone, Copy, Debug)]
struct Segment {
    start: Tick,
    duration: Span,
    from: u32,
    to: u32,
}

impl RampingVus {
    /// The changes that a share or portion plays: `start_users` at once, then the stages, then everybody stops.
    #[must_use]
    pub fn new(start_users: u32, stages: &[Stage], stripes: impl Into<Stripes>) -> Self {
        let mut at = Tick::ZERO;
        let mut users = start_users;
        let mut segments = vec![Segment {
            start: at,
            duration: Span::ZERO,
            from: 0,
            to: start_users,
        }];
        for stage in stages {
            segments.push(Segment {
                start: at,
                duration: stage.duration,
                from: users,
                to: stage.target,
            });
            at += stage.duration;
            users = stage.target;
        }
        segments.push(Segment {
            start: at,
            duration: Span::ZERO,
            from: users,
            to: 0,
        });
        Self {
            stripes: stripes.into(),
            segments,
            segment: 0,
            active: 0,
            upcoming: Upcoming::Unknown,
        }
    }

    /// When the next change happens, `None` when there is none left.
    #[must_use]
    pub fn next_at(&mut self) -> Option<Tick> {
        self.upcoming().map(|(at, _)| at)
    }

    /// Takes the next change if it happens at or before `now`.
    pub fn pop(&mut self, now: Tick) -> Option<(Tick, VuChange)> {
        let (at, change) = self.upcoming().filter(|(at, _)| *at <= now)?;
        match change {
            VuChange::Start(_) => self.active += 1,
            VuChange::Stop(_) => self.active -= 1,
        }
        self.upcoming = Upcoming::Unknown;
        Some((at, change))
    }

    /// Whether the next change belongs to the end of the schedule, at which everybody stops, and not to a stage.
    #[must_use]
    pub fn is_ending(&mut self) -> bool {
        self.upcoming().is_none() || self.segment + 1 == self.segments.len()
    }

    /// How many of the share's users are active: those with the lowest numbers.
    #[must_use]
    pub const fn active(&self) -> u64 {
        self.active
    }

    /// The next change, moving on over segments that have none left.
    fn upcoming(&mut self) -> Option<(Tick, VuChange)> {
        if let Upcoming::Known(next) = self.upcoming {
            return next;
        }
        let next = self.find_upcoming();
        self.upcoming = Upcoming::Known(next);
        next
    }

    fn find_upcoming(&mut self) -> Option<(Tick, VuChange)> {
        loop {
            let segment = self.segments.get(self.segment)?;
            if let Some(next) = segment.change_after(&self.stripes, self.active) {
                return Some(next);
            }
            self.segment += 1;
        }
    }
}

impl Segment {
    /// The change that comes when `active` users of the share are active, `None` when the segment is over.
    fn change_after(&self, stripes: &Stripes, active: u64) -> Option<(Tick, VuChange)> {
        let target = stripes.count_of(u64::from(self.to));
        if active < target {
            let vu = stripes.global(active)?;
            let step = (vu + 1).saturating_sub(u64::from(self.from));
            Some((self.time_of_step(step), VuChange::Start(vu_id(vu))))
        } else if active > target {
            let vu = stripes.global(active - 1)?;
            let step = u64::from(self.from).saturating_sub(vu);
            Some((self.time_of_step(step), VuChange::Stop(vu_id(vu))))
        } else {
            None
        }
    }

    /// When the number of users has moved by `step`.
    fn time_of_step(&self, step: u64) -> Tick {
        let steps = u64::from(self.from.abs_diff(self.to)).max(1);
        let offset = u128::from(self.duration.as_us()) * u128::from(step) / u128::from(steps);
        self.start + Span::from_us(u64::try_from(offset).unwrap_or(u64::MAX))
    }
}

/// User numbers come from `u32` stage targets, so they always fit.
fn vu_id(global: u64) -> VuId {
    VuId(u32::try_from(global).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::Share;

    fn stage(target: u32, seconds: u64) -> Stage {
        Stage {
            duration: Span::from_secs(seconds),
            target,
        }
    }

    fn changes(start: u32, stages: &[Stage], share: Share) -> Vec<(Tick, VuChange)> {
        let mut schedule = RampingVus::new(start, stages, share);
        std::iter::from_fn(|| schedule.pop(Tick::NEVER)).collect()
    }

    /// The number of users after each point at which it changes, as (seconds, users).
    fn steps(start: u32, stages: &[Stage]) -> Vec<(f64, i64)> {
        let mut users = 0;
        let mut steps: Vec<(f64, i64)> = Vec::new();
        for (at, change) in changes(start, stages, Share::WHOLE) {
            users += if matches!(change, VuChange::Start(_)) {
                1
            } else {
                -1
            };
            let at = Span::from_us(at.as_us()).as_secs_f64();
            match steps.last_mut() {
                Some(last) if last.0 == at => last.1 = users,
                _ => steps.push((at, users)),
            }
        }
        steps
    }

    #[test]
    fn a_long_profile_steps_as_in_k6() {
        let stages = [
            stage(6, 2),
            stage(1, 5),
            stage(5, 4),
            stage(1, 4),
            stage(4, 3),
            stage(4, 2),
            stage(1, 0),
            stage(1, 3),
        ];
        let expected = [
            (0, 4),
            (1, 5),
            (2, 6),
            (3, 5),
            (4, 4),
            (5, 3),
            (6, 2),
            (7, 1),
            (8, 2),
            (9, 3),
            (10, 4),
            (11, 5),
            (12, 4),
            (13, 3),
            (14, 2),
            (15, 1),
            (16, 2),
            (17, 3),
            (18, 4),
            (20, 1),
            (23, 0),
        ];
        let expected: Vec<(f64, i64)> = expected.map(|(at, users)| (f64::from(at), users)).to_vec();
        assert_eq!(steps(4, &stages), expected);
    }

    #[test]
    fn a_ramp_from_nothing_starts_its_first_user_after_one_step() {
        assert_eq!(
            steps(0, &[stage(4, 2)]),
            [(0.5, 1), (1.0, 2), (1.5, 3), (2.0, 0)]
        );
    }

    #[test]
    fn users_form_a_stack() {
        let order: Vec<VuChange> = changes(0, &[stage(2, 2), stage(0, 2)], Share::WHOLE)
            .into_iter()
            .map(|(_, c)| c)
            .collect();
        use VuChange::{Start, Stop};
        assert_eq!(
            order,
            [Start(VuId(0)), Start(VuId(1)), Stop(VuId(1)), Stop(VuId(0))]
        );
    }

    #[test]
    fn the_union_of_all_shares_is_the_plan() {
        let stages = [
            stage(17, 3),
            stage(5, 2),
            stage(5, 1),
            stage(11, 0),
            stage(2, 4),
        ];
        let key = |(at, change): &(Tick, VuChange)| match change {
            VuChange::Start(vu) => (*at, vu.0, 0),
            VuChange::Stop(vu) => (*at, vu.0, 1),
        };
        let mut whole: Vec<_> = changes(3, &stages, Share::WHOLE).iter().map(key).collect();
        whole.sort_unstable();
        for of in 1..=8 {
            let shares = (0..of).filter_map(|index| Share::new(index, of));
            let mut union: Vec<_> = shares
                .flat_map(|share| changes(3, &stages, share))
                .map(|c| key(&c))
                .collect();
            union.sort_unstable();
            assert_eq!(union, whole, "{of} shares");
        }
    }

    #[test]
    fn nothing_happens_before_its_time() {
        let mut schedule = RampingVus::new(0, &[stage(1, 10)], Share::WHOLE);
        assert_eq!(schedule.next_at(), Some(Tick::from_second(10)));
        assert_eq!(schedule.pop(Tick::from_ms(9_999)), None);
    }
}
