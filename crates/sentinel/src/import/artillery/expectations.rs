//! What a request captures and expects: Artillery's `capture`, `match` and the plugin's `expect`.

use serde_json::{Map, Value, json};

use super::template::Scope;
use crate::import::draft::Names;
use crate::import::tree::Node;

const NO_EQUAL: &str = "there is no check like it";

/// The values that a request takes from its answer.
pub(super) fn extract(request: &Node<'_>, scope: &Scope) -> Map<String, Value> {
    let mut extract = Map::new();
    let captures = request.get("capture").map(|capture| capture.items());
    for capture in captures.unwrap_or_default() {
        let Some(place) = place(&capture) else {
            capture.leave(
                "values are found by JSON path, header field, cookie and regular expression",
            );
            continue;
        };
        let Some(name) = capture.get("as").and_then(|name| name.text()) else {
            capture.leave("names no variable");
            continue;
        };
        let is_loose = capture.get("strict").and_then(|strict| strict.truth()) == Some(false);
        let rule = if is_loose {
            json!({ "from": place, "default": "" })
        } else {
            json!(place)
        };
        extract.insert(scope.captured(name), rule);
        capture.leave_member("transform", "functions are not carried over");
    }
    extract
}

fn place(capture: &Node<'_>) -> Option<String> {
    if let Some(path) = capture.get("json") {
        let written = path.value().as_str()?;
        if !sentinel_accepts(written) {
            return None;
        }
        path.carry();
        return Some(written.to_owned());
    }
    if let Some(header) = capture.get("header").and_then(|header| header.text()) {
        return Some(format!("header:{header}"));
    }
    if let Some(cookie) = capture.get("cookie").and_then(|cookie| cookie.text()) {
        return Some(format!("cookie:{cookie}"));
    }
    let pattern = capture.get("regexp")?;
    // Ours takes the first group when there is one.
    let group = capture.get("group");
    if group
        .as_ref()
        .is_some_and(|group| group.value() != &json!(1))
    {
        return None;
    }
    let written = format!("regex:{}", pattern.value().as_str()?);
    if !sentinel_accepts(&written) {
        return None;
    }
    pattern.carry();
    if let Some(group) = group {
        group.carry();
    }
    Some(written)
}

/// Whether the engine finds values in such a place.
fn sentinel_accepts(place: &str) -> bool {
    sentinel_engine::extractor::Extractor::parse(place).is_ok()
}

/// What a request expects of its answer.
pub(super) fn expect(request: &Node<'_>) -> Map<String, Value> {
    let mut status = Vec::new();
    let mut checks = Checks::default();
    if let Some(matched) = request.get("match") {
        match (matched.get("json"), matched.get("value")) {
            (Some(path), Some(value)) => checks.equals(&matched, &path, &value),
            _ => matched.leave(NO_EQUAL),
        }
    }
    let expectations = request.get("expect").map(|expect| expect.items());
    for (kind, value) in expectations
        .unwrap_or_default()
        .iter()
        .flat_map(Node::members)
    {
        match kind {
            "statusCode" => {
                let codes = value.items();
                let numbers = codes.iter().filter_map(Node::number);
                let whole = numbers.filter(|number| (100.0..600.0).contains(number));
                status.extend(whole.map(|number| json!(number as u16))); // three digits
            }
            "contentType" => match value.text() {
                Some("json") => checks.push(
                    json!({"on": "header:Content-Type", "contains": "json"}),
                    "content type",
                ),
                Some(kind) => checks.push(
                    json!({"on": "header:Content-Type", "contains": kind}),
                    "content type",
                ),
                None => {}
            },
            "hasHeader" => {
                if let Some(name) = value.text() {
                    checks.push(
                        json!({"on": format!("header:{name}"), "exists": true}),
                        &format!("has {name}"),
                    );
                }
            }
            "headerEquals" => match value.list().as_slice() {
                [name, wanted] => {
                    if let (Some(name), Some(wanted)) = (name.text(), wanted.scalar()) {
                        let check = json!({"on": format!("header:{name}"), "equals": wanted});
                        checks.push(check, &format!("{name} equals"));
                    }
                }
                _ => value.leave(NO_EQUAL),
            },
            "hasProperty" => checks.property(&value, true),
            "notHasProperty" => checks.property(&value, false),
            "matchesRegexp" => match value.value().as_str() {
                Some(pattern) if sentinel_accepts(&format!("regex:{pattern}")) => {
                    value.carry();
                    checks.push(json!({"on": "body", "matches": pattern}), "matches");
                }
                _ => value.leave(NO_EQUAL),
            },
            _ => value.leave(NO_EQUAL),
        }
    }
    let mut expect = Map::new();
    if !status.is_empty() {
        expect.insert("status".to_owned(), Value::Array(status));
    }
    if !checks.list.is_empty() {
        expect.insert("checks".to_owned(), Value::Array(checks.list));
    }
    expect
}

#[derive(Default)]
struct Checks {
    list: Vec<Value>,
    names: Names,
}

impl Checks {
    fn push(&mut self, mut check: Value, name: &str) {
        check["name"] = json!(self.names.unique(name));
        // With the plugin, what is not as expected fails the request.
        check["required"] = json!(true);
        self.list.push(check);
    }

    fn equals(&mut self, matched: &Node<'_>, path: &Node<'_>, value: &Node<'_>) {
        let is_template = value
            .value()
            .as_str()
            .is_some_and(|text| text.contains("{{"));
        let written = path.value().as_str().filter(|path| sentinel_accepts(path));
        let Some(written) = written.filter(|_| !is_template) else {
            matched.leave(
                "what is compared has to be a JSON path and a value that is known beforehand",
            );
            return;
        };
        path.carry();
        value.carry();
        let name = format!("{written} matches");
        self.push(json!({"on": written, "equals": value.value()}), &name);
    }

    fn property(&mut self, value: &Node<'_>, exists: bool) {
        let written = value.value().as_str().unwrap_or_default();
        let path = if written.starts_with('$') {
            written.to_owned()
        } else {
            format!("$.{written}")
        };
        if written.is_empty() || !sentinel_accepts(&path) {
            value.leave(NO_EQUAL);
            return;
        }
        value.carry();
        let name = if exists {
            format!("has {written}")
        } else {
            format!("has no {written}")
        };
        self.push(json!({"on": path, "exists": exists}), &name);
    }
}
