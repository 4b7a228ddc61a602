//! One scenario of the plan as a batch plays it: which of its users come when, and who begins an iteration.
//!
//! Invariant: a player only says what is due. Whether a user really begins, finishes or is interrupted is
//! decided by the batch, which tells the player.

use crate::plan::{LoadModel, PlannedScenario};
use crate::schedule::{RampingVus, VuChange};
use crate::share::Share;
use crate::tick::{Span, Tick};
use crate::vu::VuId;

/// A scenario's users and their schedule.
#[derive(Debug)]
pub(super) struct Player {
    /// The places of the scenario's users in the batch, in the order of their numbers.
    pub(super) members: Vec<usize>,
    starts_at: Tick,
    ends_at: Tick,
    graceful_stop: Span,
    graceful_ramp_down: Span,
    share: Share,
    first_vu: u32,
    users_max: u32,
    executor: Executor,
}

/// What is due in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// This user, by its place among the share's users, begins to repeat iterations.
    Start(usize),
    /// This user begins no further iteration.
    Stop(usize),
}

/// How the load model plays within a share.
#[derive(Debug)]
enum Executor {
    Vus(RampingVus),
    Iterations(Iterations),
}

/// Users that all begin at once, with a limited number of iterations.
#[derive(Debug)]
struct Iterations {
    users: usize,
    started: usize, // in [0, users]
    stopped: usize, // in [0, users]
    max_duration: Span,
    limit: Limit,
}

#[derive(Debug)]
enum Limit {
    /// Iterations of this share that nobody has begun yet.
    Shared(u64),
    /// Iterations of each user.
    Each(u64),
}

impl Player {
    pub(super) fn new(scenario: &PlannedScenario, share: Share) -> Self {
        let mut graceful_ramp_down = scenario.graceful_stop;
        let executor = match &scenario.model {
            LoadModel::RampingVus {
                start_users,
                stages,
                graceful_ramp_down: grace,
            } => {
                graceful_ramp_down = *grace;
                Executor::Vus(RampingVus::new(*start_users, stages, share))
            }
            LoadModel::SharedIterations {
                vus,
                iterations,
                max_duration,
            } => Executor::Iterations(Iterations {
                users: owned(share, *vus),
                started: 0,
                stopped: 0,
                max_duration: *max_duration,
                limit: Limit::Shared(share.count_of(*iterations)),
            }),
            LoadModel::PerVuIterations {
                vus,
                iterations,
                max_duration,
            } => Executor::Iterations(Iterations {
                users: owned(share, *vus),
                started: 0,
                stopped: 0,
                max_duration: *max_duration,
                limit: Limit::Each(*iterations),
            }),
        };
        Self {
            members: Vec::new(),
            starts_at: scenario.starts_at,
            ends_at: scenario.starts_at + scenario.model.duration(),
            graceful_stop: scenario.graceful_stop,
            graceful_ramp_down,
            share,
            first_vu: scenario.first_vu,
            users_max: scenario.model.users_max(),
            executor,
        }
    }

    /// When something is due next, `None` when nothing is left.
    pub(super) fn next_at(&mut self) -> Option<Tick> {
        let offset = match &mut self.executor {
            Executor::Vus(schedule) => schedule.next_at()?.saturating_since(Tick::ZERO),
            Executor::Iterations(iterations) => iterations.next_at()?,
        };
        Some(self.starts_at + offset)
    }

    /// Takes what is due next, if it is due before `limit`.
    pub(super) fn pop_before(&mut self, limit: Tick) -> Option<(Tick, Due)> {
        let at = self.next_at().filter(|at| *at < limit)?;
        let due = match &mut self.executor {
            Executor::Vus(schedule) => match schedule.pop(Tick::NEVER)?.1 {
                VuChange::Start(vu) => Due::Start(self.member_of(vu)?),
                VuChange::Stop(vu) => Due::Stop(self.member_of(vu)?),
            },
            Executor::Iterations(iterations) => iterations.pop()?,
        };
        Some((at, due))
    }

    /// Whether the user may begin another iteration; if so, it is counted as begun.
    pub(super) fn take_iteration(&mut self, begun_by_user: u32) -> bool {
        match &mut self.executor {
            Executor::Vus(_) => true,
            Executor::Iterations(iterations) => match &mut iterations.limit {
                Limit::Each(limit) => u64::from(begun_by_user) < *limit,
                Limit::Shared(left) => {
                    let some = *left > 0;
                    *left = left.saturating_sub(1);
                    some
                }
            },
        }
    }

    /// Notes that iterations of this share were begun in earlier slices.
    pub(super) fn resume(&mut self, begun: u64) {
        if let Executor::Iterations(Iterations {
            limit: Limit::Shared(left),
            ..
        }) = &mut self.executor
        {
            *left = left.saturating_sub(begun);
        }
    }

    /// Whether no user of the scenario will begin an iteration any more once those that are active have ended.
    pub(super) fn is_spent(&mut self) -> bool {
        match &self.executor {
            Executor::Vus(_) => self.next_at().is_none(),
            // What is left are the stops at the end, which concern nobody who is not active.
            Executor::Iterations(iterations) => iterations.started == iterations.users,
        }
    }

    /// Until when a user that is stopped at `at` may finish its iteration.
    pub(super) fn grace_end(&self, at: Tick) -> Tick {
        let latest = self.ends_at + self.graceful_stop;
        if at >= self.ends_at {
            latest
        } else {
            (at + self.graceful_ramp_down).min(latest)
        }
    }

    /// The number of the share's `member`-th user of this scenario.
    pub(super) fn vu_of(&self, member: usize) -> VuId {
        let number = self.share.global(member as u64);
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        VuId(self.first_vu.saturating_add(number))
    }

    /// The place of a user among the share's users of this scenario, `None` if it is not one of them.
    pub(super) fn place_of(&self, vu: VuId) -> Option<usize> {
        let number = vu.0.checked_sub(self.first_vu)?;
        let mine = number < self.users_max && self.share.owns(u64::from(number));
        if mine {
            usize::try_from(self.share.count_of(u64::from(number))).ok()
        } else {
            None
        }
    }

    /// The place of a user that the schedule names, which counts from 0 in each scenario.
    fn member_of(&self, vu: VuId) -> Option<usize> {
        usize::try_from(self.share.count_of(u64::from(vu.0))).ok()
    }
}

impl Iterations {
    fn next_at(&self) -> Option<Span> {
        if self.started < self.users {
            Some(Span::ZERO)
        } else {
            (self.stopped < self.users).then_some(self.max_duration)
        }
    }

    fn pop(&mut self) -> Option<Due> {
        if self.started < self.users {
            self.started += 1;
            return Some(Due::Start(self.started - 1));
        }
        let due = (self.stopped < self.users).then_some(Due::Stop(self.stopped));
        self.stopped += 1;
        due
    }
}

/// How many of a scenario's users belong to the share.
fn owned(share: Share, users: u32) -> usize {
    usize::try_from(share.count_of(u64::from(users))).unwrap_or(usize::MAX)
}
