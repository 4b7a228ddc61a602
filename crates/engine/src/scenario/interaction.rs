//! The Durable Objects that an application exercises, and how.

use serde::{Deserialize, Serialize};

use super::application::RequestConfig;
use super::json::whole_number;

/// A Durable Object of the target that an application exercises (the spec's `DOInteraction`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DoInteraction {
    /// The class.
    #[serde(rename = "do")]
    pub durable_object: DurableObject,
    /// How it is used: which part of the operations are reads.
    pub pattern: DoPattern,
    /// A template for the name of the object. `{{key}}` stands for a key, and so does a variable of the flow
    /// in a run on the objects themselves, which has no flow.
    pub id: String,
    /// How the keys are chosen; each of 1,000 as often as the others when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeyConfig>,
    /// What the operations send, where it is not what `docs/durable-objects.md` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<DoOperations>,
}

/// A class of Durable Objects of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DoPattern {
    /// Nine reads to one write.
    ReadHeavy,
    /// Nine writes to one read.
    WriteHeavy,
    /// Writes of ten entries each.
    WriteBatch,
    /// Writes of one entry each.
    WriteAppend,
}

/// How keys are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyConfig {
    /// How many keys there are: they are numbered from 0.
    #[serde(deserialize_with = "whole_number")]
    pub count: i64,
    /// How often each of them is chosen.
    #[serde(default)]
    pub distribution: KeyDistribution,
    /// Of `zipf`: the nth key is chosen in proportion to 1/n to the power of this, 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exponent: Option<f64>,
    /// Of `hot`: the part of all choices that falls on the first key, 0.5 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hot_fraction: Option<f64>,
}

/// How often each of many keys is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum KeyDistribution {
    /// Each as often as the others.
    #[default]
    Uniform,
    /// By Zipf's law: few keys often, many seldom.
    Zipf,
    /// One key very often, the others evenly.
    Hot,
}

/// What the operations on an object send.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DoOperations {
    /// A read; its URL is a path of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<RequestConfig>,
    /// A write; its URL is a path of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<RequestConfig>,
}

/// One of the two kinds of operations on an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoOperation {
    /// It changes nothing.
    Read,
    /// It changes what the object stores.
    Write,
}

impl DurableObject {
    /// All classes.
    pub const ALL: [Self; 6] = [
        Self::Session,
        Self::Tenant,
        Self::Post,
        Self::Feed,
        Self::Notification,
        Self::Analytics,
    ];

    /// The name of the class, such as `SessionDO`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "SessionDO",
            Self::Tenant => "TenantDO",
            Self::Post => "PostDO",
            Self::Feed => "FeedDO",
            Self::Notification => "NotificationDO",
            Self::Analytics => "AnalyticsDO",
        }
    }

    /// The name of the binding through which objects of the class are reached, such as `SESSIONS`.
    #[must_use]
    pub const fn binding(self) -> &'static str {
        match self {
            Self::Session => "SESSIONS",
            Self::Tenant => "TENANTS",
            Self::Post => "POSTS",
            Self::Feed => "FEEDS",
            Self::Notification => "NOTIFICATIONS",
            Self::Analytics => "ANALYTICS",
        }
    }
}

impl DoPattern {
    /// The part of the operations that are reads.
    #[must_use]
    pub const fn reads(self) -> f64 {
        match self {
            Self::ReadHeavy => 0.9,
            Self::WriteHeavy => 0.1,
            Self::WriteBatch | Self::WriteAppend => 0.0,
        }
    }

    /// How many entries a write adds.
    #[must_use]
    pub const fn entries(self) -> usize {
        match self {
            Self::WriteBatch => 10,
            Self::ReadHeavy | Self::WriteHeavy | Self::WriteAppend => 1,
        }
    }
}

impl DoOperation {
    /// The name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}
