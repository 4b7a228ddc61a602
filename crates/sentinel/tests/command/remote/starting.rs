//! A run is started once, or not at all.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::fake::{Fake, RUN, Received, Reply, end, row, second};
use crate::lab::Lab;

const START: &str = "POST /runs";

fn started() -> Reply {
    let body = json!({"id": RUN, "message": "Test started", "scenario": "visits", "environment": "staging"});
    Reply::Json(202, body)
}

fn starts(fake: &Fake) -> Vec<Received> {
    let received = fake.received().into_iter();
    received.filter(|one| one.what == START).collect()
}

/// A row of the list of runs, with the seed of the request that started it.
fn with_seed(seed: &Value) -> Value {
    json!({"id": RUN, "status": "running", "config_json": json!({"seed": seed}).to_string()})
}

#[test]
fn a_run_is_started_as_the_options_say_and_watched_to_its_end() {
    let run = row(&Lab::new(), "completed", true);
    let fake = Fake::new(move |received, _| match received.what.as_str() {
        START => started(),
        _ => Reply::Events(format!("{}{}", second(0), end(&run))),
    });
    let ended = fake.run(&[
        "run",
        "grove-mix",
        "--env",
        "canary",
        "--users",
        "7",
        "--duration",
        "2m",
        "--region",
        "weur=2",
        "--region",
        "enam",
        "--profile",
        "stress",
        "--seed",
        "42",
    ]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains(RUN), "{}", ended.err);
    assert!(ended.out.contains("visits completed"), "{}", ended.out);
    assert_eq!(
        starts(&fake)[0].body,
        json!({
            "scenario": "grove-mix", "environment": "canary", "users": 7, "duration": "2m", "seed": 42, "profile": "stress",
            "regions": {"weur": 2, "enam": 1},
        })
    );
}

#[test]
fn a_scenario_in_a_file_goes_with_its_applications() {
    let fake = Fake::new(|_, _| started());
    let scenario = fake.lab.scenario("/ok", |_| {});
    let path = scenario.to_str().expect("text");
    let ended = fake.run(&["run", path, "--detach"]);
    assert_eq!((ended.code, ended.out.trim()), (0, RUN), "{}", ended.err);
    let body = &starts(&fake)[0].body;
    assert_eq!(body["scenario"]["name"], "visits");
    assert_eq!(body["applications"][0]["steps"][0]["request"]["url"], "/ok");

    // What is wrong with it is told before anything is asked.
    let broken = fake
        .lab
        .scenario("/ok", |scenario| scenario["bogus"] = json!(1));
    let ended = fake.run(&["run", broken.to_str().expect("text")]);
    assert_eq!(ended.code, 104, "{}", ended.err);
    assert!(ended.err.contains("bogus"), "{}", ended.err);
    assert_eq!(fake.received().len(), 1);
}

#[test]
fn production_wants_to_be_confirmed_and_a_dry_run_says_so() {
    let fake = Fake::new(|received, _| match received.body.get("dryRun") {
        None => {
            let error =
                "a run on production has to be confirmed with an explicit \"dryRun\": false";
            Reply::Json(
                400,
                json!({"error": error, "code": "confirmation_required"}),
            )
        }
        Some(Value::Bool(true)) => Reply::Json(
            200,
            json!({
                "dryRun": true, "scenario": "grove-mix", "environment": "production",
                "plan": {
                    "baseUrl": "https://grove.example/", "durationS": 30.0, "usersMax": 50, "batches": 2,
                    "phases": [{"phase": "peak", "fromS": 0.0, "toS": 30.0, "vuSteps": [[0.0, 50]]}],
                    "applications": [{"name": "read", "weight": 1.0, "steps": ["a", "b"]}],
                    "warnings": [{"path": "scenario.tenants", "message": "nobody asks for them"}],
                },
            }),
        ),
        Some(_) => started(),
    });
    let production = ["run", "grove-mix", "--env", "production"];
    let ended = fake.run(&production);
    assert_eq!(ended.code, 104, "{}", ended.err);
    assert!(ended.err.contains("--confirm"), "{}", ended.err);

    let dry = fake.run(&[&production[..], &["--dry-run"]].concat());
    assert_eq!(dry.code, 0, "{}", dry.err);
    for part in [
        "up to 50 users",
        "https://grove.example/",
        "nobody asks for them",
        "nothing was sent",
    ] {
        assert!(dry.out.contains(part), "{part} in {}", dry.out);
    }
    let json = fake.run(&[&production[..], &["--dry-run", "--json"]].concat());
    let json: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(json["plan"]["usersMax"], 50);

    let confirmed = fake.run(&[&production[..], &["--confirm", "--detach"]].concat());
    assert_eq!(
        (confirmed.code, confirmed.out.trim()),
        (0, RUN),
        "{}",
        confirmed.err
    );
    let both = fake.run(&[&production[..], &["--confirm", "--dry-run"]].concat());
    assert_eq!(both.code, 104, "{}", both.err);
    let said: Vec<Value> = starts(&fake)
        .iter()
        .map(|one| one.body["dryRun"].clone())
        .collect();
    assert_eq!(said, [json!(null), json!(true), json!(true), json!(false)]);
}

#[test]
fn a_run_whose_answer_is_lost_is_found_by_its_seed_and_not_started_again() {
    let seed = Arc::new(Mutex::new(Value::Null));
    let fake = Fake::new(move |received, _| {
        let mut seed = seed.lock().expect("no test has failed");
        if received.what == START {
            *seed = received.body["seed"].clone();
            return Reply::Lost;
        }
        Reply::Json(
            200,
            json!({"runs": [with_seed(&json!(1)), with_seed(&seed)], "nextCursor": null}),
        )
    });
    let ended = fake.run(&["run", "grove-mix", "--detach"]);
    assert_eq!((ended.code, ended.out.trim()), (0, RUN), "{}", ended.err);
    assert_eq!(starts(&fake).len(), 1);
}

#[test]
fn a_run_that_is_in_its_own_way_is_the_one_that_was_asked_for() {
    for ours in [true, false] {
        let seed = Arc::new(Mutex::new(Value::Null));
        let fake = Fake::new(move |received, before| {
            let mut seed = seed.lock().expect("no test has failed");
            match received.what.as_str() {
                // What stands in between gives up waiting for the answer.
                START if before == 0 => {
                    *seed = received.body["seed"].clone();
                    Reply::Text(504, "text/html", "<h1>Gateway Timeout</h1>".to_owned())
                }
                START => {
                    assert_eq!(received.body["seed"], *seed);
                    let error = "a run is running on staging already";
                    Reply::Json(
                        409,
                        json!({"error": error, "code": "already_running", "id": RUN}),
                    )
                }
                what if what.starts_with("GET /runs?") => Reply::Json(200, json!({"runs": []})),
                _ if ours => Reply::Json(200, json!({"run": with_seed(&seed)})),
                _ => Reply::Json(200, json!({"run": with_seed(&json!(1))})),
            }
        });
        let ended = fake.run(&["run", "grove-mix", "--detach"]);
        assert_eq!(starts(&fake).len(), 2, "{:?}", fake.asked());
        if ours {
            assert_eq!((ended.code, ended.out.trim()), (0, RUN), "{}", ended.err);
        } else {
            assert_eq!(ended.code, 107, "{}", ended.err);
            assert!(
                ended.err.contains("running on staging already"),
                "{}",
                ended.err
            );
        }
    }
}

#[test]
fn with_a_seed_that_others_may_have_nothing_is_asked_twice() {
    let fake = Fake::new(|_, _| Reply::Lost);
    let ended = fake.run(&["run", "grove-mix", "--seed", "42", "--detach"]);
    assert_eq!(ended.code, 107, "{}", ended.err);
    assert!(ended.err.contains("may have started"), "{}", ended.err);
    assert_eq!(fake.asked(), [START]);
}
