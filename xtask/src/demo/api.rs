//! The load test API, as a client on the network sees it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use devstack::DevStack;
use serde_json::Value;

/// A client with the address and the token of a running stack.
pub(crate) struct Api {
    agent: ureq::Agent,
    base: String,
    authorization: String,
}

/// Everything that the API tells about a run that has ended.
pub(crate) struct Outcome {
    /// The row of `load_test_runs`, with `passed`.
    pub(crate) run: Value,
    /// The run's `summary_json`, parsed; null if there is none.
    pub(crate) summary: Value,
    /// The timeline, a row for each second.
    pub(crate) metrics: Vec<Value>,
    /// A row for each application.
    pub(crate) apps: Vec<Value>,
    /// A row for each assertion.
    pub(crate) assertions: Vec<Value>,
    /// A row for each bottleneck found.
    pub(crate) bottlenecks: Vec<Value>,
}

impl Api {
    /// A client of `stack`.
    pub(crate) fn new(stack: &DevStack) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)));
        Self {
            agent: config.build().into(),
            base: format!("{}/api/loadtest", stack.url()),
            authorization: format!("Bearer {}", stack.token()),
        }
    }

    /// Posts JSON and returns the JSON of the answer.
    ///
    /// # Errors
    /// When there is no answer, or one that reports an error.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("Authorization", &self.authorization)
            .send_json(body)
            .with_context(|| format!("POST {path}"))?;
        parse(answer, &format!("POST {path}"))
    }

    /// Where the run stands: `running`, `completed`, `failed` or `cancelled`.
    ///
    /// # Errors
    /// When there is no answer, or one without a status.
    pub(crate) fn status(&self, id: &str) -> Result<String> {
        let answer = self.get(&format!("/runs/{id}"))?;
        let status = answer.pointer("/run/status").and_then(Value::as_str);
        Ok(status
            .context("GET /runs/:id answered no status")?
            .to_owned())
    }

    /// The only list in an answer, with its further pages.
    ///
    /// # Errors
    /// When there is no answer, or one without a list.
    pub(crate) fn rows(&self, path: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut page = path.to_owned();
        loop {
            let Value::Object(fields) = self.get(&page)? else {
                bail!("GET {page} did not answer an object");
            };
            let next = fields.get("nextCursor").and_then(Value::as_str);
            let next = next.map(|cursor| format!("{path}?cursor={cursor}"));
            let list = fields.into_iter().find_map(|(_, value)| match value {
                Value::Array(rows) => Some(rows),
                _ => None,
            });
            all.extend(list.with_context(|| format!("GET {page} answered no list"))?);
            match next {
                Some(next) => page = next,
                None => return Ok(all),
            }
        }
    }

    /// Everything about a run.
    ///
    /// # Errors
    /// When one of the requests fails.
    pub(crate) fn outcome(&self, id: &str) -> Result<Outcome> {
        let mut answer = self.get(&format!("/runs/{id}"))?;
        let run = answer
            .get_mut("run")
            .map(Value::take)
            .context("GET /runs/:id answered no run")?;
        let summary = match run.get("summary_json") {
            Some(Value::String(text)) => {
                serde_json::from_str(text).context("parse summary_json")?
            }
            Some(value) => value.clone(),
            None => Value::Null,
        };
        Ok(Outcome {
            run,
            summary,
            metrics: self.rows(&format!("/runs/{id}/metrics"))?,
            apps: self.rows(&format!("/runs/{id}/apps"))?,
            assertions: self.rows(&format!("/runs/{id}/assertions"))?,
            bottlenecks: self.rows(&format!("/runs/{id}/bottlenecks"))?,
        })
    }

    fn get(&self, path: &str) -> Result<Value> {
        let answer = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("Authorization", &self.authorization)
            .call()
            .with_context(|| format!("GET {path}"))?;
        parse(answer, &format!("GET {path}"))
    }
}

fn parse(mut answer: ureq::http::Response<ureq::Body>, what: &str) -> Result<Value> {
    let status = answer.status();
    // A long run has a long timeline.
    let body = answer
        .body_mut()
        .with_config()
        .limit(256 << 20)
        .read_to_string()
        .with_context(|| format!("read the answer of {what}"))?;
    if !status.is_success() {
        bail!("{what} answered {status}: {body}");
    }
    serde_json::from_str(&body).with_context(|| format!("{what} answered no JSON: {body}"))
}

/// A number of a row, whether D1 stored it as integer or real; `None` if it is null or missing.
pub(crate) fn number(row: &Value, field: &str) -> Option<f64> {
    row.get(field).and_then(Value::as_f64)
}

/// A text of a row, empty if it is null or missing.
pub(crate) fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row.get(field).and_then(Value::as_str).unwrap_or_default()
}
