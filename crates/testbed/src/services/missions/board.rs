//! The missions that there are.
//!
//! Invariant: their number is bounded: when there is no room, the oldest one goes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

/// What a mission is to do.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    name: String,
    prompt: String,
    backend: String,
}

/// All missions.
#[derive(Debug, Default)]
pub(super) struct Board {
    last: u64,
    missions: BTreeMap<u64, Mission>,
}

#[derive(Debug)]
struct Mission {
    order: Order,
    created: Instant,
}

impl Order {
    /// What is wrong with it.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (field, text, max) in [
            ("name", &self.name, NAME_CHARS_MAX),
            ("prompt", &self.prompt, PROMPT_CHARS_MAX),
        ] {
            let length = text.trim().chars().count();
            if !(1..=max).contains(&length) {
                problems.push(format!("{field}: accepted are 1 to {max} characters"));
            }
        }
        if !BACKENDS.contains(&self.backend.as_str()) {
            problems.push(format!("backend: accepted are {}", BACKENDS.join(", ")));
        }
        problems
    }
}

impl Board {
    /// Adds a mission and answers what there is to see of it.
    pub(super) fn add(&mut self, order: Order) -> Value {
        if self.missions.len() >= MISSIONS_MAX {
            self.missions.pop_first();
        }
        self.last += 1;
        let created = Instant::now();
        let mission = self
            .missions
            .entry(self.last)
            .or_insert(Mission { order, created });
        shown(self.last, mission)
    }

    /// The newest missions, newest first.
    pub(super) fn newest(&self, count: usize) -> Vec<Value> {
        let newest = self.missions.iter().rev().take(count);
        newest
            .map(|(number, mission)| shown(*number, mission))
            .collect()
    }

    /// One mission.
    pub(super) fn get(&self, id: &str) -> Option<Value> {
        let number = number(id)?;
        self.missions
            .get(&number)
            .map(|mission| shown(number, mission))
    }

    /// Removes a mission.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        number(id).is_some_and(|number| self.missions.remove(&number).is_some())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.missions.len()
    }
}

fn number(id: &str) -> Option<u64> {
    id.strip_prefix(PREFIX)?.parse().ok()
}

fn shown(number: u64, mission: &Mission) -> Value {
    let age = mission.created.elapsed();
    let status = match age {
        age if age < RUNS_AFTER => "queued",
        age if age < COMPLETED_AFTER => "running",
        _ => "completed",
    };
    let Order {
        name,
        prompt,
        backend,
    } = &mission.order;
    json!({
        "id": format!("{PREFIX}{number}"), "name": name, "prompt": prompt, "backend": backend, "status": status,
    })
}

const PREFIX: &str = "mission-";
const BACKENDS: [&str; 2] = ["mock", "local"];
const NAME_CHARS_MAX: usize = 200;
const PROMPT_CHARS_MAX: usize = 10_000;

/// How many missions are remembered.
const MISSIONS_MAX: usize = 10_000;

/// A mission waits for so long until it runs.
const RUNS_AFTER: Duration = Duration::from_millis(100);

/// So long after its creation a mission is over.
const COMPLETED_AFTER: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn order(name: &str) -> Order {
        Order {
            name: name.to_owned(),
            prompt: "p".to_owned(),
            backend: "mock".to_owned(),
        }
    }

    #[test]
    fn the_oldest_mission_makes_room() {
        let mut board = Board::default();
        for number in 0..=MISSIONS_MAX {
            board.add(order(&number.to_string()));
        }
        assert_eq!(board.len(), MISSIONS_MAX);
        assert_eq!(board.get("mission-1"), None);
        assert_eq!(board.newest(2)[0]["name"], MISSIONS_MAX.to_string());
        assert!(board.remove("mission-2") && !board.remove("mission-2"));
    }

    #[test]
    fn everything_that_is_wrong_with_an_order_is_told() {
        let wrong = Order {
            backend: "none".to_owned(),
            ..order(" ")
        };
        assert_eq!(
            wrong.problems(),
            [
                "name: accepted are 1 to 200 characters",
                "backend: accepted are mock, local"
            ]
        );
    }
}
