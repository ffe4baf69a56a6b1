//! Which line each instruction comes from, as debug information in the object: DWARF 4, one
//! compilation unit with a table of lines and nothing else.

use object::write::{Object, Relocation, RelocationFlags, SectionId};
use object::{SectionKind, elf};

use super::Line;
use super::emit::Finished;
use super::section::Access;
use super::source::Unit;

const VERSION: u16 = 4;

/// Adds the sections.
pub(super) fn add(
    object: &mut Object<'_>,
    name: &str,
    lines: &[Line],
    unit: &Unit,
    finished: &Finished,
    sections: &[SectionId],
) {
    // A zero byte would end the name in the table.
    let name = name.replace('\0', "");
    let code: Vec<(SectionId, &str, u64)> = unit
        .sections
        .iter()
        .zip(sections)
        .zip(&finished.sections)
        .filter(|((section, _), _)| section.access == Access::Execute)
        .map(|((section, id), contents)| (*id, &*section.name, contents.size))
        .filter(|(_, _, size)| *size > 0)
        .collect();
    let Some(first) = code.first() else { return };
    let (program, addresses) = line_program(&name, lines, &code);
    let line = debug_section(object, ".debug_line", &program);
    let abbreviations = debug_section(object, ".debug_abbrev", &abbreviations());
    let info = information(&name, first.2);
    let unit = debug_section(object, ".debug_info", &info.bytes);
    for (offset, section) in addresses {
        relocate(object, line, offset, section, elf::R_X86_64_64);
    }
    relocate(object, unit, info.abbreviations, abbreviations, elf::R_X86_64_32);
    relocate(object, unit, info.lines, line, elf::R_X86_64_32);
    relocate(object, unit, info.low, first.0, elf::R_X86_64_64);
}

fn debug_section(object: &mut Object<'_>, name: &str, bytes: &[u8]) -> SectionId {
    let section = object.add_section(Vec::new(), name.as_bytes().to_vec(), SectionKind::Debug);
    object.append_section_data(section, bytes, 1);
    section
}

fn relocate(
    object: &mut Object<'_>,
    section: SectionId,
    offset: usize,
    to: SectionId,
    r_type: elf::RelocationType,
) {
    let symbol = object.section_symbol(to);
    let flags = RelocationFlags::Elf { r_type };
    // Fails only for formats that have no addends.
    _ = object
        .add_relocation(section, Relocation { offset: offset as u64, symbol, addend: 0, flags });
}

/// The one entry that the unit has: what it is called, and where its code and its lines are.
fn abbreviations() -> Vec<u8> {
    const COMPILE_UNIT: u8 = 0x11;
    vec![
        1,
        COMPILE_UNIT,
        0, // number, tag, no children
        0x10,
        0x17, // DW_AT_stmt_list, DW_FORM_sec_offset
        0x11,
        0x01, // DW_AT_low_pc, DW_FORM_addr
        0x12,
        0x07, // DW_AT_high_pc, DW_FORM_data8
        0x03,
        0x08, // DW_AT_name, DW_FORM_string
        0x1b,
        0x08, // DW_AT_comp_dir, DW_FORM_string
        0x13,
        0x05, // DW_AT_language, DW_FORM_data2
        0,
        0,
        0,
    ]
}

/// The unit, and where the loader or a linker is to store addresses in it.
struct Information {
    bytes: Vec<u8>,
    abbreviations: usize,
    lines: usize,
    low: usize,
}

fn information(name: &str, size: u64) -> Information {
    /// DW_LANG_Mips_Assembler, which all assemblers use.
    const ASSEMBLER: u16 = 0x8001;
    let mut bytes = vec![0; 4];
    bytes.extend(VERSION.to_le_bytes());
    let abbreviations = bytes.len();
    bytes.extend([0; 4]);
    bytes.push(8);
    bytes.push(1);
    let lines = bytes.len();
    bytes.extend([0; 4]);
    let low = bytes.len();
    bytes.extend([0; 8]);
    bytes.extend(size.to_le_bytes());
    bytes.extend(name.bytes().chain([0]));
    bytes.extend([b'.', 0]);
    bytes.extend(ASSEMBLER.to_le_bytes());
    set_length(&mut bytes, 0);
    Information { bytes, abbreviations, lines, low }
}

/// Stores at `at` how many bytes follow.
fn set_length(bytes: &mut [u8], at: usize) {
    let length = (bytes.len() - at - 4) as u32;
    bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

const COPY: u8 = 1;
const ADVANCE_PC: u8 = 2;
const ADVANCE_LINE: u8 = 3;
const END_SEQUENCE: u8 = 1;
const SET_ADDRESS: u8 = 2;

/// The table of lines as the program that makes it, and where addresses of sections go.
fn line_program(
    name: &str,
    lines: &[Line],
    code: &[(SectionId, &str, u64)],
) -> (Vec<u8>, Vec<(usize, SectionId)>) {
    let mut out = vec![0; 4];
    out.extend(VERSION.to_le_bytes());
    let header = out.len();
    out.extend([0; 4]);
    // Instructions of any length; one operation each; lines are statements; special opcodes, which
    // are not used, from 13 on.
    out.extend([1, 1, 1, (-5i8) as u8, 14, 13]);
    out.extend([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]);
    // No directories; one file, in the first, of no known time and size.
    out.push(0);
    out.extend(name.bytes().chain([0]));
    out.extend([0, 0, 0]);
    out.push(0);
    set_length(&mut out, header);
    let mut addresses = Vec::new();
    for &(id, section, size) in code {
        out.extend([0, 9, SET_ADDRESS]);
        addresses.push((out.len(), id));
        out.extend([0; 8]);
        let (mut address, mut line) = (0, 1);
        for entry in lines.iter().filter(|line| line.section == section) {
            out.push(ADVANCE_PC);
            unsigned(&mut out, entry.offset - address);
            out.push(ADVANCE_LINE);
            signed(&mut out, entry.line as i64 - line);
            out.push(COPY);
            (address, line) = (entry.offset, entry.line as i64);
        }
        out.push(ADVANCE_PC);
        unsigned(&mut out, size - address);
        out.extend([0, 1, END_SEQUENCE]);
    }
    set_length(&mut out, 0);
    (out, addresses)
}

/// LEB128.
fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn signed(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let byte = value as u8 & 0x7f;
        value >>= 7;
        let sign = byte & 0x40 != 0;
        if (value == 0 && !sign) || (value == -1 && sign) {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}
