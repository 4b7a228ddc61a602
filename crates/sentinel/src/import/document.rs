//! Reading the document that is imported.
//!
//! Invariant: no file makes it use memory without bounds, and no key of an object is lost because it comes twice.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::arguments::Kind;
use crate::exit::Stopped;

/// HTTP archives hold the bodies of answers, and can be large.
const BYTES_MAX: u64 = 64 << 20;
/// YAML is written by people. Its parser also bounds what aliases expand to.
const YAML_BYTES_MAX: usize = 4 << 20;

/// Reads a document.
///
/// # Errors
/// When it cannot be read, or is neither JSON nor YAML.
pub(super) fn read(path: &Path) -> Result<Value, Stopped> {
    let wrong =
        |why: &dyn fmt::Display| Stopped::invalid(format_args!("{}: {why}", path.display()));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| wrong(&error))?;
    file.take(BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| wrong(&error))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(wrong(&format_args!(
            "is larger than {} MiB",
            BYTES_MAX >> 20
        )));
    }
    // Some browsers write one.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if text.trim_ascii_start().first() == Some(&b'{') {
        return serde_json::from_slice::<Strict>(text)
            .map(|strict| strict.0)
            .map_err(|error| wrong(&format_args!("is not JSON: {error}")));
    }
    if text.len() > YAML_BYTES_MAX {
        return Err(wrong(&format_args!(
            "is YAML of more than {} MiB",
            YAML_BYTES_MAX >> 20
        )));
    }
    serde_saphyr::from_slice::<Strict>(text)
        .map(|strict| strict.0)
        .map_err(|error| {
            let error = error.to_string();
            let first = error.lines().next().unwrap_or_default();
            wrong(&format_args!("is not YAML that can be read: {first}"))
        })
}

/// What a document is, by what is in it.
pub(super) fn detect(document: &Value) -> Option<Kind> {
    let has = |name: &str| document.get(name).is_some();
    if document.pointer("/log/entries").is_some() {
        Some(Kind::Har)
    } else if has("openapi") {
        Some(Kind::Openapi)
    } else if document.get("scenarios").is_some_and(Value::is_array)
        || document.pointer("/config/target").is_some()
        || document.pointer("/config/phases").is_some()
    {
        Some(Kind::Artillery)
    } else if [
        "vus",
        "stages",
        "thresholds",
        "iterations",
        "options",
        "scenarios",
    ]
    .into_iter()
    .any(has)
    {
        Some(Kind::K6)
    } else {
        None
    }
}

/// A JSON value in whose objects no key comes twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        // JSON knows neither infinity nor what is no number.
        Ok(Number::from_f64(number)
            .map_or_else(|| Value::String(number.to_string()), Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Strict(value))) = map.next_entry::<String, Strict>()? {
            if members.contains_key(&name) {
                return Err(de::Error::custom(format_args!("duplicate key {name:?}")));
            }
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, text: &str) -> Result<Value, Stopped> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn a_document_is_json_or_yaml() {
        let json = parse("a", "\u{feff} {\"a\": [1, 2.5, null, true, \"x\"]}").unwrap();
        let yaml = parse("a", "a:\n  - 1\n  - 2.5\n  - ~\n  - true\n  - x\n").unwrap();
        assert_eq!(json, yaml);
    }

    #[test]
    fn what_makes_no_sense_or_too_much_of_it_is_refused() {
        let lines = (0..40).map(|n| {
            format!(
                "a{}: &a{} [*a{n}, *a{n}, *a{n}, *a{n}, *a{n}]\n",
                n + 1,
                n + 1
            )
        });
        let laughs = format!("a0: &a0 [lol]\n{}", lines.collect::<String>());
        let deep = "[".repeat(100_000);
        let deep_json = format!("{{\"a\": {deep}");
        for text in [
            "{\"a\": 1, \"a\": 2}",
            "a: 1\na: 2\n",
            "{\"a\": ",
            "a: [1",
            "\u{0}",
            laughs.as_str(),
            deep.as_str(),
            deep_json.as_str(),
        ] {
            let shown: String = text.chars().take(20).collect();
            let error = parse("document", text).expect_err(&shown);
            assert_eq!(error.message.lines().count(), 1, "{}", error.message);
        }
    }
}
