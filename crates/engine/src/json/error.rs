//! What is wrong with a text, and where.

use std::fmt::{self, Display, Write as _};

use serde::de::{Expected, Unexpected};

use super::place;

/// Why a text could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not JSON; the error tells the line and the column.
    #[error(transparent)]
    Syntax(serde_json::Error),
    /// It is JSON, but not of the form that is wanted.
    #[error("{problem} at line {line} column {column}")]
    Content {
        /// Where in the document, such as `steps[0].name`; empty for the whole of it.
        path: String,
        /// What is wrong there, and what is accepted.
        problem: String,
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1.
        column: usize,
    },
}

impl Error {
    /// Where in the document, such as `steps[0].name`; empty for the whole of it.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Syntax(_) => "",
            Self::Content { path, .. } => path,
        }
    }
}

/// What a type refuses, with the way to it that is known so far. In a box, because all that is read passes on the
/// possibility of one.
#[derive(Debug)]
pub(super) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    problem: String,
    /// From the value to the root.
    steps: Vec<Step>,
}

/// A step into a document.
#[derive(Debug)]
pub(super) struct Step {
    /// Which item or member, from 0.
    pub(super) index: usize,
    /// The member's key, `None` for an item of a list.
    pub(super) key: Option<String>,
    /// Whether the fault is the key itself.
    pub(super) is_key: bool,
}

impl Fault {
    fn new(problem: String) -> Self {
        let steps = Vec::new();
        Self(Box::new(Inner { problem, steps }))
    }

    /// Something else was expected than what is there.
    pub(super) fn unexpected(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found: &dyn Display = match &found {
            // serde's word for it is "unit value".
            Unexpected::Unit => &"null",
            found => found,
        };
        Self::new(format!("invalid type: {found}, expected {expected}"))
    }

    /// The fault, seen from what holds the value.
    pub(super) fn inside(mut self, step: Step) -> Self {
        self.0.steps.push(step);
        self
    }

    /// Whether it is not known to be deeper than where it was noticed.
    pub(super) fn is_here(&self) -> bool {
        self.0.steps.is_empty()
    }

    /// The error that says it all.
    pub(super) fn found_in(self, json: &[u8]) -> Error {
        let Inner { problem, mut steps } = *self.0;
        steps.reverse();
        let (line, column) = place::of(json, &steps);
        Error::Content {
            path: path(&steps),
            problem,
            line,
            column,
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.problem)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: Display>(problem: T) -> Self {
        Self::new(problem.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::unexpected(found, expected)
    }
}

fn path(steps: &[Step]) -> String {
    let mut path = String::new();
    for Step { index, key, .. } in steps {
        // Writing to a text does not fail.
        let _ = match key {
            None => write!(path, "[{index}]"),
            Some(key) if path.is_empty() => write!(path, "{key}"),
            Some(key) => write!(path, ".{key}"),
        };
    }
    path
}

#[cfg(test)]
mod tests {
    use crate::sorted::SortedMap;

    use serde::Deserialize;

    use crate::json::from_str;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Outer {
        whole: u8,
        #[serde(default)]
        kinds: Vec<Kind>,
        #[serde(default)]
        by_number: SortedMap<u32, (bool, String)>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    enum Kind {
        Plain,
        Of(Option<f64>),
        With { text: String },
    }

    #[test]
    fn errors_tell_the_path_and_the_place() {
        for (json, path, message) in [
            (
                "{\"whole\": \"1\"}",
                "whole",
                "invalid type: string \"1\", expected u8 at line 1 column 13",
            ),
            (
                "{\"whole\":\n 256 }",
                "whole",
                "invalid value: integer `256`, expected u8 at line 2 column 4",
            ),
            (
                "{\"whole\": 1, \"whole\": 1}",
                "whole",
                "duplicate field `whole` at line 1 column 20",
            ),
            (
                "{\"whole\": 1, \"hole\": 1}",
                "hole",
                "unknown field `hole`, expected one of `whole`, `kinds`, `byNumber` at line 1 column 19",
            ),
            ("{\n}\n", "", "missing field `whole` at line 2 column 1"),
            (
                "[1]",
                "",
                "invalid type: sequence, expected struct Outer at line 1 column 3",
            ),
            (
                "{\"whole\": 1, \"kinds\": [\"plain\", {\"of\": \"]},\\\"\"}]}",
                "kinds[1].of",
                "invalid type: string \"]},\\\"\", expected f64 at line 1 column 46",
            ),
            (
                "{\"whole\": 1, \"kinds\": [{\"with\": {\"text\": null}}]}",
                "kinds[0].with.text",
                "invalid type: null, expected a string at line 1 column 45",
            ),
            (
                "{\"whole\": 1, \"kinds\": [{\"with\": {}}]}",
                "kinds[0].with",
                "missing field `text` at line 1 column 34",
            ),
            (
                "{\"whole\": 1, \"kinds\": [\"of\"]}",
                "kinds[0]",
                "invalid type: unit variant, expected newtype variant at line 1 column 27",
            ),
            (
                "{\"whole\": 1, \"kinds\": [{\"plain\": 1}]}",
                "kinds[0].plain",
                "invalid type: integer `1`, expected unit variant at line 1 column 34",
            ),
            (
                "{\"whole\": 1, \"kinds\": [\"odd\"]}",
                "kinds[0]",
                "unknown variant `odd`, expected one of `plain`, `of`, `with` at line 1 column 28",
            ),
            (
                "{\"whole\": 1, \"kinds\": [{\"of\": 1, \"plain\": null}]}",
                "kinds[0]",
                "invalid type: map, expected a variant, or an object with one alone at line 1 column 47",
            ),
            (
                "{\"whole\": 1, \"byNumber\": {\"x\": [true, \"\"]}}",
                "byNumber.x",
                "invalid type: string \"x\", expected u32 at line 1 column 29",
            ),
            (
                "{\"whole\": 1, \"byNumber\": {\"7\": [true, \"\", 1]}}",
                "byNumber.7",
                "invalid length 3, expected 2 items at line 1 column 44",
            ),
            (
                "{\"whole\": 1, \"byNumber\": {\"7\": [true]}}",
                "byNumber.7",
                "invalid length 1, expected a tuple of size 2 at line 1 column 37",
            ),
            (
                "{\"whole\": 1",
                "",
                "EOF while parsing an object at line 1 column 11",
            ),
            (
                "{\"whole\": 1} x",
                "",
                "trailing characters at line 1 column 14",
            ),
        ] {
            let error = from_str::<Outer>(json).expect_err(json);
            assert_eq!((error.path(), error.to_string().as_str()), (path, message));
        }
    }
}
