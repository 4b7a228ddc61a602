//! How many requests arrived, per route, and what was answered.
//!
//! A request is counted when it arrives, before anything can fail, in memory of the isolate;
//! a background task of the requests carries the counts to `StatsDO` every 50 ms. Each parcel
//! has a number, so that one whose answer was lost is not added twice. A reader first has the
//! isolate's counts carried over, so that what it reads is exact.
//! Invariant: the counts of an isolate are in exactly one of three places: pending, in the
//! parcel under way, or in `StatsDO`. What is lost when the process is killed is what arrived
//! during the last 50 ms and the round trip after it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use worker::Delay;

use crate::app::{App, ObjectClass, Operation, now_ms, random_bytes};
use crate::error::{ApiError, ApiResult};

const OBJECT_NAME: &str = "stats";
const FLUSH_MS: u64 = 50;
/// A holder that has not been heard of for so long is gone, with its request.
const LEASE_MS: f64 = 10_000.0;
/// 20 s: a background task may live 30 s after its response.
const ROUNDS_MAX: u32 = 400;
/// A reader waits up to 10 s for a parcel under way.
const READ_ATTEMPTS_MAX: u32 = 2_000;

/// Numbers of requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Requests that arrived.
    pub(crate) total: u64,
    /// The same, per route.
    pub(crate) routes: BTreeMap<String, u64>,
    /// Requests that were answered, per status.
    pub(crate) statuses: BTreeMap<String, u64>,
}

impl Counts {
    fn is_empty(&self) -> bool {
        self.total == 0 && self.statuses.is_empty()
    }
}

/// Counts on their way to `StatsDO`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Parcel {
    /// Which isolate counted.
    pub(crate) isolate: String,
    /// Rises by one with each parcel of the isolate.
    pub(crate) number: u64,
    /// What is to be added.
    pub(crate) counts: Counts,
}

/// The answer to a change of the counts.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// Whether the change was made by this call, not by an earlier attempt.
    pub(crate) applied: bool,
}

#[derive(Default)]
struct Counter {
    pending: Counts,
    parcel: Option<Parcel>,
    isolate: Option<String>,
    parcels_made: u64,
    /// Who carries parcels does so alone until this time, Unix ms.
    lease_until_ms: f64,
}

thread_local! {
    static COUNTER: RefCell<Counter> = RefCell::default();
}

/// Counts a request that has just arrived.
pub(crate) fn arrived(label: &str) {
    COUNTER.with_borrow_mut(|counter| {
        counter.pending.total += 1;
        add(&mut counter.pending.routes, label);
    });
}

/// Counts an answer.
pub(crate) fn answered(status: u16) {
    COUNTER.with_borrow_mut(|counter| add(&mut counter.pending.statuses, &status.to_string()));
}

fn add(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => {
            counts.insert(name.to_owned(), 1);
        }
    }
}

/// Whether nobody carries counts and there are some to carry.
pub(crate) fn needs_carrier() -> bool {
    COUNTER.with_borrow(|counter| {
        counter.lease_until_ms <= now_ms()
            && !(counter.pending.is_empty() && counter.parcel.is_none())
    })
}

/// Carries counts to `StatsDO` until there are none left, or for 20 s.
pub(crate) async fn carry(app: &App) {
    if !lease() {
        return;
    }
    for _ in 0..ROUNDS_MAX {
        Delay::from(Duration::from_millis(FLUSH_MS)).await;
        // A failure is in the log; the parcel is kept for the next round.
        let _ = flush(app).await;
        if COUNTER.with_borrow(|counter| counter.pending.is_empty() && counter.parcel.is_none()) {
            break;
        }
        renew();
    }
    release();
}

/// All requests up to this moment.
pub(crate) async fn read(app: &App) -> ApiResult<Counts> {
    wait_for_lease().await?;
    let outcome = match flush(app).await {
        Ok(()) => {
            app.call(ObjectClass::Stats, OBJECT_NAME, Operation::get("/"))
                .await
        }
        Err(error) => Err(error),
    };
    release();
    outcome
}

/// Starts again at zero.
pub(crate) async fn reset(app: &App) -> ApiResult<()> {
    wait_for_lease().await?;
    COUNTER.with_borrow_mut(|counter| {
        counter.pending = Counts::default();
        counter.parcel = None;
    });
    let outcome: ApiResult<Stored> = app
        .call(
            ObjectClass::Stats,
            OBJECT_NAME,
            Operation::post("/reset", ()),
        )
        .await;
    release();
    outcome.map(|_| ())
}

async fn flush(app: &App) -> ApiResult<()> {
    let fresh_name = random_bytes::<12>()?;
    let parcel = COUNTER.with_borrow_mut(|counter| {
        if counter.parcel.is_none() && !counter.pending.is_empty() {
            let isolate = counter
                .isolate
                .get_or_insert_with(|| hex(&fresh_name))
                .clone();
            counter.parcels_made += 1;
            counter.parcel = Some(Parcel {
                isolate,
                number: counter.parcels_made,
                counts: std::mem::take(&mut counter.pending),
            });
        }
        counter.parcel.clone()
    });
    let Some(parcel) = parcel else {
        return Ok(());
    };
    let _: Stored = app
        .call(
            ObjectClass::Stats,
            OBJECT_NAME,
            Operation::post("/add", parcel),
        )
        .await?;
    COUNTER.with_borrow_mut(|counter| counter.parcel = None);
    Ok(())
}

fn lease() -> bool {
    COUNTER.with_borrow_mut(|counter| {
        let now = now_ms();
        let free = counter.lease_until_ms <= now;
        if free {
            counter.lease_until_ms = now + LEASE_MS;
        }
        free
    })
}

async fn wait_for_lease() -> ApiResult<()> {
    for _ in 0..READ_ATTEMPTS_MAX {
        if lease() {
            return Ok(());
        }
        Delay::from(Duration::from_millis(5)).await;
    }
    Err(ApiError::new(
        503,
        "stats_busy",
        "the counts are being written; try again",
    ))
}

fn renew() {
    COUNTER.with_borrow_mut(|counter| counter.lease_until_ms = now_ms() + LEASE_MS);
}

fn release() {
    COUNTER.with_borrow_mut(|counter| counter.lease_until_ms = 0.0);
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
