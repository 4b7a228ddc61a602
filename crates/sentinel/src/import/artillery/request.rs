//! One request of a flow.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};
use url::form_urlencoded::byte_serialize;

use super::expectations;
use super::script::Defaults;
use super::template::Scope;
use crate::import::draft::{Draft, Names};
use crate::import::tree::Node;

/// Artillery's names of the methods that are known here.
pub(super) const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// A request as a step; `None` when it has no URL.
pub(super) fn step(
    method: &str,
    request: &Node<'_>,
    draft: &mut Draft,
    scope: &Scope,
    defaults: &Defaults,
    names: &mut Names,
) -> Option<Value> {
    // `get: "/"` is short for `get: {url: "/"}`.
    let url = request.get("url").or_else(|| request.get("uri"));
    let url = url.unwrap_or_else(|| request.clone());
    let written = url.text()?;
    let address = address(written, draft.target.as_deref());
    if let Some(host) = other_host(address, &defaults.allowed_hosts) {
        request.leave(format!(
            "goes to another host: --allow-host {host} takes it over"
        ));
        return None;
    }
    let method = method.to_ascii_uppercase();
    let name = request.get("name").and_then(|name| name.text());
    let name = name.map_or_else(|| format!("{method} {address}"), str::to_owned);
    let mut ours = json!({
        "method": method,
        "url": scope.translate(address, &url, draft),
    });
    let mut headers: Vec<(String, String)> = defaults.headers.clone();
    if let Some(own) = request.get("headers") {
        for (name, value) in own.members() {
            if let Some(text) = value.scalar() {
                set(&mut headers, name, scope.translate(&text, &value, draft));
            }
        }
    }
    cookies(request, draft, scope, &mut headers);
    auth(request, draft, &mut headers);
    if let Some(params) = request.get("qs") {
        let params = texts(&params, draft, scope);
        ours["params"] = Value::Object(params);
    }
    if method != "GET"
        && let Some(body) = body(request, draft, scope, &mut headers)
    {
        ours["body"] = body;
    }
    if let Some(gzip) = request.get("gzip").and_then(|gzip| gzip.truth())
        && gzip
    {
        set_default(&mut headers, "Accept-Encoding", "gzip");
    }
    if !headers.is_empty() {
        let headers: Map<_, _> = headers
            .into_iter()
            .map(|(name, value)| (name, json!(value)))
            .collect();
        ours["headers"] = Value::Object(headers);
    }
    rest(request);
    let mut step = json!({ "name": names.unique(&name.replace("{{", "{").replace("}}", "}")), "request": ours });
    let extract = expectations::extract(request, scope);
    if !extract.is_empty() {
        step["extract"] = Value::Object(extract);
    }
    let expect = expectations::expect(request);
    if !expect.is_empty() {
        step["expect"] = Value::Object(expect);
    }
    Some(step)
}

/// The path, when the URL leads to the target itself.
fn address<'a>(url: &'a str, target: Option<&str>) -> &'a str {
    let target = target.unwrap_or_default().trim_end_matches('/');
    match url.strip_prefix(target) {
        Some(rest) if !target.is_empty() && rest.starts_with('/') => rest,
        Some("") if !target.is_empty() => "/",
        _ => url,
    }
}

/// The host of an absolute URL, unless requests may go there.
fn other_host<'a>(url: &'a str, allowed: &[String]) -> Option<&'a str> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let known = allowed.iter().any(|known| known.eq_ignore_ascii_case(host));
    (!known).then_some(host)
}

fn body(
    request: &Node<'_>,
    draft: &mut Draft,
    scope: &Scope,
    headers: &mut Vec<(String, String)>,
) -> Option<Value> {
    if let Some(json) = request.get("json") {
        json.carry();
        let value = scope.translate_json(json.value(), &json, draft);
        if value.is_object() {
            return Some(value);
        }
        // Only objects are sent as JSON of themselves.
        set_default(headers, "Content-Type", "application/json");
        return Some(json!(value.to_string()));
    }
    if let Some(form) = request.get("form") {
        set_default(headers, "Content-Type", "application/x-www-form-urlencoded");
        let fields = texts(&form, draft, scope);
        let pairs = fields.iter().map(|(name, value)| {
            let value = value.as_str().unwrap_or_default();
            let name: String = byte_serialize(name.as_bytes()).collect();
            format!("{name}={}", encoded(value))
        });
        return Some(json!(pairs.collect::<Vec<_>>().join("&")));
    }
    let body = request.get("body")?;
    let text = body.text()?;
    Some(json!(scope.translate(text, &body, draft)))
}

/// A form's value: what is filled in is encoded then, the rest is now.
fn encoded(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((place, tail)) = after.split_once("}}") else {
            break;
        };
        out.extend(byte_serialize(before.as_bytes()));
        out.push_str(&format!("{{{{{place}}}}}"));
        rest = tail;
    }
    out.extend(byte_serialize(rest.as_bytes()));
    out
}

fn texts(object: &Node<'_>, draft: &mut Draft, scope: &Scope) -> Map<String, Value> {
    let mut texts = Map::new();
    for (name, value) in object.members() {
        if let Some(text) = value.scalar() {
            texts.insert(
                name.to_owned(),
                json!(scope.translate(&text, &value, draft)),
            );
        }
    }
    texts
}

fn cookies(
    request: &Node<'_>,
    draft: &mut Draft,
    scope: &Scope,
    headers: &mut Vec<(String, String)>,
) {
    let Some(cookies) = request.get("cookie") else {
        return;
    };
    let mut pairs = Vec::new();
    for (name, value) in cookies.members() {
        if let Some(text) = value.scalar() {
            pairs.push(format!("{name}={}", scope.translate(&text, &value, draft)));
        }
    }
    if !pairs.is_empty() {
        set(headers, "Cookie", pairs.join("; "));
    }
}

/// Basic authentication; its literal secret becomes a value to fill in.
fn auth(request: &Node<'_>, draft: &mut Draft, headers: &mut Vec<(String, String)>) {
    let Some(auth) = request.get("auth") else {
        return;
    };
    let user = auth.get("user").and_then(|user| user.text());
    let Some(user) = user.filter(|user| !user.contains("{{")) else {
        auth.leave("is put together from places: write the header field Authorization");
        return;
    };
    if let Some(password) = auth.get("pass") {
        password.carry();
        let (name, _) = draft.fill_in("BASIC_AUTH");
        password.fill_in(
            &name,
            &format!(
                "what follows \"Basic \": {user}:PASSWORD in Base64, such as {}",
                BASE64_STANDARD.encode(format!("{user}:…"))
            ),
        );
        set(
            headers,
            "Authorization",
            format!("Basic {{{{env.{name}}}}}"),
        );
    }
}

/// What a request may have that is known and has no equal.
fn rest(request: &Node<'_>) {
    for (field, reason) in [
        ("beforeRequest", "functions are not carried over"),
        ("afterResponse", "functions are not carried over"),
        ("ifTrue", "the request is always sent"),
        ("formData", "bodies of several parts are not carried over"),
    ] {
        request.leave_member(field, reason);
    }
    if let Some(follow) = request.get("followRedirect") {
        if follow.value() == &json!(false) {
            follow
                .leave("a redirect that the step expects is not followed; maxRedirects is for all");
        } else {
            follow.carry();
        }
    }
}

fn set(headers: &mut Vec<(String, String)>, name: &str, value: String) {
    headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    headers.push((name.to_owned(), value));
}

fn set_default(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    if !headers
        .iter()
        .any(|(known, _)| known.eq_ignore_ascii_case(name))
    {
        headers.push((name.to_owned(), value.to_owned()));
    }
}
