//! Drives the engine's `Shard` with lines to its batches and one to the coordinator.
//!
//! Invariant: the state is borrowed only while one event is taken in, and nothing that is called meanwhile calls
//! back: JavaScript answers in a later turn. The driver is owned by the future that the object waits for,
//! closures hold it weakly, so that everything is freed when the slice is over.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use js_sys::Function;
use sentinel_engine::bundle::Bundle;
use sentinel_engine::plan::{Plan, PlanSource};
use sentinel_engine::run::LossReason;
use sentinel_engine::shard::{Input, Kept, Output, Shard};
use sentinel_engine::tick::Tick;
use sentinel_engine::wire::Assignment;
use serde_json::json;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use worker::Env;

use crate::batch::BatchOrder;
use crate::clock::{RunClock, now_ms};
use crate::js::{Port, clear_timeout, set_timeout};
use crate::limits::{LEASE_MS, LINE_BYTES_MAX, UNREAD_BYTES_MAX};
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
    port: Port,
    callbacks: Callbacks,
}

/// What JavaScript calls. Held as long as the objects that call it.
struct Callbacks {
    line: Closure<dyn Fn(String)>,
    gone: Closure<dyn Fn()>,
    wake: Closure<dyn Fn()>,
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
    timer: Option<(JsValue, Tick)>,
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
        Rc::new_cyclic(|this: &Weak<Self>| {
            let (on_line, on_gone, on_wake) = (this.clone(), this.clone(), this.clone());
            let callbacks = Callbacks {
                line: Closure::new(move |line: String| {
                    with(&on_line, |driver| driver.heard(&line));
                }),
                gone: Closure::new(move || with(&on_gone, Self::deserted)),
                wake: Closure::new(move || with(&on_wake, Self::woken)),
            };
            Self {
                this: this.clone(),
                env,
                key,
                home,
                state: RefCell::new(State::Waiting),
                port: Port::new(
                    body,
                    signal,
                    LINE_BYTES_MAX as f64,
                    function(&callbacks.line),
                    function(&callbacks.gone),
                ),
                callbacks,
            }
        })
    }

    /// The line to the coordinator.
    pub(super) const fn port(&self) -> &Port {
        &self.port
    }

    /// The coordinator said something.
    fn heard(&self, line: &str) {
        match line {
            "beat" => self.lease(),
            "stop" => self.step(Input::Stop),
            order => self.begin(order),
        }
    }

    fn begin(&self, line: &str) {
        if !matches!(*self.state.borrow(), State::Waiting) {
            return;
        }
        match self.playing(line) {
            Ok(playing) => {
                *self.state.borrow_mut() = State::Playing(Box::new(playing));
                self.step(Input::Wake);
            }
            Err(reason) => {
                log::event("shard_refused", "", json!({ "reason": reason }));
                self.end();
            }
        }
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
            timer: None,
            lease_until_ms: now_ms() + LEASE_MS,
            gone: false,
        })
    }

    fn lease(&self) {
        if let State::Playing(playing) = &mut *self.state.borrow_mut() {
            playing.lease_until_ms = now_ms() + LEASE_MS;
        }
    }

    /// The coordinator is gone.
    fn deserted(&self) {
        if matches!(*self.state.borrow(), State::Waiting) {
            self.end();
        }
        self.step(Input::LeaseExpired);
    }

    /// The timer has fired.
    fn woken(&self) {
        let mut expired = false;
        if let State::Playing(playing) = &mut *self.state.borrow_mut() {
            playing.timer = None;
            expired = now_ms() >= playing.lease_until_ms;
        }
        self.step(if expired {
            Input::LeaseExpired
        } else {
            Input::Wake
        });
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
                Output::Ship(bundle) => self.ship(playing, &bundle),
                Output::WakeAt(tick) => {
                    self.wake_at(playing, tick);
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
            source: playing.source.clone(),
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

    fn ship(&self, playing: &mut Playing, bundle: &Bundle) {
        let Ok(line) = serde_json::to_string(bundle) else {
            playing.gone = true;
            return;
        };
        let unread = self.port.ship(&line);
        if !(0.0..=UNREAD_BYTES_MAX).contains(&unread) {
            playing.gone = true;
        }
    }

    /// A timer that fires too early is good enough: waking for nothing changes nothing.
    fn wake_at(&self, playing: &mut Playing, tick: Tick) {
        if playing.timer.as_ref().is_some_and(|(_, at)| *at <= tick) {
            return;
        }
        playing.clear_timer();
        let ms = playing.clock.ms_until(tick);
        let timer = set_timeout(function(&self.callbacks.wake), ms as f64);
        playing.timer = Some((timer, tick));
    }

    fn end(&self) {
        let state = self.state.replace(State::Over);
        if let State::Playing(mut playing) = state {
            playing.clear_timer();
            self.home.replace(playing.shard.into_kept());
        }
        self.port.close();
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
            let details = json!({ "slice": id.slice, "batch": id.line, "reason": reason });
            log::event("line_not_opened", &self.run, details);
        }
        Input::BatchLost {
            batch: id.line,
            reason,
        }
    }

    fn clear_timer(&mut self) {
        if let Some((timer, _)) = self.timer.take() {
            clear_timeout(&timer);
        }
    }
}

fn with(driver: &Weak<Driver>, act: impl FnOnce(&Driver)) {
    if let Some(driver) = driver.upgrade() {
        act(&driver);
    }
}

fn function<T: ?Sized + wasm_bindgen::closure::WasmClosure>(closure: &Closure<T>) -> &Function {
    closure.as_ref().unchecked_ref()
}
