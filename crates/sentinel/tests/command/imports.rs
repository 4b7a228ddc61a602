//! Scenarios of other tools are imported, and can be run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use testbed::Service;

use crate::lab::{Ended, Lab};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/imports")
        .join(name)
}

fn import(lab: &Lab, arguments: &[&str]) -> Ended {
    let mut command: Command = lab.command();
    let command = command.arg("import").args(arguments);
    lab.ended(command.output().expect("the command runs"))
}

fn import_example(lab: &Lab, name: &str, more: &[&str]) -> Ended {
    let path = example(name);
    let ended = import(lab, &[&[path.to_str().expect("text")], more].concat());
    assert_eq!(ended.code, 0, "{}", ended.err);
    ended
}

fn json_file(lab: &Lab, name: &str) -> Value {
    let text = fs::read(lab.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_slice(&text).expect("JSON")
}

/// Runs what was imported; the values to fill in are whatever they are.
fn run(lab: &Lab, scenario: &str, more: &[&str]) -> Ended {
    let ended = lab.run(&lab.path(scenario), more);
    ended.assert_balanced();
    ended
}

#[test]
fn a_script_of_artillery_is_imported_and_run() {
    let lab = Lab::new();
    let ended = import_example(&lab, "checkout.yml", &["--report", "left.json"]);
    assert_eq!(
        ended.out.lines().collect::<Vec<_>>(),
        [
            "./applications/Buy---pay.json",
            "./applications/look-around.json",
            "./checkout.json"
        ]
    );
    for left in [
        "config.processor: functions are not carried over",
        "config.environments: ",
        "scenarios[0].beforeScenario: functions",
        "scenarios[0].flow[0].get.capture[3]: values are found by",
        "scenarios[0].flow[0].get.expect[3].equals: there is no check like it",
        "scenarios[0].flow[4].function: functions",
        "scenarios[0].flow[5].post.ifTrue: ",
        "scenarios[1].flow[3].head: ",
        "scenarios[1].flow[4].get: goes to another host",
        "scenarios[2]: only scenarios over HTTP and WebSockets",
        "config.plugins.metrics-by-endpoint: the import does not know it",
        "CARD: a variable of the environment",
        "BASIC_AUTH: what follows",
    ] {
        assert!(ended.err.contains(left), "{left} in {}", ended.err);
    }
    assert!(!ended.err.contains("hunter2"), "{}", ended.err);
    assert!(
        ended.err.contains("--base-url http://shop.example:8080"),
        "{}",
        ended.err
    );
    let report = json_file(&lab, "left.json");
    assert_eq!(report["kind"], "artillery");
    let left = report["report"]["notCarried"].as_array().expect("a list");
    assert!(
        left.iter().any(|one| one["path"] == "config.processor"),
        "{report}"
    );

    let scenario = json_file(&lab, "checkout.json");
    assert_eq!(
        scenario["load"]["phases"][0],
        json!({"name": "warm up", "duration": 2, "arrivalRate": 2, "rampTo": 4})
    );
    assert_eq!(scenario["requestTimeout"], "7s");
    assert_eq!(scenario["data"]["users"]["rows"][1]["plan"], "paid, yearly");
    assert_eq!(
        scenario["data"]["users"]["pick"],
        Value::Null,
        "one after another is the default"
    );
    assert_eq!(
        scenario["thresholds"],
        json!({
            "http_req_duration": ["max<62000", "p(95)<60000", "p(99)<61000"],
            "http_req_failed": ["rate<=0.5"],
        })
    );
    let weights: Vec<_> = scenario["applications"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|a| a["weight"].as_f64())
        .collect();
    assert_eq!(weights, [Some(3.0), Some(1.0)]);

    let ended = run(&lab, "checkout.json", &["--seed", "7"]);
    assert_eq!(ended.code, 0, "{}\n{}", ended.err, ended.out);
    // 2 and 4 arrivals in the first two seconds, then 5.
    assert_eq!(ended.ledger("planned"), 11);
    assert_eq!(ended.ledger("finished"), 11);
    let stats = lab.target.stats();
    assert_eq!(stats.path("/json/token").completed, 1);
    let bought = stats.path("/json/products").completed;
    assert!(bought > 0 && bought < 11, "{bought}");
    assert_eq!(
        stats.path("/echo/cart").completed,
        2 * bought,
        "two turns of the loop"
    );
    assert_eq!(stats.path("/ok/item").completed, 2 * bought, "two elements");
    assert_eq!(stats.path("/ok/a").completed, bought);
    assert_eq!(stats.path("/echo/list").completed, 11 - bought);
}

#[test]
fn an_archive_is_imported_without_its_secrets() {
    let lab = Lab::new();
    let ended = import_example(&lab, "chromium.har", &[]);
    let application = fs::read_to_string(lab.path("applications/chromium.json")).expect("a file");
    let scenario = fs::read_to_string(lab.path("chromium.json")).expect("a file");
    for text in [&application, &scenario, &ended.err, &ended.out] {
        assert!(!text.contains("s3cr3t"), "{text}");
    }
    for variable in ["AUTHORIZATION", "COOKIE", "PASSWORD", "SESSION_TOKEN"] {
        assert!(
            ended.err.contains(&format!("{variable}: a secret")),
            "{variable} in {}",
            ended.err
        );
        assert!(scenario.contains(variable), "{variable} in {scenario}");
    }
    assert!(
        ended.err.contains("cdn.example: --allow-host cdn.example"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("got no answer"), "{}", ended.err);
    let application: Value = serde_json::from_str(&application).expect("JSON");
    let steps = application["steps"].as_array().expect("steps");
    let names: Vec<_> = steps
        .iter()
        .filter_map(|step| step["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "https://shop.example/: GET /",
            "https://shop.example/: GET /style.css",
            "https://shop.example/: POST /api/cart",
            "https://shop.example/account: POST /login",
        ]
    );
    let thinks: Vec<_> = steps
        .iter()
        .filter_map(|step| step["think"].as_str())
        .collect();
    assert_eq!(
        thinks,
        ["8000ms"],
        "from the end of the first page to the click"
    );
    assert_eq!(
        steps[0]["request"]["params"],
        json!({"utm": "a b", "session_token": "{{env.SESSION_TOKEN}}"})
    );
    assert_eq!(steps[1]["expect"]["status"], json!([200, 304]));
    assert_eq!(
        (&steps[1]["parallel"], &steps[2]["parallel"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        steps[2]["request"]["headers"]["authorization"],
        "Bearer {{env.AUTHORIZATION}}"
    );
    assert_eq!(steps[2]["request"]["body"]["n"], 3);

    let less = import_example(
        &lab,
        "chromium.har",
        &[
            "--no-static",
            "--name",
            "pages",
            "--allow-host",
            "cdn.example",
        ],
    );
    assert!(
        less.err.contains("(2 times): is a static file"),
        "{}",
        less.err
    );
}

#[test]
fn an_archive_of_another_browser_is_imported_and_run() {
    let lab = Lab::new();
    import_example(&lab, "firefox.har", &[]);
    let ended = run(&lab, "firefox.json", &[]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let stats = lab.target.stats();
    assert_eq!(
        (
            stats.path("/ok/start").completed,
            stats.path("/echo/search").completed
        ),
        (1, 1)
    );
    assert_eq!(stats.path("/echo/search").bytes_received, 10);
}

#[test]
fn options_of_k6_are_imported_and_run() {
    let lab = Lab::new();
    let ended = import_example(&lab, "options.json", &["--name", "evening"]);
    for left in [
        "the document: k6's options hold no requests",
        "scenarios.by-hand: nobody can change",
        "thresholds.browser_web_vital_lcp: the metric is the script's own",
        "insecureSkipTLSVerify: say it with --insecure-skip-tls-verify",
        "batchPerHost: the import does not know it",
    ] {
        assert!(ended.err.contains(left), "{left} in {}", ended.err);
    }
    let scenario = json_file(&lab, "evening.json");
    assert_eq!(scenario["pacing"], "10ms");
    assert_eq!(scenario["scenarios"]["orders"]["maxVUs"], 5);
    let ended = run(&lab, "evening.json", &[]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.ledger("planned") >= 10);
}

#[test]
fn a_description_of_an_api_is_imported_and_run() {
    let lab = Lab::new();
    let ended = import_example(&lab, "petstore.yaml", &[]);
    for left in [
        "KEY: a secret that the API asks for",
        "reason: a parameter that has no example",
        "it is optional",
        "paths[\"/pets/{petId}\"].head: ",
        "components.schemas: describes",
    ] {
        let left = if left == "it is optional" {
            "is optional and has no example"
        } else {
            left
        };
        assert!(ended.err.contains(left), "{left} in {}", ended.err);
    }
    let application = json_file(&lab, "applications/petstore.json");
    let steps = application["steps"].as_array().expect("steps");
    let names: Vec<_> = steps
        .iter()
        .filter_map(|step| step["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "listPets",
            "addPet",
            "GET /pets/{petId}",
            "PATCH /pets/{petId}",
            "DELETE /pets/{petId}"
        ]
    );
    assert_eq!(steps[0]["request"]["params"], json!({"limit": "20"}));
    assert_eq!(
        steps[0]["request"]["headers"],
        json!({"X-Api-Key": "{{env.KEY}}", "x-trace": "trace-1"})
    );
    assert_eq!(
        steps[1]["request"]["body"],
        json!({"name": "Oak", "age": 3, "color": "brown"})
    );
    assert_eq!(steps[2]["request"]["url"], "/pets/{{env.petId}}");
    assert_eq!(
        json_file(&lab, "petstore.json")["load"]["env"]["petId"],
        "p-42"
    );
    let ended = run(&lab, "petstore.json", &[]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.ledger("sent"), 5);
}

#[test]
fn what_cannot_be_imported_is_refused_in_a_line() {
    let lab = Lab::new();
    let write = |name: &str, text: &str| {
        fs::write(lab.path(name), text).expect("a file");
        name.to_owned()
    };
    for (arguments, part) in [
        (vec!["missing.yml".to_owned()], "missing.yml: "),
        (
            vec![write("a.json", "{\"a\": 1}")],
            "nothing in it says what it is",
        ),
        (vec![write("b.yml", "a: [")], "is not YAML"),
        (
            vec![write("c.json", "{\"log\": {\"entries\": []}}")],
            "nothing in it that can be played",
        ),
        (
            vec!["nonsense".to_owned(), write("d.json", "{}")],
            "nonsense",
        ),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ended = import(&lab, &arguments);
        assert_eq!(ended.code, 104, "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains(part), "{part} in {}", ended.err);
    }
    import_example(&lab, "firefox.har", &[]);
    let path = example("firefox.har");
    let again = import(&lab, &[path.to_str().expect("text")]);
    assert_eq!(again.code, 104, "{}", again.err);
    assert!(again.err.contains("--force overwrites it"), "{}", again.err);
    import_example(&lab, "firefox.har", &["--force"]);
}

#[test]
fn the_side_panels_script_of_artillery_is_imported_and_run() {
    let lab = Lab::serving(Service::Sidepanel);
    let ended = import_example(&lab, "sidepanel.yml", &[]);
    assert!(
        ended.err.contains("--base-url http://localhost:3000"),
        "{}",
        ended.err
    );
    assert!(
        ended.err.contains("loopCount"),
        "the number of a turn has no equal: {}",
        ended.err
    );
    let mut scenario = json_file(&lab, "sidepanel.json");
    let phases = &scenario["load"]["phases"];
    let rates = [0, 1, 2].map(|phase| phases[phase]["arrivalRate"].as_u64());
    assert_eq!(rates, [Some(5), Some(10), Some(20)]);
    let name = "applications/WebSocket-session.json";
    let mut application = json_file(&lab, name);
    let steps = &mut application["steps"][0]["ws"]["steps"];
    assert_eq!(
        (&steps[0]["name"], &steps[1]["think"]),
        (&json!("ping"), &json!("1s"))
    );
    assert_eq!(steps[4]["loop"]["times"], 10);
    // What takes nine minutes takes two seconds.
    scenario["load"]["phases"] = json!([{ "duration": 2, "arrivalRate": 3 }]);
    (steps[1], steps[3]) = (json!({"think": "1ms"}), json!({"think": "1ms"}));
    steps[4]["loop"]["steps"][1]["think"] = json!("5ms");
    lab.write("sidepanel.json", &scenario);
    lab.write(name, &application);
    let ended = run(&lab, "sidepanel.json", &[]);
    assert_eq!(ended.code, 0, "{}\n{}", ended.err, ended.out);
    let socket = lab.target.stats().paths["/"]
        .socket
        .clone()
        .expect("sessions");
    assert_eq!((socket.sessions, socket.received), (6, 6 * 12));
}

#[test]
fn the_side_panels_options_of_k6_are_imported() {
    let lab = Lab::new();
    import_example(&lab, "sidepanel-options.json", &[]);
    let (written, imported) = (
        fs::read(example("sidepanel-options.json")).expect("the options"),
        json_file(&lab, "sidepanel-options.json"),
    );
    let written: Value = serde_json::from_slice(&written).expect("JSON");
    assert_eq!(imported["load"]["stages"], written["stages"]);
    assert_eq!(imported["thresholds"], written["thresholds"]);
}
