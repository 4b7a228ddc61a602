//! What a platform is asked, and what it answers, without the connection.

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::talk::Talk;

/// A request with its whole body.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Bytes,
}

/// An answer.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A whole one.
    Whole {
        status: StatusCode,
        content_type: &'static str,
        fields: Vec<(HeaderName, HeaderValue)>,
        body: Bytes,
    },
    /// Server-sent events, one in each piece.
    Events(mpsc::Receiver<Bytes>),
    /// A WebSocket.
    Socket(Box<Talk>),
    /// None, and the connection ends.
    Drop,
    /// None, ever.
    Mute,
}

impl Call<'_> {
    /// The text of a header field.
    pub(crate) fn field(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        let (_, value) = pairs.find(|(known, _)| known == name)?;
        Some(value.into_owned())
    }

    /// The body as JSON of this shape.
    ///
    /// # Errors
    /// 400 for what is no JSON, 422 for JSON of another shape, 413 for too much of it.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Reply> {
        if self.body.len() > BODY_BYTES_MAX {
            let message = format!("the body has more than {BODY_BYTES_MAX} bytes");
            return Err(Reply::error(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        serde_json::from_slice(self.body).map_err(|error| {
            let status = if error.is_data() {
                StatusCode::UNPROCESSABLE_ENTITY
            } else {
                StatusCode::BAD_REQUEST
            };
            Reply::error(status, error.to_string())
        })
    }
}

impl Reply {
    /// JSON.
    pub(crate) fn json(status: StatusCode, value: &Value) -> Self {
        Self::whole(status, "application/json", value.to_string())
    }

    /// A text of this type.
    pub(crate) fn whole(
        status: StatusCode,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        Self::Whole {
            status,
            content_type,
            fields: Vec::new(),
            body: body.into(),
        }
    }

    /// An error with what is wrong.
    pub(crate) fn error(status: StatusCode, message: impl Into<String>) -> Self {
        Self::json(status, &json!({ "error": message.into() }))
    }

    /// There is no such path.
    pub(crate) fn not_found() -> Self {
        Self::error(StatusCode::NOT_FOUND, "there is no such resource")
    }

    /// The path takes other methods.
    pub(crate) fn wrong_method(allowed: &'static str) -> Self {
        let message = format!("accepted here: {allowed}");
        let reply = Self::error(StatusCode::METHOD_NOT_ALLOWED, message);
        reply.with(hyper::header::ALLOW, allowed)
    }

    /// The same with a header field, if its value can be one.
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Self::Whole { fields, .. } = &mut self
            && let Ok(value) = HeaderValue::from_str(value)
        {
            fields.push((name, value));
        }
        self
    }

    /// The same status with nothing of what it promises.
    pub(crate) fn garbled(self) -> Self {
        match self {
            Self::Whole {
                status,
                content_type,
                fields,
                ..
            } => Self::Whole {
                status,
                content_type,
                fields,
                body: Bytes::from_static(b"{}"),
            },
            other => other,
        }
    }
}

/// More than any request needs.
const BODY_BYTES_MAX: usize = 1_048_576;
