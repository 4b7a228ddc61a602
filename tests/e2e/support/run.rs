//! One run, from its start to its end, through the API.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Answer, Lab, until};

/// The entries of the ledger.
pub(crate) const LEDGER_FIELDS: [&str; 10] = [
    "planned",
    "started",
    "dropped",
    "finished",
    "interrupted",
    "lost",
    "sent",
    "answered",
    "failed",
    "cutOff",
];

/// A run.
pub(crate) struct Run<'a> {
    /// The run's identifier.
    pub(crate) id: String,
    lab: &'a Lab,
}

impl<'a> Run<'a> {
    /// Starts a run.
    pub(crate) fn start(lab: &'a Lab, body: &Value) -> Self {
        Self::accepted(lab, &lab.api.post("/runs", body))
    }

    /// The run that an answer to `POST /runs` is about.
    pub(crate) fn accepted(lab: &'a Lab, answer: &Answer) -> Self {
        let body = answer.expect(202);
        let id = body["id"].as_str().expect("POST /runs answers an id");
        Self::again(lab, id)
    }

    /// A run that was started before.
    pub(crate) fn again(lab: &'a Lab, id: &str) -> Self {
        let id = id.to_owned();
        Self { id, lab }
    }

    /// Where the run stands, as the API tells.
    pub(crate) fn status(&self) -> String {
        let answer = self.lab.api.get(&format!("/runs/{}", self.id)).expect(200);
        answer["run"]["status"]
            .as_str()
            .expect("a status")
            .to_owned()
    }

    /// Waits until the run has ended and returns its status.
    pub(crate) fn ended(&self, limit: Duration) -> String {
        until(&format!("run {} has ended", self.id), limit, || {
            Some(self.status()).filter(|status| status != "running")
        })
    }

    /// Waits until the timeline has at least this many seconds.
    pub(crate) fn has_seconds(&self, seconds: usize) {
        let what = format!("run {} has {seconds} rows in its timeline", self.id);
        until(&what, Duration::from_secs(30), || {
            let rows = self.rows("metrics").len();
            (rows >= seconds).then_some(())
        });
    }

    /// Asks for the run to be cancelled; returns when the answer was there.
    pub(crate) fn cancel(&self) -> Instant {
        let path = format!("/runs/{}/cancel", self.id);
        let answer = self.lab.api.post(&path, &json!({})).json();
        assert!(answer["message"].is_string(), "{answer}");
        Instant::now()
    }

    /// The list that the API answers below the run: `metrics`, `bottlenecks`, `apps` or `assertions`.
    pub(crate) fn rows(&self, view: &str) -> Vec<Value> {
        let answer = self.lab.api.get(&format!("/runs/{}/{view}", self.id));
        match answer.expect(200).get(view) {
            Some(Value::Array(rows)) => rows.clone(),
            _ => panic!("{} answered {}", answer.what, answer.text),
        }
    }

    /// When each row of the timeline begins, in milliseconds of Unix time.
    pub(crate) fn timestamps(&self) -> Vec<u64> {
        let rows = self.rows("metrics");
        rows.iter().map(|row| count(row, "timestamp")).collect()
    }

    /// The run's row in D1.
    pub(crate) fn row(&self) -> Value {
        self.lab.run_row(&self.id)
    }

    /// The stored summary.
    pub(crate) fn summary(&self) -> Summary {
        self.lab.summary(&self.id)
    }
}

/// A run's `summary_json`.
#[derive(Clone, Debug)]
pub(crate) struct Summary(pub(crate) Value);

impl Summary {
    /// Reads the column's value.
    pub(crate) fn parse(column: &Value) -> Self {
        let text = column
            .as_str()
            .unwrap_or_else(|| panic!("summary_json is {column}"));
        Self(serde_json::from_str(text).expect("summary_json is JSON"))
    }

    /// Whether the run passed.
    pub(crate) fn passed(&self) -> bool {
        self.0["passed"].as_bool().expect("passed is true or false")
    }

    /// An entry of the ledger.
    pub(crate) fn ledger(&self, field: &str) -> u64 {
        count(&self.0["ledger"], field)
    }

    /// What came of the first step of an application.
    pub(crate) fn step(&self, application: &str) -> &Value {
        let steps = self.0["steps"].as_array().expect("a list of steps");
        let found = steps.iter().find(|step| step["application"] == application);
        found.unwrap_or_else(|| panic!("no step of {application}"))
    }

    /// The holes that the summary states.
    pub(crate) fn holes(&self) -> &[Value] {
        self.0["holes"].as_array().expect("a list of holes")
    }

    /// The holes in which something was lost. A machine that is too slow lets all batches wait for more than a second
    /// where two slices meet, which is a hole too, but one without a loss.
    pub(crate) fn losses(&self) -> Vec<Value> {
        let holes = self.holes().iter();
        holes
            .filter(|hole| hole["reason"] != "waited")
            .cloned()
            .collect()
    }

    /// Checks the ledger's equations.
    pub(crate) fn assert_balanced(&self) {
        let [
            planned,
            started,
            dropped,
            finished,
            interrupted,
            lost,
            sent,
            answered,
            failed,
            cut_off,
        ] = LEDGER_FIELDS.map(|field| self.ledger(field));
        let ledger = &self.0["ledger"];
        assert_eq!(planned, started + dropped, "iterations planned: {ledger}");
        assert_eq!(
            started,
            finished + interrupted + lost,
            "iterations started: {ledger}"
        );
        assert_eq!(sent, answered + failed + cut_off, "requests sent: {ledger}");
    }
}

/// A count in a row or an object.
pub(crate) fn count(row: &Value, field: &str) -> u64 {
    let value = row.get(field).and_then(Value::as_u64);
    value.unwrap_or_else(|| panic!("{field} is no count in {row}"))
}

/// Whether no second is told twice, and none is missing.
pub(crate) fn are_seconds_in_turn(timestamps: &[u64]) -> bool {
    let is_next = |pair: &[u64]| pair[1] - pair[0] == 1_000;
    timestamps.windows(2).all(is_next)
}
