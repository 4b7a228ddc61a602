//! The names of fields and variants, told to a type by their place in the list that it gives.
//!
//! What serde derives for a type takes a name as a text as well, and then compares it with each that it has. That is
//! code for each type; going over a list is not. Invariant: no type that is read has a `serde(alias)`, which would stand
//! in the list too and move all places behind it; a test of the source sees to that (xtask/tests/tidy.rs).

use std::fmt::{self, Display};

use serde::de::value::U64Deserializer;
use serde::de::{self, DeserializeSeed, Expected, IntoDeserializer, Unexpected};

/// Reads a name. A type that ignores what it does not know reads any.
pub(super) fn read<'de, T: DeserializeSeed<'de>>(
    seed: T,
    name: &str,
    names: &[&str],
) -> Result<T::Value, Unknown> {
    seed.deserialize(place(name, names))
}

/// The name's place, if it is among them.
pub(super) fn find(name: &str, names: &[&str]) -> Option<usize> {
    names.iter().position(|known| *known == name)
}

/// The name's place; one where nothing is if it is not among them.
fn place(name: &str, names: &[&str]) -> U64Deserializer<Unknown> {
    let place = find(name, names).and_then(|place| u64::try_from(place).ok());
    place.unwrap_or(u64::MAX).into_deserializer()
}

/// A type has no field or variant of this name.
#[derive(Debug)]
pub(super) struct Unknown;

impl Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name is not known")
    }
}

impl std::error::Error for Unknown {}

impl de::Error for Unknown {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }

    fn invalid_value(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self
    }
}
