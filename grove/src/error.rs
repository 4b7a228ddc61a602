//! What Grove answers when a request cannot be served.
//!
//! Invariant: a client sees a status, a stable code and one sentence; what the runtime said
//! about its own failure goes to the log only.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The result of everything that serves a request.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

/// A request that was refused or failed, ready to be sent as `{"error", "code"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// HTTP status, 400 to 599.
    pub(crate) status: u16,
    /// Stable word for programs.
    pub(crate) code: Cow<'static, str>,
    /// One sentence for people.
    pub(crate) message: String,
}

/// The JSON body of an error.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ErrorBody {
    /// One sentence for people.
    pub(crate) error: String,
    /// Stable word for programs.
    pub(crate) code: String,
}

impl ApiError {
    /// An error with any status.
    pub(crate) fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
        }
    }

    /// 400: the request itself is wrong.
    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// 401: no session, or one that does not hold.
    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, "unauthorized", message)
    }

    /// 404: nothing is there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "not_found", message)
    }

    /// 413: the body is longer than `limit_bytes`.
    pub(crate) fn too_large(limit_bytes: usize) -> Self {
        Self::new(
            413,
            "body_too_large",
            format!("the body is longer than {limit_bytes} bytes"),
        )
    }

    /// 503: a part that Grove needs did not answer. `detail` is for the log.
    pub(crate) fn unavailable(part: &str, code: &'static str, detail: &worker::Error) -> Self {
        log_failure(&format!("{part}: {detail}"));
        Self::new(503, code, format!("{part} did not answer"))
    }

    /// The JSON body to send.
    pub(crate) fn body(&self) -> ErrorBody {
        ErrorBody {
            error: self.message.clone(),
            code: self.code.to_string(),
        }
    }
}

/// Failures of the runtime that no handler expected.
impl From<worker::Error> for ApiError {
    fn from(error: worker::Error) -> Self {
        log_failure(&error.to_string());
        Self::new(500, "internal", "grove failed to serve the request")
    }
}

fn log_failure(text: &str) {
    if cfg!(target_arch = "wasm32") {
        worker::console_error!("{text}");
    }
}
