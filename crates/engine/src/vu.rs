//! The state of a virtual user that outlives a slice of the run.
//!
//! Invariant: a user that is handed over and continued behaves exactly as one that was never interrupted:
//! variables, position in the flow and random numbers all travel.

use serde::{Deserialize, Serialize};

use crate::cookie::Jar;
use crate::random::Random;
use crate::tick::{Span, Tick};
use crate::window::StepId;

/// The number of a virtual user, from 0, counted over all shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VuId(pub u32);

/// A virtual user between two slices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VuCarry {
    /// Which user.
    pub vu: VuId,
    /// How many iterations the user has begun.
    pub iterations: u32,
    /// When the user's next action is due; before the slice's start when it is overdue.
    pub due: Tick,
    /// The values of the plan's variables, in the plan's order; those that are as the setup has handed them over
    /// are left out.
    pub variables: Vec<Option<String>>,
    /// The user's cookies.
    #[serde(default, skip_serializing_if = "Jar::is_empty")]
    pub cookies: Jar,
    /// Present while the user is in the middle of an iteration.
    #[serde(default)]
    pub position: Option<Position>,
}

/// A virtual user that still waits for an answer in a slice that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Away {
    /// Which user.
    pub vu: VuId,
    /// How many iterations it has begun.
    pub iterations: u32,
    /// Whether it is in the middle of one.
    pub is_in_iteration: bool,
}

impl Away {
    /// The user as one that has forgotten everything but how many iterations it has begun.
    #[must_use]
    pub fn afresh(self) -> VuCarry {
        VuCarry {
            vu: self.vu,
            iterations: self.iterations,
            due: Tick::NEVER,
            variables: Vec::new(),
            cookies: Jar::default(),
            position: None,
        }
    }
}

/// Where in an iteration a virtual user is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Position {
    /// The application, by its place in the plan.
    pub application: u16,
    /// The variant of the application, by its place, if it has variants.
    #[serde(default)]
    pub variant: Option<u16>,
    /// The next operation, by its place in the application's program.
    pub next_op: u16,
    /// How many turns the loops around that place have left, the innermost last.
    pub loops: Vec<u32>,
    /// Until when the user thinks, if that is what it does.
    #[serde(default)]
    pub thinks_until: Option<Tick>,
    /// When the iteration was due to begin.
    pub began: Tick,
    /// Steps that are due but have not been sent yet, with the time they were due. The flow waits for their
    /// answers.
    pub pending: Vec<(StepId, Tick)>,
    /// Such steps whose answers the flow does not wait for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_background: Vec<(StepId, Tick)>,
    /// The rows of the plan's tables that belong to the iteration, by table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<u32>,
    /// Steps that repeat themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repetitions: Vec<Repetition>,
    /// How long the user waits after the iteration, if the iteration has decided that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Span>,
    /// Where the flow goes on behind the WebSocket that waits to be opened, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<Behind>,
    /// Where the flow goes on when that is open and has played its first messages, if it was open before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumption: Option<Resumption>,
    /// The random numbers of this iteration.
    pub random: Random,
}

/// Where a flow goes on when its WebSocket is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Behind {
    /// The operation, by its place in the application's program.
    pub next_op: u16,
    /// How many loops there are around the WebSocket.
    pub loops: u16,
}

/// Where a flow was when its WebSocket was closed at the end of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resumption {
    /// From which operation on it goes on there, by its place in the application's program: the one behind the
    /// messages with which its session begins.
    pub from: u16,
    /// The operation that was next.
    pub next_op: u16,
    /// How many turns the loops around that place have left, the innermost last.
    pub loops: Vec<u32>,
    /// Until when the user thinks, if that is what it did.
    #[serde(default)]
    pub thinks_until: Option<Tick>,
}

/// A step that repeats itself in the background of its iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Repetition {
    /// The step.
    pub step: StepId,
    /// When it was due for the first time.
    pub first: Tick,
    /// Which repetition is next, from 1.
    pub next: u32,
    /// When that is due.
    pub due: Tick,
}
