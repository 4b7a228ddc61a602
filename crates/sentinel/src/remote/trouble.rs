//! What can come between a question and its answer, and what it means to whoever asked.
//!
//! Invariant: what a server said is shown without control characters, in bounded length, and never with the
//! token in it.

use serde_json::Value;

use crate::exit::{Exit, Stopped};

/// No more of what a server said is shown.
const SHOWN_CHARS_MAX: usize = 500;
/// No more problems of one scenario are shown.
const PROBLEMS_MAX: usize = 50;

/// Why there is no answer, or not the wanted one.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// The API understood, and said no.
    Refused(Refusal),
    /// Nothing was sent.
    Unreachable(String),
    /// Something was sent, and nobody knows what became of it.
    Lost(String),
    /// What answered is not the API.
    Foreign(String),
}

/// How the API says no.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// What programs tell refusals apart by.
    pub(crate) code: String,
    /// The reason, in words.
    pub(crate) message: String,
    /// All fields of the answer.
    pub(crate) fields: Value,
}

impl Trouble {
    /// Whether the same may work a little later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.status >= 500 || refusal.status == 429,
            Self::Unreachable(_) | Self::Lost(_) => true,
            Self::Foreign(_) => false,
        }
    }

    /// In one line.
    pub(crate) fn line(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.message,
            Self::Unreachable(message) | Self::Lost(message) | Self::Foreign(message) => message,
        }
    }
}

impl Refusal {
    /// What to do about it, if the API's own words do not say so.
    fn advice(&self) -> &'static str {
        match (self.status, self.code.as_str()) {
            (401, _) => ": is the token that of VISTA_TOKEN there?",
            (403, "") => ": something in front of the API refuses the request",
            (_, "confirmation_required") => "; here that is --confirm",
            (_, "already_running") => "; `sentinel remote watch ID` watches that one",
            _ => "",
        }
    }

    /// The problems that are listed beside the reason.
    fn problems(&self) -> impl Iterator<Item = String> {
        let problems = self.fields.get("problems").and_then(Value::as_array);
        let problems = problems.into_iter().flatten();
        problems.take(PROBLEMS_MAX).map(|problem| {
            let text = |field| problem.get(field).and_then(Value::as_str);
            let path = text("path").or(text("variable")).unwrap_or_default();
            let message = text("message").unwrap_or_default();
            bounded(&format!("{path}: {message}"))
        })
    }
}

impl From<Trouble> for Stopped {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(refusal) => {
                let mut message = format!(
                    "refused ({}{}{}): {}{}",
                    refusal.status,
                    if refusal.code.is_empty() { "" } else { " " },
                    refusal.code,
                    refusal.message,
                    refusal.advice()
                );
                let problems: Vec<String> = refusal.problems().collect();
                // A single one is the reason already.
                if problems.len() > 1 {
                    for problem in problems {
                        message.push_str("\n  ");
                        message.push_str(&problem);
                    }
                }
                // 408 and 5xx are not the caller's to mend.
                let exit = if refusal.status >= 500 || refusal.status == 408 {
                    Exit::RunFailed
                } else {
                    Exit::Invalid
                };
                Self { exit, message }
            }
            Trouble::Unreachable(message) | Trouble::Lost(message) | Trouble::Foreign(message) => {
                Self::failed(message)
            }
        }
    }
}

/// A text from outside, fit for a line of a terminal.
pub(crate) fn bounded(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SHOWN_CHARS_MAX)
        .collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(status: u16, code: &str, fields: Value) -> Stopped {
        Stopped::from(Trouble::Refused(Refusal {
            status,
            code: code.to_owned(),
            message: "why".to_owned(),
            fields,
        }))
    }

    #[test]
    fn what_the_caller_can_mend_is_told_apart_from_what_broke() {
        for status in [400, 401, 403, 404, 409, 413, 422, 423, 429] {
            assert_eq!(refused(status, "x", json!({})).exit, Exit::Invalid);
        }
        for status in [408, 500, 502, 503] {
            assert_eq!(refused(status, "x", json!({})).exit, Exit::RunFailed);
        }
    }

    #[test]
    fn several_problems_are_listed_and_one_is_not_repeated() {
        let problem = |path: &str| json!({"path": path, "message": "is wrong"});
        let stopped = refused(
            422,
            "invalid",
            json!({"problems": [problem("a"), problem("b")]}),
        );
        assert_eq!(
            stopped.message,
            "refused (422 invalid): why\n  a: is wrong\n  b: is wrong"
        );
        let stopped = refused(422, "invalid", json!({"problems": [problem("a")]}));
        assert_eq!(stopped.message, "refused (422 invalid): why");
    }

    #[test]
    fn what_a_server_says_cannot_move_the_cursor_or_fill_the_screen() {
        assert_eq!(bounded("a\x1b[2Jb\r\nc"), "a [2Jb  c");
        assert_eq!(bounded(&"é".repeat(10_000)).chars().count(), 501);
    }
}
