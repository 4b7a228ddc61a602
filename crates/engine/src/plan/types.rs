//! The types of a parsed plan.

use std::borrow::Cow;

use url::Url;

use crate::assertion::Assertion;
use crate::check::Check;
use crate::cookie::Site;
use crate::data::Table;
use crate::delay::Delay;
use crate::extractor::Extractor;
use crate::load_model::Model;
use crate::metering::Metering;
use crate::phase::PhaseSpan;
use crate::plan::{Body, Destination, Monitoring, ObjectCall, Problem, Session, Streaming, Via};
use crate::response::ExpectedStatus;
use crate::scenario::{Cookies, ExtractPick, LatencyLimits, Method};
use crate::share::Portion;
use crate::sorted::SortedSet;
use crate::target::TargetPolicy;
use crate::template::{Template, VariableId};
use crate::tick::{Span, Tick};
use crate::window::StepId;

/// A plan that can be run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) name: String,
    pub(crate) seed: u64,
    pub(crate) portion: Portion, // what of the plan is played
    pub(crate) base_url: Url,
    pub(crate) via: Via,
    pub(crate) tenants: Vec<String>,   // at least one
    pub(crate) variables: Vec<String>, // names, in the order of VariableId
    pub(crate) tables: Vec<Table>,     // of data, in the order of the file
    pub(crate) cookies: Cookies,
    pub(crate) applications: Vec<Application>, // first those with a weight, at least one, then setup and teardown
    pub(crate) weighted: usize,                // how many applications have a weight
    pub(crate) setup: Option<u16>,             // the place of its application
    pub(crate) teardown: Option<u16>,          // the place of its application
    pub(crate) setup_timeout: Span,
    pub(crate) teardown_timeout: Span,
    pub(crate) handed_over: Vec<VariableId>, // what the setup extracts
    pub(crate) scenarios: Vec<PlannedScenario>, // at least one
    pub(crate) phases: Vec<PhaseSpan>,       // without gaps from 0 to the planned end
    pub(crate) duration: Span,
    pub(crate) graceful_stop: Span,
    pub(crate) request_timeout: Span,
    pub(crate) max_redirects: u16,   // that one request follows
    pub(crate) policy: TargetPolicy, // where they may lead
    pub(crate) body_limit_bytes: u64,
    pub(crate) assertions: Vec<Assertion>,
    pub(crate) metering: Metering,
    pub(crate) monitoring: Option<Monitoring>,
    pub(crate) warnings: Vec<Problem>,
}

/// One of the loads that a plan puts on the target: who comes when, and what they do.
#[derive(Clone, Debug)]
pub struct PlannedScenario {
    /// The name in the results.
    pub name: String,
    /// When it begins.
    pub starts_at: Tick,
    /// How its load develops.
    pub model: Model,
    /// How long after its end iterations may take to finish.
    pub graceful_stop: Span,
    /// The time between two iterations of a user.
    pub pause: Delay,
    /// The least time from the start of an iteration to the start of the user's next one.
    pub pacing: Option<Delay>,
    /// What an iteration plays: the place of an application and its weight; the weights add up to 1.
    pub applications: Vec<(u16, f64)>,
    /// The number of its first user; those of the scenarios do not overlap.
    pub first_vu: u32,
    /// Tags of everything that the scenario measures.
    pub tags: Vec<(String, String)>,
    /// The values of its `env`, by their places among the names of all scenarios.
    pub env: Vec<Option<String>>,
}

/// How many users a scenario may have at once where each arrival is a new one: Artillery's model sets no
/// limit, but everything has one. Further arrivals are dropped, which the results say.
pub const FRESH_USERS_MAX: u32 = 100_000;

impl PlannedScenario {
    /// The highest number of users that the scenario may have.
    #[must_use]
    pub fn users_max(&self) -> u32 {
        self.model.users_max().unwrap_or(FRESH_USERS_MAX)
    }

    /// How long the scenario takes at most, without the grace after it.
    #[must_use]
    pub fn duration(&self) -> Span {
        self.model.duration()
    }
}

/// An application: a flow that a virtual user walks once per iteration.
#[derive(Clone, Debug)]
pub struct Application {
    /// The name in the results.
    pub name: String,
    /// The share of iterations, in (0, 1]; the weights of a plan add up to 1.
    pub weight: f64,
    /// The requests in the order of the file, at least one.
    pub steps: Vec<Step>,
    /// What an iteration does, from the first operation to beyond the last.
    pub program: Vec<Op>,
    /// Names of the variants, of which each iteration plays one; may be empty.
    pub variants: Vec<String>,
    /// The least time from the start of an iteration to the start of the user's next one; that of the scenario
    /// when absent.
    pub pacing: Option<Delay>,
    /// The tables of data, by their places, of which each iteration gets a row.
    pub tables: Vec<u16>,
}

/// One operation of an application's program. Places of operations are places in the program.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Sends the request of this step, by its place in the application, and waits for the answer unless the
    /// step is parallel or in the background.
    Request(u16),
    /// Waits.
    Think(Delay),
    /// Says how long the user waits after the iteration, instead of the scenario's pause.
    Pause(Delay),
    /// Goes on at one of these places, chosen by weight; the weights add up to 1.
    Choose(Vec<(f64, u16)>),
    /// Goes on at this place.
    Jump(u16),
    /// Begins a loop: goes on behind it this many times, or at `end` when it is not to be played at all.
    Loop {
        /// How many times.
        times: u32,
        /// The place behind the loop's [`Op::Again`].
        end: u16,
    },
    /// Opens the WebSocket of this step, by its place in the application, and waits until it is open.
    Open {
        /// The step.
        step: u16,
        /// The place behind the session.
        end: u16,
    },
    /// Sends a message over the WebSocket, or waits for one, by its place in the session.
    Message(u16),
    /// Closes the WebSocket.
    Close,
    /// Takes the row of this table that belongs to the innermost loop's turn: the first in the first.
    Row(u16),
    /// Ends the innermost loop's turn: goes on at this place if another turn is left.
    Again(u16),
}

/// One request of a flow.
#[derive(Clone, Debug)]
pub struct Step {
    /// The number of the step through all applications of the plan.
    pub id: StepId,
    /// The name in the results.
    pub name: String,
    /// What the requests reach the target through.
    pub destination: Destination,
    /// The HTTP method.
    pub method: Method,
    /// The absolute URL, its host literal and allowed, its query parameters included; of an object the path.
    pub url: Template,
    /// Header fields.
    pub headers: Vec<(String, Template)>,
    /// The body, if any.
    pub body: Option<Body>,
    /// Statuses that count as success.
    pub expected: ExpectedStatus,
    /// What is counted as passed or failed for each answer.
    pub checks: Vec<Check>,
    /// Values to take from the answer.
    pub extractions: Vec<Extraction>,
    /// How the answer is read when it is a stream.
    pub stream: Option<Box<Streaming>>,
    /// What is played on the WebSocket that the step opens, if it opens one.
    pub socket: Option<Box<Session>>,
    /// Whether the step starts together with the parallel steps beside it.
    pub parallel: bool,
    /// Whether the flow goes on without waiting for the answer.
    pub background: bool,
    /// How the step repeats itself in the background until its iteration ends.
    pub repeat: Option<Repeat>,
    /// Whether the next operation is the time that the user thinks after this step.
    pub thinks_after: bool,
    /// The chance that the step is played, in (0, 1].
    pub probability: f64,
    /// The step is left out when this variable has a value.
    pub unless_set: Option<VariableId>,
    /// The step is played only in these variants of the application, by place; empty means in all.
    pub only_variants: Vec<u16>,
    /// Limits for the step's latencies over the whole run.
    pub latency_limits: LatencyLimits,
    pub(crate) site: Site, // where the step's cookies belong
    pub(crate) wanted_headers: Vec<Cow<'static, str>>, // lower case, sorted, each once, with server-timing
}

impl Step {
    /// The Durable Object that the requests go to, if they go to one.
    #[must_use]
    pub fn object(&self) -> Option<&ObjectCall> {
        match &self.destination {
            Destination::Object(call) => Some(call),
            Destination::Host | Destination::Binding => None,
        }
    }

    /// Its checks, those on the events of its stream and on the messages of its session included.
    pub fn every_check(&self) -> impl Iterator<Item = &Check> {
        let streamed = self.stream.iter().flat_map(|stream| &stream.checks);
        let on_socket = self.socket.iter().flat_map(|session| session.every_check());
        self.checks.iter().chain(streamed).chain(on_socket)
    }

    /// The variables that it gives values.
    pub(super) fn variables(&self) -> impl Iterator<Item = VariableId> {
        let streamed = self.stream.iter().flat_map(|stream| &stream.extractions);
        let on_socket = self.socket.iter().flat_map(|session| session.extractions());
        let extracted = self.extractions.iter().chain(streamed).chain(on_socket);
        let resumed = self.stream.iter().filter_map(|stream| stream.resume);
        extracted
            .map(|extraction| extraction.variable)
            .chain(resumed)
    }

    /// The templates of which its requests are made.
    pub(super) fn templates(&self) -> impl Iterator<Item = &Template> {
        let body = self.body.as_ref().and_then(|body| match body {
            Body::Text { text, .. } => Some(text),
            Body::Media(_) => None,
        });
        let headers = self.headers.iter().map(|(_, value)| value);
        let object = self.object().map(|object| &object.name);
        let messages = self.socket.iter().flat_map(|session| session.templates());
        let request = headers.chain([&self.url]).chain(body);
        request.chain(object).chain(messages)
    }
}

/// How a step repeats itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// The time from one planned start to the next.
    pub interval: Span,
    /// By how much each start is moved at most, earlier or later; at most the interval.
    pub variance: Span,
}

/// A value to take from an answer.
#[derive(Clone, Debug)]
pub struct Extraction {
    /// The variable that receives it.
    pub variable: VariableId,
    /// Where it is found.
    pub extractor: Extractor,
    /// Which of several matches is taken.
    pub pick: ExtractPick,
    /// The value when none is found.
    pub default: Option<String>,
}

impl Plan {
    /// The scenario's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The seed of all random choices.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Where relative URLs lead.
    #[must_use]
    pub const fn base_url(&self) -> &Url {
        &self.base_url
    }

    /// What the requests reach the target through.
    #[must_use]
    pub const fn via(&self) -> Via {
        self.via
    }

    /// The bindings that its requests need, by name.
    #[must_use]
    pub fn bindings(&self) -> SortedSet<&'static str> {
        let steps = self.applications.iter().flat_map(|app| &app.steps);
        SortedSet::from_iter(steps.filter_map(|step| step.destination.binding()))
    }

    /// The applications in the order of the scenario.
    #[must_use]
    pub fn applications(&self) -> &[Application] {
        self.applications.get(..self.weighted).unwrap_or_default()
    }

    /// The tables of data.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// How long users keep their cookies.
    #[must_use]
    pub const fn cookies(&self) -> Cookies {
        self.cookies
    }

    /// All checks with their applications and steps, in the order of their numbers, those of setup and
    /// teardown included.
    pub fn checks(&self) -> impl Iterator<Item = (&Application, &Step, &Check)> {
        self.applications.iter().flat_map(|application| {
            let steps = application.steps.iter();
            steps.flat_map(move |step| {
                step.every_check()
                    .map(move |check| (application, step, check))
            })
        })
    }

    /// The steps whose answers are streams, with their applications, those of setup and teardown included.
    pub fn streams(&self) -> impl Iterator<Item = (&Application, &Step)> {
        self.applications.iter().flat_map(|application| {
            let steps = application.steps.iter();
            let streams = steps.filter(|step| step.stream.is_some());
            streams.map(move |step| (application, step))
        })
    }

    /// The steps that open a WebSocket, with their applications, those of setup and teardown included.
    pub fn sockets(&self) -> impl Iterator<Item = (&Application, &Step)> {
        self.applications.iter().flat_map(|application| {
            let steps = application.steps.iter();
            let sockets = steps.filter(|step| step.socket.is_some());
            sockets.map(move |step| (application, step))
        })
    }

    /// The phases, without gaps from the start to the planned end.
    #[must_use]
    pub fn phases(&self) -> &[PhaseSpan] {
        &self.phases
    }

    /// The planned length of the run, without the grace at its end.
    #[must_use]
    pub const fn duration(&self) -> Span {
        self.duration
    }

    /// How long after the planned end iterations may take to finish.
    #[must_use]
    pub const fn graceful_stop(&self) -> Span {
        self.graceful_stop
    }

    /// How long an answer may take.
    #[must_use]
    pub const fn request_timeout(&self) -> Span {
        self.request_timeout
    }

    /// How many bytes of an answer's body are read at most.
    #[must_use]
    pub const fn body_limit_bytes(&self) -> u64 {
        self.body_limit_bytes
    }

    /// What must hold for the run to pass.
    #[must_use]
    pub fn assertions(&self) -> &[Assertion] {
        &self.assertions
    }

    /// What is probably not meant as it is written, but can be run.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The tenants over which the users are spread, at least one.
    #[must_use]
    pub fn tenants(&self) -> &[String] {
        &self.tenants
    }

    /// The names of the variables, in the order of [`VariableId`].
    #[must_use]
    pub fn variables(&self) -> &[String] {
        &self.variables
    }

    /// The loads that the plan puts on the target, at least one.
    #[must_use]
    pub fn scenarios(&self) -> &[PlannedScenario] {
        &self.scenarios
    }

    /// The application and the step with this number, `None` if the plan has no such step.
    #[must_use]
    pub fn step(&self, id: StepId) -> Option<(&Application, &Step)> {
        self.applications.iter().find_map(|application| {
            let first = application.steps.first()?.id.0;
            let step = application
                .steps
                .get(usize::from(id.0.checked_sub(first)?))?;
            Some((application, step))
        })
    }

    /// The hosts that requests go to, each with its port if that is not the default one.
    #[must_use]
    pub fn hosts(&self) -> SortedSet<String> {
        let steps = self.applications.iter().flat_map(|app| &app.steps);
        // The host of a step is literal, so that it is whole in the text before the first place to fill in.
        let urls = steps.filter_map(|step| Url::parse(step.url.literal_start()).ok());
        SortedSet::from_iter(urls.filter_map(|url| {
            let host = url.host_str()?.to_owned();
            Some(
                url.port()
                    .map_or_else(|| host.clone(), |port| format!("{host}:{port}")),
            )
        }))
    }

    /// What of the plan is played; everything else that a plan tells is about the whole, but
    /// [`Self::users_max`].
    #[must_use]
    pub const fn portion(&self) -> &Portion {
        &self.portion
    }

    /// The highest number of users that the portion calls for, if all scenarios have theirs at once.
    #[must_use]
    pub fn users_max(&self) -> u32 {
        let stripes = self.portion.stripes();
        let users = self.scenarios.iter().map(PlannedScenario::users_max);
        let users = users.map(|users| stripes.count_of(u64::from(users)));
        u32::try_from(users.fold(0, u64::saturating_add)).unwrap_or(u32::MAX)
    }
}
