//! What a domain looks like before its first instruction: every page with its place, rights
//! and bytes, and the state of its processor. Pure: nothing is allocated from a backend here,
//! so the result is the same for all of them.

use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

use crate::abi::thread_area;
use crate::address::{GuestPhysical, GuestVirtual, PAGE_SIZE};
use crate::boot;
use crate::layout::{self, STACK_PAGES, SystemBlock, ThreadPlaces};
use crate::loader::Program;
use crate::paging::{PageTables, PagingError, PhysicalRoom};
use crate::registers::SystemRegisters;
use crate::rights::Rights;
use crate::world::Argument;

/// Arguments that a call can have: all but the first six take 8 bytes each of the thread's stack,
/// which must have room for more than them.
pub const ARGUMENTS_MAX: usize = 256;

/// Why a domain cannot be built from a program.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConstructError {
    /// The program leaves no room for the system block.
    #[error("the program's segments leave no free gibibyte below 0x800000000000")]
    NoRoom,
    /// Page tables could not be built.
    #[error("{0}")]
    Paging(#[from] PagingError),
    /// The arguments are larger than their room.
    #[error("the arguments need more than {} MiB", SystemBlock::ARGUMENTS_SIZE >> 20)]
    Arguments,
    /// There are more than a call can have.
    #[error("{0} arguments; a function is given at most {ARGUMENTS_MAX}")]
    TooMany(usize),
    /// An argument is not what it says.
    #[error("argument {0} is not pairs of hexadecimal digits")]
    NotHex(usize),
}

/// A page of a domain under construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedPage {
    /// Where it is.
    pub at: GuestPhysical,
    /// What its mapping allows.
    pub rights: Rights,
    /// Its first bytes; the rest is zero.
    pub bytes: Vec<u8>,
}

/// An argument of the call, after placing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedArgument {
    /// What the function receives: the integer, or the address.
    pub value: u64,
    /// For an output buffer, where it is in guest-physical space and its length.
    pub output: Option<(GuestPhysical, u64)>,
}

/// A domain, ready to be put on a backend.
#[derive(Debug)]
pub struct Blueprint {
    /// All its pages, in the order in which they get their frames.
    pub pages: Vec<PlannedPage>,
    /// The initial thread's processor.
    pub system: SystemRegisters,
    /// Where the initial thread's pages are.
    pub places: ThreadPlaces,
    /// The UTCB's guest-physical page.
    pub utcb: GuestPhysical,
    /// The guest-physical address of the stack's lowest page; the pages above follow it.
    pub stack: GuestPhysical,
    /// The arguments of the call.
    pub arguments: Vec<PlacedArgument>,
}

/// Plans a domain that runs `program`, with `arguments` for its last call.
///
/// # Errors
/// See [`ConstructError`].
pub fn blueprint(program: &Program, arguments: &[Argument]) -> Result<Blueprint, ConstructError> {
    let segments = || program.images.iter().flat_map(|image| &image.segments);
    let taken: Vec<_> = segments().map(|segment| (segment.start, segment.size)).collect();
    let block = SystemBlock::place(&taken).ok_or(ConstructError::NoRoom)?;
    if arguments.len() > ARGUMENTS_MAX {
        return Err(ConstructError::TooMany(arguments.len()));
    }
    let mut plan = Plan::new()?;

    plan.windows(block)?;
    let descriptors = block.descriptors();
    let gates = GuestVirtual(descriptors.0 + 0x2000);
    let idt = GuestVirtual(descriptors.0 + 0x1000);
    plan.add(descriptors, Rights::READ, boot::gdt().to_vec())?;
    plan.add(idt, Rights::READ, boot::idt(gates).to_vec())?;
    plan.add(gates, Rights::READ_EXECUTE, boot::gates().to_vec())?;

    let places = block.thread(0);
    let exception_top = GuestVirtual(places.exception_stack().0 + PAGE_SIZE);
    plan.add(places.task(), Rights::READ, boot::task(exception_top).to_vec())?;
    let exception_stack = plan.add(places.exception_stack(), Rights::READ_WRITE, Vec::new())?;
    let utcb = plan.add(places.utcb(), Rights::READ_WRITE, Vec::new())?;
    plan.add(places.area(), Rights::READ_WRITE, area(block, places))?;
    let stack = plan.add_range(places.stack(), STACK_PAGES, Rights::READ_WRITE, &[])?;

    for segment in segments() {
        let rights = segment.rights.for_mapping();
        plan.add_range(segment.start, segment.size / PAGE_SIZE, rights, &segment.bytes)?;
    }
    let arguments = plan.arguments(block, arguments)?;
    let system = SystemRegisters {
        page_table_root: plan.tables.root(),
        gs_base: places.area(),
        gdt: descriptors,
        idt,
        task: places.task(),
        gates,
        exception_stack,
    };
    Ok(Blueprint { pages: plan.finish(), system, places, utcb, stack, arguments })
}

/// The first bytes of a thread's area: see [`thread_area`].
fn area(block: SystemBlock, places: ThreadPlaces) -> Vec<u8> {
    let words = [
        (thread_area::UTCB, places.utcb().0),
        (thread_area::DATA_WINDOW, block.data_window().0),
        (thread_area::CODE_WINDOW, block.code_window().0),
        (thread_area::THREAD, 0),
        (thread_area::STACK_CANARY, thread_area::CANARY_VALUE),
        (thread_area::SELF, places.area().0),
    ];
    let mut bytes = alloc::vec![0; thread_area::FREE];
    for (offset, word) in words {
        bytes[offset..offset + 8].copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

struct Plan {
    room: PhysicalRoom,
    tables: PageTables,
    pages: Vec<PlannedPage>,
}

impl Plan {
    fn new() -> Result<Self, ConstructError> {
        let mut room = PhysicalRoom::new(layout::PHYSICAL_FIRST, layout::DATA_WINDOW);
        let tables = PageTables::new(&mut room)?;
        Ok(Self { room, tables, pages: Vec::new() })
    }

    fn windows(&mut self, block: SystemBlock) -> Result<(), ConstructError> {
        use layout::{CODE_WINDOW, CODE_WINDOW_SIZE, DATA_WINDOW, DATA_WINDOW_SIZE};
        let windows = [
            (block.data_window(), DATA_WINDOW, DATA_WINDOW_SIZE, Rights::READ_WRITE),
            (block.code_window(), CODE_WINDOW, CODE_WINDOW_SIZE, Rights::READ_EXECUTE),
        ];
        for (from, to, size, rights) in windows {
            self.tables.map_large(&mut self.room, from, to, size, rights)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        at: GuestVirtual,
        rights: Rights,
        bytes: Vec<u8>,
    ) -> Result<GuestPhysical, ConstructError> {
        self.add_range(at, 1, rights, &bytes)
    }

    /// Adds consecutive pages and returns the guest-physical address of the first.
    fn add_range(
        &mut self,
        at: GuestVirtual,
        pages: u64,
        rights: Rights,
        bytes: &[u8],
    ) -> Result<GuestPhysical, ConstructError> {
        let to = self.room.take(pages).ok_or(PagingError::Full)?;
        self.tables.map_range(&mut self.room, at, to, pages, rights)?;
        // A page that nothing may touch has no entry in the domain's tables; below them it is
        // an ordinary read-only page.
        let mapped = if rights.is_empty() { Rights::READ } else { rights };
        let mut chunks = bytes.chunks(PAGE_SIZE as usize);
        self.pages.extend((0..pages).map(|i| PlannedPage {
            at: GuestPhysical(to.0 + i * PAGE_SIZE),
            rights: mapped,
            bytes: chunks.next().unwrap_or_default().to_vec(),
        }));
        Ok(to)
    }

    /// Places arguments, each on pages of its own with an unmapped page behind, so that
    /// running off the end is a fault.
    fn arguments(
        &mut self,
        block: SystemBlock,
        arguments: &[Argument],
    ) -> Result<Vec<PlacedArgument>, ConstructError> {
        let start = block.arguments();
        let mut next = start;
        let mut placed = Vec::new();
        for (number, argument) in arguments.iter().enumerate() {
            let (bytes, length) = match argument {
                Argument::Unsigned(value) => {
                    placed.push(PlacedArgument { value: *value, output: None });
                    continue;
                }
                Argument::Signed(value) => {
                    let value = value.cast_unsigned();
                    placed.push(PlacedArgument { value, output: None });
                    continue;
                }
                Argument::Text { text } => (with_zero(text), text.len() as u64 + 1),
                Argument::Bytes { hex } => {
                    let bytes = crate::hex::decode(hex).ok_or(ConstructError::NotHex(number))?;
                    let length = bytes.len() as u64;
                    (bytes, length)
                }
                Argument::Buffer { buffer } => (Vec::new(), *buffer),
            };
            let pages = length.div_ceil(PAGE_SIZE).max(1);
            let end = pages.checked_add(1).and_then(|pages| pages.checked_mul(PAGE_SIZE));
            let end =
                end.and_then(|size| next.checked_add(size)).ok_or(ConstructError::Arguments)?;
            if end.0 - start.0 > SystemBlock::ARGUMENTS_SIZE {
                return Err(ConstructError::Arguments);
            }
            let physical = self.add_range(next, pages, Rights::READ_WRITE, &bytes)?;
            let output = matches!(argument, Argument::Buffer { .. }).then_some((physical, length));
            placed.push(PlacedArgument { value: next.0, output });
            next = end;
        }
        Ok(placed)
    }

    /// All pages, the tables' own among them.
    fn finish(self) -> Vec<PlannedPage> {
        let Self { tables, mut pages, .. } = self;
        pages.extend(tables.pages().map(|(at, table)| PlannedPage {
            at,
            rights: Rights::READ,
            bytes: table.iter().flat_map(|entry| entry.to_le_bytes()).collect(),
        }));
        pages.sort_by_key(|page| page.at);
        pages
    }
}

fn with_zero(text: &str) -> Vec<u8> {
    let mut bytes = Vec::from(String::from(text));
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::{ConstructError, blueprint};
    use crate::address::GuestPhysical;
    use crate::layout::{self, SystemBlock};
    use crate::loader::Program;
    use crate::rights::Rights;
    use crate::world::Argument;
    use alloc::vec::Vec;

    fn empty() -> Program {
        Program { images: Vec::new(), unprovided: Vec::new() }
    }

    #[test]
    fn pages_are_distinct_below_the_windows_and_never_writable_code() {
        let plan = blueprint(&empty(), &[Argument::Text { text: "hi".into() }]).unwrap();
        let mut last = GuestPhysical(0);
        for page in &plan.pages {
            assert!(page.at > last && page.at < layout::DATA_WINDOW, "{:?}", page.at);
            assert!(page.rights.contains(Rights::READ) && !page.rights.is_writable_code());
            last = page.at;
        }
        let text = plan.pages.iter().find(|page| page.bytes == b"hi\0").unwrap();
        assert_eq!(text.rights, Rights::READ_WRITE);
        let block = SystemBlock::place(&[]).unwrap();
        assert_eq!(plan.arguments[0].value, block.arguments().0);
    }

    #[test]
    fn arguments_that_do_not_fit_are_refused() {
        for buffer in [SystemBlock::ARGUMENTS_SIZE, u64::MAX] {
            let result = blueprint(&empty(), &[Argument::Buffer { buffer }]);
            assert_eq!(result.err(), Some(ConstructError::Arguments));
        }
    }
}
