//! Objects that exist from the start and belong to nobody: domains only hold capabilities to
//! them.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::names::Kind;

/// Pages that a block can have: 16 MiB.
pub const MEMORY_PAGES_MAX: u64 = 4096;
/// Memory nodes that the model has.
pub const MEMORY_NODES: u64 = 2;
/// The largest order of a channel: 4 MiB.
pub const CHANNEL_ORDER_MAX: u64 = 10;

/// Bytes that can wait at the serial port.
pub const SERIAL_INPUT_MAX: usize = 4 << 10;

/// A block of pages, zero where `contents` says nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryPlan {
    /// Its name, unique in the world.
    pub name: String,
    /// How many pages.
    #[serde(default = "one")]
    pub pages: u64,
    /// The memory node that they are from.
    #[serde(default)]
    pub node: u64,
    /// It is the host's memory, lent in: it goes back to the host and never to the pool.
    #[serde(default)]
    pub lent: bool,
    /// What is in it at the start.
    #[serde(default)]
    pub contents: Vec<Contents>,
}

const fn one() -> u64 {
    1
}

impl MemoryPlan {
    /// What is in it at the start, up to the last byte that is given.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in &self.contents {
            let given = part.bytes().unwrap_or_default();
            let start = part.offset as usize;
            let end = start + given.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(&given);
        }
        bytes
    }
}

/// Bytes in a block at the start. Exactly one of `text` and `hex` says which.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// Where they begin, in bytes from the start of the block.
    #[serde(default)]
    pub offset: u64,
    /// The bytes as text. No zero byte is added.
    #[serde(default)]
    pub text: Option<String>,
    /// The bytes in hexadecimal.
    #[serde(default)]
    pub hex: Option<String>,
}

impl Contents {
    /// The bytes, or nothing if there is not exactly one kind of them, or it is malformed.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match (&self.text, &self.hex) {
            (Some(text), None) => Some(text.as_bytes().to_vec()),
            (None, Some(hex)) => crate::hex::decode(hex),
            _ => None,
        }
    }
}

/// An object of which there is nothing to say but its name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectPlan {
    /// Its name, unique in the world.
    pub name: String,
}

/// Shared pages with a doorbell at each end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelPlan {
    /// Its name, unique in the world.
    pub name: String,
    /// It has `1 << order` pages.
    #[serde(default)]
    pub order: u64,
}

/// A range of I/O ports.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortsPlan {
    /// Its name, unique in the world.
    pub name: String,
    /// The lowest port.
    pub first: u16,
    /// The highest port, which is part of the range.
    pub last: u16,
}

/// An interrupt line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterruptPlan {
    /// Its name, unique in the world.
    pub name: String,
    /// The line.
    pub line: u8,
}

impl super::World {
    /// Pages of what can be mapped; nothing for other objects.
    pub(crate) fn pages_of(&self, kind: Kind, index: usize) -> Option<u64> {
        match kind {
            Kind::Memory => Some(self.memory.get(index)?.pages),
            Kind::Channel => 1_u64.checked_shl(self.channels.get(index)?.order.try_into().ok()?),
            _ => None,
        }
    }
}
