//! Static position-independent executables relocate themselves with nobody's help on Linux;
//! here the loader does it, before their pages get their rights (System V gABI, "Dynamic
//! Section"; AMD64 supplement, 4.4.1).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use object::LittleEndian as LE;
use object::elf;
use object::pod;

use super::Segment;
use super::error::Problem;
use super::executable::{read, write};
use super::file::{File, Rela, c_string, relas};
use super::relocate::type_name;
use crate::address::GuestVirtual;

const TABLE: &str = "the dynamic section";
const STATIC: &str = "link it with -static or -static-pie";
/// Bytes of an entry of the compact table of relative relocations.
const RELR_ENTRY: u64 = 8;

/// Applies the executable's dynamic relocations to its segments, which are in memory at
/// `bias` past the addresses in the file.
pub(super) fn relocate(
    file: &File<'_>,
    bias: u64,
    segments: &mut [Segment],
) -> Result<(), Problem> {
    let tags = tags(file)?;
    let get = |tag: elf::DynamicTag| tags.get(&tag.0).copied().unwrap_or(0);
    let relr = table(file, get(elf::DT_RELR), get(elf::DT_RELRSZ))?;
    apply_relr(relr, bias, segments)?;
    let symbols = dynamic_symbols(file)?;
    for (start, size) in [(elf::DT_RELA, elf::DT_RELASZ), (elf::DT_JMPREL, elf::DT_PLTRELSZ)] {
        let entries = relas(table(file, get(start), get(size))?)
            .ok_or_else(|| Problem::malformed(TABLE, "a relocation table of a broken size"))?;
        for rela in entries.iter().map(Rela::from) {
            apply(rela, bias, segments, symbols)?;
        }
    }
    Ok(())
}

/// The entries of the dynamic section by tag. A tag that comes twice counts once, the last.
fn tags(file: &File<'_>) -> Result<BTreeMap<i64, u64>, Problem> {
    let mut tags = BTreeMap::new();
    let Some(header) = file.headers.iter().find(|header| header.kind == elf::PT_DYNAMIC) else {
        return Ok(tags);
    };
    let bytes = file.slice(header.offset, header.file_size, TABLE)?;
    let entries = pod::slice_from_all_bytes::<elf::Dyn64<LE>>(bytes)
        .map_err(|()| Problem::malformed(TABLE, "its size is not a multiple of 16"))?;
    let mut needed = Vec::new();
    for entry in entries {
        let (tag, value) = (entry.d_tag.get(LE), entry.d_val.get(LE));
        match tag {
            elf::DT_NULL => break,
            elf::DT_NEEDED => needed.push(value),
            _ => _ = tags.insert(tag.0, value),
        }
    }
    let get = |tag: elf::DynamicTag| tags.get(&tag.0).copied().unwrap_or(0);
    if let Some(&name) = needed.first() {
        let strings = table(file, get(elf::DT_STRTAB), get(elf::DT_STRSZ)).unwrap_or_default();
        let library =
            usize::try_from(name).ok().and_then(|at| strings.get(at..)).and_then(c_string);
        return Err(Problem::Dynamic {
            needs: format!("the library {}", library.unwrap_or("whose name is damaged")),
        });
    }
    if get(elf::DT_RELSZ) != 0 {
        return Err(Problem::malformed(TABLE, "relocations without addends (DT_REL)"));
    }
    Ok(tags)
}

/// The file's bytes for `size` bytes of memory from `address` on.
fn table<'d>(file: &File<'d>, address: u64, size: u64) -> Result<&'d [u8], Problem> {
    if size == 0 {
        return Ok(&[]);
    }
    let offset = file
        .headers
        .iter()
        .filter(|header| header.kind == elf::PT_LOAD)
        .find_map(|header| {
            let distance = address.checked_sub(header.address)?;
            let end = distance.checked_add(size)?;
            (end <= header.file_size).then(|| header.offset.checked_add(distance))?
        })
        .ok_or_else(|| {
            let at = GuestVirtual(address);
            Problem::malformed(TABLE, format!("a table of {size:#x} bytes at {at}, in no segment"))
        })?;
    file.slice(offset, size, "a table of the dynamic section")
}

/// The table that the numbers in dynamic relocations refer to.
fn dynamic_symbols<'d>(file: &File<'d>) -> Result<&'d [elf::Sym64<LE>], Problem> {
    let section = file.sections.iter().find(|section| section.kind == elf::SHT_DYNSYM);
    pod::slice_from_all_bytes(section.map_or(&[][..], |section| section.data))
        .map_err(|()| Problem::malformed("the dynamic symbol table", "a broken size"))
}

/// Relative relocations in compact form: an even word is the address of one, an odd one a
/// bitmap of the 63 words that follow (gABI, "Relative Relocation Table").
fn apply_relr(words: &[u8], bias: u64, segments: &mut [Segment]) -> Result<(), Problem> {
    let mut next = 0_u64;
    for word in words.chunks_exact(RELR_ENTRY as usize).filter_map(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*word);
        if word & 1 == 0 {
            add_bias(word, bias, segments)?;
            next = word.wrapping_add(RELR_ENTRY);
            continue;
        }
        for bit in 0..63 {
            if word >> (bit + 1) & 1 != 0 {
                add_bias(next.wrapping_add(bit * RELR_ENTRY), bias, segments)?;
            }
        }
        next = next.wrapping_add(63 * RELR_ENTRY);
    }
    Ok(())
}

fn add_bias(offset: u64, bias: u64, segments: &mut [Segment]) -> Result<(), Problem> {
    let place = offset.wrapping_add(bias);
    let old = core::array::from_fn(|i| read(segments, place.wrapping_add(i as u64)));
    store(offset, bias, u64::from_le_bytes(old).wrapping_add(bias), segments)
}

fn store(offset: u64, bias: u64, value: u64, segments: &mut [Segment]) -> Result<(), Problem> {
    let place = offset.wrapping_add(bias);
    if write(segments, place, &value.to_le_bytes()) {
        return Ok(());
    }
    let size = segments.iter().map(|segment| segment.size).sum();
    Err(Problem::RelocationOutside { section: "of the segments".to_string(), offset, size })
}

fn apply(
    rela: Rela,
    bias: u64,
    segments: &mut [Segment],
    symbols: &[elf::Sym64<LE>],
) -> Result<(), Problem> {
    let value = match rela.kind {
        elf::R_X86_64_NONE => return Ok(()),
        elf::R_X86_64_RELATIVE | elf::R_X86_64_RELATIVE64 => bias.wrapping_add_signed(rela.addend),
        elf::R_X86_64_64 => symbol_value(rela, bias, symbols)?.wrapping_add_signed(rela.addend),
        elf::R_X86_64_GLOB_DAT | elf::R_X86_64_JUMP_SLOT => symbol_value(rela, bias, symbols)?,
        kind => {
            let remedy = if kind == elf::R_X86_64_IRELATIVE {
                "link it without functions that are chosen at run time (IFUNC), such as glibc's"
            } else {
                STATIC
            };
            return Err(Problem::RelocationUnsupported {
                section: "of the segments".to_string(),
                offset: rela.offset,
                kind: type_name(kind),
                symbol: symbol_text(rela),
                remedy,
            });
        }
    };
    store(rela.offset, bias, value, segments)
}

fn symbol_text(rela: Rela) -> String {
    format!("dynamic symbol {}", rela.symbol)
}

fn symbol_value(rela: Rela, bias: u64, symbols: &[elf::Sym64<LE>]) -> Result<u64, Problem> {
    if rela.symbol == 0 {
        return Ok(0);
    }
    let bad = |why| Problem::RelocationSymbol {
        section: "of the segments".to_string(),
        offset: rela.offset,
        symbol: symbol_text(rela),
        why,
    };
    let symbol = symbols
        .get(rela.symbol as usize)
        .ok_or_else(|| bad("which is not in the dynamic symbol table; link it again"))?;
    match symbol.st_shndx.get(LE) {
        elf::SHN_UNDEF if symbol.st_bind() == elf::STB_WEAK => Ok(0),
        elf::SHN_UNDEF => {
            Err(bad("which is not defined; link what defines it into the executable"))
        }
        elf::SHN_ABS => Ok(symbol.st_value.get(LE)),
        _ => Ok(symbol.st_value.get(LE).wrapping_add(bias)),
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use object::elf::{self, DynamicTag, RelocationType};

    use super::super::Kind;
    use super::super::samples::{Part, executable, link_all, problem, static_pie};
    use crate::layout::MODULE_BASE;
    use crate::rights::Rights;

    #[test]
    fn a_static_pie_is_placed_and_relocated() {
        let program = link_all(&[&static_pie()]).unwrap();
        let image = program.main().unwrap();
        assert_eq!((image.kind, image.entry), (Kind::StaticPie, MODULE_BASE.checked_add(0x10)));
        let starts: Vec<_> = image.segments.iter().map(|s| s.start.0 - MODULE_BASE.0).collect();
        assert_eq!(starts, [0, 0x1000, 0x2000]);
        let data = &image.segments[2];
        assert_eq!(data.rights, Rights::READ_WRITE);
        let word = |at: usize| {
            u64::from_le_bytes(data.bytes[at..at + 8].try_into().unwrap()) - MODULE_BASE.0
        };
        assert_eq!([0x100, 0x108, 0x110, 0x118].map(word), [0x10, 0x2000, 0x18, 0x20]);
    }

    /// A static-pie with this dynamic section and, at 0x1000, these bytes.
    fn with(tags: &[(DynamicTag, u64)], bytes: &[u8]) -> Vec<u8> {
        let dynamic: Vec<u8> = tags
            .iter()
            .flat_map(|(tag, value)| [tag.0 as u64, *value])
            .flat_map(u64::to_le_bytes)
            .collect();
        let mut section = Part::load(elf::PF_R, 0x2000, &dynamic);
        section.kind = elf::PT_DYNAMIC;
        let constants = Part::load(elf::PF_R, 0x1000, bytes);
        executable(elf::ET_DYN, 0, &[constants, section])
    }

    fn rela(offset: u64, kind: RelocationType, symbol: u64) -> Vec<u8> {
        [offset, symbol << 32 | u64::from(kind.0), 0].map(u64::to_le_bytes).concat()
    }

    #[test]
    fn a_needed_library_is_named() {
        let tags =
            [(elf::DT_STRTAB, 0x1000), (elf::DT_STRSZ, 16), (elf::DT_NEEDED, 1), (elf::DT_NULL, 0)];
        let text = format!("{}", problem(&with(&tags, b"\0libc.so.6\0\0\0\0\0\0")));
        assert!(text.contains("needs the library libc.so.6"), "{text}");
    }

    #[test]
    fn relocations_that_cannot_be_are_refused() {
        let tags = [(elf::DT_RELA, 0x1000), (elf::DT_RELASZ, 24)];
        let text = |bytes: &[u8]| format!("{}", problem(&with(&tags, bytes)));
        let relative = elf::R_X86_64_RELATIVE;
        assert!(text(&rela(0x10_0000, relative, 0)).contains("outside"));
        assert!(text(&rela(u64::MAX, relative, 0)).contains("outside"));
        assert!(text(&rela(0x1000, elf::R_X86_64_IRELATIVE, 0)).contains("IFUNC"));
        assert!(text(&rela(0x1000, elf::R_X86_64_GLOB_DAT, 9)).contains("dynamic symbol 9"));
        assert!(link_all(&[&with(&tags, &rela(0x1000, relative, 0))]).is_ok());
        let beyond = [(elf::DT_RELA, 0x1fff), (elf::DT_RELASZ, 24)];
        assert!(format!("{}", problem(&with(&beyond, &[0; 32]))).contains("in no segment"));
    }
}
