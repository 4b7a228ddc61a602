//! Where in an answer a value is found.
//!
//! Invariant: looking for a value ends soon for every answer: regular expressions are small, and look at a
//! bounded part of the body.

use std::borrow::Cow;

use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;

use crate::json_path::Path;
use crate::random::Random;
use crate::response::Exchange;

/// Where in an answer a value is found.
#[derive(Clone, Debug)]
pub enum Extractor {
    /// The status.
    Status,
    /// The whole body.
    Body,
    /// The field of the header with this name, in lower case.
    Header(String),
    /// The cookie of this name that the answer sets.
    Cookie(String),
    /// What the path finds in the JSON body.
    Json(Path),
    /// What the first group of the regular expression matches in the body; the whole match when it has none.
    Regex(Regex),
}

/// A text that does not say where a value is found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} {reason}: accepted are a JSON path such as \"$.user.id\", \"header:Name\", \"cookie:name\", \
     \"regex:pattern\", \"status\" and \"body\""
)]
pub struct ExtractorError {
    text: String,
    reason: String,
}

/// An answer, and its body as JSON if something looks at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) exchange: &'a Exchange<'a>,
    pub(crate) json: Option<&'a Value>,
}

/// What was found in an answer.
#[derive(Clone, Debug)]
pub(crate) enum Found<'a> {
    /// A text, or the status.
    Text(Cow<'a, str>),
    /// A part of the JSON body.
    Json(&'a Value),
    /// The body.
    Body(&'a [u8]),
}

impl Extractor {
    /// Parses `$.json.path`, `header:Name`, `cookie:name`, `regex:pattern`, `status` or `body`.
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
        match text {
            "status" => return Ok(Self::Status),
            "body" => return Ok(Self::Body),
            _ => {}
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
        if let Some(pattern) = text.strip_prefix("regex:") {
            return compile_regex(pattern).map(Self::Regex).map_err(refuse);
        }
        if text.starts_with('$') {
            return Path::parse(text)
                .map(Self::Json)
                .map_err(|error| refuse(format!("is not a JSON path ({error})")));
        }
        Err(refuse("is not understood".to_owned()))
    }

    /// The field of the header that is looked at, if one is.
    #[must_use]
    pub fn header(&self) -> Option<&str> {
        match self {
            Self::Header(name) => Some(name),
            Self::Cookie(_) => Some("set-cookie"),
            Self::Status | Self::Body | Self::Json(_) | Self::Regex(_) => None,
        }
    }

    /// Whether the body is looked at.
    #[must_use]
    pub const fn wants_body(&self) -> bool {
        matches!(self, Self::Body | Self::Json(_) | Self::Regex(_))
    }

    /// Whether the body is looked at as JSON.
    #[must_use]
    pub const fn wants_json(&self) -> bool {
        matches!(self, Self::Json(_))
    }

    /// What is found first.
    pub(crate) fn find<'a>(&self, answer: Answer<'a>) -> Option<Found<'a>> {
        self.find_any(answer, None)
    }

    /// What is found first; with random numbers, any of what is found.
    pub(crate) fn find_any<'a>(
        &self,
        answer: Answer<'a>,
        random: Option<&mut Random>,
    ) -> Option<Found<'a>> {
        let text = |text: &'a str| Found::Text(Cow::Borrowed(text));
        let fields = |wanted: &'static str| {
            let named = answer
                .exchange
                .headers
                .iter()
                .filter(move |(name, _)| name == wanted);
            named.map(|(_, value)| value.as_str())
        };
        match self {
            Self::Status => Some(Found::Text(Cow::Owned(answer.exchange.status.to_string()))),
            Self::Body => Some(Found::Body(answer.exchange.body)),
            Self::Header(wanted) => {
                let mut headers = answer.exchange.headers.iter();
                let (_, value) = headers.find(|(name, _)| name == wanted)?;
                Some(text(value.trim()))
            }
            Self::Cookie(wanted) => {
                let pairs = fields("set-cookie")
                    .filter_map(|field| field.split(';').next()?.split_once('='));
                let mut pairs = pairs.filter(|(name, _)| name.trim() == wanted);
                pairs
                    .next()
                    .map(|(_, value)| text(value.trim().trim_matches('"')))
            }
            Self::Json(path) => {
                let json = answer.json?;
                match random {
                    None => path.first(json).map(Found::Json),
                    Some(random) => random
                        .choice(&path.all(json))
                        .map(|value| Found::Json(value)),
                }
            }
            Self::Regex(regex) => {
                let body = searched_text(answer.exchange.body);
                let matches = regex.captures_iter(&body).filter_map(|groups| {
                    let found = groups.get(1).or_else(|| groups.get(0))?;
                    Some(found.as_str().to_owned())
                });
                let found = match random {
                    None => { matches }.next(),
                    Some(random) => random
                        .choice(&matches.take(MATCHES_MAX).collect::<Vec<_>>())
                        .cloned(),
                };
                found.map(|found| Found::Text(Cow::Owned(found)))
            }
        }
    }
}

impl Found<'_> {
    /// As the value of a variable: a text, a number or a truth value of a bounded length that is not empty.
    pub(crate) fn into_value(self) -> Option<String> {
        let value = match self {
            Self::Text(text) => text.into_owned(),
            Self::Body(body) if body.len() <= VALUE_BYTES_MAX => {
                std::str::from_utf8(body).ok()?.to_owned()
            }
            Self::Json(Value::String(text)) => text.clone(),
            Self::Json(Value::Number(number)) => number.to_string(),
            Self::Json(Value::Bool(truth)) => truth.to_string(),
            Self::Body(_) | Self::Json(Value::Null | Value::Array(_) | Value::Object(_)) => {
                return None;
            }
        };
        (!value.is_empty() && value.len() <= VALUE_BYTES_MAX).then_some(value)
    }
}

/// A regular expression that is small enough to be applied to every answer.
pub(crate) fn compile_regex(pattern: &str) -> Result<Regex, String> {
    let regex = RegexBuilder::new(pattern)
        .size_limit(REGEX_BYTES_MAX)
        .build();
    regex.map_err(|error| format!("is not a regular expression ({error})"))
}

/// The part of a body in which regular expressions search; what is no UTF-8 is replaced.
pub(crate) fn searched_text(body: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(body.get(..SEARCHED_BYTES_MAX).unwrap_or(body))
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
pub(crate) const VALUE_BYTES_MAX: usize = 4 * 1024;

/// Also bounds how deep a path can be nested.
const EXTRACTOR_BYTES_MAX: usize = 256;

/// With the next, this bounds the time of a search: about a hundred states for each byte.
const REGEX_BYTES_MAX: usize = 16 * 1024;

const SEARCHED_BYTES_MAX: usize = 256 * 1024;

const MATCHES_MAX: usize = 1_000;
