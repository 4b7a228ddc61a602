//! What is played once: the setup and the teardown.
//!
//! One batch plays it, from an assignment that is handed out a single time. Invariant: that it is handed out is
//! stored before it happens, so that it is never played twice; where it is not known what became of it, it has
//! failed and says so. Its ledger balances whatever happened.

use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::error_class::ErrorClass;
use crate::inbox::{Reception, STOP_PATIENCE};
use crate::phase::Phase;
use crate::plan::{Plan, RunPart};
use crate::run::slice::{Lines, Slice};
use crate::run::stored::SliceStarted;
use crate::run::types::{LossReason, RunConfig};
use crate::share::Share;
use crate::tick::Tick;
use crate::window::Window;
use crate::wire::{Assignment, BatchEnd, EndReason, WIRE_VERSION};

/// A setup or a teardown.
#[derive(Debug)]
pub(super) struct Once {
    part: RunPart,
    pub(super) book: OnceBook,
    live: Option<Slice>, // while its batch plays
    stopped_at: Option<Tick>,
}

/// What is known of a setup or a teardown. Ticks are on the run's own time line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OnceBook {
    pub(crate) state: OnceState,
    /// When it was handed out, in whole milliseconds.
    pub(crate) began: Tick,
    /// When it was over, in whole milliseconds, rounded up.
    pub(crate) ended: Tick,
    /// Everything that its batch has told, as one window.
    pub(crate) told: Window,
    /// What a setup hands over, in the order of [`Plan::handed_over`].
    pub(super) handed_over: Vec<Option<String>>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnceState {
    /// It has not been handed out.
    Waiting,
    /// It has been handed out.
    Playing,
    /// It was played, and every request ended as its step expects, every session without an error.
    Succeeded,
    /// It was not, for this reason.
    Failed(String),
}

impl Once {
    /// This part of the plan, `None` if it has none.
    pub(super) fn of(plan: &Plan, part: RunPart) -> Option<Self> {
        plan.played_once(part)?;
        let book = OnceBook {
            state: OnceState::Waiting,
            began: Tick::ZERO,
            ended: Tick::ZERO,
            told: Window::new(0, Phase::RampUp),
            handed_over: Vec::new(),
        };
        Some(Self::known(part, book))
    }

    /// A part of which this is known.
    pub(super) const fn known(part: RunPart, book: OnceBook) -> Self {
        Self {
            part,
            book,
            live: None,
            stopped_at: None,
        }
    }

    /// Whether it is over.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.book.state, OnceState::Succeeded | OnceState::Failed(_))
    }

    /// Hands it out.
    pub(super) fn begin(
        &mut self,
        now: Tick,
        plan: &Plan,
        config: &RunConfig,
        handed_over: Vec<Option<String>>,
    ) -> Option<Assignment> {
        let (share, slice) = (Share::new(0, 1)?, self.part.slice()?);
        self.book.state = OnceState::Playing;
        self.book.began = Tick::from_ms(now.as_ms());
        let until = Tick::ZERO + plan.time_limit(self.part);
        let started = SliceStarted {
            slice,
            from: Tick::ZERO,
            until,
            batches: vec![share.index()],
        };
        // Its batch has a line of its own, whatever the load has.
        let own_line = RunConfig {
            shards: Vec::new(),
            ..config.clone()
        };
        self.live = Some(Slice::new(&started, &own_line, Lines::new()));
        Some(Assignment {
            version: WIRE_VERSION,
            run: config.run.clone(),
            part: self.part,
            epoch_ms: config.epoch_ms.saturating_add(now.as_ms()),
            slice,
            share,
            from: Tick::ZERO,
            until,
            played_through: Tick::ZERO,
            carry: Vec::new(),
            away: Vec::new(),
            hands_over_after: None,
            begun: Vec::new(),
            handed_over,
            slots: config.slots,
        })
    }

    /// Takes in what its batch tells and answers whether something is known now that was not. A batch that stops
    /// without being asked has seen a sign that the run must not overlook: that is answered too.
    pub(super) fn receive(&mut self, now: Tick, bundle: Bundle, plan: &Plan) -> (bool, bool) {
        let at = self.own_time(now);
        let Some(slice) = &mut self.live else {
            return (false, false);
        };
        if slice.reception(&bundle, plan) != Reception::New {
            return (false, false);
        }
        let mut stopped = false;
        let ready = slice.take(at, bundle);
        let news = !ready.is_empty();
        for bundle in ready {
            for window in &bundle.windows {
                self.book.told.merge(window);
            }
            for end in bundle.news.into_iter().filter_map(|news| news.end) {
                stopped = end.reason == EndReason::Stopped;
                self.end(now, plan, end);
            }
        }
        (news, stopped)
    }

    /// Its batch is gone. Answers whether that is news.
    pub(super) fn lose(&mut self, now: Tick, reason: LossReason) -> bool {
        if self.book.state != OnceState::Playing {
            return false;
        }
        let ledger = &mut self.book.told.ledger;
        ledger.lost += ledger.iterations_open();
        ledger.cut_off += ledger.requests_open();
        ledger.messages.cut_off += ledger.messages.open();
        let why = match reason {
            LossReason::NotStarted => "could not be started",
            LossReason::CoordinatorRestarted => {
                "was not over when the load tester was restarted: what it has done is not known"
            }
            LossReason::StreamEnded
            | LossReason::ShardRestarted
            | LossReason::Overloaded
            | LossReason::Silent
            | LossReason::LeaseExpired
            | LossReason::Waited => "broke off: what it has done is not known",
        };
        self.close(now, Err(why.to_owned()));
        true
    }

    /// It is to stop, if it plays.
    pub(super) const fn stop(&mut self, now: Tick) {
        if self.live.is_some() && self.stopped_at.is_none() {
            self.stopped_at = Some(now);
        }
    }

    /// When its batch counts as lost if nothing is heard of it, [`Tick::NEVER`] unless it plays.
    pub(super) fn deadline(&self, plan: &Plan, config: &RunConfig) -> Tick {
        if self.live.is_none() {
            return Tick::NEVER;
        }
        let silent = self.book.began + plan.time_limit(self.part) + config.patience;
        let stopped = self.stopped_at.map(|at| at + STOP_PATIENCE);
        silent.min(stopped.unwrap_or(Tick::NEVER))
    }

    /// Its batch has told everything.
    fn end(&mut self, now: Tick, plan: &Plan, end: BatchEnd) {
        let result = self.verdict(plan, end.reason);
        if result.is_ok() {
            self.book.handed_over = end.handed_over;
            self.book.handed_over.truncate(plan.handed_over().len());
        }
        self.close(now, result);
    }

    fn verdict(&self, plan: &Plan, reason: EndReason) -> Result<(), String> {
        let told = &self.book.told;
        for (id, step) in &told.steps {
            let in_session = step.socket.iter().flat_map(|session| session.errors.keys());
            let mut errors = step.errors.keys().chain(in_session).copied();
            let class = errors.find(|class| *class != ErrorClass::CutOff);
            if let (Some(class), Some((_, step))) = (class, plan.step(*id)) {
                return Err(format!("step {:?} ended with {class}", step.name));
            }
        }
        if told.ledger.finished > 0 {
            return Ok(());
        }
        Err(match reason {
            EndReason::Stopped => "was stopped".to_owned(),
            EndReason::LeaseExpired => "lost its coordinator".to_owned(),
            EndReason::PlanDone | EndReason::SliceOver if told.ledger.dropped > 0 => {
                "found no row of data".to_owned()
            }
            EndReason::PlanDone | EndReason::SliceOver => {
                let limit = crate::duration::Written(plan.time_limit(self.part));
                format!("took longer than {limit}")
            }
        })
    }

    fn close(&mut self, now: Tick, result: Result<(), String>) {
        self.live = None;
        self.book.ended = Tick::from_ms(now.as_us().div_ceil(1_000)).max(self.book.began);
        self.book.state = match result {
            Ok(()) => OnceState::Succeeded,
            Err(why) => OnceState::Failed(format!("{} {why}", self.part.name())),
        };
    }

    /// The time line of its batch begins when it is handed out.
    fn own_time(&self, now: Tick) -> Tick {
        Tick::ZERO + now.saturating_since(self.book.began)
    }
}
