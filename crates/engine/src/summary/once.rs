//! What was played once, and what it means for the report of the run.

use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::plan::{Plan, RunPart};
use crate::run::{LedgerFault, OnceBook, OnceState};
use crate::summary::build::{Report, iso_8601, step_result};
use crate::summary::types::{RunStatus, StepResult};
use crate::totals::Aggregate;

/// The setup or the teardown of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OnceResult {
    /// What became of it.
    pub outcome: OnceOutcome,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When it began, in milliseconds since the run's start; 0 when it was not played.
    pub start_ms: u64,
    /// When it was over, in milliseconds since the run's start; 0 when it was not played. The load begins when
    /// the setup is over.
    pub end_ms: u64,
    /// Its iteration and its requests. The requests are in the run's ledger too, the iteration is not.
    pub ledger: Ledger,
    /// Its steps. They are in no other result, because what is judged is the load.
    pub steps: Vec<StepResult>,
}

/// What became of a setup or teardown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnceOutcome {
    /// Every request ended as its step expects.
    Succeeded,
    /// One did not, or it broke off.
    Failed,
    /// The run ended before, or its setup failed.
    NotPlayed,
}

impl Report {
    /// The report of the whole run, from that of its load, which began `offset_ms` after the run.
    pub(crate) fn with_played_once(
        mut self,
        plan: &Plan,
        (epoch_ms, offset_ms): (u64, u64),
        setup: Option<&OnceBook>,
        teardown: Option<&OnceBook>,
    ) -> Self {
        let parts = [(RunPart::Setup, setup), (RunPart::Teardown, teardown)];
        let mut end_ms = offset_ms.saturating_add(self.result.duration);
        for (part, book) in parts {
            let Some(book) = book else { continue };
            end_ms = end_ms.max(book.ended.as_ms());
            self.add_requests(&book.told.ledger);
            self.add_checks(plan, part, book);
        }
        self.result.setup = setup.map(|book| result(plan, RunPart::Setup, book));
        self.result.teardown = teardown.map(|book| result(plan, RunPart::Teardown, book));
        self.result.start_time = iso_8601(epoch_ms);
        self.result.end_time = iso_8601(epoch_ms.saturating_add(end_ms));
        self.result.duration = end_ms;
        if let Some(OnceState::Failed(why)) = teardown.map(|book| &book.state) {
            self.fail(why);
        }
        self
    }

    /// As in k6, a teardown that fails fails the run: what it should have removed is still there.
    fn fail(&mut self, why: &str) {
        let result = &mut self.result;
        result.passed = false;
        if result.status == RunStatus::Completed {
            result.status = RunStatus::Failed;
            result.failure = Some(format!("{why}; the load was played before"));
        } else {
            result.warnings.push(why.to_owned());
        }
    }

    fn add_requests(&mut self, ledger: &Ledger) {
        let result = &mut self.result;
        let balanced = result.ledger.imbalances().is_empty();
        result.ledger += ledger.requests();
        let imbalances = result.ledger.imbalances();
        for imbalance in imbalances.into_iter().filter(|_| balanced) {
            let fault = LedgerFault::Total { imbalance };
            result.passed = false;
            result.status = RunStatus::Failed;
            result.failure = Some(fault.to_string());
            result.ledger_faults.push(fault);
        }
    }

    fn add_checks(&mut self, plan: &Plan, part: RunPart, book: &OnceBook) {
        for (told, (application, _, check)) in self.result.checks.iter_mut().zip(plan.checks()) {
            let counts = book.told.checks.get(&check.id);
            if let (Some((passes, fails)), true) = (counts, application.name == part.name()) {
                told.passes += passes;
                told.fails += fails;
            }
        }
    }
}

fn result(plan: &Plan, part: RunPart, book: &OnceBook) -> OnceResult {
    let (outcome, failure) = match &book.state {
        OnceState::Waiting => (OnceOutcome::NotPlayed, None),
        OnceState::Succeeded => (OnceOutcome::Succeeded, None),
        OnceState::Failed(why) => (OnceOutcome::Failed, Some(why.clone())),
        // Not reached: a run ends when this is over.
        OnceState::Playing => (OnceOutcome::Failed, None),
    };
    let steps = plan.played_once(part).map(|(_, application)| application);
    let steps = steps.into_iter().flat_map(|application| {
        application.steps.iter().map(|step| {
            let told = book.told.steps.get(&step.id);
            step_result(&application.name, step, Aggregate::of(told.into_iter()))
        })
    });
    OnceResult {
        outcome,
        failure,
        start_ms: book.began.as_ms(),
        end_ms: book.ended.as_ms(),
        ledger: book.told.ledger,
        steps: steps.collect(),
    }
}
