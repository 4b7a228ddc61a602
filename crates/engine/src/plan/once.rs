//! The parts of a run: the setup, the load, the teardown.
//!
//! Invariant: what is played once is the plan of one user with one iteration, so that the machine that plays the
//! load plays it too, with the same measuring and the same ledger.

use serde::{Deserialize, Serialize};

use super::closed::LoadModel;
use super::types::{Application, Plan, PlannedScenario};
use crate::delay::Delay;
use crate::load_model::Model;
use crate::metering::Metering;
use crate::phase::{Phase, PhaseSpan};
use crate::random::Random;
use crate::share::Portion;
use crate::template::VariableId;
use crate::tick::{Span, Tick};

/// A part of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunPart {
    /// What is played once, before the load begins.
    Setup,
    /// What the plan's users play.
    #[default]
    Load,
    /// What is played once, after the load has ended.
    Teardown,
}

impl RunPart {
    /// The name in results and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Load => "load",
            Self::Teardown => "teardown",
        }
    }

    /// The number under which a part that is played once is handed out, `None` for the load, whose slices count
    /// up from 0 and never come that far.
    #[must_use]
    pub const fn slice(self) -> Option<u32> {
        match self {
            Self::Setup => Some(u32::MAX - 1),
            Self::Load => None,
            Self::Teardown => Some(u32::MAX),
        }
    }

    /// The part that is played once under this number, `None` for a slice of the load.
    #[must_use]
    pub fn of_slice(slice: u32) -> Option<Self> {
        let once = [Self::Setup, Self::Teardown];
        once.into_iter().find(|part| part.slice() == Some(slice))
    }
}

impl Plan {
    /// What is done once before the run, and its place among the applications as a
    /// [`Position`](crate::vu::Position) counts them.
    #[must_use]
    pub fn setup(&self) -> Option<(u16, &Application)> {
        self.played_once(RunPart::Setup)
    }

    /// What is done once after the run, and its place among the applications as a
    /// [`Position`](crate::vu::Position) counts them.
    #[must_use]
    pub fn teardown(&self) -> Option<(u16, &Application)> {
        self.played_once(RunPart::Teardown)
    }

    /// The variables whose values the setup hands over to all users and to the teardown.
    #[must_use]
    pub fn handed_over(&self) -> &[VariableId] {
        &self.handed_over
    }

    /// How long the setup or the teardown may take; for the load, its planned length.
    #[must_use]
    pub const fn time_limit(&self, part: RunPart) -> Span {
        match part {
            RunPart::Setup => self.setup_timeout,
            RunPart::Load => self.duration,
            RunPart::Teardown => self.teardown_timeout,
        }
    }

    /// The application that is played in this part, `None` for the load, which has several, and when the plan has
    /// no such part.
    pub(crate) fn played_once(&self, part: RunPart) -> Option<(u16, &Application)> {
        let place = match part {
            RunPart::Setup => self.setup?,
            RunPart::Load => return None,
            RunPart::Teardown => self.teardown?,
        };
        Some((place, self.applications.get(usize::from(place))?))
    }

    /// The plan of this part alone. Of what is played once that is a user who begins one iteration at zero and has
    /// until the time limit to finish it; nothing is recorded of it but the windows, because what is judged is the
    /// load, and the target is not watched.
    pub(crate) fn only(self, part: RunPart) -> Self {
        if part == RunPart::Load {
            return self;
        }
        let limit = self.time_limit(part);
        let applications = self.played_once(part).map(|(place, _)| (place, 1.0));
        let scenario = PlannedScenario {
            name: part.name().to_owned(),
            starts_at: Tick::ZERO,
            model: Model::Closed(LoadModel::PerVuIterations {
                vus: 1,
                iterations: u64::from(applications.is_some()),
                max_duration: limit,
            }),
            graceful_stop: Span::ZERO,
            pause: Delay::Constant(Span::ZERO),
            pacing: None,
            applications: applications.into_iter().collect(),
            env: Vec::new(),
            first_vu: 0,
            tags: Vec::new(),
        };
        let phase = PhaseSpan {
            phase: Phase::RampUp,
            from: Tick::ZERO,
            to: Tick::ZERO + limit,
        };
        Self {
            // Chance of its own: what it makes up must not be what the first user makes up.
            seed: Random::for_purpose(self.seed, part as u64).bits(),
            scenarios: vec![scenario],
            phases: vec![phase],
            duration: limit,
            graceful_stop: Span::ZERO,
            metering: Metering::default(),
            monitoring: None,
            portion: Portion::whole(),
            ..self
        }
    }

    /// The variables of a user who begins, given the values that the setup hands over.
    pub(crate) fn variables_of_new_user(&self, values: &[Option<String>]) -> Vec<Option<String>> {
        let mut variables = vec![None; self.variables.len()];
        for (id, value) in self.handed_over.iter().zip(values) {
            if let Some(variable) = variables.get_mut(usize::from(id.0)) {
                variable.clone_from(value);
            }
        }
        variables
    }
}
