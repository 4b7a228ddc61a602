//! `thresholds` as a scenario file says it: an object from keys to lists of entries, of which each is an
//! expression in quotes or an object with the expression and when to abort. Texts are kept as they are
//! written: reading them is the business of [`bind`](super::bind()), together with everything else that may be
//! wrong.

use crate::sorted::SortedSet;

use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Unexpected, Visitor};
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

/// The entries by key, in the order of the file and without duplicate keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThresholdMap(pub Vec<(String, Vec<ThresholdEntry>)>);

/// One threshold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThresholdEntry {
    /// The expression.
    pub threshold: String,
    /// Whether the run is aborted when it does not hold.
    pub abort_on_fail: bool,
    /// How long the run goes on in any case: a duration, or a number of milliseconds as in k6.
    pub delay_abort_eval: Option<String>,
}

impl Serialize for ThresholdMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, entries)| (key, entries)))
    }
}

impl<'de> Deserialize<'de> for ThresholdMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapVisitor;
        impl<'de> Visitor<'de> for MapVisitor {
            type Value = ThresholdMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object from metrics to lists of thresholds")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ThresholdMap, A::Error> {
                let mut seen = SortedSet::new();
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    if !seen.insert(key.clone()) {
                        return Err(de::Error::custom(format_args!("duplicate key {key:?}")));
                    }
                    let list = map.next_value()?;
                    entries.push((key, list));
                }
                Ok(ThresholdMap(entries))
            }
        }
        deserializer.deserialize_map(MapVisitor)
    }
}

/// As k6 writes it: only the expression unless the run is to be aborted.
impl Serialize for ThresholdEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.abort_on_fail {
            return serializer.serialize_str(&self.threshold);
        }
        let mut object = serializer.serialize_struct("ThresholdEntry", FIELDS.len())?;
        object.serialize_field(THRESHOLD, &self.threshold)?;
        object.serialize_field(ABORT_ON_FAIL, &self.abort_on_fail)?;
        object.serialize_field(DELAY_ABORT_EVAL, &self.delay_abort_eval)?;
        object.end()
    }
}

impl<'de> Deserialize<'de> for ThresholdEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = ThresholdEntry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a threshold: an expression in quotes such as \"p(95)<500\", or an object with threshold, \
             abortOnFail and delayAbortEval",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ThresholdEntry, E> {
        Ok(ThresholdEntry {
            threshold: text.to_owned(),
            ..ThresholdEntry::default()
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ThresholdEntry, A::Error> {
        let (mut threshold, mut abort_on_fail, mut delay) = (None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            let twice = match key.as_str() {
                THRESHOLD => threshold.replace(map.next_value::<String>()?).is_some(),
                ABORT_ON_FAIL => abort_on_fail
                    .replace(map.next_value::<Option<bool>>()?)
                    .is_some(),
                DELAY_ABORT_EVAL => delay
                    .replace(map.next_value::<Option<DelayText>>()?)
                    .is_some(),
                other => return Err(de::Error::unknown_field(other, FIELDS)),
            };
            if twice {
                return Err(de::Error::custom(format_args!("duplicate key {key:?}")));
            }
        }
        Ok(ThresholdEntry {
            threshold: threshold.ok_or_else(|| de::Error::missing_field(THRESHOLD))?,
            abort_on_fail: abort_on_fail.flatten().unwrap_or(false),
            delay_abort_eval: delay.flatten().map(|DelayText(text)| text),
        })
    }
}

/// A duration as text; a number means milliseconds, as in k6.
struct DelayText(String);

impl<'de> Deserialize<'de> for DelayText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DelayVisitor;
        impl Visitor<'_> for DelayVisitor {
            type Value = DelayText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration in quotes such as \"10s\", or a number of milliseconds")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DelayText, E> {
                Ok(DelayText(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, ms: u64) -> Result<DelayText, E> {
                Ok(DelayText(format!("{ms}ms")))
            }

            fn visit_i64<E: de::Error>(self, ms: i64) -> Result<DelayText, E> {
                Err(E::invalid_value(Unexpected::Signed(ms), &self))
            }

            fn visit_f64<E: de::Error>(self, ms: f64) -> Result<DelayText, E> {
                if (0.0..MS_MAX).contains(&ms) {
                    Ok(DelayText(format!("{ms}ms")))
                } else {
                    Err(E::invalid_value(Unexpected::Float(ms), &self))
                }
            }
        }
        deserializer.deserialize_any(DelayVisitor)
    }
}

const THRESHOLD: &str = "threshold";
const ABORT_ON_FAIL: &str = "abortOnFail";
const DELAY_ABORT_EVAL: &str = "delayAbortEval";
const FIELDS: &[&str] = &[THRESHOLD, ABORT_ON_FAIL, DELAY_ABORT_EVAL];

/// A thousand years: more digits would only make errors longer.
const MS_MAX: f64 = 3.2e13;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_round_trip_as_in_k6() {
        for (json, written) in [
            ("[]", "[]"),
            (r#"["rate<0.01"]"#, r#"["rate<0.01"]"#),
            (
                r#"["rate<0.01","p(95)<200"]"#,
                r#"["rate<0.01","p(95)<200"]"#,
            ),
            (r#"[{"threshold":"rate<0.01"}]"#, r#"["rate<0.01"]"#),
            (
                r#"[{"threshold":"rate<0.01","abortOnFail":true,"delayAbortEval":null}]"#,
                r#"[{"threshold":"rate<0.01","abortOnFail":true,"delayAbortEval":null}]"#,
            ),
            (
                r#"[{"threshold":"rate<0.01","abortOnFail":true,"delayAbortEval":"2s"}]"#,
                r#"[{"threshold":"rate<0.01","abortOnFail":true,"delayAbortEval":"2s"}]"#,
            ),
            (
                r#"[{"delayAbortEval":2000,"abortOnFail":true,"threshold":"rate<0.01"}]"#,
                r#"[{"threshold":"rate<0.01","abortOnFail":true,"delayAbortEval":"2000ms"}]"#,
            ),
            (
                r#"[{"threshold":"rate<0.01","abortOnFail":false}]"#,
                r#"["rate<0.01"]"#,
            ),
            (
                r#"[{"threshold":"rate<0.01","abortOnFail":null}, "p(95)<200"]"#,
                r#"["rate<0.01","p(95)<200"]"#,
            ),
        ] {
            let entries: Vec<ThresholdEntry> = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&entries).unwrap(), written);
            let again: Vec<ThresholdEntry> = serde_json::from_str(written).unwrap();
            assert_eq!(again.len(), entries.len());
        }
    }

    #[test]
    fn other_entries_are_refused_with_what_is_accepted() {
        for (json, message) in [
            ("5", "an expression in quotes"),
            ("null", "an expression in quotes"),
            ("{}", "missing field `threshold`"),
            (r#"{"threshold":"a","abort":true}"#, "`abortOnFail`"),
            (r#"{"threshold":"a","threshold":"b"}"#, "duplicate key"),
            (r#"{"threshold":"a","delayAbortEval":-1}"#, "milliseconds"),
            (
                r#"{"threshold":"a","delayAbortEval":1e300}"#,
                "milliseconds",
            ),
            (r#"{"threshold":"a","delayAbortEval":true}"#, "milliseconds"),
        ] {
            let error = serde_json::from_str::<ThresholdEntry>(json).unwrap_err();
            assert!(error.to_string().contains(message), "{json}: {error}");
        }
    }

    #[test]
    fn maps_keep_their_order_and_refuse_duplicates() {
        let json = r#"{"vus":["value<5"],"checks{a:1}":["rate>0.9",{"threshold":"rate>0.5","abortOnFail":true,"delayAbortEval":"1m"}]}"#;
        let map: ThresholdMap = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&map).unwrap(), json);
        for json in [
            r#"{"vus":[],"vus":[]}"#,
            r#"{"vus":"value<5"}"#,
            r#"["value<5"]"#,
        ] {
            assert!(
                serde_json::from_str::<ThresholdMap>(json).is_err(),
                "{json}"
            );
        }
    }
}
