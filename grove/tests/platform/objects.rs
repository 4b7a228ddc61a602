//! Grove's objects, called by another Worker through cross-script bindings.

use serde_json::{Value, json};

use crate::client::Grove;

pub(crate) fn another_worker_can_call_them(grove: &Grove) {
    let read =
        |binding: &str, name: &str| grove.call_object(binding, name, "GET", "/", &Value::Null);
    // A first call constructs the object, a second finds it.
    let first = read("POSTS", "post:hazel:of-another-worker");
    assert_eq!(first.json(), json!({"counts": {}, "total": 0}));
    assert_eq!(first.header("Server-Timing"), "do;desc=\"PostDO\";wake=1");
    let second = read("POSTS", "post:hazel:of-another-worker");
    assert_eq!(second.header("Server-Timing"), "do;desc=\"PostDO\";wake=0");

    let token = grove.token("hal", "hazel");
    assert_eq!(
        read("SESSIONS", "session:hal").json(),
        json!({"codes": 0, "sessions": 1})
    );
    let path = "/api/tenants/hazel/posts/seed-1/reactions";
    // The tenant's first posts come with the first reading.
    assert_eq!(grove.get("/api/tenants/hazel/posts").status, 200);
    assert_eq!(
        grove.post_as(&token, path, &json!({"kind": "wow"})).status,
        201
    );
    let react = |kind: &str| {
        grove.call_object(
            "POSTS",
            "post:hazel:seed-1",
            "POST",
            "/reactions",
            &json!({"kind": kind}),
        )
    };
    assert_eq!(
        react("wow").json(),
        json!({"kind": "wow", "count": 2, "total": 2})
    );
    assert_eq!(react("hate").status, 400);
    assert_eq!(
        grove.get("/api/tenants/hazel/posts/seed-1").json()["reactions"],
        2
    );
    assert_eq!(read("TENANTS", "tenant:hazel").json()["posts"], 5);
    let unknown = grove.call_object("TENANTS", "tenant:hazel", "POST", "/x", &json!({}));
    assert_eq!(unknown.refusal(), (404, "not_found".to_owned()));

    for (binding, name) in [
        ("SESSIONS", "session:of-entries"),
        ("TENANTS", "tenant:of-entries"),
        ("POSTS", "post:of-entries"),
    ] {
        let write = |entries: Value| {
            let body = json!({ "entries": entries });
            grove.call_object(binding, name, "POST", "/entries", &body)
        };
        let entry = json!({"by": "hal", "text": "was here"});
        assert_eq!(write(json!([entry])).json(), json!({"total": 1}));
        assert_eq!(write(json!([entry, entry])).json(), json!({"total": 3}));
        assert_eq!(
            write(json!([])).refusal(),
            (422, "invalid_entries".to_owned())
        );
    }
    for (binding, name, class) in [
        ("SESSIONS", "session:counted", "SessionDO"),
        ("TENANTS", "tenant:counted", "TenantDO"),
        ("POSTS", "post:counted", "PostDO"),
    ] {
        let body = json!({"entries": [{"by": "hal", "text": "was here"}]});
        for _ in 0..9 {
            let noted = grove.call_object(binding, name, "POST", "/entries", &body);
            assert_eq!(noted.status, 200);
        }
        assert_eq!(read(binding, name).status, 200);
        // Which object it is shows by its calls: between two processes objects do not know their names.
        let received = grove.get("/__objects").json();
        let objects = received[class].as_object().expect("objects").values();
        let same = objects.filter(|calls| **calls == json!({"reads": 1, "writes": 9}));
        assert_eq!(same.count(), 1, "{received}");
    }
}
