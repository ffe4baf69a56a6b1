//! Modules made for tests, with no compiler.

use alloc::vec::Vec;

use object::write::{
    Object, Relocation, RelocationFlags, SectionFlags, SectionId, Symbol, SymbolFlags, SymbolId,
    SymbolSection,
};
use object::{
    Architecture, BinaryFormat, Endianness, LittleEndian as LE, SectionKind, SymbolKind,
    SymbolScope, elf, endian, pod,
};

use super::{LoadError, Module, Problem, Program, link};

/// A relocatable module under construction.
pub(crate) struct Sample {
    pub object: Object<'static>,
}

impl Sample {
    pub(crate) fn new() -> Self {
        let object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        Self { object }
    }

    pub(crate) fn section(&mut self, name: &str, kind: SectionKind, bytes: &[u8]) -> SectionId {
        let section = self.object.add_section(Vec::new(), name.as_bytes().to_vec(), kind);
        self.object.append_section_data(section, bytes, 16);
        section
    }

    pub(super) fn flagged(
        &mut self,
        name: &str,
        flags: elf::SectionFlags,
        bytes: &[u8],
    ) -> SectionId {
        let section = self.section(name, SectionKind::Data, bytes);
        self.object.section_mut(section).flags =
            SectionFlags::Elf { sh_type: elf::SHT_PROGBITS, sh_flags: flags };
        section
    }

    pub(super) fn zeros(&mut self, name: &str, size: u64, align: u64) -> SectionId {
        let kind = SectionKind::UninitializedData;
        let section = self.object.add_section(Vec::new(), name.as_bytes().to_vec(), kind);
        self.object.append_section_bss(section, size, align);
        section
    }

    fn symbol(&mut self, name: &str, section: SymbolSection, value: u64) -> SymbolId {
        self.object.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value,
            size: 0,
            kind: SymbolKind::Text,
            scope: SymbolScope::Dynamic,
            weak: false,
            section,
            flags: SymbolFlags::None,
        })
    }

    pub(super) fn global(&mut self, name: &str, section: SectionId, value: u64) -> SymbolId {
        self.symbol(name, SymbolSection::Section(section), value)
    }

    pub(super) fn absolute(&mut self, name: &str, value: u64) -> SymbolId {
        self.symbol(name, SymbolSection::Absolute, value)
    }

    pub(super) fn undefined(&mut self, name: &str) -> SymbolId {
        self.symbol(name, SymbolSection::Undefined, 0)
    }

    pub(super) fn weak(&mut self, name: &str) -> SymbolId {
        let symbol = self.undefined(name);
        self.object.symbol_mut(symbol).weak = true;
        symbol
    }

    pub(super) fn common(&mut self, name: &str, size: u64, align: u64) -> SymbolId {
        let symbol = self.symbol(name, SymbolSection::Common, align);
        self.object.symbol_mut(symbol).size = size;
        symbol
    }

    pub(super) fn relocate(
        &mut self,
        section: SectionId,
        offset: u64,
        r_type: elf::RelocationType,
        symbol: SymbolId,
        addend: i64,
    ) {
        let flags = RelocationFlags::Elf { r_type };
        let relocation = Relocation { offset, symbol, addend, flags };
        self.object.add_relocation(section, relocation).unwrap();
    }

    /// Lists a symbol in `__ksymtab`, as modpost and the kernel's headers do.
    pub(super) fn export(&mut self, name: &str, symbol: SymbolId) {
        let mut text = name.as_bytes().to_vec();
        text.extend([0, 0]);
        let strings = self.section("__ksymtab_strings", SectionKind::ReadOnlyData, &text);
        let strings = self.object.section_symbol(strings);
        let table = self.section("__ksymtab", SectionKind::ReadOnlyData, &[0; 12]);
        let end = name.len() as i64 + 1;
        for (offset, symbol, addend) in [(0, symbol, 0), (4, strings, 0), (8, strings, end)] {
            self.relocate(table, offset, elf::R_X86_64_PC32, symbol, addend);
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.object.write().unwrap()
    }
}

/// A library as liblcd is: every global symbol is for everybody.
pub(super) fn library() -> Vec<u8> {
    let mut sample = Sample::new();
    let text = sample.section(".text", SectionKind::Text, &[0xc3; 0x40]);
    sample.global("_printk", text, 0x10);
    sample.global("__fentry__", text, 0x20);
    sample.absolute("this_cpu_off", 0x30);
    sample.bytes()
}

/// A Linux module with a bit of everything.
pub(super) fn module() -> Vec<u8> {
    let mut sample = Sample::new();
    let text = sample.section(".text", SectionKind::Text, &[0x90; 0x80]);
    let init = sample.section(".init.text", SectionKind::Text, &[0x90; 0x20]);
    let constants = sample.section(".rodata", SectionKind::ReadOnlyData, b"hello\0");
    let data = sample.section(".data", SectionKind::Data, &[0; 0x20]);
    let bss = sample.zeros(".bss", 0x3000, 32);
    sample.section(".modinfo", SectionKind::ReadOnlyData, b"license=GPL\0depends=\0");
    sample.flagged("__versions", elf::SHF_ALLOC, &[0; 64]);
    sample.section(".comment", SectionKind::Other, b"made for a test");
    sample.global("init_module", init, 0);
    sample.global("cleanup_module", text, 0x40);
    let twice = sample.global("twice", text, 0x10);
    let buffer = sample.global("buffer", bss, 0x100);
    let common = sample.common("shared", 24, 8);
    let printk = sample.undefined("_printk");
    let cpu = sample.undefined("this_cpu_off");
    let alloc = sample.undefined("kmalloc");
    let maybe = sample.weak("maybe");
    let hello = sample.object.section_symbol(constants);
    sample.relocate(init, 4, elf::R_X86_64_PLT32, printk, -4);
    sample.relocate(init, 12, elf::R_X86_64_32S, hello, 0);
    sample.relocate(text, 4, elf::R_X86_64_PLT32, alloc, -4);
    sample.relocate(text, 12, elf::R_X86_64_32S, cpu, 0);
    sample.relocate(text, 20, elf::R_X86_64_REX_GOTPCRELX, maybe, -4);
    sample.relocate(text, 28, elf::R_X86_64_PC32, buffer, -4);
    sample.relocate(data, 0, elf::R_X86_64_64, twice, 0);
    sample.relocate(data, 8, elf::R_X86_64_64, common, 8);
    sample.export("twice", twice);
    sample.bytes()
}

/// One program header of an [`executable`], and the bytes it leads to.
#[derive(Clone)]
pub(super) struct Part {
    pub kind: elf::ProgramType,
    pub flags: elf::ProgramFlags,
    pub address: u64,
    pub bytes: Vec<u8>,
    pub memory_size: u64,
}

impl Part {
    pub(super) fn load(flags: elf::ProgramFlags, address: u64, bytes: &[u8]) -> Self {
        let memory_size = bytes.len() as u64;
        Self { kind: elf::PT_LOAD, flags, address, bytes: bytes.to_vec(), memory_size }
    }
}

/// An executable of these parts that starts at `entry`. It has no sections.
pub(super) fn executable(kind: elf::FileType, entry: u64, parts: &[Part]) -> Vec<u8> {
    const HEADER: usize = size_of::<elf::FileHeader64<LE>>();
    const ENTRY: usize = size_of::<elf::ProgramHeader64<LE>>();
    let (u16, u64) = (|n: u16| endian::U16::new(LE, n), |n: u64| endian::U64::new(LE, n));
    let header = elf::FileHeader64 {
        e_ident: elf::Ident {
            magic: elf::ELFMAG,
            class: elf::ELFCLASS64,
            data: elf::ELFDATA2LSB,
            version: elf::EV_CURRENT,
            os_abi: elf::ELFOSABI_NONE,
            abi_version: 0,
            padding: [0; 7],
        },
        e_type: endian::U16::new(LE, kind),
        e_machine: endian::U16::new(LE, elf::EM_X86_64),
        e_version: endian::U32::new(LE, elf::EV_CURRENT.0.into()),
        e_entry: u64(entry),
        e_phoff: u64(HEADER as u64),
        e_shoff: u64(0),
        e_flags: endian::U32::new(LE, elf::FileFlags(0)),
        e_ehsize: u16(HEADER as u16),
        e_phentsize: u16(ENTRY as u16),
        e_phnum: u16(parts.len() as u16),
        e_shentsize: u16(0),
        e_shnum: u16(0),
        e_shstrndx: endian::U16::new(LE, elf::SHN_UNDEF),
    };
    let mut file = pod::bytes_of(&header).to_vec();
    let mut offset = (HEADER + ENTRY * parts.len()) as u64;
    for part in parts {
        let entry = elf::ProgramHeader64 {
            p_type: endian::U32::new(LE, part.kind),
            p_flags: endian::U32::new(LE, part.flags),
            p_offset: u64(offset),
            p_vaddr: u64(part.address),
            p_paddr: u64(part.address),
            p_filesz: u64(part.bytes.len() as u64),
            p_memsz: u64(part.memory_size),
            p_align: u64(0x1000),
        };
        file.extend_from_slice(pod::bytes_of(&entry));
        offset += part.bytes.len() as u64;
    }
    for part in parts {
        file.extend_from_slice(&part.bytes);
    }
    file
}

/// A static position-independent executable with two relocations of each encoding.
pub(super) fn static_pie() -> Vec<u8> {
    let mut rela = Vec::new();
    for (offset, addend) in [(0x2100_u64, 0x10_u64), (0x2108, 0x2000)] {
        for word in [offset, elf::R_X86_64_RELATIVE.0.into(), addend] {
            rela.extend(word.to_le_bytes());
        }
    }
    let relr = [0x2110_u64, 0b11].map(u64::to_le_bytes).concat();
    let constants = [&*rela, &relr].concat();
    let tags: [(elf::DynamicTag, u64); 5] = [
        (elf::DT_RELA, 0x1000),
        (elf::DT_RELASZ, 48),
        (elf::DT_RELR, 0x1030),
        (elf::DT_RELRSZ, 16),
        (elf::DT_NULL, 0),
    ];
    let dynamic: Vec<u8> = tags
        .iter()
        .flat_map(|(tag, value)| [tag.0 as u64, *value])
        .flat_map(u64::to_le_bytes)
        .collect();
    let mut data = dynamic.clone();
    data.resize(0x200, 0);
    // The words that the compact table names hold their addends themselves.
    data[0x110..0x118].copy_from_slice(&0x18_u64.to_le_bytes());
    data[0x118..0x120].copy_from_slice(&0x20_u64.to_le_bytes());
    let mut parts = [
        Part::load(elf::PF_R | elf::PF_X, 0, &[0xc3; 0x40]),
        Part::load(elf::PF_R, 0x1000, &constants),
        Part::load(elf::PF_R | elf::PF_W, 0x2000, &data),
        Part::load(elf::PF_R, 0x2000, &dynamic),
    ];
    parts[3].kind = elf::PT_DYNAMIC;
    executable(elf::ET_DYN, 0x10, &parts)
}

/// Links files under the names `a`, `b`, …
pub(super) fn link_all(files: &[&[u8]]) -> Result<Program, LoadError> {
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];
    let modules: Vec<_> =
        files.iter().zip(NAMES).map(|(bytes, name)| Module { name, bytes }).collect();
    link(&modules)
}

/// The problem that linking this file alone meets.
pub(super) fn problem(file: &[u8]) -> Problem {
    link_all(&[file]).unwrap_err().problem
}
