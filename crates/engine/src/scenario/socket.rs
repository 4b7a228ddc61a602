//! Sessions over a WebSocket: how they are opened, what is sent and waited for, how they are closed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::expect::CheckConfig;
use super::extract::ExtractMap;
use super::json::{NamedMap, TextMap, maybe_duration_text, maybe_whole_number};
use super::step::FlowStep;

/// Opens a WebSocket, plays steps while it is open, and closes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SocketStep {
    /// The name in the results.
    pub name: String,
    /// The session.
    pub ws: SocketConfig,
}

/// A session over a WebSocket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SocketConfig {
    /// The URL: a path on the environment's base URL, or an absolute one with `ws`, `wss`, `http` or `https`.
    pub url: String,
    /// Query parameters, added to those of the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<TextMap>,
    /// Header fields of the handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<TextMap>,
    /// The subprotocols that are offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocols: Option<Vec<String>>,
    /// What is played while it is open: `send` and `receive`, and every other kind of step.
    pub steps: Vec<FlowStep>,
    /// The JSON path of the id by which an answer is told to belong to a message; `$.id` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The JSON path of the type by which messages are counted that answer none; not by type when absent.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// How often a ping is sent; never when absent.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DurationText>")
    )]
    pub ping: Option<String>,
    /// Checks that are held against each message that arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<CheckConfig>>,
    /// How it is closed behind its last step; with the code 1000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close: Option<CloseConfig>,
}

/// How a WebSocket is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CloseConfig {
    /// 1000, or 3000 to 4999; 1000 when absent.
    #[serde(
        default,
        deserialize_with = "maybe_whole_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub code: Option<i64>,
    /// Up to 123 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Sends a message over the WebSocket.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SendStep {
    /// The name in the results, unique in the session.
    pub name: String,
    /// The message.
    pub send: SendConfig,
}

/// A message: exactly one of `text`, `json`, `binary` and `rpc`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendConfig {
    /// A text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A JSON object, sent as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Map<String, Value>>,
    /// Bytes, in Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary: Option<String>,
    /// A call of JSON-RPC 2.0, with an id that no other call of the session has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpc: Option<RpcConfig>,
    /// Which message answers it; `id` for `rpc` and `none` for others when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<ReplyKind>,
    /// Whether the flow goes on without waiting for the answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub background: bool,
    /// How long the answer may take; the scenario's `requestTimeout` when absent.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DurationText>")
    )]
    pub timeout: Option<String>,
    /// Checks on the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<CheckConfig>>,
    /// Values to take from the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract: Option<ExtractMap>,
}

/// A call of JSON-RPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RpcConfig {
    /// The method.
    pub method: String,
    /// Its parameters: an object or an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Value>,
}

/// Which message answers another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ReplyKind {
    /// None does.
    None,
    /// The one with the same id.
    Id,
    /// The one that is the same.
    Echo,
    /// The next one that answers no other.
    Next,
}

/// Waits for a message.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReceiveStep {
    /// The name in the results, unique in the session.
    pub name: String,
    /// The message.
    pub receive: ReceiveConfig,
}

/// A message that is waited for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReceiveConfig {
    /// What it is: places, such as `$.type`, and the JSON values that they have; any message when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<NamedMap<Value>>,
    /// How long it may take; the scenario's `requestTimeout` when absent.
    #[serde(
        default,
        deserialize_with = "maybe_duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<super::schema::DurationText>")
    )]
    pub timeout: Option<String>,
    /// Checks on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<CheckConfig>>,
    /// Values to take from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract: Option<ExtractMap>,
}
