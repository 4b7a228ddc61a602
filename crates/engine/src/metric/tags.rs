//! Tags of samples, and the tags that a selection asks for.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::limits::{OVERFLOW_TAG, TAG_TEXT_MAX, TAGS_MAX};
use crate::sorted::SortedMap;

/// Names with values, ordered by name, bounded in number and length.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TagSet(SortedMap<String, String>); // at most TAGS_MAX, texts at most TAG_TEXT_MAX characters

impl TagSet {
    /// No tags.
    #[must_use]
    pub const fn new() -> Self {
        Self(SortedMap::new())
    }

    /// With one more tag, or another value for it. Text is cut at [`TAG_TEXT_MAX`]; beyond [`TAGS_MAX`] the
    /// last one in the order of names is left out. The name [`OVERFLOW_TAG`] is reserved: such a tag is left
    /// out as well.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if name != OVERFLOW_TAG {
            self.insert(name, value);
        }
        self
    }

    /// The value of a tag.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether all tags of `filter` are in here with the same values.
    #[must_use]
    pub fn contains_all(&self, filter: &Self) -> bool {
        filter
            .iter()
            .all(|(name, value)| self.get(name) == Some(value))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// These tags of an overflow series.
    pub(super) fn marked_as_overflow(mut self, mark: &str) -> Self {
        self.insert(OVERFLOW_TAG, mark);
        self
    }

    fn insert(&mut self, name: &str, value: &str) {
        self.0.insert(cut(name), cut(value));
        let marks = usize::from(self.0.contains_key(OVERFLOW_TAG)); // does not take the place of a tag
        if self.0.len() > TAGS_MAX + marks {
            let last = self.0.keys().rfind(|name| *name != OVERFLOW_TAG).cloned();
            last.map(|name| self.0.remove(&name));
        }
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for TagSet {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(tags: I) -> Self {
        tags.into_iter().fold(Self::new(), |set, (name, value)| {
            set.with(name.as_ref(), value.as_ref())
        })
    }
}

/// As in a threshold's key: `scenario:a,status:200`.
impl fmt::Display for TagSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, value)) in self.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{}:{}", Quoted(name), Quoted(value))?;
        }
        Ok(())
    }
}

/// Text in quotes where it would lose something without them.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() || self.0.trim() != self.0 {
            write!(f, "\"{}\"", self.0)
        } else {
            f.write_str(self.0)
        }
    }
}

/// Tags from the wire: those of overflow series included.
impl<'de> Deserialize<'de> for TagSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tags = SortedMap::<String, String>::deserialize(deserializer)?;
        let mut set = Self::new();
        for (name, value) in &tags {
            set.insert(name, value);
        }
        Ok(set)
    }
}

fn cut(text: &str) -> String {
    // A text of at most so many bytes has at most so many characters: most are not even looked at.
    if text.len() <= TAG_TEXT_MAX || text.chars().count() <= TAG_TEXT_MAX {
        return text.to_owned();
    }
    text.chars().take(TAG_TEXT_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_asks_for_exact_values() {
        let tags: TagSet = [("scenario", "a"), ("status", "200")].into_iter().collect();
        for (filter, matches) in [
            (TagSet::new(), true),
            (TagSet::new().with("status", "200"), true),
            (TagSet::new().with("status", "20"), false),
            (TagSet::new().with("status", ""), false),
            (TagSet::new().with("group", ""), false),
            (tags.clone(), true),
            (tags.clone().with("x", "y"), false),
        ] {
            assert_eq!(tags.contains_all(&filter), matches, "{filter}");
        }
    }

    #[test]
    fn number_and_length_are_bounded() {
        let long = "ä".repeat(200);
        let tags: TagSet = (0..100).map(|i| (format!("t{i:03}"), &long)).collect();
        assert_eq!(tags.iter().count(), TAGS_MAX);
        assert_eq!(tags.iter().last().unwrap().0, "t031");
        let value = tags.get("t000").unwrap();
        assert_eq!(value.chars().count(), TAG_TEXT_MAX);
        assert!(value.ends_with('…'));
        assert_eq!(cut(value), value); // cutting twice changes nothing
    }

    #[test]
    fn the_overflow_mark_is_not_for_samples() {
        assert!(TagSet::new().with(OVERFLOW_TAG, "true").is_empty());
        let full: TagSet = (0..TAGS_MAX).map(|i| (format!("z{i:03}"), "")).collect();
        let marked = full.marked_as_overflow("true");
        assert_eq!(marked.get(OVERFLOW_TAG), Some("true"));
        assert_eq!(marked.iter().count(), TAGS_MAX + 1);
        let json = serde_json::to_string(&marked).unwrap();
        assert_eq!(serde_json::from_str::<TagSet>(&json).unwrap(), marked);
    }
}
