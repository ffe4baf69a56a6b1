//! A domain's guest-physical address space: which page leads to which frame, with which
//! rights. This map *is* the domain's authority over memory; a backend only mirrors it.
//!
//! The shape is the hardware's: four levels of 512 entries and 4 KiB leaves, so an operation
//! can tell "no table there" from "table, but no page", as the original system's could. What
//! is different: each page has its own rights, a range that fails is rolled back, and looking
//! something up never allocates.

use alloc::boxed::Box;
use alloc::vec::Vec;

use thiserror::Error;

use crate::address::{Frame, GuestPhysical, PAGE_SIZE};
use crate::rights::Rights;

/// Why an operation on an address space was refused. Nothing has changed then.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SpaceError {
    /// A table on the way does not exist.
    #[error("nothing was ever mapped near guest-physical {0}")]
    NoTable(GuestPhysical),
    /// The tables exist, the page's entry is empty.
    #[error("guest-physical {0} is not mapped")]
    NotMapped(GuestPhysical),
    /// The page is mapped and overwriting was not asked for.
    #[error("guest-physical {0} is mapped already")]
    Exists(GuestPhysical),
    /// A table is needed and the space may have no more.
    #[error("no room for another table of the guest-physical space")]
    NoMemory,
    /// Not the first byte of a page, or past bit 47.
    #[error("guest-physical {0} is not a page of the space")]
    BadAddress(GuestPhysical),
    /// A mapping needs read, and must not have write and execute together.
    #[error("a page cannot be mapped with rights {0}")]
    BadRights(Rights),
}

/// What one page leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// The frame.
    pub frame: Frame,
    /// What is allowed: at least read, never write and execute together, never grant.
    pub rights: Rights,
}

/// An entry: 0 is empty; in an upper table the index of the next table plus one; in a leaf
/// table the frame and the rights.
type Entry = u64;

const LEVELS: u32 = 4;
const ENTRIES: usize = 512;
const ADDRESS_BITS: u32 = 12 + 9 * LEVELS;

/// A place for a leaf entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    table: usize,
    index: usize,
}

/// A guest-physical address space.
#[derive(Clone, Debug)]
pub struct AddressSpace {
    /// The root first. Tables are never freed before the space is.
    tables: Vec<Box<[Entry; ENTRIES]>>,
    tables_max: usize,
    mapped: usize,
}

impl AddressSpace {
    /// A space with nothing mapped that may use up to `tables_max` tables of 4 KiB, the root
    /// included.
    pub fn new(tables_max: usize) -> Self {
        Self {
            tables: alloc::vec![Box::new([0; ENTRIES])],
            tables_max: tables_max.max(1),
            mapped: 0,
        }
    }

    /// How many pages are mapped.
    pub const fn mapped(&self) -> usize {
        self.mapped
    }

    /// The place of a page's leaf entry, making the tables on the way if `create`.
    ///
    /// # Errors
    /// [`SpaceError::NoTable`] if one is missing and `create` is false,
    /// [`SpaceError::NoMemory`] if one cannot be made, [`SpaceError::BadAddress`].
    pub fn walk(&mut self, page: GuestPhysical, create: bool) -> Result<Slot, SpaceError> {
        check(page)?;
        let missing = self.find(page);
        let (mut table, mut level) = match missing {
            Ok(slot) => return Ok(slot),
            Err(_) if !create => return Err(SpaceError::NoTable(page)),
            Err(stopped) => stopped,
        };
        if self.tables.len() + level as usize > self.tables_max {
            return Err(SpaceError::NoMemory);
        }
        while level > 0 {
            self.tables.push(Box::new([0; ENTRIES]));
            let next = self.tables.len() - 1;
            self.tables[table][index(page, level)] = next as Entry + 1;
            table = next;
            level -= 1;
        }
        Ok(Slot { table, index: index(page, 0) })
    }

    /// Maps one page, making tables as needed.
    ///
    /// Returns what was mapped there before, which is something only if `overwrite`.
    ///
    /// # Errors
    /// [`SpaceError::Exists`] if the page is mapped and `overwrite` is false;
    /// [`SpaceError::BadRights`], [`SpaceError::BadAddress`], [`SpaceError::NoMemory`].
    pub fn map(
        &mut self,
        page: GuestPhysical,
        mapping: Mapping,
        overwrite: bool,
    ) -> Result<Option<Mapping>, SpaceError> {
        let rights = mapping.rights;
        let sound = rights.contains(Rights::READ)
            && !rights.is_writable_code()
            && rights == rights.for_mapping();
        if !sound {
            return Err(SpaceError::BadRights(rights));
        }
        let slot = self.walk(page, true)?;
        let entry = &mut self.tables[slot.table][slot.index];
        let old = unpack(*entry);
        if old.is_some() && !overwrite {
            return Err(SpaceError::Exists(page));
        }
        *entry = pack(mapping);
        self.mapped += usize::from(old.is_none());
        Ok(old)
    }

    /// Maps `pages` pages from `start` to consecutive frames from `first`. If one fails, those
    /// before it are unmapped again.
    ///
    /// # Errors
    /// As [`AddressSpace::map`] without overwriting.
    pub fn map_range(
        &mut self,
        start: GuestPhysical,
        first: Frame,
        pages: u32,
        rights: Rights,
    ) -> Result<(), SpaceError> {
        for i in 0..pages {
            let attempt = nth(start, i).and_then(|page| {
                let frame =
                    first.0.checked_add(i).map(Frame).ok_or(SpaceError::BadAddress(page))?;
                self.map(page, Mapping { frame, rights }, false)
            });
            if let Err(error) = attempt {
                for done in (0..i).rev() {
                    let undone = nth(start, done).and_then(|page| self.unmap(page));
                    debug_assert!(matches!(undone, Ok(Some(_))));
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Unmaps one page and returns what was there: nothing, if it was not mapped.
    ///
    /// # Errors
    /// [`SpaceError::NoTable`] if not even its table exists; [`SpaceError::BadAddress`].
    pub fn unmap(&mut self, page: GuestPhysical) -> Result<Option<Mapping>, SpaceError> {
        let slot = self.walk(page, false)?;
        let old = unpack(core::mem::take(&mut self.tables[slot.table][slot.index]));
        self.mapped -= usize::from(old.is_some());
        Ok(old)
    }

    /// Unmaps `pages` pages from `start`, whether mapped or not, and returns what was there in
    /// order. If a table is missing nothing is unmapped.
    ///
    /// # Errors
    /// As [`AddressSpace::unmap`].
    pub fn unmap_range(
        &mut self,
        start: GuestPhysical,
        pages: u32,
    ) -> Result<Vec<Mapping>, SpaceError> {
        (0..pages).try_for_each(|i| self.walk(nth(start, i)?, false).map(|_| ()))?;
        let mut removed = Vec::new();
        for i in 0..pages {
            removed.extend(self.unmap(nth(start, i)?)?);
        }
        Ok(removed)
    }

    /// What the page that holds `address` leads to. Never allocates.
    ///
    /// # Errors
    /// [`SpaceError::NoTable`], [`SpaceError::NotMapped`] or [`SpaceError::BadAddress`].
    pub fn lookup(&self, address: GuestPhysical) -> Result<Mapping, SpaceError> {
        let page = address.page();
        check(page)?;
        let slot = self.find(page).map_err(|_| SpaceError::NoTable(page))?;
        unpack(self.tables[slot.table][slot.index]).ok_or(SpaceError::NotMapped(page))
    }

    /// All mapped pages, in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = (GuestPhysical, Mapping)> + '_ {
        let mut stack = alloc::vec![(0_usize, LEVELS - 1, 0_u64, 0_usize)];
        core::iter::from_fn(move || {
            while let Some((table, level, base, at)) = stack.pop() {
                if at == ENTRIES {
                    continue;
                }
                stack.push((table, level, base, at + 1));
                let entry = self.tables[table][at];
                let address = base | (at as u64) << (12 + 9 * level);
                match level {
                    _ if entry == 0 => {}
                    0 => return unpack(entry).map(|mapping| (GuestPhysical(address), mapping)),
                    _ => stack.push((entry as usize - 1, level - 1, address, 0)),
                }
            }
            None
        })
    }

    /// The leaf slot, or the table and level where the walk found nothing.
    fn find(&self, page: GuestPhysical) -> Result<Slot, (usize, u32)> {
        let mut table = 0;
        for level in (1..LEVELS).rev() {
            match self.tables[table][index(page, level)] {
                0 => return Err((table, level)),
                next => table = next as usize - 1,
            }
        }
        Ok(Slot { table, index: index(page, 0) })
    }
}

const fn index(page: GuestPhysical, level: u32) -> usize {
    (page.0 >> (12 + 9 * level)) as usize % ENTRIES
}

fn check(page: GuestPhysical) -> Result<(), SpaceError> {
    let inside = page.0 >> ADDRESS_BITS == 0;
    if inside && page.is_page_aligned() { Ok(()) } else { Err(SpaceError::BadAddress(page)) }
}

fn nth(start: GuestPhysical, i: u32) -> Result<GuestPhysical, SpaceError> {
    start.checked_add(u64::from(i) * PAGE_SIZE).ok_or(SpaceError::BadAddress(start))
}

fn pack(mapping: Mapping) -> Entry {
    u64::from(mapping.frame.0) << 8 | mapping.rights.bits()
}

fn unpack(entry: Entry) -> Option<Mapping> {
    let rights = Rights::from_bits(entry & 0xff)?;
    // A mapping always has read, so an entry of 0 is none.
    rights.contains(Rights::READ).then_some(Mapping { frame: Frame((entry >> 8) as u32), rights })
}

#[cfg(test)]
mod tests {
    use super::{AddressSpace, Mapping, SpaceError};
    use crate::address::{Frame, GuestPhysical};
    use crate::rights::Rights;
    use alloc::vec::Vec;

    const GIB: u64 = 1 << 30;

    fn to(frame: u32) -> Mapping {
        Mapping { frame: Frame(frame), rights: Rights::READ_WRITE }
    }

    #[test]
    fn a_fresh_space_has_nothing_anywhere() {
        let space = AddressSpace::new(64);
        assert_eq!(space.iter().count(), 0);
        assert_eq!(space.lookup(GuestPhysical(0)), Err(SpaceError::NoTable(GuestPhysical(0))));
    }

    #[test]
    fn a_thousand_pages_at_three_heights_are_all_found() {
        let mut space = AddressSpace::new(64);
        for (start, first) in [(0, 0), (GIB, 5000), (512 * GIB, 9000)] {
            space.map_range(GuestPhysical(start), Frame(first), 1024, Rights::READ).unwrap();
        }
        for (start, first) in [(0, 0), (GIB, 5000), (512 * GIB, 9000)] {
            for i in 0..1024 {
                let found = space.lookup(GuestPhysical(start + u64::from(i) * 4096 + 7)).unwrap();
                assert_eq!(found, Mapping { frame: Frame(first + i), rights: Rights::READ });
            }
        }
        let all: Vec<_> = space.iter().map(|(page, _)| page).collect();
        assert_eq!(all.len(), 3 * 1024);
        assert!(all.is_sorted());
    }

    /// Addresses have 48 bits: what fits is somewhere in the space, mapped or not, what does not
    /// fit is nowhere.
    #[test]
    fn an_address_fits_the_width_or_is_refused() {
        let mut space = AddressSpace::new(8);
        for good in [0xff, 1 << 47, (1 << 48) - 1, 0x3_0682_f000] {
            let page = GuestPhysical(good).page();
            assert_eq!(space.lookup(GuestPhysical(good)), Err(SpaceError::NoTable(page)));
        }
        for bad in [1 << 48, 1 << 63, u64::MAX] {
            let page = GuestPhysical(bad).page();
            assert_eq!(space.lookup(GuestPhysical(bad)), Err(SpaceError::BadAddress(page)));
            assert_eq!(space.map(page, to(1), false), Err(SpaceError::BadAddress(page)));
        }
        assert_eq!(space.map(GuestPhysical((1 << 48) - 4096), to(1), false), Ok(None));
    }

    #[test]
    fn walk_tells_a_missing_table_from_a_missing_page() {
        let mut space = AddressSpace::new(4);
        let page = GuestPhysical(0x5000);
        assert_eq!(space.walk(page, false), Err(SpaceError::NoTable(page)));
        let slot = space.walk(page, true).unwrap();
        assert_eq!(space.walk(page, true), Ok(slot), "walking twice finds the same entry");
        assert_eq!(space.lookup(page), Err(SpaceError::NotMapped(page)));
        // Root and three more are all that four tables allow.
        assert_eq!(space.walk(GuestPhysical(GIB), true), Err(SpaceError::NoMemory));
    }

    #[test]
    fn mapping_over_a_page_needs_to_be_asked_for() {
        let mut space = AddressSpace::new(8);
        let page = GuestPhysical(0x5000);
        assert_eq!(space.map(page, to(1), false), Ok(None));
        assert_eq!(space.map(page, to(2), false), Err(SpaceError::Exists(page)));
        assert_eq!(space.lookup(page), Ok(to(1)), "a refused map changes nothing");
        assert_eq!(space.map(page, to(2), true), Ok(Some(to(1))));
        assert_eq!((space.lookup(page), space.mapped()), (Ok(to(2)), 1));
    }

    #[test]
    fn unmap_of_an_absent_page_succeeds_and_of_an_absent_table_does_not() {
        let mut space = AddressSpace::new(8);
        let (page, far) = (GuestPhysical(0x5000), GuestPhysical(5 * GIB));
        space.map(page, to(1), false).unwrap();
        assert_eq!(space.unmap(page), Ok(Some(to(1))));
        assert_eq!(space.unmap(page), Ok(None));
        assert_eq!(space.unmap(far), Err(SpaceError::NoTable(far)));
    }

    #[test]
    fn a_range_that_fails_leaves_nothing_behind() {
        let mut space = AddressSpace::new(8);
        space.map(GuestPhysical(0x8000), to(77), false).unwrap();
        let result = space.map_range(GuestPhysical(0x4000), Frame(1), 10, Rights::READ);
        assert_eq!(result, Err(SpaceError::Exists(GuestPhysical(0x8000))));
        assert_eq!(space.iter().collect::<Vec<_>>(), [(GuestPhysical(0x8000), to(77))]);
        let none = space.unmap_range(GuestPhysical(0x8000), 0x10_0000);
        assert!(matches!(none, Err(SpaceError::NoTable(_))));
        assert_eq!(space.mapped(), 1, "a refused range of unmaps changes nothing");
        assert_eq!(space.unmap_range(GuestPhysical(0x7000), 4), Ok(alloc::vec![to(77)]));
    }

    #[test]
    fn rights_that_no_page_may_have_are_refused() {
        let mut space = AddressSpace::new(8);
        for bits in [0, 2, 4, 6, 7, 8, 9, 15] {
            let rights = Rights::from_bits(bits).unwrap();
            let result = space.map(GuestPhysical(0), Mapping { frame: Frame(0), rights }, true);
            assert_eq!(result, Err(SpaceError::BadRights(rights)));
        }
        let odd = GuestPhysical(0x123);
        assert_eq!(space.map(odd, to(1), false), Err(SpaceError::BadAddress(odd)));
        let high = GuestPhysical(1 << 48);
        assert_eq!(space.map(high, to(1), false), Err(SpaceError::BadAddress(high)));
    }
}
