//! Scenarios of Artillery's engine `ws`: one session over a WebSocket each.

use serde_json::{Value, json};

use super::template::Scope;
use crate::import::draft::{Draft, Names};
use crate::import::tree::Node;

/// Steps as those of a session, opened at the path of the script's target.
pub(super) fn session(steps: &[Value], target: Option<&str>) -> Value {
    json!({ "name": "session", "ws": { "url": path(target.unwrap_or_default()), "steps": steps } })
}

/// A message as a step. As in Artillery, nobody waits for an answer.
pub(super) fn send(send: &Node<'_>, draft: &mut Draft, scope: &Scope, names: &mut Names) -> Value {
    let content = send.get("json").unwrap_or_else(|| send.clone());
    content.carry();
    let written = content.value();
    let called = ["method", "type"]
        .iter()
        .find_map(|field| written.get(field)?.as_str())
        .unwrap_or("message");
    let name = names.unique(&called.replace("{{", "{").replace("}}", "}"));
    let message = match scope.translate_json(written, &content, draft) {
        Value::Object(members) => json!({ "json": members }),
        Value::String(text) => json!({ "text": text }),
        other => json!({ "text": other.to_string() }),
    };
    json!({ "name": name, "send": message })
}

/// The address that requests are sent to, of a target that WebSockets are opened at.
pub(super) fn origin(target: &str) -> String {
    match target.strip_prefix("ws") {
        Some(rest) if rest.starts_with("://") || rest.starts_with("s://") => {
            let rest = rest.strip_suffix(path(target)).unwrap_or(rest);
            format!("http{rest}")
        }
        _ => target.to_owned(),
    }
}

/// The path of an address, with its query.
fn path(target: &str) -> &str {
    let (_, rest) = target.split_once("://").unwrap_or(("", target));
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_of_websockets_is_an_address_and_a_path() {
        for (target, expected) in [
            ("ws://localhost:3000", ("http://localhost:3000", "/")),
            ("wss://a.example/ws?v=1", ("https://a.example", "/ws?v=1")),
            ("https://a.example/b", ("https://a.example/b", "/b")),
        ] {
            assert_eq!((origin(target).as_str(), path(target)), expected);
        }
    }
}
