//! Bringing the outbox to D1.
//!
//! Invariant: a transaction leaves the outbox only when D1 has confirmed it or said that it can never take it, in
//! order, and what is in it may be done twice.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};
use worker::{Delay, Env, Error, Result};

use crate::clock::now_ms;
use crate::coordinator::store::Store;
use crate::json::document;
use crate::limits::{D1_ANSWER_MS, D1_BATCH_MAX};
use crate::log;
use crate::retry::DatabaseTrouble;
use crate::store::{Database, Statement};

/// Brings the outbox to D1, with longer and longer waits when D1 does not answer.
#[derive(Clone, Debug)]
pub(super) struct Publisher {
    env: Env,
    store: Store,
    run: String,
    failures: Rc<Cell<u32>>,
    not_before_ms: Rc<Cell<u64>>,
    busy: Rc<Cell<bool>>,
    parcels_max: Rc<Cell<u32>>,
    refused: Rc<Cell<bool>>,
}

/// How the outbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outbox {
    /// Everything is in D1.
    Empty,
    /// Not everything; worth another try after this many milliseconds.
    Waiting(u64),
}

impl Publisher {
    /// A publisher of a run's outbox.
    pub(super) fn new(env: Env, store: Store, run: String) -> Self {
        Self {
            env,
            store,
            run,
            failures: Rc::default(),
            not_before_ms: Rc::default(),
            busy: Rc::default(),
            parcels_max: Rc::new(Cell::new(PARCELS_MAX)),
            refused: Rc::default(),
        }
    }

    /// Whether it is time for [`Self::deliver`].
    pub(super) fn is_due(&self) -> bool {
        !self.busy.get() && now_ms() >= self.not_before_ms.get()
    }

    /// Whether D1 has refused rows for good: somebody has deleted the run.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.get()
    }

    /// Waits for a delivery that is under way.
    pub(super) async fn wait_until_idle(&self) {
        while self.busy.get() {
            Delay::from(Duration::from_millis(20)).await;
        }
    }

    /// Delivers all that can be delivered now.
    pub(super) async fn deliver(&self) -> Outbox {
        self.busy.set(true);
        let outbox = self.deliver_all().await;
        self.busy.set(false);
        outbox
    }

    async fn deliver_all(&self) -> Outbox {
        loop {
            let error = match self.deliver_some().await {
                Ok(0) => {
                    self.failures.set(0);
                    return Outbox::Empty;
                }
                Ok(_) => continue,
                Err(error) => error,
            };
            let failures = self.failures.get().saturating_add(1);
            self.failures.set(failures);
            let wait = (500_u64 << failures.min(6)).min(RETRY_MS_MAX);
            self.not_before_ms.set(now_ms().saturating_add(wait));
            let details = document!({ "failures": failures, "error": log::brief(&error) });
            log::event("database_failed", &self.run, details);
            return Outbox::Waiting(wait);
        }
    }

    /// How many transactions have left the outbox.
    async fn deliver_some(&self) -> Result<usize> {
        let mut statements: Vec<Statement> = Vec::new();
        let (mut through, mut count) = (0, 0);
        for parcel in self.store.oldest(self.parcels_max.get())? {
            let full = statements.len() + parcel.statements.len() > D1_BATCH_MAX;
            if full && count > 0 {
                break;
            }
            through = parcel.id;
            count += 1;
            statements.extend(parcel.statements);
        }
        if count == 0 {
            return Ok(0);
        }
        let Err(error) = self.send(&statements).await else {
            self.parcels_max.set(PARCELS_MAX);
            self.store.delivered(through)?;
            return Ok(count);
        };
        let trouble = DatabaseTrouble::of(&error.to_string());
        if trouble == DatabaseTrouble::Passing {
            return Err(error);
        }
        if count > 1 {
            // Which of them it is shows one by one.
            self.parcels_max.set(1);
            return Ok(count);
        }
        if trouble == DatabaseTrouble::RunDeleted {
            self.refused.set(true);
        }
        log::event("rows_refused", &self.run, log::brief(&error).into());
        self.store.delivered(through)?;
        Ok(count)
    }

    async fn send(&self, statements: &[Statement]) -> Result<()> {
        let database = Database::of(&self.env)?;
        let answer = pin!(database.transaction(statements));
        match select(answer, Delay::from(Duration::from_millis(D1_ANSWER_MS))).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(Error::RustError("the database does not answer".to_owned())),
        }
    }
}

/// Transactions that are read from the outbox at once.
const PARCELS_MAX: u32 = 25;

/// The longest wait between two tries.
const RETRY_MS_MAX: u64 = 30_000;
