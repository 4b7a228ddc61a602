//! The load test API, as a client on the network sees it.

use std::time::{Duration, Instant};

use devstack::DevStack;
use serde_json::Value;
use ureq::http::{HeaderMap, Request};
use ureq::{Agent, AsSendBody};

/// A client with the address and the token of a running stack.
#[derive(Clone)]
pub(crate) struct Api {
    agent: Agent,
    base: String,
    token: String,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// What was asked, for messages.
    pub(crate) what: String,
    /// The status.
    pub(crate) status: u16,
    /// The header fields.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) text: String,
    /// From sending the request to having read the whole answer.
    pub(crate) elapsed: Duration,
}

impl Api {
    /// A client of `stack`.
    pub(crate) fn new(stack: &DevStack) -> Self {
        Self {
            agent: agent(),
            base: stack.url(),
            token: stack.token().to_owned(),
        }
    }

    /// The address of `path`, which begins below `/api/loadtest`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/api/loadtest{path}", self.base)
    }

    /// Gets `path` with the token.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path).body(()).expect("a valid request"))
    }

    /// Posts JSON to `path` with the token.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, body.to_string())
    }

    /// Posts anything to `path` with the token.
    pub(crate) fn post_text(&self, path: &str, body: impl AsSendBody) -> Answer {
        let request = self
            .request("POST", path)
            .header("Content-Type", "application/json");
        self.send(request.body(body).expect("a valid request"))
    }

    /// The beginning of a request with the token.
    pub(crate) fn request(&self, method: &str, path: &str) -> ureq::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(self.url(path))
            .header("Authorization", format!("Bearer {}", self.token))
    }

    /// Sends a request as it is.
    pub(crate) fn send(&self, request: Request<impl AsSendBody>) -> Answer {
        send(&self.agent, request)
    }
}

impl Answer {
    /// The body as JSON, if the status is `status`.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text);
        self.json()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{} answered {:?}: {error}", self.what, self.text))
    }

    /// A header field, empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str());
        value.and_then(Result::ok).unwrap_or_default()
    }

    /// Checks that the answer is an error as the API promises them, with one of `statuses`; returns its code.
    pub(crate) fn expect_error(&self, statuses: &[u16]) -> String {
        let Self {
            what, status, text, ..
        } = self;
        assert!(
            statuses.contains(status),
            "{what} answered {status}, not one of {statuses:?}: {text}"
        );
        assert!(
            self.header("content-type").starts_with("application/json"),
            "{what}: the error is {:?}",
            self.header("content-type")
        );
        let body = self.json();
        let field = |name: &str| {
            let value = body.get(name).and_then(Value::as_str).unwrap_or_default();
            assert!(!value.is_empty(), "{what}: the error has no {name}: {text}");
            value.to_owned()
        };
        field("error");
        field("code")
    }
}

/// A client that reports every status as an answer, follows no redirect and gives up after 30 s.
pub(super) fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into()
}

/// Sends a request and reads the answer.
pub(super) fn send(agent: &Agent, request: Request<impl AsSendBody>) -> Answer {
    let what = format!("{} {}", request.method(), request.uri());
    let start = Instant::now();
    let mut answer = agent
        .run(request)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let text = answer
        .body_mut()
        .with_config()
        .limit(64 << 20)
        .read_to_string()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    Answer {
        what,
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        text,
        elapsed: start.elapsed(),
    }
}
