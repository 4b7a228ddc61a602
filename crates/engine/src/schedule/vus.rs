//! The closed model with its graces: who starts, who stops, and until when iterations may still finish.
//!
//! As in k6's `ramping-vus` and `constant-vus`: a user that a stage no longer needs may finish its iteration
//! within `gracefulRampDown`, one that is stopped by the end within `gracefulStop`, and nobody is left after
//! the end and `gracefulStop`.

use std::collections::VecDeque;

use super::ramping_vus::{RampingVus, VuChange};
use crate::plan::Stage;
use crate::share::Stripes;
use crate::tick::{Span, Tick};
use crate::vu::VuId;

/// The starts and stops of one share's users, in order of time.
#[derive(Clone, Debug)]
pub struct VuSchedule {
    changes: RampingVus,
    starts_at: Span,
    graceful_ramp_down: Span,
    latest: Tick, // nobody is left from here on
}

/// A user starts or stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VuEvent {
    /// The user begins to repeat iterations.
    Start(VuId),
    /// The user begins no further iteration.
    Stop {
        /// Which user.
        vu: VuId,
        /// Until when its iteration may take to finish.
        deadline: Tick,
    },
}

/// How long users may take to finish what they have begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Graces {
    /// After a stage no longer needs them.
    pub ramp_down: Span,
    /// After the end.
    pub stop: Span,
}

impl VuSchedule {
    /// `start_users` at once, then the stages, then everybody stops; all of it `starts_at` after the run's start.
    #[must_use]
    pub fn new(
        start_users: u32,
        stages: &[Stage],
        graces: Graces,
        starts_at: Span,
        stripes: impl Into<Stripes>,
    ) -> Self {
        Self {
            changes: RampingVus::new(start_users, stages, stripes),
            starts_at,
            graceful_ramp_down: graces.ramp_down,
            latest: end_of(stages) + starts_at + graces.stop,
        }
    }

    /// When the next change happens, `None` when there is none left.
    #[must_use]
    pub fn next_at(&mut self) -> Option<Tick> {
        self.changes.next_at().map(|at| at + self.starts_at)
    }

    /// Takes the next change if it happens at or before `now`.
    pub fn pop(&mut self, now: Tick) -> Option<(Tick, VuEvent)> {
        self.next_at().filter(|at| *at <= now)?;
        let ending = self.changes.is_ending();
        let (at, change) = self.changes.pop(Tick::NEVER)?;
        let at = at + self.starts_at;
        let event = match change {
            VuChange::Start(vu) => VuEvent::Start(vu),
            VuChange::Stop(vu) => VuEvent::Stop {
                vu,
                deadline: if ending {
                    self.latest
                } else {
                    (at + self.graceful_ramp_down).min(self.latest)
                },
            },
        };
        Some((at, event))
    }

    /// How many of the share's users are active.
    #[must_use]
    pub const fn active(&self) -> u64 {
        self.changes.active()
    }
}

/// How many users are active: from each point on, until the next. The list begins at 0 and ends with nobody;
/// of changes at the same time only the last is told.
#[must_use]
pub fn active_steps(
    start_users: u32,
    stages: &[Stage],
    stripes: impl Into<Stripes>,
) -> Vec<(Tick, u64)> {
    let mut changes = RampingVus::new(start_users, stages, stripes);
    let mut steps = vec![(Tick::ZERO, 0)];
    while let Some((at, _)) = changes.pop(Tick::NEVER) {
        tell(&mut steps, at, changes.active());
    }
    steps
}

/// How many users must be kept ready: those that are active, and those that may still finish an iteration
/// (k6: ramping_vus.go, `GetExecutionRequirements`). Unlike k6, which loses sight of users when the number
/// jumps down and then slowly rises again, this is the highest number that was active within the grace.
#[must_use]
pub fn reserved_steps(
    start_users: u32,
    stages: &[Stage],
    graces: Graces,
    stripes: impl Into<Stripes>,
) -> Vec<(Tick, u64)> {
    let mut changes = RampingVus::new(start_users, stages, stripes);
    let end = end_of(stages) + graces.stop;
    let mut steps = vec![(Tick::ZERO, 0)];
    // Numbers that were active, falling, each with the time from which it no longer counts.
    let mut reserved: VecDeque<(u64, Tick)> = VecDeque::new();
    loop {
        let next = changes.next_at().filter(|_| !changes.is_ending());
        let until = next.unwrap_or(end).min(end);
        while let Some(&(_, expires)) = reserved.front()
            && expires < until
        {
            reserved.pop_front();
            let left = reserved.front().map_or(0, |(users, _)| *users);
            tell(&mut steps, expires, left.max(changes.active()));
        }
        let Some((at, _)) = next.and_then(|at| {
            reserved.push_back((changes.active(), at + graces.ramp_down));
            changes.pop(Tick::NEVER)
        }) else {
            break;
        };
        let active = changes.active();
        while reserved.back().is_some_and(|(users, _)| *users <= active) {
            reserved.pop_back();
        }
        let highest = reserved.front().map_or(0, |(users, _)| *users);
        tell(&mut steps, at, highest.max(active));
    }
    tell(&mut steps, end, 0);
    steps
}

/// Notes the number of users from `at` on.
fn tell(steps: &mut Vec<(Tick, u64)>, at: Tick, users: u64) {
    match steps.last_mut() {
        Some((last_at, last)) if *last_at == at => *last = users,
        Some((_, last)) if *last == users => {}
        _ => steps.push((at, users)),
    }
    // What changed and changed back at the same time is no change.
    if let [.., (_, before), (_, last)] = steps.as_slice()
        && before == last
    {
        steps.pop();
    }
}

fn end_of(stages: &[Stage]) -> Tick {
    let durations = stages.iter().map(|stage| stage.duration);
    durations.fold(Tick::ZERO, |end, duration| end + duration)
}

#[cfg(test)]
mod tests;
