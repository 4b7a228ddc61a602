//! The tags of samples.

use super::builtin::{
    CHECK, DO_CLASS, DO_OPERATION, END, ERROR_CODE, EXPECTED_RESPONSE, Event, GROUP, MESSAGE,
    METHOD, NAME, SCENARIO, STATUS, URL,
};
use crate::check::CheckId;
use crate::error_class::ErrorClass;
use crate::metric::TagSet;
use crate::plan::{Plan, PlannedScenario};
use crate::stream::StreamEnd;
use crate::window::{Outcome, StepId};

/// What decides the tags of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) event: Event,
    pub(super) scenario: u16,
    pub(super) application: Option<u16>, // of iterations; a step knows its own
    pub(super) step: Option<StepId>,
    pub(super) check: Option<CheckId>,
    pub(super) status: Option<u16>,           // none without an answer
    pub(super) class: Option<ErrorClass>,     // none when the request went as expected
    pub(super) stream_end: Option<StreamEnd>, // of a stream that ended
    pub(super) message: Option<u16>,          // of a session, by its place
}

impl Key {
    /// All tags of the sample, those included that nobody asks for.
    pub(super) fn tags(&self, plan: &Plan) -> TagSet {
        let scenario = plan.scenarios.get(usize::from(self.scenario));
        let mut tags = scenario.map(scenario_tags).unwrap_or_default();
        let application = self.application.map(usize::from);
        if let Some(application) = application.and_then(|at| plan.applications.get(at)) {
            tags = tags.with(GROUP, &application.name);
        }
        if let Some(step) = self.step {
            tags = with_step(tags, plan, step);
        }
        if let Some(check) = self.check {
            tags = with_check(tags, plan, check);
        }
        if let Some(end) = self.stream_end {
            tags = tags.with(END, end.name());
        }
        if let Some(name) = self.message_name(plan) {
            tags = tags.with(MESSAGE, name);
        }
        if self.event != Event::Ended {
            return tags;
        }
        let (status, class) = (self.status, self.class);
        with_outcome(tags, Outcome { status, class })
    }
}

/// The tags of how a request ended.
pub(super) fn with_outcome(tags: TagSet, Outcome { status, class }: Outcome) -> TagSet {
    let expected = if class.is_none() { "true" } else { "false" };
    let tags = tags
        .with(STATUS, &status.unwrap_or(0).to_string()) // 0 without an answer, as in k6
        .with(EXPECTED_RESPONSE, expected);
    match class {
        Some(class) => tags.with(ERROR_CODE, &class.to_string()),
        None => tags,
    }
}

impl Key {
    fn message_name<'a>(&self, plan: &'a Plan) -> Option<&'a str> {
        let session = plan.step(self.step?)?.1.socket.as_deref()?;
        let message = session.messages.get(usize::from(self.message?))?;
        Some(&message.name)
    }
}

/// The tags of everything that a scenario measures. Its own come first: they cannot hide the others.
pub(super) fn scenario_tags(scenario: &PlannedScenario) -> TagSet {
    let tags: TagSet = scenario
        .tags
        .iter()
        .map(|(name, value)| (name, value))
        .collect();
    tags.with(SCENARIO, &scenario.name)
}

/// The tags that are the same for all requests of a step.
pub(super) fn with_step(tags: TagSet, plan: &Plan, id: StepId) -> TagSet {
    let Some((application, step)) = plan.step(id) else {
        return tags;
    };
    let tags = tags
        .with(GROUP, &application.name)
        .with(NAME, &step.name)
        .with(METHOD, step.method.name())
        .with(URL, &step.url.as_written());
    match step.object() {
        Some(object) => tags
            .with(DO_CLASS, object.class.name())
            .with(DO_OPERATION, object.operation.name()),
        None => tags,
    }
}

/// The tag of a check's name.
pub(super) fn with_check(tags: TagSet, plan: &Plan, id: CheckId) -> TagSet {
    match plan.checks().find(|(_, _, check)| check.id == id) {
        Some((_, _, check)) => tags.with(CHECK, &check.name),
        None => tags,
    }
}

/// The scenarios that play a step, by their places; none plays those of setup and teardown.
pub(super) fn scenarios_of(plan: &Plan, id: StepId) -> Vec<u16> {
    let owner = plan.applications.iter().position(|application| {
        let mut steps = application.steps.iter();
        steps.any(|step| step.id == id)
    });
    let plays = |scenario: &PlannedScenario| {
        let mut played = scenario.applications.iter();
        played.any(|(at, _)| Some(usize::from(*at)) == owner)
    };
    let scenarios = (0_u16..).zip(&plan.scenarios);
    let players = scenarios.filter(|(_, scenario)| plays(scenario));
    players.map(|(place, _)| place).collect()
}
