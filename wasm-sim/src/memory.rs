//! Memory as the running thread sees it: translation, rights, and precise faults.
//!
//! Two walks decide an access. The domain's own page tables (Intel SDM vol. 3, 4.5) may
//! raise an exception that is the domain's business; the guest-physical space below them
//! may refuse, which is the microkernel's.

use shared_model::address::{Frame, GuestPhysical, GuestVirtual, PAGE_SIZE};
use shared_model::exit::{Access, Exit};

use crate::frames::{Frames, position};
use crate::physical::PhysicalSpace;
use crate::tlb::{Purpose, Tlb};

const PAGE_MASK: u64 = PAGE_SIZE - 1;

/// Exception vectors that memory accesses raise (SDM vol. 3, 6.15).
pub(crate) const STACK_FAULT: u8 = 12;
pub(crate) const GENERAL_PROTECTION: u8 = 13;
const PAGE_FAULT: u8 = 14;

/// Bits of a page-table entry (SDM vol. 3, table 4-15 to 4-20).
mod entry {
    pub(super) const PRESENT: u64 = 1;
    pub(super) const WRITABLE: u64 = 1 << 1;
    pub(super) const USER: u64 = 1 << 2;
    pub(super) const LARGE: u64 = 1 << 7;
    pub(super) const NO_EXECUTE: u64 = 1 << 63;
    /// Bits 51 to 12: where the next table or the page is.
    pub(super) const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
    /// Address bits that must be zero: the simulated processor has 46 physical-address
    /// bits.
    pub(super) const BEYOND: u64 = 0x000f_c000_0000_0000;
}

/// Bits of a page fault's error code (SDM vol. 3, 4.7). The thread is always at user level.
mod code {
    pub(super) const PROTECTION: u32 = 1;
    pub(super) const WRITE: u32 = 1 << 1;
    pub(super) const USER: u32 = 1 << 2;
    pub(super) const RESERVED: u32 = 1 << 3;
    pub(super) const FETCH: u32 = 1 << 4;
}

/// The segment an access goes through: it decides which exception a bad address raises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Segment {
    Data,
    Stack,
}

/// An exception with no CR2.
pub(crate) fn exception(vector: u8) -> Exit {
    Exit::Exception { vector, code: 0, address: None }
}

fn page_fault(address: u64, code: u32, access: Access) -> Exit {
    let kind = match access {
        Access::Read => 0,
        Access::Write => code::WRITE,
        Access::Execute => code::FETCH,
    };
    let code = code | kind | code::USER;
    Exit::Exception { vector: PAGE_FAULT, code, address: Some(GuestVirtual(address)) }
}

/// Where the bytes of one access are: in one page, or in two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    first: usize,
    /// Bytes in the first page.
    split: usize,
    second: usize,
}

/// The frames, and the translation state of the running thread's address space.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) frames: Frames,
    pub(crate) space: PhysicalSpace,
    pub(crate) tlb: Box<Tlb>,
    /// CR3 of the running thread.
    pub(crate) root: u64,
}

impl Memory {
    /// The bytes at `address`, if the translation buffer allows reading them all.
    #[inline(always)]
    pub(crate) fn quick_read<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let at = self.tlb.find_read(address, N as u64)?;
        self.frames.bytes.get(at..at + N)?.try_into().ok()
    }

    /// The bytes at `address` for reading and writing, if the translation buffer allows it
    /// and nobody needs to know.
    #[inline(always)]
    pub(crate) fn quick_update<const N: usize>(&mut self, address: u64) -> Option<&mut [u8; N]> {
        let at = self.tlb.find_write(address, N as u64)?;
        self.frames.bytes.get_mut(at..at + N)?.try_into().ok()
    }

    /// Reads `bytes` (1, 2, 4 or 8) as a little-endian number.
    pub(crate) fn read(
        &mut self,
        address: u64,
        bytes: usize,
        segment: Segment,
    ) -> Result<u64, Exit> {
        let span = self.span(address, bytes, Access::Read, segment)?;
        let mut value = [0; 8];
        self.copy_out(span, &mut value[..bytes]);
        Ok(u64::from_le_bytes(value))
    }

    /// Writes the low `bytes` (1, 2, 4 or 8) of `value`; nothing is written if any of them
    /// may not be.
    pub(crate) fn write(
        &mut self,
        address: u64,
        bytes: usize,
        value: u64,
        segment: Segment,
    ) -> Result<(), Exit> {
        let span = self.span(address, bytes, Access::Write, segment)?;
        self.copy_in(span, &value.to_le_bytes()[..bytes]);
        Ok(())
    }

    /// Finds the bytes of an access, or says why it cannot be made. The lower page is
    /// judged first.
    pub(crate) fn span(
        &mut self,
        address: u64,
        bytes: usize,
        access: Access,
        segment: Segment,
    ) -> Result<Span, Exit> {
        let last = address.wrapping_add(bytes as u64 - 1);
        if !GuestVirtual(address).is_canonical() || !GuestVirtual(last).is_canonical() {
            return Err(exception(match segment {
                Segment::Data => GENERAL_PROTECTION,
                Segment::Stack => STACK_FAULT,
            }));
        }
        let first = self.translate(address, access)?;
        if address & !PAGE_MASK == last & !PAGE_MASK {
            return Ok(Span { first, split: bytes, second: first });
        }
        let second = self.translate(last & !PAGE_MASK, access)?;
        Ok(Span { first, split: (PAGE_SIZE - (address & PAGE_MASK)) as usize, second })
    }

    /// Reads what [`Memory::span`] found.
    pub(crate) fn copy_out(&mut self, span: Span, bytes: &mut [u8]) {
        let (low, high) = bytes.split_at_mut(span.split.min(bytes.len()));
        self.frames.note_read(span.first, low.len());
        self.frames.note_read(span.second, high.len());
        low.copy_from_slice(&self.frames.bytes[span.first..span.first + low.len()]);
        high.copy_from_slice(&self.frames.bytes[span.second..span.second + high.len()]);
    }

    /// Writes what [`Memory::span`] found.
    pub(crate) fn copy_in(&mut self, span: Span, bytes: &[u8]) {
        let (low, high) = bytes.split_at(span.split.min(bytes.len()));
        self.frames.write(span.first, low);
        if !high.is_empty() {
            self.frames.write(span.second, high);
        }
        self.tlb.catch_up(self.frames.epochs);
    }

    /// Copies within the array, as string instructions do in bulk: neither side leaves its
    /// frame, and the result is that of a copy through a buffer.
    pub(crate) fn copy_frames(&mut self, from: usize, to: usize, length: usize) {
        self.frames.note_read(from, length);
        self.frames.note_write(to, length);
        self.frames.bytes.copy_within(from..from + length, to);
        self.tlb.catch_up(self.frames.epochs);
    }

    /// Fills part of a frame with copies of `pattern`, whose length divides `length`.
    pub(crate) fn fill_frame(&mut self, to: usize, length: usize, pattern: &[u8]) {
        self.frames.note_write(to, length);
        for piece in self.frames.bytes[to..to + length].chunks_exact_mut(pattern.len()) {
            piece.copy_from_slice(pattern);
        }
        self.tlb.catch_up(self.frames.epochs);
    }

    /// The position of the byte at a canonical address, and an entry in the translation
    /// buffer for the next access to its page.
    pub(crate) fn translate(&mut self, address: u64, access: Access) -> Result<usize, Exit> {
        let known = match access {
            Access::Read => self.tlb.find_read(address, 1),
            Access::Write => self.tlb.find_write(address, 1),
            Access::Execute => self.tlb.find_execute(address),
        };
        if let Some(at) = known {
            return Ok(at);
        }
        let physical = self.walk(address, access)?;
        let refused = || Exit::Fault { address: physical, from: GuestVirtual(address), access };
        let mapping = self.space.get(physical).ok_or_else(refused)?;
        let at = position(Frame(mapping.frame), physical.page_offset());
        match access {
            Access::Read if self.frames.is_watched_for_reads(at) => {}
            Access::Read => self.tlb.insert(Purpose::Read, address, at),
            Access::Write if !mapping.writable => return Err(refused()),
            Access::Write if self.frames.is_watched(at) => {}
            Access::Write => self.tlb.insert(Purpose::Write, address, at),
            Access::Execute => {
                self.space.mark_fetched(physical);
                self.tlb.insert(Purpose::Execute, address, at);
            }
        }
        Ok(at)
    }

    /// Walks the domain's page tables (SDM vol. 3, 4.5.4), four levels.
    fn walk(&mut self, address: u64, access: Access) -> Result<GuestPhysical, Exit> {
        let mut table = self.root & entry::ADDRESS;
        let mut writable = true;
        let mut user = true;
        let mut executable = true;
        let mut shift = 39;
        loop {
            let index = (address >> shift) & 0x1ff;
            let value = self.table_entry(GuestPhysical(table + index * 8), address, access)?;
            if value & entry::PRESENT == 0 {
                return Err(page_fault(address, 0, access));
            }
            let large = value & entry::LARGE != 0 && shift > 12;
            let misplaced = match (large, shift) {
                // A PML4 entry has no page-size bit; bits below a large page's address,
                // but for the one that selects a memory type, must be zero.
                (true, 39) => entry::LARGE,
                (true, _) => (1 << shift) - 0x2000,
                (false, _) => 0,
            };
            if value & (misplaced | entry::BEYOND) != 0 {
                return Err(page_fault(address, code::PROTECTION | code::RESERVED, access));
            }
            writable &= value & entry::WRITABLE != 0;
            user &= value & entry::USER != 0;
            executable &= value & entry::NO_EXECUTE == 0;
            if large || shift == 12 {
                let allowed = user
                    && match access {
                        Access::Read => true,
                        Access::Write => writable,
                        Access::Execute => executable,
                    };
                if !allowed {
                    return Err(page_fault(address, code::PROTECTION, access));
                }
                let inside = (1_u64 << shift) - 1;
                return Ok(GuestPhysical((value & entry::ADDRESS & !inside) | address & inside));
            }
            table = value & entry::ADDRESS;
            shift -= 9;
        }
    }

    /// An entry of a page table, which must itself be in the guest-physical space.
    fn table_entry(
        &mut self,
        place: GuestPhysical,
        from: u64,
        access: Access,
    ) -> Result<u64, Exit> {
        let Some(mapping) = self.space.get(place) else {
            return Err(Exit::Fault {
                address: place,
                from: GuestVirtual(from),
                access: Access::Read,
            });
        };
        if access == Access::Execute {
            self.space.mark_fetched(place);
        }
        let at = position(Frame(mapping.frame), place.page_offset());
        if !self.frames.is_watched(at) {
            self.frames.watch_table(at);
            self.tlb.catch_up(self.frames.epochs);
        } else {
            self.frames.watch_table(at);
        }
        let mut value = [0; 8];
        value.copy_from_slice(&self.frames.bytes[at..at + 8]);
        Ok(u64::from_le_bytes(value))
    }
}
