//! The state of a batch and its transitions.

use crate::batch::types::{Input, Output};
use crate::plan::Plan;
use crate::tick::Tick;
use crate::wire::Assignment;

/// One share of a plan's virtual users, playing one slice.
#[derive(Debug)]
pub struct Batch {
    plan: Plan,
}

impl Batch {
    /// A batch that will play `assignment`.
    #[must_use]
    pub fn new(plan: Plan, _assignment: Assignment) -> Self {
        Self { plan }
    }

    /// Takes in what happened at `now`.
    pub fn handle_input(&mut self, _now: Tick, _input: Input<'_>) {}

    /// What to do next. To be called until it answers [`Output::WakeAt`] or [`Output::Done`].
    #[must_use]
    pub fn poll_output(&mut self) -> Output {
        let _ = &self.plan;
        Output::Done
    }
}
