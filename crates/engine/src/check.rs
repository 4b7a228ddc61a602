//! Checks on answers, as k6 has them: counted as passed or failed, whatever becomes of the request.

use regex_lite::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::extractor::{Answer, Extractor, Found, searched_text};
use crate::json::to_string;
use crate::scenario::JsonType;

/// The number of a check in the plan: checks are numbered through all steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CheckId(pub u16);

/// A check on an answer.
#[derive(Clone, Debug)]
pub struct Check {
    /// The number of the check through all steps of the plan.
    pub id: CheckId,
    /// The name in the results.
    pub name: String,
    /// What is looked at.
    pub on: Extractor,
    /// What has to hold, at least one.
    pub conditions: Vec<Condition>,
    /// Whether the request counts as an error when the check fails.
    pub required: bool,
}

/// Something that has to hold for what a check looks at. What is not there fulfils none but `Exists(false)`.
#[derive(Clone, Debug)]
pub enum Condition {
    /// It is there, or it is not.
    Exists(bool),
    /// It is this value; outside of JSON, its text is that of the value.
    Equals(Value),
    /// It is another value.
    NotEquals(Value),
    /// It is of this type.
    Type(JsonType),
    /// This text occurs in it, or is a member of the array.
    Contains(String),
    /// The expression matches somewhere in it.
    Matches(Regex),
    /// It is this long: characters of a text, bytes of a body, members of an array or object.
    Length {
        /// At least this long.
        min: u64,
        /// At most this long.
        max: u64,
    },
}

impl Check {
    /// Whether all conditions hold. A body that was given up half-way passes no check that looks at it.
    pub(crate) fn passes(&self, answer: Answer<'_>) -> bool {
        let found = if self.on.wants_body() && answer.exchange.truncated {
            None
        } else {
            self.on.find(answer)
        };
        match found {
            Some(found) => self
                .conditions
                .iter()
                .all(|condition| condition.holds(&found)),
            None => {
                let absent = |condition: &Condition| matches!(condition, Condition::Exists(false));
                self.conditions.iter().all(absent) && !answer.exchange.truncated
            }
        }
    }
}

impl Condition {
    fn holds(&self, found: &Found<'_>) -> bool {
        match self {
            Self::Exists(wanted) => *wanted,
            Self::Equals(value) => equals(found, value),
            Self::NotEquals(value) => !equals(found, value),
            Self::Type(wanted) => matches!(found, Found::Json(value) if is_of_type(value, *wanted)),
            Self::Contains(text) => contains(found, text),
            Self::Matches(regex) => match found {
                Found::Text(found) => regex.is_match(found),
                Found::Body(body) => regex.is_match(&searched_text(body)),
                Found::Json(Value::String(found)) => regex.is_match(found),
                Found::Json(found) => regex.is_match(&to_string(found).unwrap_or_default()),
            },
            Self::Length { min, max } => length(found).is_some_and(|n| (*min..=*max).contains(&n)),
        }
    }
}

/// Whether what was found is this value; outside of JSON, whether its text is.
pub(crate) fn equals(found: &Found<'_>, expected: &Value) -> bool {
    let text_of = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => to_string(other).unwrap_or_default(),
    };
    match found {
        Found::Json(found) => json_equals(found, expected),
        Found::Text(found) => *found == text_of(expected),
        Found::Body(found) => *found == text_of(expected).as_bytes(),
    }
}

/// As JSON sees it, 1 and 1.0 are the same number.
fn json_equals(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| json_equals(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = |(key, a): (&String, &Value)| b.get(key).is_some_and(|b| json_equals(a, b));
            a.len() == b.len() && a.iter().all(same)
        }
        _ => found == expected,
    }
}

fn is_of_type(value: &Value, wanted: JsonType) -> bool {
    match (value, wanted) {
        (Value::Number(number), JsonType::Integer) => {
            number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        (Value::String(_), JsonType::String)
        | (Value::Number(_), JsonType::Number)
        | (Value::Bool(_), JsonType::Boolean)
        | (Value::Array(_), JsonType::Array)
        | (Value::Object(_), JsonType::Object)
        | (Value::Null, JsonType::Null) => true,
        _ => false,
    }
}

fn contains(found: &Found<'_>, wanted: &str) -> bool {
    match found {
        Found::Text(text) => text.contains(wanted),
        Found::Body(body) => String::from_utf8_lossy(body).contains(wanted),
        Found::Json(Value::String(text)) => text.contains(wanted),
        Found::Json(Value::Array(items)) => items.iter().any(|item| item.as_str() == Some(wanted)),
        Found::Json(_) => false,
    }
}

fn length(found: &Found<'_>) -> Option<u64> {
    let length = match found {
        Found::Text(text) => text.chars().count(),
        Found::Body(body) => body.len(),
        Found::Json(Value::String(text)) => text.chars().count(),
        Found::Json(Value::Array(items)) => items.len(),
        Found::Json(Value::Object(members)) => members.len(),
        Found::Json(_) => return None,
    };
    u64::try_from(length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extractor::compile_regex;
    use crate::parts::Parts;
    use crate::response::Exchange;
    use proptest::prelude::*;
    use serde_json::json;

    fn passes(on: &str, condition: Condition) -> bool {
        let body =
            json!({"n": 1, "t": "für", "list": ["a", "b"], "o": {"x": null}, "f": 1.5, "b": true});
        let text = body.to_string();
        let exchange = Exchange {
            status: 201,
            headers: &[(
                "content-type".to_owned(),
                "text/html; charset=utf-8".to_owned(),
            )],
            body: text.as_bytes(),
            bytes_received: 0,
            truncated: false,
            parts: Parts::default(),
        };
        let on = Extractor::parse(on).expect(on);
        let check = Check {
            id: CheckId(0),
            name: String::new(),
            on,
            conditions: vec![condition],
            required: false,
        };
        check.passes(Answer {
            exchange: &exchange,
            json: Some(&body),
        })
    }

    #[test]
    fn conditions_hold_for_what_they_say_and_nothing_else() {
        use Condition::{Contains, Equals, Exists, Length, NotEquals, Type};
        let matches = |pattern| Condition::Matches(compile_regex(pattern).expect(pattern));
        for (on, condition, expected) in [
            ("$.n", Exists(true), true),
            ("$.n", Exists(false), false),
            ("$.nothing", Exists(false), true),
            ("$.nothing", Exists(true), false),
            ("$.nothing", NotEquals(json!(1)), false),
            ("$.n", Equals(json!(1.0)), true),
            ("$.n", Equals(json!("1")), false),
            ("$.o", Equals(json!({"x": null})), true),
            ("$.o.x", Equals(json!(null)), true),
            ("$.list", NotEquals(json!(["a"])), true),
            ("status", Equals(json!(201)), true),
            ("status", Equals(json!("201")), true),
            ("status", NotEquals(json!(201)), false),
            ("header:content-type", Contains("html".to_owned()), true),
            ("header:Content-Type", Equals(json!("text/html")), false),
            ("header:location", Exists(false), true),
            ("$.list", Contains("b".to_owned()), true),
            ("$.list", Contains("c".to_owned()), false),
            ("$.t", Contains("ü".to_owned()), true),
            ("body", Contains("\"für\"".to_owned()), true),
            ("$.n", Type(JsonType::Integer), true),
            ("$.f", Type(JsonType::Integer), false),
            ("$.f", Type(JsonType::Number), true),
            ("$.list", Type(JsonType::Array), true),
            ("$.o", Type(JsonType::Array), false),
            ("$.o.x", Type(JsonType::Null), true),
            ("$.b", Type(JsonType::Boolean), true),
            ("$.t", Type(JsonType::String), true),
            ("$.t", matches("^f.r$"), true),
            ("$.n", matches("^[0-9]+$"), true),
            ("body", matches("\"n\": ?1"), true),
            ("status", matches("^2"), true),
            ("$.t", Length { min: 3, max: 3 }, true),
            (
                "$.list",
                Length {
                    min: 3,
                    max: u64::MAX,
                },
                false,
            ),
            ("$.o", Length { min: 0, max: 1 }, true),
            ("$.n", Length { min: 0, max: 1 }, false),
            (
                "body",
                Length {
                    min: 10,
                    max: 1_000,
                },
                true,
            ),
        ] {
            let shown = format!("{on} {condition:?}");
            assert_eq!(passes(on, condition), expected, "{shown}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 2))]
        #[test]
        fn no_pattern_and_no_body_is_too_strange(
            pattern in any::<String>(), near in "[a-c(|)*+?{}0-9\\[\\]^$.\\\\-]{0,24}", body in any::<Vec<u8>>(),
        ) {
            for pattern in [pattern, near] {
                if let Ok(regex) = compile_regex(&pattern) {
                    Condition::Matches(regex).holds(&Found::Body(&body));
                }
            }
        }
    }

    #[test]
    fn patterns_that_would_take_long_are_refused_or_do_not() {
        let body = "a".repeat(2 * 1024 * 1024);
        for (pattern, accepted) in [
            ("(a*)*b", true),
            ("(a|a)*b", true),
            ("(.*)(.*)(.*)(.*)x", true),
            ("a{1000}b", false),
            ("((a{0,30}){0,30}){0,30}b", false),
        ] {
            let regex = compile_regex(pattern);
            assert_eq!(regex.is_ok(), accepted, "{pattern}");
            if let Ok(regex) = regex {
                assert!(
                    !Condition::Matches(regex).holds(&Found::Body(body.as_bytes())),
                    "{pattern}"
                );
            }
        }
    }
}
