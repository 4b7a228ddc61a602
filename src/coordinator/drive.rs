//! Drives the engine's `Run` through one slice.
//!
//! Lines outlive the slice: a batch that waits for slow answers goes on telling while the next one is played.
//!
//! Invariant: the run's state is read and changed without an await in between, and its outputs are obeyed in
//! order: what it wants stored is stored before a batch hears of it.

use std::collections::VecDeque;
use std::time::Duration;

use futures::StreamExt as _;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::future::{Either, select};
use js_sys::futures::spawn_local;
use sentinel_engine::bundle::{Bundle, ShardOrder};
use sentinel_engine::plan::RunPart;
use sentinel_engine::run::{Input, LiveReport, LossReason, Output, Run, StopReason, Stored};
use sentinel_engine::summary::Report;
use sentinel_engine::tick::Tick;
use sentinel_engine::wire::Assignment;
use worker::{Delay, Env, Result, Storage};

use crate::batch::BatchOrder;
use crate::clock::{RunClock, now_ms};
use crate::coordinator::event::Event;
use crate::coordinator::object::{Live, lease_ms};
use crate::coordinator::order::RunOrder;
use crate::coordinator::publish::Publisher;
use crate::coordinator::store::Store;
use crate::flag::{self, Sign};
use crate::json::document;
use crate::limits::{ALARM_LEASE_MS, FLAG_POLL_MS, ROWS_PER_PARCEL};
use crate::links::{LinkEnd, LinkEvent, LinkId, Links, frame};
use crate::shard::{ShardCall, ShardName};
use crate::store::replace_metrics;
use crate::{kill_switch, log};

/// What a slice needs.
pub(super) struct Drive<'a> {
    /// The Worker's bindings.
    pub(super) env: &'a Env,
    /// The object's storage, for its alarm.
    pub(super) storage: Storage,
    /// The object's SQLite.
    pub(super) store: &'a Store,
    /// What is run.
    pub(super) order: &'a RunOrder,
    /// Signs the batches' tokens.
    pub(super) key: &'a str,
    /// Where the watchdog looks whether this is alive.
    pub(super) live: &'a Live,
    /// Brings rows to D1.
    pub(super) publisher: &'a Publisher,
    /// Where events go.
    pub(super) sender: UnboundedSender<Event>,
}

/// A run in memory, with its lines.
#[derive(Debug)]
pub(super) struct Playing {
    run: Run,
    clock: RunClock,
    links: Links,
    sender: UnboundedSender<Event>,
    events: UnboundedReceiver<Event>,
    held: VecDeque<Output>, // what the run asked for and the next turn will do
}

/// How a slice ended.
#[derive(Debug)]
pub(super) enum Played {
    /// The next one is to begin.
    Slice,
    /// It was the last.
    Over(Box<Report>),
}

/// What the run waits for.
enum Obeyed {
    Wait(Tick),
    End(Played),
}

impl Playing {
    /// A run on its time line.
    pub(super) fn new(run: Run, clock: RunClock) -> Self {
        let (sender, events) = unbounded();
        let of_links = sender.clone();
        let links = Links::new(move |event| {
            let _ = of_links.unbounded_send(Event::Link(event));
        });
        Self {
            run,
            clock,
            links,
            sender,
            events,
            held: VecDeque::new(),
        }
    }

    /// Where events of the run go.
    pub(super) fn sender(&self) -> UnboundedSender<Event> {
        self.sender.clone()
    }

    /// A look at the run.
    pub(super) fn live(&self, measured: bool) -> LiveReport {
        self.run.live(measured)
    }

    fn input(&mut self, input: Input) {
        let now = self.clock.now();
        self.run.handle_input(now, input);
    }

    fn output(&mut self) -> Output {
        self.held
            .pop_front()
            .unwrap_or_else(|| self.run.poll_output())
    }
}

impl Drive<'_> {
    /// Plays until the slice is over or the run is.
    ///
    /// # Errors
    /// When SQLite refuses; the run is to be restored from it then.
    pub(super) async fn slice(&self, playing: &mut Playing) -> Result<Played> {
        let mut slices_begun = 0;
        let mut chores = Chores::default();
        let mut obeyed = self.obey(playing, &mut slices_begun)?;
        if slices_begun == 0 && matches!(obeyed, Obeyed::Wait(_)) {
            playing.input(Input::Wake);
            obeyed = self.obey(playing, &mut slices_begun)?;
        }
        loop {
            let wake = match obeyed {
                Obeyed::End(played) => return Ok(played),
                Obeyed::Wait(wake) => wake,
            };
            self.chores(&mut chores).await?;
            let event = match playing.events.try_recv() {
                Ok(event) => Some(event),
                Err(_) => Self::wait(playing, wake).await,
            };
            obeyed = match event {
                Some(event) => self.take(playing, event),
                None => Some(Input::Wake),
            }
            .map_or(Ok(Obeyed::Wait(wake)), |input| {
                playing.input(input);
                self.bound(playing);
                self.obey(playing, &mut slices_begun)
            })?;
        }
    }

    /// The next event, `None` when time has passed first.
    async fn wait(playing: &mut Playing, wake: Tick) -> Option<Event> {
        let ms = playing.clock.ms_until(wake).clamp(1, FLAG_POLL_MS);
        match select(
            playing.events.next(),
            Delay::from(Duration::from_millis(ms)),
        )
        .await
        {
            Either::Left((event, _)) => event,
            Either::Right(_) => None,
        }
    }

    /// What an event means for the run.
    fn take(&self, playing: &mut Playing, event: Event) -> Option<Input> {
        let links = &mut playing.links;
        match event {
            Event::Link(LinkEvent::Line(id, line)) => {
                if !links.is_open(id) {
                    return None;
                }
                let Some(bundle) = self.bundle(id, &line) else {
                    links.close(id);
                    return Some(self.lost(id, LossReason::StreamEnded));
                };
                Some(Input::Bundle(bundle))
            }
            // Whether that loses anything, the run knows: it has heard which batches have ended.
            Event::Link(LinkEvent::Ended(id, end)) => links.is_open(id).then(|| {
                links.close(id);
                self.lost(id, end.loss())
            }),
            Event::Look(look) => {
                // Whoever asked may have gone.
                let _ = look.answer.send(playing.live(look.measured));
                None
            }
            Event::Cancel(reason) if reason.is_empty() => Some(Input::Stop(StopReason::Cancelled)),
            Event::Cancel(reason) => Some(Input::Stop(StopReason::Stopped(reason))),
        }
    }

    fn is_sharded(&self) -> bool {
        !self.order.shards.is_empty()
    }

    /// What a line says, `None` if it is none of this shard or batch.
    fn bundle(&self, id: LinkId, line: &str) -> Option<Bundle> {
        // No shard speaks for what is played once.
        if !self.is_sharded() || RunPart::of_slice(id.slice).is_some() {
            return frame(id, line).map(Bundle::from);
        }
        let bundle: Bundle = crate::json::read(line).ok()?;
        ((bundle.slice, bundle.line) == (id.slice, id.line)).then_some(bundle)
    }

    fn lost(&self, LinkId { slice, line }: LinkId, reason: LossReason) -> Input {
        if reason != LossReason::StreamEnded {
            let details = document!({ "slice": slice, "line": line, "reason": reason });
            log::event("line_not_opened", &self.order.run, details);
        }
        Input::LineLost {
            slice,
            line,
            reason,
        }
    }

    /// Does what the run asks for.
    fn obey(&self, playing: &mut Playing, slices_begun: &mut u32) -> Result<Obeyed> {
        loop {
            let output = playing.output();
            let links = &mut playing.links;
            match output {
                Output::Persist(stored) if *slices_begun > 0 && begins(&stored) => {
                    // Each slice has an alarm of its own, with the time and the CPU of one.
                    playing.held.push_front(Output::Persist(stored));
                    return Ok(Obeyed::End(Played::Slice));
                }
                Output::Persist(stored) => {
                    self.store.persist(&stored)?;
                    *slices_begun += u32::from(begins(&stored));
                    match &stored {
                        Stored::SliceStarted(slice) => {
                            // A batch waits for answers no longer than through one more slice.
                            links.close_before(slice.slice.saturating_sub(1));
                            log::event("slice_started", &self.order.run, document!(slice));
                        }
                        Stored::Stop(stop) => {
                            log::event("run_stopping", &self.order.run, document!(stop));
                        }
                        Stored::Once(once) => {
                            if let Some(part) = once.begins() {
                                log::event("part_started", &self.order.run, document!(part));
                            }
                        }
                        Stored::Bundle(_) | Stored::Checkpoint(_) => {}
                    }
                }
                Output::Publish(rows) => {
                    if let Some(row) = rows.last() {
                        self.live.users.set(row.active_users);
                    }
                    let rates = rows.iter().map(|row| row.requests_per_sec);
                    let fastest = rates.fold(0.0, f64::max);
                    if let Some(reason) = self.order.allowance.too_fast(fastest) {
                        let _ = self.sender.unbounded_send(Event::Cancel(reason));
                    }
                    for rows in rows.chunks(ROWS_PER_PARCEL) {
                        self.store.post(&replace_metrics(&self.order.run, rows))?;
                    }
                }
                Output::Assign(assignment) => self.start_batch(links, *assignment),
                Output::AssignShard(order) => self.start_shard(links, *order),
                Output::Adopt { slice, line, users } => {
                    links.adopt(LinkId { slice, line }, &users);
                }
                Output::StopLine { slice, line } => links.stop(LinkId { slice, line }),
                Output::WakeAt(tick) => return Ok(Obeyed::Wait(tick)),
                Output::Done(report) => return Ok(Obeyed::End(Played::Over(report))),
            }
        }
    }

    /// Ends the run when it has sent all that it may send.
    fn bound(&self, playing: &mut Playing) {
        let progress = playing.run.progress();
        let reason = self.order.allowance.used_up(progress.requests_sent);
        if let Some(reason) = reason.filter(|_| !progress.stopping) {
            playing.input(Input::Stop(StopReason::Stopped(reason)));
        }
    }

    fn start_batch(&self, links: &mut Links, assignment: Assignment) {
        let id = LinkId {
            slice: assignment.slice,
            line: assignment.share.index(),
        };
        let order = BatchOrder {
            assignment,
            source: &self.order.source,
        };
        if links.open_batch(self.env, self.key, &order).is_err() {
            self.not_started(id);
        }
    }

    fn start_shard(&self, links: &mut Links, order: ShardOrder) {
        let id = LinkId {
            slice: order.slice,
            line: order.shard,
        };
        let place = usize::try_from(order.shard).unwrap_or(usize::MAX);
        let plan = self.order.shards.get(place);
        let name = ShardName::new(&self.order.environment, plan, order.shard);
        let call = ShardCall {
            order,
            source: &self.order.source,
        };
        if links.open_shard(self.env, &name, &call).is_err() {
            self.not_started(id);
        }
    }

    fn not_started(&self, id: LinkId) {
        let ended = LinkEvent::Ended(id, LinkEnd::NotStarted);
        let _ = self.sender.unbounded_send(Event::Link(ended));
    }

    /// What has to be done every now and then, whatever the run does.
    async fn chores(&self, chores: &mut Chores) -> Result<()> {
        let now = now_ms();
        self.live.beat_ms.set(now);
        if now >= chores.alarm_at_ms {
            chores.alarm_at_ms = now.saturating_add(ALARM_LEASE_MS / 3);
            self.storage.set_alarm(lease_ms()).await?;
        }
        if now >= chores.flag_at_ms {
            chores.flag_at_ms = now.saturating_add(FLAG_POLL_MS);
            let (env, run, events) = (
                self.env.clone(),
                self.order.run.clone(),
                self.sender.clone(),
            );
            spawn_local(async move {
                let reason = match flag::sign(&env, &run).await {
                    Some(Sign::StopAll(reason)) => kill_switch::explain(&reason),
                    Some(Sign::Cancelled) => String::new(),
                    None => return,
                };
                let _ = events.unbounded_send(Event::Cancel(reason));
            });
            if self.publisher.is_refused() {
                // A run that nobody will ever read of puts no more load on anybody.
                let _ = self.sender.unbounded_send(Event::Cancel(String::new()));
            }
            if self.publisher.is_due() {
                let publisher = self.publisher.clone();
                spawn_local(async move {
                    publisher.deliver().await;
                });
            }
        }
        Ok(())
    }
}

/// Whether batches are handed out after this.
fn begins(stored: &Stored) -> bool {
    match stored {
        Stored::SliceStarted(_) => true,
        Stored::Once(once) => once.begins().is_some(),
        Stored::Bundle(_) | Stored::Stop(_) | Stored::Checkpoint(_) => false,
    }
}

/// When what is to be done next.
#[derive(Debug, Default)]
struct Chores {
    alarm_at_ms: u64,
    flag_at_ms: u64,
}
