//! `GateDO`, named `gate:{generation}`: lets a limited number of requests through at once.
//!
//! It serves the capacity knob of the tests. All requests of an object share one context, so
//! that one of them may wake another here, which requests of the Worker must not.
//!
//! - `POST /enter`: answers when there is a place, in the order of arrival.
//! - `POST /leave`: gives a place back.

#![expect(
    missing_docs,
    reason = "the macro of the object class adds public methods without comments"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use futures::channel::oneshot;
use serde::{Deserialize, Serialize};
use worker::{DurableObject, Env, Method, Request, Response, Result, State, durable_object};

use crate::app::now_ms;
use crate::error::{ApiError, ApiResult};
use crate::objects::host::{Host, answer};

/// A place that was not given back for so long is taken back: its request is gone.
const HELD_MS_MAX: f64 = 120_000.0;
const WAITING_MAX: usize = 20_000;

/// Asks for a place.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Enter {
    /// How many places there are.
    pub(crate) capacity: u32,
}

/// A place.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Permit {
    /// Names the place when it is given back.
    pub(crate) permit: u64,
}

/// Gives a place back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Leave {
    /// The permit that `enter` gave.
    pub(crate) permit: u64,
}

/// The state after a place was given back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Left {
    /// Requests still waiting.
    pub(crate) waiting: usize,
}

/// Limits how many requests are served at once.
#[durable_object]
pub struct GateDO {
    host: Host,
    places: RefCell<Places>,
}

#[derive(Default)]
struct Places {
    capacity: usize,
    /// When each place was taken, Unix ms.
    held: BTreeMap<u64, f64>,
    waiting: VecDeque<oneshot::Sender<u64>>,
    permits_given: u64,
}

impl Places {
    fn enter(&mut self, capacity: usize, now_ms: f64) -> ApiResult<oneshot::Receiver<u64>> {
        if self.waiting.len() >= WAITING_MAX {
            return Err(ApiError::new(503, "gate_full", "too many requests wait"));
        }
        self.capacity = capacity;
        self.held
            .retain(|_, taken_ms| now_ms - *taken_ms < HELD_MS_MAX);
        let (sender, receiver) = oneshot::channel();
        self.waiting.push_back(sender);
        self.let_in(now_ms);
        Ok(receiver)
    }

    fn leave(&mut self, permit: u64, now_ms: f64) -> usize {
        self.held.remove(&permit);
        self.let_in(now_ms);
        self.waiting.len()
    }

    fn let_in(&mut self, now_ms: f64) {
        while self.held.len() < self.capacity {
            let Some(next) = self.waiting.pop_front() else {
                return;
            };
            self.permits_given += 1;
            // One that no longer waits takes no place.
            if next.send(self.permits_given).is_ok() {
                self.held.insert(self.permits_given, now_ms);
            }
        }
    }
}

impl DurableObject for GateDO {
    fn new(state: State, _env: Env) -> Self {
        Self {
            host: Host::new(&state, "GateDO", ""),
            places: RefCell::default(),
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        self.host
            .serve(request, async |call| {
                match (&call.method, call.path.as_str()) {
                    (Method::Post, "/enter") => {
                        let enter: Enter = call.json()?;
                        let capacity = usize::try_from(enter.capacity).unwrap_or(usize::MAX);
                        let turn = self.places.borrow_mut().enter(capacity, now_ms())?;
                        let permit = turn.await.map_err(|_| {
                            ApiError::new(503, "gate_closed", "the gate was closed")
                        })?;
                        answer(&Permit { permit })
                    }
                    (Method::Post, "/leave") => {
                        let leave: Leave = call.json()?;
                        let waiting = self.places.borrow_mut().leave(leave.permit, now_ms());
                        answer(&Left { waiting })
                    }
                    _ => call.unknown(),
                }
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_let_in_than_there_are_places() {
        let mut places = Places::default();
        let mut turns: Vec<_> = (0..5)
            .map(|_| places.enter(2, 0.0).expect("room to wait"))
            .collect();
        let entered = |turns: &mut Vec<oneshot::Receiver<u64>>| {
            turns
                .iter_mut()
                .map(|turn| turn.try_recv().ok().flatten())
                .collect::<Vec<_>>()
        };
        assert_eq!(entered(&mut turns), [Some(1), Some(2), None, None, None]);
        assert_eq!(places.leave(1, 0.0), 2);
        assert_eq!(entered(&mut turns)[2], Some(3));
    }

    #[test]
    fn who_gave_up_waiting_takes_no_place() {
        let mut places = Places::default();
        let _first = places.enter(1, 0.0).expect("room to wait");
        let second = places.enter(1, 0.0).expect("room to wait");
        let mut third = places.enter(1, 0.0).expect("room to wait");
        drop(second);
        places.leave(1, 0.0);
        assert!(matches!(third.try_recv(), Ok(Some(_))));
    }

    #[test]
    fn a_place_whose_request_is_gone_comes_back() {
        let mut places = Places::default();
        let _first = places.enter(1, 0.0).expect("room to wait");
        let mut second = places.enter(1, HELD_MS_MAX).expect("room to wait");
        assert!(matches!(second.try_recv(), Ok(Some(_))));
    }
}
