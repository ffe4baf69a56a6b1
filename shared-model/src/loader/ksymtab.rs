//! The table of exports of a Linux module: sections `__ksymtab` and `__ksymtab_gpl`, an array
//! of three 32-bit words per export that lead, each relative to its own address, to the
//! symbol, its name and its namespace (Linux, include/linux/export-internal.h).
//!
//! Where the words lead is what their relocations say, so the table can be read before
//! anything has an address.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use object::elf;

use super::Problem;
use super::file::{File, Home, Rela, c_string};

const ENTRY_SIZE: u64 = 12;
const NAME_WORD: u64 = 4;
/// Bytes of the longest name that Linux allows (KSYM_NAME_LEN).
const NAME_MAX: usize = 512;

/// An entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'d> {
    pub name: &'d str,
    /// The section that the symbol is in.
    pub section: usize,
    /// Its offset there.
    pub offset: u64,
    /// Whether it is in `__ksymtab_gpl`.
    pub gpl: bool,
}

/// Whether a section of this name is such a table. Before `ld -r` gathers them, each export
/// has a section of its own.
fn is_table(name: &str) -> bool {
    matches!(name, "__ksymtab" | "__ksymtab_gpl")
        || name.starts_with("___ksymtab+")
        || name.starts_with("___ksymtab_gpl+")
}

/// Whether the file has a table of exports, even an empty one.
pub(super) fn is_present(file: &File<'_>) -> bool {
    file.sections.iter().any(|section| is_table(section.name))
}

/// The exports, in the order of the table.
pub(super) fn read<'d>(file: &File<'d>) -> Result<Vec<Entry<'d>>, Problem> {
    let mut entries = Vec::new();
    for (index, section) in file.sections.iter().enumerate() {
        if !is_table(section.name) || section.size == 0 {
            continue;
        }
        let bad = |entry, why| Problem::BadExport { section: section.name.into(), entry, why };
        if section.data.is_empty() || section.size % ENTRY_SIZE != 0 {
            return Err(bad(section.size / ENTRY_SIZE, "its entries are not 12 bytes long"));
        }
        let words = words(file, index)?;
        for entry in 0..section.size / ENTRY_SIZE {
            let at = entry * ENTRY_SIZE;
            let target = |offset| words.get(&offset).and_then(|rela| target(file, rela));
            let (home, offset) =
                target(at).ok_or_else(|| bad(entry, "it does not lead to a defined symbol"))?;
            let (names, start) = target(at + NAME_WORD)
                .ok_or_else(|| bad(entry, "it does not lead to its symbol's name"))?;
            let name = usize::try_from(start)
                .ok()
                .and_then(|start| file.sections[names].data.get(start..))
                .and_then(c_string)
                .filter(|name| !name.is_empty() && name.len() < NAME_MAX)
                .ok_or_else(|| bad(entry, "its name is not text of 1 to 511 bytes"))?;
            let gpl = section.name.contains("ksymtab_gpl");
            entries.push(Entry { name, section: home, offset, gpl });
        }
    }
    Ok(entries)
}

/// The relocations of the table by their offset.
fn words(file: &File<'_>, table: usize) -> Result<BTreeMap<u64, Rela>, Problem> {
    let mut words = BTreeMap::new();
    for (index, target) in file.relocation_sections() {
        if target == table {
            words.extend(file.relocations(index)?.map(|rela| (rela.offset, rela)));
        }
    }
    Ok(words)
}

/// The section and offset that a self-relative word leads to.
fn target(file: &File<'_>, rela: &Rela) -> Option<(usize, u64)> {
    if !matches!(rela.kind, elf::R_X86_64_PC32 | elf::R_X86_64_PLT32) {
        return None;
    }
    let symbol = file.symbols.get(rela.symbol as usize)?;
    let Home::Section(section) = symbol.home else { return None };
    let offset = symbol.value.checked_add_signed(rela.addend)?;
    (offset <= file.sections[section].size).then_some((section, offset))
}

#[cfg(test)]
mod tests {
    use object::SectionKind;
    use object::elf;

    use super::super::Problem;
    use super::super::samples::{Sample, problem};

    fn refused(build: impl FnOnce(&mut Sample)) -> &'static str {
        let mut sample = Sample::new();
        build(&mut sample);
        match problem(&sample.bytes()) {
            Problem::BadExport { section, why, .. } => {
                assert_eq!(section, "__ksymtab");
                why
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_table_of_another_layout_is_refused() {
        let why = refused(|sample| {
            sample.section("__ksymtab", SectionKind::ReadOnlyData, &[0; 16]);
        });
        assert_eq!(why, "its entries are not 12 bytes long");
        let why = refused(|sample| {
            let text = sample.section(".text", SectionKind::Text, &[0; 16]);
            let symbol = sample.global("f", text, 0);
            let table = sample.section("__ksymtab", SectionKind::ReadOnlyData, &[0; 48]);
            sample.relocate(table, 0, elf::R_X86_64_64, symbol, 0);
        });
        assert_eq!(why, "it does not lead to a defined symbol");
    }

    #[test]
    fn an_entry_that_leads_nowhere_is_refused() {
        let why = refused(|sample| {
            let symbol = sample.undefined("elsewhere");
            sample.export("elsewhere", symbol);
        });
        assert_eq!(why, "it does not lead to a defined symbol");
        let why = refused(|sample| {
            let text = sample.section(".text", SectionKind::Text, &[0; 16]);
            let symbol = sample.global("f", text, 0);
            let table = sample.section("__ksymtab", SectionKind::ReadOnlyData, &[0; 12]);
            sample.relocate(table, 0, elf::R_X86_64_PC32, symbol, 0);
            sample.relocate(table, 4, elf::R_X86_64_PC32, symbol, 0);
        });
        assert_eq!(why, "its name is not text of 1 to 511 bytes");
    }
}
