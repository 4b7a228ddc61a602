//! Where a batch writes down what happens, second by second.
//!
//! Invariant: windows close in order, every second from the slice's start to its end has one, and a closed
//! window never changes.

use crate::error_class::ErrorClass;
use crate::phase::{Phase, PhaseSpan, phase_at};
use crate::tick::{Span, Tick};
use crate::window::{ScenarioWindow, StepId, StepWindow, Window};
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
}

/// When a request was due, was sent and ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) planned: Tick,
    pub(super) sent: Tick,
    pub(super) done: Tick,
}

impl Recorder {
    pub(super) fn new(slice: u32, batch: u32, phases: &[PhaseSpan], from: Tick) -> Self {
        let open = Window::new(from.second(), phase_at(phases, from));
        Self {
            slice,
            batch,
            sequence: 0,
            phases: phases.to_vec(),
            closed: Vec::new(),
            open,
        }
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
        let at = end.at;
        self.replace_open(self.open.second, self.open.phase, active_users);
        self.frame(at, Some(end))
    }

    /// The open window.
    pub(super) fn window(&mut self) -> &mut Window {
        &mut self.open
    }

    /// The open window's entry for a scenario, by its place in the plan, of which there are few.
    pub(super) fn scenario(&mut self, place: usize) -> &mut ScenarioWindow {
        let place = u16::try_from(place).unwrap_or(u16::MAX);
        self.open.scenarios.entry(place).or_default()
    }

    /// The open window's entry for a step.
    pub(super) fn step(&mut self, id: StepId) -> &mut StepWindow {
        self.open.steps.entry(id).or_default()
    }

    /// Writes down how long a request took, from its planned start and from its sending.
    pub(super) fn latency(&mut self, id: StepId, timing: Timing) {
        let step = self.step(id);
        step.response_us
            .record(timing.done.saturating_since(timing.planned).as_us());
        step.service_us
            .record(timing.done.saturating_since(timing.sent).as_us());
    }

    /// Counts a request that ended as an error.
    pub(super) fn error(&mut self, id: StepId, class: ErrorClass) {
        *self.step(id).errors.entry(class).or_insert(0) += 1;
    }

    /// Writes down how late an iteration began.
    pub(super) fn lateness(&mut self, late: Span) {
        self.open.lateness_us.record(late.as_us());
    }

    fn replace_open(&mut self, second: u32, phase: Phase, active_users: u32) {
        let mut window = std::mem::replace(&mut self.open, Window::new(second, phase));
        window.active_users = active_users;
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
            end,
        }
    }
}
