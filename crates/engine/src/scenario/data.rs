//! Tables of data that templates refer to.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Number;

use super::json::NamedMap;

/// A table of data in the scenario: `{{data.users.email}}` is the column `email` of a row of `users`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataConfig {
    /// The rows, each with the same columns.
    pub rows: Vec<DataRow>,
    /// How rows are dealt.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pick: DataPick,
    /// To whom rows are dealt.
    #[serde(default, skip_serializing_if = "is_default")]
    pub per: DataPer,
}

/// A row of data: values by the name of their column.
pub type DataRow = NamedMap<DataValue>;

/// A text, a number or a truth value.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub enum DataValue {
    /// A text.
    Text(String),
    /// A number.
    Number(Number),
    /// True or false.
    Bool(bool),
}

/// How rows are dealt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DataPick {
    /// In order, and from the first again when all are dealt.
    #[default]
    Sequential,
    /// At random, each as likely as the others.
    Random,
    /// Each at most once in the whole run.
    Unique,
}

/// To whom rows are dealt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DataPer {
    /// Each iteration gets a row.
    #[default]
    Iteration,
    /// Each user gets a row and keeps it.
    User,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl DataValue {
    /// The text that a template fills in.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Bool(truth) => truth.to_string(),
        }
    }
}

impl Serialize for DataValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Number(number) => number.serialize(serializer),
            Self::Bool(truth) => truth.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for DataValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DataVisitor;
        impl Visitor<'_> for DataVisitor {
            type Value = DataValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number or a truth value")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DataValue, E> {
                Ok(DataValue::Text(text.to_owned()))
            }

            fn visit_bool<E: de::Error>(self, truth: bool) -> Result<DataValue, E> {
                Ok(DataValue::Bool(truth))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<DataValue, E> {
                Ok(DataValue::Number(number.into()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<DataValue, E> {
                Ok(DataValue::Number(number.into()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<DataValue, E> {
                let finite = Number::from_f64(number);
                finite
                    .map(DataValue::Number)
                    .ok_or_else(|| E::invalid_type(de::Unexpected::Float(number), &self))
            }
        }
        deserializer.deserialize_any(DataVisitor)
    }
}
