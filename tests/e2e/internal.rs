//! The path over which a coordinator reaches its batches does not exist for anybody else.

use std::time::{Duration, SystemTime};

use serde_json::json;
use ureq::http::Request;

use crate::support::{Answer, BATCH_KEY, Footprint, Lab, sign};

const PATH: &str = "/internal/batch";

/// A permit of a run that does not exist.
fn permit(key: &str, expires: SystemTime) -> String {
    sign(key, "00000000-0000-4000-8000-000000000000", 0, 0, expires)
}

fn ask(lab: &Lab, method: &str, path: &str, authorization: Option<&str>) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", lab.url()));
    if let Some(authorization) = authorization {
        request = request.header("Authorization", authorization);
    }
    let body = json!({"any": "thing"}).to_string();
    lab.api.send(request.body(body).expect("a valid request"))
}

#[test]
fn without_a_valid_permit_there_is_nothing_there() {
    let lab = Lab::shared();
    let before = Footprint::take(&lab);
    let unknown = ask(&lab, "POST", "/internal/no-such-path", None);
    unknown.expect_error(&[404]);

    let now = SystemTime::now();
    let (hour, soon) = (Duration::from_secs(3_600), now + Duration::from_secs(60));
    let good = permit(BATCH_KEY, soon);
    let forged = permit("some-other-key-0123456789abcdef", soon);
    let expired = permit(BATCH_KEY, now - hour);
    let changed = good.replacen(".0.0.", ".0.1.", 1);
    let unsigned = good.rsplit_once('.').expect("a signature").0.to_owned();
    let batch = |token: &str| format!("Batch {token}");
    for authorization in [
        None,
        Some(String::new()),
        Some(batch("")),
        Some(batch(lab.token())),
        Some(batch(BATCH_KEY)),
        Some(batch(&forged)),
        Some(batch(&expired)),
        Some(batch(&changed)),
        Some(batch(&unsigned)),
        Some(batch("v1....")),
    ] {
        for method in ["GET", "POST"] {
            let answer = ask(&lab, method, PATH, authorization.as_deref());
            answer.expect_error(&[404]);
            let same_path = ask(
                &lab,
                method,
                "/internal/no-such-path",
                authorization.as_deref(),
            );
            assert_eq!(answer.text, same_path.text, "{authorization:?}");
        }
    }
    assert_eq!(Footprint::take(&lab), before);

    // The permits above were refused for what is wrong with them: a right one gets further.
    let answer = ask(&lab, "POST", PATH, Some(&batch(&good)));
    assert_ne!(answer.status, 404, "{}", answer.text);
}
