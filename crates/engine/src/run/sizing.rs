//! How many batches and shards a plan needs, from what it asks for and what the platform gives.
//!
//! Before a run nobody knows how quickly the target will answer, so that the need is an estimate; whether it was
//! right, the results say (slot wait, lateness). Invariant: a plan that cannot fit is refused with the numbers
//! that show it, and none is given more batches than it has users.

use crate::plan::{Op, Plan, PlannedScenario};
use crate::run::types::ShardPlan;
use crate::share::Split;
use crate::tick::Span;

/// What one generator gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// How many requests of a batch may wait for response headers at once.
    pub slots: u32,
    /// How many users a batch plays in a small run, which has enough batches anyway.
    pub users_per_batch: u32,
    /// How many batches a coordinator or a shard has.
    pub batches_per_line: u32,
    /// How many shards a run has at most.
    pub shards_max: u32,
    /// How many requests a second one coordinator or shard sends at most: its batches share a thread.
    pub requests_per_line: u32,
    /// How many requests a batch may send in one slice.
    pub requests_per_slice: u64,
    /// How long a slice is.
    pub slice: Span,
    /// How long an answer is expected to take.
    pub latency: Span,
}

/// How a plan is spread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// How many batches play it.
    pub batches: u32,
    /// Through which shards they are heard; none in a small run.
    pub shards: Vec<ShardPlan>,
    /// How many requests are expected to be under way at once, at the most.
    pub in_flight: u32,
    /// How many requests a second are expected, at the most.
    pub requests_per_second: u32,
}

/// A plan that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// More requests under way than connection slots.
    #[error(
        "needs {in_flight} requests under way at once ({users} users, {latency_ms} ms expected for an answer), \
         there are {slots}: {shards} shards of {batches} batches with {per_batch} connection slots each"
    )]
    Slots {
        /// Expected under way.
        in_flight: u32,
        /// The plan's users.
        users: u32,
        /// The expected time of an answer in milliseconds.
        latency_ms: u64,
        /// All connection slots.
        slots: u32,
        /// Shards at most.
        shards: u32,
        /// Batches of a shard.
        batches: u32,
        /// Slots of a batch.
        per_batch: u32,
    },
    /// More requests a second than all shards can send.
    #[error(
        "needs {per_second} requests a second, {shards} shards send {limit}: {per_shard} each, because the \
         batches of a shard share a thread"
    )]
    Rate {
        /// Expected requests a second.
        per_second: u32,
        /// Shards at most.
        shards: u32,
        /// Requests a second of all of them.
        limit: u32,
        /// Requests a second of one shard.
        per_shard: u32,
    },
    /// The weights of the regions cannot be used.
    #[error(
        "the weights of the regions cannot be split: {regions} regions for {batches} batches at most"
    )]
    Regions {
        /// How many regions.
        regions: usize,
        /// How many batches there can be.
        batches: u32,
    },
}

impl Spread {
    /// Spreads a plan over batches, and over shards if it is large or goes out from several regions. `regions`
    /// are names with weights; none means anywhere.
    ///
    /// # Errors
    /// When the plan needs more than there is.
    pub fn of(
        plan: &Plan,
        capacity: &Capacity,
        regions: &[(String, u32)],
    ) -> Result<Self, TooLarge> {
        let users = plan.users_max().max(1);
        let (in_flight, per_second) = need(plan, capacity.latency);
        let batches_max = capacity
            .shards_max
            .saturating_mul(capacity.batches_per_line);
        let slots = batches_max.saturating_mul(capacity.slots);
        if in_flight > slots {
            return Err(TooLarge::Slots {
                in_flight,
                users,
                latency_ms: capacity.latency.as_us() / 1_000,
                slots,
                shards: capacity.shards_max,
                batches: capacity.batches_per_line,
                per_batch: capacity.slots,
            });
        }
        let lines = per_second.div_ceil(capacity.requests_per_line.max(1));
        if lines > capacity.shards_max {
            return Err(TooLarge::Rate {
                per_second,
                shards: capacity.shards_max,
                limit: capacity
                    .shards_max
                    .saturating_mul(capacity.requests_per_line),
                per_shard: capacity.requests_per_line,
            });
        }
        let mut batches = batches(users, in_flight, per_second, capacity)
            .max(lines)
            .clamp(1, users.min(batches_max));
        let weights: u32 = regions.iter().map(|(_, weight)| *weight).sum();
        if weights > 0 && weights <= users.min(batches_max) {
            // So that the weights come out exactly, if there are users enough.
            let rounded = batches.next_multiple_of(weights);
            batches = if rounded <= users.min(batches_max) {
                rounded
            } else {
                (batches / weights).max(1) * weights
            };
        }
        Ok(Self {
            batches,
            shards: shards(batches, lines, capacity, regions)?,
            in_flight,
            requests_per_second: per_second,
        })
    }
}

/// How many batches the users need: in a small run each has few, so that nobody waits for a slot; in a large one
/// half of the slots are to be free, and no batch is to hold more users than [`USERS_MAX`].
fn batches(users: u32, in_flight: u32, per_second: u32, capacity: &Capacity) -> u32 {
    let few = users.div_ceil(capacity.users_per_batch.max(1));
    let free = in_flight.div_ceil((capacity.slots / 2).max(1));
    let small = users.div_ceil(USERS_MAX);
    let in_slice = capacity.slice.as_us().div_ceil(1_000_000);
    let sent = u64::from(per_second).saturating_mul(in_slice);
    let allowed = sent.div_ceil(capacity.requests_per_slice.max(1));
    let needed = free
        .max(small)
        .max(u32::try_from(allowed).unwrap_or(u32::MAX));
    few.min(LINE_BATCHES).max(needed)
}

/// The shards of this many batches, in each region as even as they can be.
fn shards(
    batches: u32,
    lines: u32,
    capacity: &Capacity,
    regions: &[(String, u32)],
) -> Result<Vec<ShardPlan>, TooLarge> {
    if regions.is_empty() && batches <= capacity.batches_per_line && lines <= 1 {
        return Ok(Vec::new());
    }
    let anywhere = [(None, 1)];
    let named: Vec<(Option<&String>, u32)> = regions
        .iter()
        .map(|(name, weight)| (Some(name), *weight))
        .collect();
    let places = if regions.is_empty() {
        &anywhere[..]
    } else {
        &named
    };
    let refused = || TooLarge::Regions {
        regions: regions.len(),
        batches,
    };
    let weights: Vec<u64> = places
        .iter()
        .map(|(_, weight)| u64::from(*weight))
        .collect();
    let counts = Split::new(&weights).ok_or_else(refused)?;
    let counts = counts.counts(u64::from(batches));
    let mut plans = Vec::new();
    for ((region, _), count) in places.iter().zip(counts) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if count == 0 {
            return Err(refused());
        }
        // As many as its part of the requests takes.
        let busy = lines.saturating_mul(count).div_ceil(batches.max(1));
        let needed = count.div_ceil(capacity.batches_per_line.max(1)).max(busy);
        let parts = needed.min(count);
        for part in 0..parts {
            plans.push(ShardPlan {
                batches: count / parts + u32::from(part < count % parts),
                region: region.cloned(),
            });
        }
    }
    Ok(plans)
}

/// How many requests are expected to be under way at once, and how many in a second, at the most.
fn need(plan: &Plan, latency: Span) -> (u32, u32) {
    let latency_s = latency.as_secs_f64().max(0.001);
    let in_flight: f64 = plan
        .scenarios
        .iter()
        .map(|scenario| f64::from(scenario.users_max()) * busy(plan, scenario, latency_s))
        .sum();
    // Far below 2³²: at most some millions of users.
    let rounded = |number: f64| number.ceil().clamp(0.0, f64::from(u32::MAX)) as u32;
    (rounded(in_flight), rounded(in_flight / latency_s))
}

/// The part of the time that a user of a scenario waits for an answer.
fn busy(plan: &Plan, scenario: &PlannedScenario, latency_s: f64) -> f64 {
    let pause_s = scenario.pause.mean().as_secs_f64();
    let (mut waits_s, mut all_s) = (0.0, 0.0);
    for (place, weight) in &scenario.applications {
        let Some(application) = plan.applications.get(usize::from(*place)) else {
            continue;
        };
        let mut requests_s = 0.0;
        let mut thinks_s = 0.0;
        for op in &application.program {
            match op {
                Op::Request(_) => requests_s += latency_s,
                Op::Think(delay) => thinks_s += delay.mean().as_secs_f64(),
                _ => {}
            }
        }
        waits_s += weight * requests_s;
        all_s += weight * (requests_s + thinks_s + pause_s);
    }
    if all_s > 0.0 { waits_s / all_s } else { 1.0 }
}

/// In a large run, no batch has more users than this: what it hands over at the end of a slice stays small.
const USERS_MAX: u32 = 100;

/// Up to this many batches a run gets by its users alone, needed or not.
const LINE_BATCHES: u32 = 30;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlanSource;
    use serde_json::json;

    const CAPACITY: Capacity = Capacity {
        slots: 6,
        users_per_batch: 8,
        batches_per_line: 30,
        shards_max: 100,
        requests_per_line: 4_000,
        requests_per_slice: 900_000,
        slice: Span::from_secs(60),
        latency: Span::from_ms(200),
    };

    fn plan(users: u32, pause: &str) -> Plan {
        let source: PlanSource = serde_json::from_value(json!({
            "scenario": {
                "name": "s", "applications": [{"name": "a", "weight": 1.0}], "pause": pause,
                "load": {"executor": "constant-vus", "vus": users, "duration": "60s"},
            },
            "applications": [{"name": "a", "steps": [
                {"name": "r", "request": {"method": "GET", "url": "/"}, "expect": {"status": 200}},
            ]}],
            "options": {
                "baseUrl": "http://127.0.0.1:9", "allowedHosts": ["127.0.0.1:9"], "allowPrivate": true, "seed": 1,
                "users": null, "duration": null, "usersMax": 1_000_000, "durationMaxS": 100_000,
            },
        }))
        .unwrap();
        Plan::parse(&source).unwrap()
    }

    fn spread(users: u32, pause: &str, regions: &[(&str, u32)]) -> Result<Spread, TooLarge> {
        let regions: Vec<(String, u32)> = regions
            .iter()
            .map(|(name, weight)| ((*name).to_owned(), *weight))
            .collect();
        Spread::of(&plan(users, pause), &CAPACITY, &regions)
    }

    #[test]
    fn a_small_run_has_few_users_in_each_batch_and_no_shards() {
        let sized = [(1, 1), (8, 1), (9, 2), (100, 13), (240, 30)].map(|(users, batches)| {
            let spread = spread(users, "9s", &[]).unwrap();
            assert_eq!(spread.shards, [], "{users} users");
            (spread.batches, batches)
        });
        assert!(
            sized.iter().all(|(found, expected)| found == expected),
            "{sized:?}"
        );
    }

    #[test]
    fn a_large_run_has_as_many_batches_as_its_requests_need() {
        // Each user waits for an answer a tenth of the time.
        let spread = spread(6_000, "1800ms", &[]).unwrap();
        assert_eq!((spread.in_flight, spread.requests_per_second), (600, 3_000));
        assert_eq!(spread.batches, 200, "half of 6 slots each");
        let batches: Vec<u32> = spread.shards.iter().map(|shard| shard.batches).collect();
        assert_eq!(batches, [29, 29, 29, 29, 28, 28, 28]);
        assert!(spread.shards.iter().all(|shard| shard.region.is_none()));
    }

    #[test]
    fn users_who_hardly_do_anything_need_room_too() {
        let spread = spread(100_000, "10m", &[]).unwrap();
        assert_eq!((spread.batches, spread.shards.len()), (1_000, 34));
    }

    #[test]
    fn one_thread_sends_only_so_much() {
        // 50 shards of 4,000 requests a second, though 40,000 slots' worth of batches would do with fewer.
        let spread = Spread::of(
            &plan(40_000, "1800ms"),
            &Capacity {
                requests_per_line: 400,
                ..CAPACITY
            },
            &[],
        )
        .unwrap();
        assert_eq!(spread.requests_per_second, 20_000);
        assert_eq!(spread.shards.len(), 50);
    }

    #[test]
    fn a_batch_sends_no_more_in_a_slice_than_its_invocation_may() {
        // 50 requests a second, 3,000 in a slice.
        let of = |requests_per_slice| {
            let capacity = Capacity {
                users_per_batch: 1_000,
                requests_per_slice,
                ..CAPACITY
            };
            Spread::of(&plan(100, "1800ms"), &capacity, &[])
                .unwrap()
                .batches
        };
        assert_eq!(of(900_000), 4, "as its slots need");
        assert_eq!(of(300), 10);
        assert_eq!(of(299), 11);
    }

    #[test]
    fn regions_get_what_they_weigh() {
        let spread = spread(90, "9s", &[("weur", 2), ("enam", 1)]).unwrap();
        assert_eq!(spread.batches, 12);
        let shards: Vec<_> = spread
            .shards
            .iter()
            .map(|shard| (shard.region.as_deref(), shard.batches))
            .collect();
        assert_eq!(shards, [(Some("weur"), 8), (Some("enam"), 4)]);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_numbers() {
        let told = |found: Result<Spread, TooLarge>| found.unwrap_err().to_string();
        assert_eq!(
            told(spread(36_002, "200ms", &[])),
            "needs 18001 requests under way at once (36002 users, 200 ms expected for an answer), there are \
             18000: 100 shards of 30 batches with 6 connection slots each"
        );
        let narrow = Capacity {
            requests_per_line: 100,
            ..CAPACITY
        };
        assert_eq!(
            told(Spread::of(&plan(40_000, "1800ms"), &narrow, &[])),
            "needs 20000 requests a second, 100 shards send 10000: 100 each, because the batches of a shard share \
             a thread"
        );
        assert_eq!(
            told(spread(1, "1s", &[("weur", 1), ("enam", 1)])),
            "the weights of the regions cannot be split: 2 regions for 1 batches at most"
        );
    }
}
