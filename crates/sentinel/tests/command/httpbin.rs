//! httpbin, as Python's users have it: redirects, cookies, encodings and credentials, judged by somebody else.
//! Where it cannot be installed, the test says so and is skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::lab::Lab;
use crate::real::{installed, python_of};

/// The packages whose behaviour is tried.
const PACKAGES: [&str; 2] = ["httpbin==0.10.2", "setuptools<81"];

/// Serves httpbin on a free port, which it says first.
const SERVE: &str = r#"
from httpbin import app
from werkzeug.serving import make_server, WSGIRequestHandler
WSGIRequestHandler.protocol_version = "HTTP/1.1"
server = make_server("127.0.0.1", 0, app, threaded=True)
print("port", server.server_port)
server.serve_forever()
"#;

/// A Python that has httpbin: installed once, and kept among what the build makes.
fn environment() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("httpbin");
    let python = folder.join("bin/python");
    let marker = folder.join("complete");
    if marker.is_file() {
        return Some(python);
    }
    let done = |command: &mut Command| {
        let output = command.output().ok();
        output.is_some_and(|output| output.status.success())
    };
    let made = done(
        Command::new(installed("python3")?)
            .args(["-m", "venv"])
            .arg(&folder),
    );
    let mut install = Command::new(&python);
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--retries",
        "1",
        "--timeout",
        "20",
    ]);
    if !made || !done(install.args(PACKAGES)) {
        eprintln!("SKIPPED: httpbin could not be installed, so nothing is tried against it");
        return None;
    }
    fs::write(marker, "").expect("a file");
    Some(python)
}

fn step(name: &str, method: &str, url: &str, checks: Value) -> Value {
    json!({"name": name, "request": {"method": method, "url": url}, "expect": {"status": [200], "checks": checks}})
}

/// A check that what is on `on` is this.
fn is(name: &str, on: &str, value: Value) -> Value {
    json!([{"name": name, "on": on, "equals": value}])
}

fn steps() -> Value {
    let mut kept = step(
        "method and body kept",
        "POST",
        "/redirect-to?url=/anything&status_code=307",
        json!([
            {"name": "posted", "on": "$.method", "equals": "POST"},
            {"name": "body", "on": "$.json.n", "equals": 7},
        ]),
    );
    kept["request"]["body"] = json!({"n": 7});
    let mut changed = step(
        "method and body changed",
        "POST",
        "/redirect-to?url=/anything&status_code=302",
        json!([
            {"name": "got", "on": "$.method", "equals": "GET"},
            {"name": "empty", "on": "$.data", "equals": ""},
        ]),
    );
    changed["request"]["body"] = json!({"n": 7});
    let mut secret = step(
        "credentials",
        "GET",
        "/basic-auth/ann/word",
        is("known", "$.user", json!("ann")),
    );
    secret["request"]["headers"] = json!({"authorization": "Basic YW5uOndvcmQ="});
    let mut encoded = Vec::new();
    for (encoding, field) in [
        ("gzip", "gzipped"),
        ("deflate", "deflated"),
        ("brotli", "brotli"),
    ] {
        let mut step = step(
            encoding,
            "GET",
            &format!("/{encoding}"),
            is(field, &format!("$.{field}"), json!(true)),
        );
        step["request"]["headers"] = json!({"accept-encoding": "gzip, deflate, br"});
        encoded.push(step);
    }
    let mut steps = vec![
        step(
            "relative",
            "GET",
            "/relative-redirect/3",
            is("there", "$.args", json!({})),
        ),
        step(
            "absolute",
            "GET",
            "/absolute-redirect/2",
            is("there", "$.args", json!({})),
        ),
        step(
            "cookies",
            "GET",
            "/cookies/set?flavour=oat",
            is("kept", "$.cookies.flavour", json!("oat")),
        ),
        step(
            "later",
            "GET",
            "/cookies",
            is("sent", "$.cookies.flavour", json!("oat")),
        ),
        step("chunks", "GET", "/stream/5", json!([])),
        kept,
        changed,
        secret,
    ];
    steps.extend(encoded);
    steps.into()
}

#[test]
fn httpbin_sees_what_a_browser_would_show_it() {
    let Some(python) = environment() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (_server, port) = python_of(&python, folder.path(), &["-c", SERVE]);
    let lab = Lab::new();
    let scenario = lab.scenario("/", |scenario| {
        scenario["load"] = json!({"vus": 2, "iterations": 4});
        scenario["thresholds"] = json!({"checks": ["rate==1"], "http_req_failed": ["rate==0"]});
    });
    lab.write(
        "applications/visit.json",
        &json!({"name": "visit", "steps": steps()}),
    );
    let base_url = format!("http://127.0.0.1:{port}");
    let ended = lab.run(&scenario, &["--base-url", &base_url]);
    assert_eq!(ended.code, 0, "{} {}", ended.err, ended.out);
    ended.assert_balanced();
    // 11 steps, and the redirects: 3, 2, and one of each of three steps.
    assert_eq!(ended.ledger("answered"), 4 * (11 + 3 + 2 + 3));
}
