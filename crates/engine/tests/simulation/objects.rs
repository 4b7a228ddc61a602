//! Runs on Durable Objects themselves: which object is asked for what, and what is known of it afterwards.

use std::collections::BTreeMap;

use sentinel_engine::batch::{Address, Request};
use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::ledger::Ledger;
use sentinel_engine::plan::{Plan, Via};
use sentinel_engine::scenario::{DurableObject, Method};
use sentinel_engine::share::Share;
use sentinel_engine::tick::Span;
use sentinel_engine::window::{ComponentWindow, ObjectWindow, StepId, StepWindow};
use serde_json::{Value, json};

use crate::lab::{Answer, Lab, hold, plan_via, whole};

/// An application with one interaction, and a flow whose answers would have told the post.
fn application(interaction: Value) -> Value {
    json!([{
        "name": "reads", "doInteractions": [interaction],
        "steps": [{"name": "list", "request": {"method": "GET", "url": "/posts/{{userId}}"}, "extract": {"postId": "$.id"}}],
    }])
}

fn plan_of(via: Via, interaction: Value) -> Plan {
    let extra = json!({"pause": "20ms", "tenants": ["oak"]});
    plan_via(via, hold(8, 15), application(interaction), extra)
}

/// Everything that is sent, answered after 5 ms.
fn played(plan: &Plan) -> Lab {
    let mut lab = Lab::new(plan, whole(plan));
    lab.play(|_, _| Answer::ok(5));
    assert_eq!(lab.ledger().imbalances(), []);
    assert!(lab.sent.len() > 4_000, "{}", lab.sent.len());
    lab
}

fn object_of(request: &Request) -> (&str, &str) {
    match &request.address {
        Address::Object { binding, name } => (*binding, name),
        other => panic!("{other:?} is no object"),
    }
}

/// How often each object was asked.
fn asked(lab: &Lab) -> BTreeMap<&str, usize> {
    let mut asked = BTreeMap::new();
    for (_, request) in &lab.sent {
        *asked.entry(object_of(request).1).or_default() += 1;
    }
    asked
}

/// What the windows tell of a class.
fn told(lab: &Lab, class: DurableObject) -> (ObjectWindow, ComponentWindow) {
    let (mut object, mut component) = (ObjectWindow::default(), ComponentWindow::default());
    for window in lab.windows() {
        if let Some(own) = window.objects.get(&class) {
            object.merge(own);
        }
        if let Some(own) = window.components.get(class.name()) {
            component.merge(own);
        }
    }
    (object, component)
}

#[test]
fn the_pattern_decides_how_many_operations_are_reads() {
    for (pattern, reads, entries) in [
        ("read-heavy", 0.9, 1),
        ("write-heavy", 0.1, 1),
        ("write-batch", 0.0, 10),
        ("write-append", 0.0, 1),
    ] {
        let interaction =
            json!({"do": "SessionDO", "pattern": pattern, "id": "session:{{userId}}"});
        let lab = played(&plan_of(Via::Object, interaction));
        let mut read = 0;
        for (_, request) in &lab.sent {
            let (binding, name) = object_of(request);
            assert_eq!(binding, "SESSIONS");
            assert!(name.starts_with("session:user-00000"), "{name}");
            if request.method == Method::Get {
                assert_eq!((request.url.as_str(), &request.body), ("/", &None));
                read += 1;
            } else {
                assert_eq!(request.url, "/entries");
                let body = request.body.as_deref().expect("a body");
                let body: Value = serde_json::from_slice(body).expect("JSON");
                assert_eq!(body["entries"].as_array().map(Vec::len), Some(entries));
                let by = body["entries"][0]["by"].as_str().expect("a user");
                assert_eq!(name, format!("session:{by}"), "who writes owns the object");
            }
        }
        let found = f64::from(read) / lab.sent.len() as f64;
        assert!((found - reads).abs() < 0.02, "{pattern}: {found}");
        assert_eq!(asked(&lab).len(), 8, "one object for each user");
    }
}

#[test]
fn keys_are_spread_as_the_file_says() {
    // The share of the first key, and how many keys there are.
    for (keys, share, count) in [
        (json!({"count": 20}), 0.05, 20),
        (json!({"count": 20, "distribution": "zipf"}), 0.278, 20),
        (
            json!({"count": 20, "distribution": "hot", "hotFraction": 0.7}),
            0.7,
            20,
        ),
        (json!({"count": 20, "distribution": "hot"}), 0.5, 20),
        (
            json!({"count": 1, "distribution": "zipf", "exponent": 2}),
            1.0,
            1,
        ),
    ] {
        let id = "post:{{tenant}}:{{postId}}";
        let interaction = json!({"do": "PostDO", "pattern": "read-heavy", "id": id, "keys": keys});
        let lab = played(&plan_of(Via::Object, interaction));
        let asked = asked(&lab);
        assert_eq!(asked.len(), count, "{keys}");
        let hottest = asked["post:oak:0"];
        let found = hottest as f64 / lab.sent.len() as f64;
        assert!((found - share).abs() < 0.03, "{keys}: {found}");
        let (object, _) = told(&lab, DurableObject::Post);
        assert_eq!(object.names.names(), count as u64);
        if share > 0.1 {
            assert_eq!(object.names.hottest(), Some(("post:oak:0", hottest as u64)));
        }
        assert_eq!(object.names.total(), lab.sent.len() as u64);
    }
}

#[test]
fn a_key_fills_every_place_of_its_request() {
    let operations = json!({
        "read": {"method": "GET", "url": "/state", "params": {"k": "{{key}}"}, "headers": {"X-Key": "{{key}}"}},
        "write": {"method": "PUT", "url": "/state/{{key}}", "body": {"key": "{{key}}"}},
    });
    let interaction = json!({
        "do": "AnalyticsDO", "pattern": "write-heavy", "id": "events:{{key}}", "operations": operations,
    });
    let lab = played(&plan_of(Via::Object, interaction));
    for (_, request) in &lab.sent {
        let (binding, name) = object_of(request);
        assert_eq!(binding, "ANALYTICS");
        let key = name.strip_prefix("events:").expect("a key");
        if request.method == Method::Put {
            assert_eq!(request.url, format!("/state/{key}"));
            let body = format!("{{\"key\":\"{key}\"}}");
            assert_eq!(request.body.as_deref(), Some(body.as_bytes()));
        } else {
            assert_eq!(request.url, format!("/state?k={key}"));
            assert_eq!(request.headers, [("X-Key".to_owned(), key.to_owned())]);
        }
    }
    assert!(
        asked(&lab).len() > 900,
        "each of 1,000 keys when nothing is said"
    );
}

#[test]
fn the_same_scenario_goes_through_the_host_a_binding_or_the_objects() {
    let interaction = json!({"do": "TenantDO", "pattern": "read-heavy", "id": "tenant:{{tenant}}"});
    let played = |via| played(&plan_of(via, interaction.clone()));
    let (host, binding) = (played(Via::Host), played(Via::Binding));
    assert!(
        host.sent
            .iter()
            .all(|(_, request)| request.address == Address::Host)
    );
    for ((_, by_host), (_, by_binding)) in host.sent.iter().zip(&binding.sent) {
        let moved = Request {
            address: Address::Binding("GROVE"),
            ..by_host.clone()
        };
        assert_eq!(*by_binding, moved, "the way is all that differs");
    }
    let objects = played(Via::Object);
    assert_eq!(
        asked(&objects).into_keys().collect::<Vec<_>>(),
        ["tenant:oak"]
    );
    for (via, bindings) in [
        (Via::Host, &[][..]),
        (Via::Binding, &["GROVE"]),
        (Via::Object, &["TENANTS"]),
    ] {
        let plan = plan_of(via, interaction.clone());
        assert_eq!(plan.bindings().into_iter().collect::<Vec<_>>(), bindings);
    }
}

/// What a request is answered depends on whom it is for and on nothing else.
fn target(request: &Request) -> Answer {
    let (_, name) = object_of(request);
    let key: u64 = name
        .rsplit(':')
        .next()
        .and_then(|key| key.parse().ok())
        .expect("a key");
    let latency = Span::from_us(500 + key * 900);
    match key % 10 {
        9 => Answer::Fails(ErrorClass::Overloaded, latency),
        8 => Answer::Status(503, latency),
        _ => Answer::Status(200, latency),
    }
}

#[derive(Debug, Default, PartialEq)]
struct Totals {
    ledger: Ledger,
    steps: BTreeMap<StepId, StepWindow>,
    objects: ObjectWindow,
    component: ComponentWindow,
}

fn in_batches(plan: &Plan, batches: u32) -> Totals {
    let mut totals = Totals::default();
    for index in 0..batches {
        let mut assignment = whole(plan);
        assignment.share = Share::new(index, batches).expect("a share");
        let mut lab = Lab::new(plan, assignment);
        lab.play(|_, request| target(request));
        assert_eq!(lab.ledger().imbalances(), []);
        for window in lab.windows() {
            totals.ledger += window.ledger;
            for (id, step) in &window.steps {
                totals.steps.entry(*id).or_default().merge(step);
            }
        }
        let (objects, component) = told(&lab, DurableObject::Post);
        totals.objects.merge(&objects);
        totals.component.merge(&component);
    }
    totals
}

#[test]
fn splitting_changes_nothing_about_which_objects_are_asked() {
    let keys = json!({"count": 40, "distribution": "zipf", "exponent": 0.8});
    let interaction =
        json!({"do": "PostDO", "pattern": "write-heavy", "id": "post:{{key}}", "keys": keys});
    let plan = plan_of(Via::Object, interaction);
    let whole = in_batches(&plan, 1);
    assert!(whole.ledger.sent > 1_000);
    for batches in [2, 3, 8] {
        assert_eq!(in_batches(&plan, batches), whole, "{batches} batches");
    }
}

#[test]
fn an_overloaded_object_is_a_failure_of_its_own_class() {
    let keys = json!({"count": 40});
    let interaction =
        json!({"do": "PostDO", "pattern": "write-append", "id": "post:{{key}}", "keys": keys});
    let totals = in_batches(&plan_of(Via::Object, interaction), 1);
    let [step] = totals.steps.values().collect::<Vec<_>>()[..] else {
        panic!("one step: {:?}", totals.steps)
    };
    let (overloaded, unavailable) = (
        step.errors[&ErrorClass::Overloaded],
        step.errors[&ErrorClass::Status(503)],
    );
    assert!(overloaded > 100 && unavailable > 100, "{:?}", step.errors);
    assert_eq!(totals.ledger.failed, overloaded);
    assert_eq!(totals.ledger.answered, step.succeeded + unavailable);
    // The caller of the objects is the generator itself, and tells for them what callers tell.
    let component = &totals.component;
    assert_eq!(component.calls, step.sent);
    assert_eq!(component.errors, overloaded + unavailable);
    let answers = totals.objects.woken_us.count() + totals.objects.warm_us.count();
    assert_eq!(
        answers, totals.ledger.answered,
        "each answer told whether it woke"
    );
}
