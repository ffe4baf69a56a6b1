//! Bytes as hexadecimal text, for logs and world files.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number that is `0x` and hexadecimal digits in JSON, whose readers lose digits of large ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^0x[0-9a-f]{1,16}$"))]
pub struct Hex(pub u64);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:#x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        number.map(Self).ok_or_else(|| {
            let message = "a number of up to 64 bits is 0x and hexadecimal digits";
            serde::de::Error::custom(message)
        })
    }
}

/// Two lower-case digits a byte.
pub fn encode(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Reads pairs of digits, or nothing if something else is in the text.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digits =
        text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<Vec<_>>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::{Hex, decode, encode};

    #[test]
    fn numbers_keep_all_their_digits() {
        let text = serde_json::to_string(&Hex(u64::MAX)).unwrap();
        assert_eq!(text, "\"0xffffffffffffffff\"");
        assert_eq!(serde_json::from_str::<Hex>(&text).unwrap(), Hex(u64::MAX));
        for wrong in ["\"12\"", "\"0x\"", "\"0x1g\"", "\"0x10000000000000000\"", "18"] {
            assert!(serde_json::from_str::<Hex>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn text_round_trips_and_anything_else_is_refused() {
        assert_eq!(decode("00fF7a"), Some(alloc::vec![0, 255, 0x7a]));
        assert_eq!(encode(&[0, 255, 0x7a]), "00ff7a");
        assert_eq!(decode("123"), None);
        assert_eq!(decode("zz"), None);
    }
}
