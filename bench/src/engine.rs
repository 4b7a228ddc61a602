//! What the engine itself costs: simulated users per second of CPU, and whether the cost of an event grows
//! with the number of users.
//!
//! No network: the target is a fixed delay under a virtual clock. Prints a table, and last the ratio of the
//! cost per event with the most users to that with the fewest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use sentinel_engine::batch::{Batch, Input, Output, RequestId};
use sentinel_engine::parts::Parts;
use sentinel_engine::plan::{Plan, PlanOptions, PlanSource, RunPart};
use sentinel_engine::response::Exchange;
use sentinel_engine::share::Share;
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::wire::{Assignment, WIRE_VERSION};
use serde_json::json;

/// Users, and simulated seconds: about the same number of events in each row.
const SIZES: [(u32, u64); 3] = [(1_000, 36_000), (10_000, 3_600), (100_000, 3_600)];

const LATENCY: Span = Span::from_ms(80);

fn main() {
    println!(
        "{:>8} {:>10} {:>12} {:>9} {:>10} {:>12}",
        "users", "simulated", "requests", "CPU s", "ns/event", "peak MiB"
    );
    let mut costs = Vec::new();
    for (users, seconds) in SIZES {
        let started = Instant::now();
        let requests = play(&plan(users, seconds));
        let elapsed = started.elapsed();
        // Each request is two events: its sending and its answer.
        let cost = elapsed.as_nanos() as f64 / (requests * 2) as f64;
        let seconds_taken = elapsed.as_secs_f64();
        println!(
            "{users:>8} {seconds:>8} s {requests:>12} {seconds_taken:>9.2} {cost:>10.0} {:>12}",
            peak_mib()
        );
        costs.push(cost);
    }
    let (Some(first), Some(last)) = (costs.first(), costs.last()) else {
        return;
    };
    println!(
        "cost per event, 100,000 users against 1,000: {:.2}",
        last / first
    );
}

/// A user reads a page with a name of its own, then thinks for a minute.
fn plan(users: u32, seconds: u64) -> Plan {
    let step = json!({
        "name": "read", "request": {"method": "GET", "url": "/posts/{{vu}}/{{iteration}}"}, "expect": {"status": 200},
    });
    let source = json!({
        "scenario": {
            "name": "bench", "description": "", "applications": [{"name": "read", "weight": 1.0}], "assertions": [],
            "pause": "60s",
            "userProfile": {
                "rampUp": {"from": 0, "to": users, "duration": "60s"},
                "peak": {"users": users, "duration": format!("{}s", seconds - 60)},
                "steadyState": {"users": users, "duration": "0s"}, "rampDown": {"to": 0, "duration": "0s"},
            },
        },
        "applications": [{"name": "read", "steps": [step], "doInteractions": []}],
        "options": options(),
    });
    let source: PlanSource = serde_json::from_value(source).expect("the source is well-formed");
    Plan::parse(&source).expect("the plan has no problems")
}

fn options() -> PlanOptions {
    serde_json::from_value(json!({
        "baseUrl": "http://127.0.0.1:9", "allowedHosts": ["127.0.0.1:9"], "allowPrivate": true, "seed": 1,
        "users": null, "duration": null, "usersMax": 1_000_000, "durationMaxS": 100_000,
    }))
    .expect("the options are well-formed")
}

/// Plays the plan in one batch and answers how many requests it sent.
fn play(plan: &Plan) -> u64 {
    let until = Tick::ZERO + plan.duration() + plan.graceful_stop();
    let assignment = Assignment {
        version: WIRE_VERSION,
        run: "bench".to_owned(),
        part: RunPart::Load,
        epoch_ms: 0,
        slice: 0,
        share: Share::WHOLE,
        from: Tick::ZERO,
        until,
        played_through: Tick::ZERO,
        begun: Vec::new(),
        carry: Vec::new(),
        away: Vec::new(),
        hands_over_after: None,
        handed_over: Vec::new(),
        slots: None,
    };
    let mut batch = Batch::new(plan.clone(), assignment);
    let mut answers: BinaryHeap<Reverse<(Tick, RequestId)>> = BinaryHeap::new();
    let (mut now, mut requests) = (Tick::ZERO, 0);
    batch.handle_input(now, Input::Wake);
    loop {
        let wake = match batch.poll_output() {
            Output::Send(request) => {
                requests += 1;
                answers.push(Reverse((now + LATENCY, request.id)));
                continue;
            }
            Output::Ship(_) | Output::Abort(_) | Output::Open(_) | Output::Socket(..) => continue,
            Output::Done => return requests,
            Output::WakeAt(at, _) => at,
        };
        let answer = answers
            .peek()
            .filter(|Reverse((at, _))| *at <= wake)
            .map(|Reverse((_, id))| *id);
        let Some(id) = answer else {
            now = wake;
            batch.handle_input(now, Input::Wake);
            continue;
        };
        now = answers.pop().map_or(now, |Reverse((at, _))| at);
        let exchange = Exchange {
            status: 200,
            headers: &[],
            body: b"",
            bytes_received: 0,
            truncated: false,
            parts: Parts::default(),
        };
        batch.handle_input(now, Input::Answered(id, exchange));
    }
}

/// The most memory that the process has held, in MiB, as Linux tells it; 0 where it does not.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1_024
}
