//! Relocations of relocatable files (System V ABI, AMD64 supplement, 4.4.1).
//!
//! In the formulas of that table: S is the symbol's value, A the addend, P the address that is
//! relocated, G the place of the symbol's entry in the global offset table (GOT).

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use object::elf::{self, RelocationType};

use super::error::Problem;
use super::file::{File, Rela};
use super::relocatable::{self, Layout};

/// What a symbol's number stands for when a relocation uses it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    /// This address or number.
    Known(u64),
    /// Nothing, for this reason.
    Missing(&'static str),
}

/// The name that assemblers use for the start of the global offset table.
pub(super) const GOT_SYMBOL: &str = "_GLOBAL_OFFSET_TABLE_";

/// The name of a relocation type.
pub(super) fn type_name(kind: RelocationType) -> String {
    elf::NAMES_R_X86_64.name(kind).map_or_else(|| format!("type {}", kind.0), Into::into)
}

/// The symbols that need an entry in the global offset table, each once, by number.
pub(super) fn got_symbols(file: &File<'_>) -> Result<Vec<u32>, Problem> {
    let mut symbols = BTreeSet::new();
    for (index, target) in file.relocation_sections() {
        if file.sections.get(target).is_some_and(relocatable::is_loaded) {
            symbols.extend(
                file.relocations(index)?.filter(|rela| uses_got(rela.kind)).map(|rela| rela.symbol),
            );
        }
    }
    Ok(symbols.into_iter().collect())
}

const fn uses_got(kind: RelocationType) -> bool {
    matches!(kind, elf::R_X86_64_GOTPCREL | elf::R_X86_64_GOTPCRELX | elf::R_X86_64_REX_GOTPCRELX)
}

/// Relocates every section that has a place in memory. `values` are those of the file's
/// symbols, by number.
pub(super) fn apply(file: &File<'_>, layout: &mut Layout, values: &[Value]) -> Result<(), Problem> {
    for (index, target) in file.relocation_sections() {
        let Some(section) = file.sections.get(target) else {
            let why = format!("applies to section {target}, which does not exist");
            return Err(Problem::malformed(file.section_name(index), why));
        };
        if layout.address(target).is_none() {
            continue;
        }
        let size = section.data.len();
        for rela in file.relocations(index)? {
            let site = Site { file, section: target, rela };
            let value = site.value(layout, values)?;
            let (_, bytes) = layout.bytes_mut(target, size).ok_or_else(|| site.outside())?;
            site.store(bytes, value)?;
        }
    }
    Ok(())
}

/// Stores the addresses of symbols in the global offset table.
pub(super) fn fill_got(
    file: &File<'_>,
    layout: &mut Layout,
    values: &[Value],
) -> Result<(), Problem> {
    layout.fill_got(|symbol| match values.get(symbol as usize) {
        Some(Value::Known(value)) => Ok(*value),
        Some(Value::Missing(why)) => {
            Err(Problem::BadSymbol { symbol: file.symbol_name(symbol), why: (*why).into() })
        }
        None => Err(Problem::malformed("a relocation", format!("symbol {symbol} does not exist"))),
    })
}

/// The width of a relocated field and how its value is extended from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Nothing,
    Any64,
    Unsigned(usize),
    Signed(usize),
}

/// One relocation of one section.
struct Site<'f, 'd> {
    file: &'f File<'d>,
    section: usize,
    rela: Rela,
}

impl Site<'_, '_> {
    /// The field and what goes there.
    fn value(&self, layout: &Layout, values: &[Value]) -> Result<(Field, u64), Problem> {
        let section = layout.address(self.section).ok_or_else(|| self.outside())?;
        let kind = self.rela.kind;
        if kind == elf::R_X86_64_NONE {
            return Ok((Field::Nothing, 0));
        }
        let symbol = match values.get(self.rela.symbol as usize) {
            Some(Value::Known(value)) => *value,
            Some(Value::Missing(why)) => return Err(self.bad_symbol(why)),
            None => return Err(self.bad_symbol("which is not in the symbol table; build it again")),
        };
        let place = section.wrapping_add(self.rela.offset);
        let target = symbol.wrapping_add_signed(self.rela.addend);
        Ok(match kind {
            elf::R_X86_64_64 => (Field::Any64, target),
            elf::R_X86_64_PC64 => (Field::Any64, target.wrapping_sub(place)),
            elf::R_X86_64_32 => (Field::Unsigned(4), target),
            elf::R_X86_64_32S => (Field::Signed(4), target),
            // Nothing is far enough away to need a stub, so PLT32 is PC32.
            elf::R_X86_64_PC32 | elf::R_X86_64_PLT32 => {
                (Field::Signed(4), target.wrapping_sub(place))
            }
            elf::R_X86_64_16 => (Field::Unsigned(2), target),
            elf::R_X86_64_PC16 => (Field::Signed(2), target.wrapping_sub(place)),
            elf::R_X86_64_8 => (Field::Unsigned(1), target),
            elf::R_X86_64_PC8 => (Field::Signed(1), target.wrapping_sub(place)),
            kind if uses_got(kind) => {
                let slot = layout.got.get(&self.rela.symbol).copied().unwrap_or(layout.got_start);
                let slot = slot.wrapping_add_signed(self.rela.addend);
                (Field::Signed(4), slot.wrapping_sub(place))
            }
            elf::R_X86_64_GOTOFF64 => (Field::Any64, target.wrapping_sub(layout.got_start)),
            elf::R_X86_64_GOTPC32 | elf::R_X86_64_GOTPC64 => {
                let got = layout.got_start.wrapping_add_signed(self.rela.addend);
                let field =
                    if kind == elf::R_X86_64_GOTPC32 { Field::Signed(4) } else { Field::Any64 };
                (field, got.wrapping_sub(place))
            }
            _ => return Err(self.unsupported()),
        })
    }

    fn store(&self, bytes: &mut [u8], (field, value): (Field, u64)) -> Result<(), Problem> {
        let (width, fits) = match field {
            Field::Nothing => return Ok(()),
            Field::Any64 => (8, true),
            Field::Unsigned(width) => (width, value >> (8 * width) == 0),
            Field::Signed(width) => {
                let unused = 64 - 8 * width;
                (width, ((value << unused) as i64 >> unused) as u64 == value)
            }
        };
        let at = usize::try_from(self.rela.offset)
            .ok()
            .and_then(|start| bytes.get_mut(start..start.checked_add(width)?))
            .ok_or_else(|| self.outside())?;
        if !fits {
            return Err(Problem::RelocationOverflow {
                section: self.file.section_name(self.section),
                offset: self.rela.offset,
                kind: type_name(self.rela.kind),
                symbol: self.file.symbol_name(self.rela.symbol),
                value,
            });
        }
        at.copy_from_slice(&value.to_le_bytes()[..width]);
        Ok(())
    }

    fn outside(&self) -> Problem {
        Problem::RelocationOutside {
            section: self.file.section_name(self.section),
            offset: self.rela.offset,
            size: self.file.sections[self.section].data.len() as u64,
        }
    }

    fn bad_symbol(&self, why: &'static str) -> Problem {
        Problem::RelocationSymbol {
            section: self.file.section_name(self.section),
            offset: self.rela.offset,
            symbol: self.file.symbol_name(self.rela.symbol),
            why,
        }
    }

    fn unsupported(&self) -> Problem {
        let kind = type_name(self.rela.kind);
        let remedy = if kind.contains("TLS") || kind.contains("TPOFF") {
            "use ordinary variables instead of thread-local ones"
        } else {
            "compile with -mcmodel=kernel -fno-pic, as Linux modules are"
        };
        Problem::RelocationUnsupported {
            section: self.file.section_name(self.section),
            offset: self.rela.offset,
            kind,
            symbol: self.file.symbol_name(self.rela.symbol),
            remedy,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use object::SectionKind;
    use object::elf::{self, RelocationType};

    use super::super::samples::{Sample, link_all, problem};
    use super::super::{LoadError, Problem};
    use crate::layout::MODULE_BASE;

    const TEXT: u64 = MODULE_BASE.0;
    const PLACE: u64 = TEXT + 8;
    const DATA: u64 = TEXT + 0x1000;

    /// The bytes at offset 8 of the text after one relocation there, against the start of the
    /// data if `symbol` is nothing, else against an absolute symbol of this value.
    fn relocated(
        kind: RelocationType,
        symbol: Option<u64>,
        addend: i64,
    ) -> Result<[u8; 8], LoadError> {
        let mut sample = Sample::new();
        let text = sample.section(".text", SectionKind::Text, &[0xee; 24]);
        let data = sample.section(".data", SectionKind::Data, &[0; 16]);
        let symbol = match symbol {
            Some(value) => sample.absolute("target", value),
            None => sample.global("target", data, 0),
        };
        sample.relocate(text, 8, kind, symbol, addend);
        let program = link_all(&[&sample.bytes()])?;
        let bytes = &program.images[0].segments[0].bytes;
        assert_eq!((&bytes[..8], &bytes[16..]), (&[0xee; 8][..], &[0xee; 8][..]));
        Ok(bytes[8..16].try_into().unwrap())
    }

    fn word(kind: RelocationType, symbol: Option<u64>, addend: i64) -> u32 {
        let bytes = relocated(kind, symbol, addend).unwrap();
        assert_eq!(bytes[4..], [0xee; 4]);
        u32::from_le_bytes(bytes[..4].try_into().unwrap())
    }

    fn overflows(kind: RelocationType, symbol: u64) -> bool {
        match relocated(kind, Some(symbol), 0) {
            Ok(_) => false,
            Err(error) => {
                assert!(matches!(error.problem, Problem::RelocationOverflow { .. }), "{error}");
                let text = format!("{error}");
                assert!(text.starts_with("a: section .text, offset 0x8: R_X86_64_"), "{text}");
                assert!(text.contains("against target"), "{text}");
                true
            }
        }
    }

    #[test]
    fn each_type_computes_what_the_abi_says() {
        let quad = |kind, addend| u64::from_le_bytes(relocated(kind, None, addend).unwrap());
        assert_eq!(quad(elf::R_X86_64_64, 5), DATA + 5);
        assert_eq!(quad(elf::R_X86_64_PC64, 5), DATA + 5 - PLACE);
        assert_eq!(quad(elf::R_X86_64_NONE, 0), u64::MAX / 255 * 0xee);
        assert_eq!(word(elf::R_X86_64_32, None, -1), DATA as u32 - 1);
        assert_eq!(word(elf::R_X86_64_32S, None, 1), DATA as u32 + 1);
        assert_eq!(word(elf::R_X86_64_PC32, None, -4), (DATA - 4 - PLACE) as u32);
        assert_eq!(word(elf::R_X86_64_PLT32, None, -4), (DATA - 4 - PLACE) as u32);
        assert_eq!(
            word(elf::R_X86_64_PC32, Some(0x30), -4),
            0x30_u64.wrapping_sub(PLACE + 4) as u32
        );
        assert_eq!(relocated(elf::R_X86_64_16, Some(0xfffe), 1).unwrap()[..3], [0xff, 0xff, 0xee]);
        assert_eq!(relocated(elf::R_X86_64_8, Some(0xfe), 1).unwrap()[..2], [0xff, 0xee]);
        let near = Some(PLACE - 2);
        assert_eq!(relocated(elf::R_X86_64_PC16, near, 0).unwrap()[..3], [0xfe, 0xff, 0xee]);
        assert_eq!(relocated(elf::R_X86_64_PC8, near, 0).unwrap()[..2], [0xfe, 0xee]);
    }

    #[test]
    fn a_value_must_fit_its_field_with_its_sign() {
        assert!(!overflows(elf::R_X86_64_32, 0xffff_ffff));
        assert!(overflows(elf::R_X86_64_32, 0x1_0000_0000));
        assert!(overflows(elf::R_X86_64_32, -1_i64 as u64));
        assert!(!overflows(elf::R_X86_64_32S, 0x7fff_ffff));
        assert!(!overflows(elf::R_X86_64_32S, -0x8000_0000_i64 as u64));
        assert!(overflows(elf::R_X86_64_32S, 0x8000_0000));
        assert!(!overflows(elf::R_X86_64_PC32, PLACE + 0x7fff_ffff));
        assert!(overflows(elf::R_X86_64_PC32, PLACE + 0x8000_0000));
        assert!(overflows(elf::R_X86_64_PLT32, 1 << 40));
        assert!(overflows(elf::R_X86_64_PC8, PLACE + 128));
        assert!(overflows(elf::R_X86_64_8, 256));
    }

    #[test]
    fn position_independent_code_reads_its_addresses_from_a_table() {
        let mut sample = Sample::new();
        let text = sample.section(".text", SectionKind::Text, &[0; 32]);
        let one = sample.global("one", text, 0x10);
        let two = sample.absolute("two", 0x1234_5678_9abc);
        let got = sample.undefined("_GLOBAL_OFFSET_TABLE_");
        sample.relocate(text, 0, elf::R_X86_64_GOTPCREL, two, -4);
        sample.relocate(text, 8, elf::R_X86_64_REX_GOTPCRELX, one, -4);
        sample.relocate(text, 16, elf::R_X86_64_GOTPCRELX, two, -4);
        sample.relocate(text, 24, elf::R_X86_64_GOTPC32, got, 0);
        let program = link_all(&[&sample.bytes()]).unwrap();
        assert_eq!(program.unprovided, []);
        let [code, table] = &*program.images[0].segments else { panic!("two segments") };
        assert_eq!((&*table.label, table.bytes.len()), (".rodata", 16));
        let target = |offset: usize| {
            let field = i32::from_le_bytes(code.bytes[offset..offset + 4].try_into().unwrap());
            code.start.0 + offset as u64 + 4 + field as u64 - table.start.0
        };
        let value = |slot: u64| {
            let slot = slot as usize;
            u64::from_le_bytes(table.bytes[slot..slot + 8].try_into().unwrap())
        };
        assert_eq!(target(0), target(16), "one entry for each symbol");
        assert_eq!([target(0), target(8)].map(value), [0x1234_5678_9abc, TEXT + 0x10]);
        assert_eq!(target(24) - 4, 0, "the table's own address");
    }

    #[test]
    fn a_relocation_outside_its_section_is_refused() {
        for (offset, kind) in [
            (24, elf::R_X86_64_64),
            (17, elf::R_X86_64_64),
            (21, elf::R_X86_64_32),
            (1 << 40, elf::R_X86_64_PC32),
            (u64::MAX - 2, elf::R_X86_64_PC32),
        ] {
            let mut sample = Sample::new();
            let text = sample.section(".text", SectionKind::Text, &[0; 24]);
            let symbol = sample.absolute("zero", 0);
            sample.relocate(text, offset, kind, symbol, 0);
            let expected = Problem::RelocationOutside { section: ".text".into(), offset, size: 24 };
            assert_eq!(problem(&sample.bytes()), expected);
        }
    }

    #[test]
    fn a_relocation_of_zeros_is_refused() {
        let mut sample = Sample::new();
        let bss = sample.zeros(".bss", 64, 8);
        let symbol = sample.absolute("zero", 0);
        sample.relocate(bss, 0, elf::R_X86_64_64, symbol, 0);
        assert!(matches!(problem(&sample.bytes()), Problem::RelocationOutside { size: 0, .. }));
    }

    #[test]
    fn unknown_types_and_places_are_named() {
        let text = format!("{}", relocated(elf::R_X86_64_TPOFF32, None, 0).unwrap_err());
        assert!(text.contains("R_X86_64_TPOFF32 against target is not supported"), "{text}");
        assert!(text.contains("thread-local"), "{text}");
        let text = format!("{}", relocated(RelocationType(200), None, 0).unwrap_err());
        assert!(text.contains("type 200"), "{text}");

        let mut sample = Sample::new();
        let text = sample.section(".text", SectionKind::Text, &[0; 24]);
        let info = sample.section(".modinfo", SectionKind::ReadOnlyData, b"license=GPL\0");
        let symbol = sample.global("note", info, 0);
        sample.relocate(text, 8, elf::R_X86_64_PC32, symbol, 0);
        let found = problem(&sample.bytes());
        assert!(matches!(found, Problem::RelocationSymbol { symbol, .. } if symbol == "note"));
    }

    #[test]
    fn relocations_of_what_is_not_loaded_are_ignored() {
        let mut sample = Sample::new();
        let debug = sample.section(".debug_info", SectionKind::Debug, &[0; 8]);
        let symbol = sample.absolute("zero", 0);
        sample.relocate(debug, 1 << 20, RelocationType(200), symbol, 0);
        let expected: Vec<super::super::Segment> = Vec::new();
        assert_eq!(link_all(&[&sample.bytes()]).unwrap().images[0].segments, expected);
    }
}
