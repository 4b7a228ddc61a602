//! Secrets in single texts.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::template::{is_open_place, split_place};

/// What stands where a secret was.
pub const REDACTED: &str = "[redacted]";

/// Removes from a text what is recognised as a secret without a name beside it: credentials and secret
/// parameters in URLs, `Bearer` and `Basic` credentials, and JSON Web Tokens.
#[must_use]
pub fn redact_text(text: &str) -> String {
    until_stable(text, redact_words)
}

/// Redacts until another time would change nothing, so that what is stored once more stays as it is: what one
/// pass removes can be what kept the next from seeing a secret, as in `Bearer {{ token=x }}`.
pub(super) fn until_stable(text: &str, redact: impl Fn(&str) -> String) -> String {
    let mut text = redact(text);
    for _ in 0..PASSES_MAX {
        let again = redact(&text);
        if again == text {
            return text;
        }
        text = again;
    }
    REDACTED.to_owned()
}

fn redact_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut scheme = None;
    for (word, separator) in
        split_outside_places(text, &[' ', '\t', '\n', '\r', '"', '\'', '<', '>'])
    {
        let redacted = match scheme {
            Some("bearer") if !is_prose(word) => redact_literals(word),
            Some("basic") if looks_random(word) => redact_literals(word),
            _ => redact_word(word),
        };
        out.push_str(&redacted);
        out.extend(separator);
        if !word.is_empty() {
            scheme = ["bearer", "basic"]
                .into_iter()
                .find(|scheme| word.eq_ignore_ascii_case(scheme));
        }
    }
    out
}

/// Whether a name says that its value is a secret.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let decoded = percent_decode_str(name).decode_utf8_lossy();
    let plain: String = decoded
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    SECRET_NAMES.iter().any(|secret| plain.contains(secret))
}

/// Removes the literal parts of a value whose name says that it is a secret.
pub(super) fn redact_value(name: &str, value: &str) -> String {
    until_stable(value, |value| redact_value_once(name, value))
}

fn redact_value_once(name: &str, value: &str) -> String {
    let name = name.to_ascii_lowercase();
    if name.contains("cookie") {
        return redact_cookies(value);
    }
    if name.contains("authorization") {
        let scheme = SCHEMES.iter().find_map(|scheme| {
            let (start, rest) = value.split_at_checked(scheme.len())?;
            (start.eq_ignore_ascii_case(scheme) && rest.starts_with(' ')).then_some((start, rest))
        });
        if let Some((scheme, rest)) = scheme {
            return format!("{scheme}{}", redact_literals(rest));
        }
    }
    redact_literals(value)
}

/// Removes secrets from `a=b&c=d`; `None` if the text is no form.
pub(super) fn redact_form(text: &str) -> Option<String> {
    let pieces = split_outside_places(text, &['&']);
    let is_pair = |piece: &str| {
        split_once_outside_places(piece, '=').is_some_and(|(name, _)| {
            !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || "<{\":".contains(c))
        })
    };
    pieces
        .iter()
        .all(|(piece, _)| is_pair(piece))
        .then(|| redact_word(text))
}

/// A cookie's name is kept, so that one sees which cookies there are.
fn redact_cookies(value: &str) -> String {
    let mut out = String::new();
    for (pair, separator) in split_outside_places(value, &[';']) {
        match split_once_outside_places(pair, '=') {
            Some((name, value)) if !name.contains("{{") => {
                out.push_str(name);
                out.push('=');
                out.push_str(&redact_literals(value));
            }
            _ => out.push_str(&redact_literals(pair)),
        }
        out.extend(separator);
    }
    out
}

/// Replaces everything but white space at the ends and places that hold nothing literal.
fn redact_literals(value: &str) -> String {
    map_literals(value, push_redacted)
}

/// Writes each stretch of text between places that hold nothing literal with `write`, and those places as
/// they are.
fn map_literals(value: &str, write: impl Fn(&str, &mut String)) -> String {
    let mut out = String::with_capacity(value.len());
    let mut literal = String::new();
    let mut rest = value;
    while !rest.is_empty() {
        if let Some((place, after)) = place_at(rest)
            && is_open_place(place)
        {
            write(&literal, &mut out);
            literal.clear();
            out.push_str("{{");
            out.push_str(place);
            out.push_str("}}");
            rest = after;
        } else {
            let mut chars = rest.chars();
            literal.extend(chars.next());
            rest = chars.as_str();
        }
    }
    write(&literal, &mut out);
    out
}

fn push_redacted(literal: &str, out: &mut String) {
    let core = literal.trim();
    if core.is_empty() {
        return out.push_str(literal);
    }
    let before = literal.len() - literal.trim_start().len();
    out.push_str(literal.get(..before).unwrap_or_default());
    out.push_str(REDACTED);
    out.push_str(literal.get(before + core.len()..).unwrap_or_default());
}

/// A word of a text: perhaps a URL, parameters, or a token.
fn redact_word(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for (piece, separator) in split_outside_places(word, &['?', '&', '#', ';']) {
        match split_once_outside_places(piece, '=') {
            Some((name, value)) if is_secret_name(last_of_path(name)) => {
                out.push_str(name);
                out.push('=');
                out.push_str(&redact_literals(value));
            }
            _ => out.push_str(&redact_userinfo(&map_literals(piece, push_without_tokens))),
        }
        out.extend(separator);
    }
    out
}

fn last_of_path(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn redact_userinfo(piece: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = piece.split_once("://") else {
        return Cow::Borrowed(piece);
    };
    let authority = rest.split('/').next().unwrap_or(rest);
    match authority.rsplit_once('@') {
        Some((_, host)) => {
            let path = rest.strip_prefix(authority).unwrap_or_default();
            Cow::Owned(format!("{scheme}://{REDACTED}@{host}{path}"))
        }
        None => Cow::Borrowed(piece),
    }
}

/// Every JSON Web Token begins with an encoded `{"`.
fn push_without_tokens(literal: &str, out: &mut String) {
    let mut rest = literal;
    while let Some((before, token)) = rest.find("eyJ").and_then(|at| rest.split_at_checked(at)) {
        out.push_str(before);
        let in_token = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        rest = token.trim_start_matches(in_token);
        let token = token.strip_suffix(rest).unwrap_or(token);
        if token.len() < JSON_WEB_TOKEN_BYTES_MIN {
            out.push_str(token);
        } else {
            out.push_str(REDACTED);
        }
    }
    out.push_str(rest);
}

/// The place that `text` begins with and what follows it.
fn place_at(text: &str) -> Option<(&str, &str)> {
    split_place(text.strip_prefix("{{")?)
}

/// Pieces with the separator that ended them; separators inside places do not count.
fn split_outside_places<'a>(text: &'a str, separators: &[char]) -> Vec<(&'a str, Option<char>)> {
    let mut pieces = Vec::new();
    let mut start = text;
    let mut rest = text;
    let before =
        |start: &'a str, rest: &str| start.get(..start.len() - rest.len()).unwrap_or(start);
    while let Some(c) = rest.chars().next() {
        if let Some((_, after)) = place_at(rest) {
            rest = after;
            continue;
        }
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        if separators.contains(&c) {
            pieces.push((before(start, rest), Some(c)));
            start = after;
        }
        rest = after;
    }
    pieces.push((start, None));
    pieces
}

fn split_once_outside_places(text: &str, separator: char) -> Option<(&str, &str)> {
    let (first, found) = split_outside_places(text, &[separator])
        .into_iter()
        .next()?;
    found?;
    let rest = text.strip_prefix(first)?.strip_prefix(separator)?;
    Some((first, rest))
}

/// What follows the word "bearer" when people write about it. Nobody writes `token=` about it.
fn is_prose(word: &str) -> bool {
    if word.contains('=') {
        return false;
    }
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    ["", "token", "tokens", "authentication", "auth"]
        .iter()
        .any(|prose| word.eq_ignore_ascii_case(prose))
}

fn looks_random(word: &str) -> bool {
    word.len() >= 8 && word.contains(|c: char| c.is_ascii_digit() || c == '=' || c == '+')
}

/// In lower case, without punctuation; a name that contains one of them names a secret.
const SECRET_NAMES: [&str; 15] = [
    "authorization",
    "cookie",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "sessionid",
    "jwt",
    "signature",
];

const JSON_WEB_TOKEN_BYTES_MIN: usize = 16;

/// Two are the most that any text was seen to need.
const PASSES_MAX: usize = 8;

/// How a value of `Authorization` may begin (IANA's registry, and what people use beside it).
const SCHEMES: [&str; 5] = ["Bearer", "Basic", "Digest", "Token", "ApiKey"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "Authorization",
            "proxy-authorization",
            "Set-Cookie",
            "X-API-KEY",
            "x_api_key",
            "apiKey",
            "ACCESS_TOKEN",
            "client-secret",
            "userPassword",
            "%70assword",
            "refresh.token",
            "db_pwd",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "user",
            "title",
            "tenant",
            "content-type",
            "accept",
            "page",
            "key",
            "author",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn values_keep_only_their_places_and_their_scheme() {
        for (name, value, expected) in [
            ("authorization", "Bearer {{token}}", "Bearer {{token}}"),
            ("authorization", "bearer abc", "bearer [redacted]"),
            ("authorization", "Bearerabc", "[redacted]"),
            ("authorization", "abc Bearer", "[redacted]"),
            ("password", "Bearer abc", "[redacted]"),
            (
                "password",
                "{{token}}x{{ userId }}",
                "{{token}}[redacted]{{ userId }}",
            ),
            (
                "password",
                "{{randomInt(1,2)}}{{choice(a,b)}}",
                "{{randomInt(1,2)}}[redacted]",
            ),
            ("password", "{{hunter 2}}{{token", "[redacted]"),
            ("password", "", ""),
            (
                "cookie",
                "a=b; c={{token}}d ;e",
                "a=[redacted]; c={{token}}[redacted] ;[redacted]",
            ),
            ("cookie", "{{choice(a=b;c)}}", "[redacted]"),
            ("x-token", "é", "[redacted]"),
        ] {
            assert_eq!(redact_value(name, value), expected, "{name}: {value}");
        }
    }

    #[test]
    fn secrets_in_running_text_are_found() {
        for (text, expected) in [
            (
                "GET https://a.com/x?token=abc&b=c failed",
                "GET https://a.com/x?token=[redacted]&b=c failed",
            ),
            ("https://u:p@a.com/x", "https://[redacted]@a.com/x"),
            ("sent Bearer abc.def to x", "sent Bearer [redacted] to x"),
            ("a bearer token is needed", "a bearer token is needed"),
            ("Basic dXNlcjpwYXNz1=", "Basic [redacted]"),
            ("a basic example", "a basic example"),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.abc", "jwt [redacted]"),
            ("password=hunter2;x=y", "password=[redacted];x=y"),
            (
                "unknown variable \"token\": accepted are",
                "unknown variable \"token\": accepted are",
            ),
            ("/oauth/token?code={{code}}", "/oauth/token?code={{code}}"),
            ("", ""),
        ] {
            assert_eq!(redact_text(text), expected);
            assert_eq!(redact_text(expected), expected, "again");
        }
    }
}
