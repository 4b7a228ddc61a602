//! The one deserializer from which the project's types are read.
//!
//! What is generic here is compiled for each type. So it is little: it asks what is there, and calls.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::document::Node;
use super::error::{Fault, Step};
use super::{fields, name};

impl<'de> Deserializer<'de> for &Node<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::Unsigned(value) => visitor.visit_u64(*value),
            Node::Signed(value) => visitor.visit_i64(*value),
            Node::Float(value) => visitor.visit_f64(*value),
            Node::Text(text) | Node::Key(text) => visitor.visit_str(text),
            Node::List(items) => visit_items(items, visitor),
            Node::Object(members) => visit_members(members, visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Bool(value) => visitor.visit_bool(*value),
            _ => Err(self.is_not(&visitor)),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.number() {
            Some(Number::Unsigned(value)) => visitor.visit_u64(value),
            Some(Number::Signed(value)) => visitor.visit_i64(value),
            Some(Number::Float(value)) => visitor.visit_f64(value),
            None => Err(self.is_not(&visitor)),
        }
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Text(text) | Node::Key(text) => visitor.visit_str(text),
            _ => Err(self.is_not(&visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::List(items) => visit_items(items, visitor),
            _ => Err(self.is_not(&visitor)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Object(members) => visit_members(members, visitor),
            _ => Err(self.is_not(&visitor)),
        }
    }

    /// Never from a list, as which serde_json reads structs as well.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self {
            Node::Object(members) => fields::visit(members, names, visitor),
            _ => Err(self.is_not(&visitor)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(self.variant(variants)?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bytes byte_buf unit unit_struct }
}

enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

impl<'a> Node<'a> {
    /// The keys of an object are texts, also where a map's keys are numbers.
    fn number(&self) -> Option<Number> {
        match self {
            Node::Unsigned(value) => Some(Number::Unsigned(*value)),
            Node::Signed(value) => Some(Number::Signed(*value)),
            Node::Float(value) => Some(Number::Float(*value)),
            Node::Key(text) => {
                let unsigned = text.parse().map(Number::Unsigned);
                unsigned.or_else(|_| text.parse().map(Number::Signed)).ok()
            }
            _ => None,
        }
    }

    fn variant(&self, variants: &'static [&'static str]) -> Result<Variant<'_>, Fault> {
        match self {
            Node::Text(_) | Node::Key(_) => Ok(Variant {
                name: self,
                variants,
                content: None,
            }),
            Node::Object(members) => match members.as_slice() {
                [(name, content)] => Ok(Variant {
                    name,
                    variants,
                    content: Some(content),
                }),
                _ => Err(self.is_not(&"a variant, or an object with one alone")),
            },
            _ => Err(self.is_not(&"a variant, or an object with one alone")),
        }
    }

    fn is_not(&self, expected: &dyn Expected) -> Fault {
        let found = match self {
            Node::Null => Unexpected::Unit,
            Node::Bool(value) => Unexpected::Bool(*value),
            Node::Unsigned(value) => Unexpected::Unsigned(*value),
            Node::Signed(value) => Unexpected::Signed(*value),
            Node::Float(value) => Unexpected::Float(*value),
            Node::Text(text) | Node::Key(text) => Unexpected::Str(text),
            Node::List(_) => Unexpected::Seq,
            Node::Object(_) => Unexpected::Map,
        };
        Fault::unexpected(found, expected)
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Node::Text(text) | Node::Key(text) => Some(text),
            _ => None,
        }
    }

    /// The step into this member.
    pub(super) fn step(&self, index: usize, is_key: bool) -> Step {
        let key = self.text().map(str::to_owned);
        Step { index, key, is_key }
    }
}

fn visit_items<'de, V: Visitor<'de>>(items: &[Node<'_>], visitor: V) -> Result<V::Value, Fault> {
    let mut items = Items { items, read: 0 };
    let value = visitor.visit_seq(&mut items)?;
    items.end()?;
    Ok(value)
}

/// The items of a list, of which the first ones have been read.
struct Items<'a> {
    items: &'a [Node<'a>],
    read: usize,
}

impl<'a> Items<'a> {
    fn next(&mut self) -> Option<&'a Node<'a>> {
        let item = self.items.get(self.read);
        self.read += 1;
        item
    }

    /// The fault of the item that was read last.
    fn inside(&self, fault: Fault) -> Fault {
        fault.inside(Step {
            index: self.read.saturating_sub(1),
            key: None,
            is_key: false,
        })
    }

    /// A tuple takes as many items as it has, and there must be no more.
    fn end(&self) -> Result<(), Fault> {
        if self.read < self.items.len() {
            let expected = format!("{} items", self.read);
            return Err(Fault::invalid_length(self.items.len(), &expected.as_str()));
        }
        Ok(())
    }
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        match self.next() {
            None => Ok(None),
            Some(item) => match seed.deserialize(item) {
                Ok(value) => Ok(Some(value)),
                Err(fault) => Err(self.inside(fault)),
            },
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len().saturating_sub(self.read))
    }
}

fn visit_members<'de, V: Visitor<'de>>(
    members: &[(Node<'_>, Node<'_>)],
    visitor: V,
) -> Result<V::Value, Fault> {
    let mut members = Members::of(members);
    let result = visitor.visit_map(&mut members);
    result.map_err(|fault| members.blame(fault))
}

/// The members of an object, of which the first ones have been read.
struct Members<'a> {
    members: &'a [(Node<'a>, Node<'a>)],
    read: usize,
    /// Whether the value of the last one is being read, or could not be.
    is_in_value: bool,
}

impl<'a> Members<'a> {
    const fn of(members: &'a [(Node<'a>, Node<'a>)]) -> Self {
        Self {
            members,
            read: 0,
            is_in_value: false,
        }
    }

    fn next(&mut self) -> Option<&'a Node<'a>> {
        let member = self.members.get(self.read);
        self.read += 1;
        member.map(|(key, _)| key)
    }

    /// The value of the member whose key was read last.
    fn value(&mut self) -> Result<&'a Node<'a>, Fault> {
        let missing = || Fault::custom("a value was asked for before its key");
        let (_, (_, value)) = self.current().ok_or_else(missing)?;
        self.is_in_value = true;
        Ok(value)
    }

    /// The member that was read last, `None` before the first and after the last.
    fn current(&self) -> Option<(usize, &'a (Node<'a>, Node<'a>))> {
        let index = self.read.checked_sub(1)?;
        Some((index, self.members.get(index)?))
    }

    /// The fault of an object, which is that of the member that was read last, unless all were read: its value is
    /// wrong, or its key was there before, say.
    fn blame(&self, fault: Fault) -> Fault {
        match self.current() {
            Some((index, (key, _))) if self.is_in_value || fault.is_here() => {
                fault.inside(key.step(index, !self.is_in_value))
            }
            _ => fault,
        }
    }
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        match self.next() {
            None => Ok(None),
            Some(key) => seed.deserialize(key).map(Some),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let result = seed.deserialize(self.value()?);
        self.is_in_value = result.is_err();
        result
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.members.len().saturating_sub(self.read))
    }
}

/// A variant of an enum: its name, or an object whose only member has it.
struct Variant<'a> {
    name: &'a Node<'a>,
    variants: &'static [&'static str],
    content: Option<&'a Node<'a>>,
}

impl<'a> Variant<'a> {
    fn content(&self, expected: &'static str) -> Result<&'a Node<'a>, Fault> {
        let missing = || Fault::unexpected(Unexpected::UnitVariant, &expected);
        self.content.ok_or_else(missing)
    }

    fn inside(&self, fault: Fault) -> Fault {
        fault.inside(self.name.step(0, false))
    }
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Fault> {
        let text = self.name.text().unwrap_or_default();
        match name::read(seed, text, self.variants) {
            Ok(variant) => Ok((variant, self)),
            Err(_) => Err(Fault::unknown_variant(text, self.variants)),
        }
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.content {
            None | Some(Node::Null) => Ok(()),
            Some(content) => Err(self.inside(content.is_not(&"unit variant"))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        let content = self.content("newtype variant")?;
        seed.deserialize(content)
            .map_err(|fault| self.inside(fault))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Fault> {
        let content = self.content("tuple variant")?;
        content
            .deserialize_seq(visitor)
            .map_err(|fault| self.inside(fault))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let content = self.content("struct variant")?;
        content
            .deserialize_struct("", fields, visitor)
            .map_err(|fault| self.inside(fault))
    }
}
