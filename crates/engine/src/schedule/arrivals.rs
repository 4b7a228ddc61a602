//! The open model: when iterations begin, whatever became of the earlier ones.
//!
//! Invariant: arrivals are numbered from 0 in the order of time, and a share's arrivals are those of the plan
//! whose numbers it owns.

use super::even_rate::{EvenRate, First};
use super::poisson::Poisson;
use super::ramping_rate::RampingRate;
use super::second_steps::SecondSteps;
use crate::load_model::{ArrivalModel, ArrivalPhase, PhaseArrivals};
use crate::random::Random;
use crate::share::Stripes;
use crate::tick::{Span, Tick};

/// All arrivals of a scenario. What it takes in memory does not depend on how many there are.
#[derive(Clone, Debug)]
pub struct Arrivals {
    phases: Vec<Phase>,
    count: u64,
}

#[derive(Clone, Debug)]
struct Phase {
    starts_at: Tick,
    first: u64, // the number of its first arrival
    curve: Curve,
}

/// How the arrivals of one phase lie in time. Asking for one may remember where it was found.
#[derive(Clone, Debug)]
enum Curve {
    Even(EvenRate),
    Ramping(RampingRate),
    Steps(SecondSteps),
    Random(Poisson),
}

/// One arrival: an iteration that is to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its number among all arrivals of the scenario, over all shares.
    pub number: u64,
    /// When it is to begin.
    pub at: Tick,
    /// The phase of the model that it belongs to, by its place; 0 when the model has no phases.
    pub phase: usize,
}

/// The arrivals of one share, in order.
#[derive(Clone, Debug)]
pub struct ArrivalSchedule {
    arrivals: Arrivals,
    stripes: Stripes,
    taken: u64, // arrivals of the share that were taken or skipped
    next: Option<Arrival>,
}

/// The seed of the arrivals of a plan's `scenario`-th scenario, counted from 0: the chance of an arrival that
/// is never reached.
#[must_use]
pub fn arrival_seed(plan_seed: u64, scenario: usize) -> u64 {
    Random::for_shared(plan_seed, scenario, u64::MAX).bits()
}

impl Arrivals {
    /// The arrivals of a scenario that begins at `starts_at`. The seed, from
    /// [`arrival_seed`], decides about those that come at random.
    #[must_use]
    pub fn new(model: &ArrivalModel, starts_at: Tick, seed: u64) -> Self {
        let curves: Vec<(Span, Curve)> = match model {
            ArrivalModel::ConstantRate {
                rate,
                unit,
                duration,
            } => {
                let rate = EvenRate::new(u64::from(*rate), *unit, *duration, First::AtOnce);
                vec![(*duration, Curve::Even(rate))]
            }
            ArrivalModel::RampingRate {
                start,
                unit,
                stages,
            } => {
                let rate = RampingRate::new(*start, *unit, stages);
                vec![(model.duration(), Curve::Ramping(rate))]
            }
            ArrivalModel::Phases(phases) => (0_u64..)
                .zip(phases)
                .map(|(place, phase)| {
                    let seed = Random::for_purpose(seed, place).bits();
                    (phase.duration, Curve::of_phase(phase, seed))
                })
                .collect(),
        };
        let (mut at, mut count) = (starts_at, 0_u64);
        let mut phases = Vec::new();
        for (duration, curve) in curves {
            let arrivals = curve.count();
            phases.push(Phase {
                starts_at: at,
                first: count,
                curve,
            });
            at += duration;
            count = count.saturating_add(arrivals);
        }
        Self { phases, count }
    }

    /// How many arrivals there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The arrival with this number, counted from 0; `None` if there are fewer.
    #[must_use]
    pub fn get(&mut self, number: u64) -> Option<Arrival> {
        let behind = self.phases.partition_point(|phase| phase.first <= number);
        let place = behind.checked_sub(1)?;
        let phase = self.phases.get_mut(place)?;
        let offset = phase.curve.at(number.checked_sub(phase.first)?)?;
        Some(Arrival {
            number,
            at: phase.starts_at + offset,
            phase: place,
        })
    }
}

impl ArrivalSchedule {
    /// The arrivals that these stripes own, which are [`ArrivalUsers::stripes`](crate::load_model::ArrivalUsers::stripes).
    #[must_use]
    pub fn new(arrivals: Arrivals, stripes: Stripes) -> Self {
        let mut schedule = Self {
            arrivals,
            stripes,
            taken: 0,
            next: None,
        };
        schedule.next = schedule.find(0);
        schedule
    }

    /// How many arrivals the share has.
    #[must_use]
    pub fn planned(&self) -> u64 {
        self.stripes.count_of(self.arrivals.count())
    }

    /// How many of them are still to come.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.planned().saturating_sub(self.taken)
    }

    /// When the next arrival comes, `None` when there is none left.
    #[must_use]
    pub fn next_at(&self) -> Option<Tick> {
        self.next.map(|arrival| arrival.at)
    }

    /// Takes the next arrival if it comes at or before `now`.
    pub fn pop(&mut self, now: Tick) -> Option<Arrival> {
        let arrival = self.next.filter(|arrival| arrival.at <= now)?;
        self.taken += 1;
        self.next = self.find(self.taken);
        Some(arrival)
    }

    /// Passes over the arrivals that come before `from`, however many they are, and says how many.
    pub fn skip_before(&mut self, from: Tick) -> u64 {
        let before = self.taken;
        let (mut low, mut high) = (self.taken, self.planned()); // the first one not before is in [low, high]
        while low < high {
            let middle = low + (high - low) / 2;
            if self.find(middle).is_some_and(|arrival| arrival.at < from) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.taken = low;
        self.next = self.find(low);
        low - before
    }

    fn find(&mut self, local: u64) -> Option<Arrival> {
        self.arrivals.get(self.stripes.global(local)?)
    }
}

impl Curve {
    fn of_phase(phase: &ArrivalPhase, seed: u64) -> Self {
        let duration = phase.duration;
        let even = |millionths| {
            Self::Even(EvenRate::of_millionths(
                millionths,
                duration,
                First::AfterInterval,
            ))
        };
        match phase.arrivals {
            PhaseArrivals::Pause => even(0),
            PhaseArrivals::Even(rate) => even(rate),
            PhaseArrivals::Random(rate) => {
                Self::Random(Poisson::of_millionths(rate, duration, seed))
            }
            PhaseArrivals::Ramp(from, to) => {
                let seconds = duration.as_us() / 1_000_000;
                Self::Steps(SecondSteps::of_millionths(from, to, seconds))
            }
            PhaseArrivals::Count(count) => Self::Even(EvenRate::new(
                count,
                duration,
                duration,
                First::AfterInterval,
            )),
        }
    }

    const fn count(&self) -> u64 {
        match self {
            Self::Even(rate) => rate.count(),
            Self::Ramping(rate) => rate.count(),
            Self::Steps(steps) => steps.count(),
            Self::Random(poisson) => poisson.count(),
        }
    }

    fn at(&mut self, number: u64) -> Option<Span> {
        match self {
            Self::Even(rate) => rate.at(number),
            Self::Ramping(rate) => rate.at(number),
            Self::Steps(steps) => steps.at(number),
            Self::Random(poisson) => poisson.at(number),
        }
    }
}

#[cfg(test)]
mod tests;
