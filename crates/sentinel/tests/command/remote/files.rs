//! Files about a run at the edge.

use std::fs;

use sentinel_engine::histogram::SparseHistogram;
use sentinel_engine::summary::{Samples, TestRunResult};
use serde_json::{Value, json};

use super::fake::{Fake, RUN, Reply, end, row};
use crate::lab::Lab;

const HISTOGRAMS: &str = "GET /runs/0b9f8f4e-7c67-4c4e-9f6e-1d2b3c4d5e6f/histograms";

/// The API of a run that has ended, and what it keeps of it.
fn api(run: Value, histograms: (u16, Value)) -> Fake {
    Fake::new(move |received, _| {
        if received.what == HISTOGRAMS {
            Reply::Json(histograms.0, histograms.1.clone())
        } else if received.what.ends_with("/stream") {
            Reply::Events(end(&run))
        } else {
            Reply::Json(200, json!({ "run": run }))
        }
    })
}

/// The row of a run, and its histograms as the API has them.
fn run(status: &str, passed: bool) -> (Value, Value) {
    let run = row(&Lab::new(), status, passed);
    let text = run["summary_json"].as_str().expect("a summary");
    let mut summary: Value = serde_json::from_str(text).expect("JSON");
    let samples: Samples = serde_json::from_value(summary["samples"].take()).expect("samples");
    let step = samples.steps.first().expect("a step");
    // Of one block for each second that it took.
    let mut response_us = SparseHistogram::default();
    let blocks = step.blocks.iter();
    blocks.for_each(|block| response_us.merge(&block.response_us));
    let histograms = json!({"histograms": [
        {"run_id": RUN, "step": 0, "app_name": step.application, "step_name": step.step, "kind": "response",
            "histogram": response_us},
        {"run_id": RUN, "step": 0, "app_name": step.application, "step_name": step.step, "kind": "service",
            "histogram": response_us},
    ]});
    let mut run = run;
    // The edge keeps no samples in the summary.
    run["summary_json"] = json!(summary.to_string());
    (run, histograms)
}

const OUT: [&str; 8] = [
    "--out",
    "json=run.json",
    "--out",
    "csv=run.csv",
    "--out",
    "junit=run.xml",
    "--out",
    "html=run.html",
];

#[test]
fn files_are_written_whatever_came_of_the_run() {
    for (status, passed, code) in [
        ("completed", true, 0),
        ("completed", false, 99),
        ("cancelled", false, 105),
    ] {
        for (what, more) in [
            ("show", &[][..]),
            ("show", &["--json"]),
            ("watch", &["--quiet"]),
        ] {
            let (run, histograms) = run(status, passed);
            let fake = api(run, (200, histograms.clone()));
            let arguments = [&[what, RUN][..], more, &OUT].concat();
            let ended = fake.run(&arguments);
            assert_eq!(ended.code, code, "{what} {status}: {}", ended.err);
            let read = |name: &str| fs::read_to_string(fake.lab.path(name)).expect("a file");
            let result: TestRunResult = serde_json::from_str(&read("run.json")).expect("a summary");
            let samples = result.samples.expect("samples");
            let [step] = samples.steps.as_slice() else {
                panic!("{samples:?}")
            };
            let [block] = step.blocks.as_slice() else {
                panic!("{step:?}")
            };
            assert_eq!((block.requests, block.response_us.count()), (30, 30));
            assert!(read("run.csv").lines().count() >= 2);
            let report = junit_parser::from_reader(read("run.xml").as_bytes());
            assert!(report.expect("JUnit").tests >= 1);
            let page = read("run.html");
            assert!(page.contains("Distribution of response times"), "{page}");
        }
    }
}

#[test]
fn histograms_that_do_not_come_are_missed_and_lose_nothing_else() {
    let (run, _) = run("completed", true);
    for (answer, code, said) in [
        ((200, json!({"histograms": []})), 0, ""),
        (
            (
                503,
                json!({"error": "the database is busy", "code": "unavailable"}),
            ),
            107,
            "the histograms are missing",
        ),
    ] {
        let fake = api(run.clone(), answer);
        let ended = fake.run(&[&["show", RUN][..], &OUT].concat());
        assert_eq!(ended.code, code, "{}", ended.err);
        assert!(ended.err.contains(said), "{}", ended.err);
        let page = fs::read_to_string(fake.lab.path("run.html")).expect("a file");
        assert!(page.contains("The distribution was not kept"), "{page}");
    }
}

#[test]
fn a_file_that_cannot_be_filled_loses_neither_the_run_nor_the_others() {
    let (run, histograms) = run("completed", true);
    let fake = api(run, (200, histograms));
    let full = [
        "show",
        RUN,
        "--out",
        "html=/dev/full",
        "--out",
        "csv=run.csv",
    ];
    let ended = fake.run(&full);
    assert_eq!(ended.code, 107, "{}", ended.err);
    let said = "html=/dev/full is incomplete";
    assert!(ended.err.contains(said), "{}", ended.err);
    assert!(fs::read_to_string(fake.lab.path("run.csv")).is_ok_and(|text| !text.is_empty()));
}

#[test]
fn what_a_summary_cannot_make_is_refused_before_anything_is_asked() {
    let (run, histograms) = run("completed", true);
    let fake = api(run, (200, histograms));
    for out in [
        "ndjson=points",
        "k6-summary=k6.json",
        "statsd=127.0.0.1:8125",
        "json=no/such/folder/x",
    ] {
        for arguments in [&["show", RUN][..], &["watch", RUN], &["run", "visits"]] {
            let ended = fake.run(&[arguments, &["--out", out]].concat());
            assert_eq!(ended.code, 104, "{out}: {}", ended.err);
            assert_eq!(ended.err.lines().count(), 1, "{out}: {}", ended.err);
        }
    }
    assert_eq!(fake.asked(), [""; 0]);
}
