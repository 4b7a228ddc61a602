//! Redirects: each is a request of its own, in the ledger and for the policy of hosts.

use sentinel_engine::batch::Request;
use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::plan::Plan;
use sentinel_engine::scenario::Method;
use sentinel_engine::tick::{Span, Tick};
use serde_json::{Value, json};

use crate::flows::{get, one, played, sent};
use crate::lab::{Answer, Lab, hold, plan, whole};

/// One user who plays these steps once.
fn once(steps: Value, max_redirects: u32) -> Plan {
    let extra = json!({"pause": "1h", "maxRedirects": max_redirects, "requestTimeout": "5s"});
    plan(hold(1, 60), one(steps), extra)
}

/// A step with this method, a body and credentials.
fn write(method: &str) -> Value {
    json!([{"name": "write", "request": {
        "method": method, "url": "/start", "body": {"a": 1},
        "headers": {"authorization": "Bearer 0", "x-more": "kept", "cookie": "own=1"},
    }}])
}

fn field<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let found = request.headers.iter().find(|(own, _)| own == name);
    found.map(|(_, value)| value.as_str())
}

/// How many requests ended with this class.
fn errors(lab: &Lab, class: ErrorClass) -> u64 {
    let steps = lab.windows().flat_map(|window| window.steps.values());
    steps.filter_map(|step| step.errors.get(&class)).sum()
}

fn lab_of(plan: &Plan, target: impl FnMut(Tick, &Request) -> Answer) -> Lab {
    played(plan, target)
}

#[test]
fn a_chain_is_followed_to_its_end_and_each_request_is_counted() {
    let mut start = get("start", json!({"extract": {"v": "status"}}));
    start["expect"]["checks"] = json!([{"name": "arrives", "on": "status", "equals": 200}]);
    let steps = json!([start, get("after", json!({}))]);
    let lab = lab_of(&once(steps, 10), |_, request| {
        match request.url.rsplit('/').next() {
            Some("start") => Answer::redirect(302, "deep/second?q=1#part"),
            Some("second?q=1") => Answer::redirect(308, "/third"),
            _ => Answer::ok(100),
        }
    });
    let expected = [
        (0, "start"),
        (100, "second?q=1"),
        (200, "third"),
        (300, "after"),
    ];
    assert_eq!(sent(&lab), expected.map(|(at, name)| (at, name.to_owned())));
    let ledger = lab.ledger();
    assert_eq!((ledger.sent, ledger.answered, ledger.finished), (4, 4, 1));
    assert_eq!(errors(&lab, ErrorClass::Status(302)), 0);
    let checks = lab.windows().flat_map(|window| window.checks.values());
    let counts = checks.fold((0, 0), |sum, check| (sum.0 + check.0, sum.1 + check.1));
    assert_eq!(counts, (1, 0), "what comes last is what is checked");
}

#[test]
fn methods_and_bodies_change_as_the_standard_says() {
    for (method, status, follows, keeps_body) in [
        ("POST", 301, Method::Get, false),
        ("POST", 302, Method::Get, false),
        ("POST", 303, Method::Get, false),
        ("POST", 307, Method::Post, true),
        ("POST", 308, Method::Post, true),
        ("PUT", 302, Method::Put, true),
        ("PUT", 303, Method::Get, false),
    ] {
        let lab = lab_of(&once(write(method), 10), |_, request| {
            if request.url.ends_with("/start") {
                Answer::redirect(status, "http://127.0.0.1:9/end")
            } else {
                Answer::ok(1)
            }
        });
        let (first, last) = (&lab.sent[0].1, &lab.sent[1].1);
        assert_eq!(last.method, follows, "{method} {status}");
        assert_eq!(last.body.is_some(), keeps_body, "{method} {status}");
        assert_eq!(field(last, "content-type").is_some(), keeps_body);
        assert!(!keeps_body || last.body == first.body);
        assert_eq!(field(last, "authorization"), Some("Bearer 0"));
        assert_eq!(field(last, "x-more"), Some("kept"));
        assert_ne!(first.id, last.id);
    }
}

#[test]
fn credentials_stay_with_their_origin() {
    for (location, cookie, authorization) in [
        ("/end", Some("own=1; s=1"), Some("Bearer 0")),
        // Cookies know no ports.
        ("http://127.0.0.1:10/end", Some("s=1"), None),
    ] {
        let plan = once(write("POST"), 10);
        let mut lab = Lab::new(&plan, whole(&plan));
        lab.set_cookie = Some(("/start", "s=1; Path=/"));
        lab.play(|_, request| match request.url.ends_with("/start") {
            true => Answer::redirect(307, location),
            false => Answer::ok(1),
        });
        let last = &lab.sent[1].1;
        assert_eq!(field(last, "cookie"), cookie, "{location}");
        assert_eq!(field(last, "authorization"), authorization, "{location}");
        assert_eq!(field(last, "x-more"), Some("kept"));
    }
}

#[test]
fn a_redirect_to_a_host_that_is_not_allowed_is_an_error_and_nothing_is_sent() {
    for location in [
        "http://127.0.0.1:11/trap",
        "//elsewhere.example/trap",
        "http://user:word@127.0.0.1:9/trap",
        "ftp://127.0.0.1:9/trap",
    ] {
        let mut start = get("start", json!({}));
        start["expect"]["checks"] = json!([{"name": "arrives", "on": "status", "equals": 200}]);
        let steps = json!([start, get("after", json!({}))]);
        let lab = lab_of(&once(steps, 10), |_, request| {
            if request.url.ends_with("/start") {
                Answer::redirect(302, location)
            } else {
                Answer::ok(1)
            }
        });
        let names: Vec<_> = sent(&lab).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["start", "after"], "{location}");
        assert_eq!(errors(&lab, ErrorClass::Refused), 1, "{location}");
        assert_eq!((lab.ledger().answered, lab.ledger().failed), (2, 0));
        let checks = lab.windows().flat_map(|window| window.checks.values());
        assert_eq!(checks.map(|check| check.1).sum::<u64>(), 1);
    }
}

#[test]
fn what_is_not_followed_is_an_answer_like_any_other() {
    let expected = json!([{"name": "start", "request": {"method": "GET", "url": "/start"}, "expect": {"status": [302]}}]);
    let plain = json!([get("start", json!({}))]);
    for (steps, max_redirects, location, requests, failures) in [
        (&expected, 10, "/start", 1, 0),
        (&plain, 0, "/start", 1, 1),
        (&plain, 3, "/start", 4, 1),
        (&plain, 10, "http://[", 1, 1),
    ] {
        let lab = lab_of(&once(steps.clone(), max_redirects), |_, _| {
            Answer::redirect(302, location)
        });
        assert_eq!(lab.sent.len(), requests, "{max_redirects} {location}");
        assert_eq!(errors(&lab, ErrorClass::Status(302)), failures);
    }
}

#[test]
fn a_chain_has_the_time_of_one_request() {
    let plan = once(json!([get("start", json!({}))]), 100);
    let lab = lab_of(&plan, |_, _| {
        Answer::Redirect(302, "/start", Span::from_ms(600))
    });
    // At 4.8 s the ninth is sent, and at 5 s the time is over.
    assert_eq!(lab.sent.len(), 9);
    assert_eq!(lab.sent[8].1.timeout, Span::from_ms(200));
    assert_eq!(errors(&lab, ErrorClass::Timeout), 1);
    assert_eq!((lab.ledger().answered, lab.ledger().failed), (8, 1));
}

#[test]
fn redirects_wait_for_slots_and_end_with_their_slice() {
    let step = |name: &str| get(name, json!({"parallel": true}));
    let steps = json!([step("a"), step("b"), step("c"), step("d")]);
    let extra = json!({"pause": "10ms", "maxRedirects": 5, "requestTimeout": "5s"});
    let plan = plan(hold(5, 60), one(steps), extra);
    for slots in 1..4 {
        let mut assignment = whole(&plan);
        assignment.until = Tick::from_ms(7_777);
        assignment.slots = std::num::NonZeroU16::new(slots);
        let mut lab = Lab::new(&plan, assignment);
        lab.play(|_, request| match request.id.0 % 3 {
            0 => Answer::redirect(307, "/again"),
            1 => Answer::redirect(302, "//elsewhere.example/"),
            _ => Answer::ok(130),
        });
        assert!(lab.under_way_max <= usize::from(slots));
        let ledger = lab.ledger();
        assert_eq!(ledger.sent, lab.sent.len() as u64);
        assert_eq!(
            ledger.sent,
            ledger.answered + ledger.failed + ledger.cut_off
        );
        assert!(!lab.end().carry.is_empty(), "the users go on");
    }
}
