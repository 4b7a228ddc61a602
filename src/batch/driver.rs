//! Drives the engine's `Batch` with the runtime's `fetch`, timers and streams.
//!
//! Invariant: the state is borrowed only while one event is taken in, and nothing that is called meanwhile calls
//! back: JavaScript answers in a later turn. The driver is owned by the future that the invocation waits for,
//! closures hold it weakly, so that everything is freed when the batch is over.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};

use js_sys::Function;
use js_sys::futures::spawn_local;
use sentinel_engine::batch::{Address, Batch, Failure, Input, Output, Request, RequestId};
use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::parts::Parts;
use sentinel_engine::plan::{Plan, RunPart};
use sentinel_engine::response::Exchange;
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::window::StepId;
use sentinel_engine::wire::Frame;
use serde_json::json;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use worker::Env;

use crate::batch::failure::classify;
use crate::batch::message::{message, own_fields};
use crate::batch::order::BatchOrder;
use crate::clock::{RunClock, now_ms};
use crate::js::{Exchanges, Port, clear_timeout, set_timeout};
use crate::limits::{FLAG_CHECK_MS, LEASE_MS, LINE_BYTES_MAX, UNREAD_BYTES_MAX};
use crate::{flag, log};

/// A batch with everything that it needs of the runtime.
pub(super) struct Driver {
    this: Weak<Self>,
    env: Env,
    permit: BatchPermit,
    own_fields: String, // lines, as in a message
    state: RefCell<State>,
    exchanges: Exchanges,
    port: Port,
    callbacks: Callbacks,
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

/// Identifier, status and size, of an answer of which nothing else is wanted.
type OnEnd = dyn Fn(f64, u16, f64);

/// Identifier, status, header fields, body, size, whether it was truncated.
type OnAnswer = dyn Fn(f64, u16, String, Vec<u8>, f64, bool);

/// What JavaScript calls. Held as long as the objects that call it.
struct Callbacks {
    headers: Closure<dyn Fn(f64)>,
    end: Closure<OnEnd>,
    answer: Closure<OnAnswer>,
    failure: Closure<dyn Fn(f64, String, String, String)>,
    line: Closure<dyn Fn(String)>,
    gone: Closure<dyn Fn()>,
    wake: Closure<dyn Fn()>,
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
    announced: BTreeSet<StepId>,
    timer: Option<(JsValue, Tick)>,
    lease_until: Tick,
    next_flag_check_ms: u64,
    gone: bool,
}

impl Callbacks {
    fn new(driver: &Weak<Driver>) -> Self {
        let weak = || driver.clone();
        let (on_headers, on_end, on_answer, on_failure) = (weak(), weak(), weak(), weak());
        let (on_line, on_gone, on_wake) = (weak(), weak(), weak());
        Self {
            headers: Closure::new(move |id| {
                with(&on_headers, |driver| {
                    driver.step(&Input::Headers(request_id(id)))
                });
            }),
            end: Closure::new(move |id, status, size| {
                with(&on_end, |driver| {
                    driver.answered(id, status, "", &[], size, false);
                });
            }),
            answer: Closure::new(
                move |id, status, fields: String, body: Vec<u8>, size: f64, truncated| {
                    with(&on_answer, |driver| {
                        driver.answered(id, status, &fields, &body, size, truncated);
                    });
                },
            ),
            failure: Closure::new(move |id, name: String, message: String, marks: String| {
                let class = classify(&name, &message, &marks);
                let input = Input::Failed(request_id(id), Failure { class });
                with(&on_failure, |driver| driver.step(&input));
            }),
            line: Closure::new(move |line: String| with(&on_line, |driver| driver.heard(&line))),
            gone: Closure::new(move || with(&on_gone, Driver::deserted)),
            wake: Closure::new(move || with(&on_wake, Driver::woken)),
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
                exchanges: Exchanges::new(
                    env.as_ref(),
                    function(&callbacks.headers),
                    function(&callbacks.end),
                    function(&callbacks.answer),
                    function(&callbacks.failure),
                ),
                env,
                own_fields: own_fields(&permit),
                permit,
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
            "stop" => self.step(&Input::Stop),
            order => self.begin(order),
        }
    }

    fn begin(&self, line: &str) {
        if !matches!(*self.state.borrow(), State::Waiting) {
            return;
        }
        match self.playing(line) {
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
                let details = json!({ "slice": slice, "batch": batch, "reason": reason });
                log::event("batch_refused", run, details);
                self.end();
            }
        }
    }

    /// All batches of a run through shards start at the same time, which lies ahead of the first orders.
    fn wait_for_start(&self, early_ms: u64) {
        if let State::Playing(playing) = &mut *self.state.borrow_mut() {
            let timer = set_timeout(function(&self.callbacks.wake), early_ms as f64);
            playing.timer = Some((timer, Tick::ZERO));
        }
    }

    fn playing(&self, line: &str) -> Result<Playing, &'static str> {
        let order: BatchOrder =
            serde_json::from_str(line).map_err(|_| "the assignment cannot be read")?;
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
            announced: BTreeSet::new(),
            timer: None,
            lease_until,
            next_flag_check_ms,
            gone: false,
        })
    }

    fn lease(&self) {
        if let State::Playing(playing) = &mut *self.state.borrow_mut() {
            playing.lease_until = playing.clock.now() + Span::from_ms(LEASE_MS);
        }
    }

    /// The coordinator is gone.
    fn deserted(&self) {
        if matches!(*self.state.borrow(), State::Waiting) {
            self.end();
        }
        self.step(&Input::LeaseExpired);
    }

    /// The timer has fired.
    fn woken(&self) {
        let mut check_flag = false;
        if let State::Playing(playing) = &mut *self.state.borrow_mut() {
            playing.timer = None;
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

    fn answered(
        &self,
        id: f64,
        status: u16,
        fields: &str,
        body: &[u8],
        size: f64,
        truncated: bool,
    ) {
        let mut headers = Vec::new();
        let mut lines = fields.split('\n');
        while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
            headers.push((name.to_owned(), value.to_owned()));
        }
        let exchange = Exchange {
            status,
            headers: &headers,
            body,
            bytes_received: size as u64,
            truncated,
            parts: Parts::default(),
        };
        self.step(&Input::Answered(request_id(id), exchange));
    }

    /// Takes in one event and does what the engine asks for.
    fn step(&self, input: &Input<'_>) {
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
            if let Some((timer, _)) = playing.timer.take() {
                clear_timeout(&timer);
            }
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
                // Runs with WebSockets are refused before they start.
                Output::Open(opening) => {
                    let class = ErrorClass::Refused;
                    let failed = Input::Failed(opening.request.id, Failure { class });
                    playing.batch.handle_input(playing.clock.now(), failed);
                }
                Output::Socket(..) => {}
                Output::Abort(RequestId(id)) => self.exchanges.abort(id as f64),
                Output::Ship(frame) => self.ship(playing, &frame),
                Output::WakeAt(tick, _) => {
                    self.wake_at(playing, tick);
                    return false;
                }
                Output::Done => return true,
            }
        }
    }

    fn send(&self, playing: &mut Playing, request: Request) {
        let step = u32::from(request.step.0);
        if playing.announced.insert(request.step) {
            self.exchanges.announce(
                step,
                request.method.name(),
                request.wants_body,
                &request.wants_headers.join("\n"),
                request.body_limit_bytes as f64,
            );
        }
        let (binding, object) = match &request.address {
            Address::Host => (None, None),
            Address::Binding(binding) => (Some(*binding), None),
            Address::Object { binding, name } => (Some(*binding), Some(name.as_str())),
        };
        let message = message(&request, &self.own_fields);
        let id = request.id.0 as f64;
        self.exchanges
            .send(id, step, &message, request.body, binding, object);
    }

    fn ship(&self, playing: &mut Playing, frame: &Frame) {
        let Ok(line) = serde_json::to_string(frame) else {
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
        if let Some((timer, _)) = playing.timer.take() {
            clear_timeout(&timer);
        }
        let ms = playing.clock.ms_until(tick);
        let timer = set_timeout(function(&self.callbacks.wake), ms as f64);
        playing.timer = Some((timer, tick));
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
        self.port.close();
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

/// Identifiers count up from 0, far below the numbers that JavaScript cannot hold exactly.
fn request_id(id: f64) -> RequestId {
    RequestId(id as u64)
}
