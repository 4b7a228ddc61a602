//! What clients may send, as types: a value that exists is a value that was checked.
//!
//! Invariant: nothing from outside reaches an object name, a key or a statement except through
//! a type of this module, and every text here has a length limit.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::error::{ApiError, ApiResult};

/// The largest JSON or form body, in bytes.
pub(crate) const JSON_BYTES_MAX: usize = 256 * 1024;
/// The largest picture, in bytes.
pub(crate) const MEDIA_BYTES_MAX: usize = 5 * 1024 * 1024;
const TITLE_CHARS_MAX: usize = 200;
const BODY_BYTES_MAX: usize = 100_000;
const TAGS_MAX: usize = 10;
const TAG_CHARS_MAX: usize = 40;
const PAGE_DEFAULT: u32 = 20;
const PAGE_MAX: u32 = 100;

/// A tenant's name: 1 to 40 of a-z, 0-9 and '-'.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct TenantName(String);

/// A user's name: 1 to 64 of A-Z, a-z, 0-9, '_' and '-'.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct UserId(String);

/// A post's id: 1 to 40 of a-z, 0-9 and '-'.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct PostId(String);

/// A post's name in its address: 1 to 120 of a-z, 0-9 and '-'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slug(String);

/// A picture's key inside its tenant: 1 to 64 of a-z, 0-9, '-' and '.'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaKey(String);

macro_rules! checked_name {
    ($type:ident, $what:literal, $code:literal, $max:literal, $accepts:expr, $accepted:literal) => {
        impl $type {
            /// Checks the text.
            pub(crate) fn parse(text: &str) -> ApiResult<Self> {
                let accepts: fn(u8) -> bool = $accepts;
                if text.is_empty() || text.len() > $max || !text.bytes().all(accepts) {
                    return Err(ApiError::bad_request(
                        $code,
                        format!(
                            concat!(
                                $what,
                                " \"{}\" is not accepted; use 1 to ",
                                $max,
                                " of ",
                                $accepted
                            ),
                            shown(text)
                        ),
                    ));
                }
                Ok(Self(text.to_owned()))
            }

            /// The checked text.
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                Self::parse(&text).map_err(|error| error.message)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }
    };
}

checked_name!(
    TenantName,
    "the tenant",
    "invalid_tenant",
    40,
    |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'),
    "a-z, 0-9 and '-'"
);
checked_name!(
    UserId,
    "the user",
    "invalid_user",
    64,
    |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
    "A-Z, a-z, 0-9, '_' and '-'"
);
checked_name!(
    PostId,
    "the post id",
    "invalid_post_id",
    40,
    |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'),
    "a-z, 0-9 and '-'"
);
checked_name!(
    Slug,
    "the slug",
    "invalid_slug",
    120,
    |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'),
    "a-z, 0-9 and '-'"
);
checked_name!(
    MediaKey,
    "the media key",
    "invalid_media_key",
    64,
    |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'),
    "a-z, 0-9, '-' and '.'"
);

/// What a writer sends for a new post.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostDraft {
    /// 1 to 200 characters.
    pub(crate) title: String,
    /// Markdown, 1 to 100,000 bytes.
    pub(crate) body: String,
    /// At most 10, each of 1 to 40 characters.
    #[serde(default)]
    pub(crate) tags: Vec<String>,
}

impl PostDraft {
    /// Reads and checks a draft.
    pub(crate) fn parse(json: &[u8]) -> ApiResult<Self> {
        let draft: Self = parse_json(json)?;
        let refuse = |message: String| Err(ApiError::new(422, "invalid_post", message));
        let title_chars = draft.title.chars().count();
        if draft.title.trim().is_empty() || title_chars > TITLE_CHARS_MAX {
            return refuse(format!(
                "title has {title_chars} characters; 1 to {TITLE_CHARS_MAX} are accepted"
            ));
        }
        if draft.body.trim().is_empty() || draft.body.len() > BODY_BYTES_MAX {
            return refuse(format!(
                "body has {} bytes; 1 to {BODY_BYTES_MAX} are accepted",
                draft.body.len()
            ));
        }
        if draft.tags.len() > TAGS_MAX {
            return refuse(format!(
                "tags has {} entries; at most {TAGS_MAX} are accepted",
                draft.tags.len()
            ));
        }
        for tag in &draft.tags {
            if tag.trim().is_empty() || tag.chars().count() > TAG_CHARS_MAX {
                return refuse(format!(
                    "tag \"{}\" is not accepted; use 1 to {TAG_CHARS_MAX} characters",
                    shown(tag)
                ));
            }
        }
        Ok(draft)
    }

    /// The first 160 characters of the body on one line, for lists.
    pub(crate) fn excerpt(&self) -> String {
        excerpt(&self.body)
    }

    /// The title in address form, ended by `suffix`, which makes it unique.
    pub(crate) fn slug(&self, suffix: &str) -> String {
        slug(&self.title, suffix)
    }
}

/// How a reader reacts to a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReactionKind {
    Like,
    Love,
    Laugh,
    Wow,
    Sad,
    Celebrate,
}

impl ReactionKind {
    /// The word in JSON and in tables.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Like => "like",
            Self::Love => "love",
            Self::Laugh => "laugh",
            Self::Wow => "wow",
            Self::Sad => "sad",
            Self::Celebrate => "celebrate",
        }
    }
}

/// The body of a reaction.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReactionDraft {
    /// Which reaction.
    pub(crate) kind: ReactionKind,
}

/// The query part of an address.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Splits and decodes; any text is a query.
    pub(crate) fn parse(text: &str) -> Self {
        Self(
            form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// The first value under that name.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first value under that name, or 400.
    pub(crate) fn required(&self, name: &str) -> ApiResult<&str> {
        self.value(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| {
                ApiError::bad_request("invalid_request", format!("parameter {name} is missing"))
            })
    }
}

/// Which part of a list is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// 1 to 100.
    pub(crate) limit: u32,
    /// Continue behind this entry.
    pub(crate) after: Option<Cursor>,
}

impl Page {
    /// Reads `limit` (1 to 100, 20 if absent) and `cursor` (from an earlier answer).
    pub(crate) fn parse(query: &Query) -> ApiResult<Self> {
        let limit = match query.value("limit") {
            None => PAGE_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=PAGE_MAX).contains(limit))
                .ok_or_else(|| {
                    ApiError::bad_request(
                        "invalid_limit",
                        format!(
                            "limit \"{}\" is not accepted; use 1 to {PAGE_MAX}",
                            shown(text)
                        ),
                    )
                })?,
        };
        let after = query.value("cursor").map(Cursor::parse).transpose()?;
        Ok(Self { limit, after })
    }
}

/// A place in a list of posts that runs from the newest to the oldest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// When that post was written, Unix milliseconds.
    pub(crate) created_ms: u64,
    /// Tells posts of the same millisecond apart.
    pub(crate) id: PostId,
}

impl Cursor {
    /// The opaque text for clients.
    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}:{}", self.created_ms, self.id.as_str()))
    }

    fn parse(text: &str) -> ApiResult<Self> {
        let decode = || {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            let plain = String::from_utf8(bytes).ok()?;
            let (created_ms, id) = plain.split_once(':')?;
            Some(Self {
                created_ms: created_ms.parse().ok()?,
                id: PostId::parse(id).ok()?,
            })
        };
        decode().ok_or_else(|| {
            ApiError::bad_request(
                "invalid_cursor",
                format!(
                    "cursor \"{}\" did not come from an earlier answer",
                    shown(text)
                ),
            )
        })
    }
}

/// Reads a JSON object; the error names the place.
pub(crate) fn parse_json<'a, T: Deserialize<'a>>(json: &'a [u8]) -> ApiResult<T> {
    // An array would be read as the fields of a struct in their order.
    if json.trim_ascii_start().first() == Some(&b'[') {
        return Err(ApiError::bad_request(
            "invalid_json",
            "the body is an array, not an object",
        ));
    }
    serde_json::from_slice(json)
        .map_err(|error| ApiError::bad_request("invalid_json", format!("the body: {error}")))
}

/// Checks where an authorization may send the browser back to: a path of this platform, or an
/// address on the platform's own origin. Anything else would make it an open redirector.
pub(crate) fn check_redirect_uri<'a>(uri: &'a str, own_origin: &str) -> ApiResult<&'a str> {
    let own_path = |path: &str| path.starts_with('/') && !path.starts_with("//");
    let accepted = uri.len() <= 2_000
        && uri.bytes().all(|byte| byte.is_ascii_graphic())
        && !uri.contains(['\\', '#'])
        && (own_path(uri) || uri.strip_prefix(own_origin).is_some_and(own_path));
    if accepted {
        Ok(uri)
    } else {
        Err(ApiError::bad_request(
            "invalid_redirect_uri",
            format!(
                "redirect_uri \"{}\" is not accepted; use a path of this platform, such as /oauth/callback",
                shown(uri)
            ),
        ))
    }
}

/// The start of a rejected text, for an error message.
fn shown(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(60)
        .collect()
}

/// The first 160 characters of a Markdown text on one line.
pub(crate) fn excerpt(markdown: &str) -> String {
    let mut words = String::new();
    // The first 1,000 characters are enough, whatever the text's length.
    let start: String = markdown.chars().take(1_000).collect();
    for word in start
        .split_whitespace()
        .filter(|word| !word.chars().all(|character| character == '#'))
    {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    words.chars().take(160).collect()
}

fn slug(title: &str, suffix: &str) -> String {
    let mut slug = String::new();
    for character in title.chars().flat_map(char::to_lowercase) {
        if slug.len() >= 60 {
            break;
        }
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    if !slug.is_empty() && !slug.ends_with('-') {
        slug.push('-');
    }
    slug.push_str(suffix);
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenant_names_are_short_and_plain() {
        for name in ["a", "oak-grove", "0", &"x".repeat(40)] {
            assert!(TenantName::parse(name).is_ok(), "{name}");
        }
        for name in ["", "Oak", "a b", "a/b", "..", "%61", "é", &"x".repeat(41)] {
            let error = TenantName::parse(name).expect_err(name);
            assert_eq!((error.status, &*error.code), (400, "invalid_tenant"));
        }
    }

    #[test]
    fn a_rejected_name_is_shown_cut_and_without_control_characters() {
        let error = UserId::parse(&format!("bad\n{}", "x".repeat(1_000))).expect_err("too long");
        assert!(error.message.len() < 200, "{}", error.message);
        assert!(!error.message.contains('\n'));
    }

    #[test]
    fn drafts_outside_the_limits_are_refused() {
        let draft = |title: &str, body: &str, tags: &[&str]| {
            let json = serde_json::json!({"title": title, "body": body, "tags": tags});
            PostDraft::parse(json.to_string().as_bytes()).map_err(|error| error.status)
        };
        assert!(draft("A title", "Text", &["oak"]).is_ok());
        assert_eq!(draft(" ", "Text", &[]).err(), Some(422));
        assert_eq!(draft(&"x".repeat(201), "Text", &[]).err(), Some(422));
        assert_eq!(draft("A title", "", &[]).err(), Some(422));
        assert_eq!(draft("A title", &"x".repeat(100_001), &[]).err(), Some(422));
        assert_eq!(draft("A title", "Text", &["t"; 11]).err(), Some(422));
        assert_eq!(draft("A title", "Text", &[""]).err(), Some(422));
        for json in [
            "",
            "[]",
            " [\"title\", \"body\"]",
            "{\"title\":1,\"body\":\"x\"}",
            "{\"title\":\"x\",\"body\":\"x\",\"id\":1}",
        ] {
            let error = PostDraft::parse(json.as_bytes()).expect_err(json);
            assert_eq!((error.status, &*error.code), (400, "invalid_json"));
        }
    }

    #[test]
    fn slugs_are_accepted_by_their_own_type() {
        for (title, expected) in [
            ("Hello, World!", "hello-world-7f"),
            ("  --  ", "7f"),
            ("Ünïcode & more", "n-code-more-7f"),
        ] {
            assert_eq!(slug(title, "7f"), expected);
        }
        let long = slug(&"word ".repeat(100), &"f".repeat(32));
        assert!(Slug::parse(&long).is_ok(), "{long}");
    }

    #[test]
    fn excerpts_are_one_short_line() {
        assert_eq!(excerpt("## A\n\nquiet   walk"), "A quiet walk");
        assert_eq!(excerpt(&"é".repeat(3_000)).chars().count(), 160);
    }

    #[test]
    fn pages_have_limits() {
        let page = |text: &str| Page::parse(&Query::parse(text)).map_err(|error| error.code);
        assert_eq!(
            page(""),
            Ok(Page {
                limit: 20,
                after: None
            })
        );
        for limit in ["0", "-1", "abc", "101", "1000000000", "1e2", ""] {
            assert_eq!(
                page(&format!("limit={limit}")),
                Err("invalid_limit".into()),
                "{limit}"
            );
        }
        assert_eq!(page("cursor=!!"), Err("invalid_cursor".into()));
    }

    #[test]
    fn a_cursor_survives_its_text_form() {
        let cursor = Cursor {
            created_ms: 1_795_000_000_000,
            id: PostId::parse("019abc").expect("valid"),
        };
        assert_eq!(Cursor::parse(&cursor.encode()), Ok(cursor));
    }

    #[test]
    fn redirects_stay_on_the_platform() {
        let own = "http://127.0.0.1:8787";
        for uri in [
            "/oauth/callback",
            "http://127.0.0.1:8787/oauth/callback?x=1",
        ] {
            assert!(check_redirect_uri(uri, own).is_ok(), "{uri}");
        }
        for uri in [
            "",
            "//evil.example/",
            "/\\evil.example",
            "https://evil.example/",
            "http://127.0.0.1:8787@evil.example/",
            "http://127.0.0.1:87870/",
            "javascript:alert(1)",
            "/x\r\nSet-Cookie: a=b",
            "/x#fragment",
        ] {
            assert!(check_redirect_uri(uri, own).is_err(), "{uri}");
        }
    }
}
