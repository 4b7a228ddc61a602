//! What is wrong with a template, told with what is accepted.

use super::source::{ACCEPTED_FUNCTIONS, ACCEPTED_NAMES};

/// A text that is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Close the place with `}}`.
    #[error("the place {{{{{place} is not closed: it must end in }}}}")]
    NotClosed {
        /// How the place begins.
        place: String,
    },
    /// Extract the variable in some step, or correct its name.
    #[error(
        "unknown variable {name:?}: accepted are variables that a step of the plan extracts, \
         data.table.column, env.NAME, {ACCEPTED_NAMES} and the functions {ACCEPTED_FUNCTIONS}"
    )]
    UnknownVariable {
        /// The name.
        name: String,
    },
    /// Use one of the functions that exist.
    #[error("unknown function {name:?}: accepted are {ACCEPTED_FUNCTIONS}")]
    UnknownFunction {
        /// The name.
        name: String,
    },
    /// Give the function what it takes.
    #[error("{function} takes {takes}, not {given}")]
    Arguments {
        /// The function.
        function: &'static str,
        /// What it takes.
        takes: &'static str,
        /// What it was given.
        given: String,
    },
    /// Correct the name of the table or of the column.
    #[error("{problem}")]
    UnknownData {
        /// What is unknown, and what is known.
        problem: String,
    },
    /// Write a name or a call.
    #[error(
        "{place:?} is not understood: accepted are {{{{name}}}}, {{{{data.table.column}}}} and calls such as \
         {{{{randomInt(1,6)}}}}, {{{{choice(a,b)}}}} and {{{{hmacSha256('key',token)}}}}"
    )]
    NotUnderstood {
        /// What stands in the place.
        place: String,
    },
    /// Use fewer calls.
    #[error("more than 4 calls inside of each other")]
    TooDeep,
    /// Use it as the whole body.
    #[error("{{{{mediaBytes}}}} is binary and accepted only as a whole body")]
    MediaInText,
    /// Shorten the text.
    #[error("longer than 65536 bytes")]
    TooLong,
    /// Use fewer places.
    #[error("more than 256 places to fill in")]
    TooManyPlaces,
}

/// How much of a rejected text an error repeats.
const SHOWN_CHARS: usize = 40;

pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}
