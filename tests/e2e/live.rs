//! Watching a run while it goes on: the stream of events, and the metrics for Prometheus.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::time::Duration;

use prometheus_parse::{Sample, Scrape};
use serde_json::{Value, json};

use crate::support::{Lab, Run, count};

/// An event of a stream.
#[derive(Clone, Debug)]
struct Event {
    name: String,
    id: Option<u64>,
    data: Value,
}

/// A stream that is being read.
struct Events {
    lines: BufReader<Box<dyn Read>>,
}

impl Events {
    fn open(lab: &Lab, run: &str, last: Option<u64>) -> Self {
        let mut request = lab.api.request("GET", &format!("/runs/{run}/stream"));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last.to_string());
        }
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .into();
        let answer = agent
            .run(request.body(()).expect("a valid request"))
            .expect("a stream");
        let kind = answer.headers()["content-type"].to_str().expect("text");
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        let lines: Box<dyn Read> = Box::new(answer.into_body().into_reader());
        Self {
            lines: BufReader::new(lines),
        }
    }

    /// The next event, `None` at the end of the stream.
    fn next(&mut self) -> Option<Event> {
        let (mut name, mut id, mut data) = (None, None, None);
        loop {
            let mut line = String::new();
            let bytes = self.lines.read_line(&mut line).expect("a line");
            if bytes == 0 {
                return None;
            }
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("event", value)) => name = Some(value.to_owned()),
                Some(("id", value)) => id = Some(value.parse().expect("a number")),
                Some(("data", value)) => {
                    data = Some(serde_json::from_str(value).expect("JSON"));
                }
                _ if line == "\n" && data.is_some() => {
                    return Some(Event {
                        name: name.expect("a name"),
                        id,
                        data: data.unwrap_or_default(),
                    });
                }
                // A comment, or how soon to come back.
                _ => {}
            }
        }
    }

    fn rest(mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

fn body(users: u32, duration: &str) -> Value {
    json!({
        "scenario": "grove-mix", "environment": "staging", "users": users, "duration": duration,
    })
}

fn rows(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|event| event.name == "row").collect()
}

/// The rows of a stream are those of the time line.
fn assert_rows(run: &Run<'_>, streamed: &[&Event]) {
    let stored = run.rows("metrics");
    let streamed: Vec<&Value> = streamed.iter().map(|event| &event.data).collect();
    let times = |rows: &[&Value]| {
        rows.iter()
            .map(|row| count(row, "timestamp"))
            .collect::<Vec<_>>()
    };
    assert_eq!(times(&streamed), times(&stored.iter().collect::<Vec<_>>()));
    assert_eq!(streamed, stored.iter().collect::<Vec<_>>());
}

#[test]
fn a_stream_tells_a_run_from_its_start_to_its_end() {
    let lab = Lab::shared();
    let run = Run::start(&lab, &body(6, "9s"));
    let events = Events::open(&lab, &run.id, None).rest();
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names.last(), Some(&"end"), "{names:?}");
    assert_eq!(names.iter().filter(|name| **name == "end").count(), 1);
    assert!(names.contains(&"progress"), "{names:?}");

    assert_rows(&run, &rows(&events));
    let ids: Vec<u64> = rows(&events).iter().filter_map(|event| event.id).collect();
    assert_eq!(ids, (0..ids.len() as u64).collect::<Vec<_>>());
    let end = &events.last().expect("the end").data["run"];
    assert_eq!(
        (&end["status"], &end["id"]),
        (&json!("completed"), &json!(run.id))
    );
    assert_eq!(end["summary_json"], run.row()["summary_json"]);
    let sent: Vec<u64> = events
        .iter()
        .filter(|event| event.name == "progress")
        .map(|event| count(&event.data["ledger"], "sent"))
        .collect();
    assert!(sent.is_sorted(), "{sent:?}");
    assert!(sent.last() > Some(&0), "{sent:?}");

    // A run that is over is told again, from anywhere.
    let again = Events::open(&lab, &run.id, None).rest();
    assert_rows(&run, &rows(&again));
    let later = Events::open(&lab, &run.id, Some(4)).rest();
    let ids: Vec<u64> = rows(&later).iter().filter_map(|event| event.id).collect();
    assert_eq!(ids, (5..rows(&again).len() as u64).collect::<Vec<_>>());
    assert_eq!(later.last().expect("the end").name, "end");
}

#[test]
fn whoever_comes_back_to_a_stream_has_missed_nothing() {
    let lab = Lab::shared();
    let run = Run::start(&lab, &body(4, "12s"));
    let mut seen: Vec<Event> = Vec::new();
    // Goes away in the middle, twice, without a word.
    for rows_wanted in [2, 3] {
        let last = seen.last().and_then(|event| event.id);
        let mut events = Events::open(&lab, &run.id, last);
        let mut found = 0;
        while found < rows_wanted {
            let event = events.next().expect("the run goes on");
            if event.name == "row" {
                found += 1;
                seen.push(event);
            }
        }
    }
    let last = seen.last().and_then(|event| event.id);
    let rest = Events::open(&lab, &run.id, last).rest();
    seen.extend(rest.into_iter().filter(|event| event.name == "row"));
    assert_eq!(run.status(), "completed");
    assert_rows(&run, &seen.iter().collect::<Vec<_>>());
}

#[test]
fn a_stream_is_refused_like_everything_else() {
    let lab = Lab::shared();
    let unknown = "/runs/0b9f8f4e-7c67-4c4e-9f6e-1d2b3c4d5e6f/stream";
    assert_eq!(lab.api.get(unknown).expect_error(&[404]), "run_not_found");
    for path in [unknown, "/metrics"] {
        let request = ureq::http::Request::get(lab.api.url(path));
        let answer = lab.api.send(request.body(()).expect("a valid request"));
        answer.expect_error(&[401]);
    }
    let run = Run::start(&lab, &body(1, "2s"));
    let request = lab
        .api
        .request("GET", &format!("/runs/{}/stream", run.id))
        .header("Last-Event-ID", "soon");
    let answer = lab.api.send(request.body(()).expect("a valid request"));
    assert_eq!(answer.expect_error(&[400]), "invalid_event_id");
    assert_eq!(run.ended(Duration::from_secs(60)), "completed");
}

#[test]
fn a_client_that_goes_away_does_not_disturb_the_run() {
    let lab = Lab::shared();
    let run = Run::start(&lab, &body(4, "6s"));
    let address = lab.url();
    let address = address.trim_start_matches("http://");
    for _ in 0..3 {
        // Not even the answer is awaited.
        let mut stream = TcpStream::connect(address).expect("a connection");
        let request = format!(
            "GET /api/loadtest/runs/{}/stream HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\r\n",
            run.id,
            lab.token()
        );
        std::io::Write::write_all(&mut stream, request.as_bytes()).expect("sent");
    }
    assert_eq!(run.ended(Duration::from_secs(60)), "completed");
    run.summary().assert_balanced();
}

fn scrape(lab: &Lab) -> Vec<Sample> {
    let answer = lab.api.get("/metrics");
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(
        answer
            .header("content-type")
            .starts_with("text/plain; version=0.0.4"),
        "{}",
        answer.header("content-type")
    );
    let lines = answer.text.lines().map(|line| Ok(line.to_owned()));
    Scrape::parse(lines).expect("the format").samples
}

fn number(sample: &Sample) -> f64 {
    match &sample.value {
        prometheus_parse::Value::Counter(value)
        | prometheus_parse::Value::Gauge(value)
        | prometheus_parse::Value::Untyped(value) => *value,
        other => panic!("{} is {other:?}", sample.metric),
    }
}

fn sum(samples: &[Sample], metric: &str) -> f64 {
    let found = samples.iter().filter(|sample| sample.metric == metric);
    found.map(number).sum()
}

#[test]
fn prometheus_reads_what_goes_on_and_how_the_last_run_ended() {
    let lab = Lab::shared();
    assert_eq!(sum(&scrape(&lab), "loadtest_runs_running"), 0.0);
    let run = Run::start(&lab, &body(6, "60s"));
    run.has_seconds(4);
    let (first, second) = (scrape(&lab), scrape(&lab));
    assert_eq!(sum(&first, "loadtest_runs_running"), 1.0);
    assert_eq!(sum(&first, "loadtest_build_info"), 1.0);
    let info = first.iter().find(|s| s.metric == "loadtest_run_info");
    let labels = &info.expect("the run").labels;
    assert_eq!(labels.get("run"), Some(run.id.as_str()));
    assert_eq!(labels.get("scenario"), Some("grove-mix"));
    assert_eq!(labels.get("environment"), Some("staging"));
    for metric in [
        "loadtest_users",
        "loadtest_requests_sent_total",
        "loadtest_requests_total",
        "loadtest_coverage_ratio",
        "loadtest_run_published_seconds",
    ] {
        assert!(sum(&first, metric) > 0.0, "{metric}: {first:?}");
    }
    assert!(first.iter().any(|s| s.metric == "loadtest_threshold_holds"));
    for metric in ["loadtest_requests_total", "loadtest_requests_sent_total"] {
        assert!(sum(&second, metric) >= sum(&first, metric), "{metric}");
    }
    // Only the one label that is meant to holds the run's identifier.
    let named = first.iter().filter(|sample| {
        let values: Vec<&String> = sample.labels.values().collect();
        values.iter().any(|value| value.contains(&run.id))
    });
    assert_eq!(named.count(), 1);

    run.cancel();
    assert_eq!(run.ended(Duration::from_secs(60)), "cancelled");
    let after = scrape(&lab);
    let last = after.iter().find(|sample| {
        sample.metric == "loadtest_last_run_passed"
            && sample.labels.get("environment") == Some("staging")
            && sample.labels.get("scenario") == Some("grove-mix")
    });
    let last = last.expect("the last run");
    assert_eq!(last.labels.get("status"), Some("cancelled"));
    assert_eq!(number(last), 0.0);
    assert_eq!(sum(&after, "loadtest_runs_running"), 0.0);
    assert!(!after.iter().any(|s| s.metric == "loadtest_users"));
}
