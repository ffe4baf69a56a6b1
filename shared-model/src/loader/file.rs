//! One view of an ELF file for the rest of the loader: everything that is read through it
//! lies within the file, and names are text of bounded length.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use object::LittleEndian as LE;
use object::elf;
use object::pod;
use object::read::elf::FileHeader as _;

use super::error::Problem;

/// Bytes that a name may have. Mangled names of C++ and Rust reach a few thousand.
const NAME_MAX: usize = 1 << 16;
/// Names share bytes of their string table; how many times the file's size they may have
/// in all. Ordinary files stay below 1.
const NAMES_PER_BYTE: usize = 16;

/// A section header, with its name and bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section<'d> {
    pub name: &'d str,
    pub kind: elf::SectionType,
    pub flags: u64,
    pub address: u64,
    pub offset: u64,
    pub size: u64,
    pub link: u32,
    pub info: u32,
    pub align: u64,
    /// The bytes in the file: none for a section of zeros.
    pub data: &'d [u8],
}

impl Section<'_> {
    pub(super) fn has(&self, flag: elf::SectionFlags) -> bool {
        self.flags & flag.0 != 0
    }

    pub(super) fn is_zeros(&self) -> bool {
        self.kind == elf::SHT_NOBITS
    }
}

/// What a symbol's section field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    Undefined,
    Absolute,
    Common,
    Section(usize),
}

/// A symbol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sym<'d> {
    pub name: &'d str,
    pub home: Home,
    pub value: u64,
    pub size: u64,
    pub bind: elf::SymbolBind,
    pub kind: elf::SymbolType,
}

impl Sym<'_> {
    pub(super) fn is_local(&self) -> bool {
        self.bind == elf::STB_LOCAL
    }

    pub(super) fn is_weak(&self) -> bool {
        self.bind == elf::STB_WEAK
    }
}

/// A relocation with an addend.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rela {
    pub offset: u64,
    pub symbol: u32,
    pub kind: elf::RelocationType,
    pub addend: i64,
}

/// A program header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub kind: elf::ProgramType,
    pub flags: u32,
    pub offset: u64,
    pub address: u64,
    pub file_size: u64,
    pub memory_size: u64,
    pub align: u64,
}

/// An x86-64 ELF file.
#[derive(Debug)]
pub(super) struct File<'d> {
    pub bytes: &'d [u8],
    pub kind: elf::FileType,
    pub entry: u64,
    pub sections: Vec<Section<'d>>,
    pub headers: Vec<Header>,
    pub symbols: Vec<Sym<'d>>,
    /// The section that `symbols` comes from; 0 if there is none.
    pub symbol_section: usize,
}

impl<'d> File<'d> {
    pub(super) fn parse(bytes: &'d [u8]) -> Result<Self, Problem> {
        let header = file_header(bytes)?;
        let mut names = Names { budget: bytes.len().saturating_mul(NAMES_PER_BYTE) };
        let sections = sections(bytes, header, &mut names)?;
        let headers = program_headers(bytes, header)?;
        let kind = header.e_type.get(LE);
        let (symbols, symbol_section) = symbols(&sections, kind, &mut names)?;
        let entry = header.e_entry.get(LE);
        Ok(Self { bytes, kind, entry, sections, headers, symbols, symbol_section })
    }

    /// The section's name, for messages.
    pub(super) fn section_name(&self, index: usize) -> String {
        match self.sections.get(index) {
            Some(section) if !section.name.is_empty() => section.name.to_owned(),
            _ => format!("number {index}"),
        }
    }

    /// The symbol's name, for messages: that of its section if it has none.
    pub(super) fn symbol_name(&self, index: u32) -> String {
        match self.symbols.get(index as usize) {
            Some(symbol) if !symbol.name.is_empty() => symbol.name.to_owned(),
            Some(Sym { home: Home::Section(section), .. }) => self.section_name(*section),
            _ => format!("symbol {index}"),
        }
    }

    pub(super) fn section_by_name(&self, name: &str) -> Option<(usize, &Section<'d>)> {
        self.sections.iter().enumerate().skip(1).find(|(_, section)| section.name == name)
    }

    /// The relocation sections and what they apply to: pairs of section numbers.
    pub(super) fn relocation_sections(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.sections.iter().enumerate().filter_map(|(index, section)| {
            matches!(section.kind, elf::SHT_RELA | elf::SHT_REL | elf::SHT_CREL)
                .then_some((index, section.info as usize))
        })
    }

    /// The entries of a relocation section that refers to `symbols`.
    pub(super) fn relocations(
        &self,
        index: usize,
    ) -> Result<impl Iterator<Item = Rela> + use<'d>, Problem> {
        let section = &self.sections[index];
        if section.link as usize != self.symbol_section {
            let why = format!("refers to section {} for its symbols", section.link);
            return Err(Problem::malformed(self.section_name(index), why));
        }
        self.relocation_entries(index)
    }

    /// The entries of any relocation section.
    pub(super) fn relocation_entries(
        &self,
        index: usize,
    ) -> Result<impl Iterator<Item = Rela> + use<'d>, Problem> {
        let section = &self.sections[index];
        if section.kind != elf::SHT_RELA {
            return Err(Problem::UnsupportedSection {
                section: self.section_name(index),
                why: "a relocation table without addends",
                remedy: "build for x86-64 with the usual tools, which write SHT_RELA",
            });
        }
        relas(section.data)
            .ok_or_else(|| {
                Problem::malformed(self.section_name(index), "its size is not a multiple of 24")
            })
            .map(|entries| entries.iter().map(Rela::from))
    }

    /// The bytes of the file from `offset` on.
    pub(super) fn slice(&self, offset: u64, size: u64, what: &str) -> Result<&'d [u8], Problem> {
        slice(self.bytes, offset, size, || what.to_owned())
    }
}

/// The bytes as relocations with addends, if they are a whole number of them.
pub(super) fn relas(bytes: &[u8]) -> Option<&[elf::Rela64<LE>]> {
    pod::slice_from_all_bytes::<elf::Rela64<LE>>(bytes).ok()
}

impl From<&elf::Rela64<LE>> for Rela {
    fn from(raw: &elf::Rela64<LE>) -> Self {
        Self {
            offset: raw.r_offset.get(LE),
            symbol: raw.r_sym(LE, false),
            kind: raw.r_type(LE, false),
            addend: raw.r_addend.get(LE),
        }
    }
}

fn slice(
    bytes: &[u8],
    offset: u64,
    size: u64,
    what: impl Fn() -> String,
) -> Result<&[u8], Problem> {
    let end = offset.checked_add(size).ok_or_else(|| {
        Problem::malformed(what(), format!("offset {offset:#x} and size {size:#x} overflow"))
    })?;
    let range = usize::try_from(offset).ok().zip(usize::try_from(end).ok());
    range.and_then(|(start, end)| bytes.get(start..end)).ok_or_else(|| Problem::Truncated {
        what: what(),
        end,
        size: bytes.len() as u64,
    })
}

/// Reads names out of string tables, never more than its budget in all.
struct Names {
    budget: usize,
}

impl Names {
    fn get<'d>(
        &mut self,
        table: &'d [u8],
        offset: u32,
        what: impl Fn() -> String,
    ) -> Result<&'d str, Problem> {
        let rest = table.get(offset as usize..).filter(|rest| !rest.is_empty());
        let Some(rest) = rest else {
            if offset == 0 {
                return Ok("");
            }
            let why = format!("its name, at {offset:#x}, is outside the string table");
            return Err(Problem::malformed(what(), why));
        };
        let name = c_string(rest).ok_or_else(|| {
            Problem::malformed(
                what(),
                format!("its name is not text that ends within {NAME_MAX} bytes"),
            )
        })?;
        self.budget = self
            .budget
            .checked_sub(name.len())
            .ok_or_else(|| Problem::malformed(what(), "names in all much larger than the file"))?;
        Ok(name)
    }
}

/// The text up to the first zero byte, which must come within [`NAME_MAX`] bytes.
pub(super) fn c_string(bytes: &[u8]) -> Option<&str> {
    let bytes = &bytes[..bytes.len().min(NAME_MAX)];
    let end = bytes.iter().position(|&b| b == 0)?;
    core::str::from_utf8(&bytes[..end]).ok()
}

fn file_header(bytes: &[u8]) -> Result<&elf::FileHeader64<LE>, Problem> {
    if !bytes.starts_with(&elf::ELFMAG) {
        let (looks_like, remedy) = looks_like(bytes);
        return Err(Problem::NotElf { looks_like, remedy });
    }
    let cut = || Problem::Truncated {
        what: "the ELF header".to_string(),
        end: size_of::<elf::FileHeader64<LE>>() as u64,
        size: bytes.len() as u64,
    };
    // The identification decides the layout of the rest, so it is judged first.
    let &[class, order] = bytes.get(4..6).and_then(<[u8]>::first_chunk).ok_or_else(cut)?;
    let machine = *bytes.get(18..20).and_then(<[u8]>::first_chunk).ok_or_else(cut)?;
    if order == elf::ELFDATA2MSB.0 {
        let machine = machine_name(elf::Machine(u16::from_be_bytes(machine)));
        return Err(Problem::WrongByteOrder { machine });
    }
    if class == elf::ELFCLASS32.0 {
        let machine = machine_name(elf::Machine(u16::from_le_bytes(machine)));
        return Err(Problem::WrongClass { machine });
    }
    let (header, _) = pod::from_bytes::<elf::FileHeader64<LE>>(bytes).map_err(|()| cut())?;
    if class != elf::ELFCLASS64.0 || order != elf::ELFDATA2LSB.0 {
        let why = format!("class {class} and byte order {order} are not ELF's");
        return Err(Problem::malformed("the ELF header", why));
    }
    let machine = header.e_machine.get(LE);
    if machine != elf::EM_X86_64 {
        return Err(Problem::WrongMachine { machine: machine_name(machine) });
    }
    Ok(header)
}

fn machine_name(machine: elf::Machine) -> String {
    let name = match machine {
        elf::EM_386 => "i386",
        elf::EM_AARCH64 => "AArch64",
        elf::EM_ARM => "32-bit Arm",
        elf::EM_RISCV => "RISC-V",
        elf::EM_PPC64 => "64-bit PowerPC",
        elf::EM_S390 => "s390",
        elf::EM_MIPS => "MIPS",
        elf::EM_LOONGARCH => "LoongArch",
        elf::EM_BPF => "BPF",
        other => return format!("machine {}", other.0),
    };
    name.to_string()
}

/// What bytes that are not ELF look like, and what to do with them.
fn looks_like(bytes: &[u8]) -> (&'static str, &'static str) {
    const UNPACK: &str = "unpack it first, or load it by name from a module store";
    const MAGICS: [(&[u8], &str, &str); 9] = [
        (b"\xfd7zXZ\0", "an xz-compressed file", UNPACK),
        (b"\x28\xb5\x2f\xfd", "a zstd-compressed file", UNPACK),
        (b"\x1f\x8b", "a gzip-compressed file", UNPACK),
        (b"BZh", "a bzip2-compressed file", UNPACK),
        (b"!<arch>\n", "an archive", "extract the member: ar x, or dpkg -x for a package"),
        (b"\0asm", "a WebAssembly module", "build it for x86-64"),
        (b"MZ", "a Windows executable", "build it for x86-64 ELF"),
        (b"BC\xc0\xde", "LLVM bitcode", "compile it to an object: llc -filetype=obj"),
        (b"#!", "a script", "pass the module that it builds"),
    ];
    if bytes.is_empty() {
        return ("an empty file", "fetch or build it again");
    }
    if elf::ELFMAG.starts_with(bytes) {
        return ("the first bytes of an ELF file", "fetch or build it again");
    }
    if let Some((_, name, remedy)) = MAGICS.iter().find(|(magic, ..)| bytes.starts_with(magic)) {
        return (name, remedy);
    }
    let head = &bytes[..bytes.len().min(512)];
    if head.iter().all(|&b| b >= 0x20 && b != 0x7f || matches!(b, b'\n' | b'\r' | b'\t' | 0x0c)) {
        return ("text", "pass the compiled module, not its source or a world file");
    }
    ("data of an unknown kind", "pass an ELF module built for x86-64")
}

fn sections<'d>(
    bytes: &'d [u8],
    header: &elf::FileHeader64<LE>,
    names: &mut Names,
) -> Result<Vec<Section<'d>>, Problem> {
    const WHAT: &str = "the section header table";
    let offset = header.e_shoff.get(LE);
    let entry = u64::from(header.e_shentsize.get(LE));
    if offset == 0 {
        return Ok(Vec::new());
    }
    if entry != size_of::<elf::SectionHeader64<LE>>() as u64 {
        return Err(Problem::malformed(WHAT, format!("entries of {entry} bytes instead of 64")));
    }
    // Entry 0 holds the counts that do not fit the header's fields.
    slice(bytes, offset, entry, || WHAT.to_string())?;
    let count =
        header.shnum(LE, bytes).map_err(|error| Problem::malformed(WHAT, error.to_string()))?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let table = slice(bytes, offset, u64::from(count) * entry, || WHAT.to_string())?;
    let raw = pod::slice_from_all_bytes::<elf::SectionHeader64<LE>>(table)
        .map_err(|()| Problem::malformed(WHAT, "not readable"))?;
    let strings =
        header.shstrndx(LE, bytes).map_err(|error| Problem::malformed(WHAT, error.to_string()))?;
    let strings = raw
        .get(strings as usize)
        .ok_or_else(|| Problem::malformed(WHAT, format!("no section {strings} for the names")))?;
    let strings = section_data(bytes, strings, || "the section name table".to_string())?;
    raw.iter().enumerate().map(|(i, raw)| section(bytes, raw, i, strings, names)).collect()
}

fn section<'d>(
    bytes: &'d [u8],
    raw: &elf::SectionHeader64<LE>,
    index: usize,
    strings: &'d [u8],
    names: &mut Names,
) -> Result<Section<'d>, Problem> {
    let name = names.get(strings, raw.sh_name.get(LE), || format!("section {index}"))?;
    let data = section_data(bytes, raw, || format!("section {name} (number {index})"))?;
    Ok(Section {
        name,
        kind: raw.sh_type.get(LE),
        flags: raw.sh_flags.get(LE).0,
        address: raw.sh_addr.get(LE),
        offset: raw.sh_offset.get(LE),
        size: raw.sh_size.get(LE),
        link: raw.sh_link.get(LE),
        info: raw.sh_info.get(LE),
        align: raw.sh_addralign.get(LE).max(1),
        data,
    })
}

fn section_data<'d>(
    bytes: &'d [u8],
    raw: &elf::SectionHeader64<LE>,
    what: impl Fn() -> String,
) -> Result<&'d [u8], Problem> {
    match raw.sh_type.get(LE) {
        // Entry 0 is of this type, and its size field is the extended count.
        elf::SHT_NULL | elf::SHT_NOBITS => Ok(&[]),
        _ => slice(bytes, raw.sh_offset.get(LE), raw.sh_size.get(LE), what),
    }
}

fn program_headers(bytes: &[u8], header: &elf::FileHeader64<LE>) -> Result<Vec<Header>, Problem> {
    const WHAT: &str = "the program header table";
    let count =
        header.phnum(LE, bytes).map_err(|error| Problem::malformed(WHAT, error.to_string()))?;
    let offset = header.e_phoff.get(LE);
    if count == 0 || offset == 0 {
        return Ok(Vec::new());
    }
    let entry = u64::from(header.e_phentsize.get(LE));
    if entry != size_of::<elf::ProgramHeader64<LE>>() as u64 {
        return Err(Problem::malformed(WHAT, format!("entries of {entry} bytes instead of 56")));
    }
    let table = slice(bytes, offset, u64::from(count) * entry, || WHAT.to_string())?;
    let raw = pod::slice_from_all_bytes::<elf::ProgramHeader64<LE>>(table)
        .map_err(|()| Problem::malformed(WHAT, "not readable"))?;
    Ok(raw
        .iter()
        .map(|raw| Header {
            kind: raw.p_type.get(LE),
            flags: raw.p_flags.get(LE).0,
            offset: raw.p_offset.get(LE),
            address: raw.p_vaddr.get(LE),
            file_size: raw.p_filesz.get(LE),
            memory_size: raw.p_memsz.get(LE),
            align: raw.p_align.get(LE),
        })
        .collect())
}

/// The symbols and the number of their section. A relocatable file's are in its symbol
/// table; an executable that has been stripped still has the dynamic ones.
fn symbols<'d>(
    sections: &[Section<'d>],
    kind: elf::FileType,
    names: &mut Names,
) -> Result<(Vec<Sym<'d>>, usize), Problem> {
    let of = |wanted| sections.iter().position(|section| section.kind == wanted);
    let dynamic = || if kind == elf::ET_REL { None } else { of(elf::SHT_DYNSYM) };
    let Some(index) = of(elf::SHT_SYMTAB).or_else(dynamic) else {
        return Ok((Vec::new(), 0));
    };
    let table = &sections[index];
    let raw = pod::slice_from_all_bytes::<elf::Sym64<LE>>(table.data)
        .map_err(|()| Problem::malformed(table.name, "its size is not a multiple of 24"))?;
    let strings = sections
        .get(table.link as usize)
        .ok_or_else(|| Problem::malformed(table.name, "has no string table"))?
        .data;
    let extended = sections
        .iter()
        .find(|section| section.kind == elf::SHT_SYMTAB_SHNDX && section.link as usize == index)
        .map_or(&[][..], |section| section.data);
    let symbols = raw
        .iter()
        .enumerate()
        .map(|(i, raw)| {
            let name = names.get(strings, raw.st_name.get(LE), || format!("symbol {i}"))?;
            let home =
                home(raw, i, extended, sections.len()).ok_or_else(|| Problem::BadSymbol {
                    symbol: if name.is_empty() { format!("number {i}") } else { name.to_owned() },
                    why: format!("its section {:#x} does not exist", raw.st_shndx.get(LE).0),
                })?;
            Ok(Sym {
                name,
                home,
                value: raw.st_value.get(LE),
                size: raw.st_size.get(LE),
                bind: raw.st_bind(),
                kind: raw.st_type(),
            })
        })
        .collect::<Result<_, Problem>>()?;
    Ok((symbols, index))
}

fn home(raw: &elf::Sym64<LE>, index: usize, extended: &[u8], sections: usize) -> Option<Home> {
    let section = match raw.st_shndx.get(LE) {
        elf::SHN_UNDEF => return Some(Home::Undefined),
        elf::SHN_ABS => return Some(Home::Absolute),
        elf::SHN_COMMON => return Some(Home::Common),
        // The real number is in a table beside the symbols (gABI, "Symbol Table").
        elf::SHN_XINDEX => {
            let entry = extended.get(index.checked_mul(4)?..)?.first_chunk::<4>()?;
            u32::from_le_bytes(*entry) as usize
        }
        other => usize::from(other.index()?),
    };
    (section < sections).then_some(Home::Section(section))
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::super::Problem;
    use super::super::samples::{link_all, module, problem};

    #[test]
    fn what_is_not_elf_is_said_by_name() {
        for (bytes, name) in [
            (&b""[..], "an empty file"),
            (b"\x7fE", "the first bytes of an ELF file"),
            (b"\xfd7zXZ\0\0\x04", "an xz-compressed file"),
            (b"\x28\xb5\x2f\xfd\0", "a zstd-compressed file"),
            (b"\x1f\x8b\x08", "a gzip-compressed file"),
            (b"\0asm\x01\0\0\0", "a WebAssembly module"),
            (b"[[domain]]\nname = \"a\"\n", "text"),
            (b"\x01\x02\x03\x04", "data of an unknown kind"),
        ] {
            match problem(bytes) {
                Problem::NotElf { looks_like, .. } => assert_eq!(looks_like, name),
                other => panic!("{name}: {other}"),
            }
        }
    }

    #[test]
    fn other_machines_are_named() {
        let with = |at: usize, bytes: &[u8]| {
            let mut file = module();
            file[at..at + bytes.len()].copy_from_slice(bytes);
            format!("{}", link_all(&[&file]).unwrap_err())
        };
        assert!(with(18, &[183, 0]).starts_with("a: built for AArch64;"));
        assert!(with(18, &[0x39, 0x30]).contains("machine 12345"));
        let mut i386 = module();
        (i386[4], i386[18]) = (1, 3);
        assert_eq!(problem(&i386), Problem::WrongClass { machine: "i386".into() });
        let mut s390 = module();
        (s390[5], s390[18], s390[19]) = (2, 0, 22);
        assert_eq!(problem(&s390), Problem::WrongByteOrder { machine: "s390".into() });
        assert!(with(16, &[4]).contains("a core dump cannot be loaded"));
    }

    #[test]
    fn tables_with_impossible_fields_are_named() {
        let with = |at: usize, bytes: &[u8]| {
            let mut file = module();
            file[at..at + bytes.len()].copy_from_slice(bytes);
            format!("{}", problem(&file))
        };
        assert!(with(58, &[40]).contains("section header table: entries of 40 bytes"));
        assert!(with(40, &u64::to_le_bytes(u64::MAX)).contains("section header table"));
        assert!(with(62, &[200, 0]).contains("section header table: no section 200"));
    }
}
