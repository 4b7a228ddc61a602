//! Judging an answer: is it what the step expects, and what is taken from it for later requests.
//!
//! Invariant: whatever bytes a target answers, judging them ends in a result, and what is kept of them is
//! bounded.

use serde_json::Value;
use serde_json_path::JsonPath;

use crate::error_class::ErrorClass;
use crate::plan::Step;

/// A complete answer, as a driver reports it.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Header fields in any order, names in lower case, one entry for each `set-cookie`. A driver may leave
    /// out fields that [`Request::wants_headers`](crate::batch::Request) does not name.
    pub headers: &'a [(String, String)],
    /// The body as far as it was kept; empty when the request does not want it.
    pub body: &'a [u8],
    /// How many bytes of body arrived.
    pub bytes_received: u64,
    /// Whether the body was larger than the limit and its rest was given up.
    pub truncated: bool,
}

/// Statuses that count as success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedStatus {
    /// Any from 200 to 299.
    Ok,
    /// One of these.
    OneOf(Vec<u16>),
}

impl ExpectedStatus {
    /// Whether this status is expected.
    #[must_use]
    pub fn accepts(&self, status: u16) -> bool {
        match self {
            Self::Ok => (200..300).contains(&status),
            Self::OneOf(statuses) => statuses.contains(&status),
        }
    }
}

/// Where in an answer a value is found.
#[derive(Clone, Debug)]
pub enum Extractor {
    /// The field of the header with this name, in lower case.
    Header(String),
    /// The cookie of this name that the answer sets.
    Cookie(String),
    /// The first text, number or truth value that the path finds in the JSON body.
    Json(JsonPath),
}

impl Extractor {
    /// Parses `$.json.path`, `header:Name` or `cookie:name`.
    ///
    /// # Errors
    /// The text is none of them.
    pub fn parse(text: &str) -> Result<Self, ExtractorError> {
        let refuse = |reason: String| ExtractorError {
            text: text.chars().take(80).collect(),
            reason,
        };
        if text.len() > EXTRACTOR_BYTES_MAX {
            return Err(refuse(format!(
                "is longer than {EXTRACTOR_BYTES_MAX} bytes"
            )));
        }
        if let Some(name) = text.strip_prefix("header:") {
            return if is_token(name) {
                Ok(Self::Header(name.to_ascii_lowercase()))
            } else {
                Err(refuse("names no header field".to_owned()))
            };
        }
        if let Some(name) = text.strip_prefix("cookie:") {
            return if is_token(name) {
                Ok(Self::Cookie(name.to_owned()))
            } else {
                Err(refuse("names no cookie".to_owned()))
            };
        }
        if text.starts_with('$') {
            return JsonPath::parse(text)
                .map(Self::Json)
                .map_err(|error| refuse(format!("is not a JSON path ({error})")));
        }
        Err(refuse("is not understood".to_owned()))
    }

    /// The field of the header that is looked at, `None` if it is the body.
    #[must_use]
    pub fn header(&self) -> Option<&str> {
        match self {
            Self::Header(name) => Some(name),
            Self::Cookie(_) => Some("set-cookie"),
            Self::Json(_) => None,
        }
    }
}

/// A text that does not say where a value is found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} {reason}: accepted are a JSON path such as \"$.user.id\", \"header:Name\" and \"cookie:name\""
)]
pub struct ExtractorError {
    text: String,
    reason: String,
}

impl Step {
    /// Whether the answer's body is looked at.
    #[must_use]
    pub fn wants_body(&self) -> bool {
        self.extractions
            .iter()
            .any(|extraction| extraction.extractor.header().is_none())
    }

    /// The fields of the answer's header that are looked at, in lower case, each once; `server-timing` is
    /// always among them.
    #[must_use]
    pub fn wants_headers(&self) -> &[String] {
        &self.wanted_headers
    }
}

/// Judges an answer and takes the step's extractions from it.
///
/// # Errors
/// The class of the first thing that is not as the step expects: the status, the size of the body, the values
/// to extract. Then no variable is changed.
pub fn judge(
    step: &Step,
    exchange: &Exchange<'_>,
    variables: &mut [Option<String>],
) -> Result<(), ErrorClass> {
    if !step.expected.accepts(exchange.status) {
        return Err(ErrorClass::Status(exchange.status));
    }
    if exchange.truncated {
        return Err(ErrorClass::BodyTooLarge);
    }
    if step.extractions.is_empty() {
        return Ok(());
    }
    let json: Option<Value> = if step.wants_body() {
        serde_json::from_slice(exchange.body).ok()
    } else {
        None
    };
    let values: Option<Vec<String>> = step
        .extractions
        .iter()
        .map(|extraction| {
            extract(&extraction.extractor, exchange, json.as_ref())
                .filter(|value| !value.is_empty() && value.len() <= VALUE_BYTES_MAX)
        })
        .collect();
    let values = values.ok_or(ErrorClass::Extraction)?;
    for (extraction, value) in step.extractions.iter().zip(values) {
        if let Some(variable) = variables.get_mut(usize::from(extraction.variable.0)) {
            *variable = Some(value);
        }
    }
    Ok(())
}

fn extract(extractor: &Extractor, exchange: &Exchange<'_>, json: Option<&Value>) -> Option<String> {
    let fields = |wanted: &'static str| {
        exchange
            .headers
            .iter()
            .filter(move |(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    };
    match extractor {
        Extractor::Header(wanted) => exchange
            .headers
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.trim().to_owned()),
        Extractor::Cookie(wanted) => fields("set-cookie")
            .filter_map(|field| field.split(';').next()?.split_once('='))
            .find(|(name, _)| name.trim() == wanted)
            .map(|(_, value)| value.trim().trim_matches('"').to_owned()),
        Extractor::Json(path) => match path.query(json?).first()? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        },
    }
}

/// Whether a text is a token of RFC 9110, as the names of header fields and cookies are.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// A variable is carried with its user from slice to slice: a token of 4 KiB is the longest that servers
/// commonly accept in a header.
const VALUE_BYTES_MAX: usize = 4 * 1024;

/// Also bounds how deep a path can be nested.
const EXTRACTOR_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Extraction;
    use crate::scenario::{LatencyLimits, Method};
    use crate::template::{Template, VariableId};
    use crate::window::StepId;
    use proptest::prelude::*;

    fn step(expected: ExpectedStatus, extract: &[&str]) -> Step {
        Step {
            id: StepId(0),
            name: "step".to_owned(),
            method: Method::Get,
            url: Template::literal("https://a.com/"),
            headers: Vec::new(),
            body: None,
            expected,
            extractions: (0..)
                .zip(extract)
                .map(|(at, text)| Extraction {
                    variable: VariableId(at),
                    extractor: Extractor::parse(text).expect(text),
                })
                .collect(),
            parallel: false,
            background: false,
            probability: 1.0,
            unless_set: None,
            only_variants: Vec::new(),
            latency_limits: LatencyLimits::default(),
            wanted_headers: Vec::new(),
        }
    }

    fn headers() -> Vec<(String, String)> {
        [
            ("location", " /posts/7 "),
            ("set-cookie", "other=1; Path=/"),
            ("set-cookie", "session=\"abc\"; HttpOnly"),
            ("set-cookie", "broken"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    fn judged(step: &Step, status: u16, body: &[u8]) -> Result<Vec<Option<String>>, ErrorClass> {
        let headers = headers();
        let exchange = Exchange {
            status,
            headers: &headers,
            body,
            bytes_received: 0,
            truncated: false,
        };
        let mut variables = vec![Some("before".to_owned()); step.extractions.len()];
        let result = judge(step, &exchange, &mut variables);
        if result.is_err() {
            assert!(
                variables.iter().all(|v| v.as_deref() == Some("before")),
                "nothing is changed"
            );
        }
        result.map(|()| variables)
    }

    #[test]
    fn statuses_are_held_against_what_is_expected() {
        for (expected, status, ok) in [
            (ExpectedStatus::Ok, 200, true),
            (ExpectedStatus::Ok, 299, true),
            (ExpectedStatus::Ok, 304, false),
            (ExpectedStatus::OneOf(vec![302, 404]), 404, true),
            (ExpectedStatus::OneOf(vec![302, 404]), 200, false),
        ] {
            let result = judged(&step(expected, &[]), status, b"");
            assert_eq!(
                result,
                if ok {
                    Ok(vec![])
                } else {
                    Err(ErrorClass::Status(status))
                }
            );
        }
    }

    #[test]
    fn values_are_taken_from_body_header_and_cookies() {
        let body = br#"{"user": {"id": 7, "ok": true}, "posts": [{"id": "a"}, {"id": "b"}]}"#;
        let step = step(
            ExpectedStatus::Ok,
            &[
                "$.user.id",
                "$.user.ok",
                "$.posts[*].id",
                "$.posts[-1].id",
                "header:Location",
                "cookie:session",
            ],
        );
        let values: Vec<String> = judged(&step, 200, body)
            .unwrap()
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(values, ["7", "true", "a", "b", "/posts/7", "abc"]);
    }

    #[test]
    fn a_value_that_is_missing_is_an_error_of_its_own() {
        for (place, body) in [
            ("$.a", "{}"),
            ("$.a", r#"{"a": null}"#),
            ("$.a", r#"{"a": ""}"#),
            ("$.a", r#"{"a": {}}"#),
            ("$.a", "<html>"),
            ("$.a", ""),
            ("header:etag", ""),
            ("cookie:Session", ""),
            ("cookie:broken", ""),
        ] {
            let step = step(ExpectedStatus::Ok, &["header:location", place]);
            assert_eq!(
                judged(&step, 200, body.as_bytes()),
                Err(ErrorClass::Extraction),
                "{place} {body}"
            );
        }
        let long = format!(r#"{{"a": "{}"}}"#, "x".repeat(VALUE_BYTES_MAX + 1));
        let step = step(ExpectedStatus::Ok, &["$.a"]);
        assert_eq!(
            judged(&step, 200, long.as_bytes()),
            Err(ErrorClass::Extraction)
        );
    }

    #[test]
    fn an_answer_that_was_given_up_is_too_large() {
        let exchange = Exchange {
            status: 200,
            headers: &[],
            body: b"{}",
            bytes_received: 9,
            truncated: true,
        };
        let result = judge(&step(ExpectedStatus::Ok, &[]), &exchange, &mut []);
        assert_eq!(result, Err(ErrorClass::BodyTooLarge));
    }

    #[test]
    fn places_that_are_none_are_refused_with_the_accepted_ones() {
        let deep = format!("$[?{}1{}]", "(".repeat(10_000), ")".repeat(10_000));
        for text in [
            "",
            "a",
            "$[",
            "$.",
            "header:",
            "header:a b",
            "cookie:",
            "body:x",
            &deep,
        ] {
            let error = Extractor::parse(text).expect_err(text).to_string();
            assert!(error.contains("\"header:Name\""), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_is_too_strange(status in any::<u16>(), body in any::<Vec<u8>>(), cookie in any::<String>()) {
            let step = step(ExpectedStatus::Ok, &["$..a", "$[0]", "cookie:a"]);
            let headers = [("set-cookie".to_owned(), cookie)];
            let exchange = Exchange { status, headers: &headers, body: &body, bytes_received: 0, truncated: false };
            let _ = judge(&step, &exchange, &mut [None, None]);
        }

        #[test]
        fn no_place_is_too_strange(text in any::<String>(), path in "\\$[\\[\\].*?@()a0'\":,&|!=<-]{0,40}") {
            let _ = Extractor::parse(&text);
            let _ = Extractor::parse(&path);
        }
    }
}
