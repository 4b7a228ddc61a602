//! Whatever is wrong with a request, the answer is a 4xx with a JSON error, and nothing has changed: no row, no
//! key, no request to the target.

use serde_json::{Value, json};
use ureq::http::Request;

use crate::support::{Answer, Footprint, Lab, Reply, Target, exchange, inline, profile};

/// The longest body that is accepted.
const BODY_BYTES_MAX: usize = 1 << 20;
/// A run that does not exist.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// Does something with a stack and checks that it left no trace, and the Worker healthy.
fn without_trace(act: impl FnOnce(&Lab)) {
    let lab = Lab::shared();
    let before = Footprint::take(&lab);
    act(&lab);
    lab.api.get("/health").expect(200);
    assert_eq!(Footprint::take(&lab), before);
}

fn valid() -> Value {
    json!({"scenario": "grove-mix", "environment": "staging", "users": 2, "duration": "5s"})
}

/// The valid body with other values in some fields.
fn with(changes: &Value) -> String {
    let mut body = valid();
    for (field, value) in changes.as_object().expect("an object") {
        body[field] = value.clone();
    }
    body.to_string()
}

fn post(lab: &Lab, body: impl Into<Vec<u8>>) -> Answer {
    lab.api.post_text("/runs", body.into())
}

#[test]
fn a_body_that_is_not_json_is_refused() {
    without_trace(|lab| {
        let deep = "[".repeat(200_000);
        let nested = format!("{{\"scenario\":{}", "{\"a\":".repeat(50_000));
        for body in [
            "",
            " ",
            "{",
            "not json",
            "{\"scenario\":}",
            "{'scenario':'grove-mix'}",
            &deep,
            &nested,
        ] {
            let mut answer = post(lab, body);
            answer.what.push_str(&body[..body.len().min(40)]);
            answer.expect_error(&[400, 422]);
        }
        post(lab, valid().to_string() + "x").expect_error(&[400]);
        post(lab, b"{\"scenario\":\"\xff\xfe\"}".to_vec()).expect_error(&[400]);
    });
}

#[test]
fn a_field_that_is_wrong_is_refused() {
    without_trace(|lab| {
        for changes in [
            json!({"scenario": 7}),
            json!({"scenario": null}),
            json!({"scenario": ["grove-mix"]}),
            json!({"scenario": true}),
            json!({"users": -1}),
            json!({"users": 0}),
            json!({"users": 1.5}),
            json!({"users": "12"}),
            json!({"users": [1]}),
            json!({"users": 1_001}),
            json!({"users": 1_000_000_000}),
            json!({"users": 1e300}),
            json!({"users": u64::MAX}),
            json!({"duration": "-5s"}),
            json!({"duration": "0s"}),
            json!({"duration": ""}),
            json!({"duration": "soon"}),
            json!({"duration": "5 s"}),
            json!({"duration": 5}),
            json!({"duration": "2h"}),
            json!({"duration": "99999999999999999999s"}),
            json!({"duration": "1e9s"}),
            json!({"environment": "nowhere"}),
            json!({"environment": ""}),
            json!({"environment": "STAGING"}),
            json!({"environment": 7}),
            json!({"environment": "__proto__"}),
            json!({"dryRun": "true"}),
            json!({"dryRun": 1}),
            json!({"dry_run": true}),
            json!({"seed": -1}),
            json!({"seed": "x"}),
            json!({"applications": {}}),
            json!({"more": 1}),
        ] {
            let mut answer = post(lab, with(&changes));
            answer.what.push_str(&changes.to_string());
            answer.expect_error(&[400, 404, 422]);
        }
        for body in [
            "[]",
            "null",
            "7",
            "\"grove-mix\"",
            "{}",
            r#"{"environment": "staging"}"#,
        ] {
            post(lab, body).expect_error(&[400, 422]);
        }
        let twice = r#"{"scenario": "grove-mix", "scenario": "auth-stress"}"#;
        post(lab, twice).expect_error(&[400, 422]);
    });
}

#[test]
fn a_scenario_that_nobody_knows_is_refused() {
    without_trace(|lab| {
        for name in [
            "nope",
            "../grove-mix",
            "grove-mix ",
            "grove-mix'--",
            "constructor",
            "GROVE-MIX",
        ] {
            let mut answer = post(lab, with(&json!({"scenario": name})));
            answer.what.push_str(name);
            answer.expect_error(&[404]);
        }
        for path in [
            "/scenarios/nope",
            "/scenarios/..%2fgrove-mix",
            "/scenarios/%00",
        ] {
            lab.api.get(path).expect_error(&[400, 404]);
        }
        post(lab, with(&json!({"scenario": ""}))).expect_error(&[400, 404, 422]);
    });
}

#[test]
fn production_without_confirmation_is_refused() {
    without_trace(|lab| {
        let answer = post(lab, with(&json!({"environment": "production"})));
        answer.expect_error(&[400]);
        assert!(
            answer.text.contains("dryRun"),
            "the way out is told: {}",
            answer.text
        );
    });
}

#[test]
fn a_body_over_one_mebibyte_is_refused_with_and_without_a_length() {
    without_trace(|lab| {
        let padded = |bytes: usize| {
            let mut body = with(&json!({"dryRun": true})).into_bytes();
            body.resize(bytes, b' ');
            body
        };
        for bytes in [BODY_BYTES_MAX, BODY_BYTES_MAX + 1, 4 * BODY_BYTES_MAX] {
            let body = padded(bytes);
            let fits = bytes <= BODY_BYTES_MAX;
            let with_length =
                [format!("Content-Length: {bytes}\r\n\r\n").as_bytes(), &body].concat();
            assert_refused_unless(
                fits,
                exchange(&lab.url(), &head(lab, "/runs", &with_length)),
            );

            let mut chunked = b"Transfer-Encoding: chunked\r\n\r\n".to_vec();
            for chunk in body.chunks(50_000) {
                chunked.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
                chunked.extend(chunk);
                chunked.extend(b"\r\n");
            }
            chunked.extend(b"0\r\n\r\n");
            assert_refused_unless(fits, exchange(&lab.url(), &head(lab, "/runs", &chunked)));
        }
        // A length that promises less than what comes after it is no way around.
        let body = padded(BODY_BYTES_MAX + 1);
        let lying = [b"Content-Length: 10\r\n\r\n".as_slice(), &body].concat();
        let (status, _) = exchange(&lab.url(), &head(lab, "/runs", &lying));
        assert_eq!(status, 400);
    });
}

/// A request to the API with the token; `rest` is what comes after the first header fields.
fn head(lab: &Lab, path: &str, rest: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /api/loadtest{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Bearer {}\r\nContent-Type: application/json\r\n",
        lab.token()
    );
    [head.as_bytes(), rest].concat()
}

fn assert_refused_unless(fits: bool, (status, body): (u16, String)) {
    assert_eq!(status, if fits { 200 } else { 413 }, "{body:.300}");
    if !fits {
        assert!(
            body.contains("\"error\"") && body.contains("\"code\""),
            "{body}"
        );
    }
}

#[test]
fn an_inline_scenario_that_cannot_be_played_is_refused() {
    without_trace(|lab| {
        let step = json!([{
            "name": "get", "request": {"method": "GET", "url": "/api/tenants"},
            "expect": {"status": 200},
        }]);
        let good = inline(&profile(2, [1, 1, 1, 1]), &step);
        let mut dry = good.clone();
        dry["dryRun"] = json!(true);
        lab.api.post("/runs", &dry).expect(200);

        for (pointer, value) in [
            ("/scenario/name", json!("")),
            ("/scenario/name", json!("x".repeat(10_000))),
            ("/scenario/name", json!("a\u{0}b")),
            ("/scenario/applications", json!([])),
            (
                "/scenario/applications",
                json!([{"name": "unknown", "weight": 1}]),
            ),
            ("/scenario/applications/0/weight", json!(-1)),
            ("/scenario/applications/0/weight", json!(0)),
            ("/scenario/applications/0/weight", json!("1")),
            ("/scenario/userProfile", json!(null)),
            ("/scenario/userProfile/peak/users", json!(-3)),
            ("/scenario/userProfile/peak/users", json!(2_000_000_000_u32)),
            ("/scenario/userProfile/peak/users", json!(1.5)),
            ("/scenario/userProfile/peak/duration", json!("-1s")),
            ("/scenario/userProfile/peak/duration", json!("2h")),
            ("/scenario/userProfile/peak/duration", json!(60)),
            ("/scenario/assertions/0/metric", json!("p42_latency_ms")),
            ("/scenario/assertions/0/operator", json!("!=")),
            ("/scenario/assertions/0/value", json!("low")),
            ("/scenario/bogus", json!(1)),
            ("/applications/0/steps", json!([])),
            ("/applications/0/steps/0/bogus", json!(1)),
            ("/applications/0/steps/0/name", json!("")),
            ("/applications/0/steps/0/probability", json!(1.5)),
            ("/applications/0/steps/0/probability", json!(-0.5)),
            ("/applications/0/steps/0/request/method", json!("TRACE")),
            ("/applications/0/steps/0/request/url", json!("")),
            ("/applications/0/steps/0/request/url", json!("/a/{{userId")),
            (
                "/applications/0/steps/0/request/headers",
                json!({"X-A\r\nX-B": "c"}),
            ),
            (
                "/applications/0/steps/0/request/headers",
                json!({"X-A": "b\r\nX-C: d"}),
            ),
            ("/applications/0/steps/0/expect/status", json!(99)),
            ("/applications/0/steps/0/expect/status", json!("200")),
        ] {
            let mut body = good.clone();
            match body.pointer_mut(pointer) {
                Some(place) => *place = value.clone(),
                None => {
                    let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
                    body.pointer_mut(parent).expect("a parent")[field] = value.clone();
                }
            }
            let mut answer = lab.api.post("/runs", &body);
            answer.what.push_str(&format!(" {pointer} = {value:.60}"));
            answer.expect_error(&[400, 422]);
        }
    });
}

#[test]
fn load_goes_to_allowed_hosts_only() {
    without_trace(|lab| {
        let port = lab
            .url()
            .rsplit_once(':')
            .map(|(_, port)| port.to_owned())
            .expect("a port");
        let own = lab.url();
        let target = Target::forbidden(|_| Reply::json(&json!({})));
        for url in [
            "http://evil.example/",
            "https://evil.example:443/x",
            "//evil.example/x",
            "/\\evil.example/x",
            "\\\\evil.example/x",
            "http:\\\\evil.example/x",
            "http:evil.example/x",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.1@evil.example/",
            "http://ada:pw@127.0.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://[::ffff:169.254.169.254]/",
            "http://2852039166/",
            "http://metadata.google.internal/",
            "http://10.0.0.1/",
            "http://192.168.0.1/",
            "http://[::1]/",
            "http://[fe80::1]/",
            "http://0.0.0.0/",
            "http://{{tenant}}.evil.example/",
            "http://127.0.0.1{{token}}/",
            "{{userId}}://127.0.0.1/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://",
            &target.url(),
            &format!("{own}/api/loadtest/runs"),
            &format!("http://0x7f000001:{port}/"),
            &format!("http://127.1:{port}/internal/batch"),
            &format!("http://localhost:{port}/"),
        ] {
            let steps = json!([{
                "name": "get", "request": {"method": "GET", "url": url}, "expect": {"status": 200},
            }]);
            let mut answer = lab
                .api
                .post("/runs", &inline(&profile(1, [0, 1, 0, 0]), &steps));
            answer.what.push_str(url);
            answer.expect_error(&[400, 403, 422]);
        }
        assert_eq!(target.received().len(), 0, "nothing was sent");
    });
}

#[test]
fn nobody_gets_in_without_the_token() {
    without_trace(|lab| {
        let token = lab.token();
        let refused = [
            String::new(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            "Bearer wrong".to_owned(),
            format!("Bearer {}", &token[..token.len() - 1]),
            format!("Bearer {token}0"),
            format!("Bearer {}", "0".repeat(token.len())),
            format!("Bearer {}", "0".repeat(100_000 / 10)),
            format!("Bearer {token},{token}"),
            format!("Basic {token}"),
            format!("Token {token}"),
            token.to_owned(),
        ];
        let body = valid().to_string();
        for (method, path) in [
            ("POST", "/runs".to_owned()),
            ("GET", "/runs".to_owned()),
            ("GET", "/scenarios".to_owned()),
            ("GET", "/scenarios/grove-mix".to_owned()),
            ("GET", format!("/runs/{NOBODY}")),
            ("GET", format!("/runs/{NOBODY}/metrics")),
            ("POST", format!("/runs/{NOBODY}/cancel")),
            ("POST", format!("/runs?token={token}")),
        ] {
            for authorization in &refused {
                let mut request = Request::builder().method(method).uri(lab.api.url(&path));
                if !authorization.is_empty() {
                    request = request.header("Authorization", authorization);
                }
                let answer = match method {
                    "POST" => lab
                        .api
                        .send(request.body(body.clone()).expect("a valid request")),
                    _ => lab.api.send(request.body(()).expect("a valid request")),
                };
                answer.expect_error(&[401]);
                assert!(!answer.text.contains(token), "the answer tells the token");
            }
        }
    });
}

#[test]
fn an_identifier_is_never_anything_else() {
    without_trace(|lab| {
        for id in [
            NOBODY,
            "1",
            "-1",
            "null",
            "%00",
            // Two dots alone are resolved by the client: they lead to another address of the API.
            "%2e%2e%2e",
            "..%2f..%2fhealth",
            "'%20OR%20'1'='1",
            "x';DROP%20TABLE%20load_test_runs;--",
            "%27%3b",
            "{}",
            "%F0%9F%8C%B2",
            &"a".repeat(5_000),
            &format!("{NOBODY}%00"),
            &format!("{NOBODY}'"),
            &format!("%7B{NOBODY}%7D"),
        ] {
            for view in ["", "/metrics", "/bottlenecks", "/apps", "/assertions"] {
                lab.api
                    .get(&format!("/runs/{id}{view}"))
                    .expect_error(&[400, 404]);
            }
            lab.api
                .post(&format!("/runs/{id}/cancel"), &json!({}))
                .expect_error(&[400, 404]);
        }
    });
}

#[test]
fn a_query_parameter_that_is_wrong_is_refused() {
    without_trace(|lab| {
        for query in [
            "limit=-1",
            "limit=0",
            "limit=abc",
            "limit=1000000000",
            "limit=99999999999999999999999",
            "limit=1.5",
            "limit=",
            "limit=%00",
            "limit=10;DROP%20TABLE%20load_test_runs",
            "status=done",
            "status='%20OR%201=1",
            "cursor=x",
            "cursor='%20OR%201=1--",
            "scenario=",
        ] {
            lab.api
                .get(&format!("/runs?{query}"))
                .expect_error(&[400, 422]);
        }
    });
}

#[test]
fn an_unknown_path_and_a_wrong_method_are_told_apart() {
    without_trace(|lab| {
        for (method, path) in [
            ("PUT", "/runs"),
            ("DELETE", "/runs"),
            ("PATCH", "/runs"),
            ("POST", "/scenarios"),
            ("POST", "/health"),
            ("DELETE", &format!("/runs/{NOBODY}")),
            ("POST", &format!("/runs/{NOBODY}")),
            ("GET", &format!("/runs/{NOBODY}/cancel")),
        ] {
            let request = lab
                .api
                .request(method, path)
                .body(())
                .expect("a valid request");
            let answer = lab.api.send(request);
            answer.expect_error(&[405]);
            assert!(
                !answer.header("allow").is_empty(),
                "{}: what is allowed is told",
                answer.what
            );
        }
        for path in [
            "",
            "/",
            "/nope",
            "/run",
            "/runs/",
            "/health/x",
            "/../nope",
            &format!("/runs/{NOBODY}/nope"),
        ] {
            lab.api.get(path).expect_error(&[400, 404]);
        }
    });
}
