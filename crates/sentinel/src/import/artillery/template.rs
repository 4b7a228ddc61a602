//! Artillery's templates in our words.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::import::draft::{Draft, literal, variable};
use crate::import::tree::Node;

/// What names in templates stand for.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// Variables that some request captures: their name there and here.
    captured: BTreeMap<String, String>,
    /// Other names, with the place that stands for them.
    places: BTreeMap<String, String>,
    /// The place of the loop's element, innermost last.
    elements: Vec<String>,
}

impl Scope {
    /// The scope of a script: it knows what is captured anywhere in it.
    pub(super) fn of(root: &Node<'_>) -> Self {
        let mut names = BTreeSet::new();
        captures(root.value(), &mut names);
        let captured = names
            .into_iter()
            .map(|name| (name.to_owned(), variable(name)));
        Self {
            captured: captured.collect(),
            ..Self::default()
        }
    }

    /// A name stands for a place.
    pub(super) fn define(&mut self, name: &str, place: String) {
        self.places.entry(name.to_owned()).or_insert(place);
    }

    /// The name of a captured variable here.
    pub(super) fn captured(&self, name: &str) -> String {
        self.captured
            .get(name)
            .cloned()
            .unwrap_or_else(|| variable(name))
    }

    /// A loop over a table begins; its element is this place.
    pub(super) fn enter(&mut self, element: String) {
        self.elements.push(element);
    }

    /// The innermost loop over a table ends.
    pub(super) fn exit(&mut self) {
        self.elements.pop();
    }

    /// A text with its places in our words. What has no equal becomes a value that has to be filled in.
    pub(super) fn translate(&self, text: &str, node: &Node<'_>, draft: &mut Draft) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((expression, tail)) = after.split_once("}}") else {
                break;
            };
            out.push_str(before);
            out.push_str(&self.place(expression.trim(), node, draft));
            rest = tail;
        }
        out.push_str(&literal(rest));
        out
    }

    /// The same in all texts of a JSON value.
    pub(super) fn translate_json(
        &self,
        value: &Value,
        node: &Node<'_>,
        draft: &mut Draft,
    ) -> Value {
        match value {
            Value::String(text) => Value::String(self.translate(text, node, draft)),
            Value::Array(items) => {
                let items = items
                    .iter()
                    .map(|item| self.translate_json(item, node, draft));
                Value::Array(items.collect())
            }
            Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| (name.clone(), self.translate_json(value, node, draft)));
                Value::Object(members.collect())
            }
            other => other.clone(),
        }
    }

    fn place(&self, expression: &str, node: &Node<'_>, draft: &mut Draft) -> String {
        if let Some(name) = self.captured.get(expression) {
            return format!("{{{{{name}}}}}");
        }
        if let Some(place) = self.places.get(expression) {
            return place.clone();
        }
        if let Some(place) = self.built_in(expression) {
            return place;
        }
        let environment = ["$processEnvironment.", "$env.", "process.env."];
        let from_environment = environment
            .iter()
            .find_map(|prefix| expression.strip_prefix(prefix));
        let (name, what) = match from_environment {
            Some(name) => (name, "a variable of the environment"),
            None => (
                expression,
                "a value that only a function of the script sets",
            ),
        };
        let (name, place) = draft.fill_in(name.trim_start_matches('$'));
        node.fill_in(&name, what);
        place
    }

    fn built_in(&self, expression: &str) -> Option<String> {
        let (name, arguments) = match expression.split_once('(') {
            Some((name, rest)) => (name.trim(), rest.strip_suffix(')')?),
            None => (expression, ""),
        };
        let numbers: Option<Vec<u32>> = arguments
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(|text| text.parse().ok())
            .collect();
        match (name, numbers?.as_slice()) {
            ("$uuid" | "$randomUUID", []) => Some("{{uuid}}".to_owned()),
            ("$timestamp", []) => Some("{{timestamp}}".to_owned()),
            ("$randomNumber", []) => Some("{{randomInt(0,100)}}".to_owned()),
            ("$randomNumber", [low, high]) if low <= high => {
                Some(format!("{{{{randomInt({low},{high})}}}}"))
            }
            ("$randomString", []) => Some("{{randomString(10)}}".to_owned()),
            ("$randomString", [length @ 1..=1_024]) => {
                Some(format!("{{{{randomString({length})}}}}"))
            }
            ("$loopElement" | "$loopValue", []) => self.elements.last().cloned(),
            _ => None,
        }
    }
}

/// The names after `as` in all `capture`s.
fn captures<'a>(value: &'a Value, names: &mut BTreeSet<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| captures(item, names)),
        Value::Object(members) => {
            for (name, member) in members {
                if name == "capture" {
                    let several = member.as_array().map(Vec::as_slice);
                    let each = several.unwrap_or(std::slice::from_ref(member));
                    names.extend(each.iter().filter_map(|one| one.get("as")?.as_str()));
                } else {
                    captures(member, names);
                }
            }
        }
        _ => {}
    }
}
