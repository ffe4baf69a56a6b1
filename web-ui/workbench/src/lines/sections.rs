//! The debug sections of an ELF file: unpacked, and relocated if it is an object.

use std::collections::HashMap;
use std::io::Read;

use flate2::read::ZlibDecoder;
use object::read::elf::ElfFile64;
use object::{
    CompressionFormat, LittleEndian, Object, ObjectKind, ObjectSection, ObjectSymbol,
    RelocationFlags, RelocationTarget, elf,
};
use ruzstd::decoding::StreamingDecoder;

/// Bytes that a section can have when it is unpacked.
const SECTION_MAX: u64 = 256 << 20;
/// Bytes of a window that unpacking can take.
const WINDOW_MAX: u64 = 64 << 20;
/// Where what was not placed is said to be: readers of such tables leave it out.
const NOWHERE: u64 = u64::MAX;

/// The sections of a file, and where they were placed.
pub(super) struct Sections<'f, 'd> {
    file: &'f ElfFile64<'d, LittleEndian>,
    addresses: &'f HashMap<usize, u64>,
}

impl<'f, 'd> Sections<'f, 'd> {
    pub(super) fn new(
        file: &'f ElfFile64<'d, LittleEndian>,
        addresses: &'f HashMap<usize, u64>,
    ) -> Self {
        Self { file, addresses }
    }

    pub(super) fn is_relocatable(&self) -> bool {
        self.file.kind() == ObjectKind::Relocatable
    }

    /// A section's bytes; none if the file does not have it.
    pub(super) fn load(&self, name: &str) -> Result<Vec<u8>, String> {
        let Some(section) = self.file.section_by_name(name) else { return Ok(Vec::new()) };
        let compressed = section.compressed_data().map_err(|error| error.to_string())?;
        let mut bytes = match compressed.format {
            CompressionFormat::None => compressed.data.to_vec(),
            _ if compressed.uncompressed_size > SECTION_MAX => {
                return Err(format!("{name} has more than {SECTION_MAX} bytes"));
            }
            CompressionFormat::Zlib => {
                limited(ZlibDecoder::new(compressed.data), compressed.uncompressed_size)?
            }
            CompressionFormat::Zstandard => {
                let mut data = compressed.data;
                let decoder = StreamingDecoder::new_with_max_window_size(&mut data, WINDOW_MAX);
                let decoder = decoder.map_err(|error| error.to_string())?;
                limited(decoder, compressed.uncompressed_size)?
            }
            _ => return Err(format!("{name} is compressed in an unknown way")),
        };
        if self.is_relocatable() {
            for (offset, relocation) in section.relocations() {
                let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
                let width = match r_type {
                    elf::R_X86_64_64 => 8,
                    elf::R_X86_64_32 => 4,
                    _ => continue,
                };
                let value = match relocation.target() {
                    RelocationTarget::Symbol(symbol) => self.symbol(symbol, relocation.addend()),
                    _ => continue,
                };
                let at = usize::try_from(offset).ok();
                let field = at.and_then(|at| bytes.get_mut(at..at.checked_add(width)?));
                if let Some(field) = field {
                    field.copy_from_slice(&value.to_le_bytes()[..width]);
                }
            }
        }
        Ok(bytes)
    }

    /// The value of a symbol and what is added to it.
    fn symbol(&self, index: object::SymbolIndex, addend: i64) -> u64 {
        let Ok(symbol) = self.file.symbol_by_index(index) else { return NOWHERE };
        let Some(section) = symbol.section_index() else { return NOWHERE };
        let value = symbol.address().wrapping_add_signed(addend);
        if let Some(address) = self.addresses.get(&section.0) {
            return address.wrapping_add(value);
        }
        // Of another debug section the offset is meant; code that was not placed is nowhere.
        let loaded = self.file.section_by_index(section).is_ok_and(|section| {
            matches!(
                section.flags(),
                object::SectionFlags::Elf { sh_flags, .. } if sh_flags.contains(elf::SHF_ALLOC)
            )
        });
        if loaded { NOWHERE } else { value }
    }
}

fn limited(from: impl Read, size: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    from.take(size).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}
