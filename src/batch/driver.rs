//! Drives the engine's `Batch` with the runtime's `fetch`, timers and streams.
//!
//! Invariant: the state is borrowed only while one event is taken in, and nothing that is called meanwhile calls
//! back: JavaScript answers in a later turn. The driver is owned by the future that the invocation waits for,
//! closures hold it weakly, so that everything is freed when the batch is over.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use js_sys::Promise;
use js_sys::futures::spawn_local;
use sentinel_engine::batch::{
    Address, Batch, Input, Opening, Output, Request, RequestId, SocketOutput,
};
use sentinel_engine::plan::{Plan, RunPart};
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::vu::VuCarry;
use wasm_bindgen::JsValue;
use worker::Env;

use crate::batch::callbacks::{OfExchanges, OfSockets};
use crate::batch::message::{fields, own_fields};
use crate::batch::order::BatchOrder;
use crate::batch::told::{Told, UrlNews};
use crate::called::{Called, Caller, Timer, with};
use crate::clock::{RunClock, now_ms};
use crate::js::{Exchanges, Port, Sockets};
use crate::json::document;
use crate::limits::{CLOSE_GRACE_MS, FLAG_CHECK_MS, LEASE_MS};
use crate::{flag, log};

/// A batch with everything that it needs of the runtime.
pub(super) struct Driver {
    this: Weak<Self>,
    env: Env,
    permit: BatchPermit,
    own_fields: String, // lines, as in a message
    state: RefCell<State>,
    exchanges: Exchanges,
    sockets: Sockets,
    caller: Caller,
    _callbacks: Callbacks, // held as long as the objects that call them
}

/// Which batch was signed for.
#[derive(Clone, Debug)]
pub(super) struct BatchPermit {
    /// The run's identifier.
    pub(super) run: String,
    /// The slice.
    pub(super) slice: u32,
    /// The batch.
    pub(super) batch: u32,
}

/// What happens to requests and WebSockets.
struct Callbacks {
    exchanges: OfExchanges,
    sockets: OfSockets,
}

/// | state | event | next |
/// |---|---|---|
/// | `Waiting` | the assignment | `Playing` |
/// | `Waiting` | anything else | `Over` |
/// | `Playing` | the engine is done | `Over` |
enum State {
    /// The assignment has not been read yet.
    Waiting,
    Playing(Box<Playing>),
    Over,
}

struct Playing {
    batch: Batch,
    clock: RunClock,
    told: Told,
    timer: Timer,
    lease_until: Tick,
    next_flag_check_ms: u64,
    gone: bool,
}

impl Callbacks {
    fn new(driver: &Weak<Driver>) -> Self {
        Self {
            exchanges: OfExchanges::new(driver),
            sockets: OfSockets::new(driver),
        }
    }
}

impl Driver {
    /// A driver that waits for its assignment on `body`.
    pub(super) fn new(env: Env, permit: BatchPermit, body: &JsValue, signal: &JsValue) -> Rc<Self> {
        Rc::new_cyclic(|this| {
            let callbacks = Callbacks::new(this);
            Self {
                this: this.clone(),
                exchanges: callbacks.exchanges.exchanges(env.as_ref()),
                sockets: callbacks.sockets.sockets(env.as_ref()),
                env,
                own_fields: own_fields(&permit),
                permit,
                state: RefCell::new(State::Waiting),
                caller: Caller::new(this, body, signal),
                _callbacks: callbacks,
            }
        })
    }

    /// The line to the coordinator.
    pub(super) const fn port(&self) -> &Port {
        self.caller.port()
    }

    /// Resolves some time after the end of the line, when the WebSockets are gone that were being closed then.
    pub(super) fn sockets_gone(&self) -> Promise {
        self.sockets.gone(CLOSE_GRACE_MS)
    }

    /// All batches of a run through shards start at the same time, which lies ahead of the first orders.
    fn wait_for_start(&self, early_ms: u64) {
        if let State::Playing(playing) = &mut *self.state.borrow_mut() {
            self.caller
                .wake_in(&mut playing.timer, early_ms, Tick::ZERO);
        }
    }

    fn playing(&self, line: &str) -> Result<Playing, &'static str> {
        let order: BatchOrder =
            crate::json::read(line).map_err(|_| "the assignment cannot be read")?;
        let BatchOrder { assignment, source } = order;
        let BatchPermit { run, slice, batch } = &self.permit;
        let (asked_slice, asked_batch) = (assignment.slice, assignment.share.index());
        if (run, slice, batch) != (&assignment.run, &asked_slice, &asked_batch) {
            return Err("the assignment is not the one that was signed");
        }
        let plan = Plan::parse(&source).map_err(|_| "the plan cannot be run")?;
        let mut clock = RunClock::new(assignment.epoch_ms);
        let lease_until = clock.now() + Span::from_ms(LEASE_MS);
        // A cancelled run still has its teardown played.
        let next_flag_check_ms = if assignment.part == RunPart::Teardown {
            u64::MAX
        } else {
            now_ms() + FLAG_CHECK_MS
        };
        Ok(Playing {
            batch: Batch::new(plan, assignment),
            clock,
            told: Told::default(),
            timer: Timer::default(),
            lease_until,
            next_flag_check_ms,
            gone: false,
        })
    }

    /// The header of an answer is here.
    pub(super) fn headers(&self, id: RequestId) {
        let is_told = match &mut *self.state.borrow_mut() {
            State::Playing(playing) => playing.batch.free_slot(id),
            State::Waiting | State::Over => true,
        };
        if !is_told {
            self.step(&Input::Headers(id));
        }
    }

    /// Takes in one event and does what the engine asks for.
    pub(super) fn step(&self, input: &Input<'_>) {
        let mut state = self.state.borrow_mut();
        let State::Playing(playing) = &mut *state else {
            return;
        };
        let now = playing.clock.now();
        // Before the event, which may be what a user waited for to send its next request.
        let expired = now >= playing.lease_until;
        let mut over = expired && self.feed(playing, now, Input::LeaseExpired);
        over = over || self.feed(playing, now, *input);
        if playing.gone && !over {
            over = self.feed(playing, now, Input::LeaseExpired);
        }
        if over {
            drop(state);
            self.end();
        }
    }

    /// Whether the batch is over.
    fn feed(&self, playing: &mut Playing, now: Tick, input: Input<'_>) -> bool {
        playing.batch.handle_input(now, input);
        self.obey(playing)
    }

    /// Whether the batch is over.
    fn obey(&self, playing: &mut Playing) -> bool {
        loop {
            match playing.batch.poll_output() {
                Output::Send(request) => self.send(playing, request),
                Output::Open(opening) => self.open(&opening),
                Output::Socket(RequestId(id), order) => self.order(id as f64, order),
                Output::Abort(id) => {
                    // It is known to one of them.
                    self.exchanges.abort(id.0 as f64, id.place());
                    self.sockets.abort(id.0 as f64);
                }
                Output::Ship(frame) => playing.gone |= !self.caller.tell(&frame),
                Output::WakeAt(tick, _) => {
                    let Playing { timer, clock, .. } = playing;
                    self.caller.wake_at(timer, clock, tick);
                    return false;
                }
                Output::Done => return true,
            }
        }
    }

    fn send(&self, playing: &mut Playing, mut request: Request) {
        let (kind, is_new) = playing.told.kind(&request);
        if is_new {
            self.exchanges.announce(
                kind,
                request.method.name(),
                request.streams,
                request.wants_body,
                &request.wants_headers.join("\n"),
                request.body_limit_bytes as f64,
            );
        }
        let RequestId(id) = request.id;
        let place = request.id.place();
        let told = &mut playing.told;
        let news = told.news(place, kind, &mut request, &self.own_fields);
        let (url, kept, [tail, more]) = match news.url {
            UrlNews::Same => (None, 0, [0; 2]),
            UrlNews::Tail { kept, tail } => (None, kept, tail),
            UrlNews::Whole => (Some(request.url.as_str()), 0, [0; 2]),
        };
        let object = match &request.address {
            Address::Host | Address::Binding(_) => None,
            Address::Object { name, .. } => Some(name.as_str()),
        };
        self.exchanges.send(
            id as f64,
            place,
            kind,
            url,
            kept,
            tail,
            more,
            news.fields.as_deref(),
            request.body,
            request.address.binding(),
            object,
        );
    }

    fn open(&self, opening: &Opening) {
        let request = &opening.request;
        self.sockets.open(
            request.id.0 as f64,
            &request.url,
            &fields(&request.headers, &self.own_fields),
            &opening.protocols.join("\n"),
            &request.wants_headers.join("\n"),
            request.address.binding(),
        );
    }

    fn order(&self, id: f64, order: SocketOutput) {
        match order {
            SocketOutput::Text(text) => self.sockets.send_text(id, &text),
            SocketOutput::Binary(bytes) => self.sockets.send_bytes(id, bytes),
            // The platform has no way to send one: runs that want it are refused before they start.
            SocketOutput::Ping => {}
            SocketOutput::Close { code, reason } => self.sockets.shut(id, code, &reason),
        }
    }

    /// Users have come in that were away when the slice began. Those that cannot be read are told to be missed.
    fn adopt(&self, line: &str) {
        if let Ok(users) = crate::json::read::<Vec<VuCarry>>(line) {
            self.step(&Input::Adopt(&users));
        }
    }

    fn check_flag(&self) {
        let (env, run, this) = (self.env.clone(), self.permit.run.clone(), self.this.clone());
        spawn_local(async move {
            if flag::sign(&env, &run).await.is_some() {
                with(&this, |driver| driver.step(&Input::Stop));
            }
        });
    }

    fn end(&self) {
        *self.state.borrow_mut() = State::Over;
        self.exchanges.close();
        self.sockets.close();
        self.caller.port().close();
    }
}

impl Called for Driver {
    fn hear(&self, order: &str) {
        if !matches!(*self.state.borrow(), State::Waiting) {
            return self.adopt(order);
        }
        match self.playing(order) {
            Ok(playing) => {
                let early_ms = playing.clock.ms_before_start();
                *self.state.borrow_mut() = State::Playing(Box::new(playing));
                if early_ms > 0 {
                    self.wait_for_start(early_ms);
                } else {
                    self.step(&Input::Wake);
                }
            }
            Err(reason) => {
                let BatchPermit { run, slice, batch } = &self.permit;
                let details = document!({ "slice": slice, "batch": batch, "reason": reason });
                log::event("batch_refused", run, details);
                self.end();
            }
        }
    }

    fn lease(&self) {
        if let State::Playing(playing) = &mut *self.state.borrow_mut() {
            playing.lease_until = playing.clock.now() + Span::from_ms(LEASE_MS);
        }
    }

    fn stop(&self) {
        self.step(&Input::Stop);
    }

    fn deserted(&self) {
        if matches!(*self.state.borrow(), State::Waiting) {
            self.end();
        }
        self.step(&Input::LeaseExpired);
    }

    fn woken(&self) {
        let mut check_flag = false;
        if let State::Playing(playing) = &mut *self.state.borrow_mut() {
            playing.timer.fired();
            let now = now_ms();
            check_flag = now >= playing.next_flag_check_ms;
            if check_flag {
                playing.next_flag_check_ms = now + FLAG_CHECK_MS;
            }
        }
        if check_flag {
            self.check_flag();
        }
        self.step(&Input::Wake);
    }
}
