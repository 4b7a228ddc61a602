//! An object that is read as a struct: its members, brought into the order of the type's fields.
//!
//! What serde derives reads a struct from the list of its fields as well as from names and values, and the former is
//! less code. A field that is absent is `None` to it, which only a field with a `serde(default)` accepts. Invariant: each
//! member is a field, and none is there twice; a type that ignores what it does not know cannot be had here.

use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};

use super::document::Node;
use super::error::Fault;
use super::name;

/// Reads the members as the fields of these names.
pub(super) fn visit<'de, V: Visitor<'de>>(
    members: &[Member<'_>],
    names: &'static [&'static str],
    visitor: V,
) -> Result<V::Value, Fault> {
    let mut fields = Fields::of(members, names)?;
    let result = visitor.visit_seq(&mut fields);
    result.map_err(|fault| fields.blame(fault))
}

type Member<'a> = (Node<'a>, Node<'a>);

/// The fields of a struct, in the order in which the type has them, of which the first ones have been read.
struct Fields<'a> {
    names: &'static [&'static str],
    /// Each field's member and which one of the object that is, `None` for a field that is absent.
    members: Vec<Option<(usize, &'a Member<'a>)>>,
    read: usize,
}

impl<'a> Fields<'a> {
    /// Each member must be a field, and none be there twice.
    fn of(members: &'a [Member<'a>], names: &'static [&'static str]) -> Result<Self, Fault> {
        let mut fields = vec![None; names.len()];
        for (index, member) in members.iter().enumerate() {
            let (key, _) = member;
            let name = key.text().unwrap_or_default();
            let field = name::find(name, names).and_then(|field| fields.get_mut(field));
            let problem = match field.map(|field| field.replace((index, member))) {
                Some(None) => continue,
                Some(Some(_)) => Fault::custom(format_args!("duplicate field `{name}`")),
                None => Fault::unknown_field(name, names),
            };
            return Err(problem.inside(key.step(index, true)));
        }
        Ok(Self {
            names,
            members: fields,
            read: 0,
        })
    }

    fn next(&mut self) -> Option<&'a Node<'a>> {
        let member = self.members.get(self.read).copied().flatten();
        self.read += 1;
        member.map(|(_, (_, value))| value)
    }

    /// The fault of a struct, which is that of the field that was read last: its value is wrong, or it is absent.
    fn blame(&self, fault: Fault) -> Fault {
        let field = self.read.saturating_sub(1);
        match (self.members.get(field), self.names.get(field)) {
            (Some(Some((index, (key, _)))), _) => fault.inside(key.step(*index, false)),
            (_, Some(name)) => Fault::missing_field(name),
            (_, None) => fault,
        }
    }
}

impl<'de> SeqAccess<'de> for Fields<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        match self.next() {
            None => Ok(None),
            Some(value) => seed.deserialize(value).map(Some),
        }
    }
}
