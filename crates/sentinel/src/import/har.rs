//! HTTP archives (HAR 1.2), as browsers record them: requests by page, with the pauses of whoever clicked.

use std::collections::BTreeSet;

use chrono::DateTime;
use serde_json::{Map, Value, json};
use url::Url;

use super::arguments::ImportArguments;
use super::draft::{Application, Draft, Load, Names, literal};
use super::secrets::guarded;
use super::tree::Node;

/// A pause that is shorter is the browser's, not the user's.
const THINK_MS_MIN: i64 = 250;
/// Nobody thinks longer; the recording was left alone.
const THINK_MS_MAX: i64 = 3_600_000;

/// What the client itself decides, and what makes no sense in another exchange.
const OWN_FIELDS: [&str; 11] = [
    "host",
    "content-length",
    "connection",
    "transfer-encoding",
    "te",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "expect",
    "trailer",
    "user-agent",
];

/// A request of the archive that is to be played.
struct Entry<'a> {
    node: Node<'a>,
    url: Url,
    page: Option<&'a str>,
    starts_ms: i64,
    ends_ms: i64,
}

/// Imports an archive.
pub(super) fn import(root: &Node<'_>, name: &str, arguments: &ImportArguments) -> Draft {
    let mut draft = Draft::new(name);
    "Imported from an HTTP archive.".clone_into(&mut draft.description);
    draft.load = Load::One(Map::from_iter([
        ("vus".to_owned(), json!(1)),
        ("iterations".to_owned(), json!(1)),
    ]));
    let Some(log) = root.get("log") else {
        return draft;
    };
    for (field, reason) in [
        ("version", "says how the archive is written"),
        ("creator", "says who wrote the archive"),
        ("browser", "says who wrote the archive"),
        ("comment", "is for people"),
    ] {
        log.leave_member(field, reason);
    }
    let titles = pages(&log);
    let entries = entries(&log, arguments, &mut draft);
    let mut application = Application::new(&draft.name.clone());
    let mut names = Names::default();
    let mut before: Option<&Entry<'_>> = None;
    for (at, entry) in entries.iter().enumerate() {
        if let Some(before) = before {
            let pause_ms = entry.starts_ms - before.ends_ms;
            if pause_ms >= THINK_MS_MIN {
                application
                    .steps
                    .push(json!({ "think": format!("{}ms", pause_ms.min(THINK_MS_MAX)) }));
            }
        }
        let mut step = step(entry, &titles, &mut draft, &mut names);
        let next = entries.get(at + 1);
        let overlaps =
            |other: &Entry<'_>| entry.starts_ms < other.ends_ms && other.starts_ms < entry.ends_ms;
        if before.is_some_and(overlaps) || next.is_some_and(overlaps) {
            step["parallel"] = json!(true);
        }
        application.steps.push(step);
        // The one that ends last is who is waited for.
        before = before
            .filter(|before| before.ends_ms > entry.ends_ms)
            .or(Some(entry));
    }
    if !application.steps.is_empty() {
        draft.applications.push((application, 1.0));
    }
    draft
}

/// The titles of the pages, by their identifiers.
fn pages<'a>(log: &Node<'a>) -> Vec<(&'a str, String)> {
    let pages = log
        .get("pages")
        .map(|pages| pages.list())
        .unwrap_or_default();
    let mut titles = Vec::new();
    for page in pages {
        page.leave_member(
            "pageTimings",
            "tells what was measured, not what is to be sent",
        );
        page.leave_member("startedDateTime", "times are those between the requests");
        let id = page.get("id").and_then(|id| id.text());
        let title = page.get("title").and_then(|title| title.text());
        if let Some(id) = id {
            titles.push((id, title.unwrap_or(id).to_owned()));
        }
    }
    titles
}

/// What is to be played, in the order in which it was sent.
fn entries<'a>(log: &Node<'a>, arguments: &ImportArguments, draft: &mut Draft) -> Vec<Entry<'a>> {
    let list = log
        .get("entries")
        .map(|entries| entries.list())
        .unwrap_or_default();
    let mut entries = Vec::new();
    let mut hosts: BTreeSet<String> = arguments
        .allowed_hosts
        .iter()
        .map(|host| host.to_ascii_lowercase())
        .collect();
    for node in list {
        if let Some(entry) = entry(node, arguments, draft, &mut hosts) {
            entries.push(entry);
        }
    }
    entries.sort_by_key(|entry| entry.starts_ms);
    entries
}

fn entry<'a>(
    node: Node<'a>,
    arguments: &ImportArguments,
    draft: &mut Draft,
    hosts: &mut BTreeSet<String>,
) -> Option<Entry<'a>> {
    let request = node.get("request")?;
    let written = request.get("url")?.value().as_str()?;
    let url = Url::parse(written)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(url) = url else {
        node.leave("is no request over HTTP");
        return None;
    };
    let response = node.get("response");
    let status = response
        .as_ref()
        .and_then(|response| response.get("status"));
    if status
        .as_ref()
        .is_none_or(|status| status.value() == &json!(0))
    {
        node.leave("got no answer when it was recorded");
        return None;
    }
    if arguments.no_static && is_static(&node) {
        node.leave("is a static file (--no-static)");
        return None;
    }
    let host = authority(&url);
    if draft.target.is_none() {
        draft.target = Some(url.origin().ascii_serialization());
        hosts.insert(host.clone());
    }
    if !hosts.contains(&host) {
        node.leave(format!(
            "goes to another host, {host}: --allow-host {host} takes it over"
        ));
        return None;
    }
    let time = node.get("startedDateTime");
    let parsed = time
        .as_ref()
        .and_then(|time| DateTime::parse_from_rfc3339(time.value().as_str()?).ok());
    if let (Some(time), Some(_)) = (&time, &parsed) {
        time.carry();
    }
    let starts_ms = parsed.map_or(0, |time| time.timestamp_millis());
    let took_ms = node
        .get("time")
        .and_then(|time| time.number())
        .unwrap_or_default();
    let page = node.get("pageref").and_then(|page| page.text());
    Some(Entry {
        url,
        page,
        starts_ms,
        ends_ms: starts_ms.saturating_add(took_ms.clamp(0.0, 1e9) as i64), // bounded
        node,
    })
}

fn step(
    entry: &Entry<'_>,
    titles: &[(&str, String)],
    draft: &mut Draft,
    names: &mut Names,
) -> Value {
    let Entry {
        node, url, page, ..
    } = entry;
    leave_measurements(node);
    let Some(request) = node.get("request") else {
        return json!({}); // an entry has a request
    };
    let method = request
        .get("method")
        .and_then(|method| method.text())
        .unwrap_or("GET")
        .to_ascii_uppercase();
    let title = page.and_then(|page| titles.iter().find(|(id, _)| *id == page));
    let title = title
        .map(|(_, title)| format!("{title}: "))
        .unwrap_or_default();
    let name = format!("{title}{method} {}", url.path())
        .replace("{{", "{")
        .replace("}}", "}");
    let mut ours = json!({ "method": method, "url": address(url, draft) });
    if let Some(place) = request.get("url") {
        place.carry();
        if !url.username().is_empty() || url.password().is_some() {
            place.note("its name and password are not taken over");
        }
        let params: Map<String, Value> = url
            .query_pairs()
            .map(|(name, value)| {
                let guarded = guarded(&name, &value, &place, draft);
                (name.into_owned(), json!(guarded))
            })
            .collect();
        if !params.is_empty() {
            ours["params"] = Value::Object(params);
        }
    }
    if let Some(query) = request.get("queryString") {
        // The same as in the URL.
        query.carry();
    }
    let headers = headers(&request, draft);
    if !headers.is_empty() {
        ours["headers"] = Value::Object(headers);
    }
    if let Some(body) = body(&request, draft)
        && method != "GET"
    {
        ours["body"] = body;
    }
    let mut step = json!({ "name": names.unique(&name), "request": ours });
    let status = node
        .get("response")
        .and_then(|response| response.get("status"));
    if let Some(status) = status.and_then(|status| status.number()) {
        let status = status as u16; // three digits, or refused with the scenario
        // Whoever has nothing in a cache gets the whole.
        let expected = if status == 304 {
            json!([200, 304])
        } else {
            json!(status)
        };
        step["expect"] = json!({ "status": expected });
    }
    step
}

/// What the browser measured and received says nothing about what is to be sent.
fn leave_measurements(entry: &Node<'_>) {
    const MEASURED: &str = "tells what was measured, not what is to be sent";
    if let Some(response) = entry.get("response") {
        for (name, member) in response.members() {
            if name != "status" {
                member.leave("of an answer only the status is expected again");
            }
        }
    }
    for (name, member) in entry.members() {
        if name.starts_with('_')
            || [
                "timings",
                "cache",
                "serverIPAddress",
                "connection",
                "comment",
            ]
            .contains(&name)
        {
            member.leave(MEASURED);
        }
    }
    if let Some(request) = entry.get("request") {
        for (name, member) in request.members() {
            if name.starts_with('_')
                || ["httpVersion", "headersSize", "bodySize", "comment"].contains(&name)
            {
                member.leave(MEASURED);
            }
        }
    }
}

/// The path on the target, or the whole address of another host; the query stands apart.
fn address(url: &Url, draft: &Draft) -> String {
    let path = literal(url.path());
    let origin = url.origin().ascii_serialization();
    if draft.target.as_deref() == Some(origin.as_str()) {
        path
    } else {
        format!("{origin}{path}")
    }
}

fn headers(request: &Node<'_>, draft: &mut Draft) -> Map<String, Value> {
    let mut headers = Map::new();
    let list = request
        .get("headers")
        .map(|headers| headers.list())
        .unwrap_or_default();
    for header in list {
        let name = header
            .get("name")
            .and_then(|name| name.value().as_str())
            .unwrap_or_default();
        let lower = name.to_ascii_lowercase();
        // HTTP/2 writes method, path and host as such fields.
        if lower.starts_with(':')
            || OWN_FIELDS.contains(&lower.as_str())
            || lower.starts_with("sec-")
        {
            header.leave("is decided by who sends the request");
            continue;
        }
        if lower.starts_with("if-") {
            header.leave("asks about a copy in the browser's cache");
            continue;
        }
        let Some(value) = header.get("value").and_then(|value| value.value().as_str()) else {
            continue;
        };
        if name.is_empty() || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            header.leave("has a name or a value that is no visible ASCII");
            continue;
        }
        header.carry();
        headers.insert(name.to_owned(), json!(guarded(name, value, &header, draft)));
    }
    if let Some(cookies) = request.get("cookies") {
        // The same as in the field.
        if headers
            .keys()
            .any(|name| name.eq_ignore_ascii_case("cookie"))
            || cookies.list().is_empty()
        {
            cookies.carry();
        }
    }
    headers
}

fn body(request: &Node<'_>, draft: &mut Draft) -> Option<Value> {
    let post = request.get("postData")?;
    if let Some(kind) = post.get("mimeType") {
        // It is also in the header field.
        kind.carry();
    }
    let params = post.get("params");
    if let Some(text) = post.get("text") {
        let written = text.text()?;
        if let Some(params) = params {
            params.carry();
        }
        if let Ok(object @ Value::Object(_)) = serde_json::from_str::<Value>(written) {
            return Some(guarded_json("", &object, &text, draft));
        }
        let is_form = post.get("mimeType").and_then(|kind| kind.value().as_str());
        if is_form.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
            return Some(json!(form(written, &text, draft)));
        }
        return Some(json!(literal(written)));
    }
    let params = params?;
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for param in params.list() {
        let text = |field| param.get(field).and_then(|node: Node<'_>| node.text());
        if let (Some(name), Some(value)) = (text("name"), text("value")) {
            pairs.append_pair(name, value);
        }
    }
    Some(json!(form(&pairs.finish(), &params, draft)))
}

/// A form, with places instead of secrets.
fn form(text: &str, node: &Node<'_>, draft: &mut Draft) -> String {
    let pairs = url::form_urlencoded::parse(text.as_bytes()).map(|(name, value)| {
        let encode =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let guarded = guarded(&name, &value, node, draft);
        let value = if guarded.contains("{{env.") {
            guarded
        } else {
            encode(&value)
        };
        format!("{}={value}", encode(&name))
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn guarded_json(name: &str, value: &Value, node: &Node<'_>, draft: &mut Draft) -> Value {
    match value {
        Value::String(text) => json!(guarded(name, text, node, draft)),
        Value::Array(items) => items
            .iter()
            .map(|item| guarded_json(name, item, node, draft))
            .collect(),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| (name.clone(), guarded_json(name, value, node, draft)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

/// Whether an entry is a file that a content delivery network would answer.
fn is_static(entry: &Node<'_>) -> bool {
    let pointer = |path| {
        entry
            .value()
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let kind = pointer("/_resourceType");
    let mime = pointer("/response/content/mimeType");
    let path = pointer("/request/url")
        .split(['?', '#'])
        .next()
        .unwrap_or_default();
    let ending = path
        .rsplit_once('.')
        .map_or("", |(_, ending)| ending)
        .to_ascii_lowercase();
    ["image", "stylesheet", "script", "font", "media"].contains(&kind)
        || [
            "image/",
            "font/",
            "video/",
            "audio/",
            "text/css",
            "text/javascript",
            "application/javascript",
        ]
        .iter()
        .any(|start| mime.starts_with(start))
        || [
            "css", "js", "mjs", "map", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico",
            "woff", "woff2", "ttf", "otf", "mp4", "webm",
        ]
        .contains(&ending.as_str())
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
