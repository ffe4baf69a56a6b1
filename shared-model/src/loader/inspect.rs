//! What is in a module, without linking it.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use object::elf;
use serde::{Deserialize, Serialize};

use super::file::{File, Header, Home, Section, Sym};
use super::{LoadError, Module, Problem, ksymtab, linking, modinfo, relocate};

/// What is in a module. Addresses are the file's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Inspection {
    /// `relocatable`, `executable`, `static-pie` or `dynamic`.
    pub kind: String,
    /// Bytes in the file.
    pub size: u64,
    /// The sections, in the file's order.
    pub sections: Vec<SectionInfo>,
    /// The segments, in the file's order.
    pub segments: Vec<SegmentInfo>,
    /// How many relocations there are of each type, for sections that are loaded.
    pub relocations: BTreeMap<String, u64>,
    /// What the module offers to others, sorted by name.
    pub exports: Vec<ExportInfo>,
    /// What it takes from others, sorted by name.
    pub imports: Vec<ImportInfo>,
    /// Where it can be entered.
    pub entries: Vec<EntryInfo>,
    /// The entries of `.modinfo`, in the file's order.
    pub modinfo: Vec<(String, String)>,
}

/// A section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SectionInfo {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its address; 0 in a relocatable module.
    pub address: u64,
    /// Its alignment in bytes.
    pub align: u64,
    /// Letters as `readelf` prints them: `A` loaded, `W` writable, `X` executable, `Z` zeros
    /// that take no room in the file.
    pub flags: String,
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SegmentInfo {
    /// `LOAD`, `TLS`, `GNU_STACK`, …
    pub kind: String,
    /// Its address.
    pub address: u64,
    /// Its bytes in the file.
    pub file_size: u64,
    /// Its bytes in memory.
    pub memory_size: u64,
    /// `r`, `w` and `x`, or `-` in their place.
    pub flags: String,
}

/// A symbol that the module offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ExportInfo {
    /// Its name.
    pub name: String,
    /// The section it is in; nothing for an absolute or common symbol.
    pub section: Option<String>,
    /// Its offset in the section; of an executable, its address.
    pub value: u64,
    /// Whether it is for modules under a GPL-compatible licence.
    pub gpl: bool,
}

/// A symbol that the module needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ImportInfo {
    /// Its name.
    pub name: String,
    /// Whether it may be absent.
    pub weak: bool,
}

/// A place where the module can be entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EntryInfo {
    /// `init`, `cleanup` or `start`.
    pub role: String,
    /// The section it is in, of a relocatable module.
    pub section: Option<String>,
    /// Its offset in the section, or its address.
    pub value: u64,
}

/// Describes a module.
///
/// It may be one that cannot be linked, say because it needs a dynamic linker.
///
/// # Errors
/// When it is not an x86-64 ELF file or is damaged.
pub fn inspect(module: &Module<'_>) -> Result<Inspection, LoadError> {
    of_bytes(module.bytes).map_err(|problem| problem.of(module.name))
}

fn of_bytes(bytes: &[u8]) -> Result<Inspection, Problem> {
    let file = File::parse(bytes)?;
    Ok(Inspection {
        kind: kind(&file)?.into(),
        size: bytes.len() as u64,
        sections: file.sections.iter().skip(1).map(section).collect(),
        segments: file.headers.iter().map(segment).collect(),
        relocations: relocations(&file)?,
        exports: exports(&file)?,
        imports: imports(&file),
        entries: entries(&file),
        modinfo: modinfo::of_file(&file),
    })
}

fn kind(file: &File<'_>) -> Result<&'static str, Problem> {
    let dynamic = file.headers.iter().any(|header| header.kind == elf::PT_INTERP);
    match file.kind {
        elf::ET_REL => Ok("relocatable"),
        elf::ET_EXEC | elf::ET_DYN if dynamic => Ok("dynamic"),
        elf::ET_EXEC => Ok("executable"),
        elf::ET_DYN => Ok("static-pie"),
        other => Err(linking::wrong_type(other)),
    }
}

fn section(section: &Section<'_>) -> SectionInfo {
    let letters = [
        (elf::SHF_WRITE, 'W'),
        (elf::SHF_ALLOC, 'A'),
        (elf::SHF_EXECINSTR, 'X'),
        (elf::SHF_MERGE, 'M'),
        (elf::SHF_STRINGS, 'S'),
        (elf::SHF_TLS, 'T'),
    ];
    let mut flags: String =
        letters.iter().filter(|(flag, _)| section.has(*flag)).map(|(_, letter)| letter).collect();
    if section.is_zeros() {
        flags.push('Z');
    }
    SectionInfo {
        name: section.name.to_owned(),
        size: section.size,
        address: section.address,
        align: section.align,
        flags,
    }
}

fn segment(header: &Header) -> SegmentInfo {
    let kind = elf::machine_names(elf::EM_X86_64).pt.name(header.kind).map_or_else(
        || format!("{:#x}", header.kind.0),
        |name| name.trim_start_matches("PT_").to_string(),
    );
    let letters = [(elf::PF_R, 'r'), (elf::PF_W, 'w'), (elf::PF_X, 'x')];
    let letter = |(flag, letter): (elf::ProgramFlags, char)| {
        if header.flags & flag.0 != 0 { letter } else { '-' }
    };
    SegmentInfo {
        kind,
        address: header.address,
        file_size: header.file_size,
        memory_size: header.memory_size,
        flags: letters.into_iter().map(letter).collect(),
    }
}

fn relocations(file: &File<'_>) -> Result<BTreeMap<String, u64>, Problem> {
    let mut counts = BTreeMap::new();
    for (index, target) in file.relocation_sections() {
        // An executable's relocations are for its segments and name no section.
        let loaded = file.sections.get(target).is_some_and(|target| target.has(elf::SHF_ALLOC));
        if loaded || file.kind != elf::ET_REL {
            for rela in file.relocation_entries(index)? {
                *counts.entry(rela.kind.0).or_insert(0) += 1;
            }
        }
    }
    Ok(counts
        .into_iter()
        .map(|(kind, count)| (relocate::type_name(elf::RelocationType(kind)), count))
        .collect())
}

fn exports(file: &File<'_>) -> Result<Vec<ExportInfo>, Problem> {
    let mut exports: Vec<_> = if linking::is_linux_module(file) {
        let entries = ksymtab::read(file)?;
        entries
            .into_iter()
            .map(|entry| ExportInfo {
                name: entry.name.to_owned(),
                section: Some(file.section_name(entry.section)),
                value: entry.offset,
                gpl: entry.gpl,
            })
            .collect()
    } else {
        let offered = file.symbols.iter().filter(|symbol| {
            !symbol.is_local() && symbol.home != Home::Undefined && !symbol.name.is_empty()
        });
        offered
            .map(|symbol| ExportInfo {
                name: symbol.name.to_owned(),
                section: home_name(file, symbol),
                value: symbol.value,
                gpl: false,
            })
            .collect()
    };
    exports.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(exports)
}

fn home_name(file: &File<'_>, symbol: &Sym<'_>) -> Option<String> {
    match symbol.home {
        Home::Section(section) => Some(file.section_name(section)),
        _ => None,
    }
}

fn imports(file: &File<'_>) -> Vec<ImportInfo> {
    let mut imports: Vec<_> = linking::undefined(file)
        .map(|(_, symbol)| ImportInfo { name: symbol.name.to_owned(), weak: symbol.is_weak() })
        .collect();
    imports.sort_by(|a, b| a.name.cmp(&b.name));
    imports.dedup_by(|b, a| a.name == b.name);
    imports
}

fn entries(file: &File<'_>) -> Vec<EntryInfo> {
    if file.kind != elf::ET_REL {
        let start = (file.entry != 0).then_some(EntryInfo {
            role: "start".into(),
            section: None,
            value: file.entry,
        });
        return start.into_iter().collect();
    }
    [("init", "init_module"), ("cleanup", "cleanup_module")]
        .into_iter()
        .filter_map(|(role, name)| {
            let symbol = file
                .symbols
                .iter()
                .find(|symbol| symbol.name == name && symbol.home != Home::Undefined)?;
            Some(EntryInfo {
                role: role.into(),
                section: home_name(file, symbol),
                value: symbol.value,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Module;
    use super::super::samples::{library, module, static_pie};
    use super::{Inspection, inspect};

    fn of(bytes: &[u8]) -> Inspection {
        inspect(&Module { name: "sample", bytes }).unwrap()
    }

    #[test]
    fn a_module_is_described() {
        let found = of(&module());
        assert_eq!(found.kind, "relocatable");
        let text = found.sections.iter().find(|section| section.name == ".text").unwrap();
        assert_eq!((text.size, &*text.flags), (0x80, "AX"));
        assert_eq!(found.relocations["R_X86_64_PLT32"], 2);
        assert_eq!(found.relocations["R_X86_64_PC32"], 4);
        assert_eq!(found.exports[0].name, "twice");
        assert_eq!(
            (found.exports[0].section.as_deref(), found.exports[0].value),
            (Some(".text"), 0x10)
        );
        let imports = found.imports.iter().map(|import| (&*import.name, import.weak));
        assert!(imports.eq([
            ("_printk", false),
            ("kmalloc", false),
            ("maybe", true),
            ("this_cpu_off", false)
        ]));
        assert!(found.entries.iter().map(|entry| &*entry.role).eq(["init", "cleanup"]));
        assert_eq!(found.modinfo.len(), 2);
    }

    #[test]
    fn other_kinds_are_described() {
        assert_eq!(of(&library()).exports.len(), 3);
        let pie = of(&static_pie());
        assert_eq!((&*pie.kind, &*pie.segments[3].kind), ("static-pie", "DYNAMIC"));
        assert_eq!(pie.segments[0].flags, "r-x");
        assert_eq!((&*pie.entries[0].role, pie.entries[0].value), ("start", 0x10));
    }
}
