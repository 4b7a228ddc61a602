//! What users are given and keep: rows of data, cookies, and what checks say about their answers.

use std::collections::{BTreeMap, BTreeSet};

use sentinel_engine::check::CheckId;
use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::plan::Plan;
use sentinel_engine::share::Share;
use sentinel_engine::tick::{Span, Tick};
use sentinel_engine::window::StepId;
use serde_json::{Value, json};

use crate::flows::{get, one, played, sent};
use crate::lab::{Answer, Lab, hold, plan, slice, whole};

fn urls(lab: &Lab) -> Vec<String> {
    sent(lab).into_iter().map(|(_, name)| name).collect()
}

fn row_plan(data: Value, users: u32, seconds: u64, extra: Value) -> Plan {
    let steps = json!([{"name": "row", "request": {"method": "GET", "url": "/{{data.t.n}}"}}]);
    let mut more = json!({"pause": "1s", "data": {"t": data}});
    for (key, value) in extra.as_object().expect("an object") {
        more[key] = value.clone();
    }
    plan(hold(users, seconds), one(steps), more)
}

fn rows(count: usize) -> Value {
    json!((0..count).map(|n| json!({"n": n})).collect::<Vec<_>>())
}

#[test]
fn no_row_is_dealt_to_two_shares_and_none_is_left_out() {
    let plan = row_plan(json!({"rows": rows(60)}), 12, 5, json!({"pause": "900ms"}));
    for shares in [1, 2, 5, 12] {
        let mut dealt = Vec::new();
        for index in 0..shares {
            let mut assignment = whole(&plan);
            assignment.share = Share::new(index, shares).expect("a share");
            let mut lab = Lab::new(&plan, assignment);
            lab.play(|_, _| Answer::ok(100));
            dealt.extend(urls(&lab));
        }
        let different: BTreeSet<&String> = dealt.iter().collect();
        assert_eq!((dealt.len(), different.len()), (60, 60), "{shares} shares");
    }
}

#[test]
fn rows_that_may_be_dealt_once_run_out_and_that_is_counted() {
    let plan = row_plan(
        json!({"rows": rows(10), "pick": "unique"}),
        3,
        20,
        json!({}),
    );
    let lab = played(&plan, |_, _| Answer::ok(0));
    let dealt: BTreeSet<String> = urls(&lab).into_iter().collect();
    assert_eq!((lab.sent.len(), dealt.len()), (10, 10));
    let ledger = lab.ledger();
    assert_eq!(
        (ledger.planned, ledger.started, ledger.dropped),
        (13, 10, 3),
        "each user notices once"
    );
    let told: u64 = lab
        .windows()
        .filter_map(|w| w.scenarios.get(&0))
        .map(|s| s.out_of_data)
        .sum();
    assert_eq!(told, 3);
}

#[test]
fn a_row_of_ones_own_stays() {
    let plan = row_plan(
        json!({"rows": rows(5), "pick": "unique", "per": "user"}),
        5,
        10,
        json!({}),
    );
    let lab = played(&plan, |_, _| Answer::ok(1));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    urls(&lab)
        .into_iter()
        .for_each(|name| *counts.entry(name).or_default() += 1);
    assert_eq!(counts.len(), 5);
    assert!(counts.values().all(|count| *count == 10), "{counts:?}");
}

fn cookie_plan(cookies: &str) -> Plan {
    let steps = json!([
        get("sign-in", json!({"unlessSet": "v", "extract": {"v": "status"}})),
        get("page", json!({})),
        {"name": "own", "request": {"method": "GET", "url": "/own", "headers": {"Cookie": "a=own; mine=1"}}},
    ]);
    plan(
        hold(2, 4),
        one(steps),
        json!({"pause": "1s", "cookies": cookies}),
    )
}

#[test]
fn cookies_are_kept_as_long_as_the_scenario_says() {
    for (cookies, first, later, own) in [
        ("user", Some("a=1"), Some("a=1"), "a=own; mine=1"),
        ("iteration", Some("a=1"), None, "a=own; mine=1"),
        ("off", None, None, "a=own; mine=1"),
    ] {
        let plan = cookie_plan(cookies);
        let mut lab = Lab::new(&plan, whole(&plan));
        lab.set_cookie = Some(("sign-in", "a=1; Path=/; HttpOnly"));
        lab.play(|_, _| Answer::ok(10));
        let cookie_of = |request: &sentinel_engine::batch::Request| {
            let field = request
                .headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("cookie"));
            field.map(|(_, value)| value.clone())
        };
        let pages = lab
            .sent
            .iter()
            .filter(|(_, request)| request.url.ends_with("/page"));
        let pages: Vec<Option<String>> = pages.map(|(_, request)| cookie_of(request)).collect();
        assert!(pages.len() >= 6);
        for (place, cookie) in pages.iter().enumerate() {
            let expected = if place < 2 { first } else { later };
            assert_eq!(cookie.as_deref(), expected, "{cookies}, page {place}");
        }
        for (_, request) in lab
            .sent
            .iter()
            .filter(|(_, request)| request.url.ends_with("/own"))
        {
            assert_eq!(cookie_of(request).as_deref(), Some(own), "{cookies}");
        }
    }
}

#[test]
fn cookies_stay_with_their_user_over_slices_and_appear_nowhere_else() {
    let plan = cookie_plan("user");
    let mut first = Lab::new(
        &plan,
        slice(
            Share::WHOLE,
            0,
            Tick::ZERO,
            Tick::from_ms(1_500),
            Vec::new(),
        ),
    );
    first.set_cookie = Some(("sign-in", "a=VERYSECRET; Path=/"));
    first.play(|_, _| Answer::ok(10));
    let windows: Vec<_> = first.windows().collect();
    assert!(
        !serde_json::to_string(&windows)
            .expect("JSON")
            .contains("VERYSECRET")
    );
    let carry = first.end().carry.clone();
    let mut second = Lab::new(
        &plan,
        slice(Share::WHOLE, 1, first.now, Tick::from_second(60), carry),
    );
    second.play(|_, _| Answer::ok(10));
    let headers = second
        .sent
        .iter()
        .filter(|(_, r)| r.url.ends_with("/page"))
        .map(|(_, r)| &r.headers);
    let mut count = 0;
    for headers in headers {
        assert!(
            headers.contains(&("cookie".to_owned(), "a=VERYSECRET".to_owned())),
            "{headers:?}"
        );
        count += 1;
    }
    assert!(count > 2);
}

#[test]
fn checks_are_counted_whatever_becomes_of_the_request() {
    let checks = json!([
        {"name": "fine", "on": "status", "equals": 200},
        {"name": "empty object", "on": "$", "length": {"exact": 0}, "type": "object"},
        {"name": "has a title", "on": "$.title", "exists": true},
        {"name": "must have an id", "on": "$.id", "exists": true, "required": true},
    ]);
    let mut step = get("a", json!({}));
    step["expect"] = json!({"checks": checks});
    let plan = plan(hold(1, 4), one(json!([step])), json!({"pause": "1s"}));
    assert_eq!(
        plan.checks()
            .map(|(_, _, check)| check.name.as_str())
            .collect::<Vec<_>>()[2],
        "has a title"
    );
    let lab = played(&plan, |at, _| match at.second() {
        0 | 1 => Answer::ok(0),
        2 => Answer::Status(500, Span::ZERO),
        _ => Answer::Reset(Span::ZERO),
    });
    let mut counts: BTreeMap<CheckId, (u64, u64)> = BTreeMap::new();
    let mut errors: BTreeMap<ErrorClass, u64> = BTreeMap::new();
    for window in lab.windows() {
        for (id, (passed, failed)) in &window.checks {
            let sum = counts.entry(*id).or_default();
            *sum = (sum.0 + passed, sum.1 + failed);
        }
        for (class, count) in window
            .steps
            .get(&StepId(0))
            .iter()
            .flat_map(|step| &step.errors)
        {
            *errors.entry(*class).or_default() += count;
        }
    }
    let counts: Vec<(u64, u64)> = counts.into_values().collect();
    assert_eq!(counts, [(2, 2), (3, 1), (0, 4), (0, 4)]);
    let expected = [
        (ErrorClass::Status(500), 1),
        (ErrorClass::Check, 2),
        (ErrorClass::Reset, 1),
    ];
    assert_eq!(errors, expected.into_iter().collect());
}

#[test]
fn setup_and_teardown_are_applications_that_nobody_plays_by_weight() {
    let setup = json!([{"name": "create", "request": {"method": "POST", "url": "/things"}, "extract": {"thing": "$.id"}}]);
    let teardown =
        json!([{"name": "remove", "request": {"method": "DELETE", "url": "/things/{{thing}}"}}]);
    let steps = json!([{"name": "read", "request": {"method": "GET", "url": "/things/{{thing}}"}}]);
    let extra = json!({"setup": setup, "teardown": teardown, "pause": "100ms"});
    let plan = plan(hold(2, 2), one(steps), extra);
    assert_eq!(plan.applications().len(), 1);
    let (place, setup) = plan.setup().expect("a setup");
    assert_eq!(
        (place, setup.name.as_str(), setup.steps[0].name.as_str()),
        (1, "setup", "create")
    );
    let handed_over: Vec<&str> = plan
        .handed_over()
        .iter()
        .map(|id| plan.variables()[usize::from(id.0)].as_str())
        .collect();
    assert_eq!(handed_over, ["thing"]);
    let (_, teardown) = plan.teardown().expect("a teardown");
    assert_eq!(
        plan.step(teardown.steps[0].id).expect("a step").0.name,
        "teardown"
    );
    let lab = played(&plan, |_, _| Answer::ok(10));
    assert!(
        lab.sent.len() > 20
            && lab
                .sent
                .iter()
                .all(|(_, request)| request.url.ends_with("/things/"))
    );
}
