//! Ctrl-C: once, the run ends with all that was measured; twice, the command ends at once.

use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use testbed::Stats;

use crate::lab::Lab;

/// Starts a run that a signal will end.
fn start(lab: &Lab, scenario: &Path) -> Child {
    let mut command = lab.command();
    let url = lab.target.url();
    command
        .arg("run")
        .arg(scenario)
        .args(["--base-url", &url, "--out", &lab.summary_output()]);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the command starts")
}

/// Waits until the target has seen enough.
fn wait_for(lab: &Lab, enough: impl Fn(&Stats) -> bool) {
    while !enough(&lab.target.stats()) {
        thread::sleep(Duration::from_millis(10));
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it is told");
}

#[test]
fn an_interrupted_run_keeps_what_it_measured() {
    for which in [Signal::INT, Signal::TERM] {
        let lab = Lab::new();
        let scenario = lab.scenario("/delay?ms=5", |scenario| {
            scenario["load"] = json!({"vus": 2, "duration": "10m"});
        });
        let child = start(&lab, &scenario);
        wait_for(&lab, |stats| stats.total.completed >= 20);
        signal(&child, which);
        let ended = lab.ended(child.wait_with_output().expect("it ends"));
        assert_eq!(ended.code, 105, "{}", ended.err);
        ended.assert_balanced();
        assert!(ended.ledger("answered") >= 20);
        assert!(ended.out.contains("visits cancelled"), "{}", ended.out);
        assert!(ended.out.contains("http_reqs"), "{}", ended.out);
    }
}

#[test]
fn requests_under_way_are_cut_off_and_counted() {
    let lab = Lab::new();
    let scenario = lab.scenario("/hang", |scenario| {
        scenario["load"] = json!({"vus": 3, "duration": "10m"});
        scenario["requestTimeout"] = json!("10m");
    });
    let child = start(&lab, &scenario);
    wait_for(&lab, |stats| stats.total.waiting == 3);
    signal(&child, Signal::INT);
    let ended = lab.ended(child.wait_with_output().expect("it ends"));
    assert_eq!(ended.code, 105, "{}", ended.err);
    ended.assert_balanced();
    assert_eq!(ended.ledger("interrupted"), 3);
    assert_eq!((ended.ledger("sent"), ended.ledger("cutOff")), (3, 3));
}

#[test]
fn the_second_interrupt_waits_for_nothing() {
    let lab = Lab::new();
    let scenario = lab.scenario("/delay?ms=5", |scenario| {
        scenario["load"] = json!({"vus": 2, "duration": "10m"});
        scenario["requestTimeout"] = json!("10m");
        scenario["teardownTimeout"] = json!("10m");
        scenario["teardown"] =
            json!([{"name": "clean up", "request": {"method": "GET", "url": "/hang"}}]);
    });
    let child = start(&lab, &scenario);
    wait_for(&lab, |stats| stats.total.completed >= 20);
    signal(&child, Signal::INT);
    // What was made is cleared away first, which takes ten minutes here.
    wait_for(&lab, |stats| stats.path("/hang").waiting == 1);
    signal(&child, Signal::INT);
    let ended = lab.ended(child.wait_with_output().expect("it ends"));
    assert_eq!(ended.code, 105, "{}", ended.err);
    assert!(ended.err.contains("interrupted twice"), "{}", ended.err);
    let count = |what: &str| -> u64 {
        let before = ended.err.split(what).next().unwrap_or_default();
        let word = before.split([' ', '(']).rfind(|word| !word.is_empty());
        let count = word.and_then(|word| word.parse().ok());
        count.unwrap_or_else(|| panic!("{what} in {}", ended.err))
    };
    assert!(count("finished") >= 20 - 2, "{}", ended.err);
    let ends = count("answered") + count("failed") + count("cut off");
    assert_eq!(count("requests sent"), ends, "{}", ended.err);
    // The one that hangs, and at most one of each user.
    assert!((1..=3).contains(&count("cut off")), "{}", ended.err);
}
