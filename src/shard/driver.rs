//! Drives the engine's `Shard` with lines to its batches and one to the coordinator.
//!
//! Invariant: the state is borrowed only while one event is taken in, and nothing that is called meanwhile calls
//! back: JavaScript answers in a later turn. The driver is owned by the future that the object waits for,
//! closures hold it weakly, so that everything is freed when the slice is over.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use sentinel_engine::plan::{Plan, PlanSource};
use sentinel_engine::run::LossReason;
use sentinel_engine::shard::{Input, Kept, Output, Shard};
use sentinel_engine::wire::Assignment;
use wasm_bindgen::JsValue;
use worker::Env;

use crate::batch::BatchOrder;
use crate::called::{Called, Caller, Timer, with};
use crate::clock::{RunClock, now_ms};
use crate::js::Port;
use crate::json::document;
use crate::limits::LEASE_MS;
use crate::links::{LinkEvent, LinkId, Links, frame};
use crate::log;
use crate::shard::name::ShardCall;

/// A shard with everything that it needs of the runtime.
pub(super) struct Driver {
    this: Weak<Self>,
    env: Env,
    key: String,
    home: Rc<RefCell<Kept>>, // the object's, for the next slice
    state: RefCell<State>,
    caller: Caller,
}

/// | state | event | next |
/// |---|---|---|
/// | `Waiting` | the order | `Playing` |
/// | `Waiting` | anything else | `Over` |
/// | `Playing` | the engine is done | `Over` |
enum State {
    /// The order has not been read yet.
    Waiting,
    Playing(Box<Playing>),
    Over,
}

struct Playing {
    shard: Shard,
    run: String,
    slice: u32,
    source: PlanSource,
    links: Links,
    clock: RunClock,
    timer: Timer,
    lease_until_ms: u64,
    gone: bool,
}

impl Driver {
    /// A driver that waits for its order on `body`.
    pub(super) fn new(
        env: Env,
        key: String,
        home: Rc<RefCell<Kept>>,
        body: &JsValue,
        signal: &JsValue,
    ) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            this: this.clone(),
            env,
            key,
            home,
            state: RefCell::new(State::Waiting),
            caller: Caller::new(this, body, signal),
        })
    }

    /// The line to the coordinator.
    pub(super) const fn port(&self) -> &Port {
        self.caller.port()
    }

    fn playing(&self, line: &str) -> Result<Playing, &'static str> {
        let ShardCall { order, source } =
            crate::json::read(line).map_err(|_| "the order cannot be read")?;
        let plan = Plan::parse(&source).map_err(|_| "the plan cannot be run")?;
        let first = order.batches.first().ok_or("there is no batch to play")?;
        let clock = RunClock::new(first.assignment.epoch_ms);
        let (run, slice) = (order.run.clone(), order.slice);
        let this = self.this.clone();
        Ok(Playing {
            shard: Shard::new(plan, order, self.home.take()),
            run,
            slice,
            source,
            links: Links::new(move |event| with(&this, |driver| driver.batch_said(event))),
            clock,
            timer: Timer::default(),
            lease_until_ms: now_ms() + LEASE_MS,
            gone: false,
        })
    }

    /// Something happened on the line to a batch.
    fn batch_said(&self, event: LinkEvent) {
        let input = match &mut *self.state.borrow_mut() {
            State::Playing(playing) => playing.understand(event),
            State::Waiting | State::Over => None,
        };
        if let Some(input) = input {
            self.step(input);
        }
    }

    /// Takes in one event and does what the engine asks for.
    fn step(&self, input: Input) {
        let mut state = self.state.borrow_mut();
        let State::Playing(playing) = &mut *state else {
            return;
        };
        let now = playing.clock.now();
        playing.shard.handle_input(now, input);
        let mut over = self.obey(playing);
        if playing.gone && !over {
            playing.shard.handle_input(now, Input::LeaseExpired);
            over = self.obey(playing);
        }
        if over {
            drop(state);
            self.end();
        }
    }

    /// Whether the slice is over.
    fn obey(&self, playing: &mut Playing) -> bool {
        loop {
            match playing.shard.poll_output() {
                Output::Assign(assignment) => self.start(playing, *assignment),
                Output::StopBatch(batch) => playing.links.stop(playing.id(batch)),
                Output::Ship(bundle) => playing.gone |= !self.caller.tell(&*bundle),
                Output::WakeAt(tick) => {
                    let Playing { timer, clock, .. } = playing;
                    self.caller.wake_at(timer, clock, tick);
                    return false;
                }
                Output::Done => return true,
            }
        }
    }

    fn start(&self, playing: &mut Playing, assignment: Assignment) {
        let batch = assignment.share.index();
        let order = BatchOrder {
            assignment,
            source: &playing.source,
        };
        if playing
            .links
            .open_batch(&self.env, &self.key, &order)
            .is_err()
        {
            let reason = LossReason::NotStarted;
            let now = playing.clock.now();
            playing
                .shard
                .handle_input(now, Input::BatchLost { batch, reason });
        }
    }

    fn end(&self) {
        let state = self.state.replace(State::Over);
        if let State::Playing(playing) = state {
            self.home.replace(playing.shard.into_kept());
        }
        self.caller.port().close();
    }
}

impl Called for Driver {
    fn hear(&self, order: &str) {
        if !matches!(*self.state.borrow(), State::Waiting) {
            return;
        }
        match self.playing(order) {
            Ok(playing) => {
                *self.state.borrow_mut() = State::Playing(Box::new(playing));
                self.step(Input::Wake);
            }
            Err(reason) => {
                log::event("shard_refused", "", document!({ "reason": reason }));
                self.end();
            }
        }
    }

    fn lease(&self) {
        if let State::Playing(playing) = &mut *self.state.borrow_mut() {
            playing.lease_until_ms = now_ms() + LEASE_MS;
        }
    }

    fn stop(&self) {
        self.step(Input::Stop);
    }

    fn deserted(&self) {
        if matches!(*self.state.borrow(), State::Waiting) {
            self.end();
        }
        self.step(Input::LeaseExpired);
    }

    fn woken(&self) {
        let mut expired = false;
        if let State::Playing(playing) = &mut *self.state.borrow_mut() {
            playing.timer.fired();
            expired = now_ms() >= playing.lease_until_ms;
        }
        self.step(if expired {
            Input::LeaseExpired
        } else {
            Input::Wake
        });
    }
}

impl Playing {
    const fn id(&self, batch: u32) -> LinkId {
        LinkId {
            slice: self.slice,
            line: batch,
        }
    }

    /// What an event on a line means for the shard.
    fn understand(&mut self, event: LinkEvent) -> Option<Input> {
        match event {
            LinkEvent::Line(id, line) => {
                if !self.links.is_open(id) {
                    return None;
                }
                match frame(id, &line) {
                    Some(frame) => Some(Input::Frame(frame)),
                    None => {
                        self.links.close(id);
                        Some(self.lost(id, LossReason::StreamEnded))
                    }
                }
            }
            // Whether that loses anything, the shard knows: it has heard which batches have ended.
            LinkEvent::Ended(id, end) => self.links.is_open(id).then(|| {
                self.links.close(id);
                self.lost(id, end.loss())
            }),
        }
    }

    fn lost(&self, id: LinkId, reason: LossReason) -> Input {
        if reason != LossReason::StreamEnded {
            let details = document!({ "slice": id.slice, "batch": id.line, "reason": reason });
            log::event("line_not_opened", &self.run, details);
        }
        Input::BatchLost {
            batch: id.line,
            reason,
        }
    }
}
