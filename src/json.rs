//! JSON that this Worker itself has written: what it stores, and what its parts tell each other.

use serde::de::DeserializeOwned;
use worker::{Error, Result};

/// Reads a text.
///
/// # Errors
/// When another version of this code wrote it, in a form that this one does not know.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    let foreign = |error: sentinel_engine::json::Error| Error::RustError(error.to_string());
    sentinel_engine::json::from_str(text).map_err(foreign)
}
