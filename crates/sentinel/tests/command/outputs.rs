//! Files about a run, read by parsers that know nothing of us.

use std::fs;

use serde_json::json;

use crate::lab::Lab;

#[test]
fn test_cases_are_those_that_had_to_hold() {
    let lab = Lab::new();
    let scenario = lab.scenario("/json", |scenario| {
        scenario["assertions"] = json!([{"metric": "error_rate", "operator": "<", "value": 0.5}]);
        scenario["thresholds"] = json!({
            "http_reqs": ["count==30", "count<0"],
            "http_req_duration{name:nothing <here> & there}": ["p(95)<500"],
        });
    });
    let path = lab.path("junit.xml");
    let option = format!("junit={}", path.display());
    let ended = lab.run(&scenario, &["--out", &option]);
    assert_eq!(ended.code, 99, "{}", ended.err);
    let text = fs::read(path).expect("the file");
    let suites = junit_parser::from_reader(text.as_slice()).expect("JUnit");
    assert_eq!((suites.tests, suites.failures, suites.errors), (5, 2, 0));
    let names: Vec<_> = suites
        .suites
        .iter()
        .map(|suite| suite.name.as_str())
        .collect();
    assert_eq!(names, ["run", "assertions", "thresholds"]);
    let failed = suites.suites[2]
        .cases
        .iter()
        .filter(|case| case.status.is_failure());
    let failed: Vec<_> = failed.map(|case| case.name.as_str()).collect();
    assert_eq!(
        failed.len(),
        2,
        "one does not hold, one saw no data: {failed:?}"
    );
    assert!(failed.contains(&"http_reqs: count<0"), "{failed:?}");
}

#[test]
fn the_time_line_has_the_rows_of_the_summary() {
    let lab = Lab::new();
    let scenario = lab.scenario("/delay?ms=20", |scenario| {
        scenario["load"] = json!({"vus": 2, "duration": "2s"});
    });
    let path = lab.path("timeline.csv");
    let option = format!("csv={}", path.display());
    let ended = lab.run(&scenario, &["--out", &option]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let mut reader = csv::Reader::from_path(path).expect("the file");
    let headers = reader.headers().expect("a first line").clone();
    let column = headers.iter().position(|name| name == "latency_p50_ms");
    let column = column.expect("the median");
    let rows: Vec<_> = reader.records().collect::<Result<_, _>>().expect("CSV");
    let timeline = ended.summary["timeline"].as_array().expect("a time line");
    assert_eq!(rows.len(), timeline.len());
    let median: f64 = rows[0][column].parse().expect("a number");
    assert!(median >= 20.0, "{median}");
}

#[test]
fn a_file_that_cannot_be_written_loses_nothing_else() {
    let lab = Lab::new();
    let scenario = lab.scenario("/ok", |_| {});
    let ended = lab.run(&scenario, &["--out", "junit=/dev/full"]);
    assert_eq!(ended.code, 107, "{}", ended.err);
    assert!(
        ended.err.contains("/dev/full is incomplete"),
        "{}",
        ended.err
    );
    assert!(ended.out.contains("visits completed"), "{}", ended.out);
    assert_eq!(ended.ledger("answered"), 30, "the other file is whole");
}
