//! Arguments of calls.

use alloc::string::String;
use core::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize as Derive, Serialize};

/// An argument of a call. Text and bytes are placed in the domain, and the function receives
/// their address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub enum Argument {
    /// A non-negative integer.
    Unsigned(u64),
    /// A negative integer, passed as its two's complement.
    Signed(i64),
    /// Text; a zero byte is added.
    Text {
        /// The text.
        text: String,
    },
    /// Bytes, in hexadecimal.
    Bytes {
        /// The digits.
        hex: String,
    },
    /// Room for output, all zero, reported after the call.
    Buffer {
        /// How many bytes.
        buffer: u64,
    },
}

const EXPECTED: &str =
    "an integer, { text = \"…\" }, { hex = \"…\" } or { buffer = number of bytes }";

/// An argument that is a table, with one of these keys.
#[derive(Derive)]
#[serde(deny_unknown_fields)]
struct Table {
    text: Option<String>,
    hex: Option<String>,
    buffer: Option<u64>,
}

// By hand, as what serde derives for such an enum forgets where in the file an error is.
impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Read)
    }
}

struct Read;

impl<'de> Visitor<'de> for Read {
    type Value = Argument;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Argument, E> {
        Ok(Argument::Unsigned(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Argument, E> {
        Ok(u64::try_from(value).map_or(Argument::Signed(value), Argument::Unsigned))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Argument, A::Error> {
        match Table::deserialize(MapAccessDeserializer::new(map))? {
            Table { text: Some(text), hex: None, buffer: None } => Ok(Argument::Text { text }),
            Table { text: None, hex: Some(hex), buffer: None } => Ok(Argument::Bytes { hex }),
            Table { text: None, hex: None, buffer: Some(buffer) } => {
                Ok(Argument::Buffer { buffer })
            }
            _ => Err(A::Error::custom(format_args!("an argument is {EXPECTED}"))),
        }
    }
}
