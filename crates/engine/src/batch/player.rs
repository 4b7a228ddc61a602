//! One scenario of the plan as a batch plays it: which of its users come when, and who begins an iteration.
//!
//! Invariant: a player only says what is due. Whether a user really begins, finishes or is interrupted is
//! decided by the batch, which tells the player.

use crate::load_model::{ArrivalModel, ArrivalUsers, Model};
use crate::plan::{LoadModel, PlannedScenario};
use crate::schedule::{
    Arrival, ArrivalSchedule, Arrivals, Graces, SharedIterations, Taken, VuEvent, VuPool,
    VuSchedule, arrival_seed,
};
use crate::share::{Portion, Stripes};
use crate::tick::{Span, Tick};
use crate::vu::VuId;

/// A scenario's users and their schedule.
#[derive(Debug)]
pub(super) struct Player {
    /// The places of the scenario's users in the batch, in the order of their numbers.
    pub(super) members: Vec<usize>,
    starts_at: Tick,
    ends_at: Tick,
    /// Until when iterations that are under way at the end may take.
    grace_ends_at: Tick,
    stripes: Stripes, // the users that belong to the share, counted from 0 in each scenario
    first_vu: u32,
    users_max: u32,
    executor: Executor,
}

/// What is due in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// This user, by its place among the share's users, begins to repeat iterations.
    Start(usize),
    /// This user begins no further iteration, and has until this point to finish.
    Stop(usize, Tick),
    /// An iteration of the open model begins, if a user can be found.
    Arrive(Arrival),
    /// No iteration of the scenario begins any more.
    TimeOver,
}

/// Who plays an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// This user, as it is.
    Member(usize),
    /// This user, as if it were new.
    Fresh(usize),
    /// Nobody; perhaps this user was readied for later arrivals.
    Nobody(Option<usize>),
}

/// How the load model plays within a share.
#[derive(Debug)]
enum Executor {
    Vus(VuSchedule),
    Iterations(Iterations),
    Arrivals(Box<Arriving>),
}

/// Users that all begin at once, with a limited number of iterations.
#[derive(Debug)]
struct Iterations {
    users: usize,
    started: usize, // in [0, users]
    time_over: bool,
    limit: Limit,
}

#[derive(Debug)]
enum Limit {
    Shared(SharedIterations),
    /// Iterations of each user, and how many the whole share had begun before this slice.
    Each(u64, u64),
}

/// Iterations of the open model.
#[derive(Debug)]
struct Arriving {
    schedule: ArrivalSchedule,
    users: Users,
    caps: Vec<Option<u64>>, // for each phase of the model, how many users of the share may be at work
    time_over: bool,
}

#[derive(Debug)]
enum Users {
    Pool(VuPool),
    /// Users that are free again, for later arrivals that are new users; and how many there may be.
    Fresh(Vec<usize>, usize),
}

impl Player {
    /// The portion of the plan's `place`-th scenario.
    pub(super) fn new(
        scenario: &PlannedScenario,
        place: usize,
        seed: u64,
        portion: &Portion,
    ) -> Self {
        let stripes = portion.stripes();
        let graceful_stop = scenario.graceful_stop;
        let starts_at = scenario.starts_at;
        let ends_at = starts_at + scenario.duration();
        let executor = match &scenario.model {
            Model::Closed(model) => closed(model, scenario, portion),
            Model::Open { arrivals, users } => {
                let seed = arrival_seed(seed, place);
                Executor::Arrivals(Box::new(Arriving::new(
                    arrivals, *users, starts_at, seed, portion,
                )))
            }
        };
        Self {
            members: Vec::new(),
            starts_at,
            ends_at,
            grace_ends_at: ends_at + graceful_stop,
            stripes,
            first_vu: scenario.first_vu,
            users_max: scenario.users_max(),
            executor,
        }
    }

    /// When something is due next, `None` when nothing is left.
    pub(super) fn next_at(&mut self) -> Option<Tick> {
        match &mut self.executor {
            Executor::Vus(schedule) => schedule.next_at(),
            Executor::Iterations(iterations) => {
                if iterations.started < iterations.users {
                    Some(self.starts_at)
                } else {
                    (!iterations.time_over).then_some(self.ends_at)
                }
            }
            Executor::Arrivals(arriving) => arriving
                .schedule
                .next_at()
                .or((!arriving.time_over).then_some(self.ends_at)),
        }
    }

    /// Takes what is due next, if it is due before `limit`.
    pub(super) fn pop_before(&mut self, limit: Tick) -> Option<(Tick, Due)> {
        let at = self.next_at().filter(|at| *at < limit)?;
        let due = match &mut self.executor {
            Executor::Vus(schedule) => match schedule.pop(Tick::NEVER)?.1 {
                VuEvent::Start(vu) => Due::Start(self.local(vu)?),
                VuEvent::Stop { vu, deadline } => Due::Stop(self.local(vu)?, deadline),
            },
            Executor::Iterations(iterations) => {
                if iterations.started < iterations.users {
                    iterations.started += 1;
                    Due::Start(iterations.started - 1)
                } else {
                    iterations.time_over = true;
                    Due::TimeOver
                }
            }
            Executor::Arrivals(arriving) => match arriving.schedule.pop(Tick::NEVER) {
                Some(arrival) => Due::Arrive(arrival),
                None => {
                    arriving.time_over = true;
                    Due::TimeOver
                }
            },
        };
        Some((at, due))
    }

    /// Finds a user for an arrival when `busy` of the share's users of this scenario are at work.
    pub(super) fn find_user(&mut self, arrival: &Arrival, busy: u64) -> Finding {
        let Executor::Arrivals(arriving) = &mut self.executor else {
            return Finding::Nobody(None);
        };
        let cap = arriving.caps.get(arrival.phase).copied().flatten();
        if cap.is_some_and(|cap| busy >= cap) {
            return Finding::Nobody(None);
        }
        match &mut arriving.users {
            Users::Pool(pool) => match pool.take() {
                Taken::User(vu) => {
                    local(&self.stripes, vu).map_or(Finding::Nobody(None), Finding::Member)
                }
                Taken::Dropped { readied, .. } => {
                    Finding::Nobody(readied.and_then(|vu| local(&self.stripes, vu)))
                }
            },
            Users::Fresh(free, users_max) => {
                let next = self.members.len();
                let new = (next < *users_max).then_some(next);
                free.pop()
                    .or(new)
                    .map_or(Finding::Nobody(None), Finding::Fresh)
            }
        }
    }

    /// The user is free again.
    pub(super) fn give_back(&mut self, member: usize) {
        let vu = self
            .stripes
            .global(member as u64)
            .and_then(|vu| u32::try_from(vu).ok());
        if let Executor::Arrivals(arriving) = &mut self.executor {
            match (&mut arriving.users, vu) {
                (Users::Pool(pool), Some(vu)) => pool.give_back(VuId(vu)),
                (Users::Fresh(free, _), _) => free.push(member),
                (Users::Pool(_), None) => {}
            }
        }
    }

    /// Lets a user begin another iteration, which is counted as begun, if it may. Answers a number that no
    /// other iteration of the scenario has, in any share.
    pub(super) fn take_iteration(&mut self, vu: VuId, begun_by_user: u32) -> Option<u64> {
        let user = vu.0.saturating_sub(self.first_vu);
        let own = u64::from(begun_by_user) * u64::from(self.users_max) + u64::from(user);
        match &mut self.executor {
            Executor::Vus(_) | Executor::Arrivals(_) => Some(own),
            Executor::Iterations(iterations) => match &mut iterations.limit {
                Limit::Each(each, _) => (u64::from(begun_by_user) < *each).then_some(own),
                Limit::Shared(pile) => pile.take(),
            },
        }
    }

    /// Whether iterations belong to nobody before somebody takes them: so does the chance in them.
    pub(super) const fn is_pile(&self) -> bool {
        matches!(
            &self.executor,
            Executor::Iterations(Iterations {
                limit: Limit::Shared(_),
                ..
            })
        )
    }

    /// How many iterations nobody has begun, now that the time is over; `begun` has them for each user.
    pub(super) fn left_over(&self, begun: impl Iterator<Item = u32>) -> u64 {
        let Executor::Iterations(iterations) = &self.executor else {
            return 0;
        };
        match &iterations.limit {
            Limit::Shared(pile) => pile.left(),
            Limit::Each(each, _) => begun.map(|n| each.saturating_sub(u64::from(n))).sum(),
        }
    }

    /// Notes what earlier slices have done: how many iterations of the share were begun, and up to where
    /// arrivals were played.
    pub(super) fn resume(&mut self, begun: u64, played_through: Tick) {
        match &mut self.executor {
            Executor::Vus(_) => {}
            Executor::Iterations(iterations) => match &mut iterations.limit {
                Limit::Shared(pile) => *pile = pile.clone().with_begun(begun),
                Limit::Each(_, before) => *before = begun,
            },
            Executor::Arrivals(arriving) => {
                arriving.schedule.skip_before(played_through);
            }
        }
    }

    /// Notes which users exist when the slice begins: those that are not at work are free.
    pub(super) fn resume_users(&mut self, is_busy: impl Fn(usize) -> bool) {
        let Executor::Arrivals(arriving) = &mut self.executor else {
            return;
        };
        match &mut arriving.users {
            Users::Fresh(free, _) => {
                *free = (0..self.members.len())
                    .rev()
                    .filter(|&member| !is_busy(member))
                    .collect();
            }
            Users::Pool(pool) => {
                let stripes = &self.stripes;
                pool.resume(self.members.len() as u64, |vu| {
                    local(stripes, vu).is_some_and(&is_busy)
                });
            }
        }
    }

    /// How many iterations a user has begun that nothing is known of but the sum of its share.
    pub(super) fn begun_by(&self, member: usize) -> u32 {
        let Executor::Iterations(Iterations {
            users,
            limit: Limit::Each(_, begun),
            ..
        }) = &self.executor
        else {
            return 0;
        };
        let (users, member) = ((*users).max(1) as u64, member as u64);
        u32::try_from((begun + users - 1 - member.min(users - 1)) / users).unwrap_or(u32::MAX)
    }

    /// Whether no user of the scenario will begin an iteration any more once those that are active have ended.
    pub(super) fn is_spent(&mut self) -> bool {
        match &self.executor {
            Executor::Vus(_) | Executor::Arrivals(_) => self.next_at().is_none(),
            // What is left is the end of the time, which concerns nobody who is not active.
            Executor::Iterations(iterations) => iterations.started == iterations.users,
        }
    }

    /// Until when iterations that are under way at the scenario's end may take.
    pub(super) const fn grace_ends_at(&self) -> Tick {
        self.grace_ends_at
    }

    /// The number of the share's `member`-th user of this scenario.
    pub(super) fn vu_of(&self, member: usize) -> VuId {
        let number = self.stripes.global(member as u64).unwrap_or(u64::MAX);
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        VuId(self.first_vu.saturating_add(number))
    }

    /// The place of a user among the share's users of this scenario, `None` if it is not one of them.
    pub(super) fn place_of(&self, vu: VuId) -> Option<usize> {
        let number =
            vu.0.checked_sub(self.first_vu)
                .filter(|number| *number < self.users_max)?;
        self.local(VuId(number))
    }

    /// The place of a user that a schedule names, which counts from 0 in each scenario.
    fn local(&self, vu: VuId) -> Option<usize> {
        local(&self.stripes, vu)
    }
}

impl Arriving {
    fn new(
        model: &ArrivalModel,
        users: ArrivalUsers,
        starts_at: Tick,
        seed: u64,
        portion: &Portion,
    ) -> Self {
        let stripes = portion.stripes();
        let arrivals = Arrivals::new(model, starts_at, seed);
        let owned = users.stripes(portion);
        let users = match users {
            ArrivalUsers::Pool { pre_allocated, max } => {
                Users::Pool(VuPool::new(pre_allocated, max, stripes.clone()))
            }
            ArrivalUsers::Fresh => {
                let users_max = usize::try_from(stripes.count_of(u64::from(FRESH_USERS_MAX)));
                Users::Fresh(Vec::new(), users_max.unwrap_or(usize::MAX))
            }
        };
        let caps = match model {
            ArrivalModel::Phases(phases) => {
                let cap = |cap: u32| stripes.count_of(u64::from(cap));
                phases
                    .iter()
                    .map(|phase| phase.max_users.map(cap))
                    .collect()
            }
            ArrivalModel::ConstantRate { .. } | ArrivalModel::RampingRate { .. } => Vec::new(),
        };
        Self {
            schedule: ArrivalSchedule::new(arrivals, owned),
            users,
            caps,
            time_over: false,
        }
    }
}

/// How many users there may be at once where each arrival is a new one; further arrivals are dropped.
pub(super) const FRESH_USERS_MAX: u32 = crate::plan::FRESH_USERS_MAX;

fn closed(model: &LoadModel, scenario: &PlannedScenario, portion: &Portion) -> Executor {
    let stripes = portion.stripes();
    let owned = stripes.clone();
    let users = |vus: u32| usize::try_from(owned.count_of(u64::from(vus))).unwrap_or(usize::MAX);
    let iterations = |vus: u32, limit| {
        Executor::Iterations(Iterations {
            users: users(vus),
            started: 0,
            time_over: false,
            limit,
        })
    };
    match model {
        LoadModel::RampingVus {
            start_users,
            stages,
            graceful_ramp_down,
        } => {
            let graces = Graces {
                ramp_down: *graceful_ramp_down,
                stop: scenario.graceful_stop,
            };
            let starts_at: Span = scenario.starts_at.saturating_since(Tick::ZERO);
            Executor::Vus(VuSchedule::new(
                *start_users,
                stages,
                graces,
                starts_at,
                stripes,
            ))
        }
        LoadModel::SharedIterations {
            vus,
            iterations: pile,
            ..
        } => {
            let owned = portion.scaled(u64::from(*vus));
            iterations(*vus, Limit::Shared(SharedIterations::new(*pile, owned)))
        }
        LoadModel::PerVuIterations {
            vus,
            iterations: each,
            ..
        } => iterations(*vus, Limit::Each(*each, 0)),
    }
}

fn local(stripes: &Stripes, vu: VuId) -> Option<usize> {
    usize::try_from(stripes.local(u64::from(vu.0))?).ok()
}
