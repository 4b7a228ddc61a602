//! Scenarios that come with the request: they play as written, and stay on the hosts that are allowed.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Lab, Profile, Reply, Run, Target, count, inline, profile};

const LIMIT: Duration = Duration::from_secs(40);

#[test]
fn an_inline_scenario_plays_its_own_application() {
    let lab = Lab::shared();
    let target = lab.target(|request| match request.path.as_str() {
        "/login" => Reply::json(&json!({"session": {"token": "t-123"}}))
            .with("Set-Cookie", "crumb=c-456; Path=/"),
        _ => Reply::json(&json!({"ok": true})),
    });
    let steps = json!([
        {
            "name": "login",
            "request": {
                "method": "POST", "url": format!("{}/login", target.url()),
                "headers": {"X-Kind": "e2e"}, "body": {"user": "{{userId}}"},
            },
            "expect": {"status": 200},
            "extract": {"token": "$.session.token", "crumb": "cookie:crumb"},
        },
        {
            "name": "use",
            "request": {
                "method": "GET", "url": format!("{}/use", target.url()),
                "headers": {"Authorization": "Bearer {{token}}", "Cookie": "crumb={{crumb}}"},
                "params": {"q": "a b&c"},
            },
            "expect": {"status": [200, 204]},
        },
    ]);
    let plan = profile(3, [3, 2, 1, 2]);
    let run = Run::start(&lab, &inline(&plan, &steps));
    assert_eq!(run.ended(LIMIT), "completed");

    let summary = run.summary();
    summary.assert_balanced();
    let received = target.received();
    assert_eq!(
        received.len() as u64,
        summary.ledger("sent"),
        "nothing lost"
    );
    assert_eq!(run.row()["scenario_name"], "e2e-inline");
    let apps = run.rows("apps");
    assert_eq!(apps.len(), 1);
    assert_eq!(apps[0]["app_name"], "e2e-app");
    assert_eq!(count(&apps[0], "total_requests"), summary.ledger("sent"));
    assert_eq!(count(&apps[0], "failed_requests"), 0, "{}", apps[0]);

    let (logins, uses): (Vec<_>, Vec<_>) = received
        .iter()
        .partition(|request| request.path == "/login");
    assert!(logins.len() >= 3 && uses.len() >= 3);
    for login in logins {
        assert_eq!(login.method, "POST");
        assert_eq!(login.header("x-kind"), Some("e2e"));
        let body: Value = serde_json::from_str(&login.body).expect("a JSON body");
        assert!(
            body["user"]
                .as_str()
                .is_some_and(|user| !user.contains('{')),
            "{body}"
        );
    }
    for used in uses {
        assert_eq!(
            used.header("authorization"),
            Some("Bearer t-123"),
            "what was extracted"
        );
        assert_eq!(used.header("cookie"), Some("crumb=c-456"), "what was set");
        assert!(
            ["/use?q=a+b%26c", "/use?q=a%20b%26c"].contains(&used.path.as_str()),
            "{}",
            used.path
        );
    }
    let rows = run.rows("metrics");
    Profile::parse(&plan).assert_followed(&rows, 0.0);
    // The target tells nothing about its insides: no data is not zero.
    assert!(
        rows.iter().all(|row| row["d1_metrics"].is_null()),
        "{rows:?}"
    );
}

/// Slices are four seconds long here, and batches have five users.
#[test]
fn a_user_goes_on_where_it_was_when_a_slice_ends() {
    const USERS: usize = 8;
    let lab = Lab::shared();
    let target = lab.target(|request| match request.path.as_str() {
        "/login" => {
            let body: Value = serde_json::from_str(&request.body).expect("JSON");
            Reply::json(
                &json!({"token": format!("token-of-{}", body["user"].as_str().unwrap_or(""))}),
            )
        }
        _ => Reply::json(&json!({})),
    });
    let steps = json!([
        {
            "name": "login", "unlessSet": "token",
            "request": {
                "method": "POST", "url": format!("{}/login", target.url()),
                "body": {"user": "{{userId}}"},
            },
            "expect": {"status": 200}, "extract": {"token": "$.token"},
        },
        {
            "name": "use",
            "request": {
                "method": "GET", "url": format!("{}/use", target.url()),
                "headers": {"Authorization": "{{token}}", "X-User": "{{userId}}"},
            },
            "expect": {"status": 200},
        },
    ]);
    let run = Run::start(&lab, &inline(&profile(USERS as u32, [1, 5, 6, 0]), &steps));
    assert_eq!(run.ended(LIMIT), "completed");
    let summary = run.summary();
    summary.assert_balanced();
    assert!(
        summary.0["slices"].as_u64() >= Some(3),
        "{}",
        summary.0["slices"]
    );
    assert!(
        summary.0["batches"].as_u64() >= Some(2),
        "{}",
        summary.0["batches"]
    );
    assert_eq!(summary.ledger("interrupted"), 0, "{}", summary.0["ledger"]);

    let received = target.received();
    assert_eq!(received.len() as u64, summary.ledger("sent"));
    let (logins, uses): (Vec<_>, Vec<_>) = received
        .iter()
        .partition(|request| request.path == "/login");
    assert_eq!(logins.len(), USERS, "each user signs in once in its life");
    let mut users = BTreeSet::new();
    for used in uses {
        let user = used.header("x-user").expect("a user");
        let expected = format!("token-of-{user}");
        assert_eq!(
            used.header("authorization"),
            Some(expected.as_str()),
            "its own token"
        );
        users.insert(user);
    }
    assert_eq!(users.len(), USERS);
}

#[test]
fn a_metric_that_was_never_seen_fails_its_assertion() {
    let lab = Lab::shared();
    let target = lab.target(|_| Reply::json(&json!({})));
    let steps = json!([{
        "name": "get", "request": {"method": "GET", "url": format!("{}/", target.url())},
        "expect": {"status": 200},
    }]);
    let mut body = inline(&profile(1, [0, 1, 1, 0]), &steps);
    body["scenario"]["assertions"] =
        json!([{"metric": "do_wake_rate", "operator": "<", "value": 0.5}]);
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(LIMIT), "completed");
    assert!(!run.summary().passed());
    assert_eq!(run.rows("assertions")[0]["passed"], 0);
}

#[test]
fn a_redirect_to_another_host_is_not_followed() {
    let lab = Lab::shared();
    let elsewhere = Target::forbidden(|_| Reply::json(&json!({"trap": true})));
    let goal = format!("{}/trap", elsewhere.url());
    let target = lab.target(move |_| Reply {
        status: 302,
        headers: vec![("Location".to_owned(), goal.clone())],
        body: String::new(),
    });
    let steps = json!([{
        "name": "redirected", "request": {"method": "GET", "url": format!("{}/go", target.url())},
        "expect": {"status": 302},
    }]);
    let run = Run::start(&lab, &inline(&profile(2, [1, 1, 1, 0]), &steps));
    assert_eq!(run.ended(LIMIT), "completed");
    let apps = run.rows("apps");
    assert_eq!(
        count(&apps[0], "failed_requests"),
        0,
        "302 is an answer like any other: {apps:?}"
    );
    assert_eq!(
        target.received().len() as u64,
        count(&apps[0], "total_requests")
    );
    assert!(!target.received().is_empty());
    assert_eq!(elsewhere.received().len(), 0, "the other host was asked");
}

#[test]
fn redirects_are_followed_where_the_scenario_says_so_and_only_to_where_load_may_go() {
    let lab = Lab::shared();
    let elsewhere = Target::forbidden(|_| Reply::json(&json!({"trap": true})));
    let trap = format!("{}/trap", elsewhere.url());
    let target = lab.target(move |received| {
        let location = match received.path.as_str() {
            "/go" => "/there",
            "/away" => &trap,
            _ => return Reply::json(&json!({"there": true})),
        };
        let redirect = Reply {
            status: 302,
            headers: Vec::new(),
            body: String::new(),
        };
        redirect.with("Location", location)
    });
    let step = |name: &str, method: &str, path: &str| json!({"name": name, "request": {"method": method, "url": format!("{}{path}", target.url())}});
    let steps = json!([
        step("followed", "POST", "/go"),
        step("stopped", "GET", "/away")
    ]);
    let mut body = inline(&profile(2, [1, 1, 1, 0]), &steps);
    body["scenario"]["maxRedirects"] = json!(10);
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(LIMIT), "completed");
    let received = target.received();
    let count_of = |method: &str, path: &str| {
        let asked = received.iter();
        asked
            .filter(|request| request.method == method && request.path == path)
            .count() as u64
    };
    assert!(count_of("POST", "/go") > 0);
    assert_eq!(count_of("GET", "/there"), count_of("POST", "/go"));
    assert_eq!(count_of("POST", "/there"), 0, "the method has changed");
    let apps = run.rows("apps");
    assert_eq!(count(&apps[0], "total_requests"), received.len() as u64);
    assert_eq!(count(&apps[0], "failed_requests"), count_of("GET", "/away"));
    assert_eq!(elsewhere.received().len(), 0, "the other host was asked");
}
