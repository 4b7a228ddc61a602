//! Setup and teardown: one sign-in for all users before the load, the sign-out after it, whatever becomes of the
//! run.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Lab, Run, count, inline, profile, unix_ms};

const LIMIT: Duration = Duration::from_secs(90);

/// Users who read one post with one token: the setup gets both, the teardown signs out and sees that it has.
fn body(seconds: [u32; 4]) -> Value {
    let request = |method: &str, url: &str| json!({"method": method, "url": url});
    let with = |mut request: Value, name: &str, value: Value| {
        request[name] = value;
        request
    };
    let authorized = |method: &str, url: &str| {
        let bearer = json!({"Authorization": "Bearer {{token}}"});
        with(request(method, url), "headers", bearer)
    };
    let step = |name: &str, request: Value, status: u16| json!({"name": name, "request": request, "expect": {"status": status}});
    let posts = "/api/tenants/oak/posts";
    let sign_in = json!({
        "client_id": "grove-web", "redirect_uri": "/oauth/callback", "response_type": "code",
        "state": "{{uuid}}", "tenant": "oak", "user_hint": "{{userId}}",
    });
    let exchange =
        json!({"grant_type": "authorization_code", "client_id": "grove-web", "code": "{{code}}"});
    let post = json!({"title": "{{postTitle}}", "body": "{{postMarkdown}}", "tags": ["e2e"]});
    let setup = json!([
        with(
            step(
                "authorize",
                with(request("GET", "/oauth/authorize"), "params", sign_in),
                302
            ),
            "extract",
            json!({"code": "$.code", "state": "$.state"}),
        ),
        step(
            "callback",
            request("GET", "/oauth/callback?code={{code}}&state={{state}}"),
            200
        ),
        with(
            step(
                "token",
                with(request("POST", "/oauth/token"), "body", exchange),
                200
            ),
            "extract",
            json!({"token": "$.access_token"}),
        ),
        with(
            step(
                "publish",
                with(authorized("POST", posts), "body", post),
                201
            ),
            "extract",
            json!({"postId": "$.id"}),
        ),
    ]);
    let steps = json!([
        step("check session", authorized("GET", "/oauth/session"), 200),
        step(
            "read post",
            request("GET", &format!("{posts}/{{{{postId}}}}")),
            200
        ),
    ]);
    let mut body = inline(&profile(7, seconds), &steps);
    body["scenario"]["setup"] = setup;
    body["scenario"]["teardown"] = json!([
        step("sign out", authorized("POST", "/oauth/logout"), 204),
        step("is signed out", authorized("GET", "/oauth/session"), 401),
    ]);
    body
}

/// Both were played once, and everything that Grove received is accounted for.
fn assert_played_once(run: &Run<'_>, arrived: u64) {
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.ledger("sent"), arrived, "what Grove counted");
    let (setup, teardown) = (&summary.0["setup"], &summary.0["teardown"]);
    assert_eq!(setup["outcome"], "succeeded", "{setup}");
    assert_eq!(teardown["outcome"], "succeeded", "{teardown}");
    assert_eq!(count(&setup["ledger"], "sent"), 4);
    assert_eq!(count(&teardown["ledger"], "sent"), 2);
    let apps = run.rows("apps");
    assert_eq!(apps.len(), 1, "what is played once is no application");
    assert_eq!(count(&apps[0], "total_requests"), arrived - 6);
    assert_eq!(
        count(&apps[0], "successful_requests"),
        count(&apps[0], "total_requests") - summary.ledger("cutOff"),
        "everybody has the token and the post: {}",
        apps[0]
    );

    // The time line begins when the setup is over, the run before it.
    let row = run.row();
    let started = unix_ms(&row["started_at"]);
    let length = unix_ms(&row["ended_at"]) - started;
    assert_eq!(row["duration_ms"].as_i64(), Some(length));
    assert_eq!(teardown["endMs"].as_i64(), Some(length));
    let rows = run.rows("metrics");
    let load_began = started + setup["endMs"].as_i64().expect("a number");
    assert_eq!(rows[0]["timestamp"].as_i64(), Some(load_began));
}

#[test]
fn one_sign_in_serves_all_users_and_is_signed_out_after_the_load() {
    let lab = Lab::shared();
    let before = lab.grove.total();
    let run = Run::start(&lab, &body([2, 3, 1, 2]));
    assert_eq!(run.ended(LIMIT), "completed", "{}", run.row());
    assert_played_once(&run, lab.grove.total() - before);
    let summary = run.summary();
    assert!(summary.passed(), "{}", summary.0["failedAssertions"]);
    // An iteration may end a moment after the load, in a second of its own.
    let seconds = run.rows("metrics").len();
    assert!(seconds >= 8, "{seconds} rows for 8 s of load");
}

#[test]
fn a_cancelled_run_still_signs_out() {
    let lab = Lab::shared();
    let before = lab.grove.total();
    let run = Run::start(&lab, &body([2, 60, 1, 2]));
    run.has_seconds(2);
    run.cancel();
    assert_eq!(run.ended(LIMIT), "cancelled", "{}", run.row());
    assert_played_once(&run, lab.grove.total() - before);
}

#[test]
fn a_setup_that_fails_puts_no_load_on_anybody() {
    let lab = Lab::shared();
    let before = lab.grove.total();
    let mut body = body([2, 2, 1, 2]);
    body["scenario"]["setup"][0]["expect"]["status"] = json!(200);
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(LIMIT), "failed", "{}", run.row());
    assert_eq!(lab.grove.total() - before, 1);
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.ledger("sent"), 1);
    let failure = "setup step \"authorize\" ended with status_302";
    assert_eq!(summary.0["failure"], failure);
    assert_eq!(summary.0["teardown"]["outcome"], "not_played");
    assert_eq!(run.rows("metrics").len(), 0);
}
