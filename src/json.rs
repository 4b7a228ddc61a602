//! JSON that this Worker itself has written: what it stores, and what its parts tell each other.

use sentinel_engine::json;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use worker::{Error, Result};

/// Reads a text.
///
/// # Errors
/// When another version of this code wrote it, in a form that this one does not know.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    let foreign = |error: json::Error| Error::RustError(error.to_string());
    json::from_str(text).map_err(foreign)
}

/// Writes a value, without white space.
///
/// # Errors
/// When its type cannot be written as JSON, which no type of this Worker does.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    json::to_string(value).map_err(|refused| Error::RustError(refused.to_string()))
}

/// An object of these members.
pub(crate) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let mut object = Map::new();
    for (name, value) in members {
        object.insert(name.to_owned(), value);
    }
    Value::Object(object)
}

/// As [`object`], of values that are not JSON yet.
pub(crate) fn object_of(members: &[(&str, &dyn ToValue)]) -> Value {
    let mut object = Map::new();
    for (name, value) in members {
        object.insert((*name).to_owned(), value.to_value());
    }
    Value::Object(object)
}

/// What can be written as JSON, without a type. It goes by way of a text: it is for what is small or seldom.
pub(crate) trait ToValue {
    /// The value as a document, null if it cannot be written.
    fn to_value(&self) -> Value;
}

impl<T: Serialize> ToValue for T {
    fn to_value(&self) -> Value {
        let text = json::to_string(self).unwrap_or_default();
        read(&text).unwrap_or_default()
    }
}

/// A document from `{ "name": value, … }` or a single value, as serde_json's macro makes it, which takes ten times the
/// code for each member.
macro_rules! document {
    ({ $($name:literal: $value:expr),* $(,)? }) => {
        $crate::json::object_of(&[$(($name, &$value)),*])
    };
    ($value:expr) => {
        $crate::json::ToValue::to_value(&$value)
    };
}
pub(crate) use document;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_what_serde_json_makes_of_it() {
        let (text, none) = ("a \"b\"".to_owned(), None::<u8>);
        let document = document!({
            "text": text,
            "numbers": [0.1, -2.0],
            "nothing": none,
            "inner": document!({ "largest": u64::MAX }),
        });
        let expected = json!({
            "text": text, "numbers": [0.1, -2.0], "nothing": none, "inner": { "largest": u64::MAX },
        });
        assert_eq!(document, expected);
        assert_eq!(document!(f64::NAN), Value::Null);
        let members = [("inner", expected.clone()), ("x", Value::from(1))];
        assert_eq!(object(members), json!({ "inner": expected, "x": 1 }));
    }
}
