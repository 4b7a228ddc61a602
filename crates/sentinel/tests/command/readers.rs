//! Who reads what the command prints may stop, as `head` does.

use std::fs::File;
use std::io::{PipeWriter, pipe};

use serde_json::json;

use crate::lab::Lab;

#[test]
fn a_run_that_nobody_reads_about_is_played_and_judged() {
    for (limit, code) in [("p(95)<60000", 0), ("p(95)<0", 99)] {
        let lab = Lab::new();
        let scenario = lab.scenario("/ok", |scenario| {
            scenario["thresholds"] = json!({"http_req_duration": [limit]});
        });
        let mut command = lab.command();
        command.arg("run").arg(&scenario);
        command.args(["--base-url", &lab.target.url()]);
        command.args(["--out", &lab.summary_output()]);
        command.stdout(without_reader()).stderr(without_reader());
        let ended = lab.ended(command.output().expect("it runs"));
        assert_eq!(ended.code, code, "{limit}");
        assert_eq!(ended.ledger("answered"), 30, "the file is whole");
    }
}

#[test]
fn a_text_that_nobody_reads_is_no_failure() {
    for_each_text(|mut command| {
        let output = command.stdout(without_reader()).output();
        (output.expect("it runs"), 0, 0)
    });
}

#[test]
fn a_text_that_cannot_be_written_is_told_in_one_line() {
    for_each_text(|mut command| {
        let full = File::options().write(true).open("/dev/full");
        command.stdout(full.expect("the device that is always full"));
        (command.output().expect("it runs"), 107, 1)
    });
}

/// Has each command print, and compares exit code and lines of the standard error with what is expected.
fn for_each_text(print: impl Fn(std::process::Command) -> (std::process::Output, i32, usize)) {
    let lab = Lab::new();
    let scenario = lab.scenario("/ok", |_| {});
    let scenario = scenario.to_str().expect("a path in UTF-8");
    let url = lab.target.url();
    for arguments in [
        &["schema"] as &[&str],
        &["man"],
        &["completions", "bash"],
        &["plan", scenario, "--base-url", &url],
        &["plan", "--json", scenario, "--base-url", &url],
        &["validate", scenario, "--base-url", &url],
    ] {
        let mut command = lab.command();
        command.args(arguments);
        let (output, code, lines) = print(command);
        let ended = lab.ended(output);
        assert_eq!(ended.code, code, "{arguments:?}: {}", ended.err);
        assert_eq!(
            ended.err.lines().count(),
            lines,
            "{arguments:?}: {}",
            ended.err
        );
    }
}

/// A pipe whose other end is closed.
fn without_reader() -> PipeWriter {
    let (_, writer) = pipe().expect("a pipe");
    writer
}
