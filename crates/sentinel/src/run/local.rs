//! Drives the engine's `Run` and `Batch` with this machine's clock and network.
//!
//! Invariant: the machines are borrowed only while one event is taken in and their outputs are obeyed; nothing
//! that is done meanwhile calls back. A local run is one share of one: there is no other way to run.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use sentinel_engine::batch::{
    self, Batch, Failure, Opening, Request, RequestId, SocketInput, SocketOutput,
};
use sentinel_engine::ledger::Ledger;
use sentinel_engine::plan::{Plan, RunPart};
use sentinel_engine::response::Exchange;
use sentinel_engine::run::{self, Run, RunConfig, StopReason};
use sentinel_engine::summary::Report;
use sentinel_engine::tick::{Span, Tick};
use sentinel_system::Timer;
use tokio::select;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, spawn_local};

use crate::exit::{Exit, Stopped};
use crate::http::{Answer, Client, Heard};
use crate::output::Outputs;
use crate::run::live::Live;
use crate::socket::Ended;

/// A run on this machine.
pub(crate) struct Local {
    plan: Plan,
    client: Client,
    start: Instant,
    state: RefCell<State>,
    running: RefCell<HashMap<RequestId, AbortHandle>>,
    sockets: RefCell<HashMap<RequestId, UnboundedSender<SocketOutput>>>,
    wake: Cell<Tick>,
    earlier: Notify, // the wake has moved forward
}

struct State {
    run: Run,
    batch: Option<Playing>,
    report: Option<Box<Report>>,
    told: Ledger, // by the batches, so far
    live: Live,
    outputs: Rc<RefCell<Outputs>>,
}

/// The batch that plays now, whose time line begins this long after the run's.
struct Playing {
    batch: Batch,
    begins: Span,
    part: RunPart,
}

impl Playing {
    fn handle_input(&mut self, now: Tick, input: batch::Input<'_>) {
        let own = Tick::ZERO + now.saturating_since(Tick::ZERO + self.begins);
        self.batch.handle_input(own, input);
    }
}

impl Local {
    /// A run of `plan` that has not begun.
    pub(crate) fn new(
        plan: Plan,
        config: RunConfig,
        client: Client,
        live: Live,
        outputs: Rc<RefCell<Outputs>>,
    ) -> Rc<Self> {
        let run = Run::new(plan.clone(), config);
        Rc::new(Self {
            plan,
            client,
            start: Instant::now(),
            state: RefCell::new(State {
                run,
                batch: None,
                report: None,
                told: Ledger::default(),
                live,
                outputs,
            }),
            running: RefCell::default(),
            sockets: RefCell::default(),
            wake: Cell::new(Tick::ZERO),
            earlier: Notify::new(),
        })
    }

    /// Plays the run to its end.
    ///
    /// # Errors
    /// When somebody interrupts twice, or this machine has no signals or timers for us.
    pub(crate) async fn play(self: Rc<Self>) -> Result<Box<Report>, Stopped> {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Stopped::failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(Stopped::failed)?;
        let mut interrupted = false;
        let timer = Timer::new().map_err(Stopped::failed)?;
        loop {
            self.step(Event::Woken);
            if let Some(report) = self.state.borrow_mut().report.take() {
                return Ok(report);
            }
            let due = self.start + Duration::from_micros(self.wake.get().as_us());
            select! {
                waited = timer.until(due) => waited.map_err(Stopped::failed)?,
                () = self.earlier.notified() => {}
                _ = interrupt.recv() => self.interrupted(&mut interrupted)?,
                _ = terminate.recv() => self.interrupted(&mut interrupted)?,
            }
        }
    }

    /// The first time the run ends with everything that was measured, the second time it is over at once.
    fn interrupted(self: &Rc<Self>, before: &mut bool) -> Result<(), Stopped> {
        if *before {
            return Err(Stopped {
                exit: Exit::Interrupted,
                message: format!("interrupted twice: the summary is lost; {}", self.give_up()),
            });
        }
        *before = true;
        self.step(Event::Cancelled);
        Ok(())
    }

    /// Lets go of everything that is under way, and says what there was, in a few words.
    fn give_up(&self) -> String {
        let now = self.now();
        let state = &mut *self.state.borrow_mut();
        if let Some(playing) = &mut state.batch {
            playing.handle_input(now, batch::Input::Stop);
            loop {
                match playing.batch.poll_output() {
                    batch::Output::Ship(frame) => {
                        let ledgers = frame.windows.iter().map(|window| &window.ledger);
                        ledgers.for_each(|ledger| state.told += *ledger);
                    }
                    batch::Output::WakeAt(..) | batch::Output::Done => break,
                    _ => {}
                }
            }
        }
        let told = &state.told;
        format!(
            "{} iterations were started ({} finished, {} interrupted) and {} requests sent ({} answered, {} failed, {} cut off)",
            told.started,
            told.finished,
            told.interrupted,
            told.sent,
            told.answered,
            told.failed,
            told.cut_off
        )
    }

    /// Takes in one event and does what the machines ask for.
    fn step(self: &Rc<Self>, event: Event<'_>) {
        let now = self.now();
        let state = &mut *self.state.borrow_mut();
        match event {
            Event::Woken => {
                state.run.handle_input(now, run::Input::Wake);
                if let Some(batch) = &mut state.batch {
                    batch.handle_input(now, batch::Input::Wake);
                }
            }
            Event::Cancelled => {
                let stop = run::Input::Stop(StopReason::Cancelled);
                state.run.handle_input(now, stop);
            }
            Event::Heard(id, heard) => {
                let input = match heard {
                    Heard::Head(head) => batch::Input::Head(id, head),
                    Heard::Piece(bytes) => batch::Input::Chunk(id, bytes),
                };
                if let Some(batch) = &mut state.batch {
                    batch.handle_input(now, input);
                }
            }
            Event::Socket(id, input) => {
                if let Some(batch) = &mut state.batch {
                    batch.handle_input(now, batch::Input::Socket(id, input));
                }
            }
            Event::Ended(id, ended) => {
                let input = match ended {
                    Ok(exchange) => batch::Input::Answered(id, exchange),
                    Err(failure) => batch::Input::Failed(id, failure),
                };
                if let Some(batch) = &mut state.batch {
                    batch.handle_input(now, input);
                }
            }
        }
        let wake = self.obey(state, now);
        if wake < self.wake.replace(wake) {
            self.earlier.notify_one();
        }
    }

    /// Answers when there is something to do again.
    fn obey(self: &Rc<Self>, state: &mut State, now: Tick) -> Tick {
        loop {
            let batch_wake = self.obey_batch(state, now);
            let (run_wake, assigned) = self.obey_run(state, now);
            if !assigned {
                return batch_wake.min(run_wake);
            }
        }
    }

    fn obey_batch(self: &Rc<Self>, state: &mut State, now: Tick) -> Tick {
        while let Some(batch) = &mut state.batch {
            match batch.batch.poll_output() {
                batch::Output::Send(request) => self.send(request),
                batch::Output::Open(opening) => self.open(opening),
                batch::Output::Socket(id, order) => {
                    // Who is gone meanwhile says so.
                    if let Some(orders) = self.sockets.borrow().get(&id) {
                        let _ = orders.send(order);
                    }
                }
                batch::Output::Abort(id) => {
                    self.sockets.borrow_mut().remove(&id);
                    if let Some(task) = self.running.borrow_mut().remove(&id) {
                        task.abort();
                    }
                }
                batch::Output::Ship(frame) => {
                    let ledgers = frame.windows.iter().map(|window| &window.ledger);
                    ledgers.for_each(|ledger| state.told += *ledger);
                    if batch.part == RunPart::Load {
                        let epoch_ms = state.run.config().epoch_ms + batch.begins.as_us() / 1_000;
                        let mut outputs = state.outputs.borrow_mut();
                        for window in &frame.windows {
                            state
                                .live
                                .take(window, || batch.batch.active_users_of_scenarios());
                            outputs.window(window, epoch_ms);
                        }
                    }
                    state
                        .run
                        .handle_input(now, run::Input::Bundle(frame.into()));
                }
                batch::Output::WakeAt(at, _) => return at + batch.begins,
                batch::Output::Done => state.batch = None,
            }
        }
        Tick::NEVER
    }

    /// Also answers whether the batch has something new to do.
    fn obey_run(&self, state: &mut State, now: Tick) -> (Tick, bool) {
        let mut told = false;
        loop {
            match state.run.poll_output() {
                run::Output::Assign(assignment) => {
                    let epoch_ms = state.run.config().epoch_ms;
                    let begins_ms = assignment.epoch_ms.saturating_sub(epoch_ms);
                    let part = assignment.part;
                    let mut batch = Playing {
                        batch: Batch::new(self.plan.clone(), *assignment)
                            .with_parts()
                            .with_outcomes(),
                        begins: Span::from_ms(begins_ms),
                        part,
                    };
                    batch.handle_input(now, batch::Input::Wake);
                    state.batch = Some(batch);
                    told = true;
                }
                run::Output::StopLine { .. } => {
                    if let Some(batch) = &mut state.batch {
                        batch.handle_input(now, batch::Input::Stop);
                        told = true;
                    }
                }
                // A local run has no shards, and one slice.
                run::Output::AssignShard(_) | run::Output::Adopt { .. } => {}
                // Nobody could go on with this run if this process ended.
                run::Output::Persist(_) => {}
                run::Output::Publish(rows) => {
                    let progress = state.run.progress();
                    state.live.show(&rows, &progress);
                    let mut outputs = state.outputs.borrow_mut();
                    rows.iter().for_each(|row| outputs.row(row));
                }
                run::Output::WakeAt(at) => return (at, told),
                run::Output::Done(report) => {
                    state.live.end();
                    state.report = Some(report);
                    return (now, false);
                }
            }
        }
    }

    fn send(self: &Rc<Self>, request: Request) {
        let id = request.id;
        let this = Rc::clone(self);
        let task = spawn_local(async move {
            let tell = |heard: Heard<'_>| this.step(Event::Heard(id, heard));
            let ended = this.client.exchange(request, tell).await;
            this.running.borrow_mut().remove(&id);
            match ended {
                Ok(answer) => this.answered(id, &answer),
                Err(class) => this.step(Event::Ended(id, Err(Failure { class }))),
            }
        });
        // It has not run yet: whatever becomes of it finds itself here.
        self.running.borrow_mut().insert(id, task.abort_handle());
    }

    fn open(self: &Rc<Self>, opening: Opening) {
        let id = opening.request.id;
        let (orders, ordered) = unbounded_channel();
        self.sockets.borrow_mut().insert(id, orders);
        let this = Rc::clone(self);
        let task = spawn_local(async move {
            let tell = |input: SocketInput<'_>| this.step(Event::Socket(id, input));
            let ended = this.client.converse(&opening, ordered, tell).await;
            this.running.borrow_mut().remove(&id);
            this.sockets.borrow_mut().remove(&id);
            match ended {
                Ok(Ended::Session(Ok(code))) => tell(SocketInput::Closed(code)),
                Ok(Ended::Session(Err(class))) | Err(class) => tell(SocketInput::Failed(class)),
                Ok(Ended::Refused(answer)) => this.answered(id, &answer),
            }
        });
        self.running.borrow_mut().insert(id, task.abort_handle());
    }

    fn answered(self: &Rc<Self>, id: RequestId, answer: &Answer) {
        let exchange = Exchange {
            status: answer.status,
            headers: &answer.headers,
            body: &answer.body,
            bytes_received: answer.bytes_received,
            truncated: answer.truncated,
            parts: answer.parts,
        };
        self.step(Event::Ended(id, Ok(exchange)));
    }

    fn now(&self) -> Tick {
        let elapsed = self.start.elapsed().as_micros();
        Tick::from_us(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }
}

/// What happens to a run.
enum Event<'a> {
    /// Time has passed.
    Woken,
    /// Somebody interrupted it.
    Cancelled,
    /// A part of a stream has come.
    Heard(RequestId, Heard<'a>),
    /// Something happened to a WebSocket.
    Socket(RequestId, SocketInput<'a>),
    /// A request is over.
    Ended(RequestId, Result<Exchange<'a>, Failure>),
}
