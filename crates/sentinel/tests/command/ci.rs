//! The CI templates in `ops/ci`: what their steps call is there, and does what it says.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lab::Lab;

fn folder() -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    repository
        .join("ops/ci")
        .canonicalize()
        .expect("the templates")
}

/// A script of the templates, which finds the command and no target.
fn script(lab: &Lab, path: PathBuf) -> Command {
    let mut command = Command::new(path);
    command
        .current_dir(lab.path(""))
        .env("SENTINEL", env!("CARGO_BIN_EXE_sentinel"))
        .env_remove("BASE_URL")
        .env_remove("RESULTS")
        .stdin(Stdio::null());
    command
}

fn output(mut command: Command, arguments: &[&str]) -> (i32, String) {
    let output: Output = command.args(arguments).output().expect("the script runs");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().expect("no signal ended it"),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn every_step_calls_a_script_that_is_there_and_results_are_uploaded() {
    let mut called = Vec::new();
    for name in ["smoke.yml", "gate.yml", "nightly.yml"] {
        let text = fs::read_to_string(folder().join(name)).expect(name);
        let workflow: Value =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(workflow["on"].is_object(), "{name}: when");
        let jobs = workflow["jobs"].as_object().expect("jobs");
        for job in jobs.values() {
            let steps = job["steps"].as_array().expect("steps");
            let uploads = |step: &&Value| {
                step["uses"]
                    .as_str()
                    .is_some_and(|uses| uses.starts_with("actions/upload-artifact@"))
            };
            let upload = steps.iter().find(uploads).expect("an upload");
            assert_eq!(
                upload["if"], "always()",
                "{name}: also what a failed run has measured"
            );
            assert_eq!(upload["with"]["path"], "load-test-results/", "{name}");
            for run in steps.iter().filter_map(|step| step["run"].as_str()) {
                if run.starts_with("cargo build --locked --release ") {
                    continue;
                }
                let scripts = run
                    .split_whitespace()
                    .filter_map(|word| word.strip_prefix("ops/ci/"));
                let before = called.len();
                called.extend(scripts.map(str::to_owned));
                assert!(called.len() > before, "{name}: {run} is no script");
            }
        }
    }
    called.sort();
    called.dedup();
    let entries = fs::read_dir(folder()).expect("the templates").flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut scripts: Vec<String> = names.filter(|name| name.ends_with(".sh")).collect();
    scripts.sort();
    assert_eq!(called, scripts, "what is called, and what is there");
}

/// A project of the templates' shape, with a suite of two scenarios.
fn project(lab: &Lab) -> PathBuf {
    let (root, suite) = (lab.path("project"), lab.path("project/scenarios/mini"));
    fs::create_dir_all(root.join("ops/ci")).expect("a folder");
    fs::create_dir_all(suite.join("applications")).expect("a folder");
    for entry in fs::read_dir(folder()).expect("the templates").flatten() {
        fs::copy(entry.path(), root.join("ops/ci").join(entry.file_name())).expect("a copy");
    }
    let metrics = json!({"errors": {"type": "rate", "from": [{"step": "get", "value": "failed"}]}});
    for (name, url) in [("one", "/ok/one"), ("two", "/errors/two?rate=0")] {
        let application = json!({
            "name": name,
            "steps": [{"name": "get", "request": {"method": "GET", "url": url}}],
        });
        let scenario = json!({
            "name": name, "applications": [{"name": name, "weight": 1}], "load": {"vus": 2, "duration": "10m"},
            "metrics": metrics, "thresholds": {"errors": ["rate<0.01"]}, "pause": "10ms",
        });
        let write =
            |file: PathBuf, json: &Value| fs::write(file, json.to_string()).expect("a file");
        write(
            suite.join("applications").join(name).with_extension("json"),
            &application,
        );
        write(suite.join(name).with_extension("json"), &scenario);
    }
    root.join("ops/ci")
}

#[test]
fn a_suite_is_played_kept_and_compared() {
    let lab = Lab::new();
    let scripts = project(&lab);
    let suite = |results: &str, scenario: &str, url: &str| {
        let mut command = script(&lab, scripts.join("run-suite.sh"));
        command.env("BASE_URL", url).env("RESULTS", results);
        output(
            command,
            &["mini", "smoke", scenario, "--duration", "1s", "--quiet"],
        )
    };
    let (code, told) = suite("after", "all", &lab.target.url());
    assert_eq!(code, 0, "{told}");
    for file in ["one.json", "one.html", "one.junit.xml", "two.json"] {
        let file = lab.path(&format!("after/mini-{file}"));
        assert!(file.is_file(), "{}: {told}", file.display());
    }
    let (code, told) = suite("broken", "all", "http://127.0.0.1:1");
    assert_eq!(code, 99, "{told}");
    for name in ["one", "two"] {
        let line = format!("::error::mini {name}: exit code 99");
        assert!(told.contains(&line), "all are played: {told}");
    }
    assert_eq!(suite("none", "lost", &lab.target.url()).0, 104);

    let compare =
        |before, after| output(script(&lab, scripts.join("compare.sh")), &[before, after]);
    let (code, told) = compare("baseline", "after");
    assert_eq!(code, 0, "{told}");
    assert_eq!(
        told.matches("there is nothing to compare it with").count(),
        2,
        "{told}"
    );
    let keep = script(&lab, scripts.join("keep.sh"));
    assert_eq!(output(keep, &["after", "baseline"]).0, 0);
    let (code, told) = compare("baseline", "after");
    assert_eq!(code, 0, "the same is not worse: {told}");
    assert!(!told.contains("nothing to compare"), "{told}");
    fs::write(lab.path("after/mini-one.json"), "{}").expect("a file");
    assert_eq!(compare("baseline", "after").0, 104, "what is no summary");
}

fn with_target(lab: &Lab) -> Command {
    script(lab, folder().join("with-target.sh"))
}

#[test]
fn a_target_is_started_waited_for_and_ended() {
    let lab = Lab::new();
    let server = "python3 -u -c '
import http.server
server = http.server.HTTPServer((\"127.0.0.1\", 0), http.server.SimpleHTTPRequestHandler)
print(f\"http://127.0.0.1:{server.server_port}\")
server.serve_forever()'";
    let visit = "import os, urllib.request; print(os.environ[\"BASE_URL\"], urllib.request.urlopen(os.environ[\"BASE_URL\"]).status)";
    let (code, told) = output(with_target(&lab), &[server, "python3", "-c", visit]);
    assert_eq!(code, 0, "{told}");
    let line = told
        .lines()
        .find(|line| line.ends_with(" 200"))
        .expect("it was visited");
    let address = line.trim_start_matches("http://").trim_end_matches(" 200");
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < deadline, "the target goes on");
        thread::sleep(Duration::from_millis(20));
    }

    let (code, _) = output(with_target(&lab), &[server, "sh", "-c", "exit 7"]);
    assert_eq!(code, 7, "the code is that of the command");
    let (code, told) = output(with_target(&lab), &["exit 1", "true"]);
    assert_eq!(code, 107, "{told}");
    let mut command = with_target(&lab);
    command.env("BASE_URL", lab.target.url());
    assert_eq!(output(command, &["exit 1", "true"]).0, 0, "it runs already");
    let mut command = with_target(&lab);
    command
        .env("BASE_URL", "http://127.0.0.1:1")
        .env("WAIT_SECONDS", "0");
    let (code, told) = output(command, &["", "true"]);
    assert_eq!(code, 107);
    assert!(told.contains("nobody listens"), "{told}");
}
