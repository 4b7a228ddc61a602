//! Writes types as JSON, byte for byte as serde_json does without white space.
//!
//! serde compiles the writing of a type, and of each of its fields, anew for each serializer, so that little must stand
//! in what is generic here: a comma is written where a value ends before, which the text itself tells, so that nothing
//! is kept beside it; and what can go wrong is taken note of where it does, so that the compiler finds that all the
//! rest cannot fail. Numbers and texts are left to serde_json.
//!
//! Invariant: the text ends with an opening bracket only where nothing stands in that bracket yet.

use std::fmt;

use serde::Serialize;
use serde::ser::{
    Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Writes a value, without white space.
///
/// # Errors
/// When a map in it has keys that are neither texts nor numbers, or a type in it refuses to be written.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, Refused> {
    let mut writer = Writer {
        text: Vec::new(),
        is_refused: false,
    };
    value.serialize(&mut writer)?;
    writer.finish()
}

/// A value cannot be written as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that cannot be written as JSON")
    }
}

impl std::error::Error for Refused {}

impl Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Written = Result<(), Refused>;

/// The text so far.
struct Writer {
    text: Vec<u8>,
    is_refused: bool,
}

impl Writer {
    fn finish(self) -> Result<String, Refused> {
        match String::from_utf8(self.text) {
            Ok(text) if !self.is_refused => Ok(text),
            _ => Err(Refused),
        }
    }

    fn put(&mut self, part: &[u8]) {
        self.text.extend_from_slice(part);
    }

    /// What separates the next value of a list, or member of an object, from the one before.
    fn separate(&mut self) {
        if !matches!(self.text.last(), Some(b'[' | b'{')) {
            self.text.push(b',');
        }
    }

    fn member(&mut self, key: &str) {
        self.separate();
        self.leaf(key);
        self.put(b":");
    }

    /// Makes what was written last a key: numbers and truth values are put in quotation marks.
    fn make_key(&mut self, from: usize) {
        match self.text.get(from) {
            Some(b'"') => {}
            Some(b'[' | b'{' | b'n') | None => self.is_refused = true,
            Some(_) => {
                self.text.insert(from, b'"');
                self.put(b"\"");
            }
        }
        self.put(b":");
    }

    /// The beginning of a variant that holds something.
    fn variant(&mut self, name: &str, open: &[u8]) {
        self.put(b"{");
        self.leaf(name);
        self.put(open);
    }

    /// A text or a number.
    fn leaf<T: Serialize + ?Sized>(&mut self, value: &T) {
        self.is_refused |= serde_json::to_writer(&mut self.text, value).is_err();
    }
}

impl Serializer for &mut Writer {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn serialize_bool(self, value: bool) -> Written {
        self.put(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Written {
        self.leaf(&value);
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Written {
        self.leaf(&value);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Written {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Written {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Written {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Written {
        self.leaf(&value);
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Written {
        self.leaf(&value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Written {
        self.leaf(&value);
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Written {
        self.leaf(&value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Written {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Written {
        self.leaf(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.put(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        self.variant(variant, b":");
        value.serialize(&mut *self)?;
        self.put(b"}");
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Refused> {
        self.put(b"[");
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Refused> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Refused> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self, Refused> {
        self.variant(variant, b":[");
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Refused> {
        self.put(b"{");
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Refused> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self, Refused> {
        self.variant(variant, b":{");
        Ok(self)
    }
}

impl SerializeSeq for &mut Writer {
    type Ok = ();
    type Error = Refused;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.separate();
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        self.put(b"]");
        Ok(())
    }
}

impl SerializeTuple for &mut Writer {
    type Ok = ();
    type Error = Refused;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Written {
        SerializeSeq::end(self)
    }
}

impl SerializeTupleStruct for &mut Writer {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Written {
        SerializeSeq::end(self)
    }
}

impl SerializeTupleVariant for &mut Writer {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Written {
        self.put(b"]}");
        Ok(())
    }
}

impl SerializeMap for &mut Writer {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.separate();
        let from = self.text.len();
        key.serialize(&mut **self)?;
        self.make_key(from);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        self.put(b"}");
        Ok(())
    }
}

impl SerializeStruct for &mut Writer {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Written {
        self.member(key);
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        SerializeMap::end(self)
    }
}

impl SerializeStructVariant for &mut Writer {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Written {
        SerializeStruct::serialize_field(self, key, value)
    }

    fn end(self) -> Written {
        self.put(b"}}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// All forms that a type can have.
    #[derive(Debug, Clone, Serialize)]
    enum Form {
        Nothing,
        Number(f64),
        Pair(i8, u64),
        Nested {
            text: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            maybe: Option<char>,
            lists: Vec<Vec<Self>>,
        },
        Map(BTreeMap<u32, Self>),
        Tuple((bool, Option<f32>, Unit)),
        Text(BTreeMap<String, Wrapped>),
        Whole(Struct),
    }

    #[derive(Debug, Clone, Copy, Serialize)]
    struct Unit;

    #[derive(Debug, Clone, Serialize)]
    struct Wrapped(i64);

    #[derive(Debug, Clone, Serialize)]
    struct Struct {
        first: Both,
        last: BTreeMap<bool, i16>,
    }

    #[derive(Debug, Clone, Serialize)]
    struct Both(u8, String);

    /// One of each, made of the same parts.
    fn forms(
        (number, text): (f64, String),
        (small, large): (i8, u64),
        numbers: BTreeMap<String, i64>,
        truths: BTreeMap<bool, i16>,
    ) -> Vec<Form> {
        let texts = numbers.iter().map(|(k, v)| (k.clone(), Wrapped(*v)));
        let flat = vec![
            Form::Nothing,
            Form::Number(number),
            Form::Pair(small, large),
            Form::Tuple((truths.is_empty(), Some(number as f32), Unit)),
            Form::Tuple((true, None, Unit)),
            Form::Text(texts.collect()),
            Form::Whole(Struct {
                first: Both(small.unsigned_abs(), text.clone()),
                last: truths,
            }),
        ];
        let nested = |maybe, lists| Form::Nested {
            text: text.clone(),
            maybe,
            lists,
        };
        let map = Form::Map((7..).zip(flat.clone()).collect());
        vec![
            nested(text.chars().next(), vec![flat, Vec::new()]),
            nested(None, vec![vec![map]]),
        ]
    }

    proptest! {
        #[test]
        fn it_writes_what_serde_json_writes(
            texts: (f64, String),
            numbers: (i8, u64),
            map: BTreeMap<String, i64>,
            truths: BTreeMap<bool, i16>,
        ) {
            let forms = forms(texts, numbers, map, truths);
            prop_assert_eq!(to_string(&forms).unwrap(), serde_json::to_string(&forms).unwrap());
        }
    }

    #[test]
    fn documents_and_texts_are_written_as_serde_json_does() {
        let document = json!({
            "": [], "empty": {}, "of": [{}, [], null, true], "\u{1}\"\\é\n": -1,
            "least": i64::MIN, "greatest": u64::MAX, "fraction": 1e300,
        });
        for value in [document, json!([f64::NAN]), json!("[{"), Value::Null] {
            let expected = serde_json::to_string(&value).unwrap();
            assert_eq!(to_string(&value).unwrap(), expected);
        }
        assert_eq!(to_string(&i128::MIN).unwrap(), i128::MIN.to_string());
        assert_eq!(to_string(&u128::MAX).unwrap(), u128::MAX.to_string());
    }

    #[test]
    fn a_key_is_a_text_or_a_number() {
        let written = to_string(&BTreeMap::from([('a', 1), ('"', 2)])).unwrap();
        assert_eq!(written, r#"{"\"":2,"a":1}"#);
        assert_eq!(to_string(&BTreeMap::from([(None::<u8>, 1)])), Err(Refused));
        assert_eq!(to_string(&BTreeMap::from([(vec![1], 1)])), Err(Refused));
        assert_eq!(to_string(&BTreeMap::from([((), 1)])), Err(Refused));
    }
}
