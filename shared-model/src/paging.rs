//! The domain's own page tables: built once, before it starts, and walked afterwards by
//! whoever needs to know where an address leads.
//!
//! Every entry has its accessed and dirty bits set from the start, so that no walker ever
//! writes one and the tables' digest is the same on every backend. They are mapped read-only
//! in guest-physical space and nowhere in guest-virtual space.
//!
//! Formats: Intel SDM vol. 3, 4.5.

use alloc::boxed::Box;
use alloc::vec::Vec;

use thiserror::Error;

use crate::address::{GuestPhysical, GuestVirtual, PAGE_SIZE};
use crate::rights::Rights;

/// The entry is valid.
pub const PRESENT: u64 = 1 << 0;
/// Writes are allowed.
pub const WRITABLE: u64 = 1 << 1;
/// Level 3 may use it.
pub const USER: u64 = 1 << 2;
/// Set by a processor that has used the entry.
pub const ACCESSED: u64 = 1 << 5;
/// Set by a processor that has written through the entry.
pub const DIRTY: u64 = 1 << 6;
/// In a level-2 entry: it maps 2 MiB rather than leading to a table.
pub const LARGE: u64 = 1 << 7;
/// Instruction fetches are refused.
pub const NO_EXECUTE: u64 = 1 << 63;
/// The bits of an entry that hold the address.
pub const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Bytes that a level-2 entry maps when it is a leaf.
pub const LARGE_PAGE_SIZE: u64 = 2 << 20;

/// Why the builder refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PagingError {
    /// The address has an entry already.
    #[error("guest-virtual {0} is mapped already")]
    Exists(GuestVirtual),
    /// No guest-physical page is left for another table.
    #[error("no guest-physical room for the page tables")]
    Full,
    /// An address is not on the boundary its page size demands, or not canonical.
    #[error("guest-virtual {0} is not canonical or not aligned")]
    Misaligned(GuestVirtual),
    /// The mapping would allow writing code.
    #[error("guest-virtual {0} would be writable and executable")]
    WritableCode(GuestVirtual),
}

/// Hands out guest-physical pages, upwards.
#[derive(Clone, Debug)]
pub struct PhysicalRoom {
    next: GuestPhysical,
    end: GuestPhysical,
}

impl PhysicalRoom {
    /// The pages from `start` to just below `end`, both page-aligned.
    pub const fn new(start: GuestPhysical, end: GuestPhysical) -> Self {
        Self { next: start, end }
    }

    /// The next `pages` pages, or nothing if so many are not left.
    pub fn take(&mut self, pages: u64) -> Option<GuestPhysical> {
        let start = self.next;
        let next = start.checked_add(pages.checked_mul(PAGE_SIZE)?)?;
        if next > self.end {
            return None;
        }
        self.next = next;
        Some(start)
    }
}

/// One table: 512 entries.
pub type Table = Box<[u64; 512]>;

/// Page tables under construction.
#[derive(Debug)]
pub struct PageTables {
    tables: Vec<(GuestPhysical, Table)>,
}

impl PageTables {
    /// Four levels with nothing mapped.
    ///
    /// # Errors
    /// [`PagingError::Full`] if `room` has no page for the root.
    pub fn new(room: &mut PhysicalRoom) -> Result<Self, PagingError> {
        let mut tables = Self { tables: Vec::new() };
        tables.add(room)?;
        Ok(tables)
    }

    /// Where the top-level table will be: the value of CR3.
    pub fn root(&self) -> GuestPhysical {
        self.tables[0].0
    }

    /// All tables with the guest-physical pages they belong in, the root first.
    pub fn pages(&self) -> impl Iterator<Item = (GuestPhysical, &[u64; 512])> {
        self.tables.iter().map(|(address, table)| (*address, &**table))
    }

    /// Maps one 4 KiB page. [`Rights::NONE`] leaves it absent: the processor refuses
    /// every access.
    ///
    /// # Errors
    /// See [`PagingError`]; nothing is mapped then.
    pub fn map(
        &mut self,
        room: &mut PhysicalRoom,
        from: GuestVirtual,
        to: GuestPhysical,
        rights: Rights,
    ) -> Result<(), PagingError> {
        self.set(room, from, to, rights, 0, 0)
    }

    /// Maps `pages` consecutive 4 KiB pages. On a failure the pages before it stay mapped:
    /// a builder that failed is thrown away.
    ///
    /// # Errors
    /// See [`PagingError`].
    pub fn map_range(
        &mut self,
        room: &mut PhysicalRoom,
        from: GuestVirtual,
        to: GuestPhysical,
        pages: u64,
        rights: Rights,
    ) -> Result<(), PagingError> {
        (0..pages).map(|i| i * PAGE_SIZE).try_for_each(|offset| {
            let page = from.checked_add(offset).ok_or(PagingError::Misaligned(from))?;
            self.map(room, page, GuestPhysical(to.0 + offset), rights)
        })
    }

    /// Maps `size` bytes in 2 MiB pages; all three numbers are multiples of that.
    ///
    /// # Errors
    /// See [`PagingError`].
    pub fn map_large(
        &mut self,
        room: &mut PhysicalRoom,
        from: GuestVirtual,
        to: GuestPhysical,
        size: u64,
        rights: Rights,
    ) -> Result<(), PagingError> {
        (0..size / LARGE_PAGE_SIZE).map(|i| i * LARGE_PAGE_SIZE).try_for_each(|offset| {
            let page = GuestVirtual(from.0 + offset);
            self.set(room, page, GuestPhysical(to.0 + offset), rights, 1, LARGE)
        })
    }

    /// Where an address leads and with which rights.
    pub fn lookup(&self, address: GuestVirtual) -> Option<Translation> {
        walk(self.root(), address, |entry| {
            let (_, table) = self.tables.iter().find(|(page, _)| *page == entry.page())?;
            Some(table[entry.page_offset() / 8])
        })
        .ok()
    }

    fn set(
        &mut self,
        room: &mut PhysicalRoom,
        from: GuestVirtual,
        to: GuestPhysical,
        rights: Rights,
        leaf_level: u32,
        extra: u64,
    ) -> Result<(), PagingError> {
        let size = PAGE_SIZE << (9 * leaf_level);
        if !from.is_canonical() || !from.0.is_multiple_of(size) || !to.0.is_multiple_of(size) {
            return Err(PagingError::Misaligned(from));
        }
        if rights.is_writable_code() {
            return Err(PagingError::WritableCode(from));
        }
        if rights.for_mapping().is_empty() {
            return Ok(());
        }
        let mut table = 0;
        for level in (leaf_level + 1..4).rev() {
            let entry = self.tables[table].1[index(from, level)];
            table = if entry & PRESENT == 0 {
                let next = self.add(room)?;
                // Rights are the leaf's alone: an upper entry allows everything.
                let all = PRESENT | WRITABLE | USER | ACCESSED | DIRTY;
                self.tables[table].1[index(from, level)] = self.tables[next].0.0 | all & !DIRTY;
                next
            } else if entry & LARGE != 0 {
                return Err(PagingError::Exists(from));
            } else {
                self.position(GuestPhysical(entry & ADDRESS))
            };
        }
        let slot = &mut self.tables[table].1[index(from, leaf_level)];
        if *slot & PRESENT != 0 {
            return Err(PagingError::Exists(from));
        }
        let write = if rights.contains(Rights::WRITE) { WRITABLE } else { 0 };
        let fetch = if rights.contains(Rights::EXECUTE) { 0 } else { NO_EXECUTE };
        *slot = to.0 | PRESENT | USER | ACCESSED | DIRTY | write | fetch | extra;
        Ok(())
    }

    fn add(&mut self, room: &mut PhysicalRoom) -> Result<usize, PagingError> {
        let page = room.take(1).ok_or(PagingError::Full)?;
        self.tables.push((page, Box::new([0; 512])));
        Ok(self.tables.len() - 1)
    }

    fn position(&self, page: GuestPhysical) -> usize {
        // Tables come from one upward allocator, so they are in order.
        self.tables.binary_search_by_key(&page, |(page, _)| *page).expect("entries lead to tables")
    }
}

/// Which of a table's 512 entries an address uses at `level` (0 = the leaf table).
const fn index(address: GuestVirtual, level: u32) -> usize {
    (address.0 >> (12 + 9 * level)) as usize & 511
}

/// Where an address leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Translation {
    /// The guest-physical address, to the byte.
    pub address: GuestPhysical,
    /// What the entries on the way allow together.
    pub rights: Rights,
}

/// Why an address leads nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WalkError {
    /// An entry on the way is not present: a page fault.
    NotPresent,
    /// The entry itself, at this guest-physical address, could not be read.
    Unreadable(GuestPhysical),
}

/// Walks page tables of any origin. `read` yields the 8-byte entry at an address, or
/// nothing if that cannot be read.
///
/// # Errors
/// See [`WalkError`].
pub fn walk(
    root: GuestPhysical,
    address: GuestVirtual,
    mut read: impl FnMut(GuestPhysical) -> Option<u64>,
) -> Result<Translation, WalkError> {
    let mut table = root.0 & ADDRESS;
    let mut rights = Rights::READ_WRITE | Rights::EXECUTE;
    for level in (0..4).rev() {
        let place = GuestPhysical(table + index(address, level) as u64 * 8);
        let entry = read(place).ok_or(WalkError::Unreadable(place))?;
        if entry & PRESENT == 0 {
            return Err(WalkError::NotPresent);
        }
        if entry & WRITABLE == 0 {
            rights = rights & Rights::READ_EXECUTE;
        }
        if entry & NO_EXECUTE != 0 {
            rights = rights & Rights::READ_WRITE;
        }
        if entry & USER == 0 {
            rights = Rights::NONE;
        }
        let leaf = level == 0 || (level < 3 && entry & LARGE != 0);
        if leaf {
            let offset_mask = (PAGE_SIZE << (9 * level)) - 1;
            let page = entry & ADDRESS & !offset_mask;
            return Ok(Translation {
                address: GuestPhysical(page | address.0 & offset_mask),
                rights,
            });
        }
        table = entry & ADDRESS;
    }
    unreachable!("level 0 is a leaf")
}

#[cfg(test)]
mod tests {
    use super::{
        LARGE_PAGE_SIZE, PRESENT, PageTables, PagingError, PhysicalRoom, USER, WalkError, walk,
    };
    use crate::address::{GuestPhysical, GuestVirtual};
    use crate::rights::Rights;

    fn fresh() -> (PhysicalRoom, PageTables) {
        let mut room = PhysicalRoom::new(GuestPhysical(0x1000), GuestPhysical(0x10_0000));
        let tables = PageTables::new(&mut room).unwrap();
        (room, tables)
    }

    #[test]
    fn what_was_mapped_is_found_with_its_rights_and_nothing_else_is() {
        let (mut room, mut tables) = fresh();
        let (from, to) = (GuestVirtual(0x123_4000), GuestPhysical(0x567_8000));
        tables.map(&mut room, from, to, Rights::READ_EXECUTE).unwrap();
        let found = tables.lookup(GuestVirtual(0x123_4abc)).unwrap();
        assert_eq!(found.address, GuestPhysical(0x567_8abc));
        assert_eq!(found.rights, Rights::READ_EXECUTE);
        assert_eq!(tables.lookup(GuestVirtual(0x123_5000)), None);
        assert_eq!(tables.lookup(GuestVirtual(0x123_3fff)), None);
    }

    /// The original's lookups in a table of each level: the entry is the fourth, and it leads to
    /// guest-physical 0x1234000.
    #[test]
    fn entry_4_of_a_table_of_each_level_leads_where_it_says() {
        const TABLES: [u64; 4] = [0x1000, 0x2000, 0x3000, 0x4000];
        const TARGET: u64 = 0x123_4000;
        for level in 0..3 {
            let mut asked = None;
            let found = walk(GuestPhysical(TABLES[3]), GuestVirtual(4 << (12 + 9 * level)), |at| {
                let of = TABLES.iter().position(|&table| table == at.page().0);
                let Some(of) = of else {
                    asked = Some(at);
                    return None;
                };
                let entry = if of == level { 4 } else { 0 };
                let to = if of == level { TARGET } else { TABLES[of.checked_sub(1)?] };
                Some(if at.page_offset() == entry * 8 { to | PRESENT | USER } else { 0 })
            });
            match level {
                0 => assert_eq!(found.map(|found| found.address), Ok(GuestPhysical(TARGET))),
                _ => {
                    assert_eq!(found, Err(WalkError::Unreadable(GuestPhysical(TARGET))));
                    assert_eq!(asked, Some(GuestPhysical(TARGET)), "level {level}");
                }
            }
        }
    }

    #[test]
    fn two_pages_of_one_table_share_the_way_to_it() {
        let (mut room, mut tables) = fresh();
        let page = |i: u64| (GuestVirtual(0x123_4000 + i * 4096), GuestPhysical(0x567_8000));
        let (from, to) = page(0);
        tables.map(&mut room, from, to, Rights::READ).unwrap();
        let top = |tables: &PageTables| -> (usize, u64) {
            (tables.pages().count(), tables.pages().next().unwrap().1[0])
        };
        let before = top(&tables);
        assert_eq!(before.0, 4);
        assert_ne!(before.1 & PRESENT, 0);
        let (from, to) = page(1);
        tables.map(&mut room, from, to, Rights::READ).unwrap();
        assert_eq!(top(&tables), before, "the same entry, and no further table");
    }

    #[test]
    fn ranges_far_apart_are_verified_page_by_page() {
        let (mut room, mut tables) = fresh();
        for start in [0, 1 << 30, 512 << 30, 0x7fff_ffc0_0000] {
            let pages = 1024;
            let to = GuestPhysical(0x1000_0000);
            tables.map_range(&mut room, GuestVirtual(start), to, pages, Rights::READ).unwrap();
            for page in 0..pages {
                let found = tables.lookup(GuestVirtual(start + page * 4096)).unwrap();
                assert_eq!(found.address.0, to.0 + page * 4096);
            }
        }
    }

    #[test]
    fn nothing_is_overwritten_misaligned_or_writable_and_executable() {
        let (mut room, mut tables) = fresh();
        let (from, to) = (GuestVirtual(0x40_0000), GuestPhysical(0x4000_0000));
        tables.map_large(&mut room, from, to, LARGE_PAGE_SIZE, Rights::READ_WRITE).unwrap();
        let inside = GuestVirtual(0x40_1000);
        let again = tables.map(&mut room, inside, to, Rights::READ);
        assert_eq!(again, Err(PagingError::Exists(inside)));
        let odd = GuestVirtual(0x123);
        assert_eq!(tables.map(&mut room, odd, to, Rights::READ), Err(PagingError::Misaligned(odd)));
        let all = Rights::READ_WRITE | Rights::EXECUTE;
        let other = GuestVirtual(0x80_0000);
        assert_eq!(tables.map(&mut room, other, to, all), Err(PagingError::WritableCode(other)));
        assert_eq!(tables.lookup(other), None);
        let hole = GuestVirtual(1 << 47);
        assert_eq!(
            tables.map(&mut room, hole, to, Rights::READ),
            Err(PagingError::Misaligned(hole))
        );
    }

    #[test]
    fn running_out_of_room_is_an_error() {
        let mut room = PhysicalRoom::new(GuestPhysical(0x1000), GuestPhysical(0x3000));
        let mut tables = PageTables::new(&mut room).unwrap();
        let result = tables.map(&mut room, GuestVirtual(0), GuestPhysical(0x5000), Rights::READ);
        assert_eq!(result, Err(PagingError::Full));
    }
}
