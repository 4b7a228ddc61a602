//! The steps of a flow: requests, and what stands between them.
//!
//! Invariant: a step is exactly one of the kinds of [`FlowStep`], and has no field that its kind does not
//! know. In a file the kind shows by the field that names it: `request`, `think`, `loop`, `choose`, `ws`, and inside
//! of a `ws`, `send` and `receive`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::application::{RepeatPattern, RequestConfig};
use super::expect::ExpectConfig;
use super::extract::ExtractMap;
use super::json::{maybe_duration_text, maybe_whole_number};
use super::socket::{ReceiveConfig, ReceiveStep, SendConfig, SendStep, SocketConfig, SocketStep};
use super::stream::StreamConfig;

/// One step of a flow.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum FlowStep {
    /// Sends a request.
    Request(Box<RequestStep>),
    /// Waits.
    Think(ThinkStep),
    /// Repeats steps.
    Loop(LoopStep),
    /// Plays one of several lists of steps.
    Choose(ChooseStep),
    /// Opens a WebSocket and plays steps on it.
    Socket(Box<SocketStep>),
    /// Sends a message over the WebSocket.
    Send(Box<SendStep>),
    /// Waits for a message on the WebSocket.
    Receive(Box<ReceiveStep>),
}

/// One request of an application (the spec's `RequestStep`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestStep {
    /// The name in the results.
    pub name: String,
    /// What is sent.
    pub request: RequestConfig,
    /// What is expected of the answer.
    #[serde(default)]
    pub expect: ExpectConfig,
    /// Values to take from the answer: the variable, and where its value is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract: Option<ExtractMap>,
    /// How the answer is read when it is a stream, which is measured event by event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamConfig>,
    /// Whether the step starts together with the parallel steps beside it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub parallel: bool,
    /// Whether the flow goes on without waiting for the answer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub background: bool,
    /// The chance that the step is played, 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// How the step repeats itself in the background until the iteration ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_pattern: Option<RepeatPattern>,
    /// The step is left out when this variable has a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless_set: Option<String>,
    /// The step is played only in these variants; in all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variants: Option<Vec<String>>,
    /// How long the user waits after the step, such as `2s`, `1s-5s` or `2s~500ms`.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DelayText>")
    )]
    pub think: Option<String>,
}

/// The user waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ThinkStep {
    /// What it is, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How long, such as `2s`, `1s-5s` or `2s~500ms`.
    #[cfg_attr(feature = "schema", schemars(with = "super::schema::DelayText"))]
    pub think: String,
}

/// Steps are repeated.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LoopStep {
    /// What it is, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is repeated, and how often.
    #[serde(rename = "loop")]
    pub repeated: LoopConfig,
}

/// What a loop repeats: exactly one of `times` and `over` says how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LoopConfig {
    /// How many times.
    #[serde(
        default,
        deserialize_with = "maybe_whole_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub times: Option<i64>,
    /// The table whose rows are gone through, one in each turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// What is played in each turn.
    pub steps: Vec<FlowStep>,
}

/// One of several lists of steps is played.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChooseStep {
    /// What it is, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The lists, of which one is chosen by weight.
    pub choose: Vec<Choice>,
}

/// One of the lists of steps that a `choose` chooses from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// How often it is chosen, relative to the sum of all weights.
    pub weight: f64,
    /// What is played; may be empty.
    pub steps: Vec<FlowStep>,
}

impl FlowStep {
    /// The request that the step sends, if it sends one.
    #[must_use]
    pub fn as_request(&self) -> Option<&RequestStep> {
        match self {
            Self::Request(step) => Some(step),
            _ => None,
        }
    }

    /// As [`as_request`](Self::as_request), to change it.
    pub fn as_request_mut(&mut self) -> Option<&mut RequestStep> {
        match self {
            Self::Request(step) => Some(step),
            _ => None,
        }
    }

    /// The names of the variables that the step itself gives values, in the order of the file.
    #[must_use]
    pub fn variables(&self) -> Vec<&str> {
        let extract = match self {
            Self::Request(step) => return step.variables().collect(),
            Self::Send(step) => step.send.extract.as_ref(),
            Self::Receive(step) => step.receive.extract.as_ref(),
            Self::Think(_) | Self::Loop(_) | Self::Choose(_) | Self::Socket(_) => None,
        };
        let extracted = extract.into_iter().flat_map(ExtractMap::iter);
        extracted.map(|(name, _)| name).collect()
    }

    /// The lists of steps inside of this one.
    #[must_use]
    pub fn inner(&self) -> Vec<&[Self]> {
        match self {
            Self::Request(_) | Self::Think(_) | Self::Send(_) | Self::Receive(_) => Vec::new(),
            Self::Socket(step) => vec![&step.ws.steps],
            Self::Loop(step) => vec![&step.repeated.steps],
            Self::Choose(step) => step.choose.iter().map(|c| c.steps.as_slice()).collect(),
        }
    }

    /// As [`inner`](Self::inner), to change them.
    pub fn inner_mut(&mut self) -> Vec<&mut [Self]> {
        match self {
            Self::Request(_) | Self::Think(_) | Self::Send(_) | Self::Receive(_) => Vec::new(),
            Self::Socket(step) => vec![&mut step.ws.steps],
            Self::Loop(step) => vec![&mut step.repeated.steps],
            Self::Choose(step) => {
                let choices = step.choose.iter_mut();
                choices.map(|c| c.steps.as_mut_slice()).collect()
            }
        }
    }
}

impl RequestStep {
    /// The names of the variables that the step gives values, in the order of the file.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let stream = self.stream.as_ref();
        let streamed = stream.and_then(|stream| stream.extract.as_ref());
        let extracted = [self.extract.as_ref(), streamed].into_iter().flatten();
        let names = extracted.flat_map(|map| map.iter().map(|(name, _)| name));
        names.chain(stream.and_then(|stream| stream.resume.as_deref()))
    }
}

impl From<RequestStep> for FlowStep {
    fn from(step: RequestStep) -> Self {
        Self::Request(Box::new(step))
    }
}

/// Every field that some kind of step has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AnyStep {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    request: Option<RequestConfig>,
    #[serde(default)]
    expect: Option<ExpectConfig>,
    #[serde(default)]
    extract: Option<ExtractMap>,
    #[serde(default)]
    stream: Option<StreamConfig>,
    #[serde(default)]
    parallel: Option<bool>,
    #[serde(default)]
    background: Option<bool>,
    #[serde(default)]
    probability: Option<f64>,
    #[serde(default)]
    repeat_pattern: Option<RepeatPattern>,
    #[serde(default)]
    unless_set: Option<String>,
    #[serde(default)]
    variants: Option<Vec<String>>,
    #[serde(default, deserialize_with = "maybe_duration_text")]
    think: Option<String>,
    #[serde(default, rename = "loop")]
    repeated: Option<LoopConfig>,
    #[serde(default)]
    choose: Option<Vec<Choice>>,
    #[serde(default)]
    ws: Option<SocketConfig>,
    #[serde(default)]
    send: Option<SendConfig>,
    #[serde(default)]
    receive: Option<ReceiveConfig>,
}

impl<'de> Deserialize<'de> for FlowStep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let step = AnyStep::deserialize(deserializer)?;
        step.into_step().map_err(D::Error::custom)
    }
}

impl AnyStep {
    fn into_step(self) -> Result<FlowStep, String> {
        let kinds = [
            ("request", self.request.is_some()),
            // Beside a request it is a part of the request's step.
            ("think", self.think.is_some() && self.request.is_none()),
            ("loop", self.repeated.is_some()),
            ("choose", self.choose.is_some()),
            ("ws", self.ws.is_some()),
            ("send", self.send.is_some()),
            ("receive", self.receive.is_some()),
        ];
        let mut given = kinds
            .iter()
            .filter(|(_, given)| *given)
            .map(|(name, _)| *name);
        let (Some(kind), None) = (given.next(), given.next()) else {
            let given: Vec<&str> = kinds
                .iter()
                .filter(|(_, given)| *given)
                .map(|k| k.0)
                .collect();
            let given = if given.is_empty() {
                "none of them".to_owned()
            } else {
                given.join(" and ")
            };
            return Err(format!(
                "a step is of exactly one kind, by the field \"request\", \"think\", \"loop\", \"choose\", \"ws\", \
                 \"send\" or \"receive\"; this one has {given}"
            ));
        };
        if kind != "request"
            && let Some(field) = self.field_of_a_request()
        {
            return Err(format!(
                "{field:?} belongs to a request, and this step is a \"{kind}\": accepted beside it is \"name\""
            ));
        }
        let name_of = |kind: &str, name: Option<String>| {
            name.ok_or_else(|| format!("a \"{kind}\" needs a \"name\", under which it is counted"))
        };
        if let Some(ws) = self.ws {
            let name = name_of("ws", self.name)?;
            return Ok(FlowStep::Socket(Box::new(SocketStep { name, ws })));
        }
        if let Some(send) = self.send {
            let name = name_of("send", self.name)?;
            return Ok(FlowStep::Send(Box::new(SendStep { name, send })));
        }
        if let Some(receive) = self.receive {
            let name = name_of("receive", self.name)?;
            return Ok(FlowStep::Receive(Box::new(ReceiveStep { name, receive })));
        }
        match (self.request, self.think, self.repeated, self.choose) {
            (Some(request), think, _, _) => Ok(FlowStep::from(RequestStep {
                name: self
                    .name
                    .ok_or("a request needs a \"name\", under which it is counted")?,
                request,
                expect: self.expect.unwrap_or_default(),
                extract: self.extract,
                stream: self.stream,
                parallel: self.parallel.unwrap_or_default(),
                background: self.background.unwrap_or_default(),
                probability: self.probability,
                repeat_pattern: self.repeat_pattern,
                unless_set: self.unless_set,
                variants: self.variants,
                think,
            })),
            (_, Some(think), _, _) => Ok(FlowStep::Think(ThinkStep {
                name: self.name,
                think,
            })),
            (_, _, Some(repeated), _) => Ok(FlowStep::Loop(LoopStep {
                name: self.name,
                repeated,
            })),
            (_, _, _, Some(choose)) => Ok(FlowStep::Choose(ChooseStep {
                name: self.name,
                choose,
            })),
            (None, None, None, None) => Err("the step is empty".to_owned()), // refused above
        }
    }

    fn field_of_a_request(&self) -> Option<&'static str> {
        let fields = [
            ("expect", self.expect.is_some()),
            ("extract", self.extract.is_some()),
            ("stream", self.stream.is_some()),
            ("parallel", self.parallel.is_some()),
            ("background", self.background.is_some()),
            ("probability", self.probability.is_some()),
            ("repeatPattern", self.repeat_pattern.is_some()),
            ("unlessSet", self.unless_set.is_some()),
            ("variants", self.variants.is_some()),
        ];
        fields
            .iter()
            .find(|(_, given)| *given)
            .map(|(name, _)| *name)
    }
}

const fn is_false(value: &bool) -> bool {
    !*value
}
