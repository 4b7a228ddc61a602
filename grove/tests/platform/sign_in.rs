//! Heartwood: codes, sessions and tokens.

use serde_json::json;

use crate::client::{Grove, at_once, text};

pub(crate) fn a_code_is_good_for_one_session(grove: &Grove) {
    let answer = grove.get(
        "/oauth/authorize?client_id=tests&redirect_uri=/oauth/callback%3Fapp%3D1\
         &response_type=code&state=a%26b&tenant=oak&user_hint=ada",
    );
    assert_eq!(answer.status, 302);
    let code = text(&answer.json()["code"]);
    assert_eq!(
        answer.header("Location"),
        format!("/oauth/callback?app=1&code={code}&state=a%26b")
    );

    let callback = grove.get(answer.header("Location"));
    assert_eq!(callback.status, 200);
    assert_eq!(callback.json(), json!({"code": code, "state": "a&b"}));

    // The wrong client gets nothing for it, and the right one still does.
    let exchange = |client: &str| {
        grove.post(
            "/oauth/token",
            &json!({"grant_type": "authorization_code", "code": code, "client_id": client}),
        )
    };
    assert_eq!(
        exchange("others").refusal(),
        (400, "invalid_grant".to_owned())
    );
    let mut statuses: Vec<u16> = at_once(8, 1, |_| exchange("tests").status);
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400, 400, 400, 400, 400]);
}

pub(crate) fn a_session_is_renewed_and_ended(grove: &Grove) {
    let tokens = grove.sign_in("ben", "oak");
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["user"], json!({"id": "ben", "tenant": "oak"}));
    let session = |token: &str| {
        let bearer = format!("Bearer {token}");
        grove.send(
            "GET",
            "/oauth/session",
            &[("Authorization", &bearer)],
            Vec::new(),
        )
    };
    let old = text(&tokens["access_token"]);
    assert_eq!(session(&old).status, 200);
    let cookie = format!("session={old}");
    let by_cookie = grove.send("GET", "/oauth/session", &[("Cookie", &cookie)], Vec::new());
    assert_eq!(by_cookie.json()["user"]["id"], "ben");

    // A refresh token works once, also when several use it at the same moment.
    let renewals = at_once(6, 1, |_| {
        grove.post(
            "/oauth/refresh",
            &json!({"refresh_token": tokens["refresh_token"]}),
        )
    });
    let renewed: Vec<_> = renewals
        .iter()
        .filter(|answer| answer.status == 200)
        .collect();
    assert_eq!(renewed.len(), 1);
    assert!(
        renewed[0]
            .header("Set-Cookie")
            .starts_with("session=ga.ben.")
    );
    let new = text(&renewed[0].json()["access_token"]);
    assert_eq!(session(&old).refusal(), (401, "unauthorized".to_owned()));
    assert_eq!(session(&new).status, 200);

    assert_eq!(grove.post_as(&new, "/oauth/logout", &json!({})).status, 204);
    assert_eq!(session(&new).status, 401);

    let form = format!(
        "grant_type=authorization_code&code={}",
        grove.code("ben", "oak")
    );
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer = grove.send("POST", "/oauth/token", &headers, form.into_bytes());
    assert_eq!(answer.status, 200);
}

pub(crate) fn what_is_not_a_token_is_refused(grove: &Grove) {
    let tokens = grove.sign_in("cleo", "oak");
    let access = text(&tokens["access_token"]);
    let mut forged = access.clone();
    forged.replace_range(3..7, "dora");
    for token in [
        "x",
        "ga.cleo.AAAA.AAAA",
        &forged,
        &text(&tokens["refresh_token"]),
    ] {
        let answer = grove.post_as(token, "/api/tenants/oak/posts", &json!({}));
        assert_eq!(
            answer.refusal(),
            (401, "unauthorized".to_owned()),
            "{token}"
        );
        assert!(
            !answer.header("Server-Timing").contains("SessionDO"),
            "a forged token must not wake an object"
        );
    }
    let answer = grove.post_as(&access, "/api/tenants/elm/posts", &json!({}));
    assert_eq!(answer.refusal(), (403, "wrong_tenant".to_owned()));
}
