//! The built-in metrics that are measured: at which event, what of it, and which tags their samples bear.

use crate::metric::{Amount, Catalog, Contains, MetricId, Origin};
use crate::parts::{Part, Parts};
use crate::plan::PlannedScenario;
use crate::template::VariableId;
use crate::tick::Span;

/// What happens in a batch. Samples are taken of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A request was handed to the network.
    Sent,
    /// A request came to an end of its own, well or badly.
    Ended,
    /// A request was given up.
    CutOff,
    /// A check was held against an answer, or failed because there was none.
    Checked,
    /// An iteration ran to its end.
    Finished,
    /// An iteration was ended before its end.
    Interrupted,
    /// Iterations were due when nobody was free.
    Dropped,
    /// Something that was due at a point of time began.
    Late,
    /// A request goes on where an earlier stream ended.
    StreamResumed,
    /// The header of a stream arrived.
    StreamBegan,
    /// An event of a stream arrived.
    StreamItem,
    /// A stream ended, for whatever reason.
    StreamEnded,
    /// A WebSocket was opened.
    SocketOpened,
    /// A WebSocket was closed, broke, or could not be opened.
    SocketEnded,
    /// Something went wrong on a WebSocket.
    SocketError,
    /// A message was sent.
    MessageSent,
    /// A message is waited for from now on.
    MessageAwaited,
    /// A message arrived.
    MessageReceived,
    /// The answer to a message arrived.
    MessageAnswered,
    /// A message arrived that was waited for.
    MessageCame,
    /// It did not arrive in time.
    MessageTimedOut,
    /// It did not arrive before its WebSocket was gone.
    MessageCutOff,
    /// A pong arrived.
    Pong,
}

/// What is taken of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// How often it happened.
    Count,
    /// Whether it went wrong.
    Failed,
    /// Whether it went well.
    Succeeded,
    /// How long it took from its actual start.
    Service,
    /// How long it took from its planned start.
    Response,
    /// How long a part of it took.
    Part(Part),
    /// How long it waited, for a connection slot or for the generator.
    Wait,
    /// How many bytes it moved.
    Bytes,
    /// The status of the answer.
    Status,
    /// The number that a variable holds.
    Variable(VariableId),
    /// Of the first event of a stream, how long after the sending it came.
    FirstEvent,
    /// Of other events, how long after the one before.
    Gap,
    /// How many stalls there were.
    Stalls,
    /// How many tokens there were.
    Tokens,
    /// Of the first token, how long after the sending it came.
    FirstToken,
    /// How many events a stream had in each second after the first.
    EventRate,
    /// How many tokens a stream had in each second after the first.
    TokenRate,
}

/// What is known of an event.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample<'a> {
    pub(crate) count: u64,
    pub(crate) failed: bool,
    pub(crate) service: Option<Span>,
    pub(crate) response: Option<Span>,
    pub(crate) parts: Parts,
    pub(crate) wait: Option<Span>,
    pub(crate) bytes: u64,
    pub(crate) status: Option<u16>,
    /// The values of the user's variables; only of an answer that was as expected.
    pub(crate) variables: &'a [Option<String>],
    pub(crate) stream: StreamSample,
}

/// What is known of an event of a stream, or of its end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StreamSample {
    pub(crate) first_event: Option<Span>,
    pub(crate) gap: Option<Span>,
    pub(crate) stalls: u64,
    pub(crate) tokens: u64,
    pub(crate) first_token: Option<Span>,
    pub(crate) event_rate: Option<u64>, // in thousandths
    pub(crate) token_rate: Option<u64>, // in thousandths
}

/// A measure that an event has but that is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotANumber;

impl Measure {
    /// The amount to record, `None` when the event has no such measure.
    pub(crate) fn of(
        self,
        sample: &Sample<'_>,
        contains: Contains,
    ) -> Result<Option<Amount>, NotANumber> {
        let flag = |holds: bool| Some(contains.whole(u64::from(holds)));
        let time = |span: Option<Span>| {
            let us = span?.as_us(); // the unit is the millisecond
            Some(match contains {
                Contains::Time | Contains::Default => {
                    Amount::from_steps(i64::try_from(us).unwrap_or(i64::MAX))
                }
                Contains::Data | Contains::Whole => contains.whole(us / 1_000),
            })
        };
        let thousandths = |number: Option<u64>| {
            let number = number? as f64 / 1_000.0;
            contains.amount(number)
        };
        Ok(match self {
            Self::Count => Some(contains.whole(sample.count)),
            Self::Failed => flag(sample.failed),
            Self::Succeeded => flag(!sample.failed),
            Self::Service => time(sample.service),
            Self::Response => time(sample.response),
            Self::Part(part) => time(sample.parts.get(part)),
            Self::Wait => time(sample.wait),
            Self::Bytes => Some(contains.whole(sample.bytes)),
            Self::Status => sample.status.map(|status| contains.whole(status.into())),
            Self::Variable(id) => match sample.variables.get(usize::from(id.0)) {
                Some(Some(text)) => Some(number(text, contains).ok_or(NotANumber)?),
                Some(None) | None => None,
            },
            Self::FirstEvent => time(sample.stream.first_event),
            Self::Gap => time(sample.stream.gap),
            Self::Stalls => Some(contains.whole(sample.stream.stalls)),
            Self::Tokens => Some(contains.whole(sample.stream.tokens)),
            Self::FirstToken => time(sample.stream.first_token),
            Self::EventRate => thousandths(sample.stream.event_rate),
            Self::TokenRate => thousandths(sample.stream.token_rate),
        })
    }
}

/// `true` and `false` count as 1 and 0, because a JSON path may find them.
fn number(text: &str, contains: Contains) -> Option<Amount> {
    let number = match text.trim() {
        "true" => 1.0,
        "false" => 0.0,
        text => text.parse().ok()?,
    };
    contains.amount(number)
}

impl Event {
    /// The tags that samples of the event bear.
    pub(crate) const fn tags(self) -> &'static [&'static str] {
        match self {
            Self::Sent
            | Self::CutOff
            | Self::StreamResumed
            | Self::StreamBegan
            | Self::StreamItem => &[SCENARIO, GROUP, NAME, METHOD, URL, DO_CLASS, DO_OPERATION],
            Self::SocketOpened
            | Self::SocketEnded
            | Self::SocketError
            | Self::MessageReceived
            | Self::Pong => &[SCENARIO, GROUP, NAME, METHOD, URL, DO_CLASS, DO_OPERATION],
            Self::MessageSent
            | Self::MessageAwaited
            | Self::MessageAnswered
            | Self::MessageCame
            | Self::MessageTimedOut
            | Self::MessageCutOff => &[
                SCENARIO,
                GROUP,
                NAME,
                METHOD,
                URL,
                DO_CLASS,
                DO_OPERATION,
                MESSAGE,
            ],
            Self::StreamEnded => &[
                SCENARIO,
                GROUP,
                NAME,
                METHOD,
                URL,
                DO_CLASS,
                DO_OPERATION,
                END,
            ],
            Self::Ended => &[
                SCENARIO,
                GROUP,
                NAME,
                METHOD,
                URL,
                DO_CLASS,
                DO_OPERATION,
                STATUS,
                EXPECTED_RESPONSE,
                ERROR_CODE,
            ],
            Self::Checked => &[
                SCENARIO,
                GROUP,
                NAME,
                METHOD,
                URL,
                DO_CLASS,
                DO_OPERATION,
                CHECK,
            ],
            Self::Finished | Self::Interrupted => &[SCENARIO, GROUP],
            Self::Dropped | Self::Late => &[SCENARIO],
        }
    }
}

/// A built-in metric that batches measure.
pub(super) struct BuiltIn {
    pub(super) name: &'static str,
    pub(super) event: Event,
    pub(super) measure: Measure,
    /// The tags by which the windows tell it already. The scenario is told besides where each step belongs
    /// to one scenario only, and where [`BuiltIn::by_scenario`] says so.
    pub(super) told: &'static [&'static str],
    /// Whether the windows tell it by scenario.
    pub(super) by_scenario: bool,
}

pub(super) const SCENARIO: &str = "scenario";
pub(super) const GROUP: &str = "group";
pub(super) const NAME: &str = "name";
pub(super) const METHOD: &str = "method";
pub(super) const URL: &str = "url";
pub(super) const DO_CLASS: &str = "do_class";
pub(super) const DO_OPERATION: &str = "do_operation";
pub(super) const STATUS: &str = "status";
pub(super) const EXPECTED_RESPONSE: &str = "expected_response";
pub(super) const ERROR_CODE: &str = "error_code";
pub(super) const CHECK: &str = "check";
pub(super) const COMPONENT: &str = "component";
pub(super) const END: &str = "end";
pub(super) const MESSAGE: &str = "message";

const BY_STEP: &[&str] = &[GROUP, NAME, METHOD, URL, DO_CLASS, DO_OPERATION];
const BY_CHECK: &[&str] = &[GROUP, NAME, METHOD, URL, DO_CLASS, DO_OPERATION, CHECK];

const fn request(name: &'static str, event: Event, measure: Measure) -> BuiltIn {
    BuiltIn {
        name,
        event,
        measure,
        told: BY_STEP,
        by_scenario: false,
    }
}

const fn part(part: Part) -> BuiltIn {
    request(part.metric(), Event::Ended, Measure::Part(part))
}

const fn iteration(
    name: &'static str,
    event: Event,
    measure: Measure,
    by_scenario: bool,
) -> BuiltIn {
    BuiltIn {
        name,
        event,
        measure,
        told: &[],
        by_scenario,
    }
}

/// All of them. What is in the catalogue and neither here nor told by the run or the target is never measured.
pub(super) const BUILT_IN: [BuiltIn; 46] = [
    request("http_reqs", Event::Ended, Measure::Count),
    request("http_req_failed", Event::Ended, Measure::Failed),
    part(Part::Exchange),
    part(Part::Blocked),
    part(Part::LookingUp),
    part(Part::Connecting),
    part(Part::TlsHandshaking),
    part(Part::Sending),
    part(Part::Waiting),
    part(Part::Receiving),
    request("service_time", Event::Ended, Measure::Service),
    request("response_time", Event::Ended, Measure::Response),
    request("data_received", Event::Ended, Measure::Bytes),
    request("data_sent", Event::Sent, Measure::Bytes),
    request("requests_cut_off", Event::CutOff, Measure::Count),
    BuiltIn {
        told: BY_CHECK,
        ..request("checks", Event::Checked, Measure::Succeeded)
    },
    request("sse_streams", Event::StreamEnded, Measure::Count),
    request("sse_resumes", Event::StreamResumed, Measure::Count),
    request("sse_time_to_headers", Event::StreamBegan, Measure::Service),
    request(
        "sse_time_to_first_event",
        Event::StreamItem,
        Measure::FirstEvent,
    ),
    request("sse_event_gap", Event::StreamItem, Measure::Gap),
    request("sse_events", Event::StreamItem, Measure::Count),
    request("sse_stalls", Event::StreamItem, Measure::Stalls),
    request("sse_duration", Event::StreamEnded, Measure::Service),
    request(
        "sse_events_per_second",
        Event::StreamEnded,
        Measure::EventRate,
    ),
    request("sse_tokens", Event::StreamItem, Measure::Tokens),
    request(
        "sse_time_to_first_token",
        Event::StreamItem,
        Measure::FirstToken,
    ),
    request(
        "sse_tokens_per_second",
        Event::StreamEnded,
        Measure::TokenRate,
    ),
    request("ws_sessions", Event::SocketOpened, Measure::Count),
    request("ws_connecting", Event::SocketOpened, Measure::Service),
    request("ws_session_duration", Event::SocketEnded, Measure::Service),
    request("ws_errors", Event::SocketEnded, Measure::Failed),
    request("ws_msgs_sent", Event::MessageSent, Measure::Count),
    request("ws_msgs_received", Event::MessageReceived, Measure::Count),
    request("ws_msgs_timed_out", Event::MessageTimedOut, Measure::Count),
    request("ws_msgs_cut_off", Event::MessageCutOff, Measure::Count),
    request("ws_rtt", Event::MessageAnswered, Measure::Service),
    request("ws_wait", Event::MessageCame, Measure::Service),
    request("ws_ping", Event::Pong, Measure::Service),
    iteration("slot_wait", Event::Sent, Measure::Wait, false),
    iteration("lateness", Event::Late, Measure::Wait, false),
    iteration("iterations", Event::Finished, Measure::Count, true),
    iteration(
        "iteration_duration",
        Event::Finished,
        Measure::Response,
        true,
    ),
    iteration("group_duration", Event::Finished, Measure::Response, true),
    iteration("dropped_iterations", Event::Dropped, Measure::Count, true),
    iteration(
        "interrupted_iterations",
        Event::Interrupted,
        Measure::Count,
        false,
    ),
];

/// All of them, with their numbers.
pub(super) fn built_in(
    catalog: &Catalog,
) -> impl Iterator<Item = (MetricId, &'static BuiltIn)> + '_ {
    const ALL: &[BuiltIn] = &BUILT_IN;
    let found = |built_in: &'static BuiltIn| Some((catalog.id(built_in.name)?, built_in));
    ALL.iter().filter_map(found)
}

/// The tags that a threshold on the metric may ask for, `None` when it is never measured.
pub(crate) fn accepted_tags<'a>(
    catalog: &Catalog,
    metric: MetricId,
    scenarios: &'a [PlannedScenario],
) -> Option<Vec<&'a str>> {
    let definition = catalog.definition(metric)?;
    let is_custom = catalog.is_custom(metric);
    let event = match definition.origin {
        Origin::Run => return Some(Vec::new()),
        Origin::Target if is_custom => return Some(Vec::new()),
        Origin::Target => return Some(vec![COMPONENT]),
        Origin::Batch if is_custom => Event::Ended,
        Origin::Batch => BUILT_IN.iter().find(|b| b.name == definition.name)?.event,
    };
    let own = scenarios.iter().flat_map(|scenario| &scenario.tags);
    let own = own.map(|(name, _)| name.as_str());
    Some(event.tags().iter().copied().chain(own).collect())
}
