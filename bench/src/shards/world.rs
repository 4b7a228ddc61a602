//! Everything but the coordinator: the batches, their shards, the target, and a clock that always moves to the
//! earliest thing that happens.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use sentinel_engine::batch::{Batch, Input, Output, RequestId};
use sentinel_engine::bundle::ShardOrder;
use sentinel_engine::parts::Parts;
use sentinel_engine::plan::{Plan, PlanSource};
use sentinel_engine::response::Exchange;
use sentinel_engine::shard::{self, Kept, Shard};
use sentinel_engine::tick::{Span, Tick};
use serde_json::json;

use crate::cpu;

pub(crate) const SHARDS: u32 = 100;
pub(crate) const BATCHES: u32 = 30;
pub(crate) const SLICE_S: u64 = 60;
const USERS: u32 = 100_000;
const SECONDS: u64 = 150;
/// What is promised for a simulated second.
const LIMIT_MS: f64 = 50.0;
const SERVER_TIMING: &str = r#"do;desc="PostDO";dur=2;wake=1, d1;dur=5;queries=1;queue=3"#;

/// Two applications of three steps; a user rests for some seconds between two iterations.
pub(crate) fn plan() -> Plan {
    let step = |name: &str| json!({"name": name, "request": {"method": "GET", "url": format!("/{name}")}, "expect": {"status": 200}});
    let application = |name: &str| json!({"name": name, "steps": [step(&format!("{name}-a")), step(&format!("{name}-b")), step(&format!("{name}-c"))], "doInteractions": []});
    let source = json!({
        "scenario": {
            "name": "bench", "description": "", "pause": "20s-40s", "gracefulStop": "5s",
            "applications": [{"name": "read", "weight": 0.8}, {"name": "write", "weight": 0.2}],
            "assertions": [{"metric": "p95_latency_ms", "operator": "<", "value": 1000}],
            "thresholds": {"http_req_duration": ["p(95)<1000"], "http_req_failed": ["rate<0.5"]},
            "userProfile": {
                "rampUp": {"from": 0, "to": USERS, "duration": "30s"},
                "peak": {"users": USERS, "duration": format!("{}s", SECONDS - 30)},
                "steadyState": {"users": USERS, "duration": "0s"}, "rampDown": {"to": 0, "duration": "0s"},
            },
        },
        "applications": [application("read"), application("write")],
        "options": {
            "baseUrl": "http://127.0.0.1:9", "allowedHosts": ["127.0.0.1:9"], "allowPrivate": true, "seed": 1,
            "users": null, "duration": null, "usersMax": 1_000_000, "durationMaxS": 100_000,
        },
    });
    let source: PlanSource = serde_json::from_value(source).expect("the source is well-formed");
    Plan::parse(&source).expect("the plan has no problems")
}

/// Who is played, or woken, at some point.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Actor {
    Batch(u32),
    Shard(u32),
}

struct Player {
    batch: Batch,
    shard: u32,
    answers: BinaryHeap<Reverse<(Tick, RequestId)>>,
    wake_at: Tick,
}

/// What the coordinator, and one of the shards, used in each simulated second.
#[derive(Default)]
struct Costs {
    coordinator_ns: BTreeMap<u32, u64>,
    shard_ns: BTreeMap<u32, u64>,
    bundles: u64,
    bundle_bytes: u64,
    stored_bytes: u64,
    peak_kib: u64,
}

struct World {
    plan: Plan,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    players: BTreeMap<u32, Player>,
    shards: BTreeMap<u32, (Shard, Tick)>,
    kept: BTreeMap<u32, Kept>,
    agenda: BinaryHeap<Reverse<(Tick, Actor)>>, // may hold entries that no longer apply
    wake_at: Tick,
    now: Tick,
    sent: u64,
    costs: Costs,
    report: Option<String>,
}

pub(crate) fn play() {
    let program = env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .arg(crate::COORDINATOR)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the coordinator's process");
    let mut world = World {
        plan: plan(),
        input: child.stdin.take().expect("its input"),
        output: BufReader::new(child.stdout.take().expect("its output")),
        players: BTreeMap::new(),
        shards: BTreeMap::new(),
        kept: BTreeMap::new(),
        agenda: BinaryHeap::new(),
        wake_at: Tick::ZERO,
        now: Tick::ZERO,
        sent: 0,
        costs: Costs::default(),
        report: None,
    };
    world.tell("");
    while world.report.is_none() {
        world.step();
    }
    let World {
        costs,
        sent,
        report,
        input,
        ..
    } = world;
    drop(input);
    child.wait().expect("the coordinator ends");
    print(&costs, sent, &report.unwrap_or_default());
}

impl World {
    fn step(&mut self) {
        let next = self.agenda.peek().map(|Reverse((at, _))| *at);
        if next.is_none_or(|at| at > self.wake_at) {
            self.now = self.now.max(self.wake_at);
            self.tell("");
            return;
        }
        let Some(Reverse((at, actor))) = self.agenda.pop() else {
            return;
        };
        match actor {
            Actor::Batch(batch) => {
                if self
                    .players
                    .get(&batch)
                    .is_some_and(|player| player.next_at() == at)
                {
                    self.now = self.now.max(at);
                    self.play_batch(batch);
                }
            }
            Actor::Shard(shard) => {
                if self
                    .shards
                    .get(&shard)
                    .is_some_and(|(_, wake_at)| *wake_at == at)
                {
                    self.now = self.now.max(at);
                    let told = self.tell_shard(shard, shard::Input::Wake);
                    told.iter().for_each(|bundle| self.tell(bundle));
                }
            }
        }
    }

    /// Says a line to the coordinator, and does what it answers.
    fn tell(&mut self, bundle: &str) {
        writeln!(self.input, "{}\t{bundle}", self.now.as_us())
            .and_then(|()| self.input.flush())
            .expect("the coordinator listens");
        loop {
            let mut line = String::new();
            self.output
                .read_line(&mut line)
                .expect("the coordinator answers");
            let fields: Vec<&str> = line.trim_end().split('\t').collect();
            match fields.as_slice() {
                ["order", order] => {
                    let order: ShardOrder = serde_json::from_str(order).expect("an order");
                    self.start(order);
                }
                [what, value, used, stored, peak] => {
                    let number = |text: &str| text.parse::<u64>().unwrap_or(0);
                    *self
                        .costs
                        .coordinator_ns
                        .entry(self.now.second())
                        .or_default() += number(used);
                    self.costs.stored_bytes += number(stored);
                    self.costs.peak_kib = number(peak);
                    if *what == "done" {
                        self.report = Some((*value).to_owned());
                    } else {
                        self.wake_at = Tick::from_us(number(value));
                    }
                    return;
                }
                other => panic!("the coordinator said {other:?}"),
            }
        }
    }

    fn start(&mut self, order: ShardOrder) {
        let number = order.shard;
        let kept = self.kept.remove(&number).unwrap_or_default();
        let shard = Shard::new(self.plan.clone(), order, kept);
        self.shards.insert(number, (shard, Tick::NEVER));
        self.agenda.push(Reverse((self.now, Actor::Shard(number))));
        if let Some((_, wake_at)) = self.shards.get_mut(&number) {
            *wake_at = self.now;
        }
    }

    /// Answers what the shard then tells the coordinator.
    fn tell_shard(&mut self, number: u32, input: shard::Input) -> Vec<String> {
        let mut told = Vec::new();
        let Some((mut shard, _)) = self.shards.remove(&number) else {
            return told;
        };
        shard.handle_input(self.now, input);
        loop {
            match shard.poll_output() {
                shard::Output::Assign(assignment) => {
                    let batch = assignment.share.index();
                    let player = Player {
                        batch: Batch::new(self.plan.clone(), *assignment),
                        shard: number,
                        answers: BinaryHeap::new(),
                        wake_at: self.now,
                    };
                    self.players.insert(batch, player);
                    self.agenda.push(Reverse((self.now, Actor::Batch(batch))));
                }
                shard::Output::StopBatch(_) => {}
                shard::Output::Ship(bundle) => {
                    let line = serde_json::to_string(&bundle).expect("a bundle");
                    self.costs.bundles += 1;
                    self.costs.bundle_bytes += line.len() as u64;
                    told.push(line);
                }
                shard::Output::WakeAt(at) => {
                    self.agenda.push(Reverse((at, Actor::Shard(number))));
                    self.shards.insert(number, (shard, at));
                    return told;
                }
                shard::Output::Done => {
                    self.kept.insert(number, shard.into_kept());
                    return told;
                }
            }
        }
    }

    fn play_batch(&mut self, batch: u32) {
        let Some(mut player) = self.players.remove(&batch) else {
            return;
        };
        player.take(self.now);
        let mut frames = Vec::new();
        loop {
            match player.batch.poll_output() {
                Output::Send(request) => {
                    self.sent += 1;
                    let at = self.now + latency(request.id, batch);
                    player.answers.push(Reverse((at, request.id)));
                }
                Output::Ship(frame) => frames.push(frame),
                Output::Abort(_) | Output::Open(_) | Output::Socket(..) => {}
                Output::WakeAt(at, _) => {
                    player.wake_at = at;
                    self.agenda
                        .push(Reverse((player.next_at(), Actor::Batch(batch))));
                    let shard = player.shard;
                    self.players.insert(batch, player);
                    frames
                        .into_iter()
                        .for_each(|frame| self.deliver(shard, frame));
                    return;
                }
                Output::Done => {
                    frames
                        .into_iter()
                        .for_each(|frame| self.deliver(player.shard, frame));
                    return;
                }
            }
        }
    }

    /// A frame travels as text, as between the Workers.
    fn deliver(&mut self, shard: u32, frame: sentinel_engine::wire::Frame) {
        let line = serde_json::to_string(&frame).expect("a frame");
        // What one shard does is measured; the others do the same.
        let before = (shard == 0).then(cpu::used_ns);
        let frame = serde_json::from_str(&line).expect("a frame");
        let told = self.tell_shard(shard, shard::Input::Frame(frame));
        if let Some(before) = before {
            let used = cpu::used_ns().saturating_sub(before);
            *self.costs.shard_ns.entry(self.now.second()).or_default() += used;
        }
        told.iter().for_each(|bundle| self.tell(bundle));
    }
}

impl Player {
    fn next_at(&self) -> Tick {
        let answer = self.answers.peek().map(|Reverse((at, _))| *at);
        self.wake_at.min(answer.unwrap_or(Tick::NEVER))
    }

    fn take(&mut self, now: Tick) {
        let due = self.answers.peek().filter(|Reverse((at, _))| *at <= now);
        let Some(id) = due.map(|Reverse((_, id))| *id) else {
            self.batch.handle_input(now, Input::Wake);
            return;
        };
        self.answers.pop();
        let headers = [("server-timing".to_owned(), SERVER_TIMING.to_owned())];
        let exchange = Exchange {
            status: 200,
            headers: &headers,
            body: b"{}",
            bytes_received: 2,
            truncated: false,
            parts: Parts::default(),
        };
        self.batch.handle_input(now, Input::Headers(id));
        self.batch.handle_input(now, Input::Answered(id, exchange));
    }
}

/// From 20 to some 500 milliseconds, in whole milliseconds as the platform's clock has them, mostly short.
fn latency(id: RequestId, batch: u32) -> Span {
    let mixed = (id.0 ^ (u64::from(batch) << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let even = (mixed >> 40) % 1_000;
    Span::from_ms(20 + even * even * even / 2_000_000)
}

fn print(costs: &Costs, sent: u64, report: &str) {
    let to_ms = |ns: &u64| *ns as f64 / 1e6;
    let summary = |costs: &BTreeMap<u32, u64>| {
        let mut all: Vec<f64> = costs.values().map(to_ms).collect();
        all.sort_by(f64::total_cmp);
        let mean = all.iter().sum::<f64>() / all.len().max(1) as f64;
        (
            mean,
            all.get(all.len() / 2).copied(),
            all.last().copied().unwrap_or(0.0),
        )
    };
    let (mean, median, most) = summary(&costs.coordinator_ns);
    println!(
        "{USERS} users, {} batches, {SHARDS} shards, {SECONDS} s simulated",
        BATCHES * SHARDS
    );
    println!("requests: {sent}; the report says {report}");
    println!(
        "bundles: {}, {} bytes each; stored: {} MB",
        costs.bundles,
        costs.bundle_bytes / costs.bundles.max(1),
        costs.stored_bytes / 1_000_000
    );
    println!(
        "coordinator: {mean:.1} ms of CPU for a simulated second, median {:.1}, most {most:.1}; peak memory {} MiB",
        median.unwrap_or(0.0),
        costs.peak_kib / 1_024
    );
    for (second, ns) in costs
        .coordinator_ns
        .iter()
        .filter(|(_, ns)| to_ms(ns) > most * 0.8)
    {
        println!("  second {second}: {:.1} ms", to_ms(ns));
    }
    let (mean, _, most_of_shard) = summary(&costs.shard_ns);
    println!("one shard: {mean:.1} ms of CPU for a simulated second, most {most_of_shard:.1}");
    println!(
        "the most expensive second, of {LIMIT_MS} ms: {:.2}",
        most / LIMIT_MS
    );
}
