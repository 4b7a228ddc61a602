//! The requests of a batch: those that wait for a connection slot, and those that are under way.
//!
//! Invariant: at most `slots` requests are between their sending and their answer's header. Cloudflare lets
//! six requests of an invocation wait for headers and silently queues the seventh
//! (<https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections>); this gate
//! keeps that queue in the open, where its wait is measured.

use std::collections::VecDeque;
use std::num::NonZeroU16;

use crate::batch::redirects::Trail;
use crate::batch::types::RequestId;
use crate::sorted::SortedSet;
use crate::tick::Tick;
use crate::window::StepId;

/// A request that is due and waits for a slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) user: usize,
    pub(super) step: StepId,
    /// When it was due.
    pub(super) planned: Tick,
    /// When it began to wait in this batch.
    pub(super) queued: Tick,
    /// Whether the flow goes on without waiting for its answer.
    pub(super) background: bool,
}

/// A request under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) user: usize,
    pub(super) step: StepId,
    pub(super) planned: Tick,
    pub(super) sent: Tick,
    /// Whether the user's flow waits for the answer.
    pub(super) awaited: bool,
    holds_slot: bool,
    /// Whether its time limit counts: not once a stream has begun, which has limits of its own.
    is_timed: bool,
}

/// The gate, and the table of requests under way.
#[derive(Debug)]
pub(super) struct Requests {
    slots_free: Option<u16>, // none: there is no limit
    waiting: VecDeque<Pending>,
    hops: VecDeque<Hop>, // go before those that wait
    table: Vec<Entry>,
    vacant: Vec<usize>,
    under_way: usize,
    deadlines: VecDeque<(Tick, RequestId)>, // ascending
}

/// A redirect that is followed, and waits for a slot. It goes on with a request, so it counts as under way.
#[derive(Debug)]
pub(super) struct Hop {
    pub(super) pending: Pending,
    pub(super) trail: Box<Trail>,
}

#[derive(Debug)]
struct Entry {
    generation: u32,
    request: Option<InFlight>,
    trail: Option<Box<Trail>>,
}

impl Requests {
    pub(super) fn new(slots: Option<NonZeroU16>) -> Self {
        Self {
            slots_free: slots.map(NonZeroU16::get),
            waiting: VecDeque::new(),
            hops: VecDeque::new(),
            table: Vec::new(),
            vacant: Vec::new(),
            under_way: 0,
            deadlines: VecDeque::new(),
        }
    }

    /// Puts a request at the end of the queue for slots.
    pub(super) fn wait(&mut self, pending: Pending) {
        self.waiting.push_back(pending);
    }

    /// Puts a redirect at the end of those that wait for a slot.
    pub(super) fn wait_for_hop(&mut self, hop: Hop) {
        self.hops.push_back(hop);
    }

    /// Whether requests wait for a slot.
    pub(super) fn any_waiting(&self) -> bool {
        !self.waiting.is_empty() || !self.hops.is_empty()
    }

    /// Takes a slot for what is no request of a user, if one is free. It is held until [`Self::return_slot`].
    pub(super) fn take_slot(&mut self) -> bool {
        match &mut self.slots_free {
            Some(0) => return false,
            Some(free) => *free -= 1,
            None => {}
        }
        true
    }

    /// Gives back what [`Self::take_slot`] has taken.
    pub(super) fn return_slot(&mut self) {
        if let Some(free) = &mut self.slots_free {
            *free += 1;
        }
    }

    /// The next redirect that has a slot to go, if any.
    pub(super) fn next_hop(&mut self) -> Option<Hop> {
        if self.slots_free == Some(0) {
            None
        } else {
            self.hops.pop_front()
        }
    }

    /// The next request that has a slot to go, if any.
    pub(super) fn next_ready(&mut self) -> Option<Pending> {
        if self.slots_free == Some(0) {
            None
        } else {
            self.waiting.pop_front()
        }
    }

    /// Takes all waiting requests out of the queue.
    pub(super) fn drain_waiting(&mut self) -> impl Iterator<Item = Pending> {
        std::mem::take(&mut self.waiting).into_iter()
    }

    /// Takes the waiting requests of one user out of the queue.
    pub(super) fn take_waiting_of(&mut self, user: usize) -> Vec<Pending> {
        let is_users = |pending: &Pending| pending.user == user;
        let of_user = self.waiting.iter().copied().filter(is_users).collect();
        self.waiting.retain(|pending| !is_users(pending));
        of_user
    }

    /// The users of whom anything is under way.
    pub(super) fn users_under_way(&self) -> SortedSet<usize> {
        let sent = self.table.iter().filter_map(|entry| entry.request.as_ref());
        let sent = sent.map(|request| request.user);
        let hops = self.hops.iter().map(|hop| hop.pending.user);
        sent.chain(hops).collect()
    }

    /// Drops the waiting requests of one user.
    pub(super) fn forget_waiting_of(&mut self, user: usize) {
        self.waiting.retain(|pending| pending.user != user);
        self.hops.retain(|hop| hop.pending.user != user);
    }

    /// Notes that a request is sent; it holds a slot until [`Self::headers`] or its end.
    pub(super) fn send(&mut self, pending: &Pending, now: Tick, deadline: Tick) -> RequestId {
        if let Some(free) = &mut self.slots_free {
            *free = free.saturating_sub(1);
        }
        let Pending {
            user,
            step,
            planned,
            background,
            ..
        } = *pending;
        let request = InFlight {
            user,
            step,
            planned,
            sent: now,
            awaited: !background,
            holds_slot: self.slots_free.is_some(),
            is_timed: true,
        };
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.table.push(Entry {
                generation: 0,
                request: None,
                trail: None,
            });
            self.table.len() - 1
        });
        let mut generation = 0;
        if let Some(entry) = self.table.get_mut(index) {
            entry.request = Some(request);
            generation = entry.generation;
        }
        self.under_way += 1;
        let id = id_of(index, generation);
        // Every request has the same time limit, but a redirect has what its first request has left of it.
        let later = |at: &(Tick, RequestId)| at.0 > deadline;
        if self.deadlines.back().is_some_and(later) {
            let at = self.deadlines.partition_point(|at| !later(at));
            self.deadlines.insert(at, (deadline, id));
        } else {
            self.deadlines.push_back((deadline, id));
        }
        id
    }

    /// Keeps what is needed to follow a redirect of a request under way.
    pub(super) fn keep_trail(&mut self, id: RequestId, trail: Box<Trail>) {
        if let Some(entry) = self.entry_mut(id) {
            entry.trail = Some(trail);
        }
    }

    /// What was kept for a request under way.
    pub(super) fn trail(&self, id: RequestId) -> Option<&Trail> {
        let entry = self.table.get(index_of(id))?;
        entry.trail.as_deref().filter(|_| entry.is_named_by(id))
    }

    /// The header of the answer is here: the slot is free again.
    pub(super) fn headers(&mut self, id: RequestId) {
        let held = self
            .entry_mut(id)
            .and_then(|entry| entry.request.as_mut())
            .is_some_and(|request| std::mem::take(&mut request.holds_slot));
        if held && let Some(free) = &mut self.slots_free {
            *free += 1;
        }
    }

    /// The time limit of a request counts no more.
    pub(super) fn release(&mut self, id: RequestId) {
        if let Some(request) = self.entry_mut(id).and_then(|entry| entry.request.as_mut()) {
            request.is_timed = false;
        }
    }

    /// A request under way.
    pub(super) fn get(&self, id: RequestId) -> Option<&InFlight> {
        let entry = self.table.get(index_of(id))?;
        entry.request.as_ref().filter(|_| entry.is_named_by(id))
    }

    /// Removes a request, `None` if it has already ended.
    pub(super) fn end(&mut self, id: RequestId) -> Option<InFlight> {
        self.headers(id);
        let entry = self.entry_mut(id)?;
        let request = entry.request.take()?;
        entry.trail = None;
        entry.generation = entry.generation.wrapping_add(1);
        self.vacant.push(index_of(id));
        self.under_way -= 1;
        Some(request)
    }

    /// The next request whose time limit is reached at `now`.
    pub(super) fn next_expired(&mut self, now: Tick) -> Option<RequestId> {
        self.next_deadline().filter(|deadline| *deadline <= now)?;
        self.deadlines.pop_front().map(|(_, id)| id)
    }

    /// The earliest time limit of the requests under way.
    pub(super) fn next_deadline(&mut self) -> Option<Tick> {
        while let Some(&(deadline, id)) = self.deadlines.front() {
            if self
                .entry_mut(id)
                .and_then(|entry| entry.request.as_ref())
                .is_some_and(|request| request.is_timed)
            {
                return Some(deadline);
            }
            self.deadlines.pop_front();
        }
        None
    }

    /// How many requests are under way, redirects that wait for a slot among them.
    pub(super) fn under_way(&self) -> usize {
        self.under_way + self.hops.len()
    }

    /// The requests under way that belong to `user`, or to anybody.
    pub(super) fn ids_of(&self, user: Option<usize>) -> Vec<RequestId> {
        let of_user = |request: &InFlight| user.is_none_or(|user| request.user == user);
        let ids = self
            .table
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.request.as_ref().is_some_and(of_user));
        ids.map(|(index, entry)| id_of(index, entry.generation))
            .collect()
    }

    /// The entry that `id` names, `None` if it names an earlier request of the same entry.
    fn entry_mut(&mut self, id: RequestId) -> Option<&mut Entry> {
        self.table
            .get_mut(index_of(id))
            .filter(|entry| entry.is_named_by(id))
    }
}

impl Entry {
    fn is_named_by(&self, id: RequestId) -> bool {
        self.generation == id.nth()
    }
}

/// The table is far below 2³² entries.
fn id_of(index: usize, generation: u32) -> RequestId {
    RequestId::new(u32::try_from(index).unwrap_or(u32::MAX), generation)
}

const fn index_of(id: RequestId) -> usize {
    id.place() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(user: usize) -> Pending {
        Pending {
            user,
            step: StepId(0),
            planned: Tick::ZERO,
            queued: Tick::ZERO,
            background: false,
        }
    }

    fn requests(slots: u16) -> Requests {
        let mut requests = Requests::new(NonZeroU16::new(slots));
        (0..4).for_each(|user| requests.wait(pending(user)));
        requests
    }

    fn send_next(requests: &mut Requests, deadline_ms: u64) -> Option<RequestId> {
        let next = requests.next_ready()?;
        Some(requests.send(&next, Tick::ZERO, Tick::from_ms(deadline_ms)))
    }

    #[test]
    fn the_gate_lets_no_more_through_than_it_has_slots() {
        let mut requests = requests(2);
        let first = send_next(&mut requests, 1).unwrap();
        assert!(send_next(&mut requests, 1).is_some());
        assert_eq!(send_next(&mut requests, 1), None);
        requests.headers(first);
        requests.headers(first);
        assert!(send_next(&mut requests, 1).is_some());
        assert_eq!(
            send_next(&mut requests, 1),
            None,
            "a slot is given back once"
        );
        requests.end(first);
        assert_eq!(
            send_next(&mut requests, 1),
            None,
            "its end does not give it back again"
        );
    }

    #[test]
    fn an_old_id_does_not_name_the_request_that_took_its_place() {
        let mut requests = requests(4);
        let old = send_next(&mut requests, 1).unwrap();
        assert!(requests.end(old).is_some());
        let new = send_next(&mut requests, 1).unwrap();
        assert_ne!(old, new);
        assert!(requests.end(old).is_none());
        assert_eq!(requests.under_way(), 1);
        assert_eq!(requests.end(new).map(|request| request.user), Some(1));
    }

    #[test]
    fn only_requests_under_way_expire() {
        let mut requests = requests(4);
        let first = send_next(&mut requests, 10).unwrap();
        let second = send_next(&mut requests, 20).unwrap();
        requests.end(first);
        assert_eq!(requests.next_deadline(), Some(Tick::from_ms(20)));
        assert_eq!(requests.next_expired(Tick::from_ms(19)), None);
        assert_eq!(requests.next_expired(Tick::from_ms(20)), Some(second));
    }
}
