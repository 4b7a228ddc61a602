//! Files about a run, read by parsers that know nothing of us.

use std::fs::{self, File};
use std::process::Command;

use serde_json::{Value, json};

use crate::lab::{Ended, Lab};
use crate::real::installed;

/// Runs a scenario with checks, thresholds and a target that fails now and then, for all kinds of outputs.
fn run_with_all_results(lab: &Lab, more: &[&str]) -> Ended {
    let scenario = lab.scenario("/errors?rate=0.2&status=503&ms=2", |scenario| {
        scenario["load"] = json!({"vus": 4, "iterations": 200});
        scenario["pause"] = json!("1ms");
        scenario["thresholds"] = json!({
            "http_reqs": ["count==200", "rate<0"],
            "http_req_duration{name:get}": ["p(95)<60000"],
            "http_req_duration{status:503}": ["max<60000"],
        });
    });
    let application = json!({
        "name": "visit",
        "steps": [{
            "name": "get",
            "request": {"method": "GET", "url": "/errors?rate=0.2&status=503&ms=2"},
            "expect": {"status": [200], "checks": [{"name": HOSTILE, "on": "status", "equals": 200}]},
        }],
    });
    lab.write("applications/visit.json", &application);
    lab.run(&scenario, more)
}

/// A name that would break out of any format that does not escape it.
const HOSTILE: &str = "</script><img src=x onerror=alert(1)> \"&'\\ {name} ü";

fn read_json(lab: &Lab, name: &str) -> Value {
    let text = fs::read(lab.path(name)).expect("the file");
    serde_json::from_slice(&text).expect("JSON")
}

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
fn the_summary_is_as_its_schema_says() {
    let lab = Lab::new();
    let ended = run_with_all_results(&lab, &[]);
    let mut command = lab.command();
    let printed = command.args(["schema", "--of", "summary"]).output();
    let schema = lab.ended(printed.expect("it runs")).out;
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(&ended.summary)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let mut other = ended.summary.clone();
    other["more"] = json!(1);
    assert!(!validator.is_valid(&other), "an unknown field");
    let blocks = ended.summary["samples"]["steps"][0]["blocks"].as_array();
    let requests = blocks.into_iter().flatten().map(|block| &block["requests"]);
    let requests: u64 = requests.filter_map(Value::as_u64).sum();
    assert_eq!(requests, 200);
}

#[test]
fn k6_shapes_have_the_numbers_of_the_summary() {
    let lab = Lab::new();
    let ended = run_with_all_results(
        &lab,
        &[
            "--out",
            "k6-data=data.json",
            "--out",
            "k6-summary=machine.json",
            "--summary-export",
            "export.json",
        ],
    );
    assert_eq!(ended.code, 99, "{}", ended.err);
    let failed = ended.summary["steps"][0]["failedRequests"].as_u64();
    let failed = failed.expect("a count");
    assert!(failed > 0 && failed < 200, "{failed}");

    let data = read_json(&lab, "data.json");
    assert_eq!(data["metrics"]["http_reqs"]["values"]["count"], 200);
    assert_eq!(data["metrics"]["http_reqs"]["type"], "counter");
    let thresholds = json!({"count==200": {"ok": true}, "rate<0": {"ok": false}});
    assert_eq!(data["metrics"]["http_reqs"]["thresholds"], thresholds);
    let duration = &data["metrics"]["http_req_duration{name:get}"];
    assert_eq!(
        (&duration["type"], &duration["contains"]),
        (&json!("trend"), &json!("time"))
    );
    let names: Vec<_> = duration["values"]
        .as_object()
        .expect("values")
        .keys()
        .collect();
    assert_eq!(names, ["avg", "max", "med", "min", "p(90)", "p(95)"]);
    // What k6 tells of its own accord, and what a threshold asks for that only each answer's outcome tells.
    for part in ["expected_response:true", "status:503"] {
        let part = &data["metrics"][format!("http_req_duration{{{part}}}")];
        let max = part["values"]["max"].as_f64().expect("a time");
        assert!(max >= 2.0 && part["type"] == "trend", "{part}");
    }
    assert!(
        ended
            .out
            .contains("\n      { expected_response:true }...: avg="),
        "{}",
        ended.out
    );
    let service = &data["metrics"]["service_time"]["values"];
    let p95 = service["p(95)"].as_f64().expect("a number");
    let told = ended.summary["serviceTime"]["p95"]
        .as_f64()
        .expect("a number");
    assert!((p95 - told).abs() <= told * 0.002, "{p95} is {told}");
    let check = &data["root_group"]["groups"][0]["groups"][0]["checks"][0];
    assert_eq!(check["name"], HOSTILE);
    assert_eq!(
        (&check["passes"], &check["fails"]),
        (&json!(200 - failed), &json!(failed))
    );

    let export = read_json(&lab, "export.json");
    assert_eq!(export["metrics"]["http_req_failed"]["passes"], failed);
    let value = export["metrics"]["http_req_failed"]["value"].as_f64();
    assert_eq!(value, Some(failed as f64 / 200.0));
    // In this shape, `true` says that a threshold did not hold.
    let thresholds = json!({"count==200": false, "rate<0": true});
    assert_eq!(export["metrics"]["http_reqs"]["thresholds"], thresholds);
    let check = &export["root_group"]["groups"]["visit"]["groups"]["get"]["checks"][HOSTILE];
    assert_eq!(check["fails"], failed);

    let machine = read_json(&lab, "machine.json");
    assert_eq!(machine["version"], "1.0.0");
    let metrics = machine["results"]["metrics"].as_array().expect("metrics");
    let rate = metrics
        .iter()
        .find(|metric| metric["name"] == "http_req_failed");
    let rate = &rate.expect("the metric")["values"];
    assert_eq!(
        (&rate["matches"], &rate["total"]),
        (&json!(failed), &json!(200))
    );
    assert_eq!(machine["results"]["checks"]["results"][0]["fails"], failed);
}

#[test]
fn prometheus_can_read_the_text_file() {
    let lab = Lab::new();
    let ended = run_with_all_results(&lab, &["--out", "prometheus=metrics.prom"]);
    let text = fs::read_to_string(lab.path("metrics.prom")).expect("the file");
    let lines = text.lines().map(|line| Ok(line.to_owned()));
    let scrape = prometheus_parse::Scrape::parse(lines).expect("the text format");
    let samples = |name: &'static str| {
        let samples = scrape.samples.iter();
        samples.filter(move |sample| sample.metric == name)
    };
    let mut requests = 0.0;
    for sample in samples("k6_http_reqs_total") {
        let prometheus_parse::Value::Counter(count) = sample.value else {
            panic!("a counter");
        };
        requests += count;
        assert_eq!(sample.labels.get("name"), Some("get"));
        assert_eq!(sample.labels.get("testid"), ended.summary["id"].as_str());
    }
    assert_eq!(requests, 200.0, "{text}");
    let longest = samples("k6_service_time_max").map(|sample| match sample.value {
        prometheus_parse::Value::Gauge(seconds) => seconds * 1e3,
        _ => panic!("a gauge"),
    });
    let longest = longest.reduce(f64::max).expect("a sample");
    let told = ended.summary["serviceTime"]["max"].as_f64();
    let told = told.expect("a number");
    assert!(
        (longest - told).abs() <= told * 0.002,
        "{longest} is {told}"
    );
    // The parser does not know braces in a value; the format does.
    let label = r#"check="</script><img src=x onerror=alert(1)> \"&'\\ {name} ü""#;
    assert!(text.contains(label), "{text}");
}

#[test]
fn points_tell_how_requests_ended() {
    let lab = Lab::new();
    let ended = run_with_all_results(&lab, &["--out", "ndjson=points.json"]);
    let failed = ended.summary["steps"][0]["failedRequests"].as_u64();
    let failed = failed.expect("a count");
    let text = fs::read_to_string(lab.path("points.json")).expect("the file");
    let lines = text
        .lines()
        .map(|line| -> Value { serde_json::from_str(line).expect("JSON") });
    let points: Vec<Value> = lines.filter(|line| line["type"] == "Point").collect();
    let of = |metric: &str, status: &str| -> Vec<&Value> {
        let own = points.iter().filter(|point| point["metric"] == metric);
        own.map(|point| &point["data"])
            .filter(|data| data["tags"]["status"] == status)
            .collect()
    };
    for (status, expected, code, count) in [
        ("200", "true", Value::Null, 200 - failed),
        ("503", "false", json!("status_503"), failed),
    ] {
        let requests = of("http_reqs", status);
        let sum = requests.iter().filter_map(|data| data["value"].as_u64());
        assert_eq!(sum.sum::<u64>(), count, "{status}");
        for metric in [
            "http_req_duration",
            "http_req_waiting",
            "response_time",
            "http_req_failed",
        ] {
            let timed = of(metric, status);
            assert_eq!(timed.len() as u64, count, "{metric}, {status}");
            for tags in timed.iter().map(|data| &data["tags"]) {
                assert_eq!(
                    (&tags["expected_response"], &tags["error_code"]),
                    (&json!(expected), &code)
                );
                assert_eq!(
                    (&tags["method"], &tags["name"]),
                    (&json!("GET"), &json!("get"))
                );
            }
        }
    }
}

#[test]
fn a_file_that_cannot_be_written_loses_nothing_else() {
    for kind in ["junit", "html", "csv", "k6-data", "prometheus", "ndjson"] {
        let lab = Lab::new();
        let scenario = lab.scenario("/ok", |_| {});
        let ended = lab.run(&scenario, &["--out", &format!("{kind}=/dev/full")]);
        assert_eq!(ended.code, 107, "{}", ended.err);
        let reason = format!("sentinel: {kind}=/dev/full is incomplete: ");
        let told: Vec<_> = ended
            .err
            .lines()
            .filter(|line| line.starts_with(&reason))
            .collect();
        assert_eq!(told.len(), 1, "{}", ended.err);
        assert!(told[0].contains("No space left on device"), "{}", told[0]);
        assert!(ended.out.contains("visits completed"), "{}", ended.out);
        assert_eq!(ended.ledger("answered"), 30, "the other file is whole");
    }
}

#[test]
fn the_page_needs_nothing_else_and_shows_names_as_text() {
    let lab = Lab::new();
    let ended = run_with_all_results(&lab, &["--out", "html=report.html"]);
    let page = fs::read_to_string(lab.path("report.html")).expect("the file");
    let (before, data) = page
        .split_once("<script type=\"application/json\" id=\"summary\">")
        .expect("the data");
    let (data, _) = data.split_once("</script>").expect("its end");
    let data: Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(data, ended.summary, "the page holds the summary as it is");
    assert_eq!(
        page.matches("<script").count(),
        2,
        "ours, and nobody else's"
    );
    assert!(
        before.contains("&lt;/script&gt;&lt;img src=x"),
        "shown as text"
    );
    for address in [
        "http://", "https://", "src=\"", "href=\"", "url(", "@import",
    ] {
        assert!(!before.contains(address), "{address}");
    }
    assert!(
        before.contains("default-src 'none'"),
        "and no browser would load it"
    );
}

#[test]
fn a_summary_that_cannot_be_printed_loses_no_file() {
    let lab = Lab::new();
    let scenario = lab.scenario("/ok", |_| {});
    let full = File::options().write(true).open("/dev/full");
    let full = full.expect("the device that is always full");
    let mut command = lab.command();
    command.arg("run").arg(&scenario).stdout(full);
    command.args(["--base-url", &lab.target.url()]);
    command.args(["--out", &lab.summary_output()]);
    let ended = lab.ended(command.output().expect("it runs"));
    assert_eq!(ended.code, 107, "{}", ended.err);
    let told = ended
        .err
        .lines()
        .filter(|line| line.contains("No space left on device"));
    assert_eq!(told.count(), 1, "{}", ended.err);
    assert_eq!(ended.ledger("answered"), 30, "the file is whole");
}

#[test]
fn a_browser_shows_the_page_without_complaint() {
    let Some(chromium) = installed("chromium") else {
        return;
    };
    let lab = Lab::new();
    run_with_all_results(&lab, &["--out", "html=report.html"]);
    let profile = tempfile::tempdir().expect("a folder");
    // A browser that never ends would keep the test for ever.
    let mut command = Command::new("timeout");
    command.arg("120").arg(chromium).args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--enable-logging=stderr",
        "--dump-dom",
    ]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.arg(format!("file://{}", lab.path("report.html").display()));
    let output = command.output().expect("it starts");
    let page = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || page.is_empty() {
        eprintln!(
            "SKIPPED: chromium shows no page at all here: {}",
            output.status
        );
        return;
    }
    assert!(page.contains("<svg"), "charts");
    assert!(
        page.contains("&lt;/script&gt;&lt;img src=x"),
        "names as text"
    );
    let said = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<_> = said
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    assert_eq!(complaints, [""; 0], "{said}");
}
