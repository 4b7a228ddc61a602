//! From the text of a template to its parts.

use super::escape::Escape;
use super::render::VariableId;

/// A text with places to fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub(super) parts: Vec<Part>,
    pub(super) capacity: usize, // what a rendered text is expected to need
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Value(Source, Escape),
}

/// Where the value of a place comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    UserId,
    Tenant,
    Variant,
    Iteration,
    Vu,
    Uuid,
    Timestamp,
    PostTitle,
    PostMarkdown,
    RandomInt(u64, u64),
    Choice(Vec<String>),
    Variable(VariableId),
}

impl Template {
    /// Parses a text with places such as `{{tenant}}` or `{{randomInt(1,6)}}`. `variables` are the names that
    /// steps extract, in the order of their [`VariableId`].
    ///
    /// # Errors
    /// A place is not closed or not understood, or the text is too large.
    pub fn parse(text: &str, escape: Escape, variables: &[String]) -> Result<Self, TemplateError> {
        let mut builder = TemplateBuilder::new(variables);
        builder.text(text, escape)?;
        Ok(builder.finish())
    }

    /// A text without places.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        let mut builder = TemplateBuilder::new(&[]);
        builder.literal(text);
        builder.finish()
    }

    /// Whether a place refers to the tenant.
    #[must_use]
    pub fn uses_tenant(&self) -> bool {
        self.sources().any(|source| *source == Source::Tenant)
    }

    /// The text before the first place to fill in.
    #[must_use]
    pub fn literal_start(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            _ => "",
        }
    }

    fn sources(&self) -> impl Iterator<Item = &Source> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(source, _) => Some(source),
            Part::Literal(_) => None,
        })
    }
}

/// Puts a template together from texts that stand in different places, such as the strings of a JSON body.
#[derive(Debug)]
pub struct TemplateBuilder<'a> {
    variables: &'a [String],
    parts: Vec<Part>,
    bytes: usize,
    values: usize,
}

impl<'a> TemplateBuilder<'a> {
    /// An empty template, in which `variables` are known.
    #[must_use]
    pub const fn new(variables: &'a [String]) -> Self {
        Self {
            variables,
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
            let source = source(inside.trim(), self.variables)?;
            self.values += 1;
            if self.values > PLACES_MAX {
                return Err(TemplateError::TooManyPlaces);
            }
            self.parts.push(Part::Value(source, escape));
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

/// Whether a name may be given to a variable: letters, digits and `_`, not beginning with a digit, at most 64
/// characters, and not the name of something built in.
#[must_use]
pub fn is_variable_name(name: &str) -> bool {
    is_identifier(name) && !BUILT_IN.contains(&name)
}

/// A text that is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Close the place with `}}`.
    #[error("the place {{{{{place} is not closed: it must end in }}}}")]
    NotClosed {
        /// How the place begins.
        place: String,
    },
    /// Extract the variable in some step, or correct its name.
    #[error(
        "unknown variable {name:?}: accepted are variables that a step of the plan extracts, token, sessionId, \
         userId, tenant, variant, iteration, vu, uuid, timestamp, randomInt(a,b), choice(a,b,…), postTitle, \
         postMarkdown and, as a whole body, mediaBytes"
    )]
    UnknownVariable {
        /// The name.
        name: String,
    },
    /// Use one of the functions that exist.
    #[error(
        "{place:?} is not understood: accepted are {{{{name}}}}, {{{{randomInt(a,b)}}}} with whole numbers a <= b, and {{{{choice(a,b,…)}}}}"
    )]
    NotUnderstood {
        /// What stands in the place.
        place: String,
    },
    /// Use it as the whole body.
    #[error("{{{{mediaBytes}}}} is binary and accepted only as a whole body")]
    MediaInText,
    /// Shorten the text.
    #[error("longer than {TEMPLATE_BYTES_MAX} bytes")]
    TooLong,
    /// Use fewer places.
    #[error("more than {PLACES_MAX} places to fill in")]
    TooManyPlaces,
}

/// Whether what stands in a place holds nothing but names and numbers, no text of the template's author.
pub(crate) fn is_open_place(place: &str) -> bool {
    let place = place.trim();
    is_identifier(place)
        || place.strip_prefix("randomInt").is_some_and(|rest| {
            rest.bytes()
                .all(|b| b.is_ascii_digit() || b"(), ".contains(&b))
        })
}

/// Splits what follows `{{` at the end of the place; `}}` inside the parentheses of a call does not end it.
pub(crate) fn split_place(text: &str) -> Option<(&str, &str)> {
    let end = text.find("}}");
    let open = text
        .find('(')
        .filter(|open| end.is_some_and(|end| *open < end));
    let Some(open) = open else {
        return text.split_once("}}");
    };
    let close = text.get(open..)?.find(')')?.checked_add(open)?;
    let end = text.get(close..)?.find("}}")?.checked_add(close)?;
    Some((text.get(..end)?, text.get(end..)?.strip_prefix("}}")?))
}

fn source(place: &str, variables: &[String]) -> Result<Source, TemplateError> {
    let not_understood = || TemplateError::NotUnderstood {
        place: shown(place),
    };
    if let Some((name, arguments)) = place.split_once('(') {
        let arguments: Vec<&str> = arguments
            .strip_suffix(')')
            .ok_or_else(not_understood)?
            .split(',')
            .map(str::trim)
            .collect();
        return call(name.trim_end(), &arguments).ok_or_else(not_understood);
    }
    Ok(match place {
        "userId" => Source::UserId,
        "tenant" => Source::Tenant,
        "variant" => Source::Variant,
        "iteration" => Source::Iteration,
        "vu" => Source::Vu,
        "uuid" => Source::Uuid,
        "timestamp" => Source::Timestamp,
        "postTitle" => Source::PostTitle,
        "postMarkdown" => Source::PostMarkdown,
        "mediaBytes" => return Err(TemplateError::MediaInText),
        name if BUILT_IN.contains(&name) || !is_identifier(name) => return Err(not_understood()),
        name => {
            let id = variables
                .iter()
                .position(|known| known == name)
                .and_then(|at| u16::try_from(at).ok())
                .ok_or_else(|| TemplateError::UnknownVariable {
                    name: name.to_owned(),
                })?;
            Source::Variable(VariableId(id))
        }
    })
}

fn call(name: &str, arguments: &[&str]) -> Option<Source> {
    match (name, arguments) {
        ("randomInt", [low, high]) => {
            let (low, high) = (low.parse().ok()?, high.parse().ok()?);
            (low <= high).then_some(Source::RandomInt(low, high))
        }
        ("choice", items) if items.len() <= CHOICES_MAX && items.iter().all(|i| !i.is_empty()) => {
            Some(Source::Choice(
                items.iter().map(|&item| item.to_owned()).collect(),
            ))
        }
        _ => None,
    }
}

fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= NAME_BYTES_MAX
        && bytes
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

const BUILT_IN: [&str; 12] = [
    "userId",
    "tenant",
    "variant",
    "iteration",
    "vu",
    "uuid",
    "timestamp",
    "postTitle",
    "postMarkdown",
    "mediaBytes",
    "randomInt",
    "choice",
];

/// A body of this size is already unusual for a flow; generated content has no such limit.
const TEMPLATE_BYTES_MAX: usize = 64 * 1024;

const PLACES_MAX: usize = 256;

const CHOICES_MAX: usize = 256;

const NAME_BYTES_MAX: usize = 64;

/// How much of a rejected text an error repeats.
const SHOWN_CHARS: usize = 40;

/// A first guess at the length of a value, which saves most growing of the rendered text.
const VALUE_BYTES_TYPICAL: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        Template::parse(text, Escape::Plain, &["token".to_owned()])
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
        ] {
            error(text);
        }
        assert!(error("x{{mediaBytes}}").contains("only as a whole body"));
        assert!(error(&"x".repeat(TEMPLATE_BYTES_MAX + 1)).contains("longer than"));
        assert!(error(&"{{vu}}".repeat(PLACES_MAX + 1)).contains("places"));
    }

    #[test]
    fn single_braces_are_text() {
        for text in ["{", "}", "}}", "{a}", "a } } b"] {
            assert_eq!(
                Template::parse(text, Escape::Plain, &[]),
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
            let _ = Template::parse(&text, Escape::Json, &[]);
        }

        #[test]
        fn no_near_template_is_too_strange(text in "([{}(),a ]|\\{\\{|\\}\\}|userId|choice|randomInt|1){0,24}") {
            let _ = Template::parse(&text, Escape::Url, &[]);
        }
    }
}
