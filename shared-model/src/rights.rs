//! What a capability or a mapping allows.

use alloc::string::String;
use core::fmt;
use core::ops::{BitAnd, BitOr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of rights. Every derivation intersects; nothing ever adds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[r-][w-][x-][g-][c-]$"))]
pub struct Rights(u8);

impl Rights {
    /// No right at all.
    pub const NONE: Self = Self(0);
    /// Read (and, for an endpoint, receive).
    pub const READ: Self = Self(1);
    /// Write (and, for an endpoint, send). On x86 a writable page is readable.
    pub const WRITE: Self = Self(2);
    /// Execute.
    pub const EXECUTE: Self = Self(4);
    /// Pass the capability, or a weaker copy, on to another domain.
    pub const GRANT: Self = Self(8);
    /// Make calls on an endpoint: be answered, once, without being able to pass other
    /// capabilities.
    pub const CALL: Self = Self(16);
    /// Every right there is.
    pub const ALL: Self = Self(31);
    /// Read and write: ordinary data.
    pub const READ_WRITE: Self = Self(3);
    /// Read and execute: code.
    pub const READ_EXECUTE: Self = Self(5);

    /// The rights in the low five bits of `bits`, or nothing if another bit is set.
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits & !(Self::ALL.0 as u64) == 0 { Some(Self(bits as u8)) } else { None }
    }

    /// The bits, as hypercalls carry them.
    pub const fn bits(self) -> u64 {
        self.0 as u64
    }

    /// Whether every right of `other` is here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is no right at all.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether something could be written here and then executed.
    pub const fn is_writable_code(self) -> bool {
        self.contains(Self::WRITE) && self.contains(Self::EXECUTE)
    }

    /// The rights that a mapping can have: all but grant and call.
    pub const fn for_mapping(self) -> Self {
        Self(self.0 & !(Self::GRANT.0 | Self::CALL.0))
    }
}

impl BitAnd for Rights {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Rights {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

const LETTERS: [(Rights, char); 5] = [
    (Rights::READ, 'r'),
    (Rights::WRITE, 'w'),
    (Rights::EXECUTE, 'x'),
    (Rights::GRANT, 'g'),
    (Rights::CALL, 'c'),
];

impl fmt::Display for Rights {
    /// Five columns, as `ls` would print them: `rw-g-`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        LETTERS.iter().try_for_each(|&(right, letter)| {
            fmt::Write::write_char(f, if self.contains(right) { letter } else { '-' })
        })
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::str::FromStr for Rights {
    type Err = String;

    /// Reads letters of `rwxgc` in any order; `-` stands for a missing one.
    fn from_str(text: &str) -> Result<Self, String> {
        text.chars().filter(|&c| c != '-').try_fold(Self::NONE, |rights, c| {
            match LETTERS.iter().find(|(_, letter)| *letter == c) {
                Some((right, _)) => Ok(rights | *right),
                None => {
                    Err(alloc::format!("unknown right `{c}` in `{text}`: use letters of rwxgc"))
                }
            }
        })
    }
}

impl Serialize for Rights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Rights;

    #[test]
    fn text_round_trips() {
        for bits in 0..32 {
            let rights = Rights::from_bits(bits).unwrap();
            let text = alloc::format!("{rights}");
            assert_eq!((text.len(), text.parse()), (5, Ok(rights)));
        }
        assert!("rq".parse::<Rights>().is_err());
        assert_eq!(Rights::from_bits(32), None);
    }

    #[test]
    fn a_mapping_can_only_have_what_the_processor_knows() {
        assert_eq!(Rights::ALL.for_mapping(), Rights::READ_WRITE | Rights::EXECUTE);
        assert_eq!((Rights::GRANT | Rights::CALL).for_mapping(), Rights::NONE);
    }
}
