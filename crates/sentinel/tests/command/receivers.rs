//! Servers that take what is told while a run goes on, and decode it with what others wrote.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use prometheus_remote_write::WriteRequest;
use prost_0_12::Message as _;
use serde_json::{Value, json};

use crate::lab::Lab;

/// A request that came in: the lower-case lines of its head, and its body.
struct Received {
    head: Vec<String>,
    body: Vec<u8>,
}

/// Answers every request with 200 and hands it over.
fn receiver() -> (String, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (sender, received) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            thread::spawn(move || serve(&stream, &sender));
        }
    });
    (format!("http://{address}"), received)
}

fn serve(stream: &TcpStream, sender: &Sender<Received>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_ascii_lowercase()),
            }
        }
        let length = head
            .iter()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length?.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        sender.send(Received { head, body }).ok()?;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        let mut stream = stream;
        stream.write_all(answer).ok()?;
    }
}

/// Runs 40 requests against the target, telling `output`.
fn run(output: &str) -> Lab {
    let lab = Lab::new();
    let scenario = lab.scenario("/delay?ms=3", |scenario| {
        scenario["load"] = json!({"vus": 2, "iterations": 40});
    });
    let ended = lab.run(&scenario, &["--out", output]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.ledger("answered"), 40);
    lab
}

#[test]
fn remote_write_is_decoded() {
    let (url, received) = receiver();
    run(&format!("prometheus={url}/api/v1/write"));
    let requests: Vec<Received> = received.try_iter().collect();
    let last = requests.last().expect("a request");
    assert_eq!(last.head[0], "post /api/v1/write http/1.1");
    for field in [
        "content-encoding: snappy",
        "content-type: application/x-protobuf",
    ] {
        assert!(
            last.head.iter().any(|line| line == field),
            "{:?}",
            last.head
        );
    }
    // Of all requests, since users and requests come in parts of their own.
    let mut requests_total = 0.0;
    for request in &requests {
        let body = snap::raw::Decoder::new()
            .decompress_vec(&request.body)
            .expect("Snappy");
        let request = WriteRequest::decode(body.as_slice()).expect("protobuf");
        for series in &request.timeseries {
            let names: Vec<&str> = series.labels.iter().map(|l| l.name.as_str()).collect();
            assert!(names.is_sorted(), "{names:?}");
            let is = |name: &str| series.labels.iter().any(|label| label.value == name);
            assert!(
                series.samples[0].timestamp > 1_600_000_000_000,
                "in milliseconds"
            );
            if is("k6_http_reqs_total") {
                requests_total = series.samples[0].value;
                assert!(
                    is("get") && names.contains(&"testid"),
                    "{:?}",
                    series.labels
                );
            }
        }
    }
    assert!((requests_total - 40.0).abs() < 1e-9, "{requests_total}");
}

#[test]
fn otlp_is_decoded() {
    let (url, received) = receiver();
    run(&format!("otlp={url}/v1/metrics"));
    let mut requests = 0.0;
    let mut timed = 0;
    for request in received.try_iter() {
        assert_eq!(request.head[0], "post /v1/metrics http/1.1");
        let export: ExportMetricsServiceRequest =
            serde_json::from_slice(&request.body).expect("OTLP");
        let scopes = export
            .resource_metrics
            .iter()
            .flat_map(|r| &r.scope_metrics);
        for metric in scopes.flat_map(|scope| &scope.metrics) {
            match (metric.name.as_str(), metric.data.as_ref().expect("data")) {
                ("http_reqs", Data::Sum(sum)) => {
                    assert!(sum.is_monotonic);
                    let Some(Number::AsDouble(count)) = sum.data_points[0].value else {
                        panic!("a number");
                    };
                    requests = count;
                }
                ("service_time", Data::Histogram(histogram)) => {
                    let point = &histogram.data_points[0];
                    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
                    assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
                    assert!(point.min.expect("the lowest") >= 3.0);
                    timed = point.count;
                }
                _ => {}
            }
        }
    }
    assert!((requests - 40.0).abs() < 1e-9, "{requests}");
    assert_eq!(timed, 40);
}

#[test]
fn statsd_adds_up() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let port = socket.local_addr().expect("an address").port();
    run(&format!("statsd=127.0.0.1:{port}"));
    // What was sent on this machine has arrived when the command has ended.
    socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .expect("a time limit");
    let mut datagram = [0; 65_536];
    let (mut requests, mut timed) = (0.0, 0.0);
    while let Ok(length) = socket.recv(&mut datagram) {
        assert!(length <= 1_432, "{length}");
        for line in std::str::from_utf8(&datagram[..length])
            .expect("text")
            .lines()
        {
            let (name, rest) = line.split_once(':').expect("a name");
            let parts: Vec<&str> = rest.split('|').collect();
            let value: f64 = parts[0].parse().expect("a number");
            match (name, parts[1]) {
                ("k6.http_reqs", "c") => requests += value,
                ("k6.service_time", "ms") => {
                    let rate = parts.iter().find_map(|part| part.strip_prefix('@'));
                    let rate: f64 = rate.map_or(1.0, |rate| rate.parse().expect("a rate"));
                    assert!(value >= 3.0, "{line}");
                    timed += 1.0 / rate;
                }
                _ => {}
            }
        }
    }
    assert!((requests - 40.0_f64).abs() < 1e-9, "{requests}");
    assert!((timed - 40.0_f64).abs() < 1e-6, "{timed}");
}

#[test]
fn points_are_lines_as_k6_writes_them() {
    let lab = run("ndjson=points.json");
    let text = std::fs::read_to_string(lab.path("points.json")).expect("the file");
    let mut declared = Vec::new();
    let (mut requests, mut timed) = (0, 0);
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let metric = line["metric"].as_str().expect("a name").to_owned();
        if line["type"] == "Metric" {
            assert!(line["data"]["contains"].is_string(), "{line}");
            declared.push(metric);
            continue;
        }
        assert_eq!(line["type"], "Point");
        assert!(
            declared.contains(&metric),
            "{metric} comes before its points"
        );
        assert!(
            line["data"]["time"]
                .as_str()
                .is_some_and(|time| time.ends_with('Z'))
        );
        match metric.as_str() {
            "http_reqs" => requests += line["data"]["value"].as_u64().expect("a count"),
            "service_time" => {
                timed += 1;
                assert!(line["data"]["value"].as_f64().expect("a time") >= 3.0);
                assert_eq!(line["data"]["tags"]["group"], "::visit");
            }
            _ => {}
        }
    }
    assert_eq!((requests, timed), (40, 40));
}

#[test]
fn a_server_that_is_down_is_told_once_and_loses_nothing_else() {
    // Nobody serves this port since the eighties, and nobody else gets it by chance.
    for output in [
        "prometheus=http://127.0.0.1:1/write",
        "otlp=http://user:secret@127.0.0.1:1/v1/metrics",
    ] {
        let lab = Lab::new();
        let scenario = lab.scenario("/ok", |_| {});
        let ended = lab.run(&scenario, &["--out", output]);
        assert_eq!(ended.code, 107, "{}", ended.err);
        assert_eq!(ended.ledger("answered"), 30, "the summary is whole");
        let told = ended
            .err
            .lines()
            .filter(|line| line.contains("is incomplete"));
        let told: Vec<_> = told.collect();
        assert_eq!(told.len(), 1, "{}", ended.err);
        assert!(
            told[0].contains("refused") && !told[0].contains("secret"),
            "{}",
            told[0]
        );
    }
}
