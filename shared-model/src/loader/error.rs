//! Why a module cannot be loaded. Each text says what was wrong, where, and what to do.

use alloc::string::String;

use thiserror::Error;

use crate::address::GuestVirtual;

/// A module cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{module}: {problem}")]
pub struct LoadError {
    /// The module's name, as it was passed to the loader.
    pub module: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a module.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// There is no module to load.
    #[error("nothing to load: pass the module itself after liblcd and its dependencies")]
    NothingToLoad,
    /// The bytes are those of something else.
    #[error("not an ELF file: it looks like {looks_like}; {remedy}")]
    NotElf {
        /// What the bytes look like.
        looks_like: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The file ends before something that its headers promise.
    #[error(
        "truncated: {what} ends at offset {end:#x}, the file at {size:#x}; fetch or build it again"
    )]
    Truncated {
        /// What does not fit.
        what: String,
        /// File offset just past it.
        end: u64,
        /// Bytes in the file.
        size: u64,
    },
    /// A field has a value that means nothing.
    #[error("malformed: {what}: {why}; build it again")]
    Malformed {
        /// The part of the file.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// ELF, but not for 64-bit processors.
    #[error("a 32-bit file for {machine}; domains are x86-64: build or fetch the x86-64 version")]
    WrongClass {
        /// The processor's name, or `machine` and its number.
        machine: String,
    },
    /// ELF, but big-endian.
    #[error(
        "a big-endian file for {machine}; domains are x86-64: build or fetch the x86-64 version"
    )]
    WrongByteOrder {
        /// The processor's name, or `machine` and its number.
        machine: String,
    },
    /// ELF, but for another processor.
    #[error("built for {machine}; domains are x86-64: build or fetch the x86-64 version")]
    WrongMachine {
        /// The processor's name, or `machine` and its number.
        machine: String,
    },
    /// A kind of ELF file that cannot be loaded here.
    #[error("{found} cannot be loaded here; {remedy}")]
    WrongType {
        /// What it is.
        found: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// Two sections have file bytes in common.
    #[error("sections {first} and {second} overlap at file offset {at:#x}; build it again")]
    SectionsOverlap {
        /// The one that starts first.
        first: String,
        /// The other one.
        second: String,
        /// The first file offset that both have.
        at: u64,
    },
    /// A section or segment asks to be written and executed.
    #[error("{what} is both writable and executable; {remedy}")]
    WritableCode {
        /// The section or segment.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A section of a kind that a domain has no place for.
    #[error("section {section}: {why} is not supported; {remedy}")]
    UnsupportedSection {
        /// Its name.
        section: String,
        /// What is not supported.
        why: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The program needs more memory than it may have.
    #[error(
        "{what} would bring the program to {size:#x} bytes; the limit is {limit:#x}: load \
         less, or make its arrays smaller"
    )]
    TooLarge {
        /// The section, symbol or segment that is too much.
        what: String,
        /// Bytes that the program would need up to and with it.
        size: u64,
        /// Bytes that a program may have.
        limit: u64,
    },
    /// The address range for relocatable modules is full.
    #[error("no room: the modules would end at {end}, past {limit}; load fewer of them")]
    NoRoom {
        /// Where they would end.
        end: GuestVirtual,
        /// Where they must end.
        limit: GuestVirtual,
    },
    /// More imports without a provider than there are addresses for them.
    #[error(
        "{count} imports have no provider, at most {limit} can be bound; add the modules that \
         provide them"
    )]
    TooManyUnprovided {
        /// How many there are.
        count: u64,
        /// How many there may be.
        limit: u64,
    },
    /// A relocation does not lie in its section's bytes.
    #[error(
        "section {section}, offset {offset:#x}: a relocation outside the section's {size:#x} \
         bytes; build it again"
    )]
    RelocationOutside {
        /// The section to be relocated.
        section: String,
        /// The relocation's offset in it.
        offset: u64,
        /// Bytes that the section has in the file.
        size: u64,
    },
    /// A relocation of a type that the loader does not know.
    #[error(
        "section {section}, offset {offset:#x}: relocation {kind} against {symbol} is not \
         supported; {remedy}"
    )]
    RelocationUnsupported {
        /// The section to be relocated.
        section: String,
        /// The relocation's offset in it.
        offset: u64,
        /// The relocation's type.
        kind: String,
        /// The symbol it refers to.
        symbol: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A relocation's value does not fit its field.
    #[error(
        "section {section}, offset {offset:#x}: {kind} against {symbol} gives {value:#x}, \
         which does not fit; compile with -mcmodel=kernel or -mcmodel=small, or -fPIC"
    )]
    RelocationOverflow {
        /// The section to be relocated.
        section: String,
        /// The relocation's offset in it.
        offset: u64,
        /// The relocation's type.
        kind: String,
        /// The symbol it refers to.
        symbol: String,
        /// The value, as 64 bits of two's complement.
        value: u64,
    },
    /// A relocation against something without an address.
    #[error("section {section}, offset {offset:#x}: a relocation against {symbol}, {why}")]
    RelocationSymbol {
        /// The section to be relocated.
        section: String,
        /// The relocation's offset in it.
        offset: u64,
        /// The symbol it refers to.
        symbol: String,
        /// Why it has no address.
        why: &'static str,
    },
    /// A symbol that means nothing or is not supported.
    #[error("symbol {symbol}: {why}")]
    BadSymbol {
        /// Its name, or its number in the table.
        symbol: String,
        /// What is wrong with it.
        why: String,
    },
    /// The table of exports is not as Linux 5.4 and later write it.
    #[error(
        "export table {section}, entry {entry}: {why}; use a module built for Linux 5.4 or later"
    )]
    BadExport {
        /// The table's section.
        section: String,
        /// The number of the entry.
        entry: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A program header asks for something that cannot be.
    #[error("segment {index} at {start}: {why}; {remedy}")]
    BadSegment {
        /// The program header's number.
        index: usize,
        /// The address it asks for.
        start: GuestVirtual,
        /// What is wrong with it.
        why: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// Two segments give different bytes to one address.
    #[error(
        "segments {first} and {second} both have bytes for address {at}, and they differ; \
         link it again"
    )]
    SegmentsOverlap {
        /// The number of the segment that starts first.
        first: usize,
        /// The number of the other.
        second: usize,
        /// The first address with two values.
        at: GuestVirtual,
    },
    /// The executable asks for help that a domain does not have.
    #[error(
        "a dynamic executable: it needs {needs}, and a domain has no dynamic linker; link it \
         with -static or -static-pie"
    )]
    Dynamic {
        /// The interpreter or library that it asks for.
        needs: String,
    },
}

impl Problem {
    pub(super) fn of(self, module: &str) -> LoadError {
        LoadError { module: module.into(), problem: self }
    }

    pub(super) fn malformed(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Malformed { what: what.into(), why: why.into() }
    }
}
