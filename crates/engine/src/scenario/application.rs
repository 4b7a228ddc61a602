//! The applications that virtual users play: flows of requests.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::interaction::DoInteraction;
use super::json::{TextMap, duration_text, maybe_duration_text, request_body};
use super::step::FlowStep;

/// An application that virtual users play (the spec's `ApplicationProfile`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationProfile {
    /// The application's name.
    pub name: String,
    /// The steps of one iteration, in order; may be left out when there are actions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<FlowStep>,
    /// Actions, of which each iteration plays one after the steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<Action>>,
    /// The least time from the start of an iteration to the start of the user's next one.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DelayText>")
    )]
    pub pacing: Option<String>,
    /// Which Durable Objects of the target the application exercises. A run on the objects themselves plays
    /// these instead of the steps; for other runs they say so to the reader and change nothing.
    #[serde(default)]
    pub do_interactions: Vec<DoInteraction>,
    /// Variants, of which each iteration plays one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variants: Option<Vec<String>>,
}

/// Something that a user does now and then: steps, and how long the user waits after them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Action {
    /// What it is, unique in the application.
    pub name: String,
    /// How often it is chosen, relative to the sum of all weights.
    pub weight: f64,
    /// How long the user waits between the action and the next iteration, such as `1m` or `30s-2m`; the pause
    /// of the scenario when absent.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DelayText>")
    )]
    pub delay: Option<String>,
    /// What is done, at least one step.
    pub steps: Vec<FlowStep>,
}

/// What a step sends (the spec's `RequestConfig`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestConfig {
    /// The HTTP method.
    pub method: Method,
    /// The URL: absolute, or a path on the environment's base URL.
    pub url: String,
    /// Header fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<TextMap>,
    /// Query parameters, added to those of the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<TextMap>,
    /// The body.
    #[serde(
        default,
        deserialize_with = "request_body",
        skip_serializing_if = "Option::is_none"
    )]
    pub body: Option<RequestBody>,
}

/// The body of a request, as the file gives it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub enum RequestBody {
    /// An object, sent as JSON.
    Object(Map<String, Value>),
    /// Text, sent as it is.
    Text(String),
}

/// How a step repeats itself (the spec's `repeatPattern`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RepeatPattern {
    /// The time from one start to the next.
    #[serde(deserialize_with = "duration_text")]
    #[cfg_attr(feature = "schema", schemars(with = "super::schema::DurationText"))]
    pub interval: String,
    /// By how much each start is moved at most, earlier or later; not at all when absent.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DurationText>")
    )]
    pub variance: Option<String>,
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or does.
    Post,
    /// Replaces.
    Put,
    /// Removes.
    Delete,
    /// Changes.
    Patch,
}

impl Method {
    /// The name on the wire, such as `GET`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
        }
    }
}

impl Serialize for RequestBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(object) => object.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
        }
    }
}
