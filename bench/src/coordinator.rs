//! What a frame costs the coordinator: reading it, storing it, merging it, judging and publishing its second.
//!
//! No network and no clock: 30 batches of 20 steps tell one frame each for every second, for ten minutes in
//! slices of half a minute. Prints a line for each minute, and last the ratio of the cost per frame in the
//! last minute to that in the second: a run that forgets nothing would become slower and slower.

use std::time::{Duration, Instant};

use sentinel_engine::phase::{Phase, phase_at};
use sentinel_engine::plan::{Plan, PlanSource};
use sentinel_engine::run::{Input, Output, Run, RunConfig, Stored};
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::window::{StepId, Window};
use sentinel_engine::wire::{BatchEnd, EndReason, Frame, WIRE_VERSION};
use serde_json::json;

const BATCHES: u32 = 30;
const STEPS: u16 = 20;
const REQUESTS_PER_STEP: u64 = 10;
const MINUTES: u32 = 10;
const SLICE_S: u32 = 30;

fn main() {
    let plan = plan();
    let mut coordinator = Coordinator::new(&plan);
    println!(
        "{:>6} {:>8} {:>9} {:>12} {:>14} {:>16} {:>14}",
        "minute",
        "frames",
        "us/frame",
        "ms/second",
        "frame bytes",
        "checkpoint bytes",
        "ms/checkpoint"
    );
    let mut costs = Vec::new();
    for minute in 0..MINUTES {
        let cost = coordinator.play_minute(&plan, minute);
        let frames = f64::from(60 * BATCHES);
        let us = cost.frames.as_secs_f64() * 1e6 / frames;
        println!(
            "{:>6} {frames:>8} {us:>9.0} {:>12.1} {:>14} {:>16} {:>14.1}",
            minute + 1,
            cost.frames.as_secs_f64() * 1e3 / 60.0,
            cost.frame_bytes,
            cost.checkpoint_bytes,
            cost.checkpoints.as_secs_f64() * 1e3 / f64::from(60 / SLICE_S),
        );
        costs.push(us);
    }
    if let (Some(early), Some(late)) = (costs.get(1), costs.last()) {
        println!(
            "cost per frame, the last minute against the second: {:.2}",
            late / early
        );
    }
}

/// Twenty steps, judged by some thresholds.
fn plan() -> Plan {
    let steps: Vec<_> = (0..STEPS)
        .map(|i| json!({"name": format!("s{i}"), "request": {"method": "GET", "url": format!("/{i}")}, "expect": {}}))
        .collect();
    let source = json!({
        "scenario": {
            "name": "bench", "description": "", "applications": [{"name": "a", "weight": 1.0}],
            "assertions": [{"metric": "p95_latency_ms", "operator": "<", "value": 5000}],
            "thresholds": {
                "http_req_duration": ["p(95)<5000", "p(99)<5000 over 30s"],
                "response_time{name:s3}": ["p(95)<5000"],
                "http_req_failed": ["rate<0.5"],
                "coverage": ["rate>0.99"],
            },
            "userProfile": {
                "rampUp": {"from": 0, "to": 1500, "duration": "60s"},
                "peak": {"users": 1500, "duration": format!("{MINUTES}m")},
                "steadyState": {"users": 1500, "duration": "0s"}, "rampDown": {"to": 0, "duration": "0s"},
            },
        },
        "applications": [{"name": "a", "steps": steps, "doInteractions": []}],
        "options": {
            "baseUrl": "http://127.0.0.1:9", "allowedHosts": ["127.0.0.1:9"], "allowPrivate": true, "seed": 1,
            "users": null, "duration": null, "usersMax": 1_000_000, "durationMaxS": 100_000,
        },
    });
    let source: PlanSource = serde_json::from_value(source).expect("the source is well-formed");
    Plan::parse(&source).expect("the plan has no problems")
}

/// What a minute cost.
#[derive(Default)]
struct Cost {
    frames: Duration,
    checkpoints: Duration,
    frame_bytes: usize,
    checkpoint_bytes: usize,
}

struct Coordinator {
    run: Run,
    slice: u32,
    latency_us: Latencies,
}

impl Coordinator {
    fn new(plan: &Plan) -> Self {
        let config = RunConfig {
            run: "bench".to_owned(),
            epoch_ms: 0,
            batches: BATCHES,
            shards: Vec::new(),
            slice: Span::from_secs(u64::from(SLICE_S)),
            slots: None,
            patience: Span::from_secs(5),
            clock_resolution: Span::from_ms(1),
        };
        let mut run = Run::new(plan.clone(), config);
        run.handle_input(Tick::ZERO, Input::Wake);
        let mut coordinator = Self {
            run,
            slice: 0,
            latency_us: Latencies(1),
        };
        coordinator.obey(&mut Cost::default());
        coordinator
    }

    fn play_minute(&mut self, plan: &Plan, minute: u32) -> Cost {
        let mut cost = Cost::default();
        for second in minute * 60..(minute + 1) * 60 {
            let lines: Vec<String> = (0..BATCHES)
                .map(|batch| self.frame(plan, batch, second))
                .map(|frame| serde_json::to_string(&frame).expect("frames are JSON"))
                .collect();
            let now = Tick::from_second(second + 1);
            let checkpoints = cost.checkpoints;
            let started = Instant::now();
            for line in &lines {
                let frame: Frame = serde_json::from_str(line).expect("a frame");
                self.run.handle_input(now, Input::Bundle(frame.into()));
                self.obey(&mut cost);
            }
            cost.frames += started
                .elapsed()
                .saturating_sub(cost.checkpoints - checkpoints);
            cost.frame_bytes = lines.iter().map(String::len).max().unwrap_or(0);
        }
        cost
    }

    /// What the driver does: it stores what it is told to store.
    fn obey(&mut self, cost: &mut Cost) {
        loop {
            match self.run.poll_output() {
                Output::Persist(stored) => {
                    let started = Instant::now();
                    let bytes: usize = stored.to_records().iter().map(|r| r.body.len()).sum();
                    match stored {
                        Stored::Checkpoint(_) => {
                            cost.checkpoints += started.elapsed();
                            cost.checkpoint_bytes = bytes;
                        }
                        Stored::SliceStarted(started) => self.slice = started.slice,
                        Stored::Bundle(_) | Stored::Stop(_) | Stored::Once(_) => {}
                    }
                }
                Output::WakeAt(_) | Output::Done(_) => return,
                Output::Publish(_)
                | Output::Assign(_)
                | Output::AssignShard(_)
                | Output::Adopt { .. }
                | Output::StopLine { .. } => {}
            }
        }
    }

    /// One second of one batch, which has answered every request that it sent.
    fn frame(&mut self, plan: &Plan, batch: u32, second: u32) -> Frame {
        let phase: Phase = phase_at(plan.phases(), Tick::from_second(second));
        let mut window = Window::new(second, phase);
        window.active_users = 50;
        let requests = u64::from(STEPS) * REQUESTS_PER_STEP;
        (
            window.ledger.planned,
            window.ledger.started,
            window.ledger.finished,
        ) = (10, 10, 10);
        (window.ledger.sent, window.ledger.answered) = (requests, requests);
        for id in 0..STEPS {
            let step = window.steps.entry(StepId(id)).or_default();
            (step.sent, step.succeeded) = (REQUESTS_PER_STEP, REQUESTS_PER_STEP);
            step.bytes_received = 2_000 * REQUESTS_PER_STEP;
            for _ in 0..REQUESTS_PER_STEP {
                let us = self.latency_us.next();
                step.response_us.record(us);
                step.service_us.record(us);
            }
        }
        window.slot_wait_us.record_n(0, requests);
        window.lateness_us.record_n(0, 10);
        let scenario = window.scenarios.entry(0).or_default();
        scenario.started = 10;
        scenario.iteration_us.record_n(1_000_000, 10);
        let closed_through = Tick::from_second(second + 1);
        let ends = (second + 1).is_multiple_of(SLICE_S);
        Frame {
            version: WIRE_VERSION,
            slice: self.slice,
            batch,
            sequence: second % SLICE_S,
            closed_through,
            windows: vec![window],
            late: Vec::new(),
            end: ends.then(|| BatchEnd {
                reason: EndReason::SliceOver,
                at: closed_through,
                carry: Vec::new(),
                iterations_open: 0,
                out: Vec::new(),
                missed: Vec::new(),
                handed_over: Vec::new(),
                colo: None,
            }),
        }
    }
}

/// Latencies in whole milliseconds, as the clock at the edge has them: most between 20 and 150, a few up to 2 s.
struct Latencies(u64);

impl Latencies {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let random = self.0 >> 33;
        let ms = if random.is_multiple_of(50) {
            150 + random % 1_850
        } else {
            20 + random % 130
        };
        ms * 1_000
    }
}
