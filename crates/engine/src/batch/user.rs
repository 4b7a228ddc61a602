//! A virtual user of a batch.

use crate::batch::types::RequestId;
use crate::cookie::Jar;
use crate::plan::Plan;
use crate::random::Random;
use crate::tick::{Span, Tick};
use crate::vu::{Away, Behind, Position, Repetition, Resumption, VuCarry, VuId};
use crate::window::StepId;

/// The state of a virtual user.
///
/// | activity | in an iteration | means |
/// | --- | --- | --- |
/// | `Active` | no | waits for `due` to begin the next iteration |
/// | `Active` | yes | walks its flow |
/// | `Once` | yes | walks its flow for an arrival |
/// | `Stopping` | yes | finishes its iteration, at most until the given point |
/// | `Stopped` | no | does nothing until it is started again |
#[derive(Debug)]
pub(super) struct User {
    pub(super) vu: VuId,
    /// The scenario that it belongs to, by its place in the plan.
    pub(super) scenario: usize,
    pub(super) activity: Activity,
    /// Whether it still waits for an answer in an earlier slice: what becomes of it meanwhile only changes its activity.
    pub(super) is_away: bool,
    /// How many iterations it has begun.
    pub(super) iterations: u32,
    /// When its next iteration is due; only meaningful while it is active and in none.
    pub(super) due: Tick,
    pub(super) variables: Vec<Option<String>>,
    pub(super) cookies: Jar,
    pub(super) iteration: Option<Iteration>,
}

/// Whether a user goes on after its iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// It begins another one.
    Active,
    /// It plays one iteration for an arrival of the open model, and is free again then.
    Once,
    /// It begins no other one, and has until this point to finish.
    Stopping(Tick),
    /// It does nothing.
    Stopped,
}

/// A request that is due and has not been sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) step: StepId,
    pub(super) planned: Tick,
    /// Whether the flow goes on without waiting for its answer.
    pub(super) background: bool,
}

/// An iteration that has begun and not ended.
#[derive(Debug)]
pub(super) struct Iteration {
    pub(super) application: u16,
    pub(super) variant: Option<u16>,
    pub(super) next_op: u16,
    pub(super) loops: Vec<u32>,
    pub(super) thinks_until: Option<Tick>,
    /// When it was due to begin.
    pub(super) began: Tick,
    /// Requests that must be answered before the flow goes on.
    pub(super) awaited: u32,
    /// Requests in the background that must be sent before the iteration ends.
    pub(super) unsent: u32,
    /// Whether it has sent anything yet.
    pub(super) sent_any: bool,
    /// What few iterations have; there may be very many of them.
    pub(super) extras: Option<Box<Extras>>,
    pub(super) random: Random,
}

/// What iterations have of plans with data, with steps that repeat themselves, or with delays of actions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extras {
    /// Rows of the plan's tables, by table; empty when there are none.
    pub(super) rows: Vec<u32>,
    pub(super) repetitions: Vec<Repetition>,
    /// How long the user waits afterwards, if that is decided by the iteration.
    pub(super) pause: Option<Span>,
    /// The WebSocket that is open, or is being opened.
    pub(super) socket: Option<Held>,
    /// Where the flow goes on when that has been opened again.
    pub(super) resumption: Option<Resumption>,
}

/// The WebSocket of an iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Its name, when it is open.
    pub(super) id: Option<RequestId>,
    /// Where the flow goes on behind it.
    pub(super) behind: Behind,
}

impl Extras {
    /// Nothing if it is empty.
    pub(super) fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

impl Iteration {
    pub(super) fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// The steps that repeat themselves.
    pub(super) fn repetitions(&self) -> &[Repetition] {
        self.extras
            .as_ref()
            .map_or(&[], |extras| &extras.repetitions)
    }
}

impl User {
    /// A user who has done nothing yet.
    pub(super) fn new(vu: VuId, scenario: usize, variables: Vec<Option<String>>) -> Self {
        Self {
            vu,
            scenario,
            activity: Activity::Stopped,
            is_away: false,
            iterations: 0,
            due: Tick::NEVER,
            variables,
            cookies: Jar::default(),
            iteration: None,
        }
    }

    /// Takes over a user from the previous slice. Variables that the plan does not have are dropped, missing
    /// ones are those of a user who begins. Answers the requests that it still has to send.
    pub(super) fn from_carry(
        carry: VuCarry,
        scenario: usize,
        new: &[Option<String>],
    ) -> (Self, Vec<Waiting>) {
        let mut user = Self::new(carry.vu, scenario, new.to_vec());
        user.iterations = carry.iterations;
        user.due = carry.due;
        user.cookies = carry.cookies;
        for (own, carried) in user.variables.iter_mut().zip(carry.variables) {
            if carried.is_some() {
                *own = carried;
            }
        }
        let mut pending = Vec::new();
        user.iteration = carry.position.map(|position| {
            let waiting = |background| {
                move |(step, planned)| Waiting {
                    step,
                    planned,
                    background,
                }
            };
            // A flow passes steps in the background before the one that it waits for.
            let background = position.pending_background.into_iter().map(waiting(true));
            pending.extend(background);
            pending.extend(position.pending.into_iter().map(waiting(false)));
            Iteration {
                application: position.application,
                variant: position.variant,
                next_op: position.next_op,
                loops: position.loops,
                thinks_until: position.thinks_until,
                began: position.began,
                awaited: 0,
                unsent: 0,
                sent_any: true,
                extras: Extras::boxed(Extras {
                    rows: position.rows,
                    repetitions: position.repetitions,
                    pause: position.pause,
                    socket: position.socket.map(|behind| Held { id: None, behind }),
                    resumption: position.resumption,
                }),
                random: position.random,
            }
        });
        (user, pending)
    }

    /// Hands the user over to the next slice. What a user who begins knows too does not travel with each.
    pub(super) fn into_carry(mut self, waiting: &[Waiting], new: &[Option<String>]) -> VuCarry {
        for (own, new) in self.variables.iter_mut().zip(new) {
            if own == new {
                *own = None;
            }
        }
        let due = |background| {
            let waiting = waiting.iter().filter(|w| w.background == background);
            waiting.map(|w| (w.step, w.planned)).collect()
        };
        VuCarry {
            vu: self.vu,
            iterations: self.iterations,
            due: self.due,
            variables: self.variables,
            cookies: self.cookies,
            position: self.iteration.map(|iteration| {
                let extras = iteration.extras.map(|extras| *extras).unwrap_or_default();
                Position {
                    application: iteration.application,
                    variant: iteration.variant,
                    next_op: iteration.next_op,
                    loops: iteration.loops,
                    thinks_until: iteration.thinks_until,
                    began: iteration.began,
                    pending: due(false),
                    pending_background: due(true),
                    rows: extras.rows,
                    repetitions: extras.repetitions,
                    pause: extras.pause,
                    socket: extras.socket.map(|held| held.behind),
                    resumption: extras.resumption,
                    random: iteration.random,
                }
            }),
        }
    }

    /// Whether the user counts as active in the results: it sends requests, or will without being started.
    pub(super) fn is_active(&self) -> bool {
        (self.activity == Activity::Active && !self.is_away) || self.iteration.is_some()
    }

    /// What whoever goes on with the share has to know of it as long as it waits for an answer.
    pub(super) fn away(&self) -> Away {
        Away {
            vu: self.vu,
            iterations: self.iterations,
            is_in_iteration: self.iteration.is_some(),
        }
    }
}

/// What the user of a setup has extracted for the others.
pub(super) fn handed_over(plan: &Plan, users: &[User]) -> Vec<Option<String>> {
    let variables = users.first().map_or(&[][..], |user| &user.variables);
    let ids = plan.handed_over().iter();
    ids.map(|id| variables.get(usize::from(id.0)).cloned().flatten())
        .collect()
}
