//! From a template to the text of one request.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::escape::Escape;
use super::parse::{Part, Source, Template};
use crate::content;
use crate::random::Random;

/// The place of a variable in a plan's list of variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VariableId(pub u16);

/// What a template may refer to when it is rendered.
#[derive(Clone, Copy, Debug)]
pub struct RenderContext<'a> {
    /// The number of the virtual user, from 0.
    pub vu: u32,
    /// The number of the user's iteration, from 0.
    pub iteration: u32,
    /// The tenant that the user belongs to.
    pub tenant: &'a str,
    /// The variant of the application that is played, if it has variants.
    pub variant: Option<&'a str>,
    /// The user's variables, by [`VariableId`].
    pub variables: &'a [Option<String>],
    /// Unix time in milliseconds.
    pub unix_ms: u64,
}

impl Template {
    /// Fills in the places. A variable without a value is filled in as nothing.
    #[must_use]
    pub fn render(&self, context: &RenderContext<'_>, random: &mut Random) -> String {
        let mut out = String::with_capacity(self.capacity);
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Value(source, escape) => source.append(*escape, context, random, &mut out),
            }
        }
        out
    }
}

impl Source {
    /// Numbers and identifiers are of letters, digits and `-`, which need no escaping anywhere.
    fn append(
        &self,
        escape: Escape,
        context: &RenderContext<'_>,
        random: &mut Random,
        out: &mut String,
    ) {
        match self {
            Self::UserId => content::append_user_id(context.vu, out),
            Self::Tenant => escape.append(context.tenant, out),
            Self::Variant => escape.append(context.variant.unwrap_or_default(), out),
            Self::Iteration => append_number(context.iteration, out),
            Self::Vu => append_number(context.vu, out),
            Self::Timestamp => append_number(context.unix_ms, out),
            Self::Uuid => append_uuid(random, out),
            Self::RandomInt(low, high) => append_number(random.between(*low, *high), out),
            Self::PostTitle => escape.append(&content::post_title(random), out),
            Self::PostMarkdown => escape.append(&content::post_markdown(random), out),
            Self::Choice(items) => {
                escape.append(random.choice(items).map_or("", String::as_str), out);
            }
            Self::Variable(VariableId(id)) => {
                let value = context.variables.get(usize::from(*id));
                escape.append(value.and_then(Option::as_deref).unwrap_or_default(), out);
            }
        }
    }
}

fn append_number(number: impl Into<u64>, out: &mut String) {
    let _ = write!(out, "{}", number.into()); // a String takes all
}

/// A random UUID (version 4, RFC 9562).
fn append_uuid(random: &mut Random, out: &mut String) {
    let (high, low) = (random.bits(), random.bits());
    let high = (high & !0xF000) | 0x4000;
    let low = (low & (u64::MAX >> 2)) | (1 << 63);
    let _ = write!(
        out,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xFFFF,
        high & 0xFFFF,
        low >> 48,
        low & 0xFFFF_FFFF_FFFF
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str, escape: Escape) -> String {
        let names = ["token".to_owned(), "postId".to_owned()];
        let context = RenderContext {
            vu: 42,
            iteration: 7,
            tenant: "oak & ash",
            variant: Some("long"),
            variables: &[None, Some("a/b".to_owned())],
            unix_ms: 1_700_000_000_123,
        };
        let template = Template::parse(text, escape, &names).expect(text);
        template.render(&context, &mut Random::for_purpose(1, 2))
    }

    #[test]
    fn places_are_filled_in_and_escaped() {
        assert_eq!(
            render(
                "/t/{{tenant}}/{{ userId }}/{{postId}}?v={{vu}}.{{iteration}}&x={{variant}}&{{timestamp}}",
                Escape::Url
            ),
            "/t/oak%20%26%20ash/user-000042/a%2Fb?v=42.7&x=long&1700000000123"
        );
        assert_eq!(
            render("Bearer {{token}}!", Escape::Header),
            "Bearer !",
            "no value yet"
        );
    }

    #[test]
    fn chance_stays_within_what_was_asked_for() {
        for _ in 0..50 {
            let number: u64 = render("{{randomInt(3, 5)}}", Escape::Plain)
                .parse()
                .unwrap();
            assert!((3..=5).contains(&number));
            assert!(
                ["a b", "}}", "c"]
                    .contains(&render("{{choice(a b,}},c)}}", Escape::Plain).as_str())
            );
        }
    }

    #[test]
    fn uuids_have_version_and_variant() {
        let uuid = render("{{uuid}}", Escape::Url);
        let bytes = uuid.as_bytes();
        assert_eq!(uuid.len(), 36, "{uuid}");
        assert_eq!(bytes[14], b'4', "{uuid}");
        assert!(b"89ab".contains(&bytes[19]), "{uuid}");
    }

    #[test]
    fn the_same_random_numbers_give_the_same_text() {
        let text = "{{uuid}}{{postTitle}}{{postMarkdown}}{{randomInt(0,1000000)}}";
        assert_eq!(render(text, Escape::Json), render(text, Escape::Json));
    }
}
