//! What must stay secret is found nowhere: not in D1, not in the logs, not in an answer.

use std::time::Duration;

use serde_json::json;

use crate::support::{BATCH_KEY, Footprint, Lab, Reply, Run, inline, profile};

/// Each is unique, so that finding it proves where it came from.
const HEADER: &str = "hdr-7f1c9a-secret";
const COOKIE: &str = "cke-2b8e4d-secret";
const PASSWORD: &str = "pwd-93ad51-secret";
const QUERY: &str = "qry-c06f77-secret";
const EXTRACTED: &str = "ext-51e8b2-secret";
const SET_COOKIE: &str = "set-e4470c-secret";

#[test]
fn secrets_of_a_scenario_and_of_the_target_are_stored_nowhere() {
    let lab = Lab::shared();
    let target = lab.target(|request| {
        let reply = Reply::json(&json!({"access_token": EXTRACTED}))
            .with("Set-Cookie", format!("session={SET_COOKIE}; Path=/"));
        // Errors are where secrets like to leak.
        match request.path.as_str() {
            path if path.starts_with("/fail") => Reply {
                status: 500,
                ..reply
            },
            _ => reply,
        }
    });
    let at = |path: &str| format!("{}{path}", target.url());
    let steps = json!([
        {
            "name": "login",
            "request": {
                "method": "POST", "url": at("/login"),
                "headers": {"Authorization": format!("Bearer {HEADER}"), "Cookie": format!("a={COOKIE}")},
                "body": {"user": "ada", "password": PASSWORD},
            },
            "expect": {"status": 200},
            "extract": {"token": "$.access_token", "session": "cookie:session"},
        },
        {
            "name": "fail",
            "request": {
                "method": "GET", "url": at(&format!("/fail?token={QUERY}")),
                "headers": {
                    "Authorization": "Bearer {{token}}", "X-Api-Key": HEADER,
                    "Cookie": "session={{session}}",
                },
                "params": {"access_token": QUERY},
            },
            "expect": {"status": 200},
        },
    ]);
    let run = Run::start(&lab, &inline(&profile(2, [1, 1, 1, 1]), &steps));
    assert_eq!(run.ended(Duration::from_secs(40)), "completed");

    // All of them were really used.
    let sent = format!("{:?}", target.received());
    for secret in [HEADER, COOKIE, PASSWORD, QUERY, EXTRACTED, SET_COOKIE] {
        assert!(sent.contains(secret), "{secret} was not sent: {sent}");
    }
    let answers: String = ["", "/metrics", "/apps", "/assertions", "/bottlenecks"]
        .map(|view| lab.api.get(&format!("/runs/{}{view}", run.id)).text)
        .concat();
    let list = lab.api.get("/runs?limit=5").text;
    let database = Footprint::take(&lab).d1_text();
    assert!(database.contains(&run.id) && answers.contains(&run.id) && list.contains(&run.id));
    for (place, text) in [
        ("D1", &database),
        ("an answer", &answers),
        ("the list", &list),
        ("the log", &lab.logs()),
    ] {
        for secret in [HEADER, COOKIE, PASSWORD, QUERY, EXTRACTED, SET_COOKIE] {
            assert!(
                !text.contains(secret),
                "{place} has {secret}: {}",
                around(text, secret)
            );
        }
    }
}

#[test]
fn the_secrets_of_the_deployment_are_stored_nowhere() {
    let lab = Lab::shared();
    let body = json!({
        "scenario": "auth-stress", "environment": "staging", "users": 3, "duration": "3s",
    });
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(Duration::from_secs(40)), "completed");
    let health = lab.api.get("/health").text;
    let answers = lab.api.get(&format!("/runs/{}", run.id)).text;
    for (place, text) in [
        ("D1", Footprint::take(&lab).d1_text()),
        ("the log", lab.logs()),
        ("health", health),
        ("an answer", answers),
    ] {
        for secret in [lab.token(), BATCH_KEY] {
            assert!(!text.contains(secret), "{place}: {}", around(&text, secret));
        }
        // Heartwood's codes, access tokens and refresh tokens look like this.
        for kind in ["gc.", "ga.", "gr."] {
            let token = text
                .match_indices(kind)
                .map(|(at, _)| &text[at..])
                .find(|rest| {
                    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c));
                    let word = &rest[..end.unwrap_or(rest.len())];
                    word.len() > 60 && word.matches('.').count() >= 3
                });
            assert!(token.is_none(), "{place} has a token of Grove");
        }
    }
}

#[test]
fn an_error_does_not_repeat_a_secret() {
    let lab = Lab::shared();
    let mut answers = Vec::new();
    for url in [
        format!("https://ada:{PASSWORD}@staging.grove.place/x"),
        format!("https://evil.example/?token={QUERY}"),
    ] {
        let steps = json!([{
            "name": "x",
            "request": {
                "method": "POST", "url": url,
                "headers": {"Authorization": HEADER}, "body": {"password": PASSWORD},
            },
            "expect": {"status": 200},
        }]);
        let answer = lab
            .api
            .post("/runs", &inline(&profile(1, [0, 1, 0, 0]), &steps));
        answer.expect_error(&[400, 403, 422]);
        answers.push(answer.text);
    }
    answers.push(lab.logs());
    for text in answers {
        for secret in [HEADER, PASSWORD, QUERY] {
            assert!(!text.contains(secret), "{}", around(&text, secret));
        }
    }
}

/// The surroundings of a find, for the message.
fn around(text: &str, word: &str) -> String {
    let at = text.find(word).unwrap_or(0);
    let from = text.floor_char_boundary(at.saturating_sub(200));
    let to = text.ceil_char_boundary((at + 200).min(text.len()));
    text[from..to].to_owned()
}
