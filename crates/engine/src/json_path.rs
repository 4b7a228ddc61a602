//! Where in a JSON document something is found: a JSON path.
//!
//! Most paths name one place, as `$.user.id` and `$.items[0]` do. Those are followed without the lists and the
//! bookkeeping that paths to many places need.

use serde_json::Value;
use serde_json_path::{JsonPath, ParseError};

/// A place in a document, or many.
#[derive(Clone, Debug)]
pub struct Path {
    path: JsonPath,
    steps: Option<Vec<Step>>, // those to the one place that is named
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
}

impl Path {
    /// Parses a path of RFC 9535.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn parse(text: &str) -> Result<Self, ParseError> {
        let path = JsonPath::parse(text)?;
        let steps = steps(text);
        Ok(Self { path, steps })
    }

    /// What is found first.
    pub(crate) fn first<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        let Some(steps) = &self.steps else {
            return self.path.query(document).first();
        };
        steps.iter().try_fold(document, |value, step| match step {
            Step::Member(name) => value.as_object()?.get(name),
            Step::Element(at) => value.as_array()?.get(*at),
        })
    }

    /// All that is found.
    pub(crate) fn all<'a>(&self, document: &'a Value) -> Vec<&'a Value> {
        self.path.query(document).all()
    }
}

/// The steps of a path that is written with nothing but `.name` and `[0]`, `None` of any other.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(names) = rest.strip_prefix('.') {
            let is_of_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
            let (name, next) =
                names.split_at(names.find(|c| !is_of_name(c)).unwrap_or(names.len()));
            // `..` goes into all depths, and `.*` to every member.
            name.chars().next().filter(|c| !c.is_ascii_digit())?;
            steps.push(Step::Member(name.to_owned()));
            rest = next;
        } else {
            let (at, next) = rest.strip_prefix('[')?.split_once(']')?;
            let is_number = at.bytes().all(|byte| byte.is_ascii_digit());
            steps.push(Step::Element(is_number.then(|| at.parse().ok())??));
            rest = next;
        }
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_that_name_one_place_are_followed_step_by_step() {
        let member = |name: &str| Step::Member(name.to_owned());
        assert_eq!(steps("$"), Some(vec![]));
        assert_eq!(
            steps("$.a.b_2[10].c"),
            Some(vec![
                member("a"),
                member("b_2"),
                Step::Element(10),
                member("c")
            ])
        );
        for path in [
            "$..a",
            "$.*",
            "$[*]",
            "$[-1]",
            "$['a']",
            "$[0:1]",
            "$[0,1]",
            "$.a[?@.b]",
            "$.",
            "$[",
            "$[]",
            "$.é",
            "$. a",
            "$.1",
            "a",
            "$[99999999999999999999999]",
        ] {
            assert_eq!(steps(path), None, "{path}");
        }
    }

    fn document() -> Value {
        let end = json!({"a": [], "b": {}, "_": "", "c": null});
        let list = json!([end, [end, 1, [2, true]], {"b": [end, end]}]);
        let object = json!({"a": list, "b": {"a": end, "b": list}, "_": [list, end, [], {"a": 0}]});
        json!({"a": object, "b": [object, list, end], "_": list})
    }

    proptest! {
        #[test]
        fn the_short_way_finds_what_the_long_one_finds(path in r"\$(\.[ab_]|\[[0-3]\]){0,5}") {
            let (path, document) = (Path::parse(&path).unwrap(), document());
            prop_assert!(path.steps.is_some());
            prop_assert_eq!(path.first(&document), path.path.query(&document).first());
        }

        #[test]
        fn whatever_is_a_path_finds_the_same(text in r"\$[.\[\]0-3ab*?_ -]{0,6}") {
            if let Ok(path) = Path::parse(&text) {
                let document = document();
                prop_assert_eq!(path.first(&document), path.path.query(&document).first());
            }
        }
    }
}
