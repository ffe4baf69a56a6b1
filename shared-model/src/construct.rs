//! What a domain looks like before its first instruction: every page with its place, rights
//! and bytes, and the state of its processor. Pure: nothing is allocated from a backend here,
//! so the result is the same for all of them.

use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

use crate::abi::{boot_info, thread_area};
use crate::address::{GuestPhysical, GuestVirtual, PAGE_SIZE};
use crate::boot;
use crate::layout::{self, STACK_PAGES, SystemBlock, THREADS_MAX, ThreadPlaces};
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
    /// The arguments of further threads are larger than their room.
    #[error("the arguments of further threads need more than {} KiB", layout::MORE_ARGUMENTS_SIZE >> 10)]
    MoreArguments,
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

/// What the threads of a domain have in common.
#[derive(Debug, Clone, Copy)]
pub struct Home {
    /// Where the microkernel's own addresses are.
    pub block: SystemBlock,
    /// The top-level page table.
    pub page_table_root: GuestPhysical,
    /// The boot information's guest-physical page.
    pub boot_info: GuestPhysical,
    /// Bytes of the room for further threads' arguments that are taken.
    pub more_arguments: u64,
}

/// A domain, ready to be put on a backend.
#[derive(Debug)]
pub struct Blueprint {
    /// What its threads have in common.
    pub home: Home,
    /// All its pages, in the order in which they get their frames.
    pub pages: Vec<PlannedPage>,
    /// The initial thread's processor.
    pub system: SystemRegisters,
    /// Where the initial thread's pages are.
    pub places: ThreadPlaces,
    /// The UTCB's guest-physical page.
    pub utcb: GuestPhysical,
    /// The arguments of the call.
    pub arguments: Vec<PlacedArgument>,
}

/// A thread, ready to be put into a domain.
#[derive(Debug)]
pub struct ThreadPlan {
    /// The pages of its area.
    pub pages: Vec<PlannedPage>,
    /// Its processor.
    pub system: SystemRegisters,
    /// Where its pages are.
    pub places: ThreadPlaces,
}

/// Plans a domain that runs `program`, with `arguments` for its initial thread's last call.
///
/// # Errors
/// See [`ConstructError`].
pub fn blueprint(program: &Program, arguments: &[Argument]) -> Result<Blueprint, ConstructError> {
    let segments = || program.images.iter().flat_map(|image| &image.segments);
    let taken: Vec<_> = segments().map(|segment| (segment.start, segment.size)).collect();
    let block = SystemBlock::place(&taken).ok_or(ConstructError::NoRoom)?;
    let mut plan = Plan::new()?;

    plan.windows(block)?;
    plan.add(block.descriptors(), Rights::READ, boot::gdt().to_vec())?;
    let (idt, gates) = tables(block);
    plan.add(idt, Rights::READ, boot::idt(gates).to_vec())?;
    plan.add(gates, Rights::READ_EXECUTE, boot::gates().to_vec())?;
    let format = boot_info::VERSION.to_le_bytes().to_vec();
    let boot_info = plan.add(block.boot_info(), Rights::READ, format)?;
    plan.rooms(block)?;

    for segment in segments() {
        let rights = segment.rights.for_mapping();
        plan.add_range(segment.start, segment.size / PAGE_SIZE, rights, &segment.bytes)?;
    }
    let arguments = plan.arguments(block, arguments)?;
    let page_table_root = plan.tables.root();
    let home = Home { block, page_table_root, boot_info, more_arguments: 0 };
    let ThreadPlan { pages, system, places } = home.thread(0);
    plan.pages.extend(pages);
    let (pages, utcb) = (plan.finish(), places.utcb_page());
    Ok(Blueprint { home, pages, system, places, utcb, arguments })
}

/// The addresses of the interrupt descriptor table and of the gates.
const fn tables(block: SystemBlock) -> (GuestVirtual, GuestVirtual) {
    let descriptors = block.descriptors().0;
    (GuestVirtual(descriptors + 0x1000), GuestVirtual(descriptors + 0x2000))
}

impl Home {
    /// Plans the domain's `index`-th thread. The page tables know its area from the start.
    pub fn thread(&self, index: u32) -> ThreadPlan {
        let places = self.block.thread(index);
        let (idt, gates) = tables(self.block);
        let exception_top = GuestVirtual(places.exception_stack().0 + PAGE_SIZE);
        let page = |at, rights, bytes| PlannedPage { at, rights, bytes };
        let mut pages = alloc::vec![
            page(places.utcb_page(), Rights::READ_WRITE, Vec::new()),
            page(places.area_page(), Rights::READ_WRITE, self.area(index)),
            page(places.task_page(), Rights::READ, boot::task(exception_top).to_vec()),
            page(places.exception_page(), Rights::READ_WRITE, Vec::new()),
        ];
        pages.extend((0..STACK_PAGES).map(|i| {
            let at = GuestPhysical(places.stack_page().0 + i * PAGE_SIZE);
            page(at, Rights::READ_WRITE, Vec::new())
        }));
        let system = SystemRegisters {
            page_table_root: self.page_table_root,
            gs_base: places.area(),
            gdt: self.block.descriptors(),
            idt,
            task: places.task(),
            gates,
            exception_stack: places.exception_page(),
        };
        ThreadPlan { pages, system, places }
    }

    /// The first bytes of a thread's area: see [`thread_area`].
    fn area(&self, index: u32) -> Vec<u8> {
        let (block, places) = (self.block, self.block.thread(index));
        let words = [
            (thread_area::UTCB, places.utcb().0),
            (thread_area::DATA_WINDOW, block.data_window().0),
            (thread_area::CODE_WINDOW, block.code_window().0),
            (thread_area::THREAD, index.into()),
            (thread_area::BOOT_INFO, block.boot_info().0),
            (thread_area::STACK_CANARY, thread_area::CANARY_VALUE),
            (thread_area::SELF, places.area().0),
        ];
        let mut bytes = alloc::vec![0; thread_area::FREE];
        for (offset, word) in words {
            bytes[offset..offset + 8].copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Places the arguments of a further thread's call in what is left of their room, and says
    /// which pages that takes.
    ///
    /// # Errors
    /// See [`ConstructError`]; no room is taken then.
    pub fn place_arguments(
        &mut self,
        arguments: &[Argument],
    ) -> Result<(Vec<PlacedArgument>, Vec<PlannedPage>), ConstructError> {
        let left = layout::MORE_ARGUMENTS_SIZE - self.more_arguments;
        let (laid, size) = lay_out(arguments, left, ConstructError::MoreArguments)?;
        let mut pages = Vec::new();
        let placed = laid.into_iter().map(|laid| match laid {
            Laid::Value(value) => PlacedArgument { value, output: None },
            Laid::Buffer(buffer) => {
                let offset = self.more_arguments + buffer.offset;
                let start = GuestPhysical(layout::MORE_ARGUMENTS.0 + offset);
                pages.extend(pages_of(start, buffer.pages, Rights::READ_WRITE, &buffer.bytes));
                buffer.placed(GuestVirtual(self.block.more_arguments().0 + offset), start)
            }
        });
        let placed = placed.collect();
        self.more_arguments += size;
        Ok((placed, pages))
    }
}

/// An argument before placing.
enum Laid {
    Value(u64),
    Buffer(Buffer),
}

/// Where an argument's bytes go, from the start of the room for them.
struct Buffer {
    offset: u64,
    pages: u64,
    bytes: Vec<u8>,
    length: u64,
    is_output: bool,
}

impl Buffer {
    fn placed(&self, value: GuestVirtual, start: GuestPhysical) -> PlacedArgument {
        let output = self.is_output.then_some((start, self.length));
        PlacedArgument { value: value.0, output }
    }
}

/// Lays arguments out, each on pages of its own with an unmapped page behind, so that running off
/// the end is a fault. Returns the bytes that they take as well.
fn lay_out(
    arguments: &[Argument],
    room: u64,
    full: ConstructError,
) -> Result<(Vec<Laid>, u64), ConstructError> {
    if arguments.len() > ARGUMENTS_MAX {
        return Err(ConstructError::TooMany(arguments.len()));
    }
    let mut offset: u64 = 0;
    let mut laid = Vec::new();
    for (number, argument) in arguments.iter().enumerate() {
        let (bytes, length) = match argument {
            Argument::Unsigned(value) => {
                laid.push(Laid::Value(*value));
                continue;
            }
            Argument::Signed(value) => {
                laid.push(Laid::Value(value.cast_unsigned()));
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
        let size = pages.checked_add(1).and_then(|pages| pages.checked_mul(PAGE_SIZE));
        let end = size.and_then(|size| offset.checked_add(size)).filter(|&end| end <= room);
        let Some(end) = end else { return Err(full) };
        let is_output = matches!(argument, Argument::Buffer { .. });
        laid.push(Laid::Buffer(Buffer { offset, pages, bytes, length, is_output }));
        offset = end;
    }
    Ok((laid, offset))
}

/// Consecutive pages that begin with `bytes`.
fn pages_of(
    start: GuestPhysical,
    pages: u64,
    rights: Rights,
    bytes: &[u8],
) -> impl Iterator<Item = PlannedPage> {
    let mut chunks = bytes.chunks(PAGE_SIZE as usize);
    (0..pages).map(move |i| PlannedPage {
        at: GuestPhysical(start.0 + i * PAGE_SIZE),
        rights,
        bytes: chunks.next().unwrap_or_default().to_vec(),
    })
}

struct Plan {
    room: PhysicalRoom,
    tables: PageTables,
    pages: Vec<PlannedPage>,
}

impl Plan {
    fn new() -> Result<Self, ConstructError> {
        let mut room = PhysicalRoom::new(layout::PHYSICAL_FIRST, layout::MORE_ARGUMENTS);
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

    /// What appears later has its entries from the start: the areas of all threads, and the
    /// arguments of further ones.
    fn rooms(&mut self, block: SystemBlock) -> Result<(), ConstructError> {
        for index in 0..THREADS_MAX {
            let places = block.thread(index);
            let areas = [
                (places.utcb(), places.utcb_page(), 1, Rights::READ_WRITE),
                (places.area(), places.area_page(), 1, Rights::READ_WRITE),
                (places.task(), places.task_page(), 1, Rights::READ),
                (places.exception_stack(), places.exception_page(), 1, Rights::READ_WRITE),
                (places.stack(), places.stack_page(), STACK_PAGES, Rights::READ_WRITE),
            ];
            for (from, to, pages, rights) in areas {
                self.tables.map_range(&mut self.room, from, to, pages, rights)?;
            }
        }
        let (from, to) = (block.more_arguments(), layout::MORE_ARGUMENTS);
        let pages = layout::MORE_ARGUMENTS_SIZE / PAGE_SIZE;
        self.tables.map_range(&mut self.room, from, to, pages, Rights::READ_WRITE)?;
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
        self.pages.extend(pages_of(to, pages, mapped, bytes));
        Ok(to)
    }

    fn arguments(
        &mut self,
        block: SystemBlock,
        arguments: &[Argument],
    ) -> Result<Vec<PlacedArgument>, ConstructError> {
        let room = SystemBlock::ARGUMENTS_SIZE;
        let (laid, _) = lay_out(arguments, room, ConstructError::Arguments)?;
        let place = |laid| match laid {
            Laid::Value(value) => Ok(PlacedArgument { value, output: None }),
            Laid::Buffer(buffer) => {
                let at = GuestVirtual(block.arguments().0 + buffer.offset);
                let start = self.add_range(at, buffer.pages, Rights::READ_WRITE, &buffer.bytes)?;
                Ok(buffer.placed(at, start))
            }
        };
        laid.into_iter().map(place).collect()
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
    use crate::address::{GuestPhysical, GuestVirtual};
    use crate::layout::{self, SystemBlock, THREADS_MAX};
    use crate::loader::Program;
    use crate::paging;
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
    fn every_thread_finds_its_area_through_the_tables() {
        let plan = blueprint(&empty(), &[]).unwrap();
        let table = |at: GuestPhysical| plan.pages.iter().find(|page| page.at == at);
        let entry = |at: GuestPhysical| {
            let bytes = table(at.page())?.bytes.get(at.page_offset()..)?.first_chunk()?;
            Some(u64::from_le_bytes(*bytes))
        };
        let root = plan.home.page_table_root;
        let lookup = |address| paging::walk(root, address, entry).ok();
        for index in 0..THREADS_MAX {
            let thread = plan.home.thread(index);
            let places = thread.places;
            let pages = [
                (places.utcb(), places.utcb_page(), Rights::READ_WRITE),
                (places.area(), places.area_page(), Rights::READ_WRITE),
                (places.task(), places.task_page(), Rights::READ),
                (places.exception_stack(), places.exception_page(), Rights::READ_WRITE),
                (places.stack(), places.stack_page(), Rights::READ_WRITE),
            ];
            for (from, to, rights) in pages {
                let found = lookup(from).unwrap();
                assert_eq!((found.address, found.rights), (to, rights));
                let planned = thread.pages.iter().find(|page| page.at == to).unwrap();
                assert_eq!(planned.rights, rights);
                assert_eq!(table(to).is_some(), index == 0, "only the first thread's are there");
            }
            for gap in [places.stack().0 - 1, places.stack_top().0, places.utcb().0 - 1] {
                assert_eq!(lookup(GuestVirtual(gap)), None);
            }
        }
        let leaves = plan.pages.iter().filter(|page| page.bytes.len() == 4096).count();
        assert!(leaves < 20, "{leaves} full pages");
    }

    #[test]
    fn arguments_of_further_threads_continue_where_the_last_ended() {
        let mut home = blueprint(&empty(), &[]).unwrap().home;
        let first = [Argument::Unsigned(7), Argument::Text { text: "hi".into() }];
        let (placed, pages) = home.place_arguments(&first).unwrap();
        let start = home.block.more_arguments().0;
        assert_eq!((placed[0].value, placed[1].value), (7, start));
        assert_eq!((pages.len(), &*pages[0].bytes), (1, &b"hi\0"[..]));
        let (placed, pages) = home.place_arguments(&[Argument::Buffer { buffer: 5000 }]).unwrap();
        assert_eq!(placed[0].value, start + 0x2000);
        let there = GuestPhysical(layout::MORE_ARGUMENTS.0 + 0x2000);
        assert_eq!((placed[0].output, pages.len()), (Some((there, 5000)), 2));
        let all = Argument::Buffer { buffer: layout::MORE_ARGUMENTS_SIZE - 0x5000 };
        let before = home.more_arguments;
        assert_eq!(home.place_arguments(&[all]).err(), Some(ConstructError::MoreArguments));
        assert_eq!(home.more_arguments, before);
        let rest = Argument::Buffer { buffer: layout::MORE_ARGUMENTS_SIZE - 0x6000 };
        assert!(home.place_arguments(&[rest]).is_ok());
    }

    #[test]
    fn arguments_that_do_not_fit_are_refused() {
        for buffer in [SystemBlock::ARGUMENTS_SIZE, u64::MAX] {
            let result = blueprint(&empty(), &[Argument::Buffer { buffer }]);
            assert_eq!(result.err(), Some(ConstructError::Arguments));
        }
    }
}
