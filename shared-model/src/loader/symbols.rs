//! Symbols with their final addresses, and finding the one an address belongs to.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use object::elf;
use serde::Serialize;

use super::file::{Home, Sym};
use crate::address::GuestVirtual;

/// What a symbol names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SymbolKind {
    /// Code.
    Function,
    /// Data.
    Object,
    /// A label: assembly code often does not say.
    Label,
}

/// Who can see a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Every file it is linked with.
    Global,
    /// Its own file.
    Local,
}

/// A defined symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Its name, never empty.
    pub name: String,
    /// Its address, or its value if it is absolute.
    pub address: GuestVirtual,
    /// Bytes it covers; 0 if unknown.
    pub size: u64,
    /// What it names.
    pub kind: SymbolKind,
    /// Who can see it.
    pub scope: Scope,
    /// Whether its value is a number rather than a place in the image.
    pub absolute: bool,
}

impl Symbol {
    /// The symbol at `address`, or nothing if it is not one that people look for: a section,
    /// a file's name, an undefined or nameless one.
    pub(super) fn at(symbol: &Sym<'_>, address: u64) -> Option<Self> {
        let kind = match symbol.kind {
            elf::STT_FUNC => SymbolKind::Function,
            elf::STT_OBJECT | elf::STT_COMMON => SymbolKind::Object,
            elf::STT_NOTYPE => SymbolKind::Label,
            _ => return None,
        };
        if symbol.name.is_empty() || symbol.home == Home::Undefined {
            return None;
        }
        Some(Self {
            name: symbol.name.to_owned(),
            address: GuestVirtual(address),
            size: symbol.size,
            kind,
            scope: if symbol.is_local() { Scope::Local } else { Scope::Global },
            absolute: symbol.home == Home::Absolute,
        })
    }
}

/// Sorts by address; of several at one address, the one that describes it best comes first.
pub(super) fn sort(symbols: &mut Vec<Symbol>) {
    symbols.sort_by(|a, b| order(a).cmp(&order(b)));
    symbols.dedup();
}

fn order(symbol: &Symbol) -> impl Ord + '_ {
    (symbol.address, symbol.absolute, symbol.kind, symbol.scope, &symbol.name, symbol.size)
}

/// The best of the nearest symbols at or below `address`, not below `lowest`.
pub(super) fn nearest(
    symbols: &[Symbol],
    address: GuestVirtual,
    lowest: GuestVirtual,
) -> Option<&Symbol> {
    let end = symbols.partition_point(|symbol| symbol.address <= address);
    let last = symbols[..end].iter().rev().find(|symbol| !symbol.absolute)?;
    let first = symbols.partition_point(|symbol| symbol.address < last.address);
    Some(&symbols[first]).filter(|symbol| symbol.address >= lowest)
}
