//! `sentinel remote`: the real command against the real Worker.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use devstack::Project;
use serde_json::Value;

use crate::support::{Lab, Run, count};

fn sentinel() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| Project::here().sentinel().expect("the command"))
}

/// The stack, when the command is there: nobody waits for a compiler with the stack in hand.
fn lab() -> Lab {
    sentinel();
    Lab::shared()
}

fn command(lab: &Lab, arguments: &[&str]) -> Child {
    Command::new(sentinel())
        .arg("remote")
        .args(arguments)
        .env("VISTA_URL", lab.url())
        .env("VISTA_TOKEN", lab.token())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts")
}

/// Exit code, standard output and standard error.
fn ended(lab: &Lab, child: Child) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (out, err) = (text(stdout), text(stderr));
    assert!(
        !format!("{out}{err}").contains(lab.token()),
        "the token is in {out}{err}"
    );
    (status.code().expect("no signal"), out, err)
}

fn remote(lab: &Lab, arguments: &[&str]) -> (i32, String, String) {
    ended(lab, command(lab, arguments))
}

#[test]
fn a_run_is_started_watched_shown_and_listed() {
    let lab = lab();
    let load = [
        "grove-mix",
        "--env",
        "staging",
        "--users",
        "6",
        "--duration",
        "12s",
    ];
    let (code, out, err) = remote(&lab, &[&["run", "--dry-run"], &load[..]].concat());
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("up to 6 users") && out.contains("nothing was sent"),
        "{out}"
    );
    assert!(lab.running().is_empty());

    let (code, out, err) = remote(&lab, &[&["run"], &load[..]].concat());
    assert!([0, 99].contains(&code), "{code}: {err}");
    assert!(out.contains("grove-mix completed"), "{out}");
    assert!(
        err.contains("users, ") && err.contains("requests/s"),
        "{err}"
    );

    let (_, listed, err) = remote(
        &lab,
        &["list", "--scenario", "grove-mix", "--limit", "1", "--json"],
    );
    let listed: Value =
        serde_json::from_str(&listed).unwrap_or_else(|error| panic!("{error}: {err}"));
    let id = listed["runs"][0]["id"].as_str().expect("an id");
    assert!(err.is_empty() || err.contains("--cursor"), "{err}");
    assert_eq!(lab.run_row(id)["status"], "completed");

    // The same summary and the same exit code, now and later.
    for arguments in [["show", id], ["watch", id]] {
        let (again, shown, err) = remote(&lab, &arguments);
        assert_eq!(again, code, "{err}");
        assert_eq!(shown, out);
    }
    let (_, table, _) = remote(&lab, &["list", "--status", "completed"]);
    assert!(table.contains(id), "{table}");
}

#[test]
fn the_files_about_a_run_say_what_d1_holds() {
    let lab = lab();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    let out = |kind: &str| format!("{kind}={}", path(kind).display());
    let kinds = ["csv", "json", "junit"].map(out);
    let mut load = vec!["run", "grove-mix", "--env", "staging", "--quiet"];
    load.extend(["--users", "4", "--duration", "8s"]);
    load.extend(kinds.iter().flat_map(|out| ["--out", out]));
    let (code, _, err) = remote(&lab, &load);
    assert!([0, 99].contains(&code), "{code}: {err}");
    let read = |kind: &str| fs::read(path(kind)).expect("a file");

    let summary: Value = serde_json::from_slice(&read("json")).expect("JSON");
    let id = summary["id"].as_str().expect("an id");
    let stored = |table: &str| lab.rows(&format!("SELECT * FROM {table} WHERE run_id = '{id}'"));
    let apps = stored("load_test_app_results");
    let requests: u64 = apps.iter().map(|row| count(row, "total_requests")).sum();
    assert!(requests > 0);
    let steps = summary["samples"]["steps"].as_array().expect("samples");
    let blocks = steps.iter().flat_map(|step| step["blocks"].as_array());
    let sampled = blocks.flatten().map(|block| count(block, "requests"));
    assert_eq!(sampled.sum::<u64>(), requests);

    let csv = read("csv");
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    let told = reader.deserialize::<HashMap<String, String>>();
    let told = told.map(|row| row.expect("a row")["timestamp_ms"].clone());
    let rows = stored("load_test_metrics");
    let rows = rows.iter().map(|row| row["timestamp"].to_string());
    let (told, rows): (BTreeSet<_>, BTreeSet<_>) = (told.collect(), rows.collect());
    assert_eq!(told, rows);

    let report = junit_parser::from_reader(read("junit").as_slice()).expect("JUnit");
    let suite = report
        .suites
        .iter()
        .find(|suite| suite.name == "assertions");
    let suite = suite.expect("grove-mix asserts something");
    let rows = stored("load_test_assertions");
    let failed = rows.iter().filter(|row| row["passed"] == 0).count();
    let told = (suite.tests, suite.failures);
    assert_eq!(told, (rows.len() as u64, failed as u64));
}

#[test]
fn a_run_of_a_file_is_cancelled_by_the_command() {
    let lab = lab();
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/grove-mix.json");
    let (code, out, err) = remote(
        &lab,
        &[
            "run",
            scenario,
            "--users",
            "4",
            "--duration",
            "10m",
            "--detach",
        ],
    );
    assert_eq!(code, 0, "{err}");
    let run = Run::again(&lab, out.trim());
    run.has_seconds(2);

    let (code, _, err) = remote(&lab, &["run", "grove-mix", "--users", "1"]);
    assert_eq!(code, 104, "{err}");
    assert!(
        err.contains("already_running") && err.contains(&run.id),
        "{err}"
    );
    let (code, _, err) = remote(&lab, &["show", &run.id]);
    assert_eq!(code, 107, "{err}");

    let watching = command(&lab, &["watch", &run.id]);
    let (code, out, err) = remote(&lab, &["cancel", &run.id]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(&run.id), "{out}");
    let (code, out, err) = ended(&lab, watching);
    assert_eq!(code, 105, "{err}");
    assert!(out.contains("grove-mix cancelled"), "{out}");
    assert_eq!(run.ended(Duration::from_secs(10)), "cancelled");
    let (code, _, err) = remote(&lab, &["cancel", &run.id]);
    assert_eq!(code, 0, "cancelling twice is cancelling once: {err}");
}

#[test]
fn production_and_the_token_are_guarded() {
    let lab = lab();
    let (code, _, err) = remote(&lab, &["run", "grove-mix", "--env", "production"]);
    assert_eq!(code, 104, "{err}");
    assert!(err.contains("--confirm"), "{err}");
    let child = Command::new(sentinel())
        .args(["remote", "list", "--url", &lab.url()])
        .env("VISTA_TOKEN", "not-the-token")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let (code, _, err) = ended(&lab, child);
    assert_eq!(code, 104, "{err}");
    assert!(err.contains("401 unauthorized"), "{err}");
    assert!(!err.contains("not-the-token"), "{err}");
}
