//! The Durable Object: what it is asked, and what its alarm does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::channel::mpsc::UnboundedSender;
use futures::channel::oneshot;
use futures::future::join;
use sentinel_engine::plan::Plan;
use sentinel_engine::run::{Run, RunConfig};
use sentinel_engine::tick::Span;
use serde_json::Value;
use worker::{
    DurableObject, Env, Method, Request, Response, Result, State, durable_object, wasm_bindgen,
};

use crate::alert::{Alert, Occasion};
use crate::clock::{RunClock, iso, now_ms};
use crate::config::Config;
use crate::coordinator::drive::{Drive, Played, Playing};
use crate::coordinator::event::{Event, Look};
use crate::coordinator::order::RunOrder;
use crate::coordinator::publish::{Outbox, Publisher};
use crate::coordinator::store::Store;
use crate::coordinator::stub::{Known, Seen};
use crate::json::document;
use crate::limits::{ALARM_LEASE_MS, SHARD_STAGGER_MS, SLOTS, START_AHEAD_MS};
use crate::shard::wait_until_ready;
use crate::start::failed_summary;
use crate::store::{
    Database, Statement, begin_run, end_run, run_by_id, store_histograms, store_outcome,
};
use crate::{alert, json, log};

/// The coordinator of one run; the object's name is the run's identifier.
#[durable_object]
#[derive(Debug)]
pub struct RunCoordinator {
    state: State,
    env: Env,
    live: Rc<Live>,
}

/// What is only in memory, and can be lost at any moment.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// The run between two turns of the alarm; taken out while the alarm plays it.
    playing: RefCell<Option<Playing>>,
    /// Where events of the slice that is being played go.
    events: RefCell<Option<UnboundedSender<Event>>>,
    /// Whether a turn of the alarm has begun and has not ended.
    is_turning: Cell<bool>,
    /// When the alarm last showed that it is alive.
    pub(super) beat_ms: Cell<u64>,
    /// How many users were active in the second that was published last.
    pub(super) users: Cell<u32>,
    publisher: RefCell<Option<Publisher>>,
    turns_failed: Cell<u32>,
}

impl Live {
    /// Whether a turn of the alarm is going on. One that has shown no sign of life for a lease counts as gone.
    fn is_at_work(&self) -> bool {
        let silent_ms = now_ms().saturating_sub(self.beat_ms.get());
        self.is_turning.get() && silent_ms <= ALARM_LEASE_MS
    }
}

/// What is to be done when the alarm has done its turn.
enum Next {
    /// The next slice.
    Now,
    /// Another try after this many milliseconds.
    After(u64),
    /// Nothing: everything is in D1.
    Forget,
}

impl DurableObject for RunCoordinator {
    fn new(state: State, env: Env) -> Self {
        Self {
            state,
            env,
            live: Rc::default(),
        }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let path = request.path();
        if let (Method::Post, Some(what)) = (request.method(), path.strip_prefix("/look/")) {
            return Response::ok(json::write(&self.look(what == "measured").await?)?);
        }
        let known = match (request.method(), path.as_str()) {
            (Method::Post, "/start") => self.start(&request.text().await?).await?,
            (Method::Post, "/cancel") => self.cancel(&request.text().await?).await?,
            (Method::Post, "/check") => self.check().await?,
            _ => return Response::error("unknown", 404),
        };
        Response::ok(json::write(&known)?)
    }

    /// Never fails: after six failures in a row the platform would give the alarm up for good.
    async fn alarm(&self) -> Result<Response> {
        if self.live.is_at_work() {
            // Two turns at the same time would be two coordinators of one run.
            if let Err(error) = self.state.storage().set_alarm(lease_ms()).await {
                log::event("alarm_not_set", "", log::brief(&error).into());
            }
            return Response::empty();
        }
        self.live.is_turning.set(true);
        self.live.beat_ms.set(now_ms());
        let turned = self.turn().await;
        self.live.is_turning.set(false);
        let next = match turned {
            Ok(next) => {
                self.live.turns_failed.set(0);
                next
            }
            Err(error) => self.failed_turn(&error),
        };
        let storage = self.state.storage();
        let done = match next {
            Next::Now => storage.set_alarm(0).await,
            Next::After(ms) => {
                storage
                    .set_alarm(i64::try_from(ms).unwrap_or(i64::MAX))
                    .await
            }
            Next::Forget => {
                self.live.publisher.take();
                let _ = storage.delete_alarm().await;
                storage.delete_all().await
            }
        };
        if let Err(error) = done {
            // The alarm that was set before the turn is still there.
            log::event("alarm_not_set", "", log::brief(&error).into());
        }
        Response::empty()
    }
}

impl RunCoordinator {
    async fn start(&self, order: &str) -> Result<Known> {
        let order: RunOrder = json::read(order)?;
        let store = Store::open(&self.state.storage())?;
        if store.order()?.is_none() {
            store.set_order(&order)?;
        }
        self.state.storage().set_alarm(0).await?;
        Ok(Known::Running)
    }

    async fn cancel(&self, reason: &str) -> Result<Known> {
        let Some((store, _)) = self.known()? else {
            return Ok(Known::Nothing);
        };
        store.set_cancelled(reason)?;
        let events = self.live.events.borrow().clone();
        let cancel = Event::Cancel(reason.to_owned());
        match events.map(|events| events.unbounded_send(cancel)) {
            Some(Ok(())) => {}
            _ => self.state.storage().set_alarm(0).await?,
        }
        Ok(Known::Running)
    }

    /// Sets the alarm again if it should have shown by now that it is alive.
    async fn check(&self) -> Result<Known> {
        let Some((_, order)) = self.known()? else {
            return Ok(Known::Nothing);
        };
        let silent_ms = now_ms().saturating_sub(self.live.beat_ms.get());
        if silent_ms > 2 * ALARM_LEASE_MS {
            let details = document!({ "silentMs": silent_ms });
            log::event("alarm_set_again", &order.run, details);
            self.state.storage().set_alarm(0).await?;
            return Ok(Known::Revived);
        }
        Ok(Known::Running)
    }

    /// What is known of the run while it goes on.
    async fn look(&self, measured: bool) -> Result<Seen> {
        let Some((store, _)) = self.known()? else {
            return Ok(Seen::NOTHING);
        };
        let events = self.live.events.borrow().clone();
        let report = match events {
            Some(events) => {
                let (answer, report) = oneshot::channel();
                let _ = events.unbounded_send(Event::Look(Look { measured, answer }));
                // Nobody answers when the run ends meanwhile; when the slice ends, the next turn does.
                report.await.ok()
            }
            None => {
                let playing = self.live.playing.borrow();
                playing.as_ref().map(|playing| playing.live(measured))
            }
        };
        Ok(Seen {
            known: Known::Running,
            epoch_ms: store.epoch_ms()?,
            users: self.live.users.get(),
            report,
        })
    }

    /// The store and what was ordered, `None` when nothing was, or all of it is forgotten.
    fn known(&self) -> Result<Option<(Store, RunOrder)>> {
        let Some(store) = Store::existing(&self.state.storage())? else {
            return Ok(None);
        };
        let order = store.order()?;
        Ok(order.map(|order| (store, order)))
    }

    /// One turn of the alarm: a slice of the run, or a try to bring the outcome to D1.
    async fn turn(&self) -> Result<Next> {
        let storage = self.state.storage();
        let store = Store::open(&storage)?;
        let Some(order) = store.order()? else {
            return Ok(Next::Forget);
        };
        // Before anything else, so that the run goes on whatever happens to this turn.
        storage.set_alarm(lease_ms()).await?;
        let publisher = self.publisher(&store, &order);
        if !store.is_over()? {
            let over = self.play(&store, &order, &publisher).await?;
            if !over {
                return Ok(Next::Now);
            }
        }
        publisher.wait_until_idle().await;
        let (outbox, ()) = join(publisher.deliver(), self.alert(&store)).await;
        match outbox {
            Outbox::Empty => Ok(Next::Forget),
            Outbox::Waiting(ms) => Ok(Next::After(ms)),
        }
    }

    /// Sends the alert that the run's end asks for. Once it was tried it is forgotten, so that an address which
    /// does not answer keeps nothing from being done.
    async fn alert(&self, store: &Store) {
        if let Ok(Some(alert)) = store.alert() {
            alert::send(&self.env, &alert).await;
            let _ = store.clear_alert();
        }
    }

    /// Plays one slice; answers whether the run is over.
    async fn play(&self, store: &Store, order: &RunOrder, publisher: &Publisher) -> Result<bool> {
        let Ok(config) = Config::of(&self.env) else {
            return self.fail(
                store,
                order,
                "the load tester's configuration is not complete",
            );
        };
        let before = self.live.playing.take();
        let mut playing = match before {
            Some(playing) => playing,
            None => match self.begin(store, order).await? {
                Begun::Playing(playing) => *playing,
                Begun::Withdrawn => {
                    store.set_over(&[])?;
                    return Ok(true);
                }
                Begun::Impossible(reason) => return self.fail(store, order, &reason),
            },
        };
        let sender = playing.sender();
        if let Some(reason) = store.cancelled()? {
            let _ = sender.unbounded_send(Event::Cancel(reason));
        }
        self.live.events.replace(Some(sender.clone()));
        let played = Drive {
            env: &self.env,
            storage: self.state.storage(),
            store,
            order,
            key: config.batch_key.expose(),
            live: &self.live,
            publisher,
            sender,
        }
        .slice(&mut playing)
        .await;
        self.live.events.take();
        match played? {
            Played::Slice => {
                self.live.playing.replace(Some(playing));
                Ok(false)
            }
            Played::Over(report) => {
                let details =
                    document!({ "status": report.result.status, "passed": report.result.passed });
                // Before the outcome: whoever reads that the run is over finds all of it.
                for histograms in store_histograms(&report) {
                    store.post(&histograms)?;
                }
                store.set_over(&store_outcome(&report))?;
                if let Some(alert) = Alert::of_result(&report.result, &order.environment) {
                    store.set_alert(&alert)?;
                }
                log::event("run_ended", &order.run, details);
                Ok(true)
            }
        }
    }

    /// The run at its start, or where an earlier life of this object left it.
    async fn begin(&self, store: &Store, order: &RunOrder) -> Result<Begun> {
        let Ok(plan) = Plan::parse(&order.source) else {
            let reason = "the plan cannot be read any more";
            return Ok(Begun::Impossible(reason.to_owned()));
        };
        let known_epoch = store.epoch_ms()?;
        if known_epoch.is_none() && self.is_withdrawn(order).await {
            return Ok(Begun::Withdrawn);
        }
        let epoch_ms = match known_epoch {
            Some(epoch_ms) => epoch_ms,
            None => self.start_time(order).await,
        };
        let config = RunConfig {
            run: order.run.clone(),
            epoch_ms,
            batches: order.batches,
            shards: order.shards.clone(),
            slice: Span::from_secs(u64::from(order.slice_s)),
            slots: Some(SLOTS),
            patience: Span::from_ms(PATIENCE_MS),
            clock_resolution: Span::from_ms(1),
        };
        let mut clock = RunClock::new(epoch_ms);
        let run = if known_epoch.is_some() {
            log::event(
                "run_restored",
                &order.run,
                document!({ "at": clock.now().as_ms() }),
            );
            match Run::restore(plan, config, store.records()?, clock.now()) {
                Ok(run) => run,
                Err(error) => return Ok(Begun::Impossible(error.to_string())),
            }
        } else {
            store.set_epoch_ms(epoch_ms)?;
            store.post(&[begin_run(&order.run, &iso(epoch_ms))])?;
            Run::new(plan, config)
        };
        Ok(Begun::Playing(Box::new(Playing::new(run, clock))))
    }

    /// When the run starts: now, or when all of its shards can have been told.
    async fn start_time(&self, order: &RunOrder) -> u64 {
        if order.shards.is_empty() {
            return now_ms();
        }
        let late = wait_until_ready(&self.env, &order.environment, &order.shards).await;
        if !late.is_empty() {
            log::event(
                "shards_not_ready",
                &order.run,
                document!({ "shards": late }),
            );
        }
        let last = u64::try_from(order.shards.len()).unwrap_or(u64::MAX);
        now_ms()
            .saturating_add(START_AHEAD_MS)
            .saturating_add(last.saturating_mul(SHARD_STAGGER_MS))
    }

    /// Whether the run was given up before it began: whoever started it did not hear that it had.
    async fn is_withdrawn(&self, order: &RunOrder) -> bool {
        let Ok(database) = Database::of(&self.env) else {
            return false;
        };
        let rows = database.rows(&run_by_id(&order.run)).await;
        rows.is_ok_and(|rows| {
            let status = rows.first().and_then(|row| row.get("status"));
            status.and_then(Value::as_str) != Some("running")
        })
    }

    /// Ends a run that cannot go on. Answers that it is over.
    fn fail(&self, store: &Store, order: &RunOrder, reason: &str) -> Result<bool> {
        log::event("run_failed", &order.run, document!(reason));
        let summary = failed_summary(reason);
        let outcome: [Statement; 1] = [end_run(&order.run, "failed", &iso(now_ms()), &summary)];
        store.set_over(&outcome)?;
        let (scenario, environment) = (&order.scenario_name, &order.environment);
        store.set_alert(&Alert {
            alert: Occasion::RunFailed,
            run: Some(order.run.clone()),
            scenario: Some(scenario.clone()),
            environment: Some(environment.clone()),
            text: format!("the run of {scenario} on {environment} failed: {reason}"),
        })?;
        Ok(true)
    }

    fn failed_turn(&self, error: &worker::Error) -> Next {
        let failed = self.live.turns_failed.get().saturating_add(1);
        self.live.turns_failed.set(failed);
        let details = document!({ "turnsFailed": failed, "error": log::brief(error) });
        log::event("turn_failed", "", details);
        // What was in memory may be half done; SQLite is not.
        self.live.playing.take();
        Next::After(1_000 << failed.min(5))
    }

    fn publisher(&self, store: &Store, order: &RunOrder) -> Publisher {
        let mut publisher = self.live.publisher.borrow_mut();
        publisher
            .get_or_insert_with(|| {
                Publisher::new(self.env.clone(), store.clone(), order.run.clone())
            })
            .clone()
    }
}

enum Begun {
    Playing(Box<Playing>),
    Withdrawn,
    Impossible(String),
}

/// When the alarm fires again if this turn never ends.
pub(super) fn lease_ms() -> i64 {
    i64::try_from(ALARM_LEASE_MS).unwrap_or(i64::MAX)
}

/// How long after its slice's end a batch may stay silent before it counts as lost.
const PATIENCE_MS: u64 = 5_000;
