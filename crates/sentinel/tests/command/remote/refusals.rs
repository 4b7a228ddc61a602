//! What cannot be done is said in one line, with the right exit code and without the token.

use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};

use super::fake::{Fake, RUN, Reply, TOKEN};
use crate::lab::Lab;
use crate::server::Server;

fn refusing(status: u16, body: Value) -> Fake {
    Fake::new(move |_, _| Reply::Json(status, body.clone()))
}

/// What one line of the standard error says.
fn line(err: &str) -> &str {
    let mut lines = err.lines();
    let line = lines.next().unwrap_or_default();
    assert_eq!(lines.next(), None, "more than a line: {err}");
    assert!(line.starts_with("sentinel: "), "{line}");
    line
}

#[test]
fn each_refusal_is_a_line_with_the_words_of_the_api() {
    for (status, code) in [
        (400, "invalid_parameter"),
        (401, "unauthorized"),
        (403, "own_traffic"),
        (404, "scenario_not_found"),
        (409, "already_running"),
        (413, "body_too_large"),
        (422, "invalid"),
        (423, "stopped"),
        (429, "daily_budget"),
    ] {
        let fake = refusing(
            status,
            json!({"error": "these are the API's words", "code": code}),
        );
        let ended = fake.run(&["run", "grove-mix"]);
        assert_eq!(ended.code, 104, "{status}: {}", ended.err);
        let line = line(&ended.err);
        for part in [&status.to_string(), code, "these are the API's words"] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert_eq!(fake.asked(), ["POST /runs"], "nothing is asked again");
    }
}

#[test]
fn other_commands_are_refused_in_the_same_way() {
    for arguments in [
        &["watch", RUN][..],
        &["cancel", RUN],
        &["show", RUN],
        &["list"],
    ] {
        let no_run = json!({"error": "run not found", "code": "run_not_found"});
        let ended = refusing(404, no_run).run(arguments);
        assert_eq!(ended.code, 104, "{arguments:?}: {}", ended.err);
        assert!(line(&ended.err).contains("run not found"), "{}", ended.err);
        let no_token = json!({"error": "send the header", "code": "unauthorized"});
        let ended = refusing(401, no_token).run(arguments);
        assert_eq!(ended.code, 104, "{arguments:?}: {}", ended.err);
        assert!(line(&ended.err).contains("VISTA_TOKEN"), "{}", ended.err);
    }
    let over = json!({"error": "the run is completed already", "code": "not_running"});
    let ended = refusing(409, over).run(&["cancel", RUN]);
    assert_eq!(ended.code, 104, "{}", ended.err);
}

#[test]
fn several_problems_are_all_told() {
    let problem = |path: &str| json!({"path": path, "message": "is not accepted"});
    let body = json!({
        "error": "2 problems, see \"problems\"", "code": "invalid",
        "problems": [problem("users"), problem("duration")],
    });
    let ended = refusing(422, body).run(&["run", "grove-mix"]);
    assert_eq!(ended.code, 104, "{}", ended.err);
    for part in ["users: is not accepted", "duration: is not accepted"] {
        assert!(ended.err.contains(part), "{part} in {}", ended.err);
    }
}

#[test]
fn what_answers_may_not_be_the_api() {
    let html = |status| Reply::Text(status, "text/html", "<h1>It works!</h1>".to_owned());
    for (status, code) in [(200, 107), (302, 107), (404, 104), (500, 107), (502, 107)] {
        let fake = Fake::new(move |_, _| html(status));
        let ended = fake.run(&["show", RUN]);
        assert_eq!(ended.code, code, "{status}: {}", ended.err);
        line(&ended.err);
    }
    let fake = Fake::new(|_, _| Reply::Json(200, json!({"welcome": "to something else"})));
    for arguments in [&["show", RUN][..], &["list"]] {
        let ended = fake.run(arguments);
        assert_eq!(ended.code, 107, "{}", ended.err);
        assert!(
            line(&ended.err).contains("is that the address"),
            "{}",
            ended.err
        );
    }
}

#[test]
fn a_server_that_repeats_the_token_or_moves_the_cursor_does_not_get_far() {
    let error = format!("who sends Bearer {TOKEN}?\u{1b}[2J\nsentinel: all is well");
    let ended = refusing(403, json!({"error": error, "code": TOKEN})).run(&["list"]);
    assert_eq!(ended.code, 104, "{}", ended.err);
    assert!(!ended.err.contains('\u{1b}'), "{:?}", ended.err);
    assert!(
        line(&ended.err).contains("Bearer [token]?"),
        "{}",
        ended.err
    );
}

#[test]
fn a_load_tester_out_of_reach_is_a_line() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = closed.local_addr().expect("an address").to_string();
    drop(closed);
    let lab = Lab::new();
    for url in [format!("http://{address}"), format!("https://{address}")] {
        let ended = remote(&lab, &url, &["list"]);
        assert_eq!(ended.0, 107, "{}", ended.1);
        assert!(line(&ended.1).contains("cannot be reached"), "{}", ended.1);
    }
    let ended = remote(&lab, "https://nobody.invalid", &["run", "grove-mix"]);
    assert_eq!(ended.0, 107, "{}", ended.1);
    assert!(
        line(&ended.1).contains("nobody.invalid cannot be reached"),
        "{}",
        ended.1
    );
}

#[test]
fn what_speaks_no_tls_gets_no_token() {
    let fake = Fake::new(|_, _| Reply::Json(200, json!({"runs": []})));
    let ended = remote(&fake.lab, &format!("https://{}", fake.host()), &["list"]);
    assert_eq!(ended.0, 107, "{}", ended.1);
    line(&ended.1);
    assert!(fake.received().is_empty(), "{:?}", fake.received());
}

#[test]
fn a_certificate_that_nobody_has_signed_is_trusted_only_when_that_is_said() {
    let lab = Lab::new();
    let pem = lab.path("root.pem");
    let server = Server::encrypted(&pem);
    let url = format!("https://localhost:{}", server.address.port());
    let (code, err) = remote(&lab, &url, &["list"]);
    assert_eq!(code, 107, "{err}");
    for part in ["no secure connection", "--cacert"] {
        assert!(line(&err).contains(part), "{part} in {err}");
    }
    let pem = pem.to_str().expect("text");
    let (code, err) = remote(&lab, &url, &["list", "--cacert", pem]);
    assert_eq!(code, 107, "{err}");
    assert!(
        line(&err).contains("no list of runs"),
        "it answers, and is no load tester: {err}"
    );
    let nothing = lab.path("nothing.pem");
    std::fs::write(&nothing, "no certificate").expect("a file");
    for file in ["/does/not/exist", nothing.to_str().expect("text")] {
        let (code, err) = remote(&lab, &url, &["list", "--cacert", file]);
        assert_eq!(code, 104, "{err}");
        assert!(line(&err).contains("--cacert"), "{err}");
    }
}

#[test]
fn an_address_that_would_carry_the_token_in_the_clear_is_refused() {
    let lab = Lab::new();
    for url in [
        "http://loadtest.example",
        "http://10.1.2.3:8787",
        "ftp://localhost",
        "nonsense",
    ] {
        let (code, err) = remote(&lab, url, &["list"]);
        assert_eq!(code, 104, "{url}: {err}");
        assert!(line(&err).contains("--url"), "{err}");
    }
    let (code, err) = remote(&lab, "https://me:hunter2@loadtest.example", &["list"]);
    assert_eq!(code, 104, "{err}");
    assert!(!err.contains("hunter2"), "{err}");
}

#[test]
fn a_token_comes_from_a_file_or_the_environment_and_nowhere_else() {
    let fake = Fake::new(|_, _| Reply::Json(200, json!({"runs": [], "nextCursor": null})));
    let good = fake.write_text("token", "from-a-file\n");
    let good = good.to_str().expect("text");
    let ended = fake.run(&["list", "--token-file", good]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(
        fake.received()[0].header("authorization"),
        "Bearer from-a-file"
    );

    for (name, text) in [
        ("empty", "\n"),
        ("two", "hunter2\nhunter3\n"),
        ("large", &"hunter2".repeat(9_000)),
    ] {
        let path = fake.write_text(name, text);
        let ended = fake.run(&["list", "--token-file", path.to_str().expect("text")]);
        assert_eq!(ended.code, 104, "{}", ended.err);
        assert!(line(&ended.err).contains("--token-file"), "{}", ended.err);
        assert!(!ended.err.contains("hunter"), "{}", ended.err);
    }
    let ended = fake.run(&["list", "--token-file", "/does/not/exist"]);
    assert_eq!(ended.code, 104, "{}", ended.err);

    let mut command = fake.command(&["list"]);
    let output = command.env_remove("VISTA_TOKEN").output().expect("it runs");
    let ended = fake.lab.ended(output);
    assert_eq!(ended.code, 104, "{}", ended.err);
    assert!(line(&ended.err).contains("VISTA_TOKEN"), "{}", ended.err);
    // Everybody on the machine could read it in the list of processes.
    let ended = fake.run(&["list", "--token", "hunter2"]);
    assert_eq!(ended.code, 104, "{}", ended.err);
    assert_eq!(fake.received().len(), 1);
}

/// Exit code and standard error of `sentinel remote` at an address.
fn remote(lab: &Lab, url: &str, arguments: &[&str]) -> (i32, String) {
    let mut command: Command = lab.command();
    let command = command.arg("remote").args(arguments).args(["--url", url]);
    let ended = lab.ended(command.env("VISTA_TOKEN", TOKEN).output().expect("it runs"));
    assert!(!ended.err.contains(TOKEN), "{}", ended.err);
    (ended.code, ended.err)
}
