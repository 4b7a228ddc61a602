//! JSON that this Worker itself has written: what it stores, and what its parts tell each other.

use sentinel_engine::json;
use serde::Serialize;
use serde::de::DeserializeOwned;
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
