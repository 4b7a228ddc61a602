//! A world of one run: its batches, a target, a network that a test may break, a store, and a clock that
//! always moves to the earliest thing that happens.

use std::collections::BTreeMap;

use sentinel_engine::batch::{self, Batch, Request, RequestId};
use sentinel_engine::bundle::{Bundle, ShardOrder};
use sentinel_engine::parts::Parts;
use sentinel_engine::plan::{Plan, RunPart};
use sentinel_engine::response::Exchange;
use sentinel_engine::run::{Input, LossReason, Output, Record, Run, RunConfig, StopReason};
use sentinel_engine::shard::Kept;
use sentinel_engine::summary::{Report, TestRunResult};
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::timeline::TimelineRow;
use sentinel_engine::vu::VuCarry;
use sentinel_engine::wire::{Assignment, Frame};

use crate::mail::Mail;
use crate::shards::ShardPlayer;
use crate::store::Sizes;

pub(crate) const EPOCH_MS: u64 = 1_767_499_200_000;

/// What every answer tells about the target's insides.
const SERVER_TIMING: &str = r#"do;desc="PostDO";dur=2;wake=1, d1;dur=5;queries=1;queue=3"#;

/// What becomes of a batch that is to start.
#[derive(Clone, Copy)]
pub(crate) enum Fate {
    /// It plays.
    Plays,
    /// It cannot be started.
    NotStarted,
    /// It dies at this point, and its stream ends.
    Dies(Tick),
    /// It dies at this point, and nobody is told.
    Vanishes(Tick),
    /// It plays on but does not hear that it is to stop.
    Deaf,
}

/// When the coordinator crashes, and for how long it is away.
#[derive(Clone, Copy)]
pub(crate) struct Crash {
    /// At which output of the run, from 0.
    pub(crate) output: usize,
    /// Whether the output still takes effect.
    pub(crate) effect: bool,
    pub(crate) outage: Span,
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) config: RunConfig,
    pub(crate) run: Run,
    pub(crate) now: Tick,
    pub(crate) records: BTreeMap<String, String>,
    /// How much was stored when each checkpoint was made.
    pub(crate) sizes: Vec<Sizes>,
    /// What a database that replaces rows of the same time would hold.
    pub(crate) rows: BTreeMap<u64, TimelineRow>,
    /// The times of the rows that the present run has published, in their order.
    pub(crate) published: Vec<u64>,
    /// How many requests reached the target.
    pub(crate) sent: u64,
    /// The paths of their URLs, in order.
    pub(crate) asked: Vec<String>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) stopped: Vec<(u32, u32)>,
    /// How many outputs the run has had, those left out that only say when to wake it.
    pub(crate) outputs: usize,
    pub(crate) crash: Option<Crash>,
    pub(crate) crashed_at: Option<Tick>,
    /// Says for each frame after which times it arrives: once, several times or not at all.
    pub(crate) network: Network,
    /// The same for users that have come in and are sent to the batch that plays their share.
    pub(crate) way_back: WayBack,
    /// The same for bundles of shards.
    pub(crate) shard_network: ShardNetwork,
    /// What becomes of each shard.
    pub(crate) shard_fate: Box<dyn FnMut(&ShardOrder) -> Fate>,
    /// The users that shards keep between two slices.
    pub(crate) kept: BTreeMap<u32, Kept>,
    pub(crate) target: Target,
    /// How many users came in after the others of their batch were handed over.
    pub(crate) late: usize,
    /// What every answer sets as a cookie.
    pub(crate) set_cookie: Option<&'static str>,
    /// Changes what batches say.
    pub(crate) tamper: Box<dyn FnMut(&mut Frame)>,
    /// How late each batch is woken: a generator that is too slow.
    pub(crate) wakes_late: Span,
    pub(crate) fate: Box<dyn FnMut(&Assignment) -> Fate>,
    /// Wakes the run after every input as well.
    pub(crate) spurious_wakes: bool,
    /// Whether what was said to a coordinator reaches the one after it.
    pub(crate) mail_survives: bool,
    /// When somebody cancels the run.
    pub(crate) cancel_at: Option<Tick>,
    /// The shards that play, by slice and number.
    pub(crate) shards: BTreeMap<(u32, u32), ShardPlayer>,
    pub(crate) players: BTreeMap<(u32, u32), Player>,
    pub(crate) mail: BTreeMap<(Tick, u64), Mail>,
    pub(crate) posted: u64,
    wake_at: Tick,
    report: Option<Box<Report>>,
}

type ShardNetwork = Box<dyn FnMut(&Bundle) -> Vec<Span>>;

type WayBack = Box<dyn FnMut(&[VuCarry]) -> Vec<Span>>;

type Network = Box<dyn FnMut(&Frame) -> Vec<Span>>;

/// What the target answers to a request that arrives at this point.
type Target = Box<dyn FnMut(Tick, &Request) -> Answer>;

pub(crate) struct Answer {
    pub(crate) latency: Span,
    pub(crate) status: u16,
    pub(crate) body: &'static [u8],
}

pub(crate) struct Player {
    batch: Batch,
    /// When the time line of its assignment begins on the run's.
    begins: Span,
    wake_at: Tick,
    answers: BTreeMap<(Tick, RequestId), Answer>,
    dies_at: Tick,
    tells: bool,
    deaf: bool,
}

impl World {
    pub(crate) fn new(plan: Plan, config: RunConfig) -> Self {
        Self {
            run: Run::new(plan.clone(), config.clone()),
            plan,
            config,
            now: Tick::ZERO,
            records: BTreeMap::new(),
            sizes: Vec::new(),
            rows: BTreeMap::new(),
            published: Vec::new(),
            sent: 0,
            asked: Vec::new(),
            assignments: Vec::new(),
            stopped: Vec::new(),
            outputs: 0,
            crash: None,
            crashed_at: None,
            network: Box::new(|_| vec![Span::from_ms(5)]),
            target: Box::new(|_, request| Answer {
                latency: Span::from_ms(40 + request.id.0 % 7 * 5),
                status: if request.id.0 % 19 == 7 { 500 } else { 200 },
                body: b"{}",
            }),
            way_back: Box::new(|_| vec![Span::from_ms(5)]),
            late: 0,
            set_cookie: None,
            tamper: Box::new(|_| {}),
            wakes_late: Span::ZERO,
            fate: Box::new(|_| Fate::Plays),
            spurious_wakes: false,
            mail_survives: false,
            cancel_at: None,
            shard_network: Box::new(|_| vec![Span::from_ms(5)]),
            shard_fate: Box::new(|_| Fate::Plays),
            kept: BTreeMap::new(),
            shards: BTreeMap::new(),
            players: BTreeMap::new(),
            mail: BTreeMap::new(),
            posted: 0,
            wake_at: Tick::ZERO,
            report: None,
        }
    }

    /// Plays the run to its end.
    pub(crate) fn play(&mut self) -> TestRunResult {
        for _ in 0..10_000_000 {
            self.drain();
            if let Some(report) = &self.report {
                return report.result.clone();
            }
            self.step();
        }
        panic!("the run never ended; {:?}", self.run.progress());
    }

    /// Plays the run up to this point.
    pub(crate) fn play_until(&mut self, until: Tick) {
        self.drain();
        while self.now < until && self.report.is_none() {
            self.step();
            self.drain();
        }
    }

    /// Lets the next thing happen.
    pub(crate) fn play_a_little(&mut self) {
        self.drain();
        assert!(self.report.is_none(), "the run is over");
        self.step();
        self.drain();
    }

    /// Whether the run hears the batches of this slice itself: no shard speaks for what is played once.
    pub(crate) fn hears_directly(&self, slice: u32) -> bool {
        self.config.shards.is_empty() || RunPart::of_slice(slice).is_some()
    }

    /// Gives the run one input and performs what it asks for.
    pub(crate) fn input(&mut self, now: Tick, input: Input) {
        self.now = now;
        self.run.handle_input(now, input);
        self.drain();
    }

    /// The coordinator goes away and comes back.
    pub(crate) fn restart(&mut self, outage: Span) {
        self.crashed_at = Some(self.now);
        self.players.clear();
        self.shards.clear();
        if !self.mail_survives {
            self.mail.clear();
        }
        self.published.clear();
        self.now += outage;
        let records: Vec<Record> = self
            .records
            .iter()
            .rev() // in any order
            .map(|(key, body)| Record {
                key: key.clone(),
                body: body.clone(),
            })
            .collect();
        self.run = Run::restore(self.plan.clone(), self.config.clone(), records, self.now)
            .expect("records that can be read");
    }

    fn drain(&mut self) {
        loop {
            let output = self.run.poll_output();
            let waits = matches!(output, Output::WakeAt(_));
            let crash = self
                .crash
                .filter(|crash| crash.output == self.outputs && !waits);
            self.outputs += usize::from(!waits);
            let effect = crash.is_none_or(|crash| crash.effect);
            let last = effect && self.perform(output);
            if let Some(crash) = crash {
                self.report = None;
                self.restart(crash.outage);
            } else if last {
                return;
            }
        }
    }

    /// Performs an output and says whether the run waits now.
    fn perform(&mut self, output: Output) -> bool {
        match output {
            Output::Persist(stored) => self.persist(&stored),
            Output::Publish(rows) => {
                for row in rows {
                    self.published.push(row.timestamp);
                    self.rows.insert(row.timestamp, row);
                }
            }
            Output::Assign(assignment) => self.start(*assignment),
            Output::AssignShard(order) => self.start_shard(*order),
            Output::StopLine { slice, line } => {
                self.stopped.push((slice, line));
                if self.hears_directly(slice) {
                    self.stop_batch((slice, line));
                } else {
                    self.stop_shard((slice, line));
                }
            }
            Output::Adopt { slice, line, users } => {
                for delay in (self.way_back)(&users) {
                    self.post(delay, Mail::Adopt((slice, line), users.clone()));
                }
            }
            Output::WakeAt(at) => {
                self.wake_at = at;
                return true;
            }
            Output::Done(report) => {
                self.report = Some(report);
                return true;
            }
        }
        false
    }

    pub(crate) fn stop_batch(&mut self, key: (u32, u32)) {
        if let Some(player) = self.players.get_mut(&key)
            && !player.deaf
        {
            let now = player.own_time(self.now);
            player.batch.handle_input(now, batch::Input::Stop);
            self.drain_player(key);
        }
    }

    pub(crate) fn adopt(&mut self, key: (u32, u32), users: &[VuCarry]) {
        if let Some(player) = self.players.get_mut(&key) {
            let now = player.own_time(self.now);
            player.batch.handle_input(now, batch::Input::Adopt(users));
            self.drain_player(key);
        }
    }

    pub(crate) fn start(&mut self, assignment: Assignment) {
        let key = (assignment.slice, assignment.share.index());
        self.assignments.push(assignment.clone());
        let fate = (self.fate)(&assignment);
        let (dies_at, tells) = match fate {
            Fate::NotStarted => {
                let lost = Mail::BatchLost(key.0, key.1, LossReason::NotStarted);
                return self.post(Span::from_ms(1), lost);
            }
            Fate::Dies(at) => (at, true),
            Fate::Vanishes(at) => (at, false),
            Fate::Plays | Fate::Deaf => (Tick::NEVER, true),
        };
        let mut player = Player {
            begins: Span::from_ms(assignment.epoch_ms - self.config.epoch_ms),
            batch: Batch::new(self.plan.clone(), assignment),
            wake_at: Tick::NEVER,
            answers: BTreeMap::new(),
            dies_at,
            tells,
            deaf: matches!(fate, Fate::Deaf),
        };
        let now = player.own_time(self.now);
        player.batch.handle_input(now, batch::Input::Wake);
        self.players.insert(key, player);
        self.drain_player(key);
    }

    fn drain_player(&mut self, key: (u32, u32)) {
        let Some(mut player) = self.players.remove(&key) else {
            return;
        };
        loop {
            match player.batch.poll_output() {
                batch::Output::Send(request) => {
                    self.sent += 1;
                    self.asked.push(path_of(&request).to_owned());
                    let answer = (self.target)(self.now, &request);
                    let at = self.now + answer.latency;
                    player.answers.insert((at, request.id), answer);
                }
                batch::Output::Open(_) | batch::Output::Socket(..) => {
                    unreachable!("these plans open no WebSockets")
                }
                batch::Output::Abort(id) => player.answers.retain(|(_, other), _| *other != id),
                batch::Output::Ship(mut frame) => {
                    self.late += frame.late.len();
                    (self.tamper)(&mut frame);
                    for delay in (self.network)(&frame) {
                        self.post(delay, Mail::Frame(frame.clone()));
                    }
                }
                batch::Output::WakeAt(at, _) => {
                    player.wake_at = (at + player.begins).max(self.now) + self.wakes_late;
                    self.players.insert(key, player);
                    return;
                }
                batch::Output::Done => return,
            }
        }
    }

    /// Lets the earliest thing happen.
    fn step(&mut self) {
        let mail_at = self.mail.keys().next().map_or(Tick::NEVER, |(at, _)| *at);
        let (player_at, key) = self
            .players
            .iter()
            .map(|(key, player)| (player.next_at(), *key))
            .min()
            .unwrap_or((Tick::NEVER, (0, 0)));
        let cancel_at = self.cancel_at.unwrap_or(Tick::NEVER);
        let (shard_at, shard) = self.next_shard();
        let next = mail_at
            .min(player_at)
            .min(shard_at)
            .min(cancel_at)
            .min(self.wake_at);
        assert!(next < Tick::NEVER, "nothing will ever happen again");
        self.now = self.now.max(next);
        if cancel_at == next {
            self.cancel_at = None;
            self.run
                .handle_input(self.now, Input::Stop(StopReason::Cancelled));
        } else if mail_at == next {
            self.deliver();
        } else if player_at == next {
            self.play_on(key);
        } else if shard_at == next {
            self.wake_shard(shard);
        } else {
            self.run.handle_input(self.now, Input::Wake);
        }
        if self.spurious_wakes {
            self.drain();
            self.run.handle_input(self.now, Input::Wake);
        }
    }

    fn play_on(&mut self, key: (u32, u32)) {
        let Some(player) = self.players.get_mut(&key) else {
            return;
        };
        if player.dies_at <= self.now {
            let tells = player.tells;
            self.players.remove(&key);
            if tells {
                let lost = Mail::BatchLost(key.0, key.1, LossReason::StreamEnded);
                self.post(Span::from_ms(20), lost);
            }
            return;
        }
        let answered = player.answers.keys().next().copied();
        match answered.filter(|(at, _)| *at <= self.now) {
            None => {
                let now = player.own_time(self.now);
                player.batch.handle_input(now, batch::Input::Wake);
            }
            Some((at, id)) => {
                let Some(answer) = player.answers.remove(&(at, id)) else {
                    return;
                };
                let mut headers = vec![("server-timing".to_owned(), SERVER_TIMING.to_owned())];
                headers.extend(
                    self.set_cookie
                        .map(|cookie| ("set-cookie".to_owned(), cookie.to_owned())),
                );
                let exchange = Exchange {
                    status: answer.status,
                    headers: &headers,
                    body: answer.body,
                    bytes_received: answer.body.len() as u64,
                    truncated: false,
                    parts: Parts::default(),
                };
                let answer = batch::Input::Answered(id, exchange);
                let now = player.own_time(self.now);
                player.batch.handle_input(now, answer);
            }
        }
        self.drain_player(key);
    }
}

impl Player {
    /// What its own clock says at this point of the run.
    fn own_time(&self, now: Tick) -> Tick {
        Tick::ZERO + now.saturating_since(Tick::ZERO + self.begins)
    }

    fn next_at(&self) -> Tick {
        let answer_at = self
            .answers
            .keys()
            .next()
            .map_or(Tick::NEVER, |(at, _)| *at);
        self.wake_at.min(answer_at).min(self.dies_at)
    }
}

/// The path of a request, and all that follows it.
pub(crate) fn path_of(request: &Request) -> &str {
    let host = "http://127.0.0.1:9";
    request.url.strip_prefix(host).unwrap_or(&request.url)
}
