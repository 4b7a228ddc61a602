//! The keys of `thresholds`: `http_req_duration` or `http_req_duration{scenario:a,status:200}`.

use std::fmt;
use std::str::FromStr;

use crate::metric::{OVERFLOW_TAG, TAGS_MAX, TagSet};

/// A metric, and the tags that its samples must bear.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricKey {
    /// The metric's name. Whether there is such a metric is not known here.
    pub name: String,
    /// The tags; none for all samples.
    pub filter: TagSet,
}

/// A key that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Close what was opened, once.
    #[error("metric {0:?} has an unmatched curly brace: accepted is metric{{tag:value,…}}")]
    Unmatched(String),
    /// Put nothing behind the tags.
    #[error(
        "metric {0:?} goes on after the closing curly brace: accepted is metric{{tag:value,…}}"
    )]
    NotLast(String),
    /// Say which value.
    #[error(
        "tag {0:?} has no name or no value: accepted is tag:value, with \"\" for an empty value"
    )]
    Incomplete(String),
    /// Say it once.
    #[error("tag {0:?} stands twice")]
    Twice(String),
    /// Ask for fewer tags.
    #[error("there are more than {TAGS_MAX} tags")]
    TooMany,
    /// Choose another tag.
    #[error(
        "the tag {OVERFLOW_TAG} is reserved for samples beyond the number of tag sets kept apart"
    )]
    Reserved,
}

/// As in k6: the tags stand between the first `{` and the last `}`, separated by commas; a tag's name ends at
/// its first colon; spaces around names and values are trimmed, then quotes.
impl FromStr for MetricKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let Some((name, rest)) = text.split_once('{') else {
            return if text.contains('}') {
                Err(KeyError::Unmatched(shown(text)))
            } else {
                Ok(Self {
                    name: text.to_owned(),
                    filter: TagSet::new(),
                })
            };
        };
        let (tags, after) = rest
            .rsplit_once('}')
            .filter(|_| !name.contains('}'))
            .ok_or_else(|| KeyError::Unmatched(shown(text)))?;
        if !after.is_empty() {
            return Err(KeyError::NotLast(shown(text)));
        }
        let mut filter = TagSet::new();
        for tag in tags.split(',') {
            let (name, value) = tag_of(tag).ok_or_else(|| KeyError::Incomplete(shown(tag)))?;
            if name == OVERFLOW_TAG {
                return Err(KeyError::Reserved);
            }
            if filter.len() == TAGS_MAX {
                return Err(KeyError::TooMany);
            }
            let before = filter.len();
            filter = filter.with(name, value);
            if filter.len() == before {
                return Err(KeyError::Twice(shown(name)));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            filter,
        })
    }
}

impl fmt::Display for MetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.filter.is_empty() {
            write!(f, "{{{}}}", self.filter)?;
        }
        Ok(())
    }
}

/// Name and value, `None` if one is missing; only a quoted value may be empty.
fn tag_of(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once(':')?;
    let unquoted = |text: &'_ str| -> bool { !text.trim().is_empty() };
    let name_inner = trimmed(name);
    (unquoted(value) && !name_inner.is_empty()).then(|| (name_inner, trimmed(value)))
}

fn trimmed(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

/// So much of a rejected text as an error repeats.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

const SHOWN_CHARS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tags_of(text: &str) -> Vec<(String, String)> {
        let key: MetricKey = text.parse().unwrap();
        let tags = key.filter.iter();
        tags.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn keys_are_read_as_by_k6() {
        for (text, name, tags) in [
            ("test_metric", "test_metric", &[][..]),
            ("test_metric{abc:123}", "test_metric", &[("abc", "123")]),
            (
                "test_metric{abc:123, easyas:doremi}",
                "test_metric",
                &[("abc", "123"), ("easyas", "doremi")],
            ),
            (
                "test_metric{group:::mygroup}",
                "test_metric",
                &[("group", "::mygroup")],
            ),
            (
                "http_req_duration{name:http://${}.com}",
                "http_req_duration",
                &[("name", "http://${}.com")],
            ),
            (
                "http_req_duration{name:http://${}.com,url:ssh://github.com:grafana/k6}",
                "http_req_duration",
                &[
                    ("name", "http://${}.com"),
                    ("url", "ssh://github.com:grafana/k6"),
                ],
            ),
            ("m{ a : 1 }", "m", &[("a", "1")]),
            (r#"m{a : '1' , b : "2"}"#, "m", &[("a", "1"), ("b", "2")]),
            (
                r#"m{" a" : ' 1' , b : "2 " }"#,
                "m",
                &[(" a", " 1"), ("b", "2 ")],
            ),
            (r#"m{ a:"",b: ''}"#, "m", &[("a", ""), ("b", "")]),
        ] {
            let key: MetricKey = text.parse().unwrap();
            assert_eq!(key.name, name, "{text}");
            let tags: Vec<_> = tags
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(tags_of(text), tags, "{text}");
            assert_eq!(key.to_string().parse(), Ok(key), "{text}");
        }
    }

    #[test]
    fn other_keys_are_refused() {
        use KeyError::{Incomplete, NotLast, Reserved, Twice, Unmatched};
        fn own(error: fn(String) -> KeyError, text: &str) -> KeyError {
            error(text.to_owned())
        }
        for (text, error) in [
            ("m{easyas}", own(Incomplete, "easyas")),
            ("m{easyas:}", own(Incomplete, "easyas:")),
            ("m{easyas: }", own(Incomplete, "easyas: ")),
            ("m{abc:123,easyas:}", own(Incomplete, "easyas:")),
            ("m{abc:123,}", own(Incomplete, "")),
            ("m{:1}", own(Incomplete, ":1")),
            ("m{}", own(Incomplete, "")),
            ("m{a:1,a:2}", own(Twice, "a")),
            ("m{overflow:true}", Reserved),
            (
                "m{abc:123,easyas:doremi",
                own(Unmatched, "m{abc:123,easyas:doremi"),
            ),
            (
                "mabc:123,easyas:doremi}",
                own(Unmatched, "mabc:123,easyas:doremi}"),
            ),
            (
                "m}abc:123,easyas:doremi}",
                own(Unmatched, "m}abc:123,easyas:doremi}"),
            ),
            ("m}abc{bar", own(Unmatched, "m}abc{bar")),
            ("m}x{a:1}", own(Unmatched, "m}x{a:1}")),
            ("m{foo:ba}r", own(NotLast, "m{foo:ba}r")),
            ("m{foo:bar} ", own(NotLast, "m{foo:bar} ")),
        ] {
            assert_eq!(text.parse::<MetricKey>(), Err(error), "{text}");
        }
        let many: Vec<_> = (0..=TAGS_MAX).map(|i| format!("t{i}:1")).collect();
        let many = format!("m{{{}}}", many.join(","));
        assert_eq!(many.parse::<MetricKey>(), Err(KeyError::TooMany));
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let _ = text.parse::<MetricKey>();
        }

        #[test]
        fn what_is_written_reads_back(text in "[a{}:,\"' \u{a0}…é]{0,24}|a\\{([a-c\"' ]{0,4}:[a-c\"': {}]{0,4},?){1,4}\\}|a\\{k:.{120,140}\\}") {
            if let Ok(key) = text.parse::<MetricKey>() {
                prop_assert_eq!(key.to_string().parse(), Ok(key));
            }
        }
    }
}
