//! The document that is imported, with a mark on each value that was carried over or listed.
//!
//! Invariant: a value without a mark is listed at the end, so that nothing is left out silently, whatever an importer
//! forgets or does not know.

use std::cell::RefCell;
use std::collections::HashSet;

use serde_json::Value;

use super::report::Report;

/// A value of the document, and where it stands.
#[derive(Clone)]
pub(super) struct Node<'a> {
    value: &'a Value,
    path: String,
    marks: &'a Marks,
}

/// Which values are dealt with, and what was left out.
#[derive(Default)]
pub(super) struct Marks {
    // The document does not change or move while it is read, so that a value is known by its address.
    marked: RefCell<HashSet<*const Value>>,
    report: RefCell<Report>,
}

/// Why a value is listed that nobody has asked for.
const UNKNOWN: &str = "the import does not know it";

impl<'a> Node<'a> {
    /// The whole document.
    pub(super) fn root(value: &'a Value, marks: &'a Marks) -> Self {
        Self {
            value,
            path: String::new(),
            marks,
        }
    }

    /// The value itself; looking at it marks nothing.
    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    /// A member of an object, unless it is missing or null.
    pub(super) fn get(&self, name: &str) -> Option<Self> {
        let member = self.member(name)?;
        if member.value.is_null() {
            member.carry();
            return None;
        }
        Some(member)
    }

    /// The members of an object.
    pub(super) fn members(&self) -> Vec<(&'a str, Self)> {
        let members = self.value.as_object().into_iter().flatten();
        members
            .filter_map(|(name, _)| Some((name.as_str(), self.member(name)?)))
            .collect()
    }

    /// The items of a list; anything else is a list of itself.
    pub(super) fn items(&self) -> Vec<Self> {
        match self.value {
            Value::Array(items) => (0..)
                .zip(items)
                .map(|(at, value)| Self {
                    value,
                    path: format!("{}[{at}]", self.path),
                    marks: self.marks,
                })
                .collect(),
            _ => vec![self.clone()],
        }
    }

    /// The items of a list, none when it is no list.
    pub(super) fn list(&self) -> Vec<Self> {
        if self.value.is_array() {
            self.items()
        } else {
            Vec::new()
        }
    }

    /// A text, which is carried over; `None` leaves the value unmarked.
    pub(super) fn text(&self) -> Option<&'a str> {
        let text = self.value.as_str()?;
        self.carry();
        Some(text)
    }

    /// A text, number or truth value as text, which is carried over.
    pub(super) fn scalar(&self) -> Option<String> {
        let text = match self.value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        self.carry();
        Some(text)
    }

    /// A number, also one that is written as text, which is carried over.
    pub(super) fn number(&self) -> Option<f64> {
        let number = match self.value {
            Value::String(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
            value => value.as_f64(),
        }?;
        self.carry();
        Some(number)
    }

    /// A truth value, which is carried over.
    pub(super) fn truth(&self) -> Option<bool> {
        let truth = self.value.as_bool()?;
        self.carry();
        Some(truth)
    }

    /// It is in what comes out, with everything in it.
    pub(super) fn carry(&self) {
        self.marks.marked.borrow_mut().insert(self.value);
    }

    /// It is not in what comes out, for a reason that is listed.
    pub(super) fn leave(&self, reason: impl Into<String>) {
        self.carry();
        self.note(reason);
    }

    /// Something about it is listed; whether it is carried over is another question.
    pub(super) fn note(&self, reason: impl Into<String>) {
        self.marks
            .report
            .borrow_mut()
            .leave(&self.path, reason.into());
    }

    /// Leaves a member out for a reason, if it is there.
    pub(super) fn leave_member(&self, name: &str, reason: &str) {
        if let Some(member) = self.get(name) {
            member.leave(reason);
        }
    }

    /// A value that has to be filled in before a run: a variable of this name takes its place.
    pub(super) fn fill_in(&self, variable: &str, what: &str) {
        self.marks
            .report
            .borrow_mut()
            .fill_in(variable, what, &self.path);
    }

    fn member(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name)?;
        let shown: String = name.chars().take(80).collect();
        let plain = |c: char| c.is_alphanumeric() || "_-$/".contains(c);
        let path = if shown.is_empty() || !shown.chars().all(plain) {
            format!("{}[{shown:?}]", self.path)
        } else if self.path.is_empty() {
            shown
        } else {
            format!("{}.{shown}", self.path)
        };
        Some(Self {
            value,
            path,
            marks: self.marks,
        })
    }

    /// Lists everything in it that nobody has dealt with, at the highest place that has nothing else in it.
    fn list_rest(&self) -> bool {
        if self
            .marks
            .marked
            .borrow()
            .contains(&std::ptr::from_ref(self.value))
        {
            return true;
        }
        let inner = match self.value {
            Value::Array(_) => self.items(),
            _ => self
                .members()
                .into_iter()
                .map(|(_, member)| member)
                .collect(),
        };
        let dealt: Vec<(Self, bool)> = inner
            .into_iter()
            .map(|node| {
                let dealt = node.is_touched();
                (node, dealt)
            })
            .collect();
        if !dealt.iter().any(|(_, dealt)| *dealt) {
            return false;
        }
        for (node, _) in dealt {
            if !node.list_rest() {
                node.leave(UNKNOWN);
            }
        }
        true
    }

    /// Whether anybody has dealt with it or something in it.
    fn is_touched(&self) -> bool {
        fn touched(value: &Value, marked: &HashSet<*const Value>) -> bool {
            marked.contains(&std::ptr::from_ref(value))
                || match value {
                    Value::Array(items) => items.iter().any(|item| touched(item, marked)),
                    Value::Object(members) => members.values().any(|item| touched(item, marked)),
                    _ => false,
                }
        }
        touched(self.value, &self.marks.marked.borrow())
    }
}

impl Marks {
    /// What was left out, with everything of the document that nobody has dealt with.
    pub(super) fn finish(self, document: &Value) -> Report {
        let root = Node::root(document, &self);
        if !root.list_rest() {
            root.leave(UNKNOWN);
        }
        self.report.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn listed(document: &Value, import: impl FnOnce(&Node<'_>)) -> Vec<(String, String)> {
        let marks = Marks::default();
        import(&Node::root(document, &marks));
        let report = marks.finish(document);
        report
            .left()
            .map(|(path, reason)| (path.to_owned(), reason.to_owned()))
            .collect()
    }

    #[test]
    fn what_nobody_asks_for_is_listed_at_the_highest_place() {
        let document =
            json!({"a": {"b": 1, "c": {"d": [1, 2], "e": {}}}, "f": [], "g": null, "h i": [7]});
        let found = listed(&document, |root| {
            root.get("a").unwrap().get("b").unwrap().number().unwrap();
            assert!(root.get("g").is_none());
        });
        let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["a.c", "f", "[\"h i\"]"]);
        assert!(found.iter().all(|(_, reason)| reason == UNKNOWN));
        assert_eq!(listed(&document, |_| {}).len(), 1, "the whole is one");
    }

    #[test]
    fn a_value_of_another_type_than_asked_for_is_not_dealt_with() {
        let document = json!({"a": 7, "b": "x", "c": ["1.5", true]});
        let found = listed(&document, |root| {
            assert_eq!(root.get("a").unwrap().text(), None);
            assert_eq!(root.get("b").unwrap().number(), None);
            let items = root.get("c").unwrap().items();
            assert_eq!(
                (items[0].number(), items[1].truth()),
                (Some(1.5), Some(true))
            );
        });
        let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["a", "b"]);
    }
}
