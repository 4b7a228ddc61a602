//! The API describes itself, to programs.

use serde_json::Value;

use crate::support::Lab;

#[test]
fn what_is_described_is_there_and_wants_the_token_as_described() {
    let lab = Lab::shared();
    let document = lab.api.get("/openapi.json").expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().expect("paths");
    let mut asked = 0;
    for (path, item) in paths.iter().filter(|(path, _)| !path.contains('{')) {
        let Some(operation) = item.get("get") else {
            continue;
        };
        let with_token = lab.api.get(path);
        assert_eq!(with_token.status, 200, "{path}: {}", with_token.text);
        let described = operation["responses"]["200"].clone();
        let kinds = described.pointer("/content").and_then(Value::as_object);
        if let Some(kind) = kinds.and_then(|kinds| kinds.keys().next()) {
            let found = with_token.header("content-type");
            assert!(found.starts_with(kind.as_str()), "{path}: {found}");
        }

        let request = ureq::http::Request::get(lab.api.url(path));
        let without = lab.api.send(request.body(()).expect("a valid request"));
        let is_open = operation["security"] == serde_json::json!([]);
        assert_eq!(without.status == 200, is_open, "{path}: {}", without.text);
        asked += 1;
    }
    assert!(asked >= 6, "{asked}");
}
