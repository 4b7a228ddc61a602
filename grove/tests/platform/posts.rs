//! Posts, reactions, feed, media, and what is refused.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{Grove, at_once, text};

pub(crate) fn a_new_tenant_has_something_to_read(grove: &Grove) {
    // Whichever comes first, and also when all come first at once.
    for (tenant, path) in [("first-a", "posts"), ("first-b", "feed")] {
        let answers = at_once(6, 1, |_| {
            grove.get(&format!("/api/tenants/{tenant}/{path}"))
        });
        for answer in answers {
            assert_eq!(answer.status, 200);
            assert_eq!(answer.json()["posts"].as_array().map(Vec::len), Some(5));
        }
    }
    let post = grove.get("/api/tenants/first-c/posts/seed-3");
    assert_eq!(post.json()["title"], "Moss on the north side");
    let tenant = grove.get("/api/tenants/first-d").json();
    assert_eq!(tenant["counters"]["posts"], 5);
    let tenants = grove.get("/api/tenants").json();
    for name in ["first-a", "first-b", "first-c", "first-d"] {
        assert!(
            tenants["tenants"]
                .as_array()
                .is_some_and(|all| all.contains(&json!(name))),
            "{tenants}"
        );
    }
}

pub(crate) fn a_post_can_be_read_everywhere(grove: &Grove) {
    let token = grove.token("eve", "birch");
    let draft = json!({
        "title": "Rings & <roots>",
        "body": "# Rings\n\n<script>alert(1)</script> of a tree",
        "tags": ["trees", "rings"],
    });
    let created = grove.post_as(&token, "/api/tenants/birch/posts", &draft);
    assert_eq!(created.status, 201, "{created:?}");
    let timing = created.header("Server-Timing");
    for part in [
        "do;desc=\"SessionDO\"",
        "d1;",
        "batch=1",
        "do;desc=\"TenantDO\"",
        "total;",
    ] {
        assert!(timing.contains(part), "{timing}");
    }
    let summary = created.json();
    let path = created.header("Location").to_owned();
    assert_eq!(
        path,
        format!("/api/tenants/birch/posts/{}", text(&summary["id"]))
    );

    let read = grove.get(&path).json();
    assert_eq!(read["body"], draft["body"]);
    assert_eq!(read["author"], "eve");
    assert_eq!(read["reactions"], 0);

    let page = grove.get(&format!("/t/birch/{}", text(&summary["slug"])));
    let html = String::from_utf8_lossy(&page.body).into_owned();
    assert!(html.contains("Rings &amp; &lt;roots&gt;"), "{html}");
    assert!(!html.contains("<script"), "{html}");

    let tagged = grove.get("/api/tenants/birch/posts?tag=rings").json();
    assert_eq!(ids(&tagged), [text(&summary["id"])]);
    let newest = grove.get("/api/tenants/birch/posts?limit=1").json();
    assert_eq!(ids(&newest), [text(&summary["id"])]);
    let other = grove.get(&path.replace("birch", "elm"));
    assert_eq!(other.status, 404, "a post belongs to one tenant");
}

pub(crate) fn nothing_written_at_the_same_time_is_lost(grove: &Grove) {
    let tokens: Vec<String> = (0..8)
        .map(|number| grove.token(&format!("writer-{number}"), "cedar"))
        .collect();
    let written = at_once(8, 5, |number| {
        let draft = json!({"title": format!("Post {number}"), "body": "text", "tags": ["all"]});
        let answer = grove.post_as(&tokens[number / 5], "/api/tenants/cedar/posts", &draft);
        assert_eq!(answer.status, 201, "{answer:?}");
        text(&answer.json()["id"])
    });

    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = grove
            .get(&format!("/api/tenants/cedar/posts?limit=7{cursor}"))
            .json();
        listed.extend(ids(&page));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(listed.len(), 45, "40 and the first 5");
    let different: BTreeSet<_> = listed.iter().collect();
    assert_eq!(different.len(), 45);
    assert!(written.iter().all(|id| different.contains(id)));
    assert_eq!(
        grove.get("/api/tenants/cedar").json()["counters"]["posts"],
        45
    );

    let post = format!("/api/tenants/cedar/posts/{}", written[0]);
    at_once(8, 25, |number| {
        let kind = ["like", "love"][number % 2];
        let answer = grove.post_as(
            &tokens[number / 25],
            &format!("{post}/reactions"),
            &json!({"kind": kind}),
        );
        assert_eq!(answer.status, 201, "{answer:?}");
    });
    let read = grove.get(&post).json();
    assert_eq!(read["reactions"], 200);
    assert_eq!(read["reactionsByKind"], json!({"like": 100, "love": 100}));
    let feed = grove.get("/api/tenants/cedar/feed?limit=100").json();
    let in_feed = feed["posts"]
        .as_array()
        .and_then(|posts| posts.iter().find(|post| post["id"] == written[0]))
        .cloned()
        .unwrap_or_default();
    assert_eq!(in_feed["reactions"], 200, "{feed}");
}

pub(crate) fn pictures_come_back_as_they_were(grove: &Grove) {
    let token = grove.token("finn", "maple");
    let bearer = format!("Bearer {token}");
    let upload = |kind: &str, bytes: Vec<u8>| {
        let headers = [("Content-Type", kind), ("Authorization", bearer.as_str())];
        grove.send("POST", "/api/tenants/maple/media", &headers, bytes)
    };
    let picture: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let stored = upload("image/webp", picture.clone());
    assert_eq!(stored.status, 201, "{stored:?}");
    assert_eq!(stored.json()["bytes"], 1_200_000);
    assert!(
        stored
            .header("Server-Timing")
            .contains("op=write;bytes=1200000")
    );
    let back = grove.get(stored.header("Location"));
    assert_eq!(back.status, 200);
    assert_eq!(back.header("Content-Type"), "image/webp");
    assert!(
        back.header("Server-Timing")
            .contains("op=read;bytes=1200000")
    );
    assert!(back.body == picture, "the bytes differ");

    let limit = 5 * 1024 * 1024;
    assert_eq!(upload("image/png", vec![7; limit]).status, 201);
    assert_eq!(upload("image/png", vec![7; limit + 1]).status, 413);
    assert_eq!(upload("image/png", Vec::new()).status, 400);
    assert_eq!(upload("text/html", vec![7; 10]).status, 415);
    assert_eq!(
        grove.get("/api/tenants/maple").json()["counters"]["media"],
        2
    );
    assert_eq!(
        grove.get("/api/tenants/maple/media/unknown.png").status,
        404
    );
}

pub(crate) fn bad_requests_are_refused_and_change_nothing(grove: &Grove) {
    let token = grove.token("gus", "willow");
    let before = grove.get("/api/tenants/willow").json();
    for (path, status) in [
        ("/", 404),
        ("/api/tenants/Willow/posts", 400),
        ("/api/tenants/a%27%3B--/posts", 400),
        ("/api/tenants/..%2fwillow/posts", 400),
        ("/api/tenants/willow/posts?limit=0", 400),
        ("/api/tenants/willow/posts?limit=-1", 400),
        ("/api/tenants/willow/posts?limit=1000000000", 400),
        ("/api/tenants/willow/posts?cursor=%22", 400),
        ("/api/tenants/willow/posts/unknown", 404),
        ("/api/tenants/willow/posts/a'b", 400),
        ("/oauth/authorize", 400),
        (
            "/oauth/authorize?client_id=a&redirect_uri=https://evil.example/&response_type=code",
            400,
        ),
        ("/oauth/callback?code=x", 400),
        ("/oauth/session", 401),
    ] {
        let answer = grove.get(path);
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.json()["error"].is_string(), "{path}");
        assert!(
            answer
                .header("Server-Timing")
                .ends_with(|end: char| end.is_ascii_digit()),
            "{path}"
        );
    }
    let posts = "/api/tenants/willow/posts";
    let long = "x".repeat(300_000);
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("[]", 400),
        ("{\"title\":7,\"body\":\"b\"}", 400),
        ("{\"title\":\"t\",\"body\":\"b\",\"extra\":1}", 400),
        ("{\"title\":\"\",\"body\":\"b\"}", 422),
        (long.as_str(), 413),
    ] {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("Content-Type", "application/json"),
            ("Authorization", bearer.as_str()),
        ];
        let answer = grove.send("POST", posts, &headers, body.as_bytes().to_vec());
        assert_eq!(answer.status, status, "{body:.40}");
    }
    let reaction = format!("{posts}/unknown/reactions");
    assert_eq!(
        grove
            .post_as(&token, &reaction, &json!({"kind": "like"}))
            .status,
        404
    );
    assert_eq!(
        grove
            .post_as(&token, &reaction, &json!({"kind": "hate"}))
            .status,
        400
    );
    assert_eq!(
        grove.send("DELETE", posts, &[], Vec::new()).refusal(),
        (405, "method_not_allowed".to_owned())
    );
    assert_eq!(grove.get("/api/tenants/willow").json(), before);
}

fn ids(page: &Value) -> Vec<String> {
    page["posts"]
        .as_array()
        .map(|posts| posts.iter().map(|post| text(&post["id"])).collect())
        .unwrap_or_default()
}
