//! Where a batch writes down what happens, second by second.
//!
//! Invariant: windows close in order, every second from the slice's start to its end has one, and a closed
//! window never changes.

use crate::check::CheckId;
use crate::error_class::ErrorClass;
use crate::metering::{Event, Happening, Meter, Sample};
use crate::metric::{Amount, MetricId};
use crate::parts::{Part, Parts};
use crate::phase::{Phase, PhaseSpan, phase_at};
use crate::plan::Plan;
use crate::socket::SessionWindow;
use crate::stream::StreamWindow;
use crate::tick::{Span, Tick};
use crate::vu::VuCarry;
use crate::window::{Outcome, ScenarioWindow, StepId, StepWindow, Window};
use crate::wire::{BatchEnd, Frame, WIRE_VERSION};

/// The open window, and the closed ones that have not been shipped.
#[derive(Debug)]
pub(super) struct Recorder {
    slice: u32,
    batch: u32,
    sequence: u32,
    phases: Vec<PhaseSpan>,
    closed: Vec<Window>,
    open: Window,
    meter: Meter,
    tells_parts: bool,
    tells_outcomes: bool,
}

/// When a request was due, was sent and ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) planned: Tick,
    pub(super) sent: Tick,
    pub(super) done: Tick,
}

/// A request that came to an end of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended<'a> {
    /// The scenario's place in the plan.
    pub(super) scenario: usize,
    pub(super) step: StepId,
    /// The status, if an answer came.
    pub(super) status: Option<u16>,
    /// What went wrong, if anything did.
    pub(super) class: Option<ErrorClass>,
    /// How long it took, as far as that says something about the target.
    pub(super) timing: Option<Timing>,
    /// The parts of that, if an answer came.
    pub(super) parts: Parts,
    pub(super) bytes_received: u64,
    /// The values of the user's variables.
    pub(super) variables: &'a [Option<String>],
}

impl Recorder {
    pub(super) fn new(slice: u32, batch: u32, plan: &Plan, from: Tick) -> Self {
        let phases = plan.phases();
        let open = Window::new(from.second(), phase_at(phases, from));
        Self {
            slice,
            batch,
            sequence: 0,
            phases: phases.to_vec(),
            closed: Vec::new(),
            open,
            meter: Meter::new(plan),
            tells_parts: false,
            tells_outcomes: false,
        }
    }

    /// From now on the driver tells the parts of each answer's time.
    pub(super) fn expect_parts(&mut self) {
        self.tells_parts = true;
    }

    /// From now on windows tell what came of requests by how they ended, too.
    pub(super) fn tell_outcomes(&mut self) {
        self.tells_outcomes = true;
    }

    /// Closes every window that ends at or before `now` and says whether a second has been completed, which
    /// is when it is time to ship.
    pub(super) fn roll(&mut self, now: Tick, active_users: u32) -> bool {
        let second = now.second();
        let completes = self.open.second < second;
        while self.open.second < second {
            let next = self.open.second + 1;
            self.replace_open(
                next,
                phase_at(&self.phases, Tick::from_second(next)),
                active_users,
            );
        }
        let phase = phase_at(&self.phases, now);
        if phase != self.open.phase {
            self.replace_open(second, phase, active_users);
        }
        completes
    }

    /// The point at which the open second ends.
    pub(super) fn closes_at(&self) -> Tick {
        Tick::from_second(self.open.second.saturating_add(1))
    }

    /// A frame with everything that is closed.
    pub(super) fn ship(&mut self) -> Frame {
        self.frame(Tick::from_second(self.open.second), None)
    }

    /// The last frame: closes the open window too.
    pub(super) fn finish(&mut self, end: BatchEnd, active_users: u32) -> Frame {
        self.tell(end.at, active_users, Vec::new(), Some(end))
    }

    /// A frame with everything up to now: closes the open window in the middle of its second.
    pub(super) fn tell(
        &mut self,
        at: Tick,
        active_users: u32,
        late: Vec<VuCarry>,
        end: Option<BatchEnd>,
    ) -> Frame {
        self.replace_open(self.open.second, self.open.phase, active_users);
        let mut frame = self.frame(at, end);
        frame.late = late;
        frame
    }

    /// The open window.
    pub(super) fn window(&mut self) -> &mut Window {
        &mut self.open
    }

    /// Writes down that an iteration began, this late.
    pub(super) fn iteration_began(&mut self, plan: &Plan, at: Tick, scenario: usize, late: Span) {
        self.scenario(scenario).started += 1;
        self.open.ledger.planned += 1;
        self.open.ledger.started += 1;
        self.lateness(plan, at, scenario, late);
    }

    /// Writes down how late something began that was due at a point of time.
    pub(super) fn lateness(&mut self, plan: &Plan, at: Tick, scenario: usize, late: Span) {
        self.open.lateness_us.record(late.as_us());
        if !self.meter.wants(Event::Late) {
            return;
        }
        let sample = Sample {
            wait: Some(late),
            ..Sample::default()
        };
        self.happened(plan, at, Event::Late, scenario, None, sample);
    }

    /// Writes down that an iteration ran to its end.
    pub(super) fn iteration_finished(
        &mut self,
        plan: &Plan,
        at: Tick,
        scenario: usize,
        application: u16,
        took: Span,
    ) {
        self.open.ledger.finished += 1;
        self.scenario(scenario).iteration_us.record(took.as_us());
        if !self.meter.wants(Event::Finished) {
            return;
        }
        let sample = Sample {
            count: 1,
            response: Some(took),
            ..Sample::default()
        };
        let application = Some(application);
        self.happened(plan, at, Event::Finished, scenario, application, sample);
    }

    /// Writes down that an iteration was ended before its end.
    pub(super) fn iteration_interrupted(
        &mut self,
        plan: &Plan,
        at: Tick,
        scenario: usize,
        application: u16,
    ) {
        self.open.ledger.interrupted += 1;
        let sample = Sample {
            count: 1,
            ..Sample::default()
        };
        let application = Some(application);
        self.happened(plan, at, Event::Interrupted, scenario, application, sample);
    }

    /// Writes down that iterations were due when no user was free.
    pub(super) fn iterations_dropped(
        &mut self,
        plan: &Plan,
        at: Tick,
        scenario: usize,
        count: u64,
    ) {
        self.scenario(scenario).dropped += count;
        self.open.ledger.planned += count;
        self.open.ledger.dropped += count;
        let sample = Sample {
            count,
            ..Sample::default()
        };
        self.happened(plan, at, Event::Dropped, scenario, None, sample);
    }

    /// Writes down that an iteration was due for which no row of data was left; it counts as dropped besides.
    pub(super) fn out_of_data(&mut self, scenario: usize) {
        self.scenario(scenario).out_of_data += 1;
    }

    /// Writes down that a request was handed to the network, after waiting for a connection slot.
    pub(super) fn request_sent(
        &mut self,
        plan: &Plan,
        at: Tick,
        (scenario, step): (usize, StepId),
        bytes: u64,
        waited: Span,
    ) {
        self.open.ledger.sent += 1;
        self.open.slot_wait_us.record(waited.as_us());
        let window = self.step(step);
        window.sent += 1;
        window.bytes_sent += bytes;
        if !self.meter.wants(Event::Sent) {
            return;
        }
        let sample = Sample {
            count: 1,
            wait: Some(waited),
            bytes,
            ..Sample::default()
        };
        let happening = Happening::of_request(Event::Sent, (scenario, step), sample);
        self.meter.record(plan, at, &happening);
    }

    /// Writes down that a request came to an end of its own, with an answer or without.
    pub(super) fn request_ended(&mut self, plan: &Plan, at: Tick, ended: &Ended<'_>) {
        let mut window = self.open.steps.entry(ended.step).or_default();
        if self.tells_outcomes {
            let Ended { status, class, .. } = *ended;
            window = window
                .outcomes
                .entry(Outcome { status, class })
                .or_default();
        }
        match ended.class {
            None => window.succeeded += 1,
            Some(class) => *window.errors.entry(class).or_insert(0) += 1,
        }
        window.bytes_received += ended.bytes_received;
        let took = |from: fn(&Timing) -> Tick| {
            let timing = ended.timing.as_ref();
            timing.map(|timing| timing.done.saturating_since(from(timing)))
        };
        let (response, service) = (took(|t| t.planned), took(|t| t.sent));
        if let (Some(response), Some(service)) = (response, service) {
            window.response_us.record(response.as_us());
            window.service_us.record(service.as_us());
        }
        // Where the parts are unknown, as those of an answer that never came, the whole is all there is.
        let parts = match (ended.parts.get(Part::Exchange), service) {
            (None, Some(service)) => ended.parts.with(Part::Exchange, service),
            _ => ended.parts,
        };
        let told = if self.tells_parts {
            &parts
        } else {
            &ended.parts
        };
        window.parts.record(told);
        if !self.meter.wants(Event::Ended) {
            return;
        }
        let sample = Sample {
            count: 1,
            failed: ended.class.is_some(),
            service,
            response,
            parts,
            bytes: ended.bytes_received,
            status: ended.status,
            variables: if ended.class.is_none() {
                ended.variables
            } else {
                &[]
            },
            ..Sample::default()
        };
        let happening = Happening {
            class: ended.class,
            ..Happening::of_request(Event::Ended, (ended.scenario, ended.step), sample)
        };
        self.meter.record(plan, at, &happening);
    }

    /// Counts what a check said.
    pub(super) fn checked(
        &mut self,
        plan: &Plan,
        at: Tick,
        (scenario, step): (usize, StepId),
        check: CheckId,
        passed: bool,
    ) {
        self.open.count_check(check, passed);
        if !self.meter.wants(Event::Checked) {
            return;
        }
        let sample = Sample {
            count: 1,
            failed: !passed,
            ..Sample::default()
        };
        let happening = Happening {
            check: Some(check),
            ..Happening::of_request(Event::Checked, (scenario, step), sample)
        };
        self.meter.record(plan, at, &happening);
    }

    /// Writes down that a request was given up.
    pub(super) fn request_cut_off(&mut self, plan: &Plan, at: Tick, scenario: usize, step: StepId) {
        self.open.ledger.cut_off += 1;
        let errors = &mut self.step(step).errors;
        *errors.entry(ErrorClass::CutOff).or_insert(0) += 1;
        let sample = Sample {
            count: 1,
            ..Sample::default()
        };
        let happening = Happening::of_request(Event::CutOff, (scenario, step), sample);
        self.meter.record(plan, at, &happening);
    }

    /// Writes down what happens to the stream of a request: in the window, and where else it is asked for.
    pub(super) fn streamed(
        &mut self,
        plan: &Plan,
        at: Tick,
        happening: &Happening<'_>,
        note: impl FnOnce(&mut StreamWindow),
    ) {
        if let Some(step) = happening.step {
            note(self.step(step).stream.get_or_insert_default());
        }
        self.meter.record(plan, at, happening);
    }

    /// Writes down what happens to a WebSocket, as [`Self::streamed`].
    pub(super) fn on_socket(
        &mut self,
        plan: &Plan,
        at: Tick,
        happening: &Happening<'_>,
        note: impl FnOnce(&mut SessionWindow),
    ) {
        if let Some(step) = happening.step {
            note(self.step(step).socket.get_or_insert_default());
        }
        self.meter.record(plan, at, happening);
    }

    /// Writes down what the target tells about itself.
    pub(super) fn monitored(&mut self, metric: MetricId, at: Tick, amount: Amount) {
        self.meter.record_untagged(metric, at, amount);
    }

    /// The open window's entry for a scenario, by its place in the plan, of which there are few.
    fn scenario(&mut self, place: usize) -> &mut ScenarioWindow {
        let place = u16::try_from(place).unwrap_or(u16::MAX);
        self.open.scenarios.entry(place).or_default()
    }

    /// The open window's entry for a step.
    fn step(&mut self, id: StepId) -> &mut StepWindow {
        self.open.steps.entry(id).or_default()
    }

    /// Records what the windows do not tell of an iteration.
    fn happened(
        &mut self,
        plan: &Plan,
        at: Tick,
        event: Event,
        scenario: usize,
        application: Option<u16>,
        sample: Sample<'_>,
    ) {
        let happening = Happening {
            application,
            ..Happening::of(event, scenario, sample)
        };
        self.meter.record(plan, at, &happening);
    }

    fn replace_open(&mut self, second: u32, phase: Phase, active_users: u32) {
        let mut window = std::mem::replace(&mut self.open, Window::new(second, phase));
        window.active_users = active_users;
        (window.metrics, window.samples_refused) = self.meter.take_window();
        if self.tells_outcomes {
            window.steps.values_mut().for_each(StepWindow::add_outcomes);
        }
        self.closed.push(window);
    }

    fn frame(&mut self, closed_through: Tick, end: Option<BatchEnd>) -> Frame {
        let sequence = self.sequence;
        self.sequence += 1;
        Frame {
            version: WIRE_VERSION,
            slice: self.slice,
            batch: self.batch,
            sequence,
            closed_through,
            windows: std::mem::take(&mut self.closed),
            late: Vec::new(),
            end,
        }
    }
}
