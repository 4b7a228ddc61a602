//! A run from its setup to its teardown.
//!
//! The order is k6's (`Scheduler.Run` in its `execution/scheduler.go`): the setup comes first, and when it fails,
//! no load is sent and no teardown is played. After a setup that succeeded the teardown is played whatever became
//! of the load, also when it was cancelled or a threshold has aborted it; it cannot be cancelled itself, but its
//! time is limited. A teardown that fails fails the run.
//!
//! Invariant: the load's time line begins when the setup is over, and only this module knows both that one and
//! the run's own: what comes in is translated to the load's, what goes out to the run's.

use std::collections::VecDeque;

use crate::ledger::Ledger;
use crate::plan::{Plan, RunPart};
use crate::run::live::LiveReport;
use crate::run::machine::Load;
use crate::run::once::{Once, OnceState};
use crate::run::stored::{CHECKPOINT_VERSION, OnceRecord, Record, RestoreError, Restored, Stored};
use crate::run::types::{Input, LossReason, Output, Progress, RunConfig, StopReason};
use crate::summary::Report;
use crate::threshold::Outcome;
use crate::tick::{Span, Tick};

/// A whole run: plays a plan's setup, its load through slices and batches, and its teardown, and judges the load.
#[derive(Debug)]
pub struct Run {
    config: RunConfig,
    now: Tick,
    stage: Stage,
    setup: Option<Once>,
    load: Load,
    teardown: Option<Once>,
    outputs: VecDeque<Output>, // to be done before those of the load
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Setup,
    Load,
    Teardown,
    Over,
}

impl Run {
    /// A run that will play `plan`. The first [`Input::Wake`] starts it.
    #[must_use]
    pub fn new(plan: Plan, config: RunConfig) -> Self {
        let setup = Once::of(&plan, RunPart::Setup);
        Self {
            now: Tick::ZERO,
            stage: if setup.is_some() {
                Stage::Setup
            } else {
                Stage::Load
            },
            setup,
            teardown: Once::of(&plan, RunPart::Teardown),
            load: Load::new(plan, config.clone()),
            config,
            outputs: VecDeque::new(),
        }
    }

    /// A run that goes on at `now` from what an earlier one stored, whatever it was doing. The batches of the
    /// slice that was played count as lost; the time until the next slice is a hole. The plan's time did not
    /// stop meanwhile: if its end has passed, the run finishes. A setup or teardown that had been handed out and
    /// was not over has failed, because nobody can know what it has done. To be followed by
    /// [`Run::poll_output`] as after an input. `plan` and `config` have to be those that the run began with.
    ///
    /// # Errors
    /// When the records are not those of a run, are incomplete, or come from another version of this code.
    pub fn restore(
        plan: Plan,
        config: RunConfig,
        records: impl IntoIterator<Item = Record>,
        now: Tick,
    ) -> Result<Self, RestoreError> {
        let mut restored = Restored::read(records)?;
        let mut run = Self::new(plan, config);
        run.now = now;
        if let Some(OnceRecord {
            setup, teardown, ..
        }) = restored.once.take()
        {
            run.setup = setup.map(|book| Once::known(RunPart::Setup, book));
            run.teardown = teardown.map(|book| Once::known(RunPart::Teardown, book));
        }
        let mut lost = false;
        for once in [&mut run.setup, &mut run.teardown].into_iter().flatten() {
            lost |= once.lose(now, LossReason::CoordinatorRestarted);
        }
        if lost {
            run.persist_once();
        }
        let begun = run.setup_succeeded() || restored.has_begun();
        if !begun && run.setup.as_ref().is_some_and(|setup| !setup.is_over()) {
            return Ok(run);
        }
        run.stage = Stage::Load;
        let load_now = if run.setup.is_none() || run.setup_succeeded() {
            run.to_load(now)
        } else {
            Tick::ZERO // the load never begins
        };
        let config = run.load_config();
        run.load = Load::restore(run.load.plan, config, restored, load_now);
        run.end_without_load();
        Ok(run)
    }

    /// Takes in what happened at `now`. Time never runs backwards: an earlier `now` counts as the latest one.
    pub fn handle_input(&mut self, now: Tick, input: Input) {
        self.now = self.now.max(now);
        if let Some(part) = part_of(&input) {
            if self.stage.plays() == Some(part) {
                self.handle_once(part, input);
            }
            return;
        }
        match (self.stage, input) {
            (Stage::Setup, Input::Stop(reason)) => self.stop_setup(reason),
            (Stage::Setup, Input::Wake) => self.wake_once(RunPart::Setup),
            (Stage::Teardown, Input::Wake) => self.wake_once(RunPart::Teardown),
            (Stage::Load, input) => {
                let now = self.to_load(self.now);
                self.load.handle_input(now, input);
            }
            (Stage::Setup | Stage::Teardown | Stage::Over, _) => {}
        }
    }

    /// What to do next. To be called until it answers [`Output::WakeAt`] or [`Output::Done`].
    #[must_use]
    pub fn poll_output(&mut self) -> Output {
        loop {
            let next = self.outputs.pop_front();
            match next.or_else(|| self.load.outputs.pop_front()) {
                Some(Output::Assign(mut assignment)) => {
                    if assignment.part == RunPart::Load {
                        assignment.handed_over = self.handed_over();
                    }
                    return Output::Assign(assignment);
                }
                Some(Output::AssignShard(mut order)) => {
                    for batch in &mut order.batches {
                        batch.assignment.handed_over = self.handed_over();
                    }
                    return Output::AssignShard(order);
                }
                Some(output) => return output,
                None => {}
            }
            match self.stage {
                Stage::Load if self.load.is_finished() => self.end_load(),
                Stage::Load | Stage::Over => {
                    return match self.load.poll_output() {
                        Output::WakeAt(at) => Output::WakeAt(at + self.offset()),
                        Output::Done(report) => Output::Done(Box::new(self.complete(*report))),
                        output => output,
                    };
                }
                Stage::Setup => return Output::WakeAt(self.deadline(self.setup.as_ref())),
                Stage::Teardown => return Output::WakeAt(self.deadline(self.teardown.as_ref())),
            }
        }
    }

    /// What is known so far.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let mut progress = self.load.progress();
        progress.finished = self.stage == Stage::Over;
        progress.batches_live += u32::from(self.stage.plays().is_some());
        progress.requests_sent += self.requests_played_once().sent;
        progress
    }

    /// A look at the run; `measured` asks also for what costs more to find out.
    #[must_use]
    pub fn live(&self, measured: bool) -> LiveReport {
        let mut report = self.load.live(measured);
        report.progress = self.progress();
        report.ledger += self.requests_played_once();
        report
    }

    /// What becomes of the requirements of the plan as far as it is known, in the order of
    /// [`Metering::requirements`](crate::metering::Metering::requirements).
    #[must_use]
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.load.outcomes()
    }

    /// The plan that is played.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.load.plan
    }

    /// How the plan is spread.
    #[must_use]
    pub const fn config(&self) -> &RunConfig {
        &self.config
    }

    /// Something happened to the batch that plays this part.
    fn handle_once(&mut self, part: RunPart, input: Input) {
        let now = self.now;
        let once = match part {
            RunPart::Setup => &mut self.setup,
            RunPart::Load => return,
            RunPart::Teardown => &mut self.teardown,
        };
        let Some(once) = once else {
            return;
        };
        let (news, stopped) = match input {
            Input::Bundle(bundle) => once.receive(now, bundle, &self.load.plan),
            Input::LineLost { reason, .. } => (once.lose(now, reason), false),
            Input::Wake | Input::Stop(_) => return,
        };
        if stopped && part == RunPart::Setup {
            self.load
                .handle_input(Tick::ZERO, Input::Stop(StopReason::Cancelled));
        }
        if news {
            self.persist_once();
            self.go_on();
        }
    }

    /// Begins what waits, and gives up on what has been silent for too long.
    fn wake_once(&mut self, part: RunPart) {
        let handed_over = self.handed_over();
        let (plan, config, now) = (&self.load.plan, &self.config, self.now);
        let once = match part {
            RunPart::Setup => self.setup.as_mut(),
            RunPart::Load => None,
            RunPart::Teardown => self.teardown.as_mut(),
        };
        let Some(once) = once else {
            return;
        };
        if once.book.state == OnceState::Waiting {
            let assignment = once.begin(now, plan, config, handed_over);
            self.persist_once();
            self.outputs
                .extend(assignment.map(|assignment| Output::Assign(Box::new(assignment))));
        } else if once.deadline(plan, config) <= now && once.lose(now, LossReason::Silent) {
            self.outputs.extend(stop_line(part));
            self.persist_once();
            self.go_on();
        }
    }

    /// Cancels the run before there is any load.
    fn stop_setup(&mut self, reason: StopReason) {
        self.load.handle_input(Tick::ZERO, Input::Stop(reason));
        let Some(setup) = &mut self.setup else {
            return;
        };
        if setup.book.state == OnceState::Waiting {
            self.stage = Stage::Load;
            return;
        }
        setup.stop(self.now);
        self.load.outputs.extend(stop_line(RunPart::Setup));
    }

    /// Goes on when what is played once is over.
    fn go_on(&mut self) {
        match self.stage {
            Stage::Setup if self.setup.as_ref().is_some_and(Once::is_over) => {
                self.stage = Stage::Load;
                self.load.config = self.load_config();
                self.end_without_load();
                let now = self.to_load(self.now);
                self.load.handle_input(now, Input::Wake);
            }
            Stage::Teardown if self.teardown.as_ref().is_some_and(Once::is_over) => {
                self.stage = Stage::Over;
            }
            Stage::Setup | Stage::Load | Stage::Teardown | Stage::Over => {}
        }
    }

    /// Fails a run whose setup has failed, unless it was stopped anyway.
    fn end_without_load(&mut self) {
        let state = self.setup.as_ref().map(|setup| &setup.book.state);
        if let Some(OnceState::Failed(why)) = state {
            let stop = Input::Stop(StopReason::Failed(why.clone()));
            self.load.handle_input(Tick::ZERO, stop);
        }
    }

    /// The load is over: now the teardown, if there is one and the setup has not failed.
    fn end_load(&mut self) {
        let teardown = self.teardown.as_ref();
        let is_due = teardown.is_some_and(|teardown| !teardown.is_over());
        if is_due && (self.setup.is_none() || self.setup_succeeded()) {
            self.stage = Stage::Teardown;
            self.wake_once(RunPart::Teardown);
        } else {
            self.stage = Stage::Over;
        }
    }

    /// The requests of setup and teardown. Their iterations are not the plan's.
    fn requests_played_once(&self) -> Ledger {
        let mut sum = Ledger::default();
        for once in [&self.setup, &self.teardown].into_iter().flatten() {
            sum += once.book.told.ledger.requests();
        }
        sum
    }

    fn setup_succeeded(&self) -> bool {
        let setup = self.setup.as_ref();
        setup.is_some_and(|setup| setup.book.state == OnceState::Succeeded)
    }

    fn handed_over(&self) -> Vec<Option<String>> {
        let setup = self.setup.as_ref();
        setup.map_or_else(Vec::new, |setup| setup.book.handed_over.clone())
    }

    fn persist_once(&mut self) {
        let book = |once: &Option<Once>| once.as_ref().map(|once| once.book.clone());
        let record = OnceRecord {
            version: CHECKPOINT_VERSION,
            setup: book(&self.setup),
            teardown: book(&self.teardown),
        };
        self.outputs
            .push_back(Output::Persist(Stored::Once(Box::new(record))));
    }

    /// When the next wake is needed for what is played once.
    fn deadline(&self, once: Option<&Once>) -> Tick {
        match once {
            Some(once) if once.book.state != OnceState::Waiting => {
                once.deadline(&self.load.plan, &self.config)
            }
            _ => Tick::ZERO,
        }
    }

    /// How long after the run the load begins: when the setup is over, in whole milliseconds.
    fn offset(&self) -> Span {
        let setup = self.setup.as_ref().filter(|_| self.setup_succeeded());
        setup.map_or(Span::ZERO, |setup| {
            setup.book.ended.saturating_since(Tick::ZERO)
        })
    }

    fn to_load(&self, now: Tick) -> Tick {
        Tick::ZERO + now.saturating_since(Tick::ZERO + self.offset())
    }

    fn load_config(&self) -> RunConfig {
        let mut config = self.config.clone();
        let offset_ms = self.offset().as_us() / 1_000;
        config.epoch_ms = config.epoch_ms.saturating_add(offset_ms);
        config
    }

    /// The load's report as that of the whole run.
    fn complete(&self, report: Report) -> Report {
        let book = |once: &Option<Once>| once.as_ref().map(|once| once.book.clone());
        let offset_ms = self.offset().as_us() / 1_000;
        report.with_played_once(
            &self.load.plan,
            (self.config.epoch_ms, offset_ms),
            book(&self.setup).as_ref(),
            book(&self.teardown).as_ref(),
        )
    }
}

impl Stage {
    /// What is played once in this stage.
    const fn plays(self) -> Option<RunPart> {
        match self {
            Self::Setup => Some(RunPart::Setup),
            Self::Teardown => Some(RunPart::Teardown),
            Self::Load | Self::Over => None,
        }
    }
}

/// What is played once, if the input is about its batch.
fn part_of(input: &Input) -> Option<RunPart> {
    let about = match input {
        Input::Bundle(bundle) => bundle.slice,
        Input::LineLost { slice, .. } => *slice,
        Input::Wake | Input::Stop(_) => return None,
    };
    RunPart::of_slice(about)
}

fn stop_line(part: RunPart) -> Option<Output> {
    let slice = part.slice()?;
    Some(Output::StopLine { slice, line: 0 })
}
