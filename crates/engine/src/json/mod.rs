//! JSON read into types and written from them, with little code for each type.
//!
//! serde compiles the reading of a type anew for each deserializer that it is read from, and serde_json's and
//! serde_path_to_error's bring much of themselves into each of these copies: together they were a quarter of the
//! Worker. Here serde_json reads a text into a document, and one small deserializer, [`from_slice`]'s, goes over
//! that. It is for plans, frames and orders, which come now and then; what comes with each answer of a target is
//! serde_json's alone.
//!
//! Invariant: what it refuses has a path, a line and a column, found only then.

mod deserializer;
mod document;
mod error;
mod fields;
mod name;
mod place;
mod serializer;

pub use self::document::{from_slice, from_str};
pub use self::error::Error;
pub use self::serializer::{Refused, to_string};
