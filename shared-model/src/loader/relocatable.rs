//! Where the sections of a relocatable module go.
//!
//! As Linux's own loader does (kernel/module/main.c, `layout_sections`), sections are gathered
//! by what they allow: code, constants and data, first those of the module's life, then those
//! that only its init function needs. Each group becomes one segment of whole pages.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

use object::elf;

use super::error::Problem;
use super::file::{File, Home, Section};
use super::{MEMORY_MAX, PlacedSection, Segment, modinfo, relocate};
use crate::address::{GuestVirtual, PAGE_SIZE};
use crate::layout::MODULE_END;
use crate::rights::Rights;

/// The largest alignment that a section may ask for: that of a large page.
const ALIGN_MAX: u64 = 2 << 20;
/// Bytes of an entry of the global offset table.
const GOT_ENTRY: u64 = 8;

const GROUPS: [(&str, Rights); 6] = [
    (".text", Rights::READ_EXECUTE),
    (".rodata", Rights::READ),
    (".data", Rights::READ_WRITE),
    (".init.text", Rights::READ_EXECUTE),
    (".init.rodata", Rights::READ),
    (".init.data", Rights::READ_WRITE),
];
/// The group that the global offset table is in: it does not change once it is filled.
const GOT_GROUP: usize = 1;
/// The group that common symbols are in.
const COMMON_GROUP: usize = 2;

/// The places of everything in one module.
#[derive(Debug)]
pub(super) struct Layout {
    pub segments: Vec<Segment>,
    /// For each section, where it went.
    places: Vec<Option<Place>>,
    /// Addresses of common symbols by their number.
    commons: BTreeMap<usize, u64>,
    /// Addresses of entries of the global offset table, by the number of their symbol.
    pub got: BTreeMap<u32, u64>,
    /// Start of the global offset table, even if it has no entries.
    pub got_start: u64,
    /// The address just past the last page.
    pub end: GuestVirtual,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    address: u64,
    /// The number of its segment. A section of no bytes may have no segment around it.
    segment: Option<usize>,
}

impl Layout {
    /// Lays the module out from `base` on, which is the start of a page, in at most `room`
    /// bytes of memory.
    pub(super) fn new(file: &File<'_>, base: GuestVirtual, room: u64) -> Result<Self, Problem> {
        check_overlaps(file)?;
        let got_symbols = relocate::got_symbols(file)?;
        let mut builder = Builder {
            file,
            cursor: base.0,
            group_start: base.0,
            room,
            layout: Self {
                segments: Vec::new(),
                places: alloc::vec![None; file.sections.len()],
                commons: BTreeMap::new(),
                got: BTreeMap::new(),
                got_start: base.0,
                end: base,
            },
        };
        let groups = group_sections(file)?;
        for (number, members) in groups.iter().enumerate() {
            builder.group(number, members, &got_symbols)?;
        }
        builder.layout.end = GuestVirtual(builder.cursor);
        Ok(builder.layout)
    }

    /// The address of a section, if it is loaded.
    pub(super) fn address(&self, section: usize) -> Option<u64> {
        Some((*self.places.get(section)?)?.address)
    }

    /// Where everything went that has a size.
    pub(super) fn sections(&self, file: &File<'_>) -> Vec<PlacedSection> {
        let placed = |(index, section): (usize, &Section<'_>)| {
            let address = GuestVirtual(self.address(index)?);
            let Section { name, size, .. } = *section;
            (size > 0).then(|| PlacedSection { index, name: name.to_string(), address, size })
        };
        file.sections.iter().enumerate().filter_map(placed).collect()
    }

    /// The address of a common symbol.
    pub(super) fn common(&self, symbol: usize) -> Option<u64> {
        self.commons.get(&symbol).copied()
    }

    /// A section's address and its bytes in memory, if it is loaded and has bytes.
    pub(super) fn bytes_mut(&mut self, section: usize, size: usize) -> Option<(u64, &mut [u8])> {
        let place = (*self.places.get(section)?)?;
        let segment = self.segments.get_mut(place.segment?)?;
        let start = usize::try_from(place.address - segment.start.0).ok()?;
        Some((place.address, segment.bytes.get_mut(start..start.checked_add(size)?)?))
    }

    /// Stores the entries of the global offset table.
    pub(super) fn fill_got(
        &mut self,
        value: impl Fn(u32) -> Result<u64, Problem>,
    ) -> Result<(), Problem> {
        for (&symbol, &slot) in &self.got {
            let value = value(symbol)?.to_le_bytes();
            let segment =
                self.segments.iter_mut().find(|segment| segment.contains(GuestVirtual(slot)));
            let at = segment.and_then(|segment| {
                let start = usize::try_from(slot - segment.start.0).ok()?;
                segment.bytes.get_mut(start..start + value.len())
            });
            if let Some(at) = at {
                at.copy_from_slice(&value);
            }
        }
        Ok(())
    }
}

/// Lays out one group after the other.
struct Builder<'f, 'd> {
    file: &'f File<'d>,
    /// The next free address.
    cursor: u64,
    /// Where the current group starts.
    group_start: u64,
    /// Bytes of memory that are left for the program.
    room: u64,
    layout: Layout,
}

impl Builder<'_, '_> {
    fn group(
        &mut self,
        number: usize,
        members: &[usize],
        got_symbols: &[u32],
    ) -> Result<(), Problem> {
        let (label, rights) = GROUPS[number];
        let start = self.cursor;
        self.group_start = start;
        let mut bytes = Vec::new();
        let segment = self.layout.segments.len();
        // Zeros last, so that the bytes of the segment end before them.
        let (zeros, filled): (Vec<_>, Vec<_>) =
            members.iter().partition(|&&index| self.file.sections[index].is_zeros());
        for index in filled {
            let address = self.place(index, segment)?;
            bytes.resize((address - start) as usize, 0);
            bytes.extend_from_slice(self.file.sections[index].data);
        }
        if number == GOT_GROUP && !got_symbols.is_empty() {
            self.layout.got_start = self.reserve("the global offset table", 0, GOT_ENTRY)?;
            for &symbol in got_symbols {
                let slot = self.reserve("the global offset table", GOT_ENTRY, GOT_ENTRY)?;
                self.layout.got.insert(symbol, slot);
            }
            bytes.resize((self.cursor - start) as usize, 0);
        }
        for index in zeros {
            self.place(index, segment)?;
        }
        if number == COMMON_GROUP {
            self.commons()?;
        }
        self.close(bytes, label, rights)
    }

    /// Ends the group's segment at the end of its last page.
    fn close(&mut self, bytes: Vec<u8>, label: &str, rights: Rights) -> Result<(), Problem> {
        let start = self.group_start;
        if self.cursor == start {
            // Only sections of no bytes were in it.
            for place in self.layout.places.iter_mut().flatten() {
                if place.segment == Some(self.layout.segments.len()) {
                    place.segment = None;
                }
            }
            return Ok(());
        }
        let end = self.reserve(label, 0, PAGE_SIZE)?;
        let size = end - start;
        self.room -= size;
        self.layout.segments.push(Segment {
            start: GuestVirtual(start),
            size,
            bytes,
            rights,
            label: label.to_string(),
        });
        Ok(())
    }

    fn place(&mut self, index: usize, segment: usize) -> Result<u64, Problem> {
        let Section { name, size, align, .. } = self.file.sections[index];
        if !align.is_power_of_two() || align > ALIGN_MAX {
            let why =
                alloc::format!("an alignment of {align:#x}; at most {ALIGN_MAX:#x} is possible");
            return Err(Problem::malformed(alloc::format!("section {name}"), why));
        }
        let address = self.reserve(name, size, align)?;
        self.layout.places[index] = Some(Place { address, segment: Some(segment) });
        Ok(address)
    }

    fn commons(&mut self) -> Result<(), Problem> {
        let file = self.file;
        for (index, symbol) in file.symbols.iter().enumerate() {
            if symbol.home == Home::Common {
                // A common symbol's value is its alignment (gABI, "Symbol Values").
                let align = symbol.value.max(1);
                if !align.is_power_of_two() || align > ALIGN_MAX {
                    return Err(Problem::BadSymbol {
                        symbol: symbol.name.to_string(),
                        why: alloc::format!(
                            "an alignment of {align:#x}; at most {ALIGN_MAX:#x} is possible"
                        ),
                    });
                }
                let address = self.reserve(symbol.name, symbol.size, align)?;
                self.layout.commons.insert(index, address);
            }
        }
        Ok(())
    }

    /// Takes `size` bytes at the next address of this alignment.
    fn reserve(&mut self, what: &str, size: u64, align: u64) -> Result<u64, Problem> {
        let too_large =
            |size| Problem::TooLarge { what: what.to_string(), size, limit: MEMORY_MAX };
        if size > MEMORY_MAX {
            return Err(too_large(size));
        }
        let address = self.cursor.next_multiple_of(align);
        let end = address + size;
        if end > MODULE_END.0 {
            return Err(Problem::NoRoom { end: GuestVirtual(end), limit: MODULE_END });
        }
        let taken = end - self.group_start;
        if taken > self.room {
            return Err(too_large(MEMORY_MAX - self.room + taken));
        }
        self.cursor = end;
        Ok(address)
    }
}

/// The numbers of the sections in each of [`GROUPS`], in the file's order.
fn group_sections(file: &File<'_>) -> Result<[Vec<usize>; 6], Problem> {
    let mut groups: [Vec<usize>; 6] = Default::default();
    for (index, section) in file.sections.iter().enumerate().skip(1) {
        if !is_loaded(section) {
            continue;
        }
        check_supported(section)?;
        let kind = match (section.has(elf::SHF_WRITE), section.has(elf::SHF_EXECINSTR)) {
            (true, true) => {
                return Err(Problem::WritableCode {
                    what: alloc::format!("section {}", section.name),
                    remedy: "put the code and the data in sections of their own",
                });
            }
            (false, true) => 0,
            (false, false) => 1,
            (true, false) => 2,
        };
        let init = if section.name.starts_with(".init") { 3 } else { 0 };
        groups[kind + init].push(index);
    }
    Ok(groups)
}

/// Whether a section has a place in memory. What the loader alone reads does not, although
/// its header says so: Linux's loader drops the same two.
pub(super) fn is_loaded(section: &Section<'_>) -> bool {
    section.has(elf::SHF_ALLOC)
        && section.kind != elf::SHT_NULL
        && !matches!(section.name, modinfo::SECTION | "__versions")
}

fn check_supported(section: &Section<'_>) -> Result<(), Problem> {
    let (why, remedy) = if section.size == 0 {
        return Ok(());
    } else if section.name.starts_with(".data..percpu") {
        ("per-processor data (DEFINE_PER_CPU)", "use a module without it")
    } else if section.has(elf::SHF_TLS) {
        ("thread-local data", "use ordinary variables, or link an executable")
    } else if section.has(elf::SHF_COMPRESSED) {
        ("a compressed section that is loaded", "build it again without compressing sections")
    } else {
        return Ok(());
    };
    Err(Problem::UnsupportedSection { section: section.name.to_string(), why, remedy })
}

/// Refuses sections that share bytes of the file: no tool writes such a file, and loading one
/// would multiply its size.
fn check_overlaps(file: &File<'_>) -> Result<(), Problem> {
    let mut ranges: Vec<_> = file
        .sections
        .iter()
        .filter(|section| !section.data.is_empty())
        .map(|section| (section.offset, section))
        .collect();
    ranges.sort_by_key(|&(offset, _)| offset);
    for pair in ranges.windows(2) {
        let [(start, first), (at, second)] = pair else { continue };
        if start + first.size > *at {
            return Err(Problem::SectionsOverlap {
                first: first.name.to_string(),
                second: second.name.to_string(),
                at: *at,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use object::SectionKind;
    use object::elf;

    use super::super::samples::{Sample, link_all, problem};
    use super::super::{Module, Problem, link};
    use crate::layout::{MODULE_BASE, MODULE_END};

    #[test]
    fn sections_keep_their_alignment_and_order() {
        let mut sample = Sample::new();
        for (name, align) in [(".data.a", 1), (".data.b", 64), (".data.c", 4096)] {
            let section = sample.object.add_section(Vec::new(), name.into(), SectionKind::Data);
            sample.object.append_section_data(section, &[7], align);
            sample.global(&name.replace('.', "_"), section, 0);
        }
        let program = link_all(&[&sample.bytes()]).unwrap();
        let offset = |name| program.symbol(name).unwrap().0 - MODULE_BASE.0;
        assert_eq!(["_data_a", "_data_b", "_data_c"].map(offset), [0, 64, 4096]);
        let [segment] = &*program.images[0].segments else { panic!("one segment") };
        assert_eq!((segment.size, segment.bytes.len()), (0x2000, 4097));
    }

    #[test]
    fn code_that_is_writable_is_refused() {
        let mut sample = Sample::new();
        let flags = elf::SHF_ALLOC | elf::SHF_WRITE | elf::SHF_EXECINSTR;
        sample.flagged(".patchme", flags, &[0xc3]);
        let text = format!("{}", link_all(&[&sample.bytes()]).unwrap_err());
        assert!(text.contains("section .patchme is both writable and executable"), "{text}");
    }

    #[test]
    fn kinds_of_data_without_a_meaning_here_are_refused() {
        let mut sample = Sample::new();
        sample.section(".data..percpu", SectionKind::Data, &[0; 8]);
        assert!(matches!(problem(&sample.bytes()), Problem::UnsupportedSection { .. }));

        let mut sample = Sample::new();
        sample.section(".data..percpu", SectionKind::Data, &[]);
        assert!(link_all(&[&sample.bytes()]).is_ok(), "empty in most modules");

        let mut sample = Sample::new();
        sample.section(".tdata", SectionKind::Tls, &[0; 8]);
        assert!(matches!(problem(&sample.bytes()), Problem::UnsupportedSection { .. }));
    }

    #[test]
    fn an_absurd_alignment_is_refused() {
        for align in [1 << 40, 3] {
            let mut sample = Sample::new();
            sample.common("odd", 8, 8);
            let mut bytes = sample.bytes();
            // The symbol's value is its alignment: replace it in the last table entry.
            let at = bytes.windows(16).position(|w| w == [[8, 0, 0, 0, 0, 0, 0, 0]; 2].concat());
            bytes[at.unwrap()..][..8].copy_from_slice(&u64::to_le_bytes(align));
            assert!(
                matches!(problem(&bytes), Problem::BadSymbol { symbol, .. } if symbol == "odd")
            );
        }
    }

    #[test]
    fn gaps_for_alignment_count_as_memory() {
        let mut sample = Sample::new();
        for i in 0..200 {
            let name = format!(".data.{i}").into();
            let section = sample.object.add_section(Vec::new(), name, SectionKind::Data);
            sample.object.append_section_data(section, &[1], 2 << 20);
        }
        assert!(matches!(problem(&sample.bytes()), Problem::TooLarge { .. }));
    }

    #[test]
    fn modules_do_not_leave_their_range() {
        let mut sample = Sample::new();
        sample.section(".data", SectionKind::Data, &[1]);
        let bytes = sample.bytes();
        let modules = alloc::vec![Module { name: "one of many", bytes: &bytes }; 9000];
        assert!(link(&modules[..1000]).is_ok());
        let problem = link(&modules).unwrap_err().problem;
        assert!(matches!(problem, Problem::NoRoom { limit: MODULE_END, .. }), "{problem}");
    }
}
