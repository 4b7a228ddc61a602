//! Which values a step takes from an answer.

use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::json::NamedMap;

/// The values that a step takes from an answer: the variable, and where its value is found.
pub type ExtractMap = NamedMap<ExtractRule>;

/// Where the value of a variable is found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub enum ExtractRule {
    /// The place alone.
    From(String),
    /// The place, and more.
    Full(ExtractConfig),
}

/// Where the value of a variable is found, which of several is taken, and what it is when there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtractConfig {
    /// The place: a JSON path, `header:Name`, `cookie:name`, `regex:pattern`, `status` or `body`.
    pub from: String,
    /// Which of several matches is taken; the first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick: Option<ExtractPick>,
    /// The value when none is found. Without it, the request is an error of the class `extraction`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// Which of several matches is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ExtractPick {
    /// The first.
    #[default]
    First,
    /// Any of them.
    Random,
}

impl ExtractRule {
    /// The place, as the file gives it.
    #[must_use]
    pub fn place(&self) -> &str {
        match self {
            Self::From(place) => place,
            Self::Full(config) => &config.from,
        }
    }
}

impl Serialize for ExtractRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::From(place) => place.serialize(serializer),
            Self::Full(config) => config.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ExtractRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RuleVisitor;
        impl<'de> Visitor<'de> for RuleVisitor {
            type Value = ExtractRule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a place such as \"$.id\", or an object with \"from\", \"pick\" and \"default\"")
            }

            fn visit_str<E: de::Error>(self, place: &str) -> Result<ExtractRule, E> {
                Ok(ExtractRule::From(place.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ExtractRule, A::Error> {
                let config = de::value::MapAccessDeserializer::new(map);
                ExtractConfig::deserialize(config).map(ExtractRule::Full)
            }
        }
        deserializer.deserialize_any(RuleVisitor)
    }
}
