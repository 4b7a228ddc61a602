//! A load tester that says what the test tells it to say.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lab::{Ended, Lab};

/// What opens the API; it must turn up nowhere else.
pub(crate) const TOKEN: &str = "t0ken-that-nobody-may-see";
/// The run that all of this is about.
pub(crate) const RUN: &str = "0b9f8f4e-7c67-4c4e-9f6e-1d2b3c4d5e6f";
/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(120);

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// Method and path with its query part, below the API: `GET /runs?limit=20`.
    pub(crate) what: String,
    /// The header fields, names in lower case.
    headers: Vec<(String, String)>,
    /// The body, null when there is none.
    pub(crate) body: Value,
}

/// What is answered.
pub(crate) enum Reply {
    /// A status and JSON.
    Json(u16, Value),
    /// A status, a type and a text.
    Text(u16, &'static str, String),
    /// Events, and then the end of the stream.
    Events(String),
    /// Events, and then the connection breaks.
    Broken(String),
    /// Events, then others when such a request has come, and then the end of the stream.
    Held(String, &'static str, String),
    /// The request arrives, and the answer is lost.
    Lost,
}

type Answer = dyn Fn(&Received, usize) -> Reply + Send + Sync;

/// A server, and the commands that use it.
pub(crate) struct Fake {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    /// Folders and ways to run the command.
    pub(crate) lab: Lab,
}

impl Received {
    /// A header field, empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }
}

impl Fake {
    /// A load tester; `answer` gets each request, and how many with the same method and path came before.
    pub(crate) fn new(answer: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Answer> = Arc::new(answer);
        let heard = Arc::clone(&received);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
                // Whoever is gone needs no answer.
                thread::spawn(move || serve(stream, &heard, &*answer));
            }
        });
        Self {
            address,
            received,
            lab: Lab::new(),
        }
    }

    /// `sentinel remote` with these arguments, at this load tester.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.lab.command();
        command
            .arg("remote")
            .args(arguments)
            .env("VISTA_URL", format!("http://{}", self.address))
            .env("VISTA_TOKEN", TOKEN)
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end; nothing that it says may hold the token.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.ended(self.start(arguments))
    }

    /// Starts it.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the command starts")
    }

    /// Waits for its end.
    pub(crate) fn ended(&self, child: Child) -> Ended {
        let ended = self.lab.ended(child.wait_with_output().expect("it ends"));
        for text in [&ended.out, &ended.err] {
            assert!(!text.contains(TOKEN), "the token is in {text}");
        }
        ended
    }

    /// What came so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no test has failed").clone()
    }

    /// The methods and paths that came so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.received()
            .into_iter()
            .map(|received| received.what)
            .collect()
    }

    /// Waits until such a request has come.
    pub(crate) fn until(&self, what: &str) {
        wait_for(&self.received, what);
    }

    /// The host and port.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// Writes a text beside the scenarios.
    pub(crate) fn write_text(&self, name: &str, text: &str) -> PathBuf {
        let path = self.lab.path(name);
        std::fs::write(&path, text).expect("a file");
        path
    }
}

/// A row of the list of runs, whose summary is that of a real run.
pub(crate) fn row(lab: &Lab, status: &str, passed: bool) -> Value {
    let scenario = lab.scenario("/ok", |_| {});
    let mut summary = lab.run(&scenario, &[]).summary;
    summary["status"] = json!(status);
    summary["passed"] = json!(passed);
    if !passed {
        summary["failedAssertions"] = json!(["p95_latency_ms < 5 (actual: 7)"]);
    }
    json!({
        "id": RUN, "scenario_name": "visits", "environment": "staging", "status": status, "passed": passed,
        "started_at": "2026-11-21T04:00:00.000Z", "duration_ms": 30_000, "summary_json": summary.to_string(),
    })
}

/// A run that goes on, as the API tells of it.
pub(crate) fn running() -> Value {
    json!({"id": RUN, "scenario_name": "visits", "environment": "staging", "status": "running", "passed": null})
}

/// A second of the time line as an event.
pub(crate) fn second(number: u64) -> String {
    event("row", Some(number), &second_row(number))
}

/// A second of the time line.
pub(crate) fn second_row(number: u64) -> Value {
    json!({
        "id": number + 1, "timestamp": 1_800_000_000_000_u64 + number * 1_000, "phase": "peak",
        "active_users": 7 + number, "requests_per_sec": 10.5, "latency_p95": 20.25, "error_rate": 0.0,
    })
}

/// The end of a run as an event.
pub(crate) fn end(run: &Value) -> String {
    event("end", None, &json!({ "run": run }))
}

/// An event of a stream.
pub(crate) fn event(name: &str, id: Option<u64>, data: &Value) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}event: {name}\ndata: {data}\n\n")
}

fn serve(stream: TcpStream, heard: &Mutex<Vec<Received>>, answer: &Answer) -> Option<()> {
    stream.set_read_timeout(Some(DEADLINE)).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let received = read(&mut reader)?;
        let before = {
            let mut heard = heard.lock().ok()?;
            let place = path_of(&received.what);
            let same = |other: &&Received| path_of(&other.what) == place;
            let before = heard.iter().filter(same).count();
            heard.push(received.clone());
            before
        };
        reply(&stream, answer(&received, before), heard)?;
    }
}

fn reply(mut stream: &TcpStream, reply: Reply, heard: &Mutex<Vec<Received>>) -> Option<()> {
    const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                          transfer-encoding: chunked\r\n\r\n";
    let (status, kind, body) = match reply {
        Reply::Json(status, body) => (status, "application/json", body.to_string()),
        Reply::Text(status, kind, body) => (status, kind, body),
        Reply::Lost => return None,
        Reply::Events(text) => {
            let text = format!("{EVENTS}{}0\r\n\r\n", chunk(&text));
            return stream.write_all(text.as_bytes()).ok();
        }
        Reply::Broken(text) => {
            let text = format!("{EVENTS}{}", chunk(&text));
            stream.write_all(text.as_bytes()).ok()?;
            return None;
        }
        Reply::Held(text, until, rest) => {
            let text = format!("{EVENTS}{}", chunk(&text));
            stream.write_all(text.as_bytes()).ok()?;
            wait_for(heard, until);
            let text = format!("{}0\r\n\r\n", chunk(&rest));
            return stream.write_all(text.as_bytes()).ok();
        }
    };
    let text = format!(
        "HTTP/1.1 {status} Whatever\r\ncontent-type: {kind}\r\nlocation: https://elsewhere.example/\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).ok()
}

/// Two chunks, so that an event comes in parts.
fn chunk(text: &str) -> String {
    let middle = text.len() / 2;
    let parts = [&text[..middle], &text[middle..]];
    let parts = parts.iter().filter(|part| !part.is_empty());
    parts
        .map(|part| format!("{:x}\r\n{part}\r\n", part.len()))
        .collect()
}

fn read(reader: &mut impl BufRead) -> Option<Received> {
    let mut line = String::new();
    reader
        .read_line(&mut line)
        .ok()
        .filter(|bytes| *bytes > 0)?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let what = format!(
        "{method} {}",
        path.strip_prefix("/api/loadtest").unwrap_or(path)
    );
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut received = Received {
        what,
        headers,
        body: Value::Null,
    };
    let length = received.header("content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    received.body = serde_json::from_slice(&body).unwrap_or_default();
    Some(received)
}

fn path_of(what: &str) -> &str {
    what.split('?').next().unwrap_or(what)
}

fn wait_for(heard: &Mutex<Vec<Received>>, what: &str) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let came = heard
            .lock()
            .is_ok_and(|heard| heard.iter().any(|one| one.what == what));
        if came {
            return;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
