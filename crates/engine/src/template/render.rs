//! From a template to the text of one request.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, SecondsFormat};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::escape::Escape;
use super::parse::{Part, Template};
use super::source::{Function, Source};
use crate::content;
use crate::data::Table;
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
    /// The tables of data.
    pub tables: &'a [Table],
    /// The places of the rows that the iteration was dealt, by table.
    pub rows: &'a [u32],
    /// The values of the scenario's `env`, by their place in the plan's list of names.
    pub env: &'a [Option<String>],
    /// The key of the object that the request goes to, if it goes to one.
    pub key: Option<u64>,
    /// Unix time in milliseconds.
    pub unix_ms: u64,
}

impl Template {
    /// Fills in the places. A variable without a value is filled in as the key, or as nothing where there is none.
    #[must_use]
    pub fn render(&self, context: &RenderContext<'_>, random: &mut Random) -> String {
        let mut out = String::with_capacity(self.capacity);
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Value(source, escape, _) => source.append(*escape, context, random, &mut out),
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
            Self::TimestampSeconds => append_number(context.unix_ms / 1_000, out),
            Self::IsoTime => escape.append(&iso_time(context.unix_ms), out),
            Self::Uuid => append_uuid(random, out),
            Self::RandomInt(low, high) => append_number(random.between(*low, *high), out),
            Self::RandomString(length) => {
                out.extend(
                    (0..*length)
                        .filter_map(|_| random.choice(LETTERS).copied())
                        .map(char::from),
                );
            }
            Self::PostTitle => escape.append(&content::post_title(random), out),
            Self::PostMarkdown => escape.append(&content::post_markdown(random), out),
            Self::Choice(items) => {
                escape.append(random.choice(items).map_or("", String::as_str), out);
            }
            Self::Variable(VariableId(id)) => match context.variables.get(usize::from(*id)) {
                Some(Some(value)) => escape.append(value, out),
                _ => append_key(context.key, out),
            },
            Self::Key => append_key(context.key, out),
            Self::Data { table, column } => {
                let table = usize::from(*table);
                let row = context.rows.get(table).copied().unwrap_or_default();
                let value = context
                    .tables
                    .get(table)
                    .and_then(|t| t.value(row, *column));
                escape.append(value.unwrap_or_default(), out);
            }
            Self::Env(name) => {
                let value = context.env.get(usize::from(*name));
                escape.append(value.and_then(Option::as_deref).unwrap_or_default(), out);
            }
            Self::Text(text) => escape.append(text, out),
            Self::Call(function, arguments) => {
                let mut texts = arguments.iter().map(|argument| {
                    let mut text = String::new();
                    argument.append(Escape::Plain, context, random, &mut text);
                    text
                });
                let first = texts.next().unwrap_or_default();
                let second = texts.next().unwrap_or_default();
                escape.append(&function.apply(&first, &second), out);
            }
        }
    }
}

impl Function {
    /// The second argument is empty for functions that take one.
    fn apply(self, first: &str, second: &str) -> String {
        match self {
            Self::Base64 => STANDARD.encode(first),
            Self::Base64Url => URL_SAFE_NO_PAD.encode(first),
            Self::Sha256 => hex(&Sha256::digest(first)),
            // HMAC takes keys of every length (RFC 2104).
            Self::HmacSha256 => Hmac::<Sha256>::new_from_slice(first.as_bytes())
                .map(|mac| hex(&mac.chain_update(second).finalize().into_bytes()))
                .unwrap_or_default(),
            Self::Upper => first.to_uppercase(),
            Self::Lower => first.to_lowercase(),
            Self::UrlEncode => {
                let mut out = String::new();
                Escape::Url.append(first, &mut out);
                out
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(out, "{byte:02x}"); // a String takes all
    }
    out
}

/// Such as `2026-01-04T04:00:00.000Z`.
fn iso_time(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms)
        .ok()
        .and_then(DateTime::from_timestamp_millis);
    time.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
        .unwrap_or_default()
}

/// Of which random texts are made: they need no escaping anywhere.
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn append_key(key: Option<u64>, out: &mut String) {
    if let Some(key) = key {
        append_number(key, out);
    }
}

fn append_number(number: impl Into<u64>, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(number.into()));
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
    use crate::scenario::{DataPer, DataPick};
    use crate::template::Names;

    fn render(text: &str, escape: Escape) -> String {
        let names = ["token".to_owned(), "postId".to_owned()];
        let tables = [Table {
            name: "users".to_owned(),
            columns: vec!["id".to_owned(), "mail".to_owned()],
            rows: vec![
                vec!["1".to_owned(), "a@b".to_owned()],
                vec!["2".to_owned(), "c@d".to_owned()],
            ],
            pick: DataPick::Sequential,
            per: DataPer::Iteration,
        }];
        let context = RenderContext {
            tables: &tables,
            rows: &[1],
            vu: 42,
            iteration: 7,
            tenant: "oak & ash",
            variant: Some("long"),
            variables: &[None, Some("a/b".to_owned())],
            env: &[Some("x y".to_owned())],
            key: None,
            unix_ms: 1_700_000_000_123,
        };
        let names = Names {
            variables: &names,
            tables: &tables,
            env: &["REGION".to_owned()],
        };
        let template = Template::parse(text, escape, names).expect(text);
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
    fn values_of_the_scenario_are_escaped_like_any_others() {
        assert_eq!(render("/{{env.REGION}}", Escape::Url), "/x%20y");
        assert_eq!(render("{{upper(env.REGION)}}", Escape::Plain), "X Y");
    }

    #[test]
    fn functions_give_what_others_give() {
        for (text, expected) in [
            ("{{base64('a~?>')}}{{base64url('a~?>')}}", "YX4/Pg==YX4_Pg"),
            (
                "{{sha256('abc')}}",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            // RFC 4231, test case 2.
            (
                "{{hmacSha256('Jefe', 'what do ya want for nothing?')}}",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                "{{upper(postId)}} {{lower('ÄB')}} {{urlEncode(upper(postId))}}",
                "A/B äb A%2FB",
            ),
            (
                "{{timestampSeconds}} {{isoTime}}",
                "1700000000 2023-11-14T22:13:20.123Z",
            ),
            ("{{data.users.mail}}{{base64(data.users.id)}}", "c@dMg=="),
            ("{{base64(token)}}", ""),
        ] {
            assert_eq!(render(text, Escape::Plain), expected);
        }
        assert_eq!(render("{{lower(tenant)}}", Escape::Url), "oak%20%26%20ash");
        let random = render("{{randomString(40)}}", Escape::Url);
        assert!(
            random.len() == 40 && random.bytes().all(|b| b.is_ascii_alphanumeric()),
            "{random}"
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
