//! The testbed's own counts: exact, by path, by connection and by batch, in process and over HTTP.

mod client;
mod raw;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use client::{agent, start, until};
use raw::Raw;
use testbed::{ConnectionStats, Stats, Tally};

fn assert_balanced(tally: &Tally) {
    let Tally {
        arrived,
        waiting,
        sending,
        completed,
        aborted,
        broken,
        ..
    } = *tally;
    assert_eq!(
        arrived,
        waiting + sending + completed + aborted + broken,
        "{tally:?}"
    );
}

fn from_batch(path: &str, batch: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: t\r\nx-vista-run: r\r\nx-vista-batch: {batch}\r\n\r\n")
}

#[test]
fn requests_are_counted_by_path_batch_and_connection() {
    let testbed = start();
    let waiting: Vec<Raw> = ["0.0", "0.0", "0.1"]
        .map(|batch| Raw::send(&testbed, &from_batch("/hang", batch)))
        .into();
    let mut done = Raw::send(&testbed, &from_batch("/ok", "0.1"));
    done.head();
    until("all have arrived", || testbed.stats().total.arrived == 4);

    let stats = testbed.stats();
    assert_balanced(&stats.total);
    assert_eq!(stats.total.waiting, 3);
    assert_eq!(stats.path("/hang").waiting_max, 3);
    assert_eq!(stats.path("/ok").completed, 1);
    let batches: Vec<_> = stats
        .batches
        .iter()
        .map(|batch| {
            assert_balanced(&batch.tally);
            assert_eq!(batch.run, "r");
            (
                batch.batch.as_str(),
                batch.tally.arrived,
                batch.tally.waiting,
            )
        })
        .collect();
    assert_eq!(batches, [("0.0", 2, 2), ("0.1", 2, 1)]);
    assert_eq!(stats.connections_open, 4);

    drop(waiting);
    until("they are gone", || testbed.stats().total.aborted == 3);
    let stats = testbed.stats();
    assert_eq!(stats.total.waiting, 0);
    assert_eq!(stats.path("/hang").waiting_max, 3, "the highest stays");
    assert_balanced(&stats.total);
}

#[test]
fn times_are_those_of_one_clock() {
    let testbed = start();
    let before = testbed.stats().now_us;
    Raw::get(&testbed, "/ok").head();
    let between = testbed.stats();
    Raw::get(&testbed, "/ok").head();
    let after = testbed.stats();
    let first = between.total.last_arrival_us.expect("a first arrival");
    let last = after.total.last_arrival_us.expect("a last arrival");
    assert!(before <= first && first <= between.now_us);
    assert!(between.now_us <= last && last <= after.now_us);
    assert_eq!(after.total.first_arrival_us, Some(first));
}

#[test]
fn counting_begins_anew_without_what_is_still_being_answered() {
    let testbed = start();
    let hanging = Raw::get(&testbed, "/hang");
    until("it waits", || testbed.stats().total.waiting == 1);
    testbed.reset();
    assert_eq!(testbed.stats().total, Tally::default());
    drop(hanging);
    Raw::get(&testbed, "/ok").head();
    until("all are closed", || testbed.stats().connections_open == 0);
    let stats = testbed.stats();
    assert_eq!((stats.total.arrived, stats.total.aborted), (1, 0));
}

#[test]
fn the_counts_are_told_over_http_and_asking_is_not_counted() {
    let testbed = start();
    let url = |path: &str| format!("{}{path}", testbed.url());
    let read = |path: &str| {
        let mut answer = agent().get(url(path)).call().expect("an answer");
        answer.body_mut().read_to_string().expect("a text")
    };
    read("/ok");
    read("/ok");
    let stats: Stats = serde_json::from_str(&read("/__testbed/stats")).expect("stats");
    assert_eq!(stats.path("/ok").completed, 2);
    assert_eq!(stats.total.arrived, 2);
    let connections: Vec<ConnectionStats> =
        serde_json::from_str(&read("/__testbed/connections")).expect("connections");
    let arrived: Vec<u64> = connections.iter().map(|each| each.tally.arrived).collect();
    assert_eq!(arrived.iter().sum::<u64>(), 2, "{connections:?}");

    agent().delete(url("/__testbed/stats")).call().expect("204");
    assert_eq!(testbed.stats().total.arrived, 0);
    agent()
        .post(url("/__testbed/freeze"))
        .send_empty()
        .expect("204");
    let mut frozen = Raw::get(&testbed, "/freeze");
    until("it waits", || testbed.stats().total.waiting == 1);
    agent()
        .delete(url("/__testbed/freeze"))
        .call()
        .expect("204");
    assert!(frozen.head().starts_with("HTTP/1.1 200"));
}

#[test]
fn the_command_says_where_it_serves() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testbed"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let out = command.stdout.take().expect("its output");
    BufReader::new(out).read_line(&mut line).expect("a line");
    let answer = agent().get(format!("{}/ok", line.trim())).call();
    command.kill().expect("it runs");
    command.wait().expect("it ends");
    assert_eq!(answer.expect("an answer").status().as_u16(), 200);
}
