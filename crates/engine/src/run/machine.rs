//! The state of a run's load, and how inputs and the passing of time change it.
//!
//! All ticks here are on the load's time line, which begins when the setup is over.

use std::collections::VecDeque;

use crate::plan::Plan;
use crate::run::book::Book;
use crate::run::judging::Judging;
use crate::run::slice::{LineId, Lines, Slice, seconds_closed};
use crate::run::stored::{SliceStarted, Stop, Stored};
use crate::run::types::{Input, LossReason, Output, Progress, RunConfig, StopReason};
use crate::threshold::Outcome;
use crate::tick::{Span, Tick};
use crate::timeline::TimelineRow;

/// A slice shorter than this would cost more in starting batches than it plays.
const SLICE_MIN: Span = Span::from_secs(1);

/// After how many slices in which no batch could be started a run that has never measured anything gives up.
/// With the waits in between that is 15 seconds.
const FRUITLESS_SLICES_MAX: u32 = 5;

/// The longest wait before another attempt to start batches.
const RETRY_WAIT_MAX: Span = Span::from_secs(8);

/// The longest text of a [`StopReason`] that is kept, in characters.
const STOP_TEXT_MAX: usize = 500;

/// The load of a run: plays a plan through slices and batches, and judges it.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) plan: Plan,
    pub(super) config: RunConfig,
    pub(super) now: Tick,
    pub(super) state: State,
    pub(super) stop: Option<Stop>,
    pub(super) book: Book,
    pub(super) judging: Judging,
    pub(super) outputs: VecDeque<Output>,
    /// Where batches of the last slice linger while none is played.
    pub(super) lingering: Lines,
}

#[derive(Debug)]
pub(super) enum State {
    New,
    Playing(Slice),
    /// Nothing plays until this point.
    Waiting(Tick),
    Finished,
}

impl Load {
    /// A load that will be played. The first [`Input::Wake`] starts it.
    pub(super) fn new(plan: Plan, config: RunConfig) -> Self {
        let book = Book::new(config.batches.max(1));
        let judging = Judging::new(&plan);
        Self {
            plan,
            config,
            now: Tick::ZERO,
            state: State::New,
            stop: None,
            book,
            judging,
            outputs: VecDeque::new(),
            lingering: Lines::new(),
        }
    }

    /// Takes in what happened at `now`. Time never runs backwards: an earlier `now` counts as the latest one.
    pub(super) fn handle_input(&mut self, now: Tick, input: Input) {
        self.now = self.now.max(now);
        if matches!(self.state, State::Finished) {
            return;
        }
        match input {
            // Only here, so that a driver that was held up can first deliver the frames that came meanwhile.
            Input::Wake => self.lose_silent(),
            Input::Bundle(bundle) => self.receive(bundle),
            Input::LineLost {
                slice,
                line,
                reason,
            } => {
                self.lose((slice, line), reason);
            }
            Input::Stop(reason) => self.ask_to_stop(reason),
        }
        self.advance();
    }

    /// What to do next. To be called until it answers [`Output::WakeAt`] or [`Output::Done`].
    pub(super) fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        match &self.state {
            State::New => Output::WakeAt(Tick::ZERO),
            State::Waiting(until) => Output::WakeAt(*until),
            State::Playing(slice) => {
                let deadlines = self.deadlines(slice).map(|(_, deadline)| deadline);
                Output::WakeAt(deadlines.min().unwrap_or(self.now))
            }
            State::Finished => Output::Done(Box::new(self.report())),
        }
    }

    /// What is known so far.
    pub(super) fn progress(&self) -> Progress {
        let ledger = self.book.ledger();
        let live = match &self.state {
            State::Playing(slice) => slice.batches_live(),
            _ => 0,
        };
        Progress {
            finished: matches!(self.state, State::Finished),
            stopping: self.stop.is_some(),
            slice: self.book.slices.saturating_sub(1),
            batches_live: u32::try_from(live).unwrap_or(u32::MAX),
            seconds_published: self.book.seconds_published(),
            requests_sent: ledger.sent,
            iterations_started: ledger.started,
            holes: self.book.holes_total,
        }
    }

    /// What becomes of the requirements of the plan as far as it is known, in the order of
    /// [`Metering::requirements`](crate::metering::Metering::requirements).
    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        let ended = matches!(self.state, State::Finished);
        let published = Tick::from_second(self.book.seconds_published());
        self.judging.outcomes(if ended {
            self.book.ended_at()
        } else {
            published
        })
    }

    /// Whether everything is played and judged.
    pub(super) const fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished)
    }

    /// Brings the run as far as it can go at this time.
    pub(super) fn advance(&mut self) {
        if let State::Playing(slice) = &self.state {
            let goes_on = slice.goes_on();
            if let Some(horizon) = slice.seconds_closed() {
                self.publish(horizon);
                // What is published may have stopped the run, and a run that ends waits for whoever lingers.
                if goes_on || self.is_over() {
                    return;
                }
            }
            self.end_slice();
        }
        self.state_pauses();
        match self.state {
            State::Finished => {}
            _ if self.is_over() => self.finish(),
            State::Waiting(until) if until > self.now => {}
            State::New | State::Playing(_) | State::Waiting(_) => {
                // Before the slice closes any hole: an open one is known to cover all seconds up to now.
                self.publish(self.horizon());
                if self.is_over() {
                    self.finish();
                } else {
                    self.start_slice();
                }
            }
        }
    }

    /// States a hole for each share that has paused too long between two slices, or before the first.
    fn state_pauses(&mut self) {
        if !matches!(self.state, State::Finished) {
            let reason = self.pause_reason();
            self.book.open_holes(self.pause_end(), reason);
        }
    }

    pub(super) fn pause_reason(&self) -> LossReason {
        if self.book.slices() == 0 {
            LossReason::NotStarted
        } else {
            LossReason::Waited
        }
    }

    /// Until when a share that plays nothing should have played: now, unless the plan or a stop came first.
    pub(super) fn pause_end(&self) -> Tick {
        self.now.min(self.load_ends())
    }

    /// From when on no share has to be played: the plan's end, or a stop before it.
    pub(super) fn load_ends(&self) -> Tick {
        let stopped_at = self.stop.as_ref().map_or(Tick::NEVER, |stop| stop.at);
        self.plan_end().min(stopped_at)
    }

    /// The lines on which batches play, and when each counts as silent.
    pub(super) fn deadlines(&self, slice: &Slice) -> impl Iterator<Item = (LineId, Tick)> {
        let stopped_at = self.stop.as_ref().map(|stop| stop.at);
        slice.deadlines(&self.config, &self.plan, stopped_at)
    }

    pub(super) fn ask_to_stop(&mut self, reason: StopReason) {
        if self.stop.is_some() {
            return;
        }
        let reason = match reason {
            StopReason::Cancelled | StopReason::ThresholdCrossed => reason,
            StopReason::Stopped(why) => StopReason::Stopped(shortened(&why)),
            StopReason::Failed(why) => StopReason::Failed(shortened(&why)),
        };
        let stop = Stop {
            reason,
            at: self.now,
        };
        self.outputs
            .push_back(Output::Persist(Stored::Stop(stop.clone())));
        self.stop = Some(stop);
        if let State::Playing(slice) = &self.state {
            let open = slice.lines_open();
            let stops = open.map(|(slice, line)| Output::StopLine { slice, line });
            self.outputs.extend(stops);
        }
    }

    /// Closes the books of a slice in which no batch plays any more.
    fn end_slice(&mut self) {
        let State::Playing(slice) = &self.state else {
            return;
        };
        self.book.slices_fruitless = if slice.fruitful {
            0
        } else {
            self.book.slices_fruitless.saturating_add(1)
        };
        let wait = match self.book.slices_fruitless {
            0 => Span::ZERO,
            attempts => Span::from_secs(1 << (attempts - 1).min(16)).min(RETRY_WAIT_MAX),
        };
        let state = std::mem::replace(&mut self.state, State::Waiting(self.now + wait));
        if let State::Playing(slice) = state {
            self.lingering = slice.into_lingering();
        }
        // The rest of a run that is over is published when it is finished, and judged as of its end, however
        // late its last frame came.
        if !self.is_over() {
            self.publish(self.horizon());
            self.checkpoint(false);
        }
    }

    /// Where the next slice starts, at the earliest: now, but never before something that was already told,
    /// even if the clock of a batch is ahead.
    fn next_start(&self) -> Tick {
        self.now
            .max(self.book.ended_at)
            .max(Tick::from_second(self.book.seconds_published()))
    }

    /// Before which second nothing more can come: a batch that lingers goes on telling.
    fn horizon(&self) -> u32 {
        let next = self.next_start().second();
        seconds_closed(&self.lingering).map_or(next, |closed| closed.min(next))
    }

    /// Whether nothing is left to play.
    fn is_over(&self) -> bool {
        let never_started = self.book.frames_merged == 0;
        let gives_up = never_started && self.book.slices_fruitless >= FRUITLESS_SLICES_MAX;
        self.stop.is_some() || gives_up || self.shares_to_play(self.next_start()).is_empty()
    }

    /// The batches that still have something to play at `from`. After the plan's end no iteration starts, so
    /// that only users in the middle of one go on.
    fn shares_to_play(&self, from: Tick) -> Vec<u32> {
        let ended = from >= self.plan_end();
        if from >= self.plan_end() + self.plan.graceful_stop {
            return Vec::new();
        }
        let shares = (0_u32..).zip(&self.book.shares);
        let wanted = shares.filter(|(_, share)| !share.done && (!ended || share.is_in_iteration()));
        wanted.map(|(batch, _)| batch).collect()
    }

    fn start_slice(&mut self) {
        let from = self.next_start();
        let last = self.plan_end() + self.plan.graceful_stop;
        let until = from + self.config.slice.max(SLICE_MIN);
        let started = SliceStarted {
            slice: self.book.slices,
            from,
            // What is due at the plan's very end belongs to the slice before it.
            until: if until >= self.plan_end() {
                last
            } else {
                until
            },
            batches: self.shares_to_play(from),
        };
        self.book.slices = self.book.slices.saturating_add(1);
        self.outputs
            .push_back(Output::Persist(Stored::SliceStarted(started.clone())));
        let assigned = self.assign(&started);
        self.outputs.extend(assigned);
        for batch in &started.batches {
            self.book.begin_batch(*batch, from.min(self.plan_end()));
        }
        let lingering = std::mem::take(&mut self.lingering);
        self.state = State::Playing(Slice::new(&started, &self.config, lingering));
    }

    /// Publishes and judges the seconds before `horizon`.
    pub(super) fn publish(&mut self, horizon: u32) {
        let load_ends = self.load_ends();
        let rows = self.book.publish(
            horizon,
            &self.plan,
            self.config.epoch_ms,
            load_ends,
            &mut self.judging,
        );
        self.push_rows(rows);
        let closed = Tick::from_second(self.book.seconds_published());
        if self.judging.advance(closed).is_some() {
            self.ask_to_stop(StopReason::ThresholdCrossed);
        }
    }

    pub(super) fn push_rows(&mut self, rows: Vec<TimelineRow>) {
        if !rows.is_empty() {
            self.outputs.push_back(Output::Publish(rows));
        }
    }

    /// The planned end, without the grace after it.
    pub(super) fn plan_end(&self) -> Tick {
        Tick::ZERO + self.plan.duration()
    }
}

/// What is kept of a reason's text.
fn shortened(why: &str) -> String {
    why.chars().take(STOP_TEXT_MAX).collect()
}
