//! From the bytes of modules to images that a domain can run.
//!
//! [`link`] takes what was read from a module store, in link order, and gives back one
//! [`Program`]: for each module the page-aligned [`Segment`]s to be mapped, with their bytes
//! relocated and the rights that each of them has. Nothing is both writable and executable.
//!
//! - `file` reads headers, sections and symbols, everything checked against the
//!   file's size;
//! - relocatable modules (`.ko`, `.o`) are laid out, bound to each other and relocated;
//! - executables keep their addresses, static position-independent ones get one;
//! - [`inspect`] describes a file without linking it.
//!
//! The input is not trusted: whatever it holds, the answer is a program or a [`LoadError`],
//! and memory use is bounded by the input's size and [`MEMORY_MAX`].

use alloc::string::String;
use alloc::vec::Vec;

use object::elf;

use crate::address::{GuestVirtual, PAGE_SIZE};
use crate::layout::UNPROVIDED_BASE;
use crate::rights::Rights;

mod dynamic;
mod error;
mod executable;
mod file;
pub mod inspect;
mod ksymtab;
mod linking;
pub mod modinfo;
mod relocatable;
mod relocate;
mod symbols;

#[cfg(test)]
mod hostile;
#[cfg(test)]
pub(crate) mod samples;

pub use error::{LoadError, Problem};
pub use symbols::{Scope, Symbol, SymbolKind};

/// Bytes that the images of one program may have in all.
pub const MEMORY_MAX: u64 = 256 << 20;

/// A module as it was read from wherever modules come from.
#[derive(Debug, Clone, Copy)]
pub struct Module<'a> {
    /// Its name, for reports and errors.
    pub name: &'a str,
    /// The ELF file.
    pub bytes: &'a [u8],
}

/// Modules linked together, ready to be mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// One image per module, in link order; the last is the main one.
    pub images: Vec<Image>,
    /// The imports that no module provides, sorted by name and by address.
    pub unprovided: Vec<Unprovided>,
}

/// An import that no module provides, bound to a page of its own that is never mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unprovided {
    /// The symbol's name.
    pub name: String,
    /// The address it is bound to: the start of its page.
    pub address: GuestVirtual,
    /// The module that asks for it, the first in link order if there are several.
    pub by: String,
}

/// What kind of file an image comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An object (`.ko`, `.o`), placed and relocated by the loader.
    Relocatable,
    /// An executable at its own addresses.
    Executable,
    /// A static position-independent executable, placed by the loader.
    StaticPie,
}

/// One module in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The module's name.
    pub name: String,
    /// What it was.
    pub kind: Kind,
    /// What to map, sorted by address, without overlap.
    pub segments: Vec<Segment>,
    /// Where the file's sections went that are in memory and have a size, in the file's order.
    pub sections: Vec<PlacedSection>,
    /// Its symbols with their final addresses, sorted by address.
    pub symbols: Vec<Symbol>,
    /// What it offers to modules linked after it, sorted by name.
    pub exports: Vec<Export>,
    /// What it takes from modules linked before it, sorted by name.
    pub imports: Vec<Import>,
    /// The address of `init_module`.
    pub init: Option<GuestVirtual>,
    /// The address of `cleanup_module`.
    pub cleanup: Option<GuestVirtual>,
    /// Where an executable starts.
    pub entry: Option<GuestVirtual>,
    /// The entries of `.modinfo`, in the file's order.
    pub modinfo: Vec<(String, String)>,
}

/// A run of pages with the same rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The first address, at a page's start.
    pub start: GuestVirtual,
    /// Bytes, a multiple of the page size.
    pub size: u64,
    /// The first bytes; those from here to `size` are zero.
    pub bytes: Vec<u8>,
    /// What the pages allow. Never both write and execute.
    pub rights: Rights,
    /// What they hold: `.text`, `.init.data`, … or `load` and the numbers of the program
    /// headers.
    pub label: String,
}

/// A section of a file, in memory.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PlacedSection {
    /// Its number in the file.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its first address.
    #[serde(serialize_with = "as_hex")]
    pub address: GuestVirtual,
    /// Its bytes.
    pub size: u64,
}

fn as_hex<S: serde::Serializer>(address: &GuestVirtual, serializer: S) -> Result<S::Ok, S::Error> {
    serde::Serialize::serialize(&crate::hex::Hex(address.0), serializer)
}

/// A symbol that a module offers to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// Its address, or its value if it is absolute.
    pub address: GuestVirtual,
    /// Whether only modules under a GPL-compatible licence are meant to use it.
    pub gpl: bool,
}

/// A symbol that a module takes from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its name.
    pub name: String,
    /// What it is bound to.
    pub address: GuestVirtual,
    /// The module that provides it; nothing if none does.
    pub from: Option<String>,
    /// Whether it may be absent: its address is then 0, and not that of a trap.
    pub weak: bool,
}

/// Links modules: liblcd first, then what the main module depends on, the main module last.
///
/// An executable stands alone: if the last module is one, the others are not looked at.
///
/// # Errors
/// When a module is not a loadable x86-64 ELF file, is damaged, or asks for what a domain
/// does not give; the error names the module, the place and the remedy.
pub fn link(modules: &[Module<'_>]) -> Result<Program, LoadError> {
    let Some(main) = modules.last() else {
        return Err(Problem::NothingToLoad.of(""));
    };
    let file = file::File::parse(main.bytes).map_err(|problem| problem.of(main.name))?;
    if matches!(file.kind, elf::ET_EXEC | elf::ET_DYN) {
        let image = executable::load(main.name, &file).map_err(|problem| problem.of(main.name))?;
        return Ok(Program { images: Vec::from([image]), unprovided: Vec::new() });
    }
    linking::link(modules)
}

impl Program {
    /// The image of the module that was linked last.
    pub fn main(&self) -> Option<&Image> {
        self.images.last()
    }

    /// The address of the symbol called `name`: of the main module if it has one, even if it
    /// is not exported, else of the first module that exports it.
    pub fn symbol(&self, name: &str) -> Option<GuestVirtual> {
        let main = self.main()?;
        main.export(name)
            .or_else(|| main.symbol(name))
            .or_else(|| self.images.iter().find_map(|image| image.export(name)))
    }

    /// What an address belongs to: the module, its nearest symbol at or below the address
    /// (the segment's label if there is none), and the distance from there in bytes.
    pub fn symbolize(&self, address: GuestVirtual) -> Option<(&str, &str, u64)> {
        self.images.iter().find_map(|image| {
            let segment = image.segment_at(address)?;
            let symbol = symbols::nearest(&image.symbols, address, segment.start);
            let (name, base) =
                symbol.map_or((&*segment.label, segment.start), |s| (&*s.name, s.address));
            Some((&*image.name, name, address.0 - base.0))
        })
    }

    /// The import that a fault at `address` is about, if it was bound to a trap.
    pub fn unprovided_at(&self, address: GuestVirtual) -> Option<&Unprovided> {
        let page = address.0.checked_sub(UNPROVIDED_BASE.0)? / PAGE_SIZE;
        self.unprovided.get(usize::try_from(page).ok()?)
    }
}

impl Image {
    /// The address of an export.
    pub fn export(&self, name: &str) -> Option<GuestVirtual> {
        let at = self.exports.binary_search_by(|export| (*export.name).cmp(name)).ok()?;
        Some(self.exports[at].address)
    }

    /// The address of a symbol, a global one before a local one.
    pub fn symbol(&self, name: &str) -> Option<GuestVirtual> {
        let named = || self.symbols.iter().filter(|symbol| symbol.name == name);
        let symbol = named().find(|symbol| symbol.scope == Scope::Global).or(named().next())?;
        Some(symbol.address)
    }

    /// The segment that `address` is in.
    pub fn segment_at(&self, address: GuestVirtual) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.contains(address))
    }
}

impl Segment {
    /// Whether `address` is one of the segment's.
    pub fn contains(&self, address: GuestVirtual) -> bool {
        address.0.checked_sub(self.start.0).is_some_and(|offset| offset < self.size)
    }

    /// The address just past the segment.
    pub const fn end(&self) -> GuestVirtual {
        GuestVirtual(self.start.0 + self.size)
    }
}
