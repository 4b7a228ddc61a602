//! Steps that repeat themselves in the background of an iteration, and rows that loops go through.
//!
//! Invariant: the planned start of a repetition follows from its number alone, and is never before that of
//! the one before it. Repeating ends with the flow of the iteration.

use crate::batch::machine::Batch;
use crate::batch::requests::Pending;
use crate::batch::user::Iteration;
use crate::plan::{Plan, Repeat};
use crate::random::Random;
use crate::tick::{Span, Tick};
use crate::vu::{Repetition, VuId};

impl Iteration {
    /// Whether a repetition is due at this point.
    pub(super) fn repeats_at(&self, at: Tick) -> bool {
        self.repetitions()
            .iter()
            .any(|repetition| repetition.due == at)
    }

    /// Lets a step repeat itself after its request `first`, instead of what it may have repeated so far.
    /// Answers when the first repetition is due.
    pub(super) fn begin_repeating(
        &mut self,
        seed: u64,
        who: (VuId, u32),
        repeat: Repeat,
        first: &Pending,
    ) -> Tick {
        let due = due(seed, who, repeat, first.planned, 1);
        let repetitions = &mut self.extras().repetitions;
        repetitions.retain(|known| known.step != first.step);
        repetitions.push(Repetition {
            step: first.step,
            first: first.planned,
            next: 1,
            due,
        });
        due
    }

    /// The flow has come to its end, and what repeats itself with it.
    pub(super) fn end_repeating(&mut self) {
        if let Some(extras) = &mut self.extras {
            extras.repetitions.clear();
        }
    }

    /// Takes the row of a table that belongs to the turn of the innermost loop.
    pub(super) fn take_row(&mut self, table: u16, plan: &Plan) {
        let place = usize::from(table);
        let rows = plan.tables.get(place).map_or(0, |table| table.rows.len());
        let left = self.loops.last().copied().unwrap_or(0);
        let turns = u32::try_from(rows).unwrap_or(u32::MAX);
        if let Some(row) = self.extras().rows.get_mut(place) {
            *row = turns.saturating_sub(1).saturating_sub(left);
        }
    }
}

impl Batch {
    /// Plays the steps of a user's iteration whose repetition is due at `at`.
    pub(super) fn repeat_steps(&mut self, now: Tick, at: Tick, place: usize) {
        let Some(user) = self.users.get_mut(place) else {
            return;
        };
        let Some(iteration) = user.iteration.as_mut() else {
            return;
        };
        let who = (user.vu, user.iterations);
        let mut wakes = Vec::new();
        let mut unsent = 0;
        for repetition in &mut iteration.extras().repetitions {
            let step = self.plan.step(repetition.step);
            let Some(repeat) = step.and_then(|(_, step)| step.repeat) else {
                continue;
            };
            if repetition.due != at {
                continue;
            }
            self.requests.wait(Pending {
                user: place,
                step: repetition.step,
                planned: at,
                queued: now,
                background: true,
            });
            unsent += 1;
            repetition.next = repetition.next.saturating_add(1);
            let due = due(
                self.plan.seed,
                who,
                repeat,
                repetition.first,
                repetition.next,
            );
            repetition.due = due.max(Tick::from_us(at.as_us().saturating_add(1)));
            wakes.push(repetition.due);
        }
        iteration.unsent += unsent;
        let late = now.saturating_since(at);
        let scenario = user.scenario;
        self.recorder.lateness(&self.plan, now, scenario, late);
        for at in wakes {
            self.wake_user_at(at, place);
        }
    }
}

/// When a repetition is due: a whole number of intervals after the first, moved by chance.
fn due(seed: u64, (vu, iteration): (VuId, u32), repeat: Repeat, first: Tick, number: u32) -> Tick {
    let intervals = repeat.interval.as_us().saturating_mul(u64::from(number));
    let place = Random::for_iteration(seed ^ REPEAT_STREAM, vu, iteration).bits();
    let mut random = Random::for_purpose(place ^ first.as_us(), u64::from(number));
    let variance = repeat.variance.as_us();
    let moved = random.between(0, variance.saturating_mul(2));
    first + Span::from_us(intervals.saturating_add(moved).saturating_sub(variance))
}

/// Keeps these random numbers apart from those of everything else.
const REPEAT_STREAM: u64 = 0x4E9E_0000_0000_0000;
