//! The translation buffer: guest-virtual page to position in the array of frames.
//!
//! An entry exists only for an access that is allowed and needs nothing else done: a page
//! whose frame is watched (see [`crate::frames`]) has no entry for writing.

use crate::frames::{Epochs, POSITION_MASK};

const ENTRIES: usize = 256;
const PAGE_MASK: u64 = !0xfff;

/// No page has this address.
const NO_PAGE: u64 = 1;

/// What an entry permits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    Read,
    Write,
    Execute,
}

#[derive(Clone, Copy)]
struct Entry {
    /// The guest-virtual address of the page.
    page: u64,
    /// What to add to an address in the page, modulo the word size, for its position.
    addend: usize,
}

type Bank = [Entry; ENTRIES];
const EMPTY: Bank = [Entry { page: NO_PAGE, addend: 0 }; ENTRIES];

/// A direct-mapped buffer for each purpose.
pub(crate) struct Tlb {
    read: Bank,
    write: Bank,
    execute: Bank,
    epochs: Epochs,
}

impl Default for Tlb {
    fn default() -> Self {
        Self { read: EMPTY, write: EMPTY, execute: EMPTY, epochs: Epochs::default() }
    }
}

#[inline(always)]
fn find(bank: &Bank, address: u64, length: u64) -> Option<usize> {
    let entry = &bank[(address >> 12) as usize % ENTRIES];
    // The last byte's page is compared with the entry of the first byte's, so an access
    // that crosses pages misses.
    if entry.page == address.wrapping_add(length - 1) & PAGE_MASK {
        Some((address as usize).wrapping_add(entry.addend) & POSITION_MASK)
    } else {
        None
    }
}

impl Tlb {
    /// The position of `length` bytes (at least 1) that may be read.
    #[inline(always)]
    pub(crate) fn find_read(&self, address: u64, length: u64) -> Option<usize> {
        find(&self.read, address, length)
    }

    /// The position of `length` bytes (at least 1) that may be written unseen.
    #[inline(always)]
    pub(crate) fn find_write(&self, address: u64, length: u64) -> Option<usize> {
        find(&self.write, address, length)
    }

    /// The position of an instruction byte.
    pub(crate) fn find_execute(&self, address: u64) -> Option<usize> {
        find(&self.execute, address, 1)
    }

    /// Remembers where the page of `address` is, given the position of `address`.
    pub(crate) fn insert(&mut self, purpose: Purpose, address: u64, position: usize) {
        let bank = match purpose {
            Purpose::Read => &mut self.read,
            Purpose::Write => &mut self.write,
            Purpose::Execute => &mut self.execute,
        };
        bank[(address >> 12) as usize % ENTRIES] =
            Entry { page: address & PAGE_MASK, addend: position.wrapping_sub(address as usize) };
    }

    /// Forgets everything.
    pub(crate) fn flush(&mut self) {
        self.read = EMPTY;
        self.write = EMPTY;
        self.execute = EMPTY;
    }

    /// Forgets what has become wrong since the last call.
    pub(crate) fn catch_up(&mut self, epochs: Epochs) {
        if self.epochs.tables != epochs.tables {
            self.flush();
        } else if self.epochs.watch != epochs.watch {
            self.write = EMPTY;
        }
        self.epochs = epochs;
    }
}

#[cfg(test)]
mod tests {
    use super::{Purpose, Tlb};
    use crate::frames::Epochs;

    #[test]
    fn an_entry_serves_its_page_and_purpose_only() {
        let mut tlb = Tlb::default();
        tlb.insert(Purpose::Read, 0xffff_8000_0000_1234, 0x5234);
        assert_eq!(tlb.find_read(0xffff_8000_0000_1ff8, 8), Some(0x5ff8));
        assert_eq!(tlb.find_read(0xffff_8000_0000_1ff9, 8), None);
        assert_eq!(tlb.find_write(0xffff_8000_0000_1000, 1), None);
        assert_eq!(tlb.find_read(0xffff_8000_0010_1000, 1), None);
        tlb.flush();
        assert_eq!(tlb.find_read(0xffff_8000_0000_1000, 1), None);
    }

    #[test]
    fn a_newly_watched_frame_ends_unseen_writes() {
        let mut tlb = Tlb::default();
        tlb.insert(Purpose::Write, 0x1000, 0);
        tlb.insert(Purpose::Read, 0x1000, 0);
        tlb.catch_up(Epochs { watch: 1, ..Epochs::default() });
        assert_eq!(tlb.find_write(0x1000, 1), None);
        assert_eq!(tlb.find_read(0x1000, 1), Some(0));
        tlb.catch_up(Epochs { tables: 1, ..Epochs::default() });
        assert_eq!(tlb.find_read(0x1000, 1), None);
    }
}
