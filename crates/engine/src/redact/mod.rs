//! Removing secrets before anything is stored or shown.
//!
//! Invariant: where the name says that a value is secret (an `Authorization` header, a `password` in a body, a
//! `token` in a query), nothing literal of the value remains. Places such as `{{token}}` stay: they say where
//! a secret goes, not what it is. Doing it twice changes nothing more.

mod document;
mod text;

pub use document::{redact_application, redact_json, redact_scenario};
pub use text::{REDACTED, is_secret_name, redact_text};
