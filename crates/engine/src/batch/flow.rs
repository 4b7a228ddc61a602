//! How a virtual user walks the flow of an application.

use crate::batch::draw::{deal_rows, is_played, number_of_run, pick_application, pick_variant};
use crate::batch::machine::{Batch, State};
use crate::batch::message::{Place, add_cookies, context, render, resume};
use crate::batch::objects;
use crate::batch::redirects::Trail;
use crate::batch::requests::Pending;
use crate::batch::sockets::SocketOp;
use crate::batch::streams;
use crate::batch::types::{Address, Opening, Output};
use crate::batch::user::{Activity, Extras, Held, Iteration, User};
use crate::plan::Op;
use crate::random::Random;
use crate::scenario::Cookies;
use crate::tick::{Span, Tick};
use crate::vu::Behind;

/// The least time between two iterations of a user. Without it, an iteration that sends nothing would be
/// repeated for ever at the same point in time.
const PAUSE_MIN: Span = Span::from_ms(1);

/// How many operations a flow may pass in one turn without sending or thinking. A loop whose requests are all
/// left out would otherwise hold up everybody else; beyond this the user takes the shortest pause.
const OPERATIONS_MAX: u32 = 1_000;

/// What makes an iteration what it is that belongs to nobody, whoever plays it.
pub(super) struct Numbered {
    /// Its number in its scenario.
    pub(super) number: u64,
    /// Its random numbers.
    pub(super) random: Random,
}

/// What has happened since the flow was last taken up.
#[derive(Default)]
struct Turn {
    operations: u32,
    /// Whether something was sent that the flow waits for.
    waits: bool,
    /// Whether that was a parallel step, which further parallel steps join.
    group_open: bool,
}

impl Iteration {
    /// Counts a request that is to be sent.
    pub(super) fn count(&mut self, background: bool) {
        if background {
            self.unsent = self.unsent.saturating_add(1);
        } else {
            self.awaited = self.awaited.saturating_add(1);
        }
    }

    /// Carries out an operation that only moves the place in the program.
    fn steer(&mut self, op: &Op) {
        match op {
            Op::Choose(arms) => {
                let mut left = self.random.fraction();
                let chosen = arms.iter().find(|(weight, _)| {
                    left -= weight;
                    left < 0.0
                });
                if let Some((_, at)) = chosen.or(arms.last()) {
                    self.next_op = *at;
                }
            }
            Op::Jump(at) => self.next_op = *at,
            Op::Loop { times: 0, end } => self.next_op = *end,
            Op::Loop { times, .. } => self.loops.push(times - 1),
            Op::Again(at) => match self.loops.last_mut() {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    self.next_op = *at;
                }
                _ => {
                    self.loops.pop();
                }
            },
            Op::Pause(delay) => {
                let pause = delay.draw(&mut self.random);
                self.extras().pause = Some(pause);
            }
            Op::Row(_)
            | Op::Request(_)
            | Op::Think(_)
            | Op::Open { .. }
            | Op::Message(_)
            | Op::Close => {}
        }
    }

    /// The WebSocket of the iteration is being opened; behind it the flow goes on at `end`.
    fn enter_session(&mut self, end: u16) {
        let behind = Behind {
            next_op: end,
            loops: u16::try_from(self.loops.len()).unwrap_or(u16::MAX),
        };
        self.extras().socket = Some(Held { id: None, behind });
    }

    /// The WebSocket of the iteration is gone: the flow goes on behind it.
    pub(super) fn leave_session(&mut self) {
        let extras = self.extras.as_mut();
        if let Some(Held { behind, .. }) = extras.and_then(|extras| extras.socket.take()) {
            self.next_op = behind.next_op;
            self.loops.truncate(usize::from(behind.loops));
            self.thinks_until = None;
            self.extras().resumption = None;
        }
    }
}

impl Batch {
    pub(super) fn begin_iteration(&mut self, now: Tick, place: usize) {
        self.begin_iteration_with(now, place, None);
    }

    /// Begins an iteration with what belongs to an arrival, or to the user.
    pub(super) fn begin_iteration_with(
        &mut self,
        now: Tick,
        place: usize,
        arrival: Option<Numbered>,
    ) {
        let Some(user) = self.users.get_mut(place) else {
            return;
        };
        let was_active = user.is_active();
        let (Some(player), Some(scenario)) = (
            self.players.get_mut(user.scenario),
            self.plan.scenarios.get(user.scenario),
        ) else {
            return;
        };
        let Some(number) = player.take_iteration(user.vu, user.iterations) else {
            user.activity = Activity::Stopped;
            user.due = Tick::NEVER;
            self.count_active(was_active, place);
            return;
        };
        let seed = self.plan.seed;
        let own = || Numbered {
            number,
            random: if player.is_pile() {
                Random::for_shared(seed, user.scenario, number)
            } else {
                Random::for_iteration(seed, user.vu, user.iterations)
            },
        };
        let Numbered { number, mut random } = arrival.unwrap_or_else(own);
        let application = pick_application(scenario, &mut random);
        let variant = pick_variant(&self.plan, application, &mut random);
        let number = number_of_run(&self.plan, user.scenario, number);
        let rows = deal_rows(&self.plan, application, user.vu, number);
        let began = user.due;
        user.iterations = user.iterations.saturating_add(1);
        user.due = Tick::NEVER;
        let Some(rows) = rows else {
            user.activity = Activity::Stopped;
            let scenario = user.scenario;
            self.count_active(was_active, place);
            self.run_out_of_data(scenario, place);
            return;
        };
        if self.plan.cookies == Cookies::Iteration {
            user.cookies.clear();
        }
        user.iteration = Some(Iteration {
            application,
            variant,
            next_op: 0,
            loops: Vec::new(),
            thinks_until: None,
            began,
            awaited: 0,
            unsent: 0,
            sent_any: false,
            extras: (!rows.is_empty()).then(|| {
                Box::new(Extras {
                    rows,
                    ..Extras::default()
                })
            }),
            random,
        });
        let late = now.saturating_since(began);
        self.recorder
            .iteration_began(&self.plan, now, user.scenario, late);
        if let Some(busy) = self.busy.get_mut(user.scenario) {
            *busy += 1;
        }
        self.count_active(was_active, place);
        self.advance(began, place);
    }

    /// Drops an iteration for which no row of data is left.
    fn run_out_of_data(&mut self, scenario: usize, place: usize) {
        self.recorder.out_of_data(scenario);
        self.drop_iterations(scenario, 1);
        self.give_back(scenario, place);
    }

    /// Goes on to the next step, or to the steps that run together, which are due at `planned`; ends the
    /// iteration when there is none left.
    pub(super) fn advance(&mut self, planned: Tick, place: usize) {
        for _ in 0..OPERATIONS_MAX {
            match self.walk(planned, place) {
                Some(op) if self.play_on_socket(place, op) => {}
                Some(_) | None => return,
            }
        }
        let until = self.now() + PAUSE_MIN;
        let user = self.users.get_mut(place);
        if let Some(iteration) = user.and_then(|user| user.iteration.as_mut()) {
            iteration.thinks_until = Some(until);
            self.wake_user_at(until, place);
        }
    }

    /// As [`Self::advance`], up to the first operation on a WebSocket, which it answers.
    fn walk(&mut self, planned: Tick, place: usize) -> Option<SocketOp> {
        let now = self.now();
        let Some(User {
            iteration: Some(iteration),
            variables,
            vu,
            iterations,
            ..
        }) = self.users.get_mut(place)
        else {
            return None;
        };
        let application = usize::from(iteration.application);
        let application = self.plan.applications.get(application)?;
        let mut turn = Turn::default();
        let mut wakes = Vec::new();
        let thinks = iteration.resume_session(now);
        while !thinks && let Some(op) = application.program.get(usize::from(iteration.next_op)) {
            let step = match op {
                Op::Request(at) | Op::Open { step: at, .. } => {
                    application.steps.get(usize::from(*at))
                }
                _ => None,
            };
            if turn.waits && !(turn.group_open && step.is_some_and(|step| step.parallel)) {
                break;
            }
            turn.operations += 1;
            if turn.operations > OPERATIONS_MAX {
                iteration.thinks_until = Some(now + PAUSE_MIN);
                break;
            }
            iteration.next_op += 1;
            match (op, step) {
                (Op::Think(delay), _) => {
                    iteration.thinks_until = Some(planned + delay.draw(&mut iteration.random));
                    break;
                }
                (Op::Row(table), _) => iteration.take_row(*table, &self.plan),
                (Op::Message(at), _) => return Some(SocketOp::Message(*at)),
                (Op::Close, _) => return Some(SocketOp::Close),
                (_, Some(step)) if is_played(step, iteration, variables) => {
                    let pending = Pending {
                        user: place,
                        step: step.id,
                        planned,
                        queued: now,
                        background: step.background,
                    };
                    iteration.count(pending.background);
                    iteration.sent_any = true;
                    if let Some(repeat) = step.repeat {
                        let who = (*vu, *iterations);
                        let due = iteration.begin_repeating(self.plan.seed, who, repeat, &pending);
                        wakes.push(due);
                    }
                    if let Op::Open { end, .. } = op {
                        iteration.enter_session(*end);
                    }
                    self.requests.wait(pending);
                    if !step.background {
                        turn.waits = true;
                        turn.group_open = step.parallel;
                    }
                }
                (_, Some(step)) => iteration.next_op += u16::from(step.thinks_after),
                _ => iteration.steer(op),
            }
        }
        let thinks_until = iteration.thinks_until;
        let at_end = usize::from(iteration.next_op) >= application.program.len();
        if at_end && !turn.waits && thinks_until.is_none() {
            iteration.end_repeating();
        }
        let is_over = iteration.awaited == 0 && iteration.unsent == 0;
        for at in wakes {
            self.wake_user_at(at, place);
        }
        if let Some(until) = thinks_until {
            self.wake_user_at(until, place);
        } else if is_over {
            self.finish_iteration(now, place);
        }
        None
    }

    /// Sends the requests that have a slot to go.
    pub(super) fn send_ready(&mut self, now: Tick) {
        self.follow_ready(now);
        while self.state == State::Playing
            && let Some(pending) = self.requests.next_ready()
        {
            self.send(now, &pending);
        }
    }

    fn send(&mut self, now: Tick, pending: &Pending) {
        let Some((application, step)) = self.plan.step(pending.step) else {
            return;
        };
        let Some(user) = self.users.get_mut(pending.user) else {
            return;
        };
        let Some(iteration) = user.iteration.as_mut() else {
            return;
        };
        let place = Place {
            vu: user.vu.0,
            iteration: user.iterations.saturating_sub(1),
            scenario: user.scenario,
            variant: iteration.variant,
            variables: &user.variables,
            rows: iteration.extras.as_ref().map_or(&[], |extras| &extras.rows),
        };
        let unix_ms = self.epoch_ms.saturating_add(now.as_ms());
        let context = context(&self.plan, application, place, unix_ms);
        let deadline = now + self.plan.request_timeout;
        let id = self.requests.send(pending, now, deadline);
        let mut request = render(&self.plan, step, id, &context, &mut iteration.random);
        if let Some(object) = step.object()
            && let Address::Object { name, .. } = &request.address
        {
            objects::addressed(self.recorder.window(), object.class, name);
        }
        if let Some(streaming) = &step.stream {
            let resumes = resume(streaming, &user.variables, &mut request);
            let of = (user.scenario, pending.step);
            self.streams.begin(id, of, streaming, now);
            if resumes {
                streams::record_resumed(&mut self.recorder, &self.plan, now, of);
            }
        }
        if let Some(trail) = Trail::begin(&self.plan, step, &request, deadline) {
            self.requests.keep_trail(id, trail);
        }
        if !user.cookies.is_empty() {
            add_cookies(&user.cookies, &step.site, context.unix_ms, &mut request);
        }
        if pending.background {
            iteration.unsent = iteration.unsent.saturating_sub(1);
        }
        let over = iteration.awaited == 0 && iteration.thinks_until.is_none();
        let bytes = request.body.as_ref().map_or(0, |body| body.len() as u64);
        let of = (user.scenario, pending.step);
        let waited = now.saturating_since(pending.queued);
        self.recorder
            .request_sent(&self.plan, now, of, bytes, waited);
        let output = match &step.socket {
            None => Output::Send(request),
            Some(session) => Output::Open(Opening {
                request,
                protocols: session.protocols.clone(),
            }),
        };
        self.outputs.push_back(output);
        if over {
            self.advance(now, pending.user);
        }
    }

    /// Ends a user's iteration before its end, if it is in one.
    pub(super) fn interrupt(&mut self, now: Tick, place: usize) {
        let Some(user) = self.users.get_mut(place) else {
            return;
        };
        let was_active = user.is_active();
        user.activity = Activity::Stopped;
        user.due = Tick::NEVER;
        let scenario = user.scenario;
        let interrupted = user.iteration.take();
        self.count_active(was_active, place);
        let Some(Iteration {
            application,
            extras,
            ..
        }) = interrupted
        else {
            return;
        };
        if let Some(id) = extras.and_then(|extras| extras.socket?.id) {
            self.cut_off_session(now, id);
        }
        self.free_user(scenario, place);
        self.recorder
            .iteration_interrupted(&self.plan, now, scenario, application);
        self.requests.forget_waiting_of(place);
        for id in self.requests.ids_of(Some(place)) {
            self.cut_off(id);
        }
    }

    /// The user has thought long enough, since `due`.
    pub(super) fn end_thinking(&mut self, now: Tick, due: Tick, place: usize) {
        let user = self.users.get_mut(place);
        let Some(iteration) = user.and_then(|user| user.iteration.as_mut()) else {
            return;
        };
        iteration.thinks_until = None;
        let late = now.saturating_since(due);
        let scenario = self.scenario_of(place);
        self.recorder.lateness(&self.plan, now, scenario, late);
        self.advance(due, place);
    }

    /// The flow has come to its end.
    fn finish_iteration(&mut self, now: Tick, place: usize) {
        let Some(user) = self.users.get_mut(place) else {
            return;
        };
        let was_active = user.is_active();
        let Some(iteration) = user.iteration.take() else {
            return;
        };
        let took = now.saturating_since(iteration.began);
        let (scenario, application) = (user.scenario, iteration.application);
        self.recorder
            .iteration_finished(&self.plan, now, scenario, application, took);
        let mut random = iteration.random;
        let scenario_place = user.scenario;
        if user.activity != Activity::Active {
            user.activity = Activity::Stopped;
        } else {
            let scenario = self.plan.scenarios.get(scenario_place);
            let own = iteration.extras.as_ref().and_then(|extras| extras.pause);
            let pause = own.unwrap_or_else(|| {
                scenario.map_or(PAUSE_MIN, |scenario| scenario.pause.draw(&mut random))
            });
            let application = usize::from(iteration.application);
            let application = self.plan.applications.get(application);
            let pacing = application.and_then(|application| application.pacing);
            let pacing = pacing.or(scenario.and_then(|scenario| scenario.pacing));
            let paced = pacing.map_or(Tick::ZERO, |pacing| {
                iteration.began + pacing.draw(&mut random)
            });
            let least = if iteration.sent_any {
                Span::ZERO
            } else {
                PAUSE_MIN
            };
            self.schedule_user(place, (now + pause.max(least)).max(paced));
        }
        self.count_active(was_active, place);
        self.free_user(scenario_place, place);
    }
}

impl Batch {
    /// The scenario that a user belongs to, by its place in the plan.
    pub(super) fn scenario_of(&self, place: usize) -> usize {
        self.users.get(place).map_or(0, |user| user.scenario)
    }

    /// The user's iteration has ended.
    fn free_user(&mut self, scenario: usize, place: usize) {
        if let Some(busy) = self.busy.get_mut(scenario) {
            *busy = busy.saturating_sub(1);
        }
        self.give_back(scenario, place);
    }

    /// The user may play a later arrival.
    pub(super) fn give_back(&mut self, scenario: usize, place: usize) {
        let vu = self.users.get(place).map(|user| user.vu);
        if let (Some(player), Some(vu)) = (self.players.get_mut(scenario), vu)
            && let Some(member) = player.place_of(vu)
        {
            player.give_back(member);
        }
    }
}
