//! What cannot be run: one clear reason, the right exit code, and no request.

use std::fs;

use serde_json::json;

use crate::lab::Lab;

#[test]
fn what_cannot_be_run_is_refused_with_its_reason() {
    let lab = Lab::new();
    let good = lab.scenario("/ok", |_| {});
    let good = good.to_str().expect("text");
    let bad = json!({"name": "bad", "applications": [{"name": "visit", "weight": -1}], "load": {"vus": 0}});
    let bad = lab.write("bad.json", &bad);
    let bad = bad.to_str().expect("text");
    let url = lab.target.url();
    let elsewhere = lab.write(
        "applications/elsewhere.json",
        &json!({"name": "elsewhere", "steps": [{"name": "get", "expect": {},
            "request": {"method": "GET", "url": "https://example.com/"}}]}),
    );
    let elsewhere = elsewhere.to_str().expect("text");
    let leaves = json!({"name": "leaves", "applications": [{"name": "elsewhere", "weight": 1}], "load": {"vus": 1}});
    let leaves = lab.write("leaves.json", &leaves);
    let leaves = leaves.to_str().expect("text");
    for (arguments, reason) in [
        (&["run", good][..], "--base-url"),
        (&["run", "nothing.json", "--base-url", &url], "nothing.json"),
        (&["run", "nothing", "--base-url", &url], "no file"),
        (&["run", bad, "--base-url", &url], "weight"),
        (&["run", bad, "--base-url", &url], "load.vus"),
        (&["run", good, "--base-url", "nonsense"], "nonsense"),
        (&["run", good, "--base-url", &url, "--vus", "many"], "many"),
        (
            &[
                "run",
                good,
                "--base-url",
                &url,
                "--vus",
                "2",
                "--duration",
                "-1s",
            ],
            "\"-1s\"",
        ),
        (
            &[
                "run",
                good,
                "--base-url",
                &url,
                "--vus",
                "2",
                "--duration",
                "long",
            ],
            "\"long\" is not a duration: accepted are",
        ),
        (
            &[
                "run",
                good,
                "--base-url",
                &url,
                "--users",
                "3",
                "--vus",
                "3",
            ],
            "--vus",
        ),
        (
            &["run", good, "--base-url", &url, "--stage", "30s"],
            "30s:50",
        ),
        (
            &[
                "run",
                good,
                "--base-url",
                &url,
                "--out",
                "json=no/such/folder.json",
            ],
            "no/such/folder.json",
        ),
        (
            &["run", good, "--base-url", &url, "--cacert", "nothing.pem"],
            "nothing.pem",
        ),
        (
            &[
                "run",
                leaves,
                "--application",
                elsewhere,
                "--base-url",
                &url,
            ],
            "example.com",
        ),
        (&["validate", bad], "weight"),
        (&["jump"], "jump"),
    ] {
        let output = lab.command().args(arguments).output().expect("it runs");
        let ended = lab.ended(output);
        assert_eq!(ended.code, 104, "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains(reason), "{arguments:?}: {}", ended.err);
    }
    assert_eq!(lab.target.stats().connections_opened, 0);
}

#[test]
fn each_wrong_value_is_named_with_what_is_accepted() {
    let lab = Lab::new();
    let good = lab.scenario("/ok", |_| {});
    let good = good.to_str().expect("text");
    fs::write(lab.path("nonsense.pem"), "nonsense").expect("a file");
    fs::write(lab.path("nonsense.json"), "{").expect("a file");
    let url = lab.target.url();
    for (arguments, reasons) in [
        (
            ["--cacert", "nonsense.pem"],
            ["nonsense.pem", "certificate"],
        ),
        (["--resolve", "example.com"], ["example.com", "--resolve"]),
        (
            ["--proxy", "ftp://127.0.0.1:1"],
            ["http://HOST:PORT", "--proxy"],
        ),
        (["--out", "xml=report.xml"], ["xml", "junit"]),
        (["--out", "prometheus=http://"], ["http://", "prometheus"]),
        (["--summary-mode", "none"], ["none", "compact"]),
        (["--summary-trend-stats", "p95"], ["p95", "p(99.9)"]),
        (["--summary-time-unit", "h"], ["'h'", "ms"]),
        (["--max-redirects", "many"], ["many", "--max-redirects"]),
        (["--max-in-flight", "0"], ["'0'", "--max-in-flight"]),
        (["--connect-timeout", "soon"], ["soon", "--connect-timeout"]),
        (
            ["--application", "nonsense.json"],
            ["nonsense.json", "line 1"],
        ),
        (["--max-redirects", "-1"], ["'-1'", "whole numbers from 0"]),
        (
            ["--max-in-flight", "70000"],
            ["--max-in-flight", "1 to 65535"],
        ),
        (["--vus", "0"], ["'0' for --vus", "from 1"]),
        (["--vus", "1.5"], ["'1.5' for --vus", "whole numbers"]),
        (["--users", "some"], ["'some' for --users", "whole numbers"]),
        (["--iterations", "0"], ["'0' for --iterations", "from 1"]),
        (["--rate", "-5"], ["'-5' for --rate", "from 1"]),
        (
            ["--seed", "luck"],
            ["'luck' for --seed", "whole numbers from 0"],
        ),
        (["--stage", "30s:-3"], ["'30s:-3' for --stage", "30s:50"]),
        (["--share", "5/4"], ["'5/4' for --share", "2/4"]),
        (["--execution-segment", "2:3"], ["'2:3'", "from 0 to 1"]),
        (["--connect-timeout", "0s"], ["0s", "above zero"]),
        (
            ["--base-url", "ftp://a"],
            [
                "--base-url:",
                "the scheme \"ftp\" is not allowed: accepted are http and https",
            ],
        ),
        (
            ["--base-url", "localhost:80"],
            ["--base-url:", "\"localhost\""],
        ),
        (["--base-url", "http://"], ["--base-url:", "\"http://\""]),
        (
            ["--summary-trend-stats", "mode"],
            ["'mode'", "avg, min, med"],
        ),
        (["--user-agent", "a\nb"], ["a\\nb", "--user-agent"]),
        (["--out", "statsd=here"], ["statsd=here", "HOST:PORT"]),
        (["--allow-host", "a b"], ["a b", "--allow-host:"]),
        (["--profile", "heavy"], ["heavy", "soak"]),
    ] {
        let mut command = lab.command();
        command.args(["run", good]).args(arguments);
        if arguments[0] != "--base-url" {
            command.args(["--base-url", &url]);
        }
        let ended = lab.ended(command.output().expect("it runs"));
        assert_eq!(ended.code, 104, "{arguments:?}: {}", ended.err);
        for reason in reasons {
            assert!(
                ended.err.contains(reason),
                "{arguments:?}, {reason}: {}",
                ended.err
            );
        }
        // One line, or one that says where and one that says what.
        let lines = ended.err.trim_end().lines().count();
        assert!(lines <= 2, "{arguments:?}: {}", ended.err);
        assert!(ended.err.starts_with("sentinel: "), "{}", ended.err);
    }
    assert_eq!(lab.target.stats().connections_opened, 0);
}

#[test]
fn files_that_are_no_json_are_refused_in_a_line_and_a_mark_before_it_is_passed_over() {
    let lab = Lab::new();
    let good = lab.scenario("/ok", |_| {});
    let marked = [b"\xef\xbb\xbf".as_slice(), &fs::read(good).expect("a file")].concat();
    for (name, content, reason) in [
        ("empty.json", b" \n".as_slice(), "is empty"),
        (
            "scenario.json",
            b"name: visits\nload:\n  vus: 1\n",
            "sentinel import",
        ),
        ("binary.json", &[0, 159, 255, 1, 2], "JSON object"),
    ] {
        fs::write(lab.path(name), content).expect("a file");
        let output = lab.command().args(["validate", name]).output();
        let ended = lab.ended(output.expect("it runs"));
        assert_eq!(ended.code, 104, "{name}: {}", ended.err);
        assert!(
            ended.err.contains(name) && ended.err.contains(reason),
            "{}",
            ended.err
        );
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    }
    fs::write(lab.path("visits.json"), marked).expect("a file");
    let output = lab.command().args(["validate", "visits.json"]).output();
    let ended = lab.ended(output.expect("it runs"));
    assert_eq!(ended.code, 0, "{}", ended.err);
}

#[test]
fn a_run_that_reached_nobody_does_not_pass() {
    let lab = Lab::new();
    let scenario = lab.scenario("/ok", |_| {});
    for (url, class) in [
        ("http://127.0.0.1:1".to_owned(), "connect"), // a port that nobody uses
        (lab.target.url().replace("http", "https"), "tls"),
    ] {
        let ended = lab.run(&scenario, &["--base-url", &url, "--quiet"]);
        assert_eq!(ended.code, 107, "{url}: {}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
        let told = format!("(30 {class})");
        assert!(
            ended.err.contains("no request reached") && ended.err.contains(&told),
            "{}",
            ended.err
        );
        assert_eq!(ended.ledger("failed"), 30, "the summary is written");
    }
}

#[test]
fn a_good_scenario_is_called_valid_and_the_schema_is_json() {
    let lab = Lab::new();
    let good = lab.scenario("/ok", |_| {});
    let output = lab.command().arg("validate").arg(&good).output();
    let ended = lab.ended(output.expect("it runs"));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("visits: valid"), "{}", ended.out);
    let output = lab.command().arg("schema").output().expect("it runs");
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(schema["$schema"].is_string());
}
