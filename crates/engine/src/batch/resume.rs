//! How a batch takes up the users that an earlier slice has handed over: when its slice begins, and those that wait
//! for an answer then, when they come in.
//!
//! Invariant: a user that comes in is taken up once, and plays on as its schedule has decided meanwhile.

use std::cmp::Reverse;

use crate::batch::machine::{Batch, State};
use crate::batch::player::Due;
use crate::batch::user::{Activity, User, Waiting};
use crate::sorted::{SortedMap, sort_by};
use crate::tick::Tick;
use crate::vu::{Away, VuCarry, VuId};

impl Batch {
    /// Keeps the places of users that are to come in later.
    pub(super) fn note_away(&mut self, away: &[Away]) {
        for away in away {
            let Some((scenario, member)) = self.member(away.vu) else {
                continue;
            };
            let place = self.ensure_user(scenario, member);
            let Some(user) = self.users.get_mut(place).filter(|user| !user.is_away) else {
                continue;
            };
            user.is_away = true;
            user.iterations = away.iterations;
            self.away += 1;
            if let Some(busy) = self.busy.get_mut(scenario) {
                *busy += 1;
            }
        }
    }

    /// Takes up users that have come in. Those that are not away are here already.
    pub(super) fn adopt(&mut self, now: Tick, users: &[VuCarry]) {
        if self.state == State::Lingering {
            return;
        }
        for carried in users {
            let Some((scenario, member)) = self.member(carried.vu) else {
                continue;
            };
            let place = self.ensure_user(scenario, member);
            let Some(known) = self.users.get(place).filter(|user| user.is_away) else {
                continue;
            };
            let (mut user, pending) = User::from_carry(carried.clone(), scenario, &self.variables);
            let in_iteration = user.iteration.is_some();
            user.activity = match known.activity {
                Activity::Stopped if in_iteration => Activity::Once,
                Activity::Stopping(_) if !in_iteration => Activity::Stopped,
                activity => activity,
            };
            let activity = user.activity;
            let due = if user.due == Tick::NEVER {
                now
            } else {
                user.due
            };
            self.away = self.away.saturating_sub(1);
            if let Some(busy) = self.busy.get_mut(scenario) {
                *busy = busy.saturating_sub(1);
            }
            self.set_user(place, user, now, pending);
            match activity {
                Activity::Active if !in_iteration => {
                    self.active_users += 1;
                    self.schedule_user(place, due);
                }
                Activity::Stopped => {
                    // Whatever was due for it no longer is.
                    if let Some(user) = self.users.get_mut(place) {
                        user.due = Tick::NEVER;
                    }
                    self.give_back(scenario, place);
                }
                Activity::Stopping(deadline) => self.wake_user_at(deadline, place),
                Activity::Active | Activity::Once => {}
            }
            self.take_up(now, place);
        }
    }

    /// Where a user belongs, `None` if it is none of the share's: its scenario, and its place among the users of that.
    fn member(&self, vu: VuId) -> Option<(usize, usize)> {
        let players = self.players.iter().enumerate();
        let mut found = players.filter_map(|(at, player)| Some((at, player.place_of(vu)?)));
        found.next()
    }

    /// Brings the users into the state in which the previous slice left them.
    pub(super) fn resume(&mut self, mut carry: Vec<VuCarry>, from: Tick, played_through: Tick) {
        sort_by(&mut carry, |a, b| a.vu < b.vu);
        for carried in carry {
            let Some((scenario, member)) = self.member(carried.vu) else {
                continue;
            };
            let place = self.ensure_user(scenario, member);
            let (user, pending) = User::from_carry(carried, scenario, &self.variables);
            self.set_user(place, user, from, pending);
        }
        for scenario in 0..self.players.len() {
            let users = &self.users;
            if let Some(player) = self.players.get_mut(scenario) {
                let members = player.members.clone();
                player.resume_users(|member| {
                    let user = members.get(member).and_then(|place| users.get(*place));
                    user.is_some_and(|user| user.iteration.is_some() || user.is_away)
                });
            }
            self.replay(scenario, from, played_through);
        }
        for place in 0..self.users.len() {
            self.take_up(from, place);
        }
    }

    /// Lets a user go on that is in the middle of an iteration.
    fn take_up(&mut self, now: Tick, place: usize) {
        let user = self.users.get(place);
        let Some(iteration) = user.and_then(|user| user.iteration.as_ref()) else {
            return;
        };
        let repetitions = iteration
            .repetitions()
            .iter()
            .map(|repetition| repetition.due);
        let timers = repetitions.map(|due| Reverse((due, place)));
        self.timers.extend(timers);
        match iteration.thinks_until {
            Some(until) => self.wake_user_at(until, place),
            None if iteration.awaited == 0 => self.advance(now, place),
            None => {}
        }
    }

    /// Brings a scenario's schedule up to `from`: only what is due last for each user counts.
    fn replay(&mut self, scenario: usize, from: Tick, played_through: Tick) {
        let mut latest = SortedMap::new();
        let mut others = Vec::new();
        while let Some((at, due)) = self
            .players
            .get_mut(scenario)
            .and_then(|player| player.pop_before(from))
        {
            match due {
                Due::Start(member) | Due::Stop(member, _) => {
                    latest.insert(member, (at, due));
                }
                Due::Arrive(_) | Due::TimeOver => others.push((at, due)),
            }
        }
        for (at, due) in latest.into_values().chain(others) {
            let starts = matches!(due, Due::Start(_));
            let late = starts && at < played_through;
            self.apply(scenario, if late { from } else { at }, due);
        }
        // Whoever was at work for an arrival still is, unless the time is over.
        let player = self.players.get(scenario);
        for place in player
            .map(|player| player.members.clone())
            .unwrap_or_default()
        {
            if let Some(user) = self.users.get_mut(place)
                && user.iteration.is_some()
                && user.activity == Activity::Stopped
            {
                user.activity = Activity::Once;
            }
        }
    }

    fn set_user(&mut self, place: usize, mut user: User, from: Tick, pending: Vec<Waiting>) {
        if let Some(iteration) = &mut user.iteration {
            for due in pending {
                iteration.count(due.background);
                self.requests.wait(due.queued(place, from));
            }
            self.active_users += 1;
            if let Some(busy) = self.busy.get_mut(user.scenario) {
                *busy += 1;
            }
        }
        if let Some(slot) = self.users.get_mut(place) {
            *slot = user;
        }
    }
}
