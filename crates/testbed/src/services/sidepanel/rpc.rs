//! JSON-RPC 2.0: calls and their answers. <https://www.jsonrpc.org/specification>

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A call.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    jsonrpc: String,
    pub(super) method: String,
    #[serde(default)]
    pub(super) params: Map<String, Value>,
    /// None: a notification, which is not answered.
    #[serde(default)]
    pub(super) id: Option<Value>,
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    code: i32,
    message: String,
}

impl Request {
    /// Reads a call.
    ///
    /// # Errors
    /// The whole answer to what is none.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let refuse = |code, message: String| {
            let refusal = Refusal { code, message };
            answer(&Value::Null, Err(refusal))
        };
        let value: Value =
            serde_json::from_str(text).map_err(|error| refuse(-32_700, error.to_string()))?;
        let request: Self =
            serde_json::from_value(value).map_err(|error| refuse(-32_600, error.to_string()))?;
        if request.jsonrpc == "2.0" {
            Ok(request)
        } else {
            Err(refuse(-32_600, "jsonrpc: accepted is \"2.0\"".to_owned()))
        }
    }

    /// A parameter that is a text of at most so many bytes.
    pub(super) fn text(&self, name: &str, bytes_max: usize) -> Result<&str, Refusal> {
        let text = self.params.get(name).and_then(Value::as_str);
        let text = text.filter(|text| (1..=bytes_max).contains(&text.len()));
        text.ok_or_else(|| Refusal::params(format!("{name}: a text of 1 to {bytes_max} bytes")))
    }
}

impl Refusal {
    /// The parameters are not what the method takes.
    pub(super) fn params(message: String) -> Self {
        Self {
            code: -32_602,
            message,
        }
    }

    /// There is no such method.
    pub(super) fn method() -> Self {
        Self {
            code: -32_601,
            message: "there is no such method".to_owned(),
        }
    }

    /// The side panel itself refuses.
    pub(super) fn own(message: &str) -> Self {
        Self {
            code: -32_000,
            message: message.to_owned(),
        }
    }
}

/// The answer to the call of this id.
pub(super) fn answer(id: &Value, result: Result<Value, Refusal>) -> String {
    match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(Refusal { code, message }) => {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
        }
    }
    .to_string()
}

/// Something that the other side has not asked for.
pub(super) fn notification(method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string()
}
