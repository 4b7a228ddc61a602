//! How a value is written so that it stays inside its place.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The place that a value is filled into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Plain text: nothing is escaped.
    Plain,
    /// A path segment or a query parameter of a URL, or a form field: percent-encoded.
    Url,
    /// The inside of a JSON string.
    Json,
    /// The value of a header field: everything but visible ASCII, spaces and tabs is left out.
    Header,
}

impl Escape {
    /// Appends `value` to `out` as this place needs it.
    pub fn append(self, value: &str, out: &mut String) {
        match self {
            Self::Plain => out.push_str(value),
            Self::Url => out.extend(utf8_percent_encode(value, URL_VALUE)),
            Self::Json => append_json(value, out),
            Self::Header if value.chars().all(is_header_char) => out.push_str(value),
            Self::Header => out.extend(value.chars().filter(|c| is_header_char(*c))),
        }
    }
}

/// Whether a character may stand in a header field everywhere: RFC 9110 allows more, but not every client does.
pub(crate) const fn is_header_char(c: char) -> bool {
    matches!(c, ' '..='~' | '\t')
}

fn append_json(value: &str, out: &mut String) {
    let needs_escape = |b: u8| b < 0x20 || b == b'"' || b == b'\\';
    if !value.bytes().any(needs_escape) {
        return out.push_str(value);
    }
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c)); // a String takes all
            }
            c => out.push(c),
        }
    }
}

/// Everything but the unreserved characters of RFC 3986.
const URL_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(escape: Escape, value: &str) -> String {
        let mut out = String::new();
        escape.append(value, &mut out);
        out
    }

    #[test]
    fn a_value_cannot_leave_its_place() {
        assert_eq!(
            escaped(Escape::Url, "a/b?c=d&e#f %é"),
            "a%2Fb%3Fc%3Dd%26e%23f%20%25%C3%A9"
        );
        assert_eq!(
            escaped(Escape::Header, "a\r\nX-Evil: 1\0\u{7f}é"),
            "aX-Evil: 1"
        );
        assert_eq!(
            escaped(Escape::Json, "a\"b\\c\n\u{1}"),
            "a\\\"b\\\\c\\n\\u0001"
        );
    }

    proptest! {
        #[test]
        fn json_values_read_back(value in any::<String>()) {
            let json = format!("\"{}\"", escaped(Escape::Json, &value));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value);
        }

        #[test]
        fn url_values_read_back(value in any::<String>()) {
            let text = escaped(Escape::Url, &value);
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
            prop_assert_eq!(percent_encoding::percent_decode_str(&text).decode_utf8().unwrap(), value);
        }

        #[test]
        fn header_values_hold_no_control_characters(value in any::<String>()) {
            prop_assert!(escaped(Escape::Header, &value).bytes().all(|b| (0x20..0x7f).contains(&b) || b == b'\t'));
        }
    }
}
