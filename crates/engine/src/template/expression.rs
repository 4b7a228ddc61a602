//! The grammar of what stands in a place: `name`, `data.table.column`, and calls such as
//! `base64(token)` or `hmacSha256('key', lower(token))`.
//!
//! Invariant: reading ends for every text, and nesting is bounded.

/// What stands in a place, before names are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression<'a> {
    /// A name, or names with dots between them.
    Name(&'a str),
    /// Digits.
    Number(&'a str),
    /// A text of the template's author: in quotes, or an argument of `choice`.
    Text(&'a str),
    /// A function and its arguments.
    Call(&'a str, Vec<Self>),
}

/// Why a place is not an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// It does not follow the grammar.
    Grammar,
    /// Calls stand inside of calls too often.
    TooDeep,
}

impl<'a> Expression<'a> {
    /// Reads all of `text`.
    pub(super) fn parse(text: &'a str) -> Result<Self, Malformed> {
        let mut reader = Reader { rest: text.trim() };
        let expression = reader.expression(0)?;
        if reader.rest.is_empty() {
            Ok(expression)
        } else {
            Err(Malformed::Grammar)
        }
    }

    /// Whether it holds nothing but names and numbers, no text of the template's author.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Name(_) => true,
            Self::Number(_) | Self::Text(_) => false,
            Self::Call("randomInt" | "randomString", arguments) => {
                arguments.iter().all(|a| matches!(a, Self::Number(_)))
            }
            Self::Call(_, arguments) => arguments.iter().all(Self::is_open),
        }
    }
}

/// Splits what follows `{{` at the end of the place. `}}` inside the parentheses of a call does not end it,
/// nor do parentheses inside of quotes count.
pub(crate) fn split_place(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_u32;
    let mut quote = None;
    let mut before = ' '; // the last character that is no space
    for (at, c) in text.char_indices() {
        if let Some(open) = quote {
            if c == open {
                quote = None;
            }
        } else if depth > 0 && is_quote(c) && matches!(before, '(' | ',') {
            quote = Some(c);
        } else if c == '(' {
            depth += 1;
        } else if c == ')' {
            depth = depth.checked_sub(1)?;
        } else if depth == 0 && text.get(at..)?.starts_with("}}") {
            return Some((text.get(..at)?, text.get(at + 2..)?));
        }
        if c != ' ' {
            before = c;
        }
    }
    None
}

/// Whether a text is a name: letters, digits and `_`, not beginning with a digit, at most 64 characters.
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= NAME_BYTES_MAX
        && bytes
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn expression(&mut self, depth: u32) -> Result<Expression<'a>, Malformed> {
        if depth > DEPTH_MAX {
            return Err(Malformed::TooDeep);
        }
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        if word.is_empty() {
            return Err(Malformed::Grammar);
        }
        if word.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Expression::Number(word));
        }
        if !word.split('.').all(is_identifier) {
            return Err(Malformed::Grammar);
        }
        let after_name = self.rest;
        self.spaces();
        if !self.eat('(') {
            self.rest = after_name.trim_start();
            return Ok(Expression::Name(word));
        }
        let mut arguments = Vec::new();
        loop {
            self.spaces();
            arguments.push(self.argument(word, depth)?);
            self.spaces();
            if self.eat(')') {
                break;
            }
            if !self.eat(',') || arguments.len() >= ARGUMENTS_MAX {
                return Err(Malformed::Grammar);
            }
        }
        self.spaces();
        Ok(Expression::Call(word, arguments))
    }

    fn argument(&mut self, function: &str, depth: u32) -> Result<Expression<'a>, Malformed> {
        if let Some(quote) = self.rest.chars().next().filter(|c| is_quote(*c)) {
            let inside = self.rest.get(1..).ok_or(Malformed::Grammar)?;
            let (text, after) = inside.split_once(quote).ok_or(Malformed::Grammar)?;
            self.rest = after;
            return Ok(Expression::Text(text));
        }
        if function == "choice" {
            let text = self
                .take_while(|c| !matches!(c, ',' | '(' | ')'))
                .trim_end();
            return if text.is_empty() {
                Err(Malformed::Grammar)
            } else {
                Ok(Expression::Text(text))
            };
        }
        self.expression(depth + 1)
    }

    fn take_while(&mut self, accepts: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !accepts(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn eat(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

const fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '"')
}

/// Deeper calls are no longer readable.
const DEPTH_MAX: u32 = 4;

/// Enough for `choice`; all others take one or two.
const ARGUMENTS_MAX: usize = 256;

const NAME_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn calls_hold_names_numbers_texts_and_calls() {
        use Expression::{Call, Name, Number, Text};
        for (text, expected) in [
            ("token", Name("token")),
            (" data.users.email ", Name("data.users.email")),
            (
                "f( 12 , 'a, (b)' ,g(x) )",
                Call(
                    "f",
                    vec![Number("12"), Text("a, (b)"), Call("g", vec![Name("x")])],
                ),
            ),
            (
                "choice(a b, it's,\"x\")",
                Call("choice", vec![Text("a b"), Text("it's"), Text("x")]),
            ),
        ] {
            assert_eq!(Expression::parse(text), Ok(expected));
        }
        for text in [
            "",
            "1a",
            "a b",
            "f(",
            "f()",
            "f(a",
            "f(a))",
            "f(a)b",
            "choice(,)",
            "choice(a(b))",
            "a..b",
            "f('a)",
            "é",
        ] {
            assert_eq!(Expression::parse(text), Err(Malformed::Grammar), "{text}");
        }
        assert_eq!(
            Expression::parse("f(f(f(f(f(x)))))"),
            Err(Malformed::TooDeep)
        );
    }

    #[test]
    fn places_end_outside_of_calls() {
        for (text, expected) in [
            ("a}}b", Some(("a", "b"))),
            ("f(}})}}b}}", Some(("f(}})", "b}}"))),
            ("f(')', x)}}", Some(("f(')', x)", ""))),
            ("choice(it's,b)}}c", Some(("choice(it's,b)", "c"))),
            ("f(}}", None),
            ("a)}}", None),
            ("", None),
        ] {
            assert_eq!(split_place(text), expected, "{text}");
        }
    }

    #[test]
    fn only_texts_of_the_author_are_not_open() {
        for (text, open) in [
            ("token", true),
            ("base64(token)", true),
            ("randomInt(1, 2)", true),
            ("data.users.password", true),
            ("1234", false),
            ("choice(a)", false),
            ("hmacSha256('key', token)", false),
            ("hmacSha256(123, token)", false),
        ] {
            assert_eq!(
                Expression::parse(text).map(|e| e.is_open()),
                Ok(open),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>(), near in "([{}()a,'\" .]|\\}\\}|choice|1){0,32}") {
            for text in [text, near] {
                let _ = Expression::parse(&text);
                let _ = split_place(&text);
            }
        }
    }
}
