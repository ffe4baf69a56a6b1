//! Finished sections as an ELF object.

use std::collections::HashMap;

use object::write::{
    Object, Relocation, RelocationFlags, SectionId, Symbol, SymbolFlags, SymbolId as ObjectSymbol,
    SymbolSection,
};
use object::{
    Architecture, BinaryFormat, Endianness, SectionFlags, SectionKind, SymbolKind, SymbolScope, elf,
};
use shared_model::bundle::assemble::module_name;

use super::dwarf;
use super::emit::{self, ENTRIES, Finished};
use super::expression::SymbolId;
use super::section::{Access, Field, Section};
use super::source::Unit;
use super::symbols::Kind;

/// The object.
pub(super) fn write(name: &str, unit: &Unit, finished: &Finished) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let mut sections = Vec::new();
    for (section, contents) in unit.sections.iter().zip(&finished.sections) {
        let id = object.add_section(Vec::new(), section.name.clone().into_bytes(), kind(section));
        object.section_mut(id).flags = flags(section);
        if section.zeros {
            object.append_section_bss(id, contents.size, section.align);
        } else {
            object.append_section_data(id, &contents.bytes, section.align);
        }
        sections.push(id);
    }
    let symbols = symbols(&mut object, unit, finished, &sections);
    for (contents, id) in finished.sections.iter().zip(&sections) {
        for relocation in &contents.relocations {
            let (symbol, distance) = match unit.symbols.get(relocation.symbol).kind {
                Kind::Label { section, item } => {
                    let offset = finished.layout.offset(section, item);
                    (object.section_symbol(sections[section]), i128::from(offset))
                }
                _ => match symbols.get(&relocation.symbol) {
                    Some(symbol) => (*symbol, 0),
                    None => continue,
                },
            };
            let addend = (relocation.addend + distance) as i64;
            let flags = RelocationFlags::Elf { r_type: relocation_type(relocation.field) };
            // Fails only for formats that have no addends.
            _ = object.add_relocation(
                *id,
                Relocation { offset: relocation.offset, symbol, addend, flags },
            );
        }
    }
    module_info(&mut object, name, unit);
    dwarf::add(&mut object, name, &finished.lines(unit), unit, finished, &sections);
    object.write().unwrap_or_default()
}

fn kind(section: &Section) -> SectionKind {
    match section.access {
        Access::Execute => SectionKind::Text,
        Access::Read => SectionKind::ReadOnlyData,
        Access::Write if section.zeros => SectionKind::UninitializedData,
        Access::Write => SectionKind::Data,
        Access::None => SectionKind::Other,
    }
}

fn flags(section: &Section) -> SectionFlags {
    let sh_type = if section.zeros { elf::SHT_NOBITS } else { elf::SHT_PROGBITS };
    let sh_flags = match section.access {
        Access::Execute => elf::SHF_ALLOC | elf::SHF_EXECINSTR,
        Access::Read => elf::SHF_ALLOC,
        Access::Write => elf::SHF_ALLOC | elf::SHF_WRITE,
        Access::None => elf::SectionFlags::default(),
    };
    SectionFlags::Elf { sh_type, sh_flags }
}

const fn relocation_type(field: Field) -> elf::RelocationType {
    match field {
        Field::Plain(8) => elf::R_X86_64_64,
        Field::Plain(_) => elf::R_X86_64_32,
        Field::Signed => elf::R_X86_64_32S,
        Field::Distance => elf::R_X86_64_PC32,
        Field::Target => elf::R_X86_64_PLT32,
    }
}

/// Labels, and names of other modules.
fn symbols(
    object: &mut Object<'_>,
    unit: &Unit,
    finished: &Finished,
    sections: &[SectionId],
) -> HashMap<SymbolId, ObjectSymbol> {
    let mut numbers = HashMap::new();
    for (id, symbol) in unit.symbols.iter() {
        let (section, value, kind) = match symbol.kind {
            Kind::Label { section, item } if symbol.is_listed() => {
                let code = unit.sections[section].access == Access::Execute;
                // Marks inside a function are no functions.
                let starts = symbol.global || ENTRIES.contains(&&*symbol.name);
                let kind = match (code, starts) {
                    (true, true) => SymbolKind::Text,
                    (true, false) => SymbolKind::Label,
                    (false, _) => SymbolKind::Data,
                };
                let value = finished.layout.offset(section, item);
                (SymbolSection::Section(sections[section]), value, kind)
            }
            Kind::External => (SymbolSection::Undefined, 0, SymbolKind::Unknown),
            _ => continue,
        };
        let local = section != SymbolSection::Undefined
            && !symbol.global
            && !ENTRIES.contains(&&*symbol.name);
        let scope = if local { SymbolScope::Compilation } else { SymbolScope::Dynamic };
        let number = object.add_symbol(Symbol {
            name: symbol.name.clone().into_bytes(),
            value,
            size: 0,
            kind,
            scope,
            weak: false,
            section,
            flags: SymbolFlags::None,
        });
        numbers.insert(id, number);
    }
    numbers
}

/// What makes the loader take the object for a module, if it has the labels of one and does not say
/// it itself.
fn module_info(object: &mut Object<'_>, name: &str, unit: &Unit) {
    let is_entry = |name: &str| emit::ENTRIES.contains(&name);
    let has_entry = unit
        .symbols
        .iter()
        .any(|(_, symbol)| is_entry(&symbol.name) && matches!(symbol.kind, Kind::Label { .. }));
    if !has_entry || unit.sections.iter().any(|section| section.name == ".modinfo") {
        return;
    }
    let section = object.add_section(Vec::new(), b".modinfo".to_vec(), SectionKind::ReadOnlyData);
    let name: String = module_name(name).chars().filter(|c| !c.is_control()).take(64).collect();
    let text = format!("license=Dual MIT/GPL\0name={name}\0");
    object.append_section_data(section, text.as_bytes(), 1);
}
