//! The applications that virtual users play: flows of requests.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::json::{TextMap, duration_text, expected_statuses, request_body};

/// An application that virtual users play (the spec's `ApplicationProfile`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationProfile {
    /// The application's name.
    pub name: String,
    /// The requests of one iteration, in order.
    pub steps: Vec<RequestStep>,
    /// Which Durable Objects of the target the application exercises. It says so to the reader of results
    /// and changes nothing about what is sent.
    #[serde(default)]
    pub do_interactions: Vec<DoInteraction>,
    /// Variants, of which each iteration plays one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variants: Option<Vec<String>>,
}

/// One request of an application (the spec's `RequestStep`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    pub extract: Option<TextMap>,
    /// Whether the step starts together with the parallel steps beside it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub parallel: bool,
    /// Whether the flow goes on without waiting for the answer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub background: bool,
    /// The chance that the step is played, 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// How the step repeats itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_pattern: Option<RepeatPattern>,
    /// The step is left out when this variable has a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless_set: Option<String>,
    /// The step is played only in these variants; in all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variants: Option<Vec<String>>,
}

/// What a step sends (the spec's `RequestConfig`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
pub enum RequestBody {
    /// An object, sent as JSON.
    Object(Map<String, Value>),
    /// Text, sent as it is.
    Text(String),
}

/// What a step expects of the answer (the spec's `ExpectConfig`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectConfig {
    /// Statuses that count as success; 200 to 299 when absent.
    #[serde(
        default,
        deserialize_with = "expected_statuses",
        skip_serializing_if = "Option::is_none"
    )]
    pub status: Option<ExpectedStatuses>,
    /// Limits for the step's latencies over the whole run, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<LatencyLimits>,
}

/// Statuses that count as success, as the file gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedStatuses {
    /// Exactly this one.
    One(i64),
    /// Any of these.
    AnyOf(Vec<i64>),
}

/// Limits for latencies in milliseconds; absent ones limit nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LatencyLimits {
    /// For the median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<f64>,
    /// For the 95th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
    /// For the 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<f64>,
    /// For the highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// How a step repeats itself (the spec's `repeatPattern`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RepeatPattern {
    /// The time from one start to the next.
    #[serde(deserialize_with = "duration_text")]
    pub interval: String,
    /// By how much that time varies, up and down.
    #[serde(deserialize_with = "duration_text")]
    pub variance: String,
}

/// A Durable Object of the target that an application exercises (the spec's `DOInteraction`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DoInteraction {
    /// The class.
    #[serde(rename = "do")]
    pub durable_object: DurableObject,
    /// How it is used.
    pub pattern: DoPattern,
    /// A template for the name of the object.
    pub id: String,
}

/// A class of Durable Objects of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the spec gives the names and nothing else")]
pub enum DurableObject {
    #[serde(rename = "SessionDO")]
    Session,
    #[serde(rename = "TenantDO")]
    Tenant,
    #[serde(rename = "PostDO")]
    Post,
    #[serde(rename = "FeedDO")]
    Feed,
    #[serde(rename = "NotificationDO")]
    Notification,
    #[serde(rename = "AnalyticsDO")]
    Analytics,
}

/// How a Durable Object is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoPattern {
    /// Mostly reads.
    ReadHeavy,
    /// Mostly writes.
    WriteHeavy,
    /// Writes that the object collects.
    WriteBatch,
    /// Writes that only add.
    WriteAppend,
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

impl Serialize for ExpectedStatuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(status) => status.serialize(serializer),
            Self::AnyOf(statuses) => statuses.serialize(serializer),
        }
    }
}

const fn is_false(value: &bool) -> bool {
    !*value
}
