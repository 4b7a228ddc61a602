//! From a step's request to templates that can be rendered.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

use super::body::Body;
use super::destination::Via;
use super::parse::{Target, shown};
use super::problem::{Checked, Report};
use crate::content::MediaKind;
use crate::extractor::is_token;
use crate::json::to_string;
use crate::random::Random;
use crate::scenario::{Method, RequestBody, RequestConfig, TextMap};
use crate::target::{StepUrl, parse_url};
use crate::template::{
    Escape, Names, RenderContext, Template, TemplateBuilder, TemplateError, is_header_char,
};

/// What is known where a request stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub(super) names: Names<'a>,
    pub(super) has_tenants: bool,
    pub(super) keeps_cookies: bool,
    /// Whether the field of an answer is wanted that says where a redirect leads.
    pub(super) follows_redirects: bool,
    pub(super) has_pause: bool, // whether the scenario says how long users pause
    pub(super) has_key: bool,   // whether requests go to objects, which have keys
    pub(super) via: Via,
    pub(super) target: Option<&'a Target>,
}

/// The parts of a request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) url: Template,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) body: Option<Body>,
}

/// Checks a request at `path`.
pub(super) fn parse(
    config: &RequestConfig,
    path: &str,
    scope: &Scope<'_>,
    report: &mut Report,
) -> Checked<Request> {
    let url = url(config, path, scope, report);
    let headers = headers(config.headers.as_ref(), path, scope, report);
    let content_type = config.headers.iter().flat_map(TextMap::iter);
    let content_type = content_type
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .map(|(_, value)| value)
        .next();
    let body = match &config.body {
        Some(_) if config.method == Method::Get => {
            Err(report.problem(format!("{path}.body"), "GET requests have no body"))
        }
        Some(written) => body(
            written,
            content_type,
            &format!("{path}.body"),
            scope,
            report,
        )
        .map(Some),
        None => Ok(None),
    };
    Ok(Request {
        url: url?,
        headers: headers?,
        body: body?,
    })
}

fn url(
    config: &RequestConfig,
    path: &str,
    scope: &Scope<'_>,
    report: &mut Report,
) -> Checked<Template> {
    let url_path = format!("{path}.url");
    let mut template = TemplateBuilder::new(scope.names);
    let base = scope.target.map_or("", |target| target.base_url.as_str());
    let split = report.check(&url_path, StepUrl::parse(&config.url))?;
    let rest = match split {
        StepUrl::OnBase(rest) => {
            template.literal(base.strip_suffix('/').unwrap_or(base));
            rest
        }
        StepUrl::Absolute { origin, rest } => {
            template.literal(origin);
            if !rest.starts_with('/') {
                template.literal("/");
            }
            rest
        }
    };
    let added = template.text_with(rest, Escape::Url, |literal, out| {
        out.extend(utf8_percent_encode(literal, URL_LITERAL));
    });
    report.check(&url_path, added)?;
    let mut separator = if rest.contains('?') { "&" } else { "?" };
    for (name, value) in config.params.iter().flat_map(TextMap::iter) {
        let path = format!("{path}.params.{name}");
        if name.contains("{{") {
            return Err(report.problem(path, "names of parameters are literal"));
        }
        template.literal(separator);
        separator = "&";
        let mut pair = String::new();
        Escape::Url.append(name, &mut pair);
        pair.push('=');
        template.literal(&pair);
        let added = template.text_with(value, Escape::Url, |literal, out| {
            Escape::Url.append(literal, out);
        });
        report.check(path, added)?;
    }
    let template = template.finish();
    scope.check_template(&template, &url_path, report)?;
    check_destination(&template, &url_path, scope, report)?;
    Ok(template)
}

/// Renders the URL once, and holds what a client will make of it against the policy.
fn check_destination(
    template: &Template,
    path: &str,
    scope: &Scope<'_>,
    report: &mut Report,
) -> Checked<()> {
    let Some(target) = scope.target else {
        return Ok(()); // the target's own problem has been reported
    };
    let Names {
        variables,
        tables,
        env,
    } = scope.names;
    let filled = |names: &[String]| vec![Some("x".to_owned()); names.len()];
    let (variables, env) = (filled(variables), filled(env));
    let context = RenderContext {
        tables,
        rows: &[], // the first of each
        vu: 0,
        iteration: 0,
        tenant: "x",
        variant: Some("x"),
        variables: &variables,
        env: &env,
        key: None,
        unix_ms: 0,
    };
    let sample = template.render(&context, &mut Random::for_purpose(0, 0));
    if sample.len() > URL_BYTES_MAX {
        return Err(report.problem(path, format_args!("is longer than {URL_BYTES_MAX} bytes")));
    }
    let url = parse_url(&sample).map_err(|error| {
        let message = format!("{} is not a URL: {error}", shown(&sample));
        report.problem(path, message)
    })?;
    if url.fragment().is_some() {
        return Err(report.problem(
            path,
            "a fragment (\"#…\") is never sent: leave it out, or write \"%23\"",
        ));
    }
    report.check(path, target.policy.check(&url))
}

fn headers(
    headers: Option<&TextMap>,
    path: &str,
    scope: &Scope<'_>,
    report: &mut Report,
) -> Checked<Vec<(String, Template)>> {
    let mut checked: Vec<(String, Template)> = Vec::new();
    let mut result = Ok(());
    let count = headers.map_or(0, |map| map.0.len());
    if count > HEADERS_MAX {
        return Err(report.problem(
            format!("{path}.headers"),
            format_args!("has {count} fields: accepted are up to {HEADERS_MAX}"),
        ));
    }
    for (name, value) in headers.into_iter().flat_map(TextMap::iter) {
        let path = format!("{path}.headers.{name}");
        let refused = if !is_token(name) {
            Some("is not the name of a header field")
        } else if HEADERS_REFUSED
            .iter()
            .any(|refused| name.eq_ignore_ascii_case(refused))
        {
            Some("is set by the client that sends the request")
        } else if checked
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            Some("is given twice: upper and lower case make no difference")
        } else if !value.chars().all(is_header_char) {
            Some("accepted are visible ASCII characters, spaces and tabs")
        } else {
            None
        };
        if let Some(message) = refused {
            result = Err(report.problem(path, message));
            continue;
        }
        let template = Template::parse(value, Escape::Header, scope.names);
        let template = report.check(&path, template).and_then(|template| {
            scope.check_template(&template, &path, report)?;
            Ok(template)
        });
        match template {
            Ok(template) => checked.push((name.to_owned(), template)),
            Err(reported) => result = Err(reported),
        }
    }
    result.map(|()| checked)
}

fn body(
    body: &RequestBody,
    content_type: Option<&str>,
    path: &str,
    scope: &Scope<'_>,
    report: &mut Report,
) -> Checked<Body> {
    let kind = content_type.unwrap_or_default().to_ascii_lowercase();
    let (content_type, text) = match body {
        RequestBody::Text(text) if is_media(text) => {
            return Ok(Body::Media(MediaKind::of_content_type(&kind)));
        }
        RequestBody::Text(text) => {
            let escape = if kind.contains("json") {
                Escape::Json
            } else if kind.starts_with("application/x-www-form-urlencoded") {
                Escape::Url
            } else {
                Escape::Plain
            };
            (
                "text/plain;charset=UTF-8",
                Template::parse(text, escape, scope.names),
            )
        }
        RequestBody::Object(object) => {
            let mut template = TemplateBuilder::new(scope.names);
            let added = append_object(object, &mut template);
            ("application/json", added.map(|()| template.finish()))
        }
    };
    let text = report.check(path, text)?;
    scope.check_template(&text, path, report)?;
    Ok(Body::Text { content_type, text })
}

fn is_media(text: &str) -> bool {
    let inside = text
        .trim()
        .strip_prefix("{{")
        .and_then(|t| t.strip_suffix("}}"));
    inside.is_some_and(|inside| inside.trim() == "mediaBytes")
}

/// Writes JSON in which every string is a template; keys are literal.
fn append_json(value: &Value, out: &mut TemplateBuilder<'_>) -> Result<(), TemplateError> {
    match value {
        Value::String(text) => {
            out.literal("\"");
            out.text_with(text, Escape::Json, |literal, out| {
                Escape::Json.append(literal, out);
            })?;
            out.literal("\"");
        }
        Value::Array(items) => {
            out.literal("[");
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.literal(",");
                }
                append_json(item, out)?;
            }
            out.literal("]");
        }
        Value::Object(object) => append_object(object, out)?,
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            out.literal(&to_string(value).unwrap_or_default())
        }
    }
    Ok(())
}

pub(super) fn append_object(
    object: &serde_json::Map<String, Value>,
    out: &mut TemplateBuilder<'_>,
) -> Result<(), TemplateError> {
    out.literal("{");
    for (at, (key, value)) in object.iter().enumerate() {
        let mut name = if at > 0 { ",\"" } else { "\"" }.to_owned();
        Escape::Json.append(key, &mut name);
        name.push_str("\":");
        out.literal(&name);
        append_json(value, out)?;
    }
    out.literal("}");
    Ok(())
}

/// What a URL as written may hold that has to be encoded on the way; `%` stays, for what is encoded already.
const URL_LITERAL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What servers commonly accept.
const URL_BYTES_MAX: usize = 8 * 1024;

const HEADERS_MAX: usize = 64;

/// They decide where a request goes and where it ends (RFC 9110, RFC 9112).
const HEADERS_REFUSED: [&str; 11] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-connection",
    "http2-settings",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse::tests::{problems, request_step, source};
    use crate::plan::{Plan, PlanSource, Step};

    fn with_request(json: &str) -> PlanSource {
        let mut source = source();
        request_step(&mut source, 1, 1).request = serde_json::from_str(json).expect(json);
        source
    }

    fn render(template: &Template) -> String {
        let context = RenderContext {
            tables: &[],
            rows: &[],
            vu: 3,
            iteration: 0,
            tenant: "a&b",
            variant: None,
            variables: &[
                Some("t\"\r\nX: 1".to_owned()),
                None,
                Some("../p?q#".to_owned()),
            ],
            env: &[],
            key: None,
            unix_ms: 5,
        };
        template.render(&context, &mut Random::for_purpose(1, 1))
    }

    fn step(json: &str) -> Step {
        let plan = Plan::parse(&with_request(json)).expect(json);
        plan.applications()[0].steps[1].clone()
    }

    #[test]
    fn urls_lead_to_the_base_and_values_stay_in_their_place() {
        for (url, expected) in [
            (
                "/a/{{postId}}/é b?x={{tenant}}",
                "https://grove.place/a/..%2Fp%3Fq%23/%C3%A9%20b?x=a%26b",
            ),
            ("/100%25", "https://grove.place/100%25"),
            ("HTTPS://grove.place", "HTTPS://grove.place/"),
            ("https://grove.place?x={{vu}}", "https://grove.place/?x=3"),
        ] {
            let step = step(&format!(r#"{{"method": "GET", "url": "{url}"}}"#));
            assert_eq!(render(&step.url), expected);
        }
    }

    #[test]
    fn parameters_are_added_and_encoded() {
        let step = step(
            r#"{"method": "GET", "url": "/a?b=c", "params": {"d e": "f&{{tenant}}", "a": ""}}"#,
        );
        assert_eq!(
            render(&step.url),
            "https://grove.place/a?b=c&d%20e=f%26a%26b&a="
        );
    }

    #[test]
    fn the_path_of_the_base_url_comes_first() {
        for base in ["https://grove.place/v1", "https://grove.place/v1/"] {
            let mut source = with_request(r#"{"method": "GET", "url": "/a"}"#);
            source.options.base_url = base.to_owned();
            let plan = Plan::parse(&source).unwrap();
            assert_eq!(
                render(&plan.applications()[0].steps[1].url),
                "https://grove.place/v1/a"
            );
        }
    }

    #[test]
    fn urls_elsewhere_are_refused() {
        for (url, expected) in [
            (
                "https://evil.com/",
                "\"evil.com\" is not among the allowed hosts",
            ),
            ("https://vista.grove.place/", "the load generator itself"),
            ("http://[::ffff:127.0.0.1]/", "is private"),
            (
                "https://{{tenant}}.grove.place/",
                "the host must be literal",
            ),
            ("//evil.com", "accepted are a path"),
            ("/a#b", "a fragment"),
            (&"/a".repeat(5_000), "is longer than 8192 bytes"),
            ("https://grove.place:99999/", "is not a URL"),
        ] {
            let text = problems(&with_request(&format!(
                r#"{{"method": "GET", "url": "{url}"}}"#
            )));
            assert!(
                text.contains("applications[read].steps[1].request.url: "),
                "{text}"
            );
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn headers_hold_no_second_field() {
        let step = step(
            r#"{"method": "GET", "url": "/", "headers": {"Authorization": "Bearer {{token}}"}}"#,
        );
        assert_eq!(render(&step.headers[0].1), "Bearer t\"X: 1");
        for (headers, expected) in [
            (r#"{"Host": "evil.com"}"#, "is set by the client"),
            (r#"{"a b": "x"}"#, "is not the name of a header field"),
            (r#"{"A": "x", "a": "y"}"#, "is given twice"),
            (r#"{"A": "x\r\nB: y"}"#, "visible ASCII"),
            (r#"{"A": "{{x}}"}"#, "unknown variable"),
        ] {
            let json = format!(r#"{{"method": "GET", "url": "/", "headers": {headers}}}"#);
            assert!(
                problems(&with_request(&json)).contains(expected),
                "{headers}"
            );
        }
    }

    #[test]
    fn json_bodies_stay_json_whatever_is_filled_in() {
        let step = step(
            r#"{"method": "POST", "url": "/", "body": {"a\"": ["{{token}}\n", 1.5, null, true, {}], "b": "é{{postMarkdown}}"}}"#,
        );
        let Some(Body::Text { content_type, text }) = &step.body else {
            panic!("a text")
        };
        assert_eq!(*content_type, "application/json");
        let json: Value = serde_json::from_str(&render(text)).expect("JSON");
        assert_eq!(json["a\""][0], "t\"\r\nX: 1\n");
        assert_eq!(json["a\""][1], 1.5);
        assert!(json["b"].as_str().is_some_and(|text| text.len() > 100));
    }

    #[test]
    fn text_bodies_are_escaped_for_their_content_type() {
        for (kind, expected) in [
            ("application/json; charset=utf-8", r#"t\"\r\nX: 1"#),
            ("application/x-www-form-urlencoded", "t%22%0D%0AX%3A%201"),
            ("text/plain", "t\"\r\nX: 1"),
        ] {
            let step = step(&format!(
                r#"{{"method": "POST", "url": "/", "headers": {{"content-type": "{kind}"}}, "body": "{{{{token}}}}"}}"#
            ));
            let Some(Body::Text { text, .. }) = &step.body else {
                panic!("a text")
            };
            assert_eq!(render(text), expected);
        }
    }

    #[test]
    fn media_is_a_whole_body_of_its_content_type() {
        let step = step(
            r#"{"method": "PUT", "url": "/", "headers": {"Content-Type": "image/png"}, "body": "{{mediaBytes}}"}"#,
        );
        let body = step.body.as_ref().unwrap();
        assert_eq!(body.content_type(), "image/png");
        for (body, expected) in [
            (r#""a{{mediaBytes}}""#, "only as a whole body"),
            (r#"{"a": "{{mediaBytes}}"}"#, "only as a whole body"),
        ] {
            let json = format!(r#"{{"method": "POST", "url": "/", "body": {body}}}"#);
            assert!(problems(&with_request(&json)).contains(expected), "{body}");
        }
    }

    #[test]
    fn requests_that_no_client_sends_are_refused() {
        let text = problems(&with_request(
            r#"{"method": "GET", "url": "/", "body": "x"}"#,
        ));
        assert!(text.contains("GET requests have no body"), "{text}");
        let mut source = source();
        source.scenario.tenants = None;
        assert!(problems(&source).contains("the scenario names no tenants"));
    }
}
