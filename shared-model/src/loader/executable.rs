//! Executables: every segment at its own addresses, with its own rights.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use object::elf;

use super::error::Problem;
use super::file::{File, Header, Home, Section};
use super::symbols::{self, Scope, Symbol};
use super::{Export, Image, Kind, MEMORY_MAX, PlacedSection, Segment, dynamic, modinfo};
use crate::address::{GuestVirtual, LOWER_HALF_END, PAGE_SIZE};
use crate::layout::{MODULE_BASE, MODULE_END};
use crate::rights::Rights;

const LINK_AGAIN: &str = "link it again";
const SEPARATE: &str = "keep code and data apart: link with -z separate-code, and without -N";

/// Loads an executable.
pub(super) fn load(name: &str, file: &File<'_>) -> Result<Image, Problem> {
    if let Some(interpreter) = file.headers.iter().find(|header| header.kind == elf::PT_INTERP) {
        let path =
            file.slice(interpreter.offset, interpreter.file_size, "the interpreter's name")?;
        let path = path.split(|&b| b == 0).next().unwrap_or_default();
        let needs = format!("the interpreter {}", String::from_utf8_lossy(path));
        return Err(Problem::Dynamic { needs });
    }
    let loads = loads(file)?;
    let kind = if file.kind == elf::ET_DYN { Kind::StaticPie } else { Kind::Executable };
    let bias = if kind == Kind::StaticPie { bias(&loads)? } else { 0 };
    let mut segments = runs(&loads, bias)?;
    fill(file, &loads, bias, &mut segments)?;
    if kind == Kind::StaticPie {
        dynamic::relocate(file, bias, &mut segments)?;
    }
    let symbols = all_symbols(file, bias);
    let mut exports: Vec<_> = symbols
        .iter()
        .filter(|symbol| symbol.scope == Scope::Global)
        .map(|symbol| Export { name: symbol.name.clone(), address: symbol.address, gpl: false })
        .collect();
    exports.sort_by(|a, b| a.name.cmp(&b.name));
    exports.dedup_by(|b, a| a.name == b.name);
    Ok(Image {
        name: name.to_string(),
        kind,
        entry: entry(file, bias, &segments)?,
        sections: sections(file, bias, &segments),
        segments,
        symbols,
        exports,
        imports: Vec::new(),
        init: None,
        cleanup: None,
        modinfo: modinfo::of_file(file),
    })
}

/// Where the sections are that lie in the segments. Whether they do is only what the file says.
fn sections(file: &File<'_>, bias: u64, segments: &[Segment]) -> Vec<PlacedSection> {
    let placed = |(index, section): (usize, &Section<'_>)| {
        let Section { name, size, address, .. } = *section;
        let address = GuestVirtual(address.wrapping_add(bias));
        let inside = segments.iter().any(|segment| {
            segment.contains(address) && size <= segment.size - (address.0 - segment.start.0)
        });
        let is_there = section.has(elf::SHF_ALLOC) && size > 0 && inside;
        is_there.then(|| PlacedSection { index, name: name.to_string(), address, size })
    };
    file.sections.iter().enumerate().filter_map(placed).collect()
}

/// A segment to be loaded, with its number.
#[derive(Debug, Clone, Copy)]
struct Load {
    index: usize,
    header: Header,
    rights: Rights,
}

impl Load {
    fn start(&self) -> u64 {
        self.header.address
    }

    fn end(&self) -> u64 {
        self.header.address + self.header.memory_size
    }

    fn pages(&self) -> (u64, u64) {
        (self.start() & !(PAGE_SIZE - 1), self.end().next_multiple_of(PAGE_SIZE))
    }

    fn bad(&self, why: impl Into<String>, remedy: &'static str) -> Problem {
        let start = GuestVirtual(self.header.address);
        Problem::BadSegment { index: self.index, start, why: why.into(), remedy }
    }
}

/// The segments to be loaded that have any bytes, checked one by one, sorted by address.
///
/// Headers of other kinds map nothing. The initial values of thread-local variables (PT_TLS)
/// lie in a loaded segment; setting up a thread's copy is left to the program's own start code,
/// as it is on Linux.
fn loads(file: &File<'_>) -> Result<Vec<Load>, Problem> {
    let mut loads = Vec::new();
    let mut memory = 0_u64;
    for (index, &header) in file.headers.iter().enumerate() {
        if header.kind != elf::PT_LOAD || header.memory_size == 0 && header.file_size == 0 {
            continue;
        }
        let load = Load { index, header, rights: rights(header.flags) };
        check(file, &load)?;
        let (start, end) = load.pages();
        memory = memory.saturating_add(end - start);
        if memory > MEMORY_MAX {
            let what = format!("segment {index}, with the ones before it,");
            return Err(Problem::TooLarge { what, size: memory, limit: MEMORY_MAX });
        }
        loads.push(load);
    }
    if loads.is_empty() {
        return Err(Problem::malformed("the program header table", "no segment to load (PT_LOAD)"));
    }
    loads.sort_by_key(|load| (load.start(), load.index));
    Ok(loads)
}

/// What a segment's flags allow. On x86 a page that can be written or executed can be read.
fn rights(flags: u32) -> Rights {
    let with = |flag: elf::ProgramFlags, rights| {
        if flags & flag.0 != 0 { rights } else { Rights::NONE }
    };
    with(elf::PF_R, Rights::READ)
        | with(elf::PF_W, Rights::READ_WRITE)
        | with(elf::PF_X, Rights::READ_EXECUTE)
}

fn check(file: &File<'_>, load: &Load) -> Result<(), Problem> {
    let Header { address, offset, file_size, memory_size, .. } = load.header;
    if memory_size < file_size {
        let why = format!("{file_size:#x} bytes in the file for {memory_size:#x} in memory");
        return Err(load.bad(why, LINK_AGAIN));
    }
    match address.checked_add(memory_size) {
        Some(end) if end <= LOWER_HALF_END => {}
        _ => {
            let why = format!("{memory_size:#x} bytes there are not in the lower half");
            return Err(load.bad(why, "link it below 0x800000000000 (-Ttext-segment=ADDRESS)"));
        }
    }
    file.slice(offset, file_size, &format!("segment {}", load.index))?;
    if load.rights.is_writable_code() {
        let what = format!("segment {} at {}", load.index, GuestVirtual(address));
        return Err(Problem::WritableCode { what, remedy: SEPARATE });
    }
    Ok(())
}

/// What to add to the addresses of a position-independent executable.
fn bias(loads: &[Load]) -> Result<u64, Problem> {
    let (Some(first), Some(end)) = (loads.first(), loads.iter().map(Load::end).max()) else {
        return Ok(0);
    };
    let align = loads.iter().map(|load| load.header.align).max().unwrap_or(0).max(PAGE_SIZE);
    if !align.is_power_of_two() || !MODULE_BASE.0.is_multiple_of(align) {
        return Err(first.bad(format!("an alignment of {align:#x}"), LINK_AGAIN));
    }
    // Every alignment that gets here divides the base, so rounding down keeps residues.
    let bias = MODULE_BASE.0.wrapping_sub(first.start() & !(align - 1));
    let end = end.wrapping_add(bias);
    if !(MODULE_BASE.0..=MODULE_END.0).contains(&end) {
        return Err(Problem::NoRoom { end: GuestVirtual(end), limit: MODULE_END });
    }
    Ok(bias)
}

/// The pages that the segments cover, as runs of equal rights. A page that several segments
/// share has the rights of all of them.
fn runs(loads: &[Load], bias: u64) -> Result<Vec<Segment>, Problem> {
    let mut edges: Vec<u64> = Vec::with_capacity(2 * loads.len());
    for load in loads {
        let (start, end) = load.pages();
        edges.extend([start, end]);
    }
    edges.sort_unstable();
    edges.dedup();
    let mut runs: Vec<Segment> = Vec::new();
    let mut active: Vec<&Load> = Vec::new();
    let mut waiting = loads.iter().peekable();
    for pair in edges.windows(2) {
        let &[start, end] = pair else { continue };
        active.retain(|load| load.pages().1 > start);
        while let Some(load) = waiting.next_if(|load| load.pages().0 <= start) {
            active.push(load);
        }
        if !active.is_empty() {
            let (rights, label) = shared(&active, start)?;
            runs.push(Segment {
                start: GuestVirtual(start.wrapping_add(bias)),
                size: end - start,
                bytes: Vec::new(),
                rights,
                label,
            });
        }
    }
    Ok(runs)
}

/// The rights and the label of a page that all of `active` share.
fn shared(active: &[&Load], page: u64) -> Result<(Rights, String), Problem> {
    let rights = active.iter().fold(Rights::NONE, |rights, load| rights | load.rights);
    if rights.is_writable_code() {
        let having = |right| active.iter().find(|load| load.rights.contains(right));
        let numbers = having(Rights::WRITE).zip(having(Rights::EXECUTE));
        let (data, code) = numbers.map_or((0, 0), |(data, code)| (data.index, code.index));
        return Err(Problem::WritableCode {
            what: format!(
                "the page at {}, which segment {data} writes and segment {code} executes,",
                GuestVirtual(page)
            ),
            remedy: SEPARATE,
        });
    }
    let mut label = "load".to_string();
    for load in active.iter().take(4) {
        label += &format!(" {}", load.index);
    }
    Ok((rights, label))
}

/// Puts the bytes of the segments into their pages.
fn fill(
    file: &File<'_>,
    loads: &[Load],
    bias: u64,
    segments: &mut [Segment],
) -> Result<(), Problem> {
    // Because loads are sorted by address, what is below `high` and not below the next load's
    // start belongs to the load that `high` is the end of.
    let mut high = 0;
    let mut owner = 0;
    for load in loads {
        let bytes = file.slice(load.header.offset, load.header.file_size, "a segment")?;
        let both = high.min(load.end()).saturating_sub(load.start());
        for (address, offset) in (load.start()..).zip(0..both) {
            let byte = bytes.get(offset as usize).copied().unwrap_or(0);
            if read(segments, address.wrapping_add(bias)) != byte {
                let at = GuestVirtual(address);
                return Err(Problem::SegmentsOverlap { first: owner, second: load.index, at });
            }
        }
        write(segments, load.start().wrapping_add(bias), bytes);
        if load.end() > high {
            (high, owner) = (load.end(), load.index);
        }
    }
    Ok(())
}

fn find(segments: &[Segment], address: u64) -> Option<(usize, usize)> {
    let after = segments.partition_point(|segment| segment.start.0 <= address);
    let index = after.checked_sub(1)?;
    let offset = address - segments[index].start.0;
    (offset < segments[index].size).then_some((index, offset as usize))
}

/// The byte at an address, 0 where nothing is.
pub(super) fn read(segments: &[Segment], address: u64) -> u8 {
    find(segments, address)
        .and_then(|(index, offset)| segments[index].bytes.get(offset).copied())
        .unwrap_or(0)
}

/// Stores bytes at an address, across segments if they are neighbours. Says whether all of
/// them had a place.
pub(super) fn write(segments: &mut [Segment], mut address: u64, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let Some((index, offset)) = find(segments, address) else {
            return false;
        };
        let segment = &mut segments[index];
        let (now, later) = bytes.split_at(bytes.len().min(segment.size as usize - offset));
        if segment.bytes.len() < offset + now.len() {
            segment.bytes.resize(offset + now.len(), 0);
        }
        segment.bytes[offset..offset + now.len()].copy_from_slice(now);
        address += now.len() as u64;
        bytes = later;
    }
    true
}

fn all_symbols(file: &File<'_>, bias: u64) -> Vec<Symbol> {
    let mut symbols: Vec<_> = file
        .symbols
        .iter()
        .filter(|symbol| symbol.kind != elf::STT_TLS)
        .filter_map(|symbol| {
            let bias = if symbol.home == Home::Absolute { 0 } else { bias };
            Symbol::at(symbol, symbol.value.wrapping_add(bias))
        })
        .collect();
    symbols::sort(&mut symbols);
    symbols
}

/// The entry point. It need not be in executable memory: to start there is the domain's own
/// fault, at run time. Nothing if the field is zero and nothing is there, as in libraries.
fn entry(
    file: &File<'_>,
    bias: u64,
    segments: &[Segment],
) -> Result<Option<GuestVirtual>, Problem> {
    let address = file.entry.wrapping_add(bias);
    if file.entry == 0 && find(segments, address).is_none_or(|_| bias != 0) {
        return Ok(None);
    }
    if address >= LOWER_HALF_END {
        let why = format!("the entry point {} is not in the lower half", GuestVirtual(address));
        return Err(Problem::malformed("the ELF header", why));
    }
    Ok(Some(GuestVirtual(address)))
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use object::elf::{self, ProgramFlags};

    use super::super::samples::{Part, executable, link_all, problem};
    use super::super::{Image, Kind, Problem};
    use crate::address::GuestVirtual;
    use crate::rights::Rights;

    const R: ProgramFlags = elf::PF_R;
    const W: ProgramFlags = elf::PF_W;
    const X: ProgramFlags = elf::PF_X;
    const NONE: ProgramFlags = ProgramFlags(0);

    fn load(parts: &[Part]) -> Image {
        link_all(&[&executable(elf::ET_EXEC, 0x40_0000, parts)]).unwrap().images.remove(0)
    }

    fn refused(parts: &[Part]) -> Problem {
        problem(&executable(elf::ET_EXEC, 0x40_0000, parts))
    }

    fn runs(image: &Image) -> Vec<(u64, u64, Rights)> {
        image.segments.iter().map(|s| (s.start.0, s.size, s.rights)).collect()
    }

    #[test]
    fn every_segment_is_at_its_own_addresses_with_its_own_rights() {
        let mut data = Part::load(W, 0x7fff_ffff_0010, &[1, 2]);
        data.memory_size = 0x1ff0;
        let image = load(&[
            Part::load(X, 0x40_0ffe, &[0x90, 0x90, 0xc3]),
            Part::load(NONE, 0x50_0000, &[9]),
            data,
            Part::load(R, 0, &[7]),
        ]);
        assert_eq!(
            runs(&image),
            [
                (0, 0x1000, Rights::READ),
                (0x40_0000, 0x2000, Rights::READ_EXECUTE),
                (0x50_0000, 0x1000, Rights::NONE),
                (0x7fff_ffff_0000, 0x2000, Rights::READ_WRITE),
            ]
        );
        assert_eq!(image.segments[1].bytes[0xffe..], [0x90, 0x90, 0xc3]);
        assert_eq!(image.segments[3].bytes[0x10..], [1, 2]);
        assert_eq!((image.kind, image.entry), (Kind::Executable, Some(GuestVirtual(0x40_0000))));
    }

    #[test]
    fn a_shared_page_has_the_rights_of_both() {
        let image =
            load(&[Part::load(R, 0x1000, &[1; 0x1800]), Part::load(R | W, 0x2800, &[2; 0x1000])]);
        assert_eq!(
            runs(&image),
            [
                (0x1000, 0x1000, Rights::READ),
                (0x2000, 0x1000, Rights::READ_WRITE),
                (0x3000, 0x1000, Rights::READ_WRITE),
            ]
        );
        assert_eq!(image.segments[1].label, "load 0 1");
        assert_eq!(image.segments[1].bytes, [[1; 0x800], [2; 0x800]].concat());
        let found = refused(&[Part::load(R | X, 0x1000, &[1; 8]), Part::load(W, 0x1800, &[2; 8])]);
        let text = format!("{found}");
        assert!(matches!(found, Problem::WritableCode { .. }), "{text}");
        assert!(
            text.contains("the page at 0x1000, which segment 1 writes and segment 0"),
            "{text}"
        );
    }

    #[test]
    fn a_segment_that_is_writable_code_is_refused() {
        let text = format!("{}", refused(&[Part::load(R | W | X, 0x40_0000, &[1])]));
        assert!(text.contains("segment 0 at 0x400000 is both"), "{text}");
        assert!(text.contains("-z separate-code"), "{text}");
    }

    #[test]
    fn segments_may_overlap_only_with_equal_bytes() {
        let first = Part::load(R, 0x1000, &[5; 0x100]);
        let same = Part::load(R, 0x1080, &[5; 0x100]);
        assert_eq!(load(&[first.clone(), same]).segments[0].bytes, [5; 0x180]);
        let other = Part::load(R, 0x1080, &[6; 0x100]);
        let at = GuestVirtual(0x1080);
        assert_eq!(
            refused(&[first.clone(), other]),
            Problem::SegmentsOverlap { first: 0, second: 1, at }
        );
        let mut zeros = Part::load(R, 0x10ff, &[5]);
        zeros.memory_size = 0x20;
        assert_eq!(load(&[first, zeros]).segments[0].bytes, [5; 0x100]);
    }

    #[test]
    fn impossible_sizes_and_places_are_refused() {
        let mut short = Part::load(R, 0x1000, &[1; 16]);
        short.memory_size = 8;
        assert!(matches!(refused(&[short]), Problem::BadSegment { index: 0, .. }));
        for address in [0x7fff_ffff_ffff, 1 << 47, 0xffff_8000_0000_0000, u64::MAX] {
            let found = refused(&[Part::load(R, address, &[1; 2])]);
            assert!(matches!(found, Problem::BadSegment { .. }), "{address:#x}: {found}");
        }
        assert!(matches!(refused(&[]), Problem::Malformed { .. }));
        let code = Part::load(X, 0x1000, &[1]);
        let file = executable(elf::ET_EXEC, 1 << 47, &[code]);
        assert!(format!("{}", problem(&file)).contains("entry point"));
    }

    #[test]
    fn a_dynamic_executable_is_refused_with_the_remedy() {
        let mut interpreter = Part::load(R, 0x1000, b"/lib64/ld.so\0");
        interpreter.kind = elf::PT_INTERP;
        let text = format!("{}", refused(&[interpreter]));
        assert!(text.contains("needs the interpreter /lib64/ld.so"), "{text}");
        assert!(text.contains("-static"), "{text}");
    }
}
