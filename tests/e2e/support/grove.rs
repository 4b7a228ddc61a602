//! Grove, the target: what it counted by itself, and its faults.

use devstack::DevStack;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;

use super::api::{self, Answer};

/// A client of Grove's control endpoints, which Grove does not count.
#[derive(Clone)]
pub(crate) struct Grove {
    agent: Agent,
    base: String,
}

impl Grove {
    /// A client of the Grove in `stack`.
    pub(crate) fn new(stack: &DevStack) -> Self {
        Self {
            agent: api::agent(),
            base: stack.grove_url(),
        }
    }

    /// How many requests Grove has received since it was first started.
    pub(crate) fn total(&self) -> u64 {
        let stats = self.call("GET", "/__stats", String::new()).expect(200);
        stats["total"].as_u64().expect("a total")
    }

    /// Gets a path as a user of Grove would, which Grove counts.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.call("GET", path, String::new())
    }

    /// Makes Grove misbehave from now on.
    pub(crate) fn set_fault(&self, fault: &Value) {
        self.call("POST", "/__faults", fault.to_string())
            .expect(200);
    }

    /// Makes Grove behave again.
    pub(crate) fn clear_faults(&self) {
        let answer = self.call("DELETE", "/__faults", String::new());
        assert_eq!(answer.status, 204, "{}", answer.text);
    }

    fn call(&self, method: &str, path: &str, body: String) -> Answer {
        let builder = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        match body.as_str() {
            "" => api::send(&self.agent, builder.body(()).expect("a valid request")),
            _ => api::send(&self.agent, builder.body(body).expect("a valid request")),
        }
    }
}
