//! Iterations of the open model: a user is found for each arrival, or it is dropped and counted.

use std::cmp::Reverse;

use crate::batch::flow::Numbered;
use crate::batch::machine::Batch;
use crate::batch::player::Finding;
use crate::batch::user::{Activity, User};
use crate::random::Random;
use crate::schedule::Arrival;
use crate::tick::Tick;

impl Batch {
    /// An iteration is due. It begins with whoever is free, and is never caught up if nobody is.
    pub(super) fn arrive(&mut self, scenario: usize, arrival: &Arrival) {
        let busy = self.busy_in(scenario);
        let Some(player) = self.players.get_mut(scenario) else {
            return;
        };
        let (member, is_new) = match player.find_user(arrival, busy) {
            Finding::Member(member) => (member, false),
            Finding::Fresh(member) => (member, true),
            Finding::Nobody(readied) => {
                if let Some(member) = readied {
                    self.ensure_user(scenario, member);
                }
                self.drop_iterations(scenario, 1);
                return;
            }
        };
        let place = self.ensure_user(scenario, member);
        if let Some(user) = self.users.get_mut(place) {
            if is_new {
                *user = User::new(user.vu, scenario, self.variables.clone());
            }
            user.activity = Activity::Once;
            user.due = arrival.at;
        }
        // Chance in the open model belongs to the arrival, not to whoever happens to play it.
        let numbered = Numbered {
            number: arrival.number,
            random: Random::for_shared(self.plan.seed, scenario, arrival.number),
        };
        self.begin_iteration_with(self.now(), place, Some(numbered));
    }

    /// The scenario's time is over: whoever is at work may finish, what nobody has begun is dropped.
    pub(super) fn end_time(&mut self, scenario: usize) {
        let Some(player) = self.players.get(scenario) else {
            return;
        };
        let deadline = player.grace_ends_at();
        let members = player
            .members
            .iter()
            .filter_map(|place| self.users.get(*place));
        let left = player.left_over(members.map(|user| user.iterations));
        let places = player.members.clone();
        self.drop_iterations(scenario, left);
        for place in places {
            self.stop_user(place, deadline);
        }
    }

    /// The user begins no further iteration and has until `deadline` to finish.
    pub(super) fn stop_user(&mut self, place: usize, deadline: Tick) {
        let Some(user) = self.users.get_mut(place) else {
            return;
        };
        let was_active = user.is_active();
        if user.is_away {
            user.activity = Activity::Stopping(deadline);
        } else if user.iteration.is_some() {
            user.activity = Activity::Stopping(deadline);
            self.timers.push(Reverse((deadline, place)));
        } else {
            user.activity = Activity::Stopped;
            user.due = Tick::NEVER;
        }
        self.count_active(was_active, place);
    }

    pub(super) fn drop_iterations(&mut self, scenario: usize, count: u64) {
        if count == 0 {
            return;
        }
        let now = self.now();
        self.recorder
            .iterations_dropped(&self.plan, now, scenario, count);
    }

    /// How many virtual users of each scenario are active, in the order of the plan.
    #[must_use]
    pub fn active_users_of_scenarios(&self) -> Vec<u32> {
        let mut active = vec![0; self.players.len()];
        for user in self.users.iter().filter(|user| user.is_active()) {
            if let Some(active) = active.get_mut(user.scenario) {
                *active += 1;
            }
        }
        active
    }

    fn busy_in(&self, scenario: usize) -> u64 {
        self.busy.get(scenario).copied().unwrap_or(0)
    }
}
