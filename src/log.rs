//! The log: one line of JSON for each thing that an operator may want to know later.
//!
//! Invariant: no token, cookie, query string or text from a target gets into a line.

use serde::Serialize;
use serde_json::Value;
use worker::console_log;

use crate::json;

#[derive(Serialize)]
struct Line<'a> {
    details: Value,
    event: &'a str,
    run: &'a str,
}

/// Writes one event. `run` is the run's identifier, empty for what belongs to no run.
pub(crate) fn event(event: &str, run: &str, details: Value) {
    let line = Line {
        details,
        event,
        run,
    };
    console_log!("{}", json::write(&line).unwrap_or_default());
}

/// What may be told about an error of the platform: the beginning of its text, on one line. Only for errors of
/// our own bindings, whose texts hold no user data.
pub(crate) fn brief(error: &worker::Error) -> String {
    error
        .to_string()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}
