//! From the text of a template to its parts.

use super::error::{TemplateError, shown};
use super::escape::Escape;
use super::expression::split_place;
use super::source::Source;
use crate::data::Table;

/// A text with places to fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub(super) parts: Vec<Part>,
    pub(super) capacity: usize, // what a rendered text is expected to need
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Value(Source, Escape, String), // and what stands between the braces
}

/// What is known where a template stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// The names that steps extract, in the order of their [`VariableId`](super::VariableId).
    pub variables: &'a [String],
    /// The tables of data, in the plan's order.
    pub tables: &'a [Table],
    /// The names in the `env` of the plan's scenarios, each once.
    pub env: &'a [String],
}

impl Template {
    /// Parses a text with places such as `{{tenant}}` or `{{randomInt(1,6)}}`.
    ///
    /// # Errors
    /// A place is not closed or not understood, or the text is too large.
    pub fn parse(text: &str, escape: Escape, names: Names<'_>) -> Result<Self, TemplateError> {
        let mut builder = TemplateBuilder::new(names);
        builder.text(text, escape)?;
        Ok(builder.finish())
    }

    /// A text without places.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        let mut builder = TemplateBuilder::new(Names::default());
        builder.literal(text);
        builder.finish()
    }

    /// Whether a place refers to the tenant.
    #[must_use]
    pub fn uses_tenant(&self) -> bool {
        self.uses(&|source| *source == Source::Tenant)
    }

    /// Whether a place refers to the key of an object.
    #[must_use]
    pub fn uses_key(&self) -> bool {
        self.uses(&|source| *source == Source::Key)
    }

    /// Whether a place refers to a variable.
    #[must_use]
    pub fn uses_variable(&self) -> bool {
        self.uses(&|source| matches!(source, Source::Variable(_)))
    }

    /// Whether a place refers to this table of data.
    #[must_use]
    pub fn uses_table(&self, table: u16) -> bool {
        self.uses(&|source| matches!(source, Source::Data { table: used, .. } if *used == table))
    }

    /// Whether a place refers to the value of this place in the list of names in `env`.
    #[must_use]
    pub fn uses_env(&self, name: u16) -> bool {
        self.uses(&|source| matches!(source, Source::Env(used) if *used == name))
    }

    /// The text before the first place.
    #[must_use]
    pub fn literal_start(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            _ => "",
        }
    }

    /// The text with its places as they were written, such as `/posts/{{postId}}`.
    #[must_use]
    pub fn as_written(&self) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Literal(text) => text.clone(),
            Part::Value(_, _, written) => format!("{{{{{written}}}}}"),
        });
        parts.collect()
    }

    fn uses(&self, wanted: &dyn Fn(&Source) -> bool) -> bool {
        let mut values = self.parts.iter().filter_map(|part| match part {
            Part::Value(source, ..) => Some(source),
            Part::Literal(_) => None,
        });
        values.any(|source| source.is_or_holds(wanted))
    }
}

/// Puts a template together from texts that stand in different places, such as the strings of a JSON body.
#[derive(Debug)]
pub struct TemplateBuilder<'a> {
    names: Names<'a>,
    parts: Vec<Part>,
    bytes: usize,
    values: usize,
}

impl<'a> TemplateBuilder<'a> {
    /// An empty template, in which `names` are known.
    #[must_use]
    pub const fn new(names: Names<'a>) -> Self {
        Self {
            names,
            parts: Vec::new(),
            bytes: 0,
            values: 0,
        }
    }

    /// Appends a text that is taken as it is, whatever it holds.
    pub fn literal(&mut self, text: &str) {
        self.bytes = self.bytes.saturating_add(text.len());
        if let Some(Part::Literal(last)) = self.parts.last_mut() {
            last.push_str(text);
        } else if !text.is_empty() {
            self.parts.push(Part::Literal(text.to_owned()));
        }
    }

    /// Appends a text with places; values are escaped, the text between them is taken as it is.
    ///
    /// # Errors
    /// As for [`Template::parse`].
    pub fn text(&mut self, text: &str, escape: Escape) -> Result<(), TemplateError> {
        self.text_with(text, escape, |literal, out| out.push_str(literal))
    }

    /// As [`text`](Self::text), with the text between the places written by `write_literal`.
    ///
    /// # Errors
    /// As for [`Template::parse`].
    pub fn text_with(
        &mut self,
        text: &str,
        escape: Escape,
        write_literal: impl Fn(&str, &mut String),
    ) -> Result<(), TemplateError> {
        if self.bytes.saturating_add(text.len()) > TEMPLATE_BYTES_MAX {
            return Err(TemplateError::TooLong);
        }
        let mut rest = text;
        while let Some((before, place)) = rest.split_once("{{") {
            self.written(before, &write_literal);
            let (inside, after) = split_place(place).ok_or_else(|| TemplateError::NotClosed {
                place: shown(place),
            })?;
            let source = Source::parse(inside.trim(), self.names)?;
            self.values += 1;
            if self.values > PLACES_MAX {
                return Err(TemplateError::TooManyPlaces);
            }
            let written = inside.trim().to_owned();
            self.parts.push(Part::Value(source, escape, written));
            rest = after;
        }
        self.written(rest, &write_literal);
        Ok(())
    }

    /// The template.
    #[must_use]
    pub fn finish(self) -> Template {
        Template {
            capacity: self
                .bytes
                .saturating_add(self.values.saturating_mul(VALUE_BYTES_TYPICAL)),
            parts: self.parts,
        }
    }

    fn written(&mut self, literal: &str, write: impl Fn(&str, &mut String)) {
        let mut text = String::with_capacity(literal.len());
        write(literal, &mut text);
        self.literal(&text);
    }
}

/// A body of this size is already unusual for a flow; generated content has no such limit.
const TEMPLATE_BYTES_MAX: usize = 64 * 1024;

const PLACES_MAX: usize = 256;

/// A first guess at the length of a value, which saves most growing of the rendered text.
const VALUE_BYTES_TYPICAL: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::template::is_variable_name;

    fn error(text: &str) -> String {
        let names = Names {
            variables: &["token".to_owned()],
            tables: &[],
            env: &[],
        };
        Template::parse(text, Escape::Plain, names)
            .expect_err(text)
            .to_string()
    }

    #[test]
    fn mistakes_are_named_with_what_is_accepted() {
        assert_eq!(
            error("a{{token"),
            "the place {{token is not closed: it must end in }}"
        );
        assert!(error("{{tokn}}").starts_with("unknown variable \"tokn\": accepted are"));
        for text in [
            "{{}}",
            "{{ }}",
            "{{1a}}",
            "{{a b}}",
            "{{randomInt}}",
            "{{randomInt(1)}}",
            "{{randomInt(2,1)}}",
            "{{randomInt(-1,1)}}",
            "{{randomInt(1,99999999999999999999)}}",
            "{{choice()}}",
            "{{choice(a,)}}",
            "{{foo(1)}}",
            "{{userId(1)}}",
            "{{token}",
            "{{randomInt(1,2}}",
            "{{é}}",
            "{{base64()}}",
            "{{base64(a b)}}",
            "{{sha256('a', 'b')}}",
            "{{randomString(0)}}",
            "{{randomString(2000)}}",
            "{{randomString(token)}}",
            "{{base64(mediaBytes)}}",
            "{{upper(tokn)}}",
            "{{data}}",
            "{{data.users}}",
            "{{token.a}}",
        ] {
            error(text);
        }
        for (text, expected) in [
            (
                "{{foo(1)}}",
                "unknown function \"foo\": accepted are randomInt(a,b), ",
            ),
            ("{{sha256(token, vu)}}", "sha256 takes 1 argument, not 2"),
            (
                "{{hmacSha256(token)}}",
                "hmacSha256 takes 2 arguments, not 1",
            ),
            (
                "{{base64(base64(base64(base64(base64(token)))))}}",
                "more than 4 calls inside of each other",
            ),
            (
                "{{data.users.email}}",
                "unknown table \"users\": the scenario has no data",
            ),
        ] {
            assert!(error(text).contains(expected), "{text}: {}", error(text));
        }
        assert!(error("x{{mediaBytes}}").contains("only as a whole body"));
        assert!(error(&"x".repeat(TEMPLATE_BYTES_MAX + 1)).contains("longer than"));
        assert!(error(&"{{vu}}".repeat(PLACES_MAX + 1)).contains("places"));
    }

    #[test]
    fn single_braces_are_text() {
        for text in ["{", "}", "}}", "{a}", "a } } b"] {
            assert_eq!(
                Template::parse(text, Escape::Plain, Names::default()),
                Ok(Template::literal(text))
            );
        }
    }

    #[test]
    fn built_in_names_are_not_for_variables() {
        assert!(is_variable_name("postId") && is_variable_name("_a1") && is_variable_name("token"));
        for name in ["", "userId", "choice", "1a", "a-b", "a b", &"x".repeat(65)] {
            assert!(!is_variable_name(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let _ = Template::parse(&text, Escape::Json, Names::default());
        }

        #[test]
        fn no_near_template_is_too_strange(text in "([{}(),a ]|\\{\\{|\\}\\}|userId|choice|randomInt|1){0,24}") {
            let _ = Template::parse(&text, Escape::Url, Names::default());
        }
    }
}
