//! Redirects at the edge: each is a request of its own, with the method that its status asks for.

use std::time::Duration;

use serde_json::json;

use crate::support::{Lab, Reply, Run, steps_of_each};

#[test]
fn what_is_posted_and_redirected_is_followed_with_get_each_time() {
    let lab = Lab::shared();
    let target = lab.target(|received| {
        let to = |status, place: &str| Reply {
            status,
            ..Reply::json(&json!({})).with("Location", place)
        };
        match received.path.as_str() {
            "/form" => to(303, "/moved"),
            "/moved" => to(308, "/done"),
            _ => Reply::json(&json!({"ok": true})),
        }
    });
    // Without a body, so that all of a chain's requests have the same header fields.
    let request = json!({"method": "POST", "url": format!("{}/form", target.url())});
    let step = json!({"name": "send", "request": request, "expect": {"status": 200}});
    let mut body = steps_of_each(&[("form", step)], (2, 3), "60s");
    body["scenario"]["maxRedirects"] = json!(3);
    let run = Run::start(&lab, &body);
    assert_eq!(run.ended(Duration::from_secs(90)), "completed");
    let summary = run.summary();
    summary.assert_balanced();
    assert_eq!(summary.ledger("finished"), 6);
    assert_eq!(summary.ledger("sent"), 18, "two redirects each");
    let received = target.received();
    for (method, path) in [("POST", "/form"), ("GET", "/moved"), ("GET", "/done")] {
        let same = received
            .iter()
            .filter(|one| one.method == method && one.path == path);
        assert_eq!(same.count(), 6, "{method} {path}");
    }
}
