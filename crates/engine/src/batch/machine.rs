//! The state of a batch, and how inputs and the passing of time change it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::batch::player::{Due, Player};
use crate::batch::polls::Polls;
use crate::batch::recorder::Recorder;
use crate::batch::requests::Requests;
use crate::batch::sockets::Sockets;
use crate::batch::streams::Streams;
use crate::batch::types::{Input, Output, WakeReason};
use crate::batch::user::{Activity, User};
use crate::cloudflare::Colo;
use crate::error_class::ErrorClass;
use crate::plan::{Plan, RunPart};
use crate::sorted::SortedSet;
use crate::tick::Tick;
use crate::wire::{Assignment, EndReason};

/// One share of a plan's virtual users, playing one slice.
#[derive(Debug)]
pub struct Batch {
    pub(super) plan: Plan,
    pub(super) part: RunPart,
    /// The variables of a user who begins.
    pub(super) variables: Vec<Option<String>>,
    pub(super) epoch_ms: u64,
    pub(super) state: State,
    pub(super) players: Vec<Player>, // one for each scenario
    pub(super) users: Vec<User>,
    pub(super) busy: Vec<u64>, // users in an iteration, for each scenario
    pub(super) requests: Requests,
    pub(super) streams: Streams,
    pub(super) sockets: Sockets,
    pub(super) polls: Option<Polls>, // of one batch of the run
    pub(super) recorder: Recorder,
    pub(super) outputs: VecDeque<Output>,
    until: Tick,
    pub(super) hands_over_at: Option<Tick>,
    pub(super) away: usize, // users that are
    /// The users that wait for answers while the others have been handed over.
    pub(super) lingering: SortedSet<usize>,
    pub(super) tells_late_from: Tick, // not before, so that many who come in are told together
    now: Tick,
    pub(super) timers: BinaryHeap<Reverse<(Tick, usize)>>, // may hold entries that no longer apply
    pub(super) active_users: u32,
    pub(super) colo: Option<Colo>,
}

/// What the batch is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Playing,
    /// The slice is over, and answers are waited for.
    Draining,
    /// Users have been handed over, and answers for others are waited for.
    Lingering,
    Ended,
}

impl Batch {
    /// A batch that will play `assignment`. It does nothing before its first input.
    #[must_use]
    pub fn new(plan: Plan, assignment: Assignment) -> Self {
        let Assignment {
            part,
            epoch_ms,
            slice,
            share,
            from,
            until,
            played_through,
            carry,
            away,
            hands_over_after,
            begun,
            handed_over,
            slots,
            ..
        } = assignment;
        let plan = plan.only(part);
        let portion = plan.portion.clone().share(share);
        let players = plan.scenarios.iter().enumerate();
        let players =
            players.map(|(place, scenario)| Player::new(scenario, place, plan.seed, &portion));
        let mut batch = Self {
            part,
            variables: plan.variables_of_new_user(&handed_over),
            epoch_ms,
            state: State::Playing,
            players: players.collect(),
            users: Vec::new(),
            busy: vec![0; plan.scenarios.len()],
            requests: Requests::new(slots),
            streams: Streams::default(),
            sockets: Sockets::default(),
            polls: Polls::new(&plan, played_through).filter(|_| share.index() == 0),
            recorder: Recorder::new(slice, share.index(), &plan, from),
            outputs: VecDeque::new(),
            until,
            hands_over_at: hands_over_after.map(|after| until + after),
            away: 0,
            lingering: SortedSet::new(),
            tells_late_from: from,
            now: from,
            timers: BinaryHeap::new(),
            active_users: 0,
            colo: None,
            plan,
        };
        for (place, player) in batch.players.iter_mut().enumerate() {
            let begun = begun.get(place).copied().unwrap_or(0);
            player.resume(begun, played_through);
        }
        batch.note_away(&away);
        batch.resume(carry, from, played_through);
        batch
    }

    /// Takes in what happened at `now`. Time never runs backwards: an earlier `now` counts as the latest one.
    pub fn handle_input(&mut self, now: Tick, input: Input<'_>) {
        if self.state == State::Ended {
            return;
        }
        if let Input::Headers(id) = input
            && self.free_slot(id)
        {
            return;
        }
        let now = now.max(self.now);
        self.now = now;
        if self.recorder.roll(now, self.active_users) {
            let frame = self.recorder.ship();
            self.outputs.push_back(Output::Ship(frame));
        }
        match input {
            Input::Wake => {}
            Input::Headers(id) => self.requests.headers(id),
            Input::Head(id, head) => self.stream_begins(now, id, head),
            Input::Chunk(id, bytes) => self.stream_goes_on(now, id, bytes),
            Input::Socket(id, input) => self.socket_input(now, id, input),
            Input::Answered(id, exchange) => self.answered(now, id, &exchange),
            Input::Failed(id, failure) if self.poll_ended(now, id, Err(failure.class)) => {}
            Input::Failed(id, failure) => self.failed(now, id, failure.class),
            Input::Adopt(users) => self.adopt(now, users),
            Input::Stop => return self.stop(now, EndReason::Stopped),
            Input::LeaseExpired => return self.stop(now, EndReason::LeaseExpired),
        }
        if self.state == State::Playing && now >= self.until {
            self.state = State::Draining;
            self.end_streams_of_slice(now);
            self.end_sessions_of_slice(now);
        }
        self.expire_requests(now);
        self.expire_streams(now);
        self.expire_sockets(now);
        self.expire_polls(now);
        self.change_users(now);
        self.fire_timers(now);
        self.end_faulty_setup(now);
        self.poll_target(now);
        self.send_ready(now);
        self.hand_over_if_due(now);
        self.end_if_over(now);
    }

    /// What to do next. To be called until it answers [`Output::WakeAt`] or [`Output::Done`].
    #[must_use]
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        if self.state == State::Ended {
            return Output::Done;
        }
        let (at, reason) = self.next_wake();
        Output::WakeAt(at, reason)
    }

    /// The latest point in time that the batch knows of.
    pub(super) const fn now(&self) -> Tick {
        self.now
    }

    /// How many virtual users are active.
    #[must_use]
    pub const fn active_users(&self) -> u32 {
        self.active_users
    }

    fn next_wake(&mut self) -> (Tick, WakeReason) {
        let mut next = (self.recorder.closes_at(), WakeReason::Window);
        let mut or = |at: Option<Tick>, reason| {
            if let Some(at) = at.filter(|at| *at < next.0) {
                next = (at, reason);
            }
        };
        or(self.requests.next_deadline(), WakeReason::Timeout);
        or(self.streams.next_deadline(), WakeReason::Timeout);
        or(self.sockets.next_deadline(), WakeReason::Timeout);
        let polls = self.polls.as_ref();
        or(
            polls.and_then(|polls| polls.next_at(self.now)),
            WakeReason::Poll,
        );
        if self.state == State::Playing {
            or(Some(self.until), WakeReason::SliceEnd);
            for player in &mut self.players {
                or(player.next_at(), WakeReason::User);
            }
            let timer = self.timers.peek();
            or(timer.map(|Reverse((at, _))| *at), WakeReason::User);
        }
        if self.state == State::Draining {
            // When the time has passed, what is left to wait for is a poll, which has a time of its own.
            let later = self.hands_over_at.filter(|at| *at > self.now);
            or(later, WakeReason::SliceEnd);
        }
        if self.state == State::Lingering && self.tells_late_from > self.now {
            or(Some(self.tells_late_from), WakeReason::SliceEnd);
        }
        next
    }

    /// Applies the plan's starts and stops that are due. A draining batch applies those of its own slice, so
    /// that they are handed over, and leaves later ones to the next slice. After the plan's last slice there is
    /// none.
    fn change_users(&mut self, now: Tick) {
        let after_now = Tick::from_us(now.as_us().saturating_add(1));
        let last = Tick::ZERO + self.plan.duration + self.plan.graceful_stop;
        let limit = if self.until >= last {
            after_now
        } else {
            self.until.min(after_now)
        };
        for scenario in 0..self.players.len() {
            while let Some((at, due)) = self
                .players
                .get_mut(scenario)
                .and_then(|player| player.pop_before(limit))
            {
                self.apply(scenario, at, due);
            }
        }
    }

    pub(super) fn apply(&mut self, scenario: usize, at: Tick, due: Due) {
        match due {
            Due::Start(member) => {
                let place = self.ensure_user(scenario, member);
                let Some(user) = self.users.get_mut(place) else {
                    return;
                };
                let was_active = user.is_active();
                user.activity = Activity::Active;
                if user.iteration.is_none() && !user.is_away {
                    // A user that was handed over between two iterations keeps the time it is due at.
                    if user.due == Tick::NEVER {
                        user.due = at;
                    }
                    self.timers.push(Reverse((user.due, place)));
                }
                self.count_active(was_active, place);
            }
            Due::Stop(member, deadline) => {
                let player = self.players.get(scenario);
                let place = player.and_then(|player| player.members.get(member).copied());
                if let Some(place) = place {
                    self.stop_user(place, deadline);
                }
            }
            Due::Arrive(arrival) => self.arrive(scenario, &arrival),
            Due::TimeOver => self.end_time(scenario),
        }
    }

    fn fire_timers(&mut self, now: Tick) {
        while let Some(&Reverse((at, place))) = self.timers.peek()
            && at <= now
        {
            let Some(user) = self.users.get(place) else {
                break;
            };
            let begins =
                user.activity == Activity::Active && user.iteration.is_none() && user.due == at;
            let interrupts = user.activity == Activity::Stopping(at);
            let thinking = user.iteration.as_ref();
            let thinks = thinking.is_some_and(|iteration| iteration.thinks_until == Some(at));
            let repeats = thinking.is_some_and(|iteration| iteration.repeats_at(at));
            if (begins || thinks || repeats) && self.state != State::Playing {
                break;
            }
            self.timers.pop();
            if repeats {
                self.repeat_steps(now, at, place);
            }
            if thinks {
                self.end_thinking(now, at, place);
            } else if begins {
                self.begin_iteration(now, place);
            } else if interrupts {
                self.interrupt(now, place);
            }
        }
    }

    fn expire_requests(&mut self, now: Tick) {
        while let Some(id) = self.requests.next_expired(now) {
            self.outputs.push_back(Output::Abort(id));
            self.failed(now, id, ErrorClass::Timeout);
        }
    }

    /// Makes room for a user, and for those before it, which the plan starts first. Answers its place.
    pub(super) fn ensure_user(&mut self, scenario: usize, member: usize) -> usize {
        let Some(player) = self.players.get_mut(scenario) else {
            return usize::MAX;
        };
        while player.members.len() <= member {
            let next = player.members.len();
            let mut user = User::new(player.vu_of(next), scenario, self.variables.clone());
            user.iterations = player.begun_by(next);
            player.members.push(self.users.len());
            self.users.push(user);
        }
        player.members.get(member).copied().unwrap_or(usize::MAX)
    }

    /// Lets a user begin its next iteration at `due`.
    pub(super) fn schedule_user(&mut self, place: usize, due: Tick) {
        if let Some(user) = self.users.get_mut(place) {
            user.due = due;
            self.timers.push(Reverse((due, place)));
        }
    }

    /// Looks at the user again at this point.
    pub(super) fn wake_user_at(&mut self, at: Tick, place: usize) {
        self.timers.push(Reverse((at, place)));
    }

    /// Keeps the count of active users right after a change to one of them.
    pub(super) fn count_active(&mut self, was_active: bool, place: usize) {
        let is_active = self.users.get(place).is_some_and(User::is_active);
        match (was_active, is_active) {
            (false, true) => self.active_users += 1,
            (true, false) => self.active_users = self.active_users.saturating_sub(1),
            _ => {}
        }
    }
}
