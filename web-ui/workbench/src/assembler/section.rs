//! Sections, and what is in them.

use super::expression::Expression;
use super::operand::Operand;
use super::place::Place;

/// A section.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) access: Access,
    /// Zeros only, which take no room in the file.
    pub(super) zeros: bool,
    pub(super) align: u64,
    pub(super) items: Vec<Item>,
}

/// What a section's bytes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
    Execute,
    /// Not in memory.
    None,
}

/// Something in a section, with the line that it comes from.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

/// What an item is.
#[derive(Debug)]
pub(super) enum Kind {
    /// Not encoded yet.
    Source(Box<Source>),
    Data {
        width: u32,
        values: Vec<(Expression, Place)>,
    },
    Bytes {
        bytes: Vec<u8>,
        fixups: Vec<Fixup>,
    },
    /// A branch of one of two lengths.
    Branch {
        short: Option<Vec<u8>>,
        near: Option<Vec<u8>>,
        target: Expression,
        is_near: bool,
    },
    Align(u64),
    Zeros(u64),
}

/// An instruction as it is written.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) prefixes: Vec<(Prefix, Place)>,
    /// In small letters.
    pub(super) mnemonic: String,
    pub(super) operands: Vec<Operand>,
    /// From the first operand to the last.
    pub(super) place: Place,
}

/// A prefix that is written before an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    Lock,
    Rep,
    Repe,
    Repne,
}

/// Bytes of an item whose value is known when everything has its place, or by the loader.
#[derive(Debug)]
pub(super) struct Fixup {
    pub(super) at: usize,
    pub(super) field: Field,
    pub(super) value: Expression,
    pub(super) place: Place,
}

/// What a fixup's bytes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// A number of so many bytes.
    Plain(u32),
    /// 4 bytes that the processor extends with their sign to 8.
    Signed,
    /// 4 bytes: the distance from the end of the item.
    Distance,
    /// The same, of a call or a jump.
    Target,
}

impl Field {
    pub(super) const fn width(self) -> u32 {
        match self {
            Self::Plain(width) => width,
            _ => 4,
        }
    }
}

/// What a section is, by its name.
pub(super) fn known(name: &str) -> Option<(Access, bool)> {
    const KNOWN: [(&str, Access, bool); 6] = [
        (".text", Access::Execute, false),
        (".init.text", Access::Execute, false),
        (".rodata", Access::Read, false),
        (".data", Access::Write, false),
        (".bss", Access::Write, true),
        (".modinfo", Access::Read, false),
    ];
    let found = KNOWN.iter().find(|(known, ..)| {
        name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    found.map(|(_, access, zeros)| (*access, *zeros))
}

impl Section {
    pub(super) fn new(name: &str, access: Access, zeros: bool) -> Self {
        let align = if access == Access::Execute { 16 } else { 1 };
        Self { name: name.into(), access, zeros, align, items: Vec::new() }
    }
}
