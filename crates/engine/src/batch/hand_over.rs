//! How a batch ends its slice, and hands its users over.
//!
//! When the slice is over, all users rest as soon as their requests have been answered. If some answers take long, the
//! batch hands over the users that wait for none, so that the next slice can begin with them, and stays for the others:
//! each of those is handed over when its last request has ended. Invariant: a user is handed over once, with nothing
//! of it under way, and whatever a request has come to is told before its user.

use crate::batch::machine::{Batch, State};
use crate::batch::player::Player;
use crate::batch::requests::Pending;
use crate::batch::types::Output;
use crate::batch::user::{User, Waiting, handed_over};
use crate::plan::RunPart;
use crate::sorted::SortedMap;
use crate::tick::{Span, Tick};
use crate::vu::{VuCarry, VuId};
use crate::wire::{BatchEnd, EndReason};

/// How long a batch waits between two frames that hand over late users: each is stored.
const BETWEEN_LATE: Span = Span::from_ms(100);

impl Batch {
    /// Hands over whoever waits for no answer, if the time for that has come.
    pub(super) fn hand_over_if_due(&mut self, now: Tick) {
        match self.state {
            State::Draining => {
                let is_due = self.hands_over_at.is_some_and(|at| at <= now);
                if is_due && self.requests.under_way() > 0 {
                    self.hand_over(now);
                }
            }
            State::Lingering => self.hand_over_late(now),
            State::Playing | State::Ended => {}
        }
    }

    /// Hands over all users of whom nothing is under way.
    fn hand_over(&mut self, now: Tick) {
        self.lingering = self.requests.users_under_way();
        let missed = self.missed();
        let mut pending = self.waiting_by_user();
        let (mut carry, mut out) = (Vec::new(), Vec::new());
        for place in 0..self.users.len() {
            let waiting = pending.remove(&place).unwrap_or_default();
            if !self.lingering.contains(&place) {
                carry.extend(self.leave(place, &waiting));
                continue;
            }
            out.extend(self.users.get(place).map(User::away));
            for waiting in waiting {
                self.requests.wait(waiting.queued(place, now));
            }
        }
        let open = carry.iter().filter(|carry| carry.position.is_some());
        let end = BatchEnd {
            reason: EndReason::SliceOver,
            at: now,
            iterations_open: open.count() as u64,
            carry,
            out,
            missed,
            handed_over: Vec::new(),
            colo: self.colo,
        };
        self.state = State::Lingering;
        self.tell(now, Vec::new(), Some(end));
    }

    /// Hands over those of the users that stayed of whom nothing is under way any more.
    fn hand_over_late(&mut self, now: Tick) {
        if now < self.tells_late_from && self.requests.under_way() > 0 {
            return;
        }
        let busy = self.requests.users_under_way();
        let lingering = self.lingering.iter().copied();
        let came_in: Vec<usize> = lingering.filter(|place| !busy.contains(place)).collect();
        let mut late = Vec::new();
        for place in came_in {
            self.lingering.remove(&place);
            let waiting = self.requests.take_waiting_of(place);
            let waiting: Vec<Waiting> = waiting.into_iter().map(Waiting::from).collect();
            late.extend(self.leave(place, &waiting));
        }
        if !late.is_empty() {
            self.tells_late_from = now + BETWEEN_LATE;
            self.tell(now, late, None);
        }
    }

    /// Takes a user away, to be handed over.
    fn leave(&mut self, place: usize, waiting: &[Waiting]) -> Option<VuCarry> {
        let user = self.users.get_mut(place)?;
        let nobody = User::new(user.vu, user.scenario, Vec::new());
        let user = std::mem::replace(user, nobody);
        (!user.is_away).then(|| user.into_carry(waiting, &self.variables))
    }

    fn tell(&mut self, now: Tick, late: Vec<VuCarry>, end: Option<BatchEnd>) {
        let active = self.users.iter().filter(|user| user.is_active()).count();
        self.active_users = u32::try_from(active).unwrap_or(u32::MAX);
        let frame = self.recorder.tell(now, self.active_users, late, end);
        self.outputs.push_back(Output::Ship(frame));
    }

    /// The users that have not come in from an earlier slice.
    fn missed(&self) -> Vec<VuId> {
        let away = self.users.iter().filter(|user| user.is_away);
        away.map(|user| user.vu).collect()
    }

    /// Takes all requests out of the queue that have not been sent.
    fn waiting_by_user(&mut self) -> SortedMap<usize, Vec<Waiting>> {
        let mut waiting: SortedMap<usize, Vec<Waiting>> = SortedMap::new();
        for pending in self.requests.drain_waiting() {
            let of_user = waiting.entry(pending.user).or_default();
            of_user.push(pending.into());
        }
        waiting
    }

    pub(super) fn end_if_over(&mut self, now: Tick) {
        if self.state == State::Ended || self.requests.under_way() > 0 {
            return;
        }
        let done = self.state != State::Lingering
            && self.active_users == 0
            && self.away == 0
            && self.players.iter_mut().all(Player::is_spent);
        if (!done && self.state == State::Playing) || self.waits_for_poll(now) {
            return;
        }
        let over = EndReason::SliceOver;
        self.end(now, if done { EndReason::PlanDone } else { over });
    }

    /// Gives up everything that is under way.
    pub(super) fn stop(&mut self, now: Tick, reason: EndReason) {
        for place in 0..self.users.len() {
            self.interrupt(now, place);
        }
        for id in self.requests.ids_of(None) {
            self.cut_off(id);
        }
        self.end(now, reason);
    }

    fn end(&mut self, now: Tick, reason: EndReason) {
        self.cut_off_polls(now);
        let goes_on = reason == EndReason::SliceOver && self.state != State::Lingering;
        let mut pending = self.waiting_by_user();
        let missed = self.missed();
        let users = std::mem::take(&mut self.users);
        let open = users.iter().filter(|user| user.iteration.is_some()).count();
        let handed_over = if self.part == RunPart::Setup {
            handed_over(&self.plan, &users)
        } else {
            Vec::new()
        };
        let hand_over = |(place, user): (usize, User)| {
            user.into_carry(&pending.remove(&place).unwrap_or_default(), &self.variables)
        };
        let carry = if goes_on {
            let users = users.into_iter().enumerate();
            users
                .filter(|(_, user)| !user.is_away)
                .map(hand_over)
                .collect()
        } else {
            Vec::new()
        };
        let end = BatchEnd {
            reason,
            at: now,
            carry,
            iterations_open: open as u64,
            out: Vec::new(),
            missed,
            handed_over,
            colo: self.colo,
        };
        let frame = self.recorder.finish(end, self.active_users);
        self.outputs.push_back(Output::Ship(frame));
        self.state = State::Ended;
    }
}

impl Waiting {
    /// As a request of this user that begins to wait for a slot.
    pub(super) const fn queued(self, user: usize, queued: Tick) -> Pending {
        Pending {
            user,
            step: self.step,
            planned: self.planned,
            queued,
            background: self.background,
        }
    }
}

impl From<Pending> for Waiting {
    fn from(pending: Pending) -> Self {
        Self {
            step: pending.step,
            planned: pending.planned,
            background: pending.background,
        }
    }
}
