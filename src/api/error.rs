//! What the API answers when it cannot do what was asked.
//!
//! Invariant: an error is `{"error", "code"}` and what the code promises besides; it never holds a secret, and
//! of what the caller sent only what was rejected.

use sentinel_engine::plan::{Problem, Problems};
use serde_json::{Map, Value};

use crate::config::ConfigProblems;
use crate::json::document;

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiError {
    /// The HTTP status.
    pub(crate) status: u16,
    /// What programs tell errors apart by.
    pub(crate) code: &'static str,
    /// What people read.
    pub(crate) message: String,
    /// Further fields of the answer.
    pub(crate) details: Map<String, Value>,
    /// A header field of the answer.
    pub(crate) header: Option<(&'static str, String)>,
}

impl ApiError {
    /// An error without further fields.
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            details: Map::new(),
            header: None,
        }
    }

    /// The same error with a further field.
    pub(crate) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.details.insert(field.to_owned(), value.into());
        self
    }

    /// There is nothing here. The same answer for what does not exist and for what the caller may not see.
    pub(crate) fn not_found() -> Self {
        Self::new(404, "not_found", "there is nothing at this address")
    }

    /// There is no such run.
    pub(crate) fn no_run() -> Self {
        Self::new(404, "run_not_found", "run not found")
    }

    /// There is no such scenario.
    pub(crate) fn no_scenario(known: &[&str]) -> Self {
        Self::new(404, "scenario_not_found", "scenario not found").with("known", known)
    }

    /// The resource does not know the method.
    pub(crate) fn method(accepted: &'static str) -> Self {
        Self {
            header: Some(("allow", accepted.to_owned())),
            ..Self::new(
                405,
                "method_not_allowed",
                format!("this address accepts {accepted}"),
            )
        }
    }

    /// The caller did not authenticate.
    pub(crate) fn unauthorized() -> Self {
        Self {
            header: Some(("www-authenticate", "Bearer".to_owned())),
            ..Self::new(
                401,
                "unauthorized",
                "send the header authorization: Bearer <token> with the API's token",
            )
        }
    }

    /// Some values cannot be accepted; all of them are told at once.
    pub(crate) fn problems(problems: Vec<Problem>) -> Self {
        let message = match problems.as_slice() {
            [only] => format!("{}: {}", only.path, only.message),
            all => format!("{} problems, see \"problems\"", all.len()),
        };
        Self::new(422, "invalid", message).with("problems", document!(problems))
    }

    /// Everything is stopped, and no run starts until that is lifted.
    pub(crate) fn stopped(reason: &str) -> Self {
        let message = format!("no run starts as long as everything is stopped: {reason}");
        Self::new(423, "stopped", message).with("reason", reason)
    }

    /// Nothing is left of the day's budget of requests.
    pub(crate) fn budget(requests: u64, used: u64) -> Self {
        let message = format!(
            "nothing is left of the {requests} requests that runs may send on one day (UTC): {used} are sent or reserved"
        );
        Self::new(429, "daily_budget", message)
            .with("dailyRequests", requests)
            .with("used", used)
    }

    /// Something that the API needs did not do its part; the caller may try again.
    pub(crate) fn unavailable(what: &str) -> Self {
        Self::new(
            503,
            "unavailable",
            format!("{what} did not answer; try again"),
        )
    }
}

impl From<Problems> for ApiError {
    fn from(problems: Problems) -> Self {
        Self::problems(problems.0)
    }
}

impl From<&ConfigProblems> for ApiError {
    fn from(problems: &ConfigProblems) -> Self {
        Self::new(
            500,
            "misconfigured",
            "the load tester's configuration is not complete, see \"problems\"",
        )
        .with("problems", document!(problems.0))
    }
}
