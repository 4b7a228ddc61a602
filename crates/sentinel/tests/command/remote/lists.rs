//! Runs are listed as they are asked for, over as many pages as it takes.

use serde_json::{Value, json};

use super::fake::{Fake, RUN, Reply, running};

/// The run with this number of 150, as the API lists it.
fn numbered(number: usize) -> Value {
    let mut run = running();
    run["scenario_name"] = json!(format!("scenario-{number}"));
    run
}

/// Lists 150 runs, at most 100 at once.
fn long_list() -> Fake {
    Fake::new(|received, _| {
        let query = received.what.split_once('?').map_or("", |(_, query)| query);
        let value = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.to_owned())
        };
        let from: usize = value("cursor").map_or(0, |cursor| cursor.parse().expect("ours"));
        let limit: usize = value("limit").expect("a limit").parse().expect("a number");
        assert!(limit <= 100, "{limit}");
        let to = (from + limit).min(150);
        let runs: Vec<Value> = (from..to).map(numbered).collect();
        let next = (to < 150).then(|| to.to_string());
        Reply::Json(200, json!({"runs": runs, "nextCursor": next}))
    })
}

fn names(out: &str) -> Vec<String> {
    let listed: Value = serde_json::from_str(out).expect("JSON");
    let runs = listed["runs"].as_array().expect("a list").iter();
    runs.map(|run| run["scenario_name"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn a_list_is_as_long_as_it_is_asked_for() {
    let fake = long_list();
    let all: Vec<String> = (0..150)
        .map(|number| format!("scenario-{number}"))
        .collect();
    for (limit, pages) in [("20", 1), ("100", 1), ("120", 2), ("1000", 2)] {
        let before = fake.received().len();
        let ended = fake.run(&["list", "--limit", limit, "--json"]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        let count = limit.parse::<usize>().expect("a number").min(150);
        assert_eq!(names(&ended.out), all[..count]);
        assert_eq!(fake.received().len() - before, pages, "{limit}");
    }
    let ended = fake.run(&["list", "--limit", "30"]);
    assert!(ended.err.contains("--cursor 30"), "{}", ended.err);
    assert_eq!(ended.out.lines().count(), 31, "{}", ended.out);
    assert!(ended.out.contains(RUN), "{}", ended.out);
    let rest = fake.run(&["list", "--limit", "1000", "--cursor", "30", "--json"]);
    assert_eq!(names(&rest.out), all[30..]);
}

#[test]
fn filters_go_to_the_api() {
    let fake = Fake::new(|_, _| Reply::Json(200, json!({"runs": [], "nextCursor": null})));
    let ended = fake.run(&[
        "list",
        "--scenario",
        "a&b=c",
        "--status",
        "failed",
        "--limit",
        "3",
    ]);
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{}", ended.err);
    assert_eq!(
        fake.asked(),
        ["GET /runs?limit=3&scenario=a%26b%3Dc&status=failed"]
    );
    for wrong in [
        &["--status", "sleeping"][..],
        &["--limit", "0"],
        &["--limit", "many"],
    ] {
        let ended = fake.run(&[&["list"], wrong].concat());
        assert_eq!(ended.code, 104, "{}", ended.err);
    }
    for wrong in ["1", "../runs", "0b9f8f4e"] {
        let ended = fake.run(&["show", wrong]);
        assert_eq!(ended.code, 104, "{}", ended.err);
    }
    assert_eq!(fake.asked().len(), 1);
}
